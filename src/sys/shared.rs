use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::word::Word;

/// What several owners on any threads share, freed with the last of them: an [`Arc`]
/// that counts in a [`Word`], and so needs no libc on aarch64 either.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    /// Never changed. An `AtomicPtr`, because that goes to other threads; whether the
    /// content may is what `like` says.
    counted: AtomicPtr<Counted<T>>,
    like: PhantomData<Arc<T>>,
}

#[derive(Debug)]
struct Counted<T> {
    owners: Word,
    content: T,
}

impl<T> Shared<T> {
    /// `None`: there is no memory for it.
    pub(crate) fn new(content: T) -> Option<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(1).ok()?;
        memory.push(Counted {
            owners: Word::new(1),
            content,
        });
        let memory: Box<[Counted<T>; 1]> = memory.try_into().ok()?;
        Some(Self::own(Box::into_raw(memory).cast()))
    }

    /// For an owner that is counted already.
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
        // SAFETY: this owner is counted, so the memory is there as long as it is.
        unsafe { &*self.address() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        self.counted().owners.update(|owners| owners + 1);
        Self::own(self.address())
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.counted().owners.update(|owners| owners - 1) == 1 {
            let memory: *mut [Counted<T>; 1] = self.address().cast();
            // SAFETY: this was the last owner, and the memory is that of the `Box` in
            // `new`.
            drop(unsafe { Box::from_raw(memory) });
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted().content
    }
}

/// Room for an owner, which one of several threads takes.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    /// Its address, or zero.
    owner: Word,
    content: PhantomData<Shared<T>>,
}

impl<T> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self {
            owner: Word::new(0),
            content: PhantomData,
        }
    }

    /// Drops what it held before.
    pub(crate) fn put(&self, owner: Shared<T>) {
        let address = owner.address().expose_provenance();
        mem::forget(owner);
        drop(self.swap(address));
    }

    pub(crate) fn take(&self) -> Option<Shared<T>> {
        self.swap(0)
    }

    fn swap(&self, address: usize) -> Option<Shared<T>> {
        match self.owner.update(|_| address as u64) {
            0 => None,
            found => Some(Shared::own(ptr::with_exposed_provenance_mut(
                found as usize,
            ))),
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
