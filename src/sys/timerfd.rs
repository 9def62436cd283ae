use core::mem::{self, MaybeUninit};
use core::ptr;

use static_assertions::const_assert_eq;

use super::fd::{AsRawFd, BorrowedFd, OwnedFd};
use super::{Result, Timespec, own};

/// For [`timerfd_create`]: close it on `execve`.
pub const TFD_CLOEXEC: i32 = 0o2000000;
/// For [`timerfd_create`]: answer `EAGAIN` where a read would block.
pub const TFD_NONBLOCK: i32 = 0o4000;
/// For [`timerfd_settime`]: `it_value` is a time of the clock, not a span.
pub const TFD_TIMER_ABSTIME: i32 = 1;

/// The kernel's `struct itimerspec`: when next, and how often from then on.
#[doc(alias = "itimerspec")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Itimerspec {
    /// The period of what follows; zero: nothing follows.
    pub it_interval: Timespec,
    /// The first expiration; zero disarms the timer.
    pub it_value: Timespec,
}

const_assert_eq!(mem::size_of::<Itimerspec>(), 32);
const_assert_eq!(mem::align_of::<Itimerspec>(), 8);
const_assert_eq!(mem::offset_of!(Itimerspec, it_interval), 0);
const_assert_eq!(mem::offset_of!(Itimerspec, it_value), 16);

/// `timerfd_create(clockid, flags)`: opens a timer that can be waited for.
///
/// See [timerfd_create(2)](https://man7.org/linux/man-pages/man2/timerfd_create.2.html).
/// Linux 2.6.25.
///
/// # Errors
///
/// - `EINVAL`: an unknown clock or flag.
/// - `EPERM`: an alarm clock without `CAP_WAKE_ALARM`.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENODEV`, `ENOMEM`: the kernel cannot provide it.
#[inline]
pub fn timerfd_create(clockid: i32, flags: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let ret = unsafe { call!(timerfd_create, clockid, flags) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// `timerfd_settime(fd, flags, new_value, NULL)`: arms or disarms a timer and
/// forgets expirations that were not read.
///
/// See [timerfd_create(2)](https://man7.org/linux/man-pages/man2/timerfd_create.2.html).
///
/// # Errors
///
/// - `EINVAL`: `fd` is not a timer, a time is negative or has a `tv_nsec` of a
///   second or more, or an unknown flag.
#[inline]
pub fn timerfd_settime(fd: BorrowedFd<'_>, flags: i32, new_value: &Itimerspec) -> Result<()> {
    let new_value = ptr::from_ref(new_value);
    // SAFETY: the kernel reads the `itimerspec` before it returns, and a null
    // pointer tells it to write no old value.
    unsafe { call!(timerfd_settime, fd.as_raw_fd(), flags, new_value, 0) }?;
    Ok(())
}

/// `timerfd_gettime(fd, curr_value)`: the time until the next expiration, zero if
/// the timer is disarmed, and the period.
///
/// See [timerfd_create(2)](https://man7.org/linux/man-pages/man2/timerfd_create.2.html).
///
/// # Errors
///
/// - `EINVAL`: `fd` is not a timer.
#[inline]
pub fn timerfd_gettime(fd: BorrowedFd<'_>) -> Result<Itimerspec> {
    let mut current = MaybeUninit::<Itimerspec>::uninit();
    // SAFETY: the kernel writes one `itimerspec` into `current` before it returns.
    unsafe { call!(timerfd_gettime, fd.as_raw_fd(), current.as_mut_ptr()) }?;
    // SAFETY: it succeeded, so it wrote all of it.
    Ok(unsafe { current.assume_init() })
}
