//! The word that threads share, and the orders of its steps.

use super::atomic::{self, AtomicU64, Ordering};

/// A sequentially consistent fence: between what this thread did and what it is about to load.
#[inline]
pub(crate) fn fence() {
    atomic::fence(Ordering::SeqCst);
}

/// A word that several threads load and change.
#[derive(Debug)]
pub(crate) struct AtomicWord(AtomicU64);

impl AtomicWord {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Loads it. Orders nothing.
    #[inline]
    pub(crate) fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Loads it, and acquires what the change that made it so has released.
    #[inline]
    pub(crate) fn load_acquire(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Stores `value`. Orders nothing.
    #[inline]
    pub(crate) fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Changes it in one step, and returns what it was before. Acquires what earlier changes
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

    /// Makes it `new` if it is `expected`, and returns what it was before. Orders like `update`;
    /// if it was not `expected`, only acquires.
    #[inline]
    pub(crate) fn compare_exchange(&self, expected: u64, new: u64) -> u64 {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.0.compare_exchange(expected, new, success, failure) {
            Ok(found) | Err(found) => found,
        }
    }
}
