use core::mem;
use core::ptr;

use static_assertions::const_assert_eq;

use super::fd::{AsRawFd, BorrowedFd};
use super::socket::check_send_flags;
use super::{Result, number};

#[cfg(not(feature = "std"))]
pub use iovec::{IoSlice, IoSliceMut};
#[cfg(feature = "std")]
pub use std::io::{IoSlice, IoSliceMut};

/// How many slices one call takes at most.
#[doc(alias = "IOV_MAX")]
pub const UIO_MAXIOV: usize = 1024;

#[cfg(not(feature = "std"))]
mod iovec {
    use core::marker::PhantomData;

    /// Bytes to be sent together with others: the kernel's `struct iovec`. With the
    /// feature `std` it is std's own.
    #[doc(alias = "iovec")]
    #[derive(Clone, Copy, Debug)]
    #[repr(C)]
    pub struct IoSlice<'a> {
        /// An exposed address and not a pointer, so that it crosses threads.
        base: usize,
        len: usize,
        bytes: PhantomData<&'a [u8]>,
    }

    /// Room for bytes to be received together with others: the kernel's `struct
    /// iovec`. With the feature `std` it is std's own.
    #[doc(alias = "iovec")]
    #[derive(Debug)]
    #[repr(C)]
    pub struct IoSliceMut<'a> {
        base: usize,
        len: usize,
        bytes: PhantomData<&'a mut [u8]>,
    }

    impl<'a> IoSlice<'a> {
        /// These bytes.
        #[inline]
        pub fn new(bytes: &'a [u8]) -> Self {
            Self {
                base: bytes.as_ptr().expose_provenance(),
                len: bytes.len(),
                bytes: PhantomData,
            }
        }

        /// How many bytes, as with std's.
        #[inline]
        pub(super) const fn len(&self) -> usize {
            self.len
        }
    }

    impl<'a> IoSliceMut<'a> {
        /// This room.
        #[inline]
        pub fn new(bytes: &'a mut [u8]) -> Self {
            Self {
                base: bytes.as_mut_ptr().expose_provenance(),
                len: bytes.len(),
                bytes: PhantomData,
            }
        }

        /// How many bytes, as with std's.
        #[inline]
        pub(super) const fn len(&self) -> usize {
            self.len
        }
    }
}

// The layout of `struct iovec`, which std guarantees for its own.
const_assert_eq!(mem::size_of::<IoSlice<'_>>(), 16);
const_assert_eq!(mem::align_of::<IoSlice<'_>>(), 8);
const_assert_eq!(mem::size_of::<IoSliceMut<'_>>(), 16);
const_assert_eq!(mem::align_of::<IoSliceMut<'_>>(), 8);

/// The kernel's `struct user_msghdr`.
#[repr(C)]
struct Msghdr<'a> {
    msg_name: *const u8,
    msg_namelen: i32,
    msg_iov: *const IoSlice<'a>,
    msg_iovlen: usize,
    msg_control: *const u8,
    msg_controllen: usize,
    msg_flags: u32,
}

const_assert_eq!(mem::size_of::<Msghdr<'_>>(), 56);
const_assert_eq!(mem::offset_of!(Msghdr<'_>, msg_iov), 16);
const_assert_eq!(mem::offset_of!(Msghdr<'_>, msg_iovlen), 24);
const_assert_eq!(mem::offset_of!(Msghdr<'_>, msg_control), 32);
const_assert_eq!(mem::offset_of!(Msghdr<'_>, msg_controllen), 40);
const_assert_eq!(mem::offset_of!(Msghdr<'_>, msg_flags), 48);

/// `readv(fd, iov, iovcnt)`: [`read`](super::read) into several slices, each filled
/// before the next; returns how many bytes were read.
///
/// See [readv(2)](https://man7.org/linux/man-pages/man2/readv.2.html).
///
/// # Errors
///
/// As [`read`](super::read), and:
///
/// - `EINVAL`: more than [`UIO_MAXIOV`] slices.
#[inline]
pub fn readv(fd: BorrowedFd<'_>, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
    let most = total(bufs.iter().map(|buf| buf.len()));
    let (iov, iovcnt) = (bufs.as_mut_ptr(), bufs.len());
    // SAFETY: the kernel reads `iovcnt` times a `struct iovec`, and writes at most as
    // many bytes as each says, all inside its slice, before it returns.
    unsafe { count!(readv, most, fd.as_raw_fd(), iov, iovcnt) }
}

/// `sendmsg(sockfd, msg, flags)` of several slices, one after the other, on a connected
/// socket; returns how many bytes it took. One message, where the socket has messages.
///
/// See [send(2)](https://man7.org/linux/man-pages/man2/send.2.html).
///
/// # Errors
///
/// As [`sendto`](super::sendto) without an address, and:
///
/// - `EMSGSIZE`: more than [`UIO_MAXIOV`] slices.
#[inline]
pub fn sendmsg(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>], flags: i32) -> Result<usize> {
    check_send_flags(number::sendmsg, flags)?;
    let msg = Msghdr {
        msg_name: ptr::null(),
        msg_namelen: 0,
        msg_iov: bufs.as_ptr(),
        msg_iovlen: bufs.len(),
        msg_control: ptr::null(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    let msg = ptr::from_ref(&msg);
    let most = total(bufs.iter().map(|buf| buf.len()));
    // SAFETY: before it returns, the kernel reads the `msghdr`, in it no name and no
    // control data, `msg_iovlen` times a `struct iovec`, and at most as many bytes as
    // each says, all inside its slice.
    unsafe { count!(sendmsg, most, fd.as_raw_fd(), msg, flags) }
}

/// The bytes of all slices. Slices may overlap, so the sum may be greater than any memory.
fn total(lengths: impl Iterator<Item = usize>) -> usize {
    lengths
        .fold(0, usize::saturating_add)
        .min(isize::MAX as usize)
}
