use crate::fd::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::{self, EFD_CLOEXEC, EFD_NONBLOCK};
use crate::{Interest, Registry, Result, Token};

/// An `eventfd` that is registered edge-triggered: each write is an edge, and there is
/// nothing to read and nothing to reset.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new(registry: &Registry, token: Token) -> Result<Self> {
        let bell = Self(sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)?);
        registry.register(&bell, token, Interest::READABLE.edge())?;
        Ok(bell)
    }

    #[inline]
    pub(crate) fn ring(&self) -> Result<()> {
        match self.add_one() {
            Err(error) if error.is_would_block() => self.empty_and_add_one(),
            added => added,
        }
    }

    #[inline]
    fn add_one(&self) -> Result<()> {
        sys::write(self.0.as_fd(), &1u64.to_ne_bytes())?;
        Ok(())
    }

    /// A counter at its brim takes no more, so it would tell no more either once
    /// its last edge has been reported.
    #[cold]
    fn empty_and_add_one(&self) -> Result<()> {
        loop {
            match sys::read(self.0.as_fd(), &mut [0; 8]) {
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

impl AsFd for Bell {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
