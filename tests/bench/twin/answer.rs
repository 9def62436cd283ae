//! What to answer, and when.

use crate::request::{self, Request};
use crate::status::Status;
use std::io::Write;
use std::time::Duration;

pub struct Answer {
    pub delay: Duration,
    pub closes: bool,
    /// How much of the input it takes care of.
    pub length: usize,
}

/// Answers the request that `input` begins with, at the end of `output`. `None`: it is not
/// all there.
pub fn answer(input: &[u8], output: &mut Vec<u8>, log: &mut Vec<u8>) -> Option<Answer> {
    let request = match request::parse(input) {
        Ok(request) => request?,
        Err(status) => {
            refuse(status, output, log);
            return Some(Answer {
                delay: Duration::ZERO,
                closes: true,
                length: input.len(),
            });
        }
    };
    let (status, milliseconds, message) = match request.method {
        b"GET" | b"HEAD" => match request::route(request.target) {
            Ok(route) => (Status::Ok, route.milliseconds, route.message),
            Err(status) => (status, 0, &b""[..]),
        },
        _ => (Status::MethodNotAllowed, 0, &b""[..]),
    };
    log.extend_from_slice(request.method);
    log.push(b' ');
    log.extend_from_slice(request.target);
    if status != Status::Ok {
        log.extend_from_slice(b"  ");
        log.extend_from_slice(status.line().as_bytes());
    }
    log.push(b'\n');
    write(status, Some(&request), message, output);
    Some(Answer {
        delay: Duration::from_millis(milliseconds.into()),
        closes: !request.keep_alive || request.has_body,
        length: request.length,
    })
}

pub fn refuse(status: Status, output: &mut Vec<u8>, log: &mut Vec<u8>) {
    log.extend_from_slice(status.line().as_bytes());
    log.push(b'\n');
    write(status, None, b"", output);
}

fn write(status: Status, request: Option<&Request<'_>>, message: &[u8], output: &mut Vec<u8>) {
    let advice = status.advice().as_bytes();
    let length = advice.len() + request::unescape(message).count();
    let _ = write!(
        output,
        "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}",
        status.line()
    );
    if status == Status::MethodNotAllowed {
        output.extend_from_slice(b"\r\nAllow: GET, HEAD");
    }
    if request.is_none_or(|request| !request.keep_alive || request.has_body) {
        output.extend_from_slice(b"\r\nConnection: close");
    } else if request.is_some_and(|request| request.http_1_0) {
        output.extend_from_slice(b"\r\nConnection: keep-alive");
    }
    output.extend_from_slice(b"\r\n\r\n");
    if request.is_none_or(|request| request.method != b"HEAD") {
        output.extend_from_slice(advice);
        output.extend(request::unescape(message));
    }
}
