use core::mem::MaybeUninit;
use core::time::Duration;

use static_assertions::assert_impl_all;
use syscalls::Sysno;

use crate::fd::{AsFd, OwnedFd};
use crate::sys::{self, CLOCK_MONOTONIC, Itimerspec, TFD_CLOEXEC, TFD_NONBLOCK, Timespec};
use crate::{Errno, Error, Result};

/// A timer that is waited for like any other source: readable once it has
/// expired.
///
/// It runs on the monotonic clock, which no one sets and which stands still while
/// the system is suspended, and expires never early.
///
/// ```
/// use std::time::Duration;
/// use epore::{Events, Interest, Poll, Timer, Token};
///
/// let mut queue = Poll::new()?;
/// let timer = Timer::new()?;
/// queue.registry().register(&timer, Token(0), Interest::READABLE)?;
/// timer.set(Duration::from_millis(2))?;
///
/// let mut events = Events::<8>::new();
/// queue.poll(&mut events, None)?;
/// assert_eq!(events[0].token(), Token(0));
/// assert_eq!(timer.read()?, 1);
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [timerfd_create(2)](https://man7.org/linux/man-pages/man2/timerfd_create.2.html).
#[doc(alias = "timerfd")]
#[derive(Debug)]
pub struct Timer {
    timerfd: OwnedFd,
}

assert_impl_all!(Timer: Send, Sync);

impl Timer {
    /// A timer that is not set. Closed on `execve`.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOMEM`: the kernel has no memory for it.
    pub fn new() -> Result<Self> {
        let timerfd = sys::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)?;
        Ok(Self { timerfd })
    }

    /// Expires once, `after` from now; at once if that is zero.
    ///
    /// What was set before is off, and what had expired is forgotten.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn set(&self, after: Duration) -> Result<()> {
        self.arm(after, Duration::ZERO)
    }

    /// Expires `first` from now, and again every `period` from then on.
    ///
    /// Expirations that nobody reads add up, and none is late for the one before.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: `period` is zero.
    pub fn set_periodic(&self, first: Duration, period: Duration) -> Result<()> {
        if period.is_zero() {
            return Err(Error::new(Sysno::timerfd_settime, Errno::EINVAL)
                .because("a period of zero would expire without end"));
        }
        self.arm(first, period)
    }

    /// The kernel takes a zero for "off", so at once is a nanosecond.
    fn arm(&self, after: Duration, period: Duration) -> Result<()> {
        let it_value = after.max(Duration::from_nanos(1)).into();
        let setting = Itimerspec {
            it_interval: period.into(),
            it_value,
        };
        sys::timerfd_settime(self.timerfd.as_fd(), 0, &setting)
    }

    /// Expires no more; what had expired is forgotten.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn cancel(&self) -> Result<()> {
        let off = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::default(),
        };
        sys::timerfd_settime(self.timerfd.as_fd(), 0, &off)
    }

    /// The time until it expires next; `None` if it will not.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn remaining(&self) -> Result<Option<Duration>> {
        let left = Duration::from(sys::timerfd_gettime(self.timerfd.as_fd())?.it_value);
        Ok((!left.is_zero()).then_some(left))
    }

    /// How often it has expired since it was set or last read; zero if it has not.
    ///
    /// Registered level-triggered, it is reported until this is called.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn read(&self) -> Result<u64> {
        let mut count = [MaybeUninit::uninit(); 8];
        match sys::read_uninit(self.timerfd.as_fd(), &mut count) {
            Ok(count) => Ok(count
                .first_chunk()
                .map_or(0, |count| u64::from_ne_bytes(*count))),
            Err(error) if error.is_would_block() => Ok(0),
            Err(error) => Err(error),
        }
    }
}

descriptor!(Timer, timerfd);
