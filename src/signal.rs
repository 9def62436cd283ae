//! Signals as events: what would interrupt the program waits until it is read.
//!
//! [`Signals`] is a source like any other. It needs no handler, so none of the
//! program's code runs in between; a program without libc can react to Ctrl-C, and
//! end cleanly, by one more token.

use static_assertions::assert_impl_all;
use syscalls::Sysno;

use crate::fd::{AsFd, OwnedFd};
use crate::sys::{self, Disposition, SFD_CLOEXEC, SFD_NONBLOCK, SIG_BLOCK, SIG_SETMASK};
use crate::{Errno, Error, Result};

#[doc(no_inline)]
pub use crate::sys::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM,
    SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH, SigSet,
};

/// The signals of a set, read as they arrive.
///
/// ```standalone_crate
/// use epore::process::Child;
/// use epore::signal::{SIGUSR1, SigSet, Signals};
/// use epore::{Events, Interest, Poll, Token};
///
/// let mut queue = Poll::new()?;
/// let signals = Signals::new(SigSet::of(&[SIGUSR1]))?;
/// queue.registry().register(&signals, Token(0), Interest::READABLE)?;
///
/// Child::open(std::process::id())?.kill(SIGUSR1)?;
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// let signal = signals.read()?.unwrap();
/// assert_eq!((signal.number(), signal.pid()), (SIGUSR1, std::process::id()));
/// assert_eq!(signals.read()?, None);
/// # Ok::<(), epore::Error>(())
/// ```
///
/// # Threads
///
/// Each thread has a mask of its own, and a new one starts with that of its creator. A
/// signal sent to the process goes to a thread that does not block it, if there is one:
/// so make this before the first thread is started, or [`block`] the signals in each. A
/// signal that was sent to one thread only that thread reads.
///
/// See [signalfd(2)](https://man7.org/linux/man-pages/man2/signalfd.2.html).
#[doc(alias = "signalfd")]
#[derive(Debug)]
pub struct Signals {
    signalfd: OwnedFd,
}

assert_impl_all!(Signals: Send, Sync);

impl Signals {
    /// Reads the signals of `set` from now on: blocks them in the calling thread, so
    /// that they do nothing else. Closed on `execve`.
    ///
    /// They stay blocked when this is dropped: one that is pending would do then what it
    /// was kept from.
    ///
    /// Some signals are left out of `set`: `SIGKILL` and `SIGSTOP`, and with the feature `std`
    /// those that the C library keeps for itself ([`SigSet::ALL`]).
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOMEM`: the kernel has no memory for it.
    pub fn new(set: SigSet) -> Result<Self> {
        let set = set.without_reserved();
        let signalfd = sys::signalfd4(set, SFD_CLOEXEC | SFD_NONBLOCK)?;
        block(set)?;
        Ok(Self { signalfd })
    }

    /// The next signal that has arrived, if any.
    ///
    /// Registered level-triggered, it is reported as long as there is one.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn read(&self) -> Result<Option<SignalInfo>> {
        match sys::read_signalfd(self.signalfd.as_fd()) {
            Ok(signal) => Ok(Some(signal)),
            Err(error) if error.is_would_block() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A signal that has arrived, as the kernel tells of it.
///
/// One that arrives again before it is read is still one, except for the real-time
/// signals, 32 to 64.
#[doc(inline)]
pub use crate::sys::SignalfdSiginfo as SignalInfo;

impl SignalInfo {
    /// Which signal.
    pub const fn number(&self) -> i32 {
        self.ssi_signo as i32
    }

    /// Who has sent it, or which child a `SIGCHLD` is about. 0: the kernel, or a process
    /// that cannot be seen from here.
    pub const fn pid(&self) -> u32 {
        self.ssi_pid
    }

    /// The user of that process.
    pub const fn uid(&self) -> u32 {
        self.ssi_uid
    }

    /// What was sent along by `sigqueue` or a timer.
    pub const fn value(&self) -> u64 {
        self.ssi_ptr
    }
}

/// Blocks the signals of `set` too in the calling thread, and returns what it blocked
/// before. Blocked signals stay pending until they are read or unblocked.
///
/// `SIGKILL` and `SIGSTOP` are never blocked, nor, with the feature `std`, the signals that the
/// C library keeps for itself ([`SigSet::ALL`]).
#[doc(alias = "sigprocmask")]
#[doc(alias = "pthread_sigmask")]
pub fn block(set: SigSet) -> Result<SigSet> {
    sys::rt_sigprocmask(SIG_BLOCK, set.without_reserved())
}

/// Replaces the signal mask of the calling thread, and returns what it blocked before. Pass
/// what [`block`] returned to restore it.
///
/// The signals that [`block`] leaves out are left out here too.
pub fn set_mask(set: SigSet) -> Result<SigSet> {
    sys::rt_sigprocmask(SIG_SETMASK, set.without_reserved())
}

/// Has `signal` do nothing to the process. Programs that it starts inherit that, except
/// that [`Child::spawn`](crate::process::Child::spawn) gives them `SIGPIPE` back.
///
/// # Errors
///
/// - `EINVAL`: no such signal, or `SIGKILL` or `SIGSTOP`. With the feature `std` also one that
///   the C library keeps for itself ([`SigSet::ALL`]).
pub fn ignore(signal: i32) -> Result<()> {
    if SigSet::is_reserved(signal) {
        return Err(Error::new(Sysno::rt_sigaction, Errno::EINVAL)
            .because("the C library keeps this signal for itself"));
    }
    sys::rt_sigaction(signal, Disposition::Ignore)
}

descriptor!(Signals, signalfd);
