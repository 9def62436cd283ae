//! The server's answer: a function of the request alone, so that it can be written
//! down again whenever it is needed.

use super::request::{self, MAX_HEAD, Request, Route};
use super::status::Status;
use super::text::{Draft, Text};

/// The longest answer: a message is part of a request's head.
pub const MAX_ANSWER: usize = MAX_HEAD + 256;

pub struct Answer<'a> {
    pub status: Status,
    /// What was asked; `None` if that is not known.
    pub request: Option<Request<'a>>,
    pub milliseconds: u32,
    message: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The answer to the request that `bytes` begin with. `None`: they are not yet
    /// all of it.
    pub fn to(bytes: &'a [u8]) -> Option<Self> {
        let request = match request::parse(bytes) {
            Ok(request) => request?,
            Err(status) => return Some(Self::refusal(status)),
        };
        let (status, route) = match request.method {
            b"GET" | b"HEAD" => match request::route(request.target) {
                Ok(route) => (Status::Ok, Some(route)),
                Err(status) => (status, None),
            },
            _ => (Status::MethodNotAllowed, None),
        };
        Some(Self {
            status,
            request: Some(request),
            milliseconds: route.map_or(0, |route| route.milliseconds),
            message: route.map_or(b"", |route: Route<'a>| route.message),
        })
    }

    /// The last answer on a connection whose input makes no sense or is of no use.
    pub const fn refusal(status: Status) -> Self {
        Self {
            status,
            request: None,
            milliseconds: 0,
            message: b"",
        }
    }

    pub fn closes(&self) -> bool {
        !self
            .request
            .is_some_and(|request| request.keep_alive && !request.has_body)
    }

    /// Whether the client may still be sending what nobody will read.
    pub fn interrupts(&self) -> bool {
        self.request.is_none_or(|request| request.has_body)
    }

    /// How much of the input it takes care of.
    pub fn request_length(&self) -> usize {
        self.request.map_or(usize::MAX, |request| request.length)
    }

    pub fn write<'r>(&self, room: &'r mut [u8]) -> &'r [u8] {
        let mut draft = Draft::new(room);
        draft.put(b"HTTP/1.1 ");
        draft.put(self.status.line().as_bytes());
        draft.put(b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
        let advice = self.status.advice().as_bytes();
        let length = advice.len() + request::unescape(self.message).count();
        draft.number(length as u64);
        if self.status == Status::MethodNotAllowed {
            draft.put(b"\r\nAllow: GET, HEAD");
        }
        if self.closes() {
            draft.put(b"\r\nConnection: close");
        } else if self.request.is_some_and(|request| request.http_1_0) {
            draft.put(b"\r\nConnection: keep-alive");
        }
        draft.put(b"\r\n\r\n");
        let to_head = self
            .request
            .is_some_and(|request| request.method == b"HEAD");
        if !to_head {
            draft.put(advice);
            for byte in request::unescape(self.message) {
                draft.put(&[byte]);
            }
        }
        draft.finish()
    }
}
