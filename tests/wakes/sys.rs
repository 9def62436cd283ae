//! As much of `epore::sys` as the wakes need.

use loom::sync::atomic::{self, AtomicU64, Ordering};

pub(crate) fn fence() {
    atomic::fence(Ordering::SeqCst);
}

/// Orders what the library's own orders, and no more.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

impl Word {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    pub(crate) fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

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

    pub(crate) fn compare_exchange(&self, expected: u64, new: u64) -> u64 {
        let (done, failed) = (Ordering::AcqRel, Ordering::Relaxed);
        match self.0.compare_exchange(expected, new, done, failed) {
            Ok(found) | Err(found) => found,
        }
    }
}
