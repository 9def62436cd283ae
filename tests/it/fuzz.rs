//! What the fuzz targets of `tests/fuzz` ask of the demo's parsers, asked of the
//! corpus: inputs that once were worth keeping.

use crate::common;
#[path = "../fuzz/properties.rs"]
pub mod properties;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn holds_of_the_corpus(name: &str, property: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let Ok(inputs) = fs::read_dir(corpus.join(name)) else {
        return common::left_out("the corpus of the fuzz targets", "it is not here");
    };
    let mut count = 0;
    for input in inputs {
        let path = input.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        // The input, and what has come of it so far.
        let cuts = (0..bytes.len()).step_by(bytes.len() / 64 + 1);
        for end in cuts.chain([bytes.len()]) {
            let outcome = catch_unwind(AssertUnwindSafe(|| property(&bytes[..end])));
            assert!(outcome.is_ok(), "the first {end} bytes of {path:?}");
        }
        count += 1;
    }
    assert!(count >= 5, "only {count} inputs");
}

#[test]
fn requests_are_parsed_the_same_however_they_are_cut() {
    holds_of_the_corpus("request", properties::request);
}

#[test]
fn responses_are_parsed_the_same_however_they_are_cut() {
    holds_of_the_corpus("response", properties::response);
}
