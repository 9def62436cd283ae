//! As much of the library's `sys` as the wakes need: its own source, over loom's atomics.

mod atomic {
    //! In place of `src/sys/atomic.rs`.
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

#[path = "../../src/sys/arc.rs"]
mod arc;
#[path = "../../src/sys/word.rs"]
mod word;

pub(crate) use arc::{Arc, ArcCell};
pub(crate) use word::{AtomicWord, fence};
