//! What a queue is given to do. Each function does `n` operations with a new queue, and
//! returns the time that these took, without what came before and after them.

use crate::file::{self, End};
use crate::queue::{Queue, Trigger, Wake};
use std::arch::asm;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How many layouts of its code a workload is compiled in. After a system call the
/// processor may mispredict a branch for no other reason than where the branch lies, and
/// that can be half of what a wait costs. So each workload has its loop in some places,
/// in different lines of the cache and at each of the four beginnings that there are in
/// one, since the compiler aligns loops by 16 bytes.
pub const LAYOUTS: usize = 8;

/// Moves what follows to its place.
#[inline(always)]
fn shift<const LAYOUT: usize>() {
    const LINE: usize = 64;
    // SAFETY: these instructions do nothing.
    unsafe {
        asm!(
            ".p2align 6",
            ".rept {}",
            "nop",
            ".endr",
            const LAYOUT * (3 * LINE + 16) / NOP,
            options(nomem, nostack)
        );
    }
}

/// The length of a `nop`.
const NOP: usize = if cfg!(target_arch = "x86_64") { 1 } else { 4 };

/// Waits, over sources that are ready or not. `timeout` and `each` are functions, for the
/// compiler to see a constant where a program would have one.
#[inline(always)]
pub fn wait<Q: Queue, const LAYOUT: usize>(
    n: u32,
    sources: &[OwnedFd],
    timeout: impl Fn() -> Option<Duration>,
    each: impl Fn(usize),
) -> Duration {
    let mut queue = Q::new();
    for (token, source) in sources.iter().enumerate() {
        queue.register(source.as_fd(), token, Trigger::Level);
    }
    shift::<LAYOUT>();
    let start = Instant::now();
    for _ in 0..n {
        queue.wait(timeout(), &each);
    }
    start.elapsed()
}

/// Looks at an event, and no more.
pub fn look(token: usize) {
    black_box(token);
}

/// Does not even look.
pub fn ignore(_: usize) {}

/// Waits while one source is ready and many are not.
pub fn idle<Q: Queue, const LAYOUT: usize>(n: u32, idle: &[OwnedFd]) -> Duration {
    let mut queue = Q::new();
    for (token, source) in idle.iter().enumerate() {
        queue.register(source.as_fd(), token, Trigger::Level);
    }
    let ready = file::ready();
    queue.register(ready.as_fd(), idle.len(), Trigger::Level);
    shift::<LAYOUT>();
    let start = Instant::now();
    for _ in 0..n {
        queue.wait(None, |token| assert_eq!(token, idle.len()));
    }
    start.elapsed()
}

/// Changes a registration.
pub fn modify<Q: Queue, const LAYOUT: usize>(n: u32) -> Duration {
    let (queue, source) = (Q::new(), file::eventfd());
    queue.register(source.as_fd(), 0, Trigger::Edge);
    shift::<LAYOUT>();
    let start = Instant::now();
    for token in 0..n {
        queue.reregister(source.as_fd(), token as usize);
    }
    start.elapsed()
}

/// Makes a registration, and ends it.
pub fn churn<Q: Queue, const LAYOUT: usize>(n: u32) -> Duration {
    let (queue, source) = (Q::new(), file::eventfd());
    shift::<LAYOUT>();
    let start = Instant::now();
    for token in 0..n {
        queue.register(source.as_fd(), token as usize, Trigger::Edge);
        queue.deregister(source.as_fd());
    }
    start.elapsed()
}

/// A message there, and one back.
pub fn ping_pong<Q: Queue, const LAYOUT: usize>(n: u32, (one, other): &(End, End)) -> Duration {
    fn await_message(queue: &mut impl Queue, end: &End) {
        let mut count = 0;
        while count == 0 {
            queue.wait(None, |_| count = end.read());
        }
    }
    fn watching<Q: Queue>(end: &End) -> Q {
        let queue = Q::new();
        queue.register(end.input.as_fd(), 0, Trigger::Edge);
        queue
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut queue = watching::<Q>(other);
            for _ in 0..n {
                await_message(&mut queue, other);
                other.write(1);
            }
        });
        let mut queue = watching::<Q>(one);
        shift::<LAYOUT>();
        let start = Instant::now();
        for _ in 0..n {
            one.write(1);
            await_message(&mut queue, one);
        }
        start.elapsed()
    })
}

/// A message to a server and back, when every connection has one under way.
pub fn echo<Q: Queue, const LAYOUT: usize>(
    n: u32,
    (clients, servers): &(Vec<TcpStream>, Vec<TcpStream>),
) -> Duration {
    let turns = (n as usize).div_ceil(clients.len());
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut queue = Q::new();
            for (token, server) in servers.iter().enumerate() {
                queue.register(server.as_fd(), token, Trigger::Edge);
            }
            ready.wait();
            let mut left = turns * servers.len();
            while left > 0 {
                queue.wait(None, |token| {
                    let mut message = [0; 64];
                    let mut stream = &servers[token];
                    let count = stream.read(&mut message).expect("a client");
                    stream.write_all(&message[..count]).expect("a client");
                    left -= 1;
                });
            }
        });
        ready.wait();
        shift::<LAYOUT>();
        let start = Instant::now();
        for _ in 0..turns {
            for mut client in clients {
                client.write_all(&[0; 32]).expect("a server");
            }
            for mut client in clients {
                client.read_exact(&mut [0; 32]).expect("a server");
            }
        }
        // Of so many messages as were asked for.
        start
            .elapsed()
            .mul_f64(f64::from(n) / (turns * clients.len()) as f64)
    })
}

/// libevent's benchmark: `active` bytes, fewer than there are pipes, go round a ring of
/// them; an operation is a byte that goes one pipe further.
pub fn ring<Q: Queue, const LAYOUT: usize>(n: u32, pipes: &[End], active: usize) -> Duration {
    let mut queue = Q::new();
    for (token, pipe) in pipes.iter().enumerate() {
        queue.register(pipe.input.as_fd(), token, Trigger::Edge);
    }
    for at in 0..active {
        pipes[at * pipes.len() / active].write(1);
    }
    let mut handled = 0;
    shift::<LAYOUT>();
    let start = Instant::now();
    while handled < n {
        queue.wait(None, |token| {
            let count = pipes[token].read();
            pipes[(token + 1) % pipes.len()].write(count);
            handled += 1;
        });
    }
    let took = start.elapsed().mul_f64(f64::from(n) / f64::from(handled));
    let mut left = active;
    while left > 0 {
        queue.wait(None, |token| left -= pipes[token].read());
    }
    took
}

/// Wakes, from several threads at once, of one that does nothing but wait.
pub fn storm<Q: Queue, const LAYOUT: usize>(n: u32, threads: u32) -> Duration {
    let mut queue = Q::new();
    let (waker, begin) = (&queue.waker(0), &Barrier::new(threads as usize));
    let left = &AtomicU32::new(threads);
    thread::scope(|scope| {
        let work = || {
            begin.wait();
            shift::<LAYOUT>();
            let start = Instant::now();
            for _ in 0..n.div_ceil(threads) {
                waker.wake();
            }
            let end = Instant::now();
            left.fetch_sub(1, Ordering::Release);
            waker.wake();
            (start, end)
        };
        let wakers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while left.load(Ordering::Acquire) > 0 {
            queue.wait(None, |_| {});
        }
        let spans = wakers.into_iter().map(|waker| waker.join().unwrap());
        let (starts, ends): (Vec<_>, Vec<_>) = spans.unzip();
        let took = *ends.iter().max().unwrap() - *starts.iter().min().unwrap();
        took.mul_f64(f64::from(n) / f64::from(n.div_ceil(threads) * threads))
    })
}

/// From a wake to what the woken thread does. (An operation is half a round trip.)
pub fn wake<Q: Queue, const LAYOUT: usize>(n: u32) -> Duration {
    fn until(queue: &mut impl Queue, turn: &AtomicU32, wanted: u32) {
        while turn.load(Ordering::Acquire) != wanted {
            queue.wait(None, |_| {});
        }
    }
    let mut queue = Q::new();
    let (wake_this, turn) = (&queue.waker(0), &AtomicU32::new(0));
    let turns = n.div_ceil(2) * 2;
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            let mut queue = Q::new();
            sender.send(queue.waker(0)).expect("the other thread");
            for now in (1..=turns).step_by(2) {
                until(&mut queue, turn, now);
                turn.store(now + 1, Ordering::Release);
                wake_this.wake();
            }
        });
        let wake_other = receiver.recv().expect("the other thread");
        shift::<LAYOUT>();
        let start = Instant::now();
        for now in (1..=turns).step_by(2) {
            turn.store(now, Ordering::Release);
            wake_other.wake();
            until(&mut queue, turn, now + 1);
        }
        let took = start.elapsed();
        took.mul_f64(f64::from(n) / f64::from(turns))
    })
}

/// Wakes of a queue that nobody waits on, and that knows of the first already.
pub fn pending_wake<Q: Queue, const LAYOUT: usize>(n: u32) -> Duration {
    let queue = Q::new();
    let waker = queue.waker(0);
    shift::<LAYOUT>();
    let start = Instant::now();
    for _ in 0..n {
        waker.wake();
    }
    start.elapsed()
}
