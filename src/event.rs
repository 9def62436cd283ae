use core::fmt;

use crate::Token;
use crate::sys::{
    EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLMSG, EPOLLONESHOT, EPOLLOUT,
    EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWAKEUP, EPOLLWRBAND, EPOLLWRNORM,
};

/// What happened to one source: the kernel's own
/// [`epoll_event`](crate::sys::EpollEvent), read where the kernel wrote it.
///
/// What the questions mean is what they mean in mio. Readiness is a hint: whoever
/// acts on it must still be prepared for `EAGAIN`.
#[doc(inline)]
pub use crate::sys::EpollEvent as Event;

impl Event {
    /// The token of the registration that this is about.
    #[inline]
    pub const fn token(&self) -> Token {
        Token(self.data() as usize)
    }

    #[inline]
    const fn has(&self, bits: u32) -> bool {
        self.events() & bits != 0
    }

    /// There is something to read, urgent data included: `EPOLLIN` or `EPOLLPRI`.
    #[inline]
    pub const fn is_readable(&self) -> bool {
        self.has(EPOLLIN | EPOLLPRI)
    }

    /// There is room to write: `EPOLLOUT`.
    #[inline]
    pub const fn is_writable(&self) -> bool {
        self.has(EPOLLOUT)
    }

    /// There is urgent data, or what else the file takes for exceptional:
    /// `EPOLLPRI`.
    #[inline]
    pub const fn is_priority(&self) -> bool {
        self.has(EPOLLPRI)
    }

    /// An error is pending: `EPOLLERR`. Reading or writing tells which, or
    /// [`take_error`](crate::net::TcpStream::take_error).
    #[inline]
    pub const fn is_error(&self) -> bool {
        self.has(EPOLLERR)
    }

    /// No more will come: `EPOLLHUP`, or `EPOLLIN` with `EPOLLRDHUP`. What came
    /// before may still wait to be read.
    #[inline]
    pub const fn is_read_closed(&self) -> bool {
        self.has(EPOLLHUP) || (self.has(EPOLLIN) && self.has(EPOLLRDHUP))
    }

    /// Nobody will read what is written: `EPOLLHUP`, `EPOLLOUT` with `EPOLLERR`, or
    /// `EPOLLERR` alone.
    #[inline]
    pub const fn is_write_closed(&self) -> bool {
        self.has(EPOLLHUP)
            || (self.has(EPOLLOUT) && self.has(EPOLLERR))
            || self.events() == EPOLLERR
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("token", &self.token())
            .field("events", &Flags(self.events()))
            .finish()
    }
}

/// Names the flags: `EPOLLIN | EPOLLRDHUP`.
struct Flags(u32);

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [
            (EPOLLIN, "EPOLLIN"),
            (EPOLLPRI, "EPOLLPRI"),
            (EPOLLOUT, "EPOLLOUT"),
            (EPOLLERR, "EPOLLERR"),
            (EPOLLHUP, "EPOLLHUP"),
            (EPOLLRDNORM, "EPOLLRDNORM"),
            (EPOLLRDBAND, "EPOLLRDBAND"),
            (EPOLLWRNORM, "EPOLLWRNORM"),
            (EPOLLWRBAND, "EPOLLWRBAND"),
            (EPOLLMSG, "EPOLLMSG"),
            (EPOLLRDHUP, "EPOLLRDHUP"),
            (EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"),
            (EPOLLWAKEUP, "EPOLLWAKEUP"),
            (EPOLLONESHOT, "EPOLLONESHOT"),
            (EPOLLET, "EPOLLET"),
        ];
        names(f, self.0, &known)
    }
}

/// Writes the names of the bits that are set, and in hexadecimal what has none.
pub(crate) fn names(f: &mut fmt::Formatter<'_>, bits: u32, known: &[(u32, &str)]) -> fmt::Result {
    let mut unnamed = bits;
    let mut separator = "";
    for &(bit, name) in known.iter().filter(|(bit, _)| bits & bit != 0) {
        write!(f, "{separator}{name}")?;
        unnamed &= !bit;
        separator = " | ";
    }
    if unnamed != 0 || bits == 0 {
        write!(f, "{separator}{unnamed:#x}")?;
    }
    Ok(())
}
