//! Reference counting without libc: `Arc`, and `ArcCell`, a place for one.

use alloc::boxed::Box;
use alloc::sync;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::word::AtomicWord;

/// [`alloc::sync::Arc`], counted in an [`AtomicWord`], and so without libc on aarch64 too.
pub(crate) struct Arc<T> {
    /// Never changed. An `AtomicPtr` is `Send` and `Sync`; `PhantomData` restricts that to what
    /// the content allows.
    counted: AtomicPtr<Counted<T>>,
    like: PhantomData<sync::Arc<T>>,
}

struct Counted<T> {
    owners: AtomicWord,
    content: T,
}

impl<T> Arc<T> {
    /// `None`: the heap has no memory.
    pub(crate) fn try_new(content: T) -> Option<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(1).ok()?;
        memory.push(Counted {
            owners: AtomicWord::new(1),
            content,
        });
        let memory: Box<[Counted<T>; 1]> = memory.try_into().ok()?;
        Some(Self::own(Box::into_raw(memory).cast()))
    }

    /// An owner that is counted already.
    fn own(counted: *mut Counted<T>) -> Self {
        Self {
            counted: AtomicPtr::new(counted),
            like: PhantomData,
        }
    }

    #[inline]
    fn address(&self) -> *mut Counted<T> {
        self.counted.load(Ordering::Relaxed)
    }

    #[inline]
    fn counted(&self) -> &Counted<T> {
        // SAFETY:
        // - This owner is counted, so the memory is not freed while `self` is borrowed.
        // - Nothing has a `&mut` to the content until the last owner is gone.
        unsafe { &*self.address() }
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        self.counted().owners.update(|owners| owners + 1);
        Self::own(self.address())
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        if self.counted().owners.update(|owners| owners - 1) == 1 {
            let memory: *mut [Counted<T>; 1] = self.address().cast();
            // SAFETY:
            // - This was the last owner: the count has gone from 1 to 0.
            // - The memory is that of the `Box` in `try_new`.
            // - What other owners did with the content happens before: `update` acquires what
            //   theirs have released.
            drop(unsafe { Box::from_raw(memory) });
        }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted().content
    }
}

/// A place for one `Arc`, which several threads may put there and take.
pub(crate) struct ArcCell<T> {
    /// The address of what it owns, or zero.
    address: AtomicWord,
    content: PhantomData<Arc<T>>,
}

impl<T> ArcCell<T> {
    pub(crate) fn new() -> Self {
        Self {
            address: AtomicWord::new(0),
            content: PhantomData,
        }
    }

    /// Puts `owner` there, and drops what was there before.
    pub(crate) fn put(&self, owner: Arc<T>) {
        let address = owner.address().expose_provenance();
        mem::forget(owner);
        drop(self.swap(address));
    }

    /// Takes out what is there.
    pub(crate) fn take(&self) -> Option<Arc<T>> {
        self.swap(0)
    }

    fn swap(&self, address: usize) -> Option<Arc<T>> {
        match self.address.update(|_| address as u64) {
            0 => None,
            found => Some(Arc::own(ptr::with_exposed_provenance_mut(found as usize))),
        }
    }
}

impl<T> Drop for ArcCell<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// Shows no address of the heap.
impl<T> fmt::Debug for ArcCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.address.load() {
            0 => "ArcCell(empty)",
            _ => "ArcCell(full)",
        })
    }
}
