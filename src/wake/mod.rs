//! How a wake reaches the thread that polls, and how it spares its system call.
//!
//! - `fd.rs`: [`WakeFd`], the eventfd of a waker, as the kernel sees it.
//! - `state.rs`: the protocol by which a wake is reported without a write (feature `alloc`).
//! - `shared.rs`: what a queue and its wakers share, and its two sides (feature `alloc`).
//! - `unshared.rs`: the same two sides without a heap: they share nothing, and every wake writes.
//!
//! `poll.rs` uses the queue's side, `waker.rs` a waker's side.

mod fd;
#[cfg(feature = "alloc")]
mod shared;
#[cfg(feature = "alloc")]
mod state;
#[cfg(not(feature = "alloc"))]
mod unshared;

pub(crate) use fd::WakeFd;
#[cfg(feature = "alloc")]
pub(crate) use shared::{Fairness, QueueSide, WakerSide};
#[cfg(not(feature = "alloc"))]
pub(crate) use unshared::{QueueSide, WakerSide};
