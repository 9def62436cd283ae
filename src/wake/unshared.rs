//! A queue and its wakers in a program without a heap: they share nothing, and every wake writes.
//!
//! The same two sides as in `shared.rs`; what is said there holds.

use super::WakeFd;
use crate::{Result, Token};

#[derive(Clone, Debug)]
pub(crate) struct QueueSide;

#[derive(Debug)]
pub(crate) struct WakerSide(WakeFd);

impl QueueSide {
    #[inline]
    pub(crate) fn new() -> Option<Self> {
        Some(Self)
    }

    #[inline]
    pub(crate) fn add_waker(&self, eventfd: WakeFd, _token: Token) -> Option<WakerSide> {
        Some(WakerSide(eventfd))
    }

    #[inline]
    pub(crate) fn end_sleep(&self, _count: usize) {}

    #[inline]
    pub(crate) fn expose(&self) {}
}

impl WakerSide {
    #[inline]
    pub(crate) fn wake(&self) -> Result<()> {
        self.0.notify()
    }

    #[inline]
    pub(crate) fn expose(&self) -> &WakeFd {
        &self.0
    }

    pub(crate) fn eventfd(&self) -> &WakeFd {
        &self.0
    }
}
