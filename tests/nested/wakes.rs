//! Every interleaving of a queue and its wakers, by the models of `tests/wakes`.

use crate::common;

#[test]
fn no_interleaving_loses_a_wake() {
    const ALL: &str = "every interleaving of wakes";
    if common::is_emulated() {
        return common::left_out(ALL, "a model of no processor in particular");
    }
    let Some(mut cargo) = common::cargo("test", "tests/wakes/Cargo.toml", "wakes") else {
        return common::left_out(ALL, "no cargo to build with");
    };
    let output = common::run_cargo(&mut cargo);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("32 passed"), "{stdout}");
}
