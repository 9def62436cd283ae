//! What the package depends on, and where it is unsafe.

use crate::common;

use common::source::{rust_files, tokens};
use std::fs;
use std::path::Path;

const LOCK: &str = include_str!("../../Cargo.lock");
const MANIFEST: &str = include_str!("../../Cargo.toml");

#[test]
fn the_lock_file_holds_no_libc() {
    let packages: Vec<_> = (LOCK.lines())
        .filter_map(|line| line.strip_prefix("name = "))
        .map(|name| name.trim_matches('"'))
        .collect();
    assert!(packages.contains(&"epore"), "{packages:?}");
    assert!(packages.contains(&"syscalls"), "{packages:?}");
    for package in ["libc", "linux-raw-sys", "nix", "rustix", "errno"] {
        assert!(!packages.contains(&package), "{packages:?}");
    }
}

/// The lines of one table of the manifest, without comments.
fn table(header: &str) -> Vec<&'static str> {
    (MANIFEST.lines())
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn the_library_depends_on_two_packages() {
    let dependencies = table("[dependencies]");
    let names: Vec<_> = (dependencies.iter())
        .map(|line| line.split('=').next().unwrap_or_default().trim())
        .collect();
    assert_eq!(names, ["static_assertions", "syscalls"]);
    // Its defaults bring serde, and its `std` a symbol of libc.
    let syscalls = dependencies[1];
    assert!(syscalls.contains("default-features = false"), "{syscalls}");
    assert!(!syscalls.contains("features = ["), "{syscalls}");

    let others = (MANIFEST.lines())
        .filter(|line| line.starts_with('[') && line.contains("dependencies"))
        .collect::<Vec<_>>();
    assert_eq!(others, ["[dependencies]", "[dev-dependencies]"]);
}

#[test]
fn no_feature_of_ours_is_one_of_theirs() {
    let features = table("[features]");
    assert!(!features.is_empty());
    for line in features {
        assert!(!line.contains('/') && !line.contains("dep:"), "{line}");
    }
}

#[test]
fn words_are_told_from_comments_and_strings() {
    let source = r####"
        // unsafe
        /* unsafe /* unsafe */ unsafe */
        #![deny(unsafe_code)] /// unsafe
        let it = "unsafe \" unsafe" + r#"unsafe " unsafe"# + b"unsafe"; 'a' '\'' '\u{41}' '"'
        fn f<'unsafe_>(x: &'static str) { unsafe { g() } }
    "####;
    let found: Vec<_> = (tokens(source).into_iter())
        .filter(|word| word.contains("unsafe"))
        .collect();
    assert_eq!(found, ["unsafe_code", "unsafe_", "unsafe"]);
}

#[test]
fn only_sys_and_the_demos_runtime_are_unsafe() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    if !src.exists() {
        return common::left_out("where the source is unsafe", "it is not here");
    }
    let mut in_sys = 0;
    for file in rust_files(&src) {
        let source = fs::read_to_string(&file).unwrap();
        let place = file.strip_prefix(&src).unwrap();
        if tokens(&source).contains(&"unsafe") {
            assert!(
                place.starts_with("sys") || place.starts_with("rt"),
                "{place:?} holds unsafe code"
            );
            in_sys += usize::from(place.starts_with("sys"));
        }
    }
    assert!(in_sys > 3, "and there it is found");
}
