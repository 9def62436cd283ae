//! Misuse that does not compile: the programs of `tests/misuse`, and what is said to
//! whoever writes them. (Misuse that compiles is in `errors.rs`.)

use crate::common;

fn are_refused(features: &[&str], least: usize) {
    let Some(mut cargo) = common::cargo("test", "tests/misuse/Cargo.toml", "misuse") else {
        return common::left_out("misuse that does not compile", "no cargo to build with");
    };
    // trybuild asks for the target directory by this name alone.
    cargo.env("CARGO_TARGET_DIR", common::target_dir("misuse"));
    let output = common::run_cargo(cargo.args(features));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let refused: usize = (stdout.lines())
        .find_map(|line| line.split_once(" programs of ")?.0.parse().ok())
        .unwrap_or_else(|| panic!("no count in {stdout}\n{stderr}"));
    assert!(refused >= least, "only {refused}");
}

#[test]
fn with_std_it_is_refused_for_the_reason_stated() {
    are_refused(&["--features", "std"], 18);
}

#[test]
fn without_std_it_is_refused_for_the_reason_stated_and_told_of_the_feature() {
    are_refused(&[], 8);
}
