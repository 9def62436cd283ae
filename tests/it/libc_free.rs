//! The executables hold no libc, ask for none, and the demo starts and ends without.

use crate::common;

use common::Profile;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, Object, ObjectSection as _, ObjectSymbol};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const PROGRAMS: [&str; 3] = ["epore", "echo", "supervisor"];

/// In bytes.
const LARGEST_RELEASE: u64 = 96 * 1024;

/// What a C library would leave behind, by the first letters of the symbol.
/// `__aarch64_` begins the out-of-line atomics, which ask libc for the processor.
const LIBC: [&str; 9] = [
    "__libc_",
    "__errno_location",
    "__stack_chk_",
    "__aarch64_",
    "_dl_",
    "_Unwind_",
    "getauxval",
    "malloc",
    "pthread_",
];

/// Everything about the executable at `path` that the kernel alone could not serve.
fn faults(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).expect("the executable");
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("a 64-bit ELF file");
    let endian = Endianness::Little;
    let header = file.elf_header();
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(text);

    let machine = if cfg!(target_arch = "x86_64") {
        elf::EM_X86_64
    } else {
        elf::EM_AARCH64
    };
    if header.e_machine(endian) != machine {
        fault(format!("machine {}", header.e_machine(endian)));
    }
    if header.e_type(endian) != elf::ET_EXEC {
        fault(format!("type {}: moved about", header.e_type(endian)));
    }

    let mut stacks = 0;
    for segment in file.elf_program_headers() {
        let flags = segment.p_flags(endian);
        let executable = flags.contains(elf::PF_X);
        match segment.p_type(endian) {
            elf::PT_INTERP => fault("PT_INTERP: an interpreter".into()),
            elf::PT_DYNAMIC => fault("PT_DYNAMIC: linked at run time".into()),
            elf::PT_TLS => fault("PT_TLS: thread-local storage".into()),
            elf::PT_GNU_STACK if executable => fault("an executable stack".into()),
            elf::PT_GNU_STACK => stacks += 1,
            _ => {}
        }
        if executable && flags.contains(elf::PF_W) {
            fault("a segment both writable and executable".into());
        }
    }
    if stacks != 1 {
        fault("no PT_GNU_STACK: the kernel chooses whether the stack is executable".into());
    }

    for section in file.elf_section_table().iter() {
        match section.sh_type(endian) {
            elf::SHT_REL | elf::SHT_RELA | elf::SHT_RELR => fault("relocations".into()),
            elf::SHT_DYNAMIC | elf::SHT_DYNSYM => fault("a dynamic section".into()),
            _ => {}
        }
    }

    for symbol in file.symbols().filter(|symbol| symbol.index().0 != 0) {
        let name = symbol.name().unwrap_or("?");
        if symbol.elf_symbol().is_undefined(endian) {
            fault(format!("undefined symbol {name}"));
        }
        if LIBC.iter().any(|prefix| name.starts_with(prefix)) {
            fault(format!("libc's symbol {name}"));
        }
    }
    faults
}

#[test]
fn the_executables_need_the_kernel_alone() {
    if let Some(path) = common::prebuilt_demo() {
        assert_eq!(faults(&path), [""; 0]);
    }
    for program in PROGRAMS {
        for profile in [Profile::Dev, Profile::Release] {
            match common::build_program(program, profile) {
                Some(path) => assert_eq!(faults(&path), [""; 0], "{program}, {profile:?}"),
                None => common::left_out(
                    "a look into the executable",
                    format!("no cargo to build {program}, {profile:?}"),
                ),
            }
        }
    }
}

#[test]
fn the_dev_executable_has_symbols_to_look_at() {
    let Some(path) = common::build_demo(Profile::Dev) else {
        return common::left_out("the dev executable's symbols", "no cargo to build it");
    };
    let bytes = fs::read(path).unwrap();
    let file: ElfFile64 = ElfFile64::parse(&*bytes).unwrap();
    for name in ["_start", "memcpy"] {
        assert!(file.symbol_by_name(name).is_some(), "no {name}");
    }
}

#[test]
fn a_hosted_program_is_told_apart() {
    assert_ne!(faults(&env::current_exe().unwrap()), [""; 0]);
}

#[test]
fn the_tables_take_no_room_in_the_hosted_executable() {
    let Some(path) = common::build_hosted_demo(Profile::Dev) else {
        return common::left_out("the hosted executable's tables", "no cargo to build it");
    };
    let bytes = fs::read(path).unwrap();
    let file: ElfFile64 = ElfFile64::parse(&*bytes).unwrap();
    let size = |name| {
        let section = file.section_by_name(name);
        section
            .unwrap_or_else(|| panic!("no section {name}"))
            .size()
    };
    let (data, bss) = (size(".data"), size(".bss"));
    assert!(
        data < 1 << 20 && bss > 1 << 20,
        "{data} bytes of .data, {bss} of .bss"
    );
}

#[test]
fn the_release_executables_are_small() {
    for program in PROGRAMS {
        let Some(path) = common::build_program(program, Profile::Release) else {
            return common::left_out("the size of the executables", "no cargo to build them");
        };
        let size = fs::metadata(path).unwrap().len();
        let line = format!("the release executable of {program} has {size} bytes\n");
        let _ = io::stderr().write_all(line.as_bytes());
        assert!(size <= LARGEST_RELEASE, "{program}: {size} bytes");
    }
}

#[test]
fn the_demo_finishes() {
    let (output, _) = common::demonstration();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().last(), Some("FINISHED"), "{text}");
}

#[test]
fn the_demo_finishes_without_an_environment() {
    let output = common::run(common::demo().env_clear());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn the_demo_finishes_with_standard_output_closed() {
    let mut demo = common::demo();
    common::close_at_start(&mut demo, 1);
    let output = common::run(&mut demo);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn unknown_arguments_are_answered_with_the_usage() {
    for arguments in [vec!["--no-such-option"], vec!["?"; 1_000]] {
        let output = common::run(common::demo().args(&arguments));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap().to_lowercase();
        assert!(text.contains("usage"), "{text}");
        assert!(output.stdout.is_empty());
    }
}
