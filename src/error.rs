use core::fmt;

use syscalls::{Errno, Sysno};

use crate::sys;

/// A [`Result`](core::result::Result) with this crate's [`Error`].
pub type Result<T> = core::result::Result<T, Error>;

/// A system call that failed: which one, with which errno, and, where the crate
/// knows more than the errno says, why.
///
/// ```
/// use std::fs::File;
/// use epore::{Errno, Interest, Poll, Token};
///
/// let queue = Poll::new()?;
/// let file = File::open("Cargo.toml").unwrap();
/// let error = queue.registry().register(&file, Token(0), Interest::READABLE).unwrap_err();
///
/// assert_eq!(error.syscall(), "epoll_ctl");
/// assert_eq!(error.errno(), Errno::EPERM);
/// assert_eq!(
///     error.to_string(),
///     "epoll_ctl: EPERM (Operation not permitted): \
///      the file cannot be polled: a regular file, a directory or a device such as /dev/null is always ready",
/// );
/// # Ok::<(), epore::Error>(())
/// ```
///
/// With the feature `std` it converts into a `std::io::Error` of the same errno, so
/// `?` works in functions that return that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    sysno: Sysno,
    errno: Errno,
    reason: Option<&'static str>,
}

impl Error {
    #[inline]
    pub(crate) const fn new(sysno: Sysno, errno: Errno) -> Self {
        Self {
            sysno,
            errno,
            reason: None,
        }
    }

    /// The same error with a reason, if there is one to give.
    pub(crate) fn because(self, reason: impl Into<Option<&'static str>>) -> Self {
        Self {
            reason: reason.into(),
            ..self
        }
    }

    pub(crate) const fn sysno(&self) -> Sysno {
        self.sysno
    }

    /// The name of the system call that failed, as in the man pages.
    pub fn syscall(&self) -> &'static str {
        sys::name(self.sysno)
    }

    /// What the kernel answered.
    pub const fn errno(&self) -> Errno {
        self.errno
    }

    /// What it means here, where more is known than the errno says.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason.or(match self.errno {
            Errno::EMFILE => Some("the process has no descriptor left (RLIMIT_NOFILE)"),
            Errno::ENFILE => Some("the system has no descriptor left (/proc/sys/fs/file-max)"),
            _ => None,
        })
    }

    /// Whether a non-blocking operation has to wait: `EAGAIN`.
    #[inline]
    pub fn is_would_block(&self) -> bool {
        self.errno == Errno::EAGAIN
    }

    /// Whether a signal came in between, and the call may simply be made again:
    /// `EINTR`.
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.errno == Errno::EINTR
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.syscall())?;
        match self.errno.name_and_description() {
            Some((name, description)) => write!(f, ": {name} ({description})")?,
            None => write!(f, ": errno {}", self.errno.into_raw())?,
        }
        match self.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// What `main` shows when it returns an error: the sentence, not the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::from_raw_os_error(error.errno.into_raw())
    }
}
