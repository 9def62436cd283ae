use super::fd::OwnedFd;
use super::{Result, own};

/// For [`eventfd2`]: close it on `execve`.
pub const EFD_CLOEXEC: i32 = 0o2000000;
/// For [`eventfd2`]: answer `EAGAIN` where a read or write would block.
pub const EFD_NONBLOCK: i32 = 0o4000;
/// For [`eventfd2`]: a read takes one off the counter, not all.
pub const EFD_SEMAPHORE: i32 = 1;

/// `eventfd2(initval, flags)`: opens a counter that can be waited for.
///
/// A [`write`](super::write) of eight bytes adds to it, a [`read`](super::read)
/// of eight bytes takes it back to zero; both in native byte order.
///
/// See [eventfd(2)](https://man7.org/linux/man-pages/man2/eventfd.2.html).
/// Linux 2.6.27.
///
/// # Errors
///
/// - `EINVAL`: an unknown bit in `flags`.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENODEV`, `ENOMEM`: the kernel cannot provide it.
#[inline]
pub fn eventfd2(initval: u32, flags: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let ret = unsafe { call!(eventfd2, initval, flags) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}
