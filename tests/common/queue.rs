//! Waits on a queue that end at a deadline, and then say what was seen.

use super::kernel::{self, SIGUSR1};
use epore::{Event, EventBuffer, Events, Interest, Poll, Result, Token};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a slow emulator on a busy machine; shorter than the deadline of
/// a child process, so that it can say what it saw.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

pub fn queue() -> Poll {
    Poll::new().expect("a queue")
}

/// A queue that watches `source` alone, with token 1.
pub fn watching(source: &impl AsFd, interest: Interest) -> Poll {
    let queue = queue();
    queue
        .registry()
        .register(source, Token(1), interest)
        .expect("a source that can be watched");
    queue
}

/// `poll`, and again where a signal came in between: debuggers and job control
/// send some.
pub fn poll<B: EventBuffer>(
    queue: &mut Poll,
    events: &mut B,
    timeout: Option<Duration>,
) -> Result<()> {
    loop {
        match queue.poll(events, timeout) {
            Err(error) if error.is_interrupted() => {}
            outcome => return outcome,
        }
    }
}

/// What is there now, without waiting.
#[track_caller]
pub fn look(queue: &mut Poll) -> Vec<Event> {
    let mut events = Vec::with_capacity(64);
    poll(queue, &mut events, AT_ONCE).expect("a look");
    events
}

/// Waits for the next events.
#[track_caller]
pub fn expect_events(queue: &mut Poll) -> Vec<Event> {
    let mut events = Vec::with_capacity(64);
    poll(queue, &mut events, Some(DEADLINE)).expect("events");
    assert!(!events.is_empty(), "no event within {DEADLINE:?}");
    events
}

/// Waits for one event, which is to be the only one.
#[track_caller]
pub fn expect_event(queue: &mut Poll) -> Event {
    match expect_events(queue)[..] {
        [event] => event,
        ref others => panic!("not one event but {others:?}"),
    }
}

/// Waits until each of `tokens` was reported, and no other ever was.
#[track_caller]
pub fn expect_tokens(queue: &mut Poll, tokens: &[usize]) {
    let mut missing = tokens.to_vec();
    let mut seen = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while !missing.is_empty() {
        let mut events = Events::<64>::new();
        let left = deadline.saturating_duration_since(Instant::now());
        poll(queue, &mut events, Some(left)).expect("events");
        assert!(!events.is_empty(), "no {missing:?}, only {seen:?}");
        for event in &events {
            let token = event.token().0;
            assert!(tokens.contains(&token), "{event:?} is not of {tokens:?}");
            missing.retain(|&other| other != token);
        }
        seen.extend(events.iter().copied());
    }
}

/// Waits until the one source of a level-triggered queue is in the state `bits`.
#[track_caller]
pub fn expect_bits(queue: &mut Poll, bits: u32) -> Event {
    let mut seen = Vec::new();
    let reached = super::wait_until(DEADLINE, || {
        seen = look(queue);
        match seen[..] {
            [event] if event.events() == bits => Some(event),
            _ => None,
        }
    });
    reached.unwrap_or_else(|| panic!("{seen:?}, and never {:?}", Event::new(bits, 1)))
}

/// Nothing is reported now.
#[track_caller]
pub fn expect_silence(queue: &mut Poll) {
    let events = look(queue);
    assert!(events.is_empty(), "{events:?}");
}

/// Waits until nothing is reported any more. A descriptor that was closed may live
/// on for a moment, in a child between fork and exec.
#[track_caller]
pub fn expect_forgotten(queue: &mut Poll) {
    let mut events = Vec::new();
    let silent = super::wait_until(DEADLINE, || {
        events = look(queue);
        events.is_empty().then_some(())
    });
    assert!(silent.is_some(), "still {events:?}");
}

/// Ends the process with a message if it lives longer than the deadline: for
/// tests that wait without a timeout.
pub struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    #[track_caller]
    pub fn new() -> Self {
        Self::within(DEADLINE)
    }

    /// With a deadline of its own.
    #[track_caller]
    pub fn within(limit: Duration) -> Self {
        let (alive, ended) = mpsc::channel();
        let place = std::panic::Location::caller();
        thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // Past libtest's capture, which ends with the process.
                let _ = writeln!(io::stderr(), "{place}: still waiting after {limit:?}");
                process::abort();
            }
        });
        Self { _alive: alive }
    }
}

/// A thread about to block, which others can see do so.
pub struct Blocking(AtomicI32);

impl Blocking {
    pub const fn new() -> Self {
        Self(AtomicI32::new(0))
    }

    /// Called by the thread, right before the call that blocks.
    pub fn announce(&self) {
        self.0.store(kernel::thread_id(), Ordering::Release);
    }

    /// Waits until the thread has announced itself and sleeps in the kernel; its id.
    #[track_caller]
    pub fn wait(&self) -> i32 {
        self.wait_or(&AtomicBool::new(false))
    }

    /// [`wait`](Self::wait), unless it has `returned` already.
    #[track_caller]
    pub fn wait_or(&self, returned: &AtomicBool) -> i32 {
        let mut state = None;
        let asleep = super::wait_until(DEADLINE, || {
            let id = self.0.load(Ordering::Acquire);
            state = kernel::thread_state(id);
            (state == Some('S') || returned.load(Ordering::SeqCst)).then_some(id)
        });
        asleep.unwrap_or_else(|| panic!("not blocked, but in state {state:?}"))
    }
}

/// What `wait` answers when signals come in until it has returned.
pub fn interrupted<T>(wait: impl FnOnce() -> T) -> T {
    kernel::count_signal(SIGUSR1);
    let (blocking, returned) = (Blocking::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            // One that comes before the wait has begun ends nothing, hence more.
            while !returned.load(Ordering::SeqCst) {
                kernel::signal_thread(blocking.wait_or(&returned), SIGUSR1);
                thread::sleep(Duration::from_millis(1));
            }
        });
        blocking.announce();
        let answer = wait();
        returned.store(true, Ordering::SeqCst);
        answer
    })
}
