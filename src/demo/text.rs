//! Numbers and errors as text, without the weight of `core::fmt`.

use crate::rt::Out;
use core::time::Duration;
use epore::Errno;

/// The errors that a user may come to see, each behind its number and before a zero.
/// To print any error is to have the names of all in the executable, where they would be
/// a quarter of it.
const NAMES: &str = concat!(
    "\x01EPERM (Operation not permitted)\0",
    "\x04EINTR (Interrupted system call)\0",
    "\x05EIO (I/O error)\0",
    "\x09EBADF (Bad file number)\0",
    "\x0bEAGAIN (Try again)\0",
    "\x0cENOMEM (Out of memory)\0",
    "\x0dEACCES (Permission denied)\0",
    "\x0eEFAULT (Bad address)\0",
    "\x13ENODEV (No such device)\0",
    "\x16EINVAL (Invalid argument)\0",
    "\x17ENFILE (File table overflow)\0",
    "\x18EMFILE (Too many open files)\0",
    "\x1cENOSPC (No space left on device)\0",
    "\x20EPIPE (Broken pipe)\0",
    "\x26ENOSYS (Invalid system call number)\0",
    "\x5cENOPROTOOPT (Protocol not available)\0",
    "\x5fEOPNOTSUPP (Operation not supported on transport endpoint)\0",
    "\x61EAFNOSUPPORT (Address family not supported by protocol)\0",
    "\x62EADDRINUSE (Address already in use)\0",
    "\x63EADDRNOTAVAIL (Cannot assign requested address)\0",
    "\x65ENETUNREACH (Network is unreachable)\0",
    "\x68ECONNRESET (Connection reset by peer)\0",
    "\x69ENOBUFS (No buffer space available)\0",
    "\x6eETIMEDOUT (Connection timed out)\0",
    "\x6fECONNREFUSED (Connection refused)\0",
    "\x71EHOSTUNREACH (No route to host)\0",
    "\x73EINPROGRESS (Operation now in progress)\0",
);

/// What text can be appended to.
pub trait Text {
    fn put(&mut self, bytes: &[u8]);

    fn number(&mut self, number: u64) {
        self.digits(number, 1);
    }

    /// With zeros in front, up to a width of 20.
    fn digits(&mut self, mut number: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut length = 0;
        for digit in digits.iter_mut().rev() {
            if number == 0 && length >= width {
                break;
            }
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            length += 1;
        }
        self.put(digits.get(digits.len() - length..).unwrap_or_default());
    }

    /// With spaces in front, up to a width of three.
    fn padded(&mut self, number: u64) {
        for bound in [100, 10] {
            if number < bound {
                self.put(b" ");
            }
        }
        self.number(number);
    }

    /// With zeros in front, up to a width.
    fn hexadecimal(&mut self, number: u64, width: u32) {
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(4);
        for place in (0..digits.max(width)).rev() {
            let digit = (number >> (place * 4)) & 0xf;
            self.put(&[b"0123456789abcdef"[digit as usize]]);
        }
    }

    fn error(&mut self, error: &epore::Error) {
        self.put(error.syscall().as_bytes());
        self.put(b": ");
        self.errno(error.errno());
        if let Some(reason) = error.reason() {
            self.put(b": ");
            self.put(reason.as_bytes());
        }
    }

    fn errno(&mut self, errno: Errno) {
        let mut names = NAMES.as_bytes().split(|byte| *byte == 0);
        let name = names.find_map(|name| match name {
            [number, name @ ..] if i32::from(*number) == errno.into_raw() => Some(name),
            _ => None,
        });
        match name {
            Some(name) => self.put(name),
            None => {
                self.put(b"errno ");
                self.number(errno.into_raw() as u64);
            }
        }
    }

    /// `1.001 s`, never more than has passed.
    fn seconds(&mut self, duration: Duration) {
        self.number(duration.as_secs());
        self.put(b".");
        self.digits(duration.subsec_millis().into(), 3);
        self.put(b" s");
    }

    /// `30 s`, or `200 ms` where seconds are not whole.
    fn time(&mut self, duration: Duration) {
        if duration.subsec_millis() == 0 {
            self.number(duration.as_secs());
            self.put(b" s");
        } else {
            self.number(duration.as_secs() * 1000 + u64::from(duration.subsec_millis()));
            self.put(b" ms");
        }
    }

    /// A stranger's text, of which nothing can move the cursor of a terminal.
    fn harmless(&mut self, bytes: &[u8]) {
        for part in bytes.chunk_by(|one, next| is_visible(one) == is_visible(next)) {
            if part.first().is_some_and(is_visible) {
                self.put(part);
            } else {
                part.iter().for_each(|_| self.put(b"."));
            }
        }
    }
}

fn is_visible(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~')
}

impl Text for Out {
    fn put(&mut self, bytes: &[u8]) {
        Out::put(self, bytes);
    }
}

/// Text in memory. What does not fit is left out.
pub struct Draft<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl<'a> Draft<'a> {
    pub fn new(room: &'a mut [u8]) -> Self {
        Self { room, length: 0 }
    }

    pub fn finish(self) -> &'a [u8] {
        self.room.get(..self.length).unwrap_or_default()
    }
}

impl Text for Draft<'_> {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        let room = self.room.get_mut(self.length..).unwrap_or_default();
        let length = room.len().min(bytes.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..length), bytes.get(..length)) {
            room.copy_from_slice(bytes);
            self.length += length;
        }
    }
}
