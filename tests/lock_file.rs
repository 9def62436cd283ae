//! What the package depends on, and where it is unsafe.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

const LOCK: &str = include_str!("../Cargo.lock");
const MANIFEST: &str = include_str!("../Cargo.toml");

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

/// The words of Rust source, without comments, strings and characters.
fn words(source: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if rest.starts_with('"') {
            string(rest)
        } else if rest.starts_with('\'') {
            character(rest)
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..end];
            match raw_string(word, &rest[end..]) {
                Some(len) => end + len,
                None => {
                    words.push(word);
                    end
                }
            }
        } else {
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    words
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 || at >= text.len() {
            return at.min(text.len());
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character, or the mark of a lifetime alone.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => {
            let end = text[3..].find('\'');
            end.map_or(text.len(), |end| 3 + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// How long the rest of a raw string is that begins with `prefix`.
fn raw_string(prefix: &str, rest: &str) -> Option<usize> {
    if !["r", "br", "cr"].contains(&prefix) {
        return None;
    }
    let hashes = rest.find(|c| c != '#')?;
    let content = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let len = content.find(&end).unwrap_or(content.len() - end.len());
    Some(hashes + 1 + len + end.len())
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
    let found: Vec<_> = (words(source).into_iter())
        .filter(|word| word.contains("unsafe"))
        .collect();
    assert_eq!(found, ["unsafe_code", "unsafe_", "unsafe"]);
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn only_sys_and_the_demos_runtime_are_unsafe() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    if !src.exists() {
        return common::left_out("where the source is unsafe", "it is not here");
    }
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut in_sys = 0;
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let place = file.strip_prefix(&src).unwrap();
        if words(&source).contains(&"unsafe") {
            assert!(
                place.starts_with("sys") || place.starts_with("rt"),
                "{place:?} holds unsafe code"
            );
            in_sys += usize::from(place.starts_with("sys"));
        }
    }
    assert!(in_sys > 3, "and there it is found");
}
