use core::mem::{self, MaybeUninit};
use core::time::Duration;

use static_assertions::const_assert_eq;

use super::{Result, number};
use crate::{Errno, Error};

/// Time since some point in the past; never set back, stands still in suspend.
pub const CLOCK_MONOTONIC: i32 = 1;
/// Time of day, since 1970; can be set.
pub const CLOCK_REALTIME: i32 = 0;
/// [`CLOCK_MONOTONIC`] that goes on in suspend.
pub const CLOCK_BOOTTIME: i32 = 7;

/// The kernel's `struct timespec`: seconds and nanoseconds.
#[doc(alias = "timespec")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub struct Timespec {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub tv_nsec: i64,
}

const_assert_eq!(mem::size_of::<Timespec>(), 16);
const_assert_eq!(mem::align_of::<Timespec>(), 8);
const_assert_eq!(mem::offset_of!(Timespec, tv_nsec), 8);

/// Saturates: what the kernel cannot count, three hundred billion years, is
/// shortened to what it can.
impl From<Duration> for Timespec {
    #[inline]
    fn from(duration: Duration) -> Self {
        Self {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(duration.subsec_nanos()),
        }
    }
}

/// What is negative or not normalised becomes the nearest [`Duration`].
impl From<Timespec> for Duration {
    #[inline]
    fn from(time: Timespec) -> Self {
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = time.tv_nsec.clamp(0, 999_999_999) as u32;
        Duration::new(secs, nanos)
    }
}

/// `clock_gettime(clockid, tp)`: what the clock shows now.
///
/// A real system call: without libc there is no vDSO to answer it in user space.
///
/// See [clock_gettime(2)](https://man7.org/linux/man-pages/man2/clock_gettime.2.html).
///
/// # Errors
///
/// - `EINVAL`: no such clock; or the clock of a device, whose `clockid` holds the number of a
///   descriptor that was not lent. The call is not made then.
#[inline]
pub fn clock_gettime(clockid: i32) -> Result<Timespec> {
    // The kernel's `CLOCKFD` and its mask.
    if clockid < 0 && clockid & 7 == 3 {
        return Err(Error::new(number::clock_gettime, Errno::EINVAL)
            .because("the clock of a device, by the number of a descriptor"));
    }
    let mut now = MaybeUninit::<Timespec>::uninit();
    // SAFETY: the kernel writes one `timespec` into `now` before it returns.
    unsafe { call!(clock_gettime, clockid, now.as_mut_ptr()) }?;
    // SAFETY: it succeeded, so it wrote all of it.
    Ok(unsafe { now.assume_init() })
}
