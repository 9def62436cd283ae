//! Child processes whose end is an event, for supervisors and for the first process
//! of a machine or container.
//!
//! Linux 5.4, for all but [`reap`].

use core::ffi::CStr;
use core::fmt;

use static_assertions::assert_impl_all;

use crate::fd::{AsFd, OwnedFd};
use crate::sys::{self, CLD_DUMPED, CLD_EXITED, Siginfo, WEXITED, WNOHANG, WaitId};
use crate::{Errno, Error, Result};

/// A child process: readable when it has ended.
///
/// Dropping it neither ends nor reaps the child.
///
/// ```
/// use epore::process::Child;
/// use epore::{Events, Interest, Poll, Token};
///
/// # if !std::path::Path::new("/bin/sh").exists() { return Ok(()) }
/// let mut child = Child::spawn(c"/bin/sh", &[c"sh", c"-c", c"exit 7"], &[])?;
/// let mut queue = Poll::new()?;
/// queue.registry().register(&child, Token(0), Interest::READABLE)?;
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// assert_eq!(child.try_wait()?.unwrap().code(), Some(7));
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html).
#[doc(alias = "pidfd")]
#[derive(Debug)]
pub struct Child {
    pidfd: OwnedFd,
    id: i32,
    status: Option<ExitStatus>,
}

assert_impl_all!(Child: Send, Sync);

impl Child {
    /// Starts the program `path` with the arguments `argv`, of which the first is its own
    /// name, and the environment `envp`, `NAME=value` each; at most 255 of either.
    ///
    /// The program inherits the descriptors that are not closed on `execve`, such as the
    /// standard streams, and the working directory. It blocks no signal, whatever the
    /// caller blocks.
    ///
    /// The process is copied as by `fork`, which takes time where it has much memory, and
    /// nothing but the start of the program runs in the copy. The calling thread waits for
    /// that.
    ///
    /// # Errors
    ///
    /// Those of [`clone_execve`](crate::sys::clone_execve), among them
    ///
    /// - `ENOENT`: there is no such program, or its interpreter is missing.
    /// - `EACCES`, `ENOEXEC`: it cannot be executed.
    /// - `E2BIG`: too many arguments or variables, or too long ones.
    /// - `EAGAIN`: the limit on processes.
    /// - `EINVAL`: the kernel is older than Linux 5.4.
    #[doc(alias = "fork")]
    #[doc(alias = "execve")]
    #[doc(alias = "clone")]
    pub fn spawn(path: &CStr, argv: &[&CStr], envp: &[&CStr]) -> Result<Self> {
        let (id, pidfd) = sys::clone_execve(path, argv, envp).map_err(|error| {
            let reason = match error.errno() {
                Errno::ENOENT => Some("there is no such program, or its interpreter is missing"),
                Errno::E2BIG => Some("too many arguments or variables, or too long ones"),
                Errno::EAGAIN => Some("the limit on processes is reached (RLIMIT_NPROC)"),
                _ => error.reason(),
            };
            error.because(reason)
        })?;
        Ok(Self::new(pidfd, id))
    }

    /// The process of this number, which should be a child that is not reaped yet: the
    /// number is its own as long. Of any other process the end is an event too, and it
    /// can be [killed](Self::kill), but its status is not told.
    ///
    /// # Errors
    ///
    /// - `ESRCH`: there is no such process, or `id` is that of a thread.
    /// - `EINVAL`: `id` is 0, or more than an `i32` can be.
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOSYS`: the kernel is older than Linux 5.3.
    #[doc(alias = "pidfd_open")]
    pub fn open(id: u32) -> Result<Self> {
        let id = i32::try_from(id).unwrap_or(-1);
        Ok(Self::new(sys::pidfd_open(id)?, id))
    }

    const fn new(pidfd: OwnedFd, id: i32) -> Self {
        Self {
            pidfd,
            id,
            status: None,
        }
    }

    /// The number of the process.
    #[doc(alias = "pid")]
    pub const fn id(&self) -> u32 {
        self.id as u32
    }

    /// How it has ended; `None` if it has not. Reaps it, and knows the answer from then
    /// on.
    ///
    /// # Errors
    ///
    /// - `ECHILD`: it is no child of this process, or was reaped otherwise: by [`reap`],
    ///   or because `SIGCHLD` is ignored.
    #[doc(alias = "waitid")]
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let id = WaitId::Pidfd(self.pidfd.as_fd());
            let info = sys::waitid(id, WEXITED | WNOHANG).map_err(explain)?;
            self.status = info.map(ExitStatus);
        }
        Ok(self.status)
    }

    /// Sends it a signal. To one that has ended and is not reaped yet this does nothing.
    ///
    /// # Errors
    ///
    /// - `ESRCH`: it has ended and is reaped. (The number may be another process's now;
    ///   that one never gets the signal.)
    /// - `EPERM`: not allowed: another user's.
    /// - `EINVAL`: no such signal.
    #[doc(alias = "pidfd_send_signal")]
    pub fn kill(&self, signal: i32) -> Result<()> {
        sys::pidfd_send_signal(self.pidfd.as_fd(), signal)
    }
}

/// Reaps one child that has ended, whichever it is, and says which and how; `None` if
/// there is none.
///
/// This is for the first process, to which the kernel gives the children of others that
/// end before them. It takes the status of any [`Child`] too: so whoever calls this,
/// when a `SIGCHLD` [says so](crate::signal::Signals) and until it answers `None`, finds
/// their own children by [`Child::id`].
///
/// # Errors
///
/// None that a healthy kernel gives.
#[doc(alias = "waitid")]
pub fn reap() -> Result<Option<(u32, ExitStatus)>> {
    match sys::waitid(WaitId::All, WEXITED | WNOHANG) {
        Ok(info) => Ok(info.map(|info| (info.si_pid as u32, ExitStatus(info)))),
        // There are no children at all.
        Err(error) if error.errno() == Errno::ECHILD => Ok(None),
        Err(error) => Err(error),
    }
}

#[cold]
fn explain(error: Error) -> Error {
    error.because(match error.errno() {
        Errno::ECHILD => Some("no child of this process, or reaped already"),
        Errno::EINVAL => Some("pidfds can be waited for since Linux 5.4"),
        _ => None,
    })
}

/// How a process has ended: with a code, or by a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(Siginfo);

impl ExitStatus {
    /// Whether it has exited with code 0.
    pub const fn success(&self) -> bool {
        matches!(self.code(), Some(0))
    }

    /// The code it has exited with, 0 to 255; `None`: a signal has ended it.
    pub const fn code(&self) -> Option<i32> {
        match self.0.si_code {
            CLD_EXITED => Some(self.0.si_status),
            _ => None,
        }
    }

    /// The signal that has ended it; `None`: it has exited.
    pub const fn signal(&self) -> Option<i32> {
        match self.0.si_code {
            CLD_EXITED => None,
            _ => Some(self.0.si_status),
        }
    }

    /// Whether the kernel has written a core.
    pub const fn core_dumped(&self) -> bool {
        self.0.si_code == CLD_DUMPED
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.code().is_some() {
            "exit code"
        } else {
            "signal"
        };
        write!(f, "{kind} {}", self.0.si_status)?;
        f.write_str(if self.core_dumped() {
            " (core dumped)"
        } else {
            ""
        })
    }
}

impl fmt::Debug for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExitStatus({self})")
    }
}

descriptor!(Child, pidfd);

#[cfg(feature = "std")]
mod with_std {
    use std::os::unix::process::ExitStatusExt;
    use std::process;

    use super::{Child, ExitStatus};
    use crate::{Error, Result};

    /// A second handle of the child. Only one of the two can tell its status: the one
    /// that is asked first reaps it.
    impl TryFrom<&process::Child> for Child {
        type Error = Error;

        fn try_from(child: &process::Child) -> Result<Self> {
            Self::open(child.id())
        }
    }

    impl From<ExitStatus> for process::ExitStatus {
        fn from(status: ExitStatus) -> Self {
            const CORE: i32 = 0x80;
            let ended = match status.code() {
                Some(code) => code << 8,
                None => status.0.si_status,
            };
            Self::from_raw(ended | if status.core_dumped() { CORE } else { 0 })
        }
    }
}
