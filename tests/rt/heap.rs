//! As little of a heap as the library's feature `alloc` needs in a program of one
//! thread: what is given back is not used again.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 64 << 10;

struct Heap {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    memory: UnsafeCell::new([0; SIZE]),
    used: AtomicUsize::new(0),
};

// SAFETY: there is one thread.
unsafe impl Sync for Heap {}

// SAFETY: no two calls return the same part of the memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.memory.get().cast::<u8>();
        let used = self.used.load(Ordering::Relaxed);
        let begin = (start as usize + used).next_multiple_of(layout.align()) - start as usize;
        let end = begin + layout.size();
        if end > SIZE {
            return ptr::null_mut();
        }
        self.used.store(end, Ordering::Relaxed);
        start.wrapping_add(begin)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
