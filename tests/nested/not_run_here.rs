//! Prints what `cargo test` has not run, with the command of each. It is no test: cargo
//! runs it after the others.

/// What is left to run, the command, and how long it takes on two processors.
const LEFT: [(&str, &str, &str); 8] = [
    (
        "programs and packages that depend on the library",
        "cargo test --test nested",
        "2 min",
    ),
    (
        "a queue and its wakers in every interleaving",
        "cargo test --manifest-path tests/wakes/Cargo.toml",
        "45 s",
    ),
    (
        "instructions of the hot path",
        "cargo test --release --manifest-path tests/bench/Cargo.toml",
        "1 min",
    ),
    (
        "all tests on an arm64 kernel",
        "bash tests/kernel/run aarch64",
        "7 min",
    ),
    (
        "all tests on an x86_64 kernel",
        "bash tests/kernel/run x86_64",
        "4 min",
    ),
    (
        "the demo as the only program of a machine",
        "bash tests/kernel/pid1 aarch64",
        "10 s",
    ),
    (
        "whether the tests notice a broken library",
        "bash tests/mutations/run quick",
        "5 min",
    ),
    ("everything", "bash .ci/run", "30 min"),
];

fn main() {
    // With a filter or an option somebody runs some tests only, and knows it.
    if std::env::args().len() > 1 {
        return;
    }
    println!("\nnot run here:");
    for (what, command, time) in LEFT {
        println!("  {what}, with `{command}` ({time})");
    }
}
