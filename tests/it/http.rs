//! The demo's parsers of HTTP, which are functions of bytes alone: what they make of
//! a message does not depend on how it was cut, and nothing makes them panic.

use crate::fuzz::properties::request::{MAX_HEAD, parse, route, unescape};
use crate::fuzz::properties::response::{Fault, Response};
use crate::fuzz::properties::status::Status;

const REQUESTS: &[&str] = &[
    "GET /0/hello HTTP/1.1\r\n\r\n",
    "GET /1000/a%20b?x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    "\r\nHEAD / HTTP/1.0\r\nConnection: keep-alive, Upgrade\r\n\r\n",
    "POST http://[::1]:80/0/x HTTP/1.1\nContent-Length: 12\nTransfer-Encoding: chunked\n\n",
    "M-SEARCH * HTTP/1.9\r\nEmpty:\r\nX:\t\u{e9} \r\n\r\n",
];

const REFUSED: &[(&str, Status)] = &[
    ("\r\n\r\n", Status::BadRequest),
    ("GET / HTTP/2.0\r\n\r\n", Status::VersionNotSupported),
    ("GET /\u{e9} HTTP/1.1\r\n\r\n", Status::BadRequest),
    ("GET / HTTP/1.1\r\nA : b\r\n\r\n", Status::BadRequest),
    (
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        Status::BadRequest,
    ),
];

#[test]
fn a_request_is_incomplete_up_to_its_last_byte() {
    for request in REQUESTS {
        let bytes = request.as_bytes();
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Ok(None), "{:?}", &request.get(..end));
        }
        let whole = parse(bytes).expect(request).expect(request);
        assert_eq!(whole.length, bytes.len(), "{request:?}");
        // What follows is the next one's.
        let two = request.repeat(2);
        assert_eq!(parse(two.as_bytes()), Ok(Some(whole)), "{request:?}");
    }
}

#[test]
fn once_refused_is_refused_for_good() {
    for (request, status) in REFUSED {
        let bytes = request.as_bytes();
        let outcomes: Vec<_> = (0..=bytes.len()).map(|end| parse(&bytes[..end])).collect();
        let first = outcomes.iter().position(Result::is_err).expect(request);
        for outcome in &outcomes[first..] {
            assert_eq!(*outcome, Err(*status), "{request:?}");
        }
    }
}

#[test]
fn a_head_without_end_is_refused_when_the_buffer_is_full() {
    let line = [b"GET /0/".as_slice(), &[b'x'; MAX_HEAD]].concat();
    assert_eq!(parse(&line[..MAX_HEAD - 1]), Ok(None));
    assert_eq!(parse(&line[..MAX_HEAD]), Err(Status::UriTooLong));
    assert_eq!(parse(&line), Err(Status::UriTooLong));
    let head = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
    assert_eq!(parse(&head[..MAX_HEAD - 1]), Ok(None));
    assert_eq!(parse(&head[..MAX_HEAD]), Err(Status::HeadTooLarge));
    assert_eq!(parse(&head), Err(Status::HeadTooLarge));
}

#[test]
fn requests_are_understood() {
    let understood = |at: usize| {
        parse(REQUESTS[at].as_bytes())
            .expect("valid")
            .expect("whole")
    };
    let [plain, closing, old, body, other] = [0, 1, 2, 3, 4].map(understood);
    assert_eq!(
        (plain.method, plain.target),
        (&b"GET"[..], &b"/0/hello"[..])
    );
    assert!(plain.keep_alive && !plain.has_body && !plain.http_1_0);
    assert!(!closing.keep_alive);
    assert!(old.keep_alive && old.http_1_0);
    assert!(body.has_body);
    assert_eq!((other.method, other.target), (&b"M-SEARCH"[..], &b"*"[..]));

    let route = route(closing.target).expect("a route");
    assert_eq!((route.milliseconds, route.message), (1000, &b"a%20b"[..]));
    assert!(unescape(route.message).eq(*b"a b"));
}

/// Numbers that look random and are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % below
    }

    /// `bytes` with a few of them changed, inserted or left out.
    fn disturb(&mut self, bytes: &[u8]) -> Vec<u8> {
        const TELLING: &[u8] = b"\r\n\0\t :/%?#,;=0123456789aAxfHTTP.\x7f\x80\xff-";
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.next(4) {
            let at = self.next(bytes.len() + 1);
            let byte = TELLING[self.next(TELLING.len())];
            match self.next(3) {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn disturbed_requests_are_refused_or_understood_and_never_both() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..20_000 {
        let request = numbers.disturb(REQUESTS[round % REQUESTS.len()].as_bytes());
        let mut settled = None;
        for end in 0..=request.len() {
            let outcome = parse(&request[..end]);
            if let Some(settled) = &settled {
                assert_eq!(outcome, *settled, "{:?}", String::from_utf8_lossy(&request));
            } else if outcome != Ok(None) {
                settled = Some(outcome);
            }
            if let Ok(Some(request)) = outcome {
                assert!(request.length <= end);
                if let Ok(route) = route(request.target) {
                    assert!(unescape(route.message).count() <= route.message.len());
                }
            }
        }
    }
}

const RESPONSES: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
    "HTTP/1.0 500 Oops\nX: y\n\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,chunked\r\n\r\n\
     a;x=y\r\n0123456789\r\n1\r\nx\r\n0\r\nTrailer: t\r\n\r\nmore",
    "HTTP/1.1 204\r\n\r\n",
];

/// Status, beginning of the body, and its length; or why not.
type Outcome = Result<(Vec<u8>, Vec<u8>, u64), Fault>;

fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut response = Response::new();
    for part in parts {
        response.read(part)?;
    }
    response.end()?;
    assert!(response.is_complete());
    let (body, length) = response.body();
    Ok((response.status().to_vec(), body.to_vec(), length))
}

#[test]
fn responses_are_understood() {
    let understood: Vec<_> = RESPONSES
        .iter()
        .map(|text| read([text.as_bytes()]))
        .collect();
    let expected: [(&str, &str, u64); 4] = [
        ("200 OK", "hello", 5),
        ("500 Oops", "hello", 5),
        ("200 OK", "0123456789x", 11),
        ("204", "", 0),
    ];
    for (outcome, (status, body, length)) in understood.into_iter().zip(expected) {
        assert_eq!(outcome, Ok((status.into(), body.into(), length)));
    }
}

#[test]
fn a_response_is_the_same_however_it_is_cut() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for round in 0..20_000 {
        let mut response = RESPONSES[round % RESPONSES.len()].as_bytes().to_vec();
        if round >= 4 {
            response = numbers.disturb(&response);
        }
        let whole = read([&*response]);
        assert_eq!(
            read(response.chunks(1)),
            whole,
            "{:?}",
            String::from_utf8_lossy(&response)
        );
        let (one, two) = response.split_at(numbers.next(response.len() + 1));
        assert_eq!(
            read([one, two]),
            whole,
            "{:?}",
            String::from_utf8_lossy(&response)
        );
    }
}
