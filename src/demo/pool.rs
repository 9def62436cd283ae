//! The buffers that connections borrow while there is something to remember.

use super::request::MAX_HEAD;
use core::slice::IterMut;

pub struct Buffer {
    next: Option<&'static mut Buffer>,
    pub bytes: [u8; MAX_HEAD],
}

impl Buffer {
    pub const EMPTY: Self = Self {
        next: None,
        bytes: [0; MAX_HEAD],
    };
}

/// Lends the buffer that was in use last, so that few are ever used, and those stay
/// in the processor's cache.
pub struct Pool {
    /// Those that came back, the last one first.
    used: Option<&'static mut Buffer>,
    fresh: IterMut<'static, Buffer>,
}

impl Pool {
    pub fn new(buffers: &'static mut [Buffer]) -> Self {
        Self {
            used: None,
            fresh: buffers.iter_mut(),
        }
    }

    pub fn borrow(&mut self) -> Option<&'static mut Buffer> {
        let Some(buffer) = self.used.take() else {
            return self.fresh.next();
        };
        self.used = buffer.next.take();
        Some(buffer)
    }

    pub fn give_back(&mut self, buffer: &'static mut Buffer) {
        buffer.next = self.used.take();
        self.used = Some(buffer);
    }
}
