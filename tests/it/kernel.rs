//! What `tests/kernel/run` makes of the console of its machine: green is only what is
//! right to the last line.

use crate::common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const MANIFEST: &str = "\
120\t/home\tEPORE_DEMO=/programs/epore\t/tests/poll\t--quiet\t
120\t/home\tEPORE_DEMO=/programs/epore\t/programs/doc-tests-2\t
";

const RUSTDOC: &str = "\
running 2 tests
test src/lib.rs - (line 1) ... ok
test src/lib.rs - (line 9) - compile fail ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

const CONSOLE: &str = "\
@up 6.12.1-cloud-arm64
@start 1 /tests/poll

running 3 tests
test a ... ok
test b ... ignored
LEFT OUT: c: no such thing here
test c ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s

@end 1 exited 0 after 1234 ms
@start 2 /programs/doc-tests-2
@end 2 exited 0 after 56 ms
@done 2
exit code 0, power off
[    2.480000] reboot: Power down
";

/// The report on `console`. `None`, and said so, where there is no awk.
fn report(name: &str, console: &str, fault: &str) -> Option<Output> {
    let awk = Path::new("/usr/bin/awk");
    if !awk.exists() {
        common::left_out("a report on a console", "no awk");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder of ours");
    let mut command = Command::new(awk);
    command
        .args(["-v", &format!("fault={fault}"), "-f"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/report.awk"));
    for (part, text) in [
        ("manifest", MANIFEST),
        ("rustdoc", RUSTDOC),
        ("console", console),
    ] {
        let path = folder.join(part);
        fs::write(&path, text).expect("a file of ours");
        command.arg(format!("part={part}")).arg(path);
    }
    Some(common::run(&mut command))
}

#[test]
fn the_report_counts_every_test_and_names_what_was_left_out() {
    let Some(output) = report("green", CONSOLE, "") else {
        return;
    };
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}");
    let words: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for expected in [
        "poll 2 0 1 1 1.2 s",
        "/programs/doc-tests-2 1 0 0 0 0.1 s",
        "doc, refused by rustc 1 0 0 0 0.0 s",
        "total 4 0 1 1 1.3 s",
        "LEFT OUT: poll: c: no such thing here",
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert!(words.contains(&expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn the_report_is_red_when_anything_is_wrong() {
    let summary = "test result: ok. 2 passed; 0 failed; 1 ignored;";
    for (what, right, wrong) in [
        (
            "a failure",
            summary,
            "test result: FAILED. 1 passed; 1 failed; 1 ignored;",
        ),
        (
            "fewer tests",
            summary,
            "test result: ok. 1 passed; 0 failed; 1 ignored;",
        ),
        ("more announced", "running 3 tests", "running 4 tests"),
        ("no summary", summary, "test result"),
        (
            "two summaries",
            "test a ... ok",
            "test result: ok. 0 passed; 0 failed; 0 ignored;",
        ),
        ("an exit code", "@end 1 exited 0", "@end 1 exited 101"),
        (
            "an exit code without libtest",
            "@end 2 exited 0",
            "@end 2 exited 1",
        ),
        ("a signal", "@end 1 exited 0", "@end 1 killed 11"),
        ("a hanging test", "1234 ms", "1234 ms: too late"),
        ("no end", "@end 2 exited 0 after 56 ms\n", ""),
        (
            "a program in place of another",
            "/programs/doc-tests-2",
            "/programs/doc-tests-3",
        ),
        (
            "a program less",
            "@start 2 /programs/doc-tests-2\n@end 2 exited 0 after 56 ms\n@done 2",
            "@done 1",
        ),
        (
            "a line of the kernel's within",
            "@end 2 ",
            "@end[    1.0] Oops 2 ",
        ),
        ("an init that gives up", "@done 2\n", ""),
        ("an init that fails", "exit code 0,", "exit code 1,"),
        (
            "an init that dies",
            "exit code 0, power off",
            "Kernel panic - not syncing",
        ),
    ] {
        assert!(CONSOLE.contains(right), "{what}: nothing to change");
        let console = CONSOLE.replacen(right, wrong, 1);
        let Some(output) = report("red", &console, "") else {
            return;
        };
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(1), "{what} is green:\n{text}");
        assert!(text.contains("FAILED: "), "{what} is not named:\n{text}");
    }
    if let Some(output) = report("fault", CONSOLE, "the machine still ran after 900 s") {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
