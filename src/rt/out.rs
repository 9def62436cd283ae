use core::fmt;
use core::mem;
use syscalls::{Errno, Sysno, syscall};

/// Buffered text for standard output or standard error.
///
/// The buffer is written when it is full, on [`flush`](Out::flush) and on drop; a
/// panic, which ends the program, loses it. What cannot be written is lost as well:
/// a server must not stop for want of its log.
pub struct Out {
    descriptor: i32,
    length: usize,
    /// Of the first write that failed.
    error: Option<Errno>,
    buffer: [u8; 1024],
}

impl Out {
    pub const fn stdout() -> Self {
        Self::to(1)
    }

    pub const fn stderr() -> Self {
        Self::to(2)
    }

    const fn to(descriptor: i32) -> Self {
        Self {
            descriptor,
            length: 0,
            error: None,
            buffer: [0; 1024],
        }
    }

    pub fn flush(&mut self) {
        let length = mem::take(&mut self.length);
        let written = write_all(self.descriptor, &self.buffer[..length]);
        self.error = self.error.or(written.err());
    }

    /// Returns why something is missing from the output, if it is.
    #[allow(dead_code, reason = "not every program depends on its output")]
    pub fn write_error(&self) -> Option<Errno> {
        self.error
    }

    pub fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.length == self.buffer.len() {
                self.flush();
            }
            let room = &mut self.buffer[self.length..];
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.length += now.len();
            bytes = later;
        }
    }
}

impl fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(descriptor: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads `bytes`, during the call only.
        match unsafe { syscall!(Sysno::write, descriptor, bytes.as_ptr(), bytes.len()) } {
            Ok(written @ 1..) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if wait_for_room(descriptor) => {}
            Err(errno) => return Err(errno),
            // Only a device writes nothing without saying why.
            Ok(0) => return Err(Errno::EIO),
        }
    }
    Ok(())
}

/// Waits as a blocking write would have. Non-blocking is a property that all
/// who share a terminal or a pipe share too, so any of them may have set it,
/// and our output should not depend on that.
fn wait_for_room(descriptor: i32) -> bool {
    #[repr(C)]
    struct PollFd {
        fd: i32,
        events: i16,
        revents: i16,
    }
    const POLLOUT: i16 = 4;
    const NO_TIMEOUT: usize = 0;
    const NO_MASK: usize = 0;

    let mut one = PollFd {
        fd: descriptor,
        events: POLLOUT,
        revents: 0,
    };
    // SAFETY: the kernel reads and writes the one `PollFd` at `one`, during the
    // call only; the timeout and the mask are null.
    let ready = unsafe { syscall!(Sysno::ppoll, &raw mut one, 1, NO_TIMEOUT, NO_MASK, 0) };
    matches!(ready, Ok(_) | Err(Errno::EINTR))
}
