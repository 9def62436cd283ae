//! Links the executable as a program that needs the kernel alone. With `std` it is
//! linked as usual.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed={}", file!());
    if std::env::var_os("CARGO_FEATURE_STD").is_some() {
        return;
    }
    // A debugger walks the stack by the tables for unwinding; nobody else does.
    if std::env::var("DEBUG").is_ok_and(|debug| debug == "false") {
        let script = Path::new(file!()).with_file_name("no_unwinding.ld");
        let script = std::path::absolute(script).expect("a working directory");
        println!("cargo::rerun-if-changed={}", script.display());
        println!("cargo::rustc-link-arg-bins=-T");
        println!("cargo::rustc-link-arg-bins={}", script.display());
    }
    for argument in [
        // `_start` is ours.
        "-nostartfiles",
        // Fixed addresses: there is nobody to relocate the program.
        "-no-pie",
        // Nor an interpreter. Some linkers name one all the same, and the kernel
        // would start that in the program's place.
        "-Wl,--no-dynamic-linker",
        // What only an unwinder or an archive of debug information looks up.
        "-Wl,--no-eh-frame-hdr",
        "-Wl,--build-id=none",
        // Padding, so that relocated tables and constants get pages of their own.
        "-Wl,-z,norelro",
        "-Wl,-z,noseparate-code",
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
