//! Each program of a folder is refused, for the reason that its comments state:
//! `//~ ERROR` with the code and the sentence (`…` where compilers differ), `//~ NOTE`
//! with what helps. There are no errors but those.
//!
//! trybuild compiles them and makes what the compiler says comparable. It is not
//! compared as a whole, because no two compilers say the same.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let folder = if cfg!(feature = "std") { "std" } else { "bare" };
    let programs = copies_of(folder);
    // SAFETY: there is no other thread yet.
    unsafe { env::set_var("TRYBUILD", "overwrite") };
    let compiler = trybuild::TestCases::new();
    for program in &programs {
        compiler.compile_fail(program);
    }
    // Compiles them, and panics if one of them passes.
    drop(compiler);

    let faults: Vec<_> = programs.iter().filter_map(|it| fault(it)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("{} programs of {folder} refused", programs.len());
}

/// What the compiler says is written beside the programs, so these are copies.
fn copies_of(folder: &str) -> Vec<PathBuf> {
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = fs::remove_dir_all(&copies);
    fs::create_dir_all(&copies).expect("a place for the copies");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut copied = Vec::new();
    for entry in fs::read_dir(programs).expect("the programs") {
        let program = entry.expect("a program").path();
        let copy = copies.join(program.file_name().expect("a name"));
        fs::copy(&program, &copy).expect("a copy");
        copied.push(copy);
    }
    copied.sort();
    copied
}

fn fault(program: &Path) -> Option<String> {
    let source = fs::read_to_string(program).expect("the program");
    let said = fs::read_to_string(program.with_extension("stderr")).expect("a refusal");
    let stated = |kind: &str| -> Vec<String> {
        (source.lines())
            .filter_map(|line| line.trim_start().strip_prefix(kind).map(in_one_line))
            .collect()
    };
    let (errors, notes) = (stated("//~ ERROR "), stated("//~ NOTE "));
    let is_error = |line: &&str| line.starts_with("error");
    let found: Vec<_> = said.lines().filter(is_error).collect();
    let is_found = |error: &String| {
        let has_all = |line: &&str| error.split('…').all(|part| line.contains(part.trim()));
        found.iter().any(has_all)
    };
    let said = in_one_line(&said);
    let missing: Vec<_> = (errors.iter().filter(|error| !is_found(error)))
        .chain(notes.iter().filter(|note| !said.contains(*note)))
        .collect();
    let as_stated = !errors.is_empty() && missing.is_empty() && found.len() == errors.len();
    (!as_stated).then(|| {
        let name = program.file_name();
        format!("{name:?}: not said: {missing:#?}, but: {found:#?}\n{said}")
    })
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
