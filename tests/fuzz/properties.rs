//! What holds of the demo's parsers, whatever bytes they get. The fuzz targets look
//! for bytes of which it does not, and `tests/it/fuzz.rs` shows it of the corpus.
//!
//! A long run, from the root of the repository, with cargo-fuzz (the variable lets a
//! stable compiler do it; new finds go to the first folder):
//!
//! ```sh
//! mkdir -p target/fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --features libfuzzer request \
//!     target/fuzz tests/fuzz/corpus/request -- -max_len=9000 -max_total_time=600
//! ```

#[allow(dead_code)]
#[path = "../../src/demo/request.rs"]
pub mod request;
#[allow(dead_code)]
#[path = "../../src/demo/response.rs"]
pub mod response;
#[path = "../../src/demo/scan.rs"]
pub mod scan;
#[allow(dead_code)]
#[path = "../../src/demo/status.rs"]
pub mod status;

use request::{MAX_HEAD, parse, route, unescape};
use response::{Fault, Response};
use status::Status;

/// Where an input is cut: at every byte of a short one, and at some of a long one, or
/// each would take a second.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    let stride = length / 128 + 1;
    (0..length).step_by(stride).chain([length])
}

/// What is asked of the request parser.
pub fn request(bytes: &[u8]) {
    // Where it is decided, it is decided for good, whatever follows.
    let mut settled = None;
    for end in cuts(bytes.len()) {
        let outcome = parse(&bytes[..end]);
        if let Some(settled) = &settled {
            assert_eq!(outcome, *settled, "after {end} bytes");
        } else if outcome != Ok(None) {
            settled = Some(outcome);
        }
    }
    let outcome = parse(bytes);
    assert!(
        bytes.len() < MAX_HEAD || outcome != Ok(None),
        "a full buffer"
    );
    if let Err(status) = outcome {
        assert_ne!(status, Status::Ok);
    }

    if let Ok(Some(found)) = outcome {
        assert!(found.length <= bytes.len().min(MAX_HEAD), "{found:?}");
        let head = &bytes[..found.length];
        assert!(head.ends_with(b"\n"));
        assert!(is_inside(found.method, head) && is_inside(found.target, head));
        assert!(!found.method.is_empty() && !found.target.is_empty());
        // Nothing of what stands behind the head was looked at.
        assert_eq!(parse(head), outcome);
        assert_eq!(parse(&bytes[..found.length - 1]), Ok(None));
        written_anew_is_the_same(&found);
        routes(found.target);
    }
    // Of targets that no request line lets through, too.
    routes(bytes);
}

fn is_inside(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

/// A request, written as a client writes that asks for the same, is understood so.
fn written_anew_is_the_same(found: &request::Request<'_>) {
    let mut text = Vec::new();
    text.extend_from_slice(found.method);
    text.push(b' ');
    text.extend_from_slice(found.target);
    text.extend_from_slice(match found.http_1_0 {
        true => b" HTTP/1.0\r\n",
        false => b" HTTP/1.1\r\n",
    });
    text.extend_from_slice(match found.keep_alive {
        true => b"Connection: keep-alive\r\n",
        false => b"Connection: close\r\n",
    });
    if found.has_body {
        text.extend_from_slice(b"Content-Length: 1\r\n");
    }
    text.extend_from_slice(b"\r\n");
    if text.len() > MAX_HEAD {
        return;
    }
    let again = parse(&text).expect("valid").expect("whole");
    let expected = request::Request {
        length: text.len(),
        ..*found
    };
    assert_eq!(again, expected);
}

fn routes(target: &[u8]) {
    let Ok(found) = route(target) else {
        return;
    };
    assert!(is_inside(found.message, target));
    let message: Vec<u8> = unescape(found.message).collect();
    let escapes = found.message.iter().filter(|byte| **byte == b'%').count();
    assert_eq!(message.len() + 2 * escapes, found.message.len());

    // With every byte escaped, it is the same message.
    let mut escaped = format!("/{}/", found.milliseconds);
    for byte in &message {
        escaped += &format!("%{byte:02x}");
    }
    let again = route(escaped.as_bytes()).expect("valid");
    assert_eq!(again.milliseconds, found.milliseconds);
    assert!(unescape(again.message).eq(message));
}

/// The status, the beginning of the body and its length; or why not.
type Outcome = Result<(Vec<u8>, bool, Vec<u8>, u64), Fault>;

fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut response = Response::new();
    for part in parts {
        response.read(part)?;
        let (kept, length) = response.body();
        assert!(kept.len() as u64 <= length);
    }
    response.end()?;
    assert!(response.is_complete());
    let (kept, length) = response.body();
    let status = response.status().to_vec();
    Ok((status, response.is_ok(), kept.to_vec(), length))
}

/// What is asked of the response parser.
pub fn response(bytes: &[u8]) {
    let whole = read([bytes]);
    assert_eq!(read(bytes.chunks(1)), whole, "a byte at a time");
    // Where the input is cut is up to the input, or some places would never be tried.
    let sum = bytes
        .iter()
        .fold(7, |sum, byte| (sum * 31 + usize::from(*byte)) & 0xffff);
    assert_eq!(read(bytes.chunks(sum % 61 + 1)), whole, "in pieces");
    let (one, two) = bytes.split_at(sum % (bytes.len() + 1));
    assert_eq!(read([one, two]), whole, "in two");

    let Ok((status, is_ok, kept, length)) = whole else {
        return;
    };
    assert!(length <= bytes.len() as u64, "more than came");
    assert!(kept.len() as u64 == length.min(64));
    assert!(status.len() >= 3 && status[..3].iter().all(u8::is_ascii_digit));
    assert_eq!(is_ok, status.starts_with(b"200"));
    if status.len() == 64 || matches!(&status[..3], b"101" | b"204" | b"304") {
        return;
    }
    // Written as this server writes, it is the same.
    if length == kept.len() as u64 && status[0] != b'1' {
        let mut text = b"HTTP/1.1 ".to_vec();
        text.extend_from_slice(&status);
        text.extend_from_slice(format!("\r\nContent-Length: {length}\r\n\r\n").as_bytes());
        text.extend_from_slice(&kept);
        let again = read([&*text]);
        assert_eq!(again, Ok((status, is_ok, kept, length)));
    }
}
