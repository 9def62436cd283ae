use core::fmt;
use core::num::NonZeroU32;
use core::ops::{BitOr, BitOrAssign};

use crate::sys::{
    EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLWAKEUP,
};

const READINESS: u32 = EPOLLIN | EPOLLOUT | EPOLLPRI;

/// What a registration asks for: at least one of [`READABLE`](Self::READABLE),
/// [`WRITABLE`](Self::WRITABLE) and [`PRIORITY`](Self::PRIORITY), and how it is
/// told.
///
/// Without a mode, an event is *level-triggered*: every wait reports the state
/// as long as it lasts.
///
/// ```
/// use epore::Interest;
///
/// const STREAM: Interest = Interest::READABLE.add(Interest::WRITABLE).edge();
/// assert_eq!(STREAM, (Interest::READABLE | Interest::WRITABLE).edge());
/// assert_eq!(format!("{STREAM:?}"), "READABLE | WRITABLE | edge");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(NonZeroU32);

impl Interest {
    /// Data, a connection to accept, or the end of the stream: `EPOLLIN`, and
    /// `EPOLLRDHUP` unless [`exclusive`](Self::exclusive).
    pub const READABLE: Self = Self::of(EPOLLIN);

    /// Room to write, or the outcome of a connect: `EPOLLOUT`.
    pub const WRITABLE: Self = Self::of(EPOLLOUT);

    /// Urgent data, or what else a file takes for exceptional: `EPOLLPRI`.
    pub const PRIORITY: Self = Self::of(EPOLLPRI);

    #[inline]
    const fn of(bits: u32) -> Self {
        match NonZeroU32::new(bits) {
            Some(bits) => Self(bits),
            None => panic!("an interest is never empty"),
        }
    }

    #[inline]
    const fn with(self, bits: u32) -> Self {
        Self::of(self.0.get() | bits)
    }

    #[inline]
    const fn has(self, bits: u32) -> bool {
        self.0.get() & bits != 0
    }

    /// Both, with the modes of both; `|`, in a `const`.
    #[must_use]
    #[inline]
    pub const fn add(self, other: Self) -> Self {
        self.with(other.0.get())
    }

    /// What is left without the readiness that `other` asks for, with the modes
    /// as they are; `None` if nothing is.
    #[must_use]
    #[inline]
    pub const fn remove(self, other: Self) -> Option<Self> {
        let left = self.0.get() & !(other.0.get() & READINESS);
        if left & READINESS == 0 {
            None
        } else {
            Some(Self::of(left))
        }
    }

    /// *Edge-triggered*: one event per change, `EPOLLET`. Read or write until
    /// [`EAGAIN`](crate::Error::is_would_block) after each, or the rest stays
    /// unreported until something new happens.
    #[must_use]
    #[inline]
    pub const fn edge(self) -> Self {
        self.with(EPOLLET)
    }

    /// One event, then silence until [`reregister`](crate::Registry::reregister),
    /// `EPOLLONESHOT`: for a source that several threads might otherwise handle at
    /// once.
    #[must_use]
    #[inline]
    pub const fn oneshot(self) -> Self {
        self.with(EPOLLONESHOT)
    }

    /// Of several queues that watch one file, wake one or a few and not all,
    /// `EPOLLEXCLUSIVE` (Linux 4.5).
    ///
    /// The kernel takes it for `READABLE`, `WRITABLE`, [`edge`](Self::edge) and
    /// [`wakeup`](Self::wakeup) alone, not with `PRIORITY` or
    /// [`oneshot`](Self::oneshot), not for a queue, and never in a `reregister`. It
    /// refuses `EPOLLRDHUP` too, so a `READABLE` that is exclusive does not ask for
    /// it.
    #[must_use]
    #[inline]
    pub const fn exclusive(self) -> Self {
        self.with(EPOLLEXCLUSIVE)
    }

    /// Keep the system from suspending from the event on, until the next wait on
    /// this queue, `EPOLLWAKEUP` (Linux 3.5). Without `CAP_BLOCK_SUSPEND` the kernel
    /// ignores it in silence.
    #[must_use]
    #[inline]
    pub const fn wakeup(self) -> Self {
        self.with(EPOLLWAKEUP)
    }

    /// Whether it asks for [`READABLE`](Self::READABLE).
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.has(EPOLLIN)
    }

    /// Whether it asks for [`WRITABLE`](Self::WRITABLE).
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.has(EPOLLOUT)
    }

    /// Whether it asks for [`PRIORITY`](Self::PRIORITY).
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.has(EPOLLPRI)
    }

    /// Whether it is edge-triggered.
    #[inline]
    pub const fn is_edge(self) -> bool {
        self.has(EPOLLET)
    }

    /// Whether it falls silent after one event.
    #[inline]
    pub const fn is_oneshot(self) -> bool {
        self.has(EPOLLONESHOT)
    }

    /// Whether it is exclusive.
    #[inline]
    pub const fn is_exclusive(self) -> bool {
        self.has(EPOLLEXCLUSIVE)
    }

    /// Whether it holds off suspend.
    #[inline]
    pub const fn is_wakeup(self) -> bool {
        self.has(EPOLLWAKEUP)
    }

    /// The `EPOLL…` bits that [`epoll_ctl`](crate::sys::epoll_ctl) is given.
    ///
    /// ```
    /// use epore::{Interest, sys};
    ///
    /// assert_eq!(Interest::READABLE.bits(), sys::EPOLLIN | sys::EPOLLRDHUP);
    /// assert_eq!(Interest::READABLE.exclusive().bits(), sys::EPOLLIN | sys::EPOLLEXCLUSIVE);
    /// ```
    #[inline]
    pub const fn bits(self) -> u32 {
        let bits = self.0.get();
        if self.has(EPOLLIN) && !self.has(EPOLLEXCLUSIVE) {
            bits | EPOLLRDHUP
        } else {
            bits
        }
    }
}

impl BitOr for Interest {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (EPOLLIN, "READABLE"),
            (EPOLLOUT, "WRITABLE"),
            (EPOLLPRI, "PRIORITY"),
            (EPOLLET, "edge"),
            (EPOLLONESHOT, "oneshot"),
            (EPOLLEXCLUSIVE, "exclusive"),
            (EPOLLWAKEUP, "wakeup"),
        ];
        crate::event::names(f, self.0.get(), &names)
    }
}
