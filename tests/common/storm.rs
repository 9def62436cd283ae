//! Threads that register, change, deregister and wake while the queue waits, and what
//! the thread that waits must see of it, and must not.
//!
//! Each registration has a serial number, which is in its token. So an event tells
//! whether it comes too late, or twice, or not at all.

use epore::fd::OwnedFd;
use epore::{Event, Events, Interest, Poll, Registry, Token, Waker, sys};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread::{self, Thread};
use std::{panic, process};

/// Has the first panic end the process, with its message: others would wait for ever for
/// the thread that is no more.
pub fn end_at_first_panic() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("a thread of a test");
        // Past libtest's capture, which ends with the process.
        let _ = writeln!(io::stderr(), "{name}: {panic}");
        process::abort();
    }));
}

/// What a token says, besides the serial number and the thread's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Reported as often as one looks.
    Level,
    /// Reported once at most.
    Once,
    /// Reported once: the thread waits for that.
    Awaited,
    Bell,
    Finished,
}

const KINDS: [Kind; 5] = [
    Kind::Level,
    Kind::Once,
    Kind::Awaited,
    Kind::Bell,
    Kind::Finished,
];

/// The highest bit of a token of ours; others are free for other sources.
const OURS: usize = 1 << 63;

fn token(kind: Kind, index: usize, serial: usize) -> Token {
    Token(OURS | serial << 16 | (kind as usize) << 8 | index)
}

/// Numbers for which it matters only that they differ.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// A number that one thread waits for another to reach.
#[derive(Default)]
pub struct Reached {
    number: AtomicUsize,
    waiting: OnceLock<Thread>,
}

impl Reached {
    pub fn wait_for(&self, number: usize) {
        self.waiting.get_or_init(thread::current);
        // Either this thread sees the number, or the other sees this thread.
        fence(Ordering::SeqCst);
        while self.number.load(Ordering::Acquire) < number {
            thread::park();
        }
    }

    pub fn set(&self, number: usize) {
        self.number.store(number, Ordering::Release);
        fence(Ordering::SeqCst);
        if let Some(thread) = self.waiting.get() {
            thread.unpark();
        }
    }
}

/// How a thread goes about it.
#[derive(Clone, Copy)]
pub struct Manner {
    /// At most so many reregistrations between a registration and its end.
    pub reregistrations: usize,
    /// Of so many operations one is awaited; of 0 none.
    pub awaited: usize,
}

impl Manner {
    fn awaits(&self, random: &mut Random) -> bool {
        self.awaited > 0 && random.below(self.awaited) == 0
    }
}

/// A thread that registers its source, again and again.
#[derive(Default)]
pub struct Lane {
    /// Serial numbers below this are of the past: that was so when it was stored.
    past: AtomicUsize,
    reported: Reached,
    pub operations: AtomicUsize,
    pub awaited: AtomicUsize,
}

impl Lane {
    /// Goes on as long as `go_on`, given how many operations it were, says so.
    pub fn run(
        &self,
        index: usize,
        shared: &Registry,
        manner: Manner,
        go_on: impl Fn(usize) -> bool,
    ) {
        let source = always_readable();
        let mut random = Random(index as u64 + 1);
        let mut registry = shared.try_clone().expect("a descriptor");
        let (mut serial, mut operations) = (0, 0);
        while go_on(operations) {
            if random.below(32) == 0 {
                // The one before is dropped, in the midst of all.
                registry = shared.try_clone().expect("a descriptor");
            }
            serial += 1;
            let (kind, interest) = self.draw(manner, &mut random);
            registry
                .register(&source, token(kind, index, serial), interest)
                .expect("a source that is not registered");
            self.wait_if_awaited(kind, serial);
            let changes = random.below(manner.reregistrations + 1);
            for _ in 0..changes {
                serial += 1;
                let (kind, interest) = self.draw(manner, &mut random);
                registry
                    .reregister(&source, token(kind, index, serial), interest)
                    .expect("a source that is registered");
                self.past.store(serial, Ordering::Release);
                self.wait_if_awaited(kind, serial);
            }
            registry
                .deregister(&source)
                .expect("a source that is registered");
            serial += 1;
            self.past.store(serial, Ordering::Release);
            operations += changes + 2;
        }
        self.operations.store(operations, Ordering::SeqCst);
    }

    fn draw(&self, manner: Manner, random: &mut Random) -> (Kind, Interest) {
        let once = [Interest::READABLE.edge(), Interest::READABLE.oneshot()][random.below(2)];
        if manner.awaits(random) {
            self.awaited.fetch_add(1, Ordering::SeqCst);
            (Kind::Awaited, once)
        } else if random.below(2) == 0 {
            (Kind::Once, once)
        } else {
            (Kind::Level, Interest::READABLE)
        }
    }

    fn wait_if_awaited(&self, kind: Kind, serial: usize) {
        if kind == Kind::Awaited {
            self.reported.wait_for(serial);
        }
    }
}

pub fn always_readable() -> OwnedFd {
    sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).expect("a descriptor")
}

/// A thread that wakes, and counts before it does.
#[derive(Default)]
pub struct Bell {
    rung: AtomicUsize,
    heard: Reached,
}

impl Bell {
    pub fn waker(index: usize, registry: &Registry) -> Waker {
        Waker::new(registry, token(Kind::Bell, index, 0)).expect("a waker")
    }

    pub fn run(&self, index: usize, waker: &Waker, manner: Manner, go_on: impl Fn(usize) -> bool) {
        let mut random = Random(index as u64 + 1000);
        let mut number = 0;
        while go_on(number) {
            number += 1;
            // The wake is to carry it over, and nothing else.
            self.rung.store(number, Ordering::Relaxed);
            waker.wake().expect("a wake");
            if manner.awaits(&mut random) {
                self.heard.wait_for(number);
            }
        }
    }

    pub fn rung(&self) -> usize {
        self.rung.load(Ordering::SeqCst)
    }
}

/// What the thread that waits has seen.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub operations: usize,
    pub waits: usize,
    pub events: usize,
    /// Events of what was over when the wait had returned, though not when it began.
    pub late: usize,
    pub awaited: usize,
    pub bells: usize,
}

/// Looks at every event of the lanes and the bells.
pub struct Watcher<'s> {
    lanes: &'s [Lane],
    bells: &'s [Bell],
    /// Of each lane: what was of the past before this wait.
    past: Vec<usize>,
    /// Of each lane: the last serial number that was reported.
    last: Vec<usize>,
    /// Of each bell: what was told by its last event.
    heard: Vec<usize>,
    pub counts: Counts,
}

impl<'s> Watcher<'s> {
    pub fn new(lanes: &'s [Lane], bells: &'s [Bell]) -> Self {
        Self {
            lanes,
            bells,
            past: vec![0; lanes.len()],
            last: vec![0; lanes.len()],
            heard: vec![0; bells.len()],
            counts: Counts::default(),
        }
    }

    /// To be called before each wait.
    pub fn about_to_wait(&mut self) {
        self.counts.waits += 1;
        for (past, lane) in self.past.iter_mut().zip(self.lanes) {
            *past = lane.past.load(Ordering::Acquire);
        }
    }

    /// Whether the event is one of these.
    pub fn see(&mut self, event: &Event) -> bool {
        let Token(token) = event.token();
        if token & OURS == 0 {
            return false;
        }
        self.counts.events += 1;
        let (index, serial) = (token & 0xff, (token & !OURS) >> 16);
        let kind = KINDS[token >> 8 & 0xff];
        match kind {
            Kind::Level | Kind::Once | Kind::Awaited => self.see_source(kind, index, serial),
            Kind::Bell => {
                self.counts.bells += 1;
                self.heard[index] = self.bells[index].rung.load(Ordering::Relaxed);
                self.bells[index].heard.set(self.heard[index]);
            }
            Kind::Finished => {}
        }
        true
    }

    fn see_source(&mut self, kind: Kind, index: usize, serial: usize) {
        let (lane, past, last) = (&self.lanes[index], self.past[index], self.last[index]);
        assert!(
            serial >= past,
            "{kind:?} {serial} of thread {index}: all below {past} was over before the wait"
        );
        assert!(
            serial > last || (serial == last && kind == Kind::Level),
            "{kind:?} {serial} of thread {index} after {last}"
        );
        self.last[index] = serial;
        self.counts.late += usize::from(serial < lane.past.load(Ordering::Acquire));
        if kind == Kind::Awaited {
            self.counts.awaited += 1;
            lane.reported.set(serial);
        }
    }

    /// Whether each bell's last wake has been heard.
    pub fn has_heard_all(&self) -> bool {
        let mut bells = self.bells.iter().zip(&self.heard);
        bells.all(|(bell, heard)| bell.rung() == *heard)
    }

    /// What must be so once all threads have ended, and no bell is left to hear.
    pub fn settle(mut self) -> Counts {
        let of_lanes = |count: fn(&Lane) -> &AtomicUsize| -> usize {
            let counts = self.lanes.iter().map(count);
            counts.map(|count| count.load(Ordering::SeqCst)).sum()
        };
        assert_eq!(self.counts.awaited, of_lanes(|lane| &lane.awaited));
        let rung: usize = self.bells.iter().map(Bell::rung).sum();
        assert!(self.counts.bells <= rung, "{:?}", self.counts);
        self.counts.operations = of_lanes(|lane| &lane.operations) + rung;
        self.counts
    }
}

/// So many threads of either sort at work on a queue, until each has done its part.
pub struct Storm {
    pub lanes: usize,
    pub bells: usize,
    /// Of all threads together.
    pub operations: usize,
    pub manner: Manner,
}

impl Storm {
    pub fn rage(&self) -> Counts {
        end_at_first_panic();
        let mut queue = Poll::new().expect("a queue");
        let shared = queue.registry().try_clone().expect("a descriptor");
        let lanes: Vec<_> = (0..self.lanes).map(|_| Lane::default()).collect();
        let bells: Vec<_> = (0..self.bells).map(|_| Bell::default()).collect();
        let threads = self.lanes + self.bells;
        let part = self.operations.div_ceil(threads);
        let done = AtomicUsize::new(0);
        let finished = Waker::new(&shared, token(Kind::Finished, 0, 0)).expect("a waker");
        let wakers: Vec<_> = (0..self.bells)
            .map(|index| Bell::waker(index, &shared))
            .collect();
        let finish = || {
            done.fetch_add(1, Ordering::SeqCst);
            finished.wake().expect("a wake");
        };

        thread::scope(|scope| {
            let (shared, finish, manner) = (&shared, &finish, self.manner);
            for (index, lane) in lanes.iter().enumerate() {
                scope.spawn(move || {
                    lane.run(index, shared, manner, |operations| operations < part);
                    finish();
                });
            }
            for (index, (bell, waker)) in bells.iter().zip(&wakers).enumerate() {
                scope.spawn(move || {
                    bell.run(index, waker, manner, |number| number < part);
                    finish();
                });
            }
            let mut watcher = Watcher::new(&lanes, &bells);
            let mut events = Events::<8>::new();
            while done.load(Ordering::SeqCst) < threads || !watcher.has_heard_all() {
                watcher.about_to_wait();
                super::queue::poll(&mut queue, &mut events, None).expect("a wait");
                for event in &events {
                    assert!(watcher.see(event), "{event:?}");
                }
            }
            watcher.settle()
        })
    }
}
