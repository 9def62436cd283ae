use core::cell::UnsafeCell;
use core::sync::atomic::AtomicBool;

/// A static that gives its content away, once: a large table without a heap and
/// without a trip over the stack.
pub struct Singleton<T> {
    taken: AtomicBool,
    content: UnsafeCell<T>,
}

// SAFETY: `content` is reached only through `take`, which hands it to a single
// caller; that caller may be on another thread, hence `T: Send`.
unsafe impl<T: Send> Sync for Singleton<T> {}

impl<T> Singleton<T> {
    pub const fn new(content: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            content: UnsafeCell::new(content),
        }
    }

    /// The content to whoever asks first, `None` from then on.
    #[expect(clippy::mut_from_ref, reason = "the claim is what makes it unique")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if !super::world::claim(&self.taken) {
            return None;
        }
        // SAFETY: `content` is part of a static, so it lives for ever, and the
        // claim succeeds once, so this is the only reference to it there will be.
        Some(unsafe { &mut *self.content.get() })
    }
}
