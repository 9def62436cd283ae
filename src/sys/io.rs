use core::mem::MaybeUninit;
use core::slice;

use super::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use super::{Result, own};

const F_GETFL: i32 = 3;
const F_SETFL: i32 = 4;
const F_DUPFD_CLOEXEC: i32 = 1030;

/// `read(fd, buf, count)`: returns how many bytes were read into `buf`; 0 is the
/// end of the file or stream.
///
/// See [read(2)](https://man7.org/linux/man-pages/man2/read.2.html).
///
/// # Errors
///
/// - `EAGAIN`: a non-blocking descriptor has nothing to read now.
/// - `EINTR`: a signal was handled before anything was read.
/// - `EBADF`: the descriptor is not open for reading.
/// - `EINVAL`: `buf` is too short (an eventfd or a timerfd takes eight bytes).
/// - `ECONNRESET` and others: what the device or socket has to say.
#[inline]
pub fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `len` bytes, all inside `buf`, before it
    // returns; any byte is a valid `u8`.
    unsafe { count!(read, buf.len(), fd.as_raw_fd(), buf.as_mut_ptr(), buf.len()) }
}

/// [`read`] into memory that was never written. Returns the part that was read.
///
/// # Errors
///
/// As [`read`].
#[inline]
pub fn read_uninit<'b>(fd: BorrowedFd<'_>, buf: &'b mut [MaybeUninit<u8>]) -> Result<&'b mut [u8]> {
    let (start, len) = (buf.as_mut_ptr(), buf.len());
    // SAFETY: the kernel writes at most `len` bytes, all inside `buf`, before it
    // returns.
    let count = unsafe { count!(read, len, fd.as_raw_fd(), start, len) }?;
    // SAFETY:
    // - The same memory for the same lifetime: `count!` has clamped `count` to its length.
    // - The kernel wrote the first `count` bytes.
    Ok(unsafe { slice::from_raw_parts_mut(buf.as_mut_ptr().cast(), count) })
}

/// `write(fd, buf, count)`: returns how many bytes of `buf` were written.
///
/// On a socket or pipe whose other end is gone this raises `SIGPIPE`; for
/// sockets, [`sendto`](super::sendto) with
/// [`MSG_NOSIGNAL`](super::MSG_NOSIGNAL) does not.
///
/// See [write(2)](https://man7.org/linux/man-pages/man2/write.2.html).
///
/// # Errors
///
/// - `EAGAIN`: a non-blocking descriptor has no room now.
/// - `EINTR`: a signal was handled before anything was written.
/// - `EBADF`: the descriptor is not open for writing.
/// - `EINVAL`: `buf` does not suit the file (an eventfd takes eight bytes).
/// - `EPIPE`: the other end is gone.
#[inline]
pub fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads at most `len` bytes, all inside `buf`, before it
    // returns.
    unsafe { count!(write, buf.len(), fd.as_raw_fd(), buf.as_ptr(), buf.len()) }
}

/// `close(fd)`, for those who want to hear of a failure; dropping the descriptor
/// closes it too.
///
/// The descriptor is gone in either case: Linux frees the number before anything
/// can fail, so there is nothing to retry.
///
/// See [close(2)](https://man7.org/linux/man-pages/man2/close.2.html).
///
/// # Errors
///
/// - `EINTR`: a signal was handled meanwhile.
/// - `EIO`, `ENOSPC`, `EDQUOT`: an earlier write to the file has failed.
#[inline]
pub fn close(fd: OwnedFd) -> Result<()> {
    close_raw(fd.into_raw_fd())
}

/// Closes a number that its one owner has given up.
#[inline]
pub(super) fn close_raw(fd: RawFd) -> Result<()> {
    // SAFETY: the call takes no pointer, and the caller is the number's last
    // owner.
    unsafe { call!(close, fd) }?;
    Ok(())
}

/// `fcntl(fd, F_DUPFD_CLOEXEC, min)`: a second descriptor of the same open file,
/// numbered `min` or higher, closed on `execve`.
///
/// See [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html).
/// Linux 2.6.24.
///
/// # Errors
///
/// - `EMFILE`: the process has no descriptor left.
/// - `EINVAL`: `min` is negative or above the limit on descriptors.
#[doc(alias = "F_DUPFD_CLOEXEC")]
#[inline]
pub fn fcntl_dupfd_cloexec(fd: BorrowedFd<'_>, min: RawFd) -> Result<OwnedFd> {
    // SAFETY: this command takes no pointer.
    let ret = unsafe { call!(fcntl, fd.as_raw_fd(), F_DUPFD_CLOEXEC, min) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// `fcntl(fd, F_GETFL)`: how the open file is accessed, and its status flags, such as
/// [`O_NONBLOCK`](super::O_NONBLOCK).
///
/// See [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html).
///
/// # Errors
///
/// None that a healthy kernel gives.
#[doc(alias = "F_GETFL")]
pub fn fcntl_getfl(fd: BorrowedFd<'_>) -> Result<i32> {
    // SAFETY: this command takes no argument.
    let flags = unsafe { call!(fcntl, fd.as_raw_fd(), F_GETFL, 0) }?;
    Ok(flags as i32)
}

/// `fcntl(fd, F_SETFL, flags)`: sets the status flags of the open file, which all its
/// descriptors share. How it is accessed stays as it is.
///
/// See [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html).
///
/// # Errors
///
/// - `EINVAL`: the file does not take these flags.
/// - `EPERM`: `O_APPEND` cannot be cleared of an append-only file, and `O_NOATIME` is for the
///   file's owner.
#[doc(alias = "F_SETFL")]
pub fn fcntl_setfl(fd: BorrowedFd<'_>, flags: i32) -> Result<()> {
    // SAFETY: this command takes no pointer.
    unsafe { call!(fcntl, fd.as_raw_fd(), F_SETFL, flags) }?;
    Ok(())
}
