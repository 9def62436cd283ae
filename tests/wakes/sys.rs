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

    pub(crate) fn update(&self, change: impl Fn(u64) -> u64) -> u64 {
        let (done, failed) = (Ordering::AcqRel, Ordering::Relaxed);
        let mut expected = self.load();
        loop {
            match (self.0).compare_exchange(expected, change(expected), done, failed) {
                Ok(found) => return found,
                Err(found) => expected = found,
            }
        }
    }
}
