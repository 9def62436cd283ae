//! Features only add: a package that asks for none compiles alone, and also where another
//! package of the same build asks for `std`.

use crate::common;

#[test]
fn a_library_without_std_compiles_alone() {
    let manifest = "tests/mixed_features/plain/Cargo.toml";
    let Some(mut cargo) = common::cargo("check", manifest, "mixed_features") else {
        return common::left_out("a library without std", "no cargo to build with");
    };
    let output = common::run_cargo(&mut cargo);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn a_library_without_std_works_in_a_program_with_it() {
    let manifest = "tests/mixed_features/Cargo.toml";
    let Some(mut cargo) = common::cargo("run", manifest, "mixed_features") else {
        return common::left_out("packages of mixed features", "no cargo to build with");
    };
    let output = common::run_cargo(&mut cargo);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3 duplicates\n");
}
