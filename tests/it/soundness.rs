//! The section “Soundness” of `epore::sys` against the source: each `unsafe` of the
//! library is in its table, in its place, with a test that exists.

use crate::common;

use common::source::{rust_files, tokens};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the source is there to be looked at. It says so, if not.
fn is_here(check: &str) -> bool {
    let here = root().join("src/sys/mod.rs").exists() && root().join("tests/it").exists();
    if !here {
        common::left_out(check, "the source is not here");
    }
    here
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Where something is unsafe, as `file::function`, and what it is.
type Place = (String, String);

#[derive(Debug)]
struct Row {
    place: Place,
    obligation: String,
    test: String,
}

/// The table of the docs.
fn table() -> Vec<Row> {
    let source = read("src/sys/mod.rs");
    let rows = (source.lines())
        .skip_while(|line| *line != "//! # Soundness")
        .take_while(|line| *line != "//! ## Integers")
        .filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let cells: Vec<_> = (row.split(" | "))
            .map(|cell| cell.trim_end_matches(" |"))
            .collect();
        let [place, kind, obligation, test] = cells[..] else {
            panic!("{row}");
        };
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        Row {
            place: (plain(place), plain(kind)),
            obligation: obligation.to_owned(),
            test: plain(test),
        }
    })
    .collect()
}

/// What is unsafe in a file, and in which function.
fn unsafe_places(file: &str, source: &str) -> Vec<Place> {
    let tokens = tokens(source);
    let mut places = Vec::new();
    // The functions around, and how deep each of them begins.
    let mut around: Vec<(&str, usize)> = Vec::new();
    let mut announced = None;
    let (mut depth, mut brackets) = (0, 0);
    for (at, token) in tokens.iter().enumerate() {
        let following = |n: usize| tokens.get(at + n).copied().unwrap_or_default();
        match *token {
            "fn" if following(2) == "(" || following(2) == "<" => announced = Some(following(1)),
            "{" => {
                depth += 1;
                around.extend(announced.take().map(|name| (name, depth)));
            }
            "}" => {
                around.retain(|(_, begin)| *begin < depth);
                depth -= 1;
            }
            "[" => brackets += 1,
            "]" => brackets -= 1,
            // It was declared in a trait, without a body.
            ";" if brackets == 0 => announced = None,
            "unsafe" => {
                let (name, kind) = match following(1) {
                    "{" => (around.last().map_or("?", |(name, _)| name), "block"),
                    "fn" => (following(2), "fn"),
                    other => ("?", other),
                };
                places.push((format!("{file}::{name}"), kind.to_owned()));
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{file}");
    places
}

#[test]
fn places_are_found_where_they_are() {
    let source = r#"
        // unsafe { comment }
        fn outer<'a>(x: &'a str) -> fn(u8) {
            let text = "unsafe { text }\" unsafe";
            let inner = |y| unsafe { y };
            fn nested() { let c = '{'; unsafe { z } }
            unsafe { w }
        }
        trait T { unsafe fn declared(x: [u8; N]); fn safe(); }
        unsafe impl T for U { unsafe fn declared(x: [u8; N]) { unsafe { v } } }
    "#;
    let found = unsafe_places("f", source);
    let found: Vec<_> = (found.iter())
        .map(|(place, kind)| format!("{place} {kind}"))
        .collect();
    let expected = [
        "f::outer block",
        "f::nested block",
        "f::outer block",
        "f::declared fn",
        "f::? impl",
        "f::declared fn",
        "f::declared block",
    ];
    assert_eq!(found, expected);
}

/// Every place of the library that is unsafe.
fn of_the_source() -> Vec<Place> {
    let src = root().join("src");
    let mut places = Vec::new();
    for file in rust_files(&src) {
        let path = file.strip_prefix(&src).unwrap();
        // These are the demo's, which has a runtime of its own.
        if path.starts_with("rt") || path.starts_with("demo") || path == Path::new("main.rs") {
            continue;
        }
        let name = path.strip_prefix("sys").unwrap_or(path).with_extension("");
        let found = unsafe_places(&name.display().to_string(), &read(&file));
        assert!(path.starts_with("sys") || found.is_empty(), "{found:?}");
        places.extend(found);
    }
    places
}

fn counted(places: impl IntoIterator<Item = Place>) -> BTreeMap<Place, usize> {
    let mut counts = BTreeMap::new();
    for place in places {
        *counts.entry(place).or_insert(0) += 1;
    }
    counts
}

#[test]
fn the_table_lists_what_is_unsafe_and_nothing_else() {
    if !is_here("the table of what is unsafe") {
        return;
    }
    let listed = counted(table().into_iter().map(|row| row.place));
    let found = counted(of_the_source());
    for (place, count) in &found {
        let rows = listed.get(place).copied().unwrap_or_default();
        assert_eq!(
            rows, *count,
            "rows, and times that it is in the source: {place:?}"
        );
    }
    let gone: Vec<_> = (listed.keys())
        .filter(|place| !found.contains_key(*place))
        .collect();
    assert!(gone.is_empty(), "no longer in the source: {gone:?}");
}

#[test]
fn the_sentence_counts_what_is_unsafe() {
    if !is_here("how much is unsafe") {
        return;
    }
    let places = of_the_source();
    let count = |kind: &str| places.iter().filter(|(_, it)| it == kind).count();
    let (blocks, functions) = (count("block"), count("fn"));
    assert_eq!(blocks + functions, places.len(), "neither: {places:?}");
    let sentence = format!("{blocks} blocks and {functions} functions, no `impl` and no trait");
    let docs = read("src/sys/mod.rs");
    assert!(docs.contains(&sentence), "not said: {sentence}");
}

#[test]
fn the_named_tests_exist_and_every_obligation_is_stated() {
    if !is_here("the tests of what is unsafe") {
        return;
    }
    for row in table() {
        assert!(row.obligation.len() > 7, "{row:?}");
        let (file, name) = row.test.split_once("::").expect("a test");
        let path = ["it/", "nested/", ""]
            .map(|folder| format!("tests/{folder}{file}.rs"))
            .into_iter()
            .find(|path| root().join(path).exists());
        let source = read(path.unwrap_or_else(|| panic!("no such file of tests: {row:?}")));
        assert!(names_of_tests(&source).contains(&name), "{row:?}");
    }
}

/// The integers that a public function takes, by the function.
type Integers = BTreeMap<String, Vec<String>>;

/// What an integer may be in the signature of a function.
const INTEGERS: &[&str] = &[
    "i8", "i16", "i32", "i64", "isize", "u8", "u16", "u32", "u64", "usize", "RawFd", "WaitId",
];

/// The public functions of a file that are not methods, and what they take.
fn integers_of_functions(file: &str, source: &str) -> Integers {
    let tokens = tokens(source);
    let mut found = Integers::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "fn" if depth == 0 && at > 0 && tokens[at - 1] == "pub" => {
                // A parameter is a name, `:` and a type, and ends with the next comma.
                let parameters = tokens[at..].split(|it| *it == ")").next().unwrap();
                let begin = parameters
                    .iter()
                    .position(|it| *it == "(")
                    .expect("parameters");
                let integers: Vec<String> = (parameters[begin + 1..].split(|it| *it == ","))
                    .filter_map(|it| {
                        let colon = it.iter().position(|it| *it == ":")?;
                        INTEGERS
                            .contains(it.get(colon + 1)?)
                            .then(|| it[colon - 1].to_owned())
                    })
                    .collect();
                if !integers.is_empty() {
                    found.insert(format!("{file}::{}", tokens[at + 1]), integers);
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn integers_are_found_in_signatures() {
    let source = r#"
        pub fn plain(fd: BorrowedFd<'_>, r#type: i32, buf: &[u8]) -> Result<u8> { f(1: i32) }
        pub fn generic<T>(
            id: WaitId<'_>,
            text: Option<&u32>,
            min: RawFd,
        ) {}
        pub(super) fn hidden(flags: i32) {}
        impl S { pub fn method(flags: i32) {} }
        pub fn none() {}
    "#;
    let expected = Integers::from([
        ("f::plain".to_owned(), vec!["type".to_owned()]),
        (
            "f::generic".to_owned(),
            vec!["id".to_owned(), "min".to_owned()],
        ),
    ]);
    assert_eq!(integers_of_functions("f", source), expected);
}

#[test]
fn every_integer_argument_has_a_reason_why_it_is_safe() {
    if !is_here("the table of integers") {
        return;
    }
    let mut found = Integers::new();
    let sys = root().join("src/sys");
    for file in rust_files(&sys) {
        let name = file.strip_prefix(&sys).unwrap().with_extension("");
        found.extend(integers_of_functions(
            &name.display().to_string(),
            &read(&file),
        ));
    }
    assert!(found.len() > 20, "only {found:?}");

    let mut listed = Integers::new();
    for row in read("src/sys/mod.rs")
        .lines()
        .skip_while(|line| *line != "//! ## Integers")
    {
        let Some(row) = row.strip_prefix("//! | `") else {
            continue;
        };
        let [function, integers, reason] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        assert!(reason.len() > 7, "{row}");
        let integers = integers
            .split(", ")
            .map(|it| it.trim_matches('`').to_owned());
        listed.insert(function.trim_matches('`').to_owned(), integers.collect());
    }
    for (function, integers) in &found {
        assert_eq!(
            listed.get(function),
            Some(integers),
            "the row of {function}"
        );
    }
    let gone: Vec<_> = listed
        .keys()
        .filter(|it| !found.contains_key(*it))
        .collect();
    assert!(gone.is_empty(), "no longer in the source: {gone:?}");
}

/// The names of the functions that are tests.
fn names_of_tests(source: &str) -> Vec<&str> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let mut tests = Vec::new();
    for (at, _) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| **line == "#[test]")
    {
        let function = lines[at..].iter().find_map(|line| line.strip_prefix("fn "));
        tests.extend(function.and_then(|rest| rest.split('(').next()));
    }
    tests
}
