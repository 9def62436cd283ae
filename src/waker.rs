//! `Waker` ends a wait from another thread.

use core::fmt;

use static_assertions::assert_impl_all;
use syscalls::Sysno;

use crate::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use crate::wake::{WakeFd, WakerSide};
use crate::{Errno, Error, Registry, Result, Token};

/// Ends a wait from another thread.
///
/// A waker is an `eventfd` that is registered edge-triggered: each write is an edge, so there
/// is nothing to read and nothing to reset. Wakes that come before the queue is polled are
/// reported by the next poll.
///
/// Dropping the waker closes the eventfd, which ends its registration. A wake that no poll has
/// reported yet is gone with it, so keep the waker for as long as you poll the queue.
///
/// # What is reported
///
/// - No wake is lost: after the last one, too, a poll reports the waker, and the thread that polls
///   sees what the waking thread did before the wake.
/// - Events do not count wakes. Several wakes may be one event. One wake may be two events, even
///   in one buffer, if other threads wake, or take a descriptor, at the same time.
/// - A waker is not reported by a poll that begins after it was dropped, with these exceptions,
///   in which something else keeps its eventfd open: another thread is just taking a descriptor
///   for the first time (see below), is starting a [child process](crate::process), or the
///   process was forked and the child still has the eventfd.
///
/// # What a wake costs
///
/// In a program without a heap, one `write` each. With the feature `alloc` a wake costs a few
/// nanoseconds and no system call
///
/// - while an event of this waker is still to be reported;
/// - while the queue's thread is between two polls, after one that has reported a waker, and
///   during polls with a zero timeout: the next poll does not block, and reports the wake along
///   with what else is ready.
///
/// Every wake is a `write` nevertheless
///
/// - for each waker of a queue after the 16th, until one of the 16 is dropped;
/// - for all wakers of a queue, for ever, once the descriptor of the `Poll`, of one of its
///   registries or of one of its wakers was taken by [`AsFd`] or [`AsRawFd`]: other code may
///   wait for it. Registering the queue with another one takes it, too.
///
/// # After `fork`
///
/// What a queue shares with its wakers is memory, which `fork` copies. Afterwards the wakes of
/// the parent do not reach a child that polls the queue, and the wakes of the child do not reach
/// the parent, unless they happen to write. To wake across a `fork`, take a descriptor of the
/// queue or of a waker *before* forking: from then on every wake is a `write`, and the kernel's
/// part of the queue is common to both processes.
///
/// Without the feature `alloc` every wake is a `write`, so wakes do cross a `fork`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::thread;
/// use epore::{Events, Poll, Token, Waker};
///
/// const WAKE: Token = Token(usize::MAX);
///
/// let mut queue = Poll::new()?;
/// let waker = Arc::new(Waker::new(queue.registry(), WAKE)?);
/// let elsewhere = Arc::clone(&waker);
/// thread::spawn(move || elsewhere.wake());
///
/// let mut events = Events::<8>::new();
/// queue.poll(&mut events, None)?;
/// assert_eq!(events[0].token(), WAKE);
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [eventfd(2)](https://man7.org/linux/man-pages/man2/eventfd.2.html).
#[doc(alias = "eventfd")]
pub struct Waker {
    side: WakerSide,
}

assert_impl_all!(Waker: Send, Sync);

impl Waker {
    /// Makes a waker of this registry's queue, reported with `token`.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOSPC`: the limit `/proc/sys/fs/epoll/max_user_watches` is reached.
    /// - `ENOMEM`: the kernel or the heap has no memory.
    pub fn new(registry: &Registry, token: Token) -> Result<Self> {
        let eventfd = WakeFd::new(registry, token)?;
        let side = registry.wakes().add_waker(eventfd, token).ok_or_else(|| {
            Error::new(Sysno::eventfd2, Errno::ENOMEM)
                .because("the heap has no memory for what a waker shares with its queue")
        })?;
        Ok(Self { side })
    }

    /// Ends the wait that is under way, or the next one.
    ///
    /// What the calling thread did before happens before the wait returns.
    ///
    /// This does not fail in normal operation. A counter at its maximum is no error: it is
    /// reset, and the wake reported.
    #[inline]
    pub fn wake(&self) -> Result<()> {
        self.side.wake()
    }
}

/// Shows the descriptor, without the effect that [`AsFd`] has on wakes.
impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fd = self.side.eventfd().as_fd().as_raw_fd();
        f.debug_struct("Waker").field("fd", &fd).finish()
    }
}

/// With the feature `alloc`, taking the descriptor makes every later wake of this queue a `write`,
/// for ever: other code may wait for it. See [What a wake costs](Self#what-a-wake-costs).
impl AsFd for Waker {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.side.expose().as_fd()
    }
}

/// With the feature `alloc`, taking the descriptor makes every later wake of this queue a `write`,
/// for ever: other code may wait for it. See [What a wake costs](Self#what-a-wake-costs).
impl AsRawFd for Waker {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
