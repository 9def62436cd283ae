//! File descriptors as types: std's own with the feature `std`, and without it
//! types of the same names and methods, because `core` has none.

#[cfg(feature = "std")]
pub use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(not(feature = "std"))]
pub use owned::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(not(feature = "std"))]
mod owned {
    use core::fmt;
    use core::marker::PhantomData;
    use core::mem;

    use crate::Result;
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

        /// A second descriptor of the same open file, closed on `execve`.
        ///
        /// # Errors
        ///
        /// Those of [`fcntl_dupfd_cloexec`](crate::sys::fcntl_dupfd_cloexec).
        pub fn try_clone_to_owned(&self) -> Result<OwnedFd> {
            sys::fcntl_dupfd_cloexec(*self, 3)
        }
    }

    impl OwnedFd {
        /// A second descriptor of the same open file, closed on `execve`.
        ///
        /// # Errors
        ///
        /// Those of [`fcntl_dupfd_cloexec`](crate::sys::fcntl_dupfd_cloexec).
        pub fn try_clone(&self) -> Result<Self> {
            self.as_fd().try_clone_to_owned()
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
