//! File descriptors as types: std's own with the feature `std`, and without it
//! types of the same names, because `core` has none.
//!
//! Cargo unites the features of all packages in a build. A package that does not ask for `std`
//! gets std's types all the same if another package does, so the types here have no method
//! that std's have with another signature: to duplicate a descriptor, there is [`duplicate`]
//! instead of `try_clone`. What remains:
//!
//! - With `std` the types have more methods and implement more traits. Code that uses those
//!   needs the feature, and should ask for it.
//! - With `std`, `Option<OwnedFd>` is as small as `OwnedFd`.
//! - An `impl` of a trait of yours for `fd::OwnedFd` and another one for
//!   `std::os::fd::OwnedFd` are two for one type with `std`.
//! - With `std`, [`SigSet::ALL`](crate::sys::SigSet::ALL) has fewer signals.

#[cfg(feature = "std")]
pub use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(not(feature = "std"))]
pub use owned::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use super::{Result, fcntl_dupfd_cloexec};

/// Duplicates the descriptor of `source`: returns a second descriptor of the same open file,
/// closed on `execve`, and never one of the three standard streams.
///
/// It is the same function with and without the feature `std`.
///
/// ```
/// use epore::{fd, sys};
///
/// let counter = sys::eventfd2(7, sys::EFD_CLOEXEC)?;
/// let duplicate = fd::duplicate(&counter)?;
/// drop(counter);
/// assert_eq!(sys::read(fd::AsFd::as_fd(&duplicate), &mut [0; 8])?, 8);
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html), `F_DUPFD_CLOEXEC`.
///
/// # Errors
///
/// - `EMFILE`: the process has no descriptor left.
#[doc(alias = "dup")]
#[doc(alias = "try_clone")]
#[doc(alias = "F_DUPFD_CLOEXEC")]
pub fn duplicate(source: &(impl AsFd + ?Sized)) -> Result<OwnedFd> {
    fcntl_dupfd_cloexec(source.as_fd(), 3)
}

#[cfg(not(feature = "std"))]
mod owned {
    use core::fmt;
    use core::marker::PhantomData;
    use core::mem;

    use crate::sys;

    /// The number of a file descriptor.
    pub type RawFd = i32;

    /// A descriptor that someone else owns, and keeps open for `'fd`.
    #[derive(Clone, Copy)]
    #[repr(transparent)]
    pub struct BorrowedFd<'fd> {
        fd: RawFd,
        owner: PhantomData<&'fd OwnedFd>,
    }

    /// A descriptor of one's own, closed when dropped.
    #[repr(transparent)]
    pub struct OwnedFd {
        fd: RawFd,
    }

    /// What has a descriptor to lend.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` has no descriptor that epore can borrow",
        note = "std's sockets, files and descriptors are `AsFd` here with the feature `std` of epore: `epore = {{ version = \"…\", features = [\"std\"] }}`",
        note = "without std, epore brings the sockets of `net`, the ends of a `pipe`, `Timer`, `signal::Signals`, `process::Child`, `inotify::Inotify`, and `fd::OwnedFd` for the rest"
    )]
    pub trait AsFd {
        /// Borrows the descriptor.
        fn as_fd(&self) -> BorrowedFd<'_>;
    }

    /// What can tell the number of its descriptor.
    pub trait AsRawFd {
        /// The number, to look at: whether it stays open is not known.
        fn as_raw_fd(&self) -> RawFd;
    }

    /// What can be made from the number of a descriptor.
    pub trait FromRawFd {
        /// Takes the descriptor over.
        ///
        /// # Safety
        ///
        /// `fd` is open, and nobody else closes it.
        unsafe fn from_raw_fd(fd: RawFd) -> Self;
    }

    /// What can give its descriptor away.
    pub trait IntoRawFd {
        /// The number; closing it is now the caller's business.
        fn into_raw_fd(self) -> RawFd;
    }

    impl BorrowedFd<'_> {
        /// Borrows the descriptor of this number.
        ///
        /// # Safety
        ///
        /// `fd` stays open as long as the result is used, and is not -1.
        #[inline]
        pub const unsafe fn borrow_raw(fd: RawFd) -> Self {
            Self {
                fd,
                owner: PhantomData,
            }
        }
    }

    impl Drop for OwnedFd {
        #[inline]
        fn drop(&mut self) {
            // The number is free again even when the kernel reports an error.
            let _ = sys::io::close_raw(self.fd);
        }
    }

    impl AsFd for OwnedFd {
        #[inline]
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: it stays open as long as `self` is borrowed.
            unsafe { BorrowedFd::borrow_raw(self.fd) }
        }
    }

    impl AsFd for BorrowedFd<'_> {
        #[inline]
        fn as_fd(&self) -> BorrowedFd<'_> {
            *self
        }
    }

    impl AsRawFd for OwnedFd {
        #[inline]
        fn as_raw_fd(&self) -> RawFd {
            self.fd
        }
    }

    impl AsRawFd for BorrowedFd<'_> {
        #[inline]
        fn as_raw_fd(&self) -> RawFd {
            self.fd
        }
    }

    impl AsRawFd for RawFd {
        #[inline]
        fn as_raw_fd(&self) -> RawFd {
            *self
        }
    }

    impl FromRawFd for OwnedFd {
        #[inline]
        unsafe fn from_raw_fd(fd: RawFd) -> Self {
            Self { fd }
        }
    }

    impl IntoRawFd for OwnedFd {
        #[inline]
        fn into_raw_fd(self) -> RawFd {
            mem::ManuallyDrop::new(self).fd
        }
    }

    impl fmt::Debug for OwnedFd {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("OwnedFd").field("fd", &self.fd).finish()
        }
    }

    impl fmt::Debug for BorrowedFd<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("BorrowedFd").field("fd", &self.fd).finish()
        }
    }

    /// `AsFd` for what leads to one.
    macro_rules! through {
        ($($pointer:ty),*) => {$(
            impl<T: AsFd + ?Sized> AsFd for $pointer {
                #[inline]
                fn as_fd(&self) -> BorrowedFd<'_> {
                    (**self).as_fd()
                }
            }
        )*};
    }

    through!(&T, &mut T);

    #[cfg(feature = "alloc")]
    through!(alloc::boxed::Box<T>, alloc::rc::Rc<T>, alloc::sync::Arc<T>);
}
