//! `AtomicU64` and `fence`, as far as this crate uses them, without a call to libc.
//!
//! On x86_64 they are the standard library's. On aarch64 its compare-exchange is a call of a
//! routine that asks libc's `getauxval` which instructions the processor has, so a program without
//! libc could not be linked. There it is the pair of instructions that every such processor has.

pub(crate) use core::sync::atomic::{Ordering, fence};

#[cfg(target_arch = "x86_64")]
pub(crate) use core::sync::atomic::AtomicU64;

#[cfg(target_arch = "aarch64")]
pub(crate) use exclusive::AtomicU64;

#[cfg(target_arch = "aarch64")]
mod exclusive {
    use super::Ordering;
    use core::sync::atomic;

    #[derive(Debug)]
    pub(crate) struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) const fn new(value: u64) -> Self {
            Self(atomic::AtomicU64::new(value))
        }

        #[inline]
        pub(crate) fn load(&self, order: Ordering) -> u64 {
            self.0.load(order)
        }

        #[inline]
        pub(crate) fn store(&self, value: u64, order: Ordering) {
            self.0.store(value, order);
        }

        /// Acquires and releases, whatever weaker orders are given.
        #[inline]
        pub(crate) fn compare_exchange(
            &self,
            expected: u64,
            new: u64,
            _success: Ordering,
            _failure: Ordering,
        ) -> Result<u64, u64> {
            let found;
            // SAFETY:
            // - The instructions read and write this one word, which is aligned and lives at
            //   least as long as `self` is borrowed.
            // - They change no register but those named here, and the flags, which `asm!`
            //   takes as changed.
            unsafe {
                core::arch::asm!(
                    "2: ldaxr {found}, [{word}]",
                    "cmp {found}, {expected}",
                    "b.ne 3f",
                    "stlxr {failed:w}, {new}, [{word}]",
                    "cbnz {failed:w}, 2b",
                    "3:",
                    word = in(reg) self.0.as_ptr(),
                    expected = in(reg) expected,
                    new = in(reg) new,
                    found = out(reg) found,
                    failed = out(reg) _,
                    options(nostack),
                );
            }
            if found == expected {
                Ok(found)
            } else {
                Err(found)
            }
        }
    }
}
