//! The library without `std`: the tests of `tests/no_std`, and what the compiler
//! says to those who forget the feature.

mod common;

use std::process::Command;

/// Cargo at work on the package. None, and said so, without cargo.
fn cargo(verb: &str, check: &str) -> Option<Command> {
    let command = common::cargo(verb, "tests/no_std/Cargo.toml", "no_std");
    if command.is_none() {
        common::left_out(check, "no cargo to build with");
    }
    command
}

fn passes(features: &[&str], tests: usize) {
    let Some(mut cargo) = cargo("test", "the library without std") else {
        return;
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
    passes(&[], 17);
}

#[test]
fn its_tests_pass_with_alloc() {
    passes(&["--features", "alloc"], 18);
}

/// What the compiler says to one of the mistakes, with lines joined.
fn refusal(mistake: &str) -> Option<String> {
    let mut cargo = cargo("rustc", "the compiler's error messages")?;
    cargo
        .args(["--example", "mistakes", "--", "--cfg"])
        .arg(format!("mistake=\"{mistake}\""));
    let output = common::run_cargo(&mut cargo);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it compiles: {stderr}");
    let words: Vec<_> = stderr.split_whitespace().collect();
    Some(words.join(" "))
}

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "no “{part}” in {text}");
}

#[test]
fn registering_a_std_type_names_the_feature() {
    let Some(text) = refusal("source") else {
        return;
    };
    says(
        &text,
        "`std::net::TcpListener` has no descriptor that epore can borrow",
    );
    says(&text, "with the feature `std` of epore");
    says(&text, "`epore = { version = \"…\", features = [\"std\"] }`");
    says(&text, "`net::TcpStream`");
}

#[test]
fn waiting_without_a_buffer_names_the_buffers() {
    let Some(text) = refusal("buffer") else {
        return;
    };
    says(&text, "`[u64; 8]` cannot hold events");
    says(&text, "`Events<N>` holds up to N of them inline");
    says(&text, "`Vec<Event>` does with the feature `alloc` of epore");
}

#[test]
fn without_a_mistake_it_compiles() {
    let Some(mut cargo) = cargo("rustc", "that it compiles otherwise") else {
        return;
    };
    let output = common::run_cargo(cargo.args(["--example", "mistakes"]));
    assert!(output.status.success(), "{output:#?}");
}
