//! An HTTP/1 response, read as it comes in, from whatever server.

use super::scan;

/// As much of a line as is looked at.
const LINE: usize = 256;

/// The most that may come before and after the body.
const MAX_HEAD: usize = 64 * 1024;

/// As much of the body as is kept.
const KEPT: usize = 64;

pub struct Response {
    stage: Stage,
    line: [u8; LINE],
    line_length: usize,
    head_length: usize,
    /// The code and the reason.
    status: [u8; KEPT],
    status_length: usize,
    code: u16,
    framing: Framing,
    body: [u8; KEPT],
    kept: usize,
    body_length: u64,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    StatusLine,
    Field,
    /// This many bytes of the body, which are all.
    Body(u64),
    /// The body, until the connection ends.
    BodyToEnd,
    ChunkSize,
    /// This many bytes of a chunk.
    Chunk(u64),
    ChunkEnd,
    Trailer,
    Nothing,
}

/// Where the body ends, by the fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Unknown,
    Length(u64),
    Chunked,
    /// A coding that says nothing of its end.
    Coded,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NotHttp,
    TooLong,
    BadLength,
    BadChunk,
    CutShort,
    Empty,
}

impl Fault {
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotHttp => "what came is not an HTTP/1 response",
            Self::TooLong => "the response's head does not end",
            Self::BadLength => "the response's Content-Length makes no sense",
            Self::BadChunk => "the response's chunks make no sense",
            Self::CutShort => "the response was cut short",
            Self::Empty => "the connection was closed without a response",
        }
    }
}

impl Response {
    pub const fn new() -> Self {
        Self {
            stage: Stage::StatusLine,
            line: [0; LINE],
            line_length: 0,
            head_length: 0,
            status: [0; KEPT],
            status_length: 0,
            code: 0,
            framing: Framing::Unknown,
            body: [0; KEPT],
            kept: 0,
            body_length: 0,
        }
    }

    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Nothing
    }

    pub fn is_ok(&self) -> bool {
        self.code == 200
    }

    pub fn status(&self) -> &[u8] {
        self.status.get(..self.status_length).unwrap_or_default()
    }

    /// The beginning of the body, and its whole length.
    pub fn body(&self) -> (&[u8], u64) {
        let kept = self.body.get(..self.kept).unwrap_or_default();
        (kept, self.body_length)
    }

    /// Takes what came next. What comes after the response is not looked at.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() && !self.is_complete() {
            let taken = match self.stage {
                Stage::Body(left) => {
                    let taken = self.keep(bytes, left);
                    self.stage = match left - taken as u64 {
                        0 => Stage::Nothing,
                        left => Stage::Body(left),
                    };
                    taken
                }
                Stage::Chunk(left) => {
                    let taken = self.keep(bytes, left);
                    self.stage = match left - taken as u64 {
                        0 => Stage::ChunkEnd,
                        left => Stage::Chunk(left),
                    };
                    taken
                }
                Stage::BodyToEnd => self.keep(bytes, u64::MAX),
                Stage::Nothing => 0,
                _ => self.read_line(bytes)?,
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes the end of the connection.
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.stage {
            Stage::Nothing => Ok(()),
            Stage::BodyToEnd => {
                self.stage = Stage::Nothing;
                Ok(())
            }
            Stage::StatusLine if self.head_length == 0 => Err(Fault::Empty),
            _ => Err(Fault::CutShort),
        }
    }

    /// Counts what belongs to the body and keeps its beginning.
    fn keep(&mut self, bytes: &[u8], most: u64) -> usize {
        let count = (bytes.len() as u64).min(most);
        let bytes = bytes.get(..count as usize).unwrap_or_default();
        append(&mut self.body, &mut self.kept, bytes);
        self.body_length = self.body_length.saturating_add(count);
        count as usize
    }

    /// Adds to the line, up to its end, and says how many bytes that were.
    fn read_line(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        append(&mut self.line, &mut self.line_length, part);
        let taken = part.len() + usize::from(end.is_some());
        if matches!(self.stage, Stage::ChunkSize | Stage::ChunkEnd) {
            if self.line_length == LINE {
                return Err(Fault::BadChunk);
            }
        } else {
            self.head_length += taken;
            if self.head_length > MAX_HEAD {
                return Err(Fault::TooLong);
            }
        }
        if self.stage == Stage::StatusLine {
            let start = b"HTTP/1.";
            let begun = self.line.iter().take(self.line_length);
            if !begun.zip(start).all(|(byte, expected)| byte == expected) {
                return Err(Fault::NotHttp);
            }
        }
        if end.is_some() {
            let line = self.line;
            let line = line.get(..self.line_length).unwrap_or_default();
            self.line_length = 0;
            self.stage = self.next_stage(line.strip_suffix(b"\r").unwrap_or(line))?;
        }
        Ok(taken)
    }

    /// Takes the line that the stage expects.
    fn next_stage(&mut self, line: &[u8]) -> Result<Stage, Fault> {
        Ok(match self.stage {
            Stage::StatusLine => {
                self.start(line).ok_or(Fault::NotHttp)?;
                Stage::Field
            }
            Stage::Field if line.is_empty() => self.stage_after_head(),
            Stage::Field => {
                self.field(line)?;
                Stage::Field
            }
            Stage::ChunkSize => match chunk_size(line).ok_or(Fault::BadChunk)? {
                0 => Stage::Trailer,
                size => Stage::Chunk(size),
            },
            Stage::ChunkEnd if line.is_empty() => Stage::ChunkSize,
            Stage::ChunkEnd => return Err(Fault::BadChunk),
            Stage::Trailer if line.is_empty() => Stage::Nothing,
            stage => stage,
        })
    }

    fn start(&mut self, line: &[u8]) -> Option<()> {
        let status = line
            .strip_prefix(b"HTTP/1.")?
            .split_first()?
            .1
            .strip_prefix(b" ")?;
        let (code, reason) = status.split_first_chunk::<3>()?;
        if !matches!(reason, [] | [b' ', ..]) {
            return None;
        }
        self.code = scan::number(code, 10)? as u16;
        self.status_length = 0;
        append(
            &mut self.status,
            &mut self.status_length,
            status.trim_ascii_end(),
        );
        Some(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (name, value) = scan::split(line, b':');
        let value = scan::trim(value.unwrap_or_default());
        if scan::is_word(name, b"transfer-encoding") {
            let mut last = value;
            while let (_, Some(rest)) = scan::split(last, b',') {
                last = rest;
            }
            self.framing = if scan::is_word(scan::trim(last), b"chunked") {
                Framing::Chunked
            } else {
                Framing::Coded
            };
        } else if scan::is_word(name, b"content-length") {
            let length = scan::number(value, 10).ok_or(Fault::BadLength)?;
            self.framing = match self.framing {
                Framing::Unknown => Framing::Length(length),
                Framing::Length(other) if other != length => return Err(Fault::BadLength),
                other => other,
            };
        }
        Ok(())
    }

    fn stage_after_head(&mut self) -> Stage {
        match (self.code, self.framing) {
            // The response proper is still to come.
            (100 | 102..=199, _) => {
                *self = Self {
                    head_length: self.head_length,
                    ..Self::new()
                };
                Stage::StatusLine
            }
            (101 | 204 | 304, _) | (_, Framing::Length(0)) => Stage::Nothing,
            (_, Framing::Length(length)) => Stage::Body(length),
            (_, Framing::Chunked) => Stage::ChunkSize,
            (_, Framing::Coded | Framing::Unknown) => Stage::BodyToEnd,
        }
    }
}

/// The rest of the line is extensions, which nobody uses.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let (size, _) = scan::split(line, b';');
    scan::number(scan::trim(size), 16)
}

/// Appends what there is room for.
fn append(room: &mut [u8], length: &mut usize, bytes: &[u8]) {
    for (place, byte) in room.iter_mut().skip(*length).zip(bytes) {
        *place = *byte;
        *length += 1;
    }
}
