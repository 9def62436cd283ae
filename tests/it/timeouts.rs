//! How long a wait lasts: never less than was asked for, and never for ever.

use crate::common;

use common::kernel::{self, PWAIT2_REFUSALS};
use common::queue::{
    AT_ONCE, Blocking, DEADLINE, Watchdog, expect_tokens, poll, queue as new_queue,
};
use epore::fd::AsFd;
use epore::sys::{self, Timespec};
use epore::{Errno, Events, Poll, Result, Token, Waker};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::thread;
use std::time::{Duration, Instant};
use syscalls::Sysno;

const DAY: Duration = Duration::from_secs(86_400);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Longer than milliseconds in an `i32` can say, and what overflows on the way.
const LONG: [Duration; 8] = [
    Duration::from_millis(i32::MAX as u64 - 1_000),
    Duration::from_millis(i32::MAX as u64),
    Duration::from_millis(i32::MAX as u64 + 1),
    Duration::from_millis(u32::MAX as u64 + 1),
    DAY.saturating_mul(30),
    Duration::from_millis(u64::MAX),
    Duration::from_secs(i64::MAX as u64),
    Duration::MAX,
];

/// Waits on an empty queue; how long it took.
fn wait(queue: &mut Poll, timeout: Duration) -> Duration {
    let mut events = Events::<4>::new();
    loop {
        let start = Instant::now();
        match queue.poll(&mut events, Some(timeout)) {
            Err(error) if error.is_interrupted() => {}
            outcome => {
                let elapsed = start.elapsed();
                outcome.unwrap_or_else(|error| panic!("{timeout:?}: {error}"));
                assert!(events.is_empty(), "{timeout:?}: {events:?}");
                return elapsed;
            }
        }
    }
}

fn never_early(queue: &mut Poll) {
    for nanos in [
        1, 999, 1_000, 100_000, 999_999, 1_000_000, 1_000_001, 1_500_000, 2_000_000, 9_999_999,
        10_000_000, 20_000_001,
    ] {
        let timeout = Duration::from_nanos(nanos);
        for _ in 0..5 {
            let elapsed = wait(queue, timeout);
            assert!(elapsed >= timeout, "{elapsed:?} of {timeout:?}");
            assert!(elapsed < timeout + DEADLINE, "{elapsed:?} of {timeout:?}");
        }
    }
}

/// What the thread has used of the processor.
fn processor_time() -> Duration {
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    sys::clock_gettime(CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// A wait of `timeout` lasts, asleep, until another thread ends it.
fn lasts_until_woken(queue: &mut Poll, timeout: Option<Duration>) {
    const A_WHILE: Duration = Duration::from_millis(150);
    let _watchdog = Watchdog::new();
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    let blocking = Blocking::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            blocking.wait();
            // If it ends before this does, it ends without an event.
            thread::sleep(A_WHILE);
            waker.wake().unwrap();
        });
        let mut events = Events::<4>::new();
        let used = processor_time();
        blocking.announce();
        poll(queue, &mut events, timeout).unwrap_or_else(|error| panic!("{timeout:?}: {error}"));
        let used = processor_time() - used;
        assert!(!events.is_empty(), "{timeout:?} ended early");
        assert!(used < A_WHILE / 2, "{timeout:?} spun for {used:?}");
    });
}

/// Whether this kernel has `epoll_pwait2`, and lets us use it.
fn has_pwait2() -> bool {
    match pwait2(&new_queue()) {
        Ok(_) => true,
        Err(error) if matches!(error.errno(), Errno::ENOSYS | Errno::EPERM) => false,
        Err(error) => panic!("{error}"),
    }
}

fn pwait2(queue: &Poll) -> Result<usize> {
    let room = &mut [MaybeUninit::uninit(); 1];
    let now = Timespec::default();
    Ok(sys::epoll_pwait2(queue.as_fd(), room, Some(&now), None)?.len())
}

/// Runs `test` in a thread where `epoll_pwait2` answers `errno`: by a filter, or
/// because it is not there in the first place.
fn refused_with(errno: Errno, test: impl FnOnce(&mut Poll) + Send) {
    thread::scope(|scope| {
        scope.spawn(|| {
            match kernel::refuse(Sysno::epoll_pwait2, errno) {
                Ok(()) => {}
                Err(why) if !has_pwait2() => {
                    let what = format!("a filter that answers {errno:?} to epoll_pwait2");
                    common::left_out(&what, format!("{why}; but it is missing altogether"));
                }
                Err(why) => {
                    let what = format!("waiting where epoll_pwait2 answers {errno:?}");
                    return common::left_out(&what, format!("no filter: {why}"));
                }
            }
            let mut queue = new_queue();
            let answer = pwait2(&queue).unwrap_err().errno();
            assert!(answer == errno || answer == Errno::ENOSYS, "{answer}");
            test(&mut queue);
        });
    });
}

#[test]
fn a_timeout_is_never_early() {
    never_early(&mut new_queue());
}

#[test]
fn zero_only_looks() {
    let mut queue = new_queue();
    let mut times: Vec<_> = (0..100).map(|_| wait(&mut queue, Duration::ZERO)).collect();
    times.sort();
    assert!(times[50] < Duration::from_secs(1), "{times:?}");
    let _ = writeln!(io::stderr(), "a look takes {:?}", times[50]);
}

#[test]
fn a_tenth_of_a_millisecond_is_not_a_whole_one() {
    let timeout = Duration::from_micros(100);
    let mut queue = new_queue();
    let mut times: Vec<_> = (0..100).map(|_| wait(&mut queue, timeout)).collect();
    times.sort();
    let (shortest, median) = (times[0], times[50]);
    let _ = writeln!(
        io::stderr(),
        "a wait of {timeout:?} takes {median:?}, at best {shortest:?}"
    );
    assert!(shortest >= timeout);
    if has_pwait2() {
        // The best of a hundred, as the machine may be busy.
        assert!(shortest < MILLISECOND, "{shortest:?}, rounded up");
    } else {
        common::left_out("waiting for less than a millisecond", "no epoll_pwait2");
    }
}

#[test]
fn no_timeout_lasts_until_woken() {
    lasts_until_woken(&mut new_queue(), None);
}

#[test]
fn a_long_timeout_neither_fails_nor_ends_nor_spins() {
    for timeout in LONG {
        lasts_until_woken(&mut new_queue(), Some(timeout));
        lasts_until_woken(
            &mut new_queue(),
            Some(timeout.saturating_add(MILLISECOND / 3)),
        );
    }
}

#[test]
fn an_event_ends_any_timeout() {
    let mut queue = new_queue();
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    let times = [Duration::from_nanos(1), MILLISECOND, DAY, Duration::MAX];
    for timeout in times.map(Some).into_iter().chain([None, AT_ONCE]) {
        waker.wake().unwrap();
        let mut events = Events::<4>::new();
        poll(&mut queue, &mut events, timeout).unwrap();
        assert_eq!(events.len(), 1, "{timeout:?}");
    }
}

#[test]
fn without_pwait2_a_timeout_is_never_early() {
    for &errno in PWAIT2_REFUSALS {
        refused_with(errno, never_early);
    }
}

#[test]
fn without_pwait2_a_fraction_is_rounded_up() {
    for &errno in PWAIT2_REFUSALS {
        refused_with(errno, |queue| {
            for (nanos, least) in [(1, 1), (100_000, 1), (1_000_001, 2), (1_999_999, 2)] {
                let elapsed = wait(queue, Duration::from_nanos(nanos));
                assert!(elapsed >= MILLISECOND * least, "{elapsed:?} of {nanos} ns");
            }
        });
    }
}

#[test]
fn without_pwait2_a_long_timeout_neither_fails_nor_ends_nor_spins() {
    refused_with(Errno::ENOSYS, |queue| {
        for timeout in LONG {
            lasts_until_woken(queue, Some(timeout));
        }
    });
    refused_with(Errno::EPERM, |queue| {
        lasts_until_woken(queue, Some(Duration::MAX));
    });
}

#[test]
fn without_pwait2_a_long_timeout_is_the_sum_of_its_parts() {
    /// The longest wait in milliseconds: 24 days.
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    const TIMEOUT: usize = 3;
    #[cfg(target_arch = "x86_64")]
    const WAIT: Sysno = Sysno::epoll_wait;
    #[cfg(not(target_arch = "x86_64"))]
    const WAIT: Sysno = Sysno::epoll_pwait;

    refused_with(Errno::ENOSYS, |queue| {
        // Waits of that length seem to be over at once.
        if let Err(why) = kernel::play(WAIT, TIMEOUT, i32::MAX) {
            return common::left_out("waiting for months", format!("no filter: {why}"));
        }
        let rest = Duration::from_micros(20_500);
        let elapsed = wait(queue, LONGEST * 3 + rest);
        assert!(elapsed >= rest, "{elapsed:?}: the rest was not waited for");
    });
}

#[test]
fn without_pwait2_the_events_come_all_the_same() {
    refused_with(Errno::ENOSYS, |queue| {
        let waker = Waker::new(queue.registry(), Token(1)).unwrap();
        waker.wake().unwrap();
        let mut events = Events::<4>::new();
        poll(queue, &mut events, Some(Duration::from_nanos(1))).unwrap();
        assert_eq!(events.len(), 1);
        waker.wake().unwrap();
        expect_tokens(queue, &[1]);
    });
}

/// A filter whose answer the library would hand on, to see what it still asks.
fn tell_tale() -> bool {
    let told = kernel::refuse(Sysno::epoll_pwait2, Errno::EBADF);
    if let Err(why) = told {
        common::left_out("when epoll_pwait2 is asked", format!("no filter: {why}"));
    }
    told.is_ok()
}

#[test]
fn a_queue_that_was_refused_pwait2_does_not_ask_again() {
    for &errno in PWAIT2_REFUSALS {
        refused_with(errno, |queue| {
            let fraction = Duration::from_micros(10);
            wait(queue, fraction);
            if !tell_tale() {
                return;
            }
            let error = new_queue()
                .poll(&mut Events::<1>::new(), Some(fraction))
                .expect_err("a new queue asks");
            assert_eq!(error.errno(), Errno::EBADF);
            assert_eq!(error.syscall(), "epoll_pwait2");

            for _ in 0..3 {
                let elapsed = wait(queue, fraction);
                assert!(elapsed >= MILLISECOND, "{elapsed:?}, not rounded up");
            }
        });
    }
}

#[test]
fn whole_milliseconds_do_not_ask_for_pwait2() {
    thread::spawn(|| {
        if !tell_tale() {
            return;
        }
        let mut queue = new_queue();
        for timeout in [Duration::ZERO, MILLISECOND, MILLISECOND * 3] {
            wait(&mut queue, timeout);
        }
        let waker = Waker::new(queue.registry(), Token(1)).unwrap();
        for timeout in [None, Some(Duration::from_secs(1)), Some(DAY)] {
            waker.wake().unwrap();
            let mut events = Events::<1>::new();
            poll(&mut queue, &mut events, timeout).unwrap();
            assert_eq!(events.len(), 1);
        }
    })
    .join()
    .unwrap();
}
