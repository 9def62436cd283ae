//! The head of an HTTP/1 request, by RFC 9112: a function of the bytes that have
//! come in, and nothing else.

use super::scan;
use super::status::Status;

/// The longest head that is read: request line, fields and the empty line.
pub const MAX_HEAD: usize = 8 * 1024;

/// Longer than any registered method, and short enough to tell garbage early.
const MAX_METHOD: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    /// The connection serves for another request.
    pub keep_alive: bool,
    /// The client is of the age in which that had to be confirmed.
    pub http_1_0: bool,
    /// More follows the head that belongs to this request.
    pub has_body: bool,
    /// Of the head.
    pub length: usize,
}

/// What a target of the form `/<milliseconds>/<message>` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    pub milliseconds: u32,
    /// With its escapes, which are valid.
    pub message: &'a [u8],
}

/// Reads the request that `bytes` begin with. `None`: the rest of its head is still
/// to come.
///
/// # Errors
///
/// The status to refuse it with, as soon as that is certain. What follows it on the
/// connection means nothing.
pub fn parse(bytes: &[u8]) -> Result<Option<Request<'_>>, Status> {
    let bytes = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    let full = bytes.len() == MAX_HEAD;
    let mut lines = Lines { rest: bytes };

    // Some clients end the body of a request with an empty line too many.
    let first = match lines.next() {
        Some(b"") => lines.next(),
        line => line,
    };
    let Some(line) = first else {
        RequestLine::of(without_cr(lines.rest))?;
        return if full {
            Err(Status::UriTooLong)
        } else {
            Ok(None)
        };
    };
    let line = RequestLine::of(line)?;
    let (Some(target), Some(version)) = (line.target, line.version) else {
        return Err(Status::BadRequest);
    };
    let http_1_0 = is_http_1_0(version)?;

    let mut fields = Fields::default();
    loop {
        match lines.next() {
            Some(b"") => break,
            Some(line) => fields.read(line)?,
            None if full => return Err(Status::HeadTooLarge),
            None => return Ok(None),
        }
    }
    Ok(Some(Request {
        method: line.method,
        target,
        keep_alive: !fields.close && (fields.keep_alive || !http_1_0),
        http_1_0,
        has_body: fields.chunked || fields.content_length.is_some_and(|length| length > 0),
        length: bytes.len() - lines.rest.len(),
    }))
}

/// The lines that are complete. They end with CR LF or, as the RFC allows, with a
/// bare LF.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (line, rest) = scan::split(self.rest, b'\n');
        self.rest = rest?;
        Some(without_cr(line))
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The three parts of a request line, of which the last may be incomplete and those
/// after it missing.
struct RequestLine<'a> {
    method: &'a [u8],
    target: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
}

impl<'a> RequestLine<'a> {
    fn of(line: &'a [u8]) -> Result<Self, Status> {
        let (method, rest) = scan::split(line, b' ');
        let (target, version) = match rest {
            Some(rest) => {
                let (target, version) = scan::split(rest, b' ');
                (Some(target), version)
            }
            None => (None, None),
        };
        let line = Self {
            method,
            target,
            version,
        };
        if line.is_valid() {
            Ok(line)
        } else {
            Err(Status::BadRequest)
        }
    }

    fn is_valid(&self) -> bool {
        let method_ended = self.target.is_some();
        let target_ended = self.version.is_some();
        self.method.len() <= MAX_METHOD
            && self.method.iter().all(is_token)
            && !(method_ended && self.method.is_empty())
            && self.target.is_none_or(|target| {
                target.iter().all(is_of_target) && !(target_ended && target.is_empty())
            })
            && self.version.is_none_or(is_version)
    }
}

/// Whether it is, or can still become, the name of a version.
fn is_version(version: &[u8]) -> bool {
    const FORM: &[u8] = b"HTTP/0.0";
    version.len() <= FORM.len()
        && version.iter().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            letter => byte == letter,
        })
}

/// A minor version above 1 is to be taken for 1.
fn is_http_1_0(version: &[u8]) -> Result<bool, Status> {
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] => Ok(*minor == b'0'),
        [_, _, _, _, _, _, _, _] => Err(Status::VersionNotSupported),
        _ => Err(Status::BadRequest),
    }
}

/// What the fields say about the connection and about where the request ends.
#[derive(Default)]
struct Fields {
    close: bool,
    keep_alive: bool,
    chunked: bool,
    content_length: Option<u64>,
}

impl Fields {
    fn read(&mut self, line: &[u8]) -> Result<(), Status> {
        let (name, value) = scan::split(line, b':');
        // A line that continues the one before, as HTTP once had it, has a blank in
        // its name.
        if name.is_empty() || !name.iter().all(is_token) {
            return Err(Status::BadRequest);
        }
        let value = value.ok_or(Status::BadRequest)?;
        if !value.iter().all(is_of_value) {
            return Err(Status::BadRequest);
        }
        let value = scan::trim(value);

        if scan::is_word(name, b"connection") {
            let mut rest = Some(value);
            while let Some(options) = rest {
                let (option, others) = scan::split(options, b',');
                let option = scan::trim(option);
                self.close |= scan::is_word(option, b"close");
                self.keep_alive |= scan::is_word(option, b"keep-alive");
                rest = others;
            }
        } else if scan::is_word(name, b"transfer-encoding") {
            self.chunked = true;
        } else if scan::is_word(name, b"content-length") {
            let length = scan::number(value, 10).ok_or(Status::BadRequest)?;
            // Two that differ are how one request is smuggled inside another.
            if self.content_length.is_some_and(|other| other != length) {
                return Err(Status::BadRequest);
            }
            self.content_length = Some(length);
        }
        Ok(())
    }
}

/// Finds what `target` asks for. A query is ignored.
///
/// # Errors
///
/// The status to refuse it with: 404, or 400 for what is no target at all.
pub fn route(target: &[u8]) -> Result<Route<'_>, Status> {
    let path = path(target).ok_or(Status::BadRequest)?;
    if scan::split(path, b'#').1.is_some() {
        return Err(Status::BadRequest);
    }
    let (path, _query) = scan::split(path, b'?');
    let path = path.strip_prefix(b"/").ok_or(Status::NotFound)?;
    let (milliseconds, message) = scan::split(path, b'/');
    let milliseconds = scan::number(milliseconds, 10).ok_or(Status::NotFound)?;
    let message = message.ok_or(Status::NotFound)?;
    let milliseconds = u32::try_from(milliseconds).map_err(|_| Status::NotFound)?;
    if !has_valid_escapes(message) {
        return Err(Status::BadRequest);
    }
    Ok(Route {
        milliseconds,
        message,
    })
}

/// What stands behind the authority in a target as proxies get it, or the target
/// itself.
fn path(target: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"http://";

    if target.starts_with(b"/") {
        return Some(target);
    }
    let (scheme, rest) = target.split_at_checked(SCHEME.len())?;
    if !scan::is_word(scheme, SCHEME) {
        return None;
    }
    let authority = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    if authority == 0 {
        return None;
    }
    rest.get(authority..)
}

fn has_valid_escapes(text: &[u8]) -> bool {
    let mut rest = text;
    while let (_, Some(escape)) = scan::split(rest, b'%') {
        match escape {
            [high, low, after @ ..] if scan::digit(*high).and(scan::digit(*low)).is_some() => {
                rest = after;
            }
            _ => return false,
        }
    }
    true
}

/// The bytes that `text` stands for, whose escapes are valid.
pub fn unescape(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text.iter().copied();
    core::iter::from_fn(move || match rest.next()? {
        b'%' => {
            let high = scan::digit(rest.next()?)?;
            let low = scan::digit(rest.next()?)?;
            Some(high << 4 | low)
        }
        byte => Some(byte),
    })
}

/// What methods and field names are made of.
fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn is_of_target(byte: &u8) -> bool {
    byte.is_ascii_graphic()
}

fn is_of_value(byte: &u8) -> bool {
    *byte == b'\t' || !byte.is_ascii_control()
}
