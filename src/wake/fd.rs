//! The eventfd of a waker.

use crate::fd::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::{self, EFD_CLOEXEC, EFD_NONBLOCK};
use crate::{Interest, Registry, Result, Token};

/// An `eventfd` that is registered edge-triggered: each write is an edge, so there is
/// nothing to read and nothing to reset.
#[derive(Debug)]
pub(crate) struct WakeFd(OwnedFd);

impl WakeFd {
    /// Opens an eventfd and registers it with `token`.
    pub(crate) fn new(registry: &Registry, token: Token) -> Result<Self> {
        let eventfd = Self(sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)?);
        registry.register(&eventfd, token, Interest::READABLE.edge())?;
        Ok(eventfd)
    }

    /// Writes to the eventfd, so that its queue reports an event.
    #[inline]
    pub(crate) fn notify(&self) -> Result<()> {
        match self.add_one() {
            Err(error) if error.is_would_block() => self.reset_and_add_one(),
            added => added,
        }
    }

    #[inline]
    fn add_one(&self) -> Result<()> {
        sys::write(self.0.as_fd(), &1u64.to_ne_bytes())?;
        Ok(())
    }

    /// Makes room in a counter at its maximum. It takes no more writes, and without a write
    /// there is no further edge.
    #[cold]
    fn reset_and_add_one(&self) -> Result<()> {
        loop {
            match sys::read(self.0.as_fd(), &mut [0; 8]) {
                // Another thread has reset it in between.
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

impl AsFd for WakeFd {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
