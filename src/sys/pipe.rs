use core::ptr;

use super::fd::OwnedFd;
use super::{Result, own};

/// For [`pipe2`]: close both ends on `execve`.
pub const O_CLOEXEC: i32 = 0o2000000;
/// For [`pipe2`] and [`fcntl_setfl`](super::fcntl_setfl): answer `EAGAIN` where a
/// read or write would block.
pub const O_NONBLOCK: i32 = 0o4000;

/// `pipe2(pipefd, flags)`: opens a pipe, and returns where to read and where to
/// write.
///
/// See [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html).
/// Linux 2.6.27.
///
/// # Errors
///
/// - `EINVAL`: an unknown bit in `flags`.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left; or the
///   user's pipes take all the room they may
///   (`/proc/sys/fs/pipe-user-pages-hard`).
/// - `ENOMEM`: the kernel has no memory for it.
#[doc(alias = "pipe")]
#[inline]
pub fn pipe2(flags: i32) -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes two `int`s into `ends` before it returns.
    unsafe { call!(pipe2, ptr::from_mut(&mut ends), flags) }?;
    let [reader, writer] = ends.map(|end| {
        // SAFETY: the kernel has just opened it.
        unsafe { own(end as usize) }
    });
    Ok((reader, writer))
}
