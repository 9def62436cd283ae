//! The library without `std`: the tests of `tests/no_std`. (What the compiler says to
//! those who forget the feature is in `misuse.rs`.)

use crate::common;

fn passes(features: &[&str], tests: usize) {
    let Some(mut cargo) = common::cargo("test", "tests/no_std/Cargo.toml", "no_std") else {
        return common::left_out("the library without std", "no cargo to build with");
    };
    let output = common::run_cargo(cargo.args(features));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let passed: usize = (stdout.lines())
        .filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next())
        .map(|count| count.parse::<usize>().expect("a number"))
        .sum();
    assert!(passed >= tests, "only {passed}: {stdout}");
}

#[test]
fn its_tests_pass_without_features() {
    passes(&[], 20);
}

#[test]
fn its_tests_pass_with_alloc() {
    passes(&["--features", "alloc"], 21);
}
