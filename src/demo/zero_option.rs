//! An `Option` whose `None` is all zeros.

/// `None` is zero, whatever `T` is: a static full of these takes no room in the
/// executable. (The `None` of an `Option` of std's `OwnedFd` is -1.)
#[repr(u8)]
pub enum ZeroOption<T> {
    None = 0,
    Some(T),
}

impl<T> ZeroOption<T> {
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Some(content) => Some(content),
        }
    }

    /// Takes the content out and leaves `None`.
    pub fn take(&mut self) -> Option<T> {
        match core::mem::replace(self, Self::None) {
            Self::None => None,
            Self::Some(content) => Some(content),
        }
    }
}
