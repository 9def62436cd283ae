use static_assertions::assert_impl_all;

use crate::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use crate::sys::{self, EFD_CLOEXEC, EFD_NONBLOCK};
use crate::{Interest, Registry, Result, Token};

/// Ends a wait from another thread.
///
/// An `eventfd` that is registered edge-triggered: each wake is an edge, so there
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
    eventfd: OwnedFd,
}

assert_impl_all!(Waker: Send, Sync);

impl Waker {
    /// A waker of this registry's queue, reported with `token`.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOSPC`: the limit `/proc/sys/fs/epoll/max_user_watches`.
    /// - `ENOMEM`: the kernel has no memory for it.
    pub fn new(registry: &Registry, token: Token) -> Result<Self> {
        let eventfd = sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)?;
        registry.register(&eventfd, token, Interest::READABLE.edge())?;
        Ok(Self { eventfd })
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
        match self.add_one() {
            Err(error) if error.is_would_block() => self.empty_and_add_one(),
            added => added,
        }
    }

    #[inline]
    fn add_one(&self) -> Result<()> {
        sys::write(self.eventfd.as_fd(), &1u64.to_ne_bytes())?;
        Ok(())
    }

    /// A counter at its brim takes no more, so it would tell no more either once
    /// its last edge has been reported.
    #[cold]
    fn empty_and_add_one(&self) -> Result<()> {
        loop {
            match sys::read(self.eventfd.as_fd(), &mut [0; 8]) {
                // Another thread was faster.
                Err(error) if error.is_would_block() => {}
                read => _ = read?,
            }
            match self.add_one() {
                Err(error) if error.is_would_block() => {}
                added => return added,
            }
        }
    }
}

impl AsFd for Waker {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}

impl AsRawFd for Waker {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }
}
