//! Non-blocking pipes, in mio's shape: what is written to the [`Sender`], the
//! [`Receiver`] reads.
//!
//! Writing to a pipe that nobody can read from any more raises `SIGPIPE`, and that ends
//! a process that has not said otherwise. A program with std has: std's runtime
//! ignores the signal. One without says `signal::ignore(SIGPIPE)`
//! ([`ignore`](crate::signal::ignore)) when it starts, or takes the signal from
//! [`Signals`](crate::signal::Signals); in either case the write answers `EPIPE`.
//!
//! With the feature `std` the ends convert to and from std's pipes and those of its
//! children, and read and write through `std::io::Read` and `std::io::Write` too.

use static_assertions::assert_impl_all;

use crate::Result;
use crate::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{self, O_CLOEXEC, O_NONBLOCK};

/// The end of a pipe to write to.
#[derive(Debug)]
pub struct Sender {
    end: OwnedFd,
}

/// The end of a pipe to read from.
#[derive(Debug)]
pub struct Receiver {
    end: OwnedFd,
}

assert_impl_all!(Sender: Send, Sync);
assert_impl_all!(Receiver: Send, Sync);

/// Opens a pipe, both ends non-blocking and closed on `execve`.
///
/// The receiver is readable when something was written or all senders are gone, the
/// sender writable when there is room (a page, `PIPE_BUF`) or all receivers are gone.
///
/// ```
/// use epore::{Events, Interest, Poll, Token, pipe};
///
/// let (sender, receiver) = pipe::new()?;
/// let mut queue = Poll::new()?;
/// queue.registry().register(&receiver, Token(0), Interest::READABLE)?;
/// sender.write(b"hello")?;
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// let mut buf = [0; 8];
/// assert_eq!(receiver.read(&mut buf)?, 5);
/// assert!(receiver.read(&mut buf).unwrap_err().is_would_block());
/// drop(sender);
/// assert_eq!(receiver.read(&mut buf)?, 0);
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html).
///
/// # Errors
///
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENOMEM`: the kernel has no memory for it.
#[doc(alias = "pipe2")]
pub fn new() -> Result<(Sender, Receiver)> {
    let (reader, writer) = sys::pipe2(O_CLOEXEC | O_NONBLOCK)?;
    Ok((Sender { end: writer }, Receiver { end: reader }))
}

impl Sender {
    /// Writes what there is room for, and returns how much of `buf` that was. Up to
    /// 4096 bytes (`PIPE_BUF`) go in one piece or not at all.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: there is no room.
    /// - `EPIPE`: all receivers are gone, and `SIGPIPE` is ignored or blocked.
    /// - `EINTR`: a signal was handled.
    #[inline]
    pub fn write(&self, buf: &[u8]) -> Result<usize> {
        sys::write(self.end.as_fd(), buf)
    }
}

impl Receiver {
    /// Reads what is there, up to the length of `buf`; 0 is the end: all senders are
    /// gone.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: nothing is there yet.
    /// - `EINTR`: a signal was handled.
    #[inline]
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        sys::read(self.end.as_fd(), buf)
    }
}

macro_rules! end {
    ($name:ident, $stds:ident) => {
        impl $name {
            /// Whether to answer `EAGAIN` (`true`) or to block. It holds for every
            /// duplicate of the descriptor, a child's too, and not for the other end.
            ///
            /// # Errors
            ///
            /// None that a healthy kernel gives.
            pub fn set_nonblocking(&self, nonblocking: bool) -> Result<()> {
                let flags = sys::fcntl_getfl(self.end.as_fd())?;
                let flags = match nonblocking {
                    true => flags | O_NONBLOCK,
                    false => flags & !O_NONBLOCK,
                };
                sys::fcntl_setfl(self.end.as_fd(), flags)
            }
        }

        descriptor!($name, end);

        impl IntoRawFd for $name {
            #[inline]
            fn into_raw_fd(self) -> RawFd {
                self.end.into_raw_fd()
            }
        }

        /// Takes the descriptor as it is: it should be that end of a pipe, and
        /// non-blocking.
        impl From<OwnedFd> for $name {
            #[inline]
            fn from(end: OwnedFd) -> Self {
                Self { end }
            }
        }

        impl From<$name> for OwnedFd {
            #[inline]
            fn from(end: $name) -> Self {
                end.end
            }
        }

        /// It stays non-blocking.
        #[cfg(feature = "std")]
        impl From<$name> for std::io::$stds {
            fn from(end: $name) -> Self {
                end.end.into()
            }
        }
    };
}

end!(Sender, PipeWriter);
end!(Receiver, PipeReader);

#[cfg(feature = "std")]
mod with_std {
    use std::io::{self, PipeReader, PipeWriter, Read, Write};
    use std::process::{ChildStderr, ChildStdin, ChildStdout};

    use super::{OwnedFd, Receiver, Sender};

    macro_rules! from_std {
        ($name:ident: $($stds:ident)*) => {$(
            /// Makes it non-blocking.
            impl TryFrom<$stds> for $name {
                type Error = io::Error;

                fn try_from(end: $stds) -> io::Result<Self> {
                    let end = Self::from(OwnedFd::from(end));
                    end.set_nonblocking(true)?;
                    Ok(end)
                }
            }
        )*};
    }

    from_std!(Sender: PipeWriter ChildStdin);
    from_std!(Receiver: PipeReader ChildStdout ChildStderr);

    macro_rules! read_and_write {
        ($($sender:ty, $receiver:ty;)*) => {$(
            impl Write for $sender {
                fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                    Ok(Sender::write(self, buf)?)
                }

                fn flush(&mut self) -> io::Result<()> {
                    Ok(())
                }
            }

            impl Read for $receiver {
                fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                    Ok(Receiver::read(self, buf)?)
                }
            }
        )*};
    }

    read_and_write! {
        Sender, Receiver;
        &Sender, &Receiver;
    }
}
