use static_assertions::assert_impl_all;

use crate::bell::Bell;
use crate::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use crate::gate::Gate;
use crate::{Registry, Result, Token};

/// Ends a wait from another thread.
///
/// An `eventfd` that is registered edge-triggered: each write is an edge, so there
/// is nothing to read and nothing to reset. Wakes that come before the queue is
/// waited on are reported by the next wait, several of them as one event.
///
/// Dropping it ends the registration, and a wake that no wait has reported yet is
/// gone with it; so keep it at least as long as the queue waits.
///
/// # From several threads
///
/// - No wake is lost: after the last one, too, a wait reports the waker, and what the
///   waking threads did before can be seen.
/// - Events do not count wakes. Several may be one event; one that comes after the
///   event of the one before is an event of its own. What it is to tell of may have
///   been seen with an earlier event already.
///
/// # What a wake costs
///
/// A `write`, in a program without a heap. With the feature `alloc` it costs a few
/// nanoseconds and no system call
///
/// - while the event of an earlier wake of this waker is still to be reported;
/// - while the queue's thread is between two waits, after one that has reported a
///   waker: the next wait does not sleep, and reports the wake along with what else is
///   ready.
///
/// This goes for sixteen wakers of a queue at a time, and until somebody takes the
/// descriptor of a waker, of the queue or of one of its registries ([`AsFd`],
/// [`AsRawFd`]), as another queue does that watches it: whoever has it may wait by it,
/// so from then on every wake of the queue is a write. It goes for one process, too:
/// only a waker whose descriptor was taken wakes its queue from a forked child.
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
#[derive(Debug)]
pub struct Waker {
    gate: Gate,
}

assert_impl_all!(Waker: Send, Sync);

impl Waker {
    /// A waker of this registry's queue, reported with `token`.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOSPC`: the limit `/proc/sys/fs/epoll/max_user_watches`.
    /// - `ENOMEM`: the kernel has no memory for it, or the heap has none.
    pub fn new(registry: &Registry, token: Token) -> Result<Self> {
        let bell = Bell::new(registry, token)?;
        let gate = registry.gates.gate(bell, token)?;
        Ok(Self { gate })
    }

    /// Ends the wait that is under way, or the next one.
    ///
    /// What the calling thread did before happens before the wait returns.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives. A full counter is not one: it is emptied
    /// and the wake told.
    #[inline]
    pub fn wake(&self) -> Result<()> {
        self.gate.wake()
    }
}

impl AsFd for Waker {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.gate.lend().as_fd()
    }
}

impl AsRawFd for Waker {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
