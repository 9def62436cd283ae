//! What the peers have in common, and no more than the workloads need.

use std::os::fd::BorrowedFd;
use std::time::Duration;

/// An event queue, used as its documentation says. An error is a panic: nothing here
/// goes wrong on purpose.
///
/// The functions that have to be fast are `inline(always)`, so that each stands for the
/// lines that it consists of. What is inlined of those is for the compiler to decide, as
/// it is for a user.
pub trait Queue {
    const NAME: &'static str;

    type Waker: Wake;

    fn new() -> Self;

    /// Watches `source` for something to read.
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger);

    /// Changes the token of a source that is registered edge-triggered.
    fn reregister(&self, source: BorrowedFd<'_>, token: usize);

    fn deregister(&self, source: BorrowedFd<'_>);

    fn waker(&self, token: usize) -> Self::Waker;

    /// Waits, and hands over the token of each event. (`polling` reports a wake as no
    /// event at all.)
    fn wait(&mut self, timeout: Option<Duration>, each: impl FnMut(usize));
}

pub trait Wake: Send + Sync {
    fn wake(&self);
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Level,
    Edge,
}

/// How many events a wait returns at most, with any peer.
pub const CAPACITY: usize = 1024;
