//! Has a waker of a queue with a heap, and without libc, do all that it can, and says
//! what the queue has reported.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

extern crate alloc;

#[cfg(not(feature = "std"))]
mod heap;
#[allow(dead_code, unused_imports)]
#[path = "../../src/rt/mod.rs"]
mod rt;

use core::fmt::Write;
use core::time::Duration;
use epore::fd::AsRawFd;
use epore::{Event, Events, Poll, Result, Token, Waker};

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

fn run(_: rt::Args) -> u8 {
    u8::from(wakes(&mut rt::Out::stdout()).is_err())
}

fn wakes(out: &mut rt::Out) -> Result<()> {
    let mut queue = Poll::new()?;
    let waker = Waker::new(queue.registry(), Token(7))?;
    let mut report = |when: &str, queue: &mut Poll| {
        let mut events = Events::<4>::new();
        queue.poll(&mut events, Some(Duration::ZERO))?;
        let tokens = events.iter().map(Event::token).map(usize::from);
        let _ = writeln!(out, "{when}: {:?}", tokens.collect::<alloc::vec::Vec<_>>());
        Ok(())
    };
    report("before", &mut queue)?;
    for _ in 0..2 {
        waker.wake()?;
        waker.wake()?;
        report("woken", &mut queue)?;
    }
    report("after", &mut queue)?;
    waker.wake()?;
    queue.as_raw_fd();
    waker.wake()?;
    report("lent", &mut queue)?;
    drop(waker);
    report("dropped", &mut queue)
}
