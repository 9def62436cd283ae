//! The library against libc's epoll: the trials of `tests/differential`, for this
//! test's own target.

use crate::common;

#[test]
fn epore_and_libc_answer_the_same() {
    let manifest = "tests/differential/Cargo.toml";
    let Some(mut cargo) = common::cargo("test", manifest, "differential") else {
        return common::left_out("random trials against libc", "no cargo to build with");
    };
    if common::is_emulated() {
        common::left_out("most of the random trials", "the emulator is slow");
        cargo.envs([
            ("EPORE_DIFFERENTIAL_CASES", "50"),
            ("EPORE_DIFFERENTIAL_SEED", "0"),
        ]);
    }
    let output = common::run_cargo(cargo.args(["--", "--nocapture"]));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("3 passed"), "{stdout}");
}
