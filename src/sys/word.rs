use core::sync::atomic::{self, AtomicU64, Ordering};

/// Sequentially consistent, for a thread that goes on to look at what others change.
#[inline]
pub(crate) fn fence() {
    atomic::fence(Ordering::SeqCst);
}

/// A word that several threads read and change.
///
/// All it has is a compare-exchange. On x86_64 that is the standard library's. On
/// aarch64 that one is a call, to a routine that asks libc's `getauxval` which
/// instructions the processor has, so a program without libc could not be linked;
/// here it is the pair of instructions that every such processor has.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

impl Word {
    pub(crate) const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// What it is now. Orders nothing.
    #[inline]
    pub(crate) fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes it `value`, whatever it was. Orders nothing.
    #[inline]
    pub(crate) fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Changes it in one step, and returns what it was. Acquires what earlier changes
    /// have released, and releases to later ones, also if it stays as it was.
    #[inline]
    pub(crate) fn update(&self, change: impl Fn(u64) -> u64) -> u64 {
        let mut expected = self.load();
        loop {
            let found = self.compare_exchange(expected, change(expected));
            if found == expected {
                return found;
            }
            expected = found;
        }
    }

    /// Makes it `new` if it is `expected`, and returns what it was. Orders as `update`.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn compare_exchange(&self, expected: u64, new: u64) -> u64 {
        let (done, failed) = (Ordering::AcqRel, Ordering::Relaxed);
        match self.0.compare_exchange(expected, new, done, failed) {
            Ok(found) | Err(found) => found,
        }
    }

    /// Makes it `new` if it is `expected`, and returns what it was. Orders as `update`.
    #[cfg(target_arch = "aarch64")]
    #[inline]
    pub(crate) fn compare_exchange(&self, expected: u64, new: u64) -> u64 {
        let found;
        // SAFETY: it reads and writes the word alone, which is aligned, and lives as
        // long as `self` is borrowed; the flags it sets are declared as lost.
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
        found
    }
}
