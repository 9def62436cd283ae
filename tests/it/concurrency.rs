//! Many threads register, deregister and wake while one waits: what the documentation
//! of `Registry` and `Waker` promises, counted.
//!
//! As it stands, some hundred thousand operations. By hand, ten million:
//!
//! ```sh
//! EPORE_CONCURRENCY_OPERATIONS=10000000 cargo test --release --test it -- concurrency:: --nocapture
//! ```

use crate::common;

use common::kernel;
use common::queue::{AT_ONCE, Watchdog, expect_events, expect_silence, poll, queue};
use common::storm::{Manner, Random, Storm, always_readable};
use epore::fd::AsFd;
use epore::{Events, Interest, Token, Waker, sys};
use std::env;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 8;

/// How many operations a test is to do: `share` of a hundred.
fn operations(share: usize) -> usize {
    const QUICK: usize = 400_000;
    const EMULATED: usize = 10_000;
    let all = match env::var("EPORE_CONCURRENCY_OPERATIONS") {
        Ok(number) => number.parse().expect("a number of operations"),
        Err(_) if common::is_emulated() || common::prebuilt_demo().is_some() => {
            common::left_out(
                "most of the operations of many threads",
                "emulators are slow",
            );
            EMULATED
        }
        Err(_) => QUICK,
    };
    all / 100 * share
}

fn rage(name: &str, storm: Storm) -> common::storm::Counts {
    let limit = Duration::from_secs(60 + storm.operations as u64 / 20_000);
    let _watchdog = Watchdog::within(limit);
    let start = Instant::now();
    let counts = storm.rage();
    println!("{name}: {counts:?} in {:?}", start.elapsed());
    assert!(counts.operations >= storm.operations, "{counts:?}");
    counts
}

#[test]
fn eight_registering_and_eight_waking_at_once_lose_nothing() {
    kernel::alone(|| {
        rage(
            "all at once",
            Storm {
                lanes: THREADS,
                bells: THREADS,
                operations: operations(100),
                manner: Manner {
                    reregistrations: 4,
                    awaited: 64,
                },
            },
        );
    });
}

#[test]
fn no_wait_that_starts_after_a_deregister_reports_the_source() {
    kernel::alone(|| {
        rage(
            "deregister",
            Storm {
                lanes: THREADS,
                bells: 0,
                operations: operations(20),
                manner: Manner {
                    reregistrations: 0,
                    awaited: 0,
                },
            },
        );
    });
}

#[test]
fn no_wait_that_starts_after_a_reregister_reports_the_old_token() {
    kernel::alone(|| {
        rage(
            "reregister",
            Storm {
                lanes: THREADS,
                bells: 0,
                operations: operations(20),
                manner: Manner {
                    reregistrations: 50,
                    awaited: 0,
                },
            },
        );
    });
}

#[test]
fn what_another_thread_registers_or_reregisters_is_reported() {
    kernel::alone(|| {
        let counts = rage(
            "awaited",
            Storm {
                lanes: THREADS,
                bells: 0,
                operations: operations(5),
                manner: Manner {
                    reregistrations: 2,
                    awaited: 1,
                },
            },
        );
        // Each by one event, and there is no other.
        assert!(counts.events >= counts.awaited && counts.awaited > 0);
        assert!(counts.events - counts.awaited <= THREADS, "{counts:?}");
    });
}

#[test]
fn the_last_of_many_wakes_is_reported() {
    kernel::alone(|| {
        rage(
            "wakes",
            Storm {
                lanes: 0,
                bells: THREADS,
                operations: operations(20),
                manner: Manner {
                    reregistrations: 0,
                    awaited: 0,
                },
            },
        );
    });
}

#[test]
fn the_last_wake_of_a_shared_waker_is_reported() {
    kernel::alone(|| {
        let part = operations(20) / THREADS;
        let _watchdog = Watchdog::within(Duration::from_secs(60 + part as u64 / 20_000));
        let mut queue = queue();
        let waker = Waker::new(queue.registry(), Token(7)).unwrap();
        let counters = [const { AtomicUsize::new(0) }; THREADS];
        thread::scope(|scope| {
            for counter in &counters {
                scope.spawn(|| {
                    for number in 1..=part {
                        counter.store(number, Ordering::Relaxed);
                        waker.wake().unwrap();
                    }
                });
            }
            let mut events = Events::<4>::new();
            let seen = || counters.iter().map(|it| it.load(Ordering::Relaxed)).sum();
            let (mut told, mut waits) = (0, 0);
            while told < THREADS * part {
                poll(&mut queue, &mut events, None).unwrap();
                assert_eq!(events.len(), 1);
                let now: usize = seen();
                assert!(now >= told);
                (told, waits) = (now, waits + 1);
            }
            println!("shared waker: {told} wakes, {waits} events");
        });
    });
}

#[test]
fn a_wake_that_is_awaited_is_one_event() {
    kernel::alone(|| {
        let counts = rage(
            "awaited wakes",
            Storm {
                lanes: 0,
                bells: THREADS,
                operations: operations(5),
                manner: Manner {
                    reregistrations: 0,
                    awaited: 1,
                },
            },
        );
        assert_eq!(counts.bells, counts.operations, "{counts:?}");
    });
}

#[test]
fn an_event_harvested_before_the_deregister_may_still_be_seen() {
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let source = always_readable();
    registry
        .register(&source, Token(1), Interest::READABLE)
        .unwrap();
    let harvested = expect_events(&mut queue);
    thread::scope(|scope| {
        scope.spawn(|| registry.deregister(&source).unwrap());
    });
    // It is in the buffer, and nobody takes it out.
    assert_eq!(harvested[0].token(), Token(1));
    expect_silence(&mut queue);
}

#[test]
fn a_deregister_by_the_thread_that_waits_is_final() {
    kernel::alone(|| {
        const SOURCES: usize = 16;
        let _watchdog = Watchdog::within(Duration::from_secs(120));
        let mut queue = queue();
        let sources: Vec<_> = (0..SOURCES).map(|_| always_readable()).collect();
        let rounds = operations(5) / 20;
        let ended = AtomicBool::new(false);
        let seen = thread::scope(|scope| {
            for thread in 0..THREADS {
                let (sources, ended) = (&sources, &ended);
                // Makes what is watched ready, all the time.
                scope.spawn(move || {
                    let mut random = Random(thread as u64 + 1);
                    while !ended.load(Ordering::Relaxed) {
                        let source = &sources[random.below(SOURCES)];
                        let _ = sys::write(source.as_fd(), &1u64.to_ne_bytes());
                    }
                });
            }
            let mut random = Random(1);
            let mut registered = [false; SOURCES];
            let mut events = Events::<5>::new();
            let mut seen = 0;
            for _ in 0..rounds {
                let index = random.below(SOURCES);
                let (registry, source) = (queue.registry(), &sources[index]);
                if registered[index] {
                    registry.deregister(source).unwrap();
                } else {
                    let modes = [
                        Interest::READABLE,
                        Interest::READABLE.edge(),
                        Interest::READABLE.oneshot(),
                    ];
                    let interest = modes[random.below(modes.len())];
                    registry.register(source, Token(index), interest).unwrap();
                }
                registered[index] = !registered[index];
                poll(&mut queue, &mut events, AT_ONCE).unwrap();
                for event in &events {
                    assert!(registered[event.token().0], "{event:?}");
                }
                seen += events.len();
            }
            ended.store(true, Ordering::Relaxed);
            seen
        });
        assert!(seen > rounds, "only {seen} events in {rounds} rounds");
    });
}

#[test]
fn a_clone_may_be_dropped_as_soon_as_it_has_registered() {
    if common::lacks_descriptors(500) {
        return;
    }
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        let mut queue = queue();
        let registry = queue.registry().try_clone().unwrap();
        let sources: Vec<_> = (0..THREADS * 50).map(|_| always_readable()).collect();
        thread::scope(|scope| {
            for (thread, sources) in sources.chunks(50).enumerate() {
                let registry = &registry;
                scope.spawn(move || {
                    for (index, source) in sources.iter().enumerate() {
                        let token = Token(thread * 50 + index);
                        let clone = registry.try_clone().unwrap();
                        clone
                            .register(source, token, Interest::READABLE.oneshot())
                            .unwrap();
                        drop(clone);
                    }
                });
            }
            let mut missing = vec![true; sources.len()];
            while missing.contains(&true) {
                for event in expect_events(&mut queue) {
                    let first = std::mem::take(&mut missing[event.token().0]);
                    assert!(first, "{event:?} twice");
                }
            }
        });
    });
}

#[test]
fn a_queue_may_be_dropped_while_clones_are_at_work() {
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        for _ in 0..50 {
            let queue = queue();
            let clones: Vec<_> = (0..THREADS)
                .map(|_| queue.registry().try_clone().unwrap())
                .collect();
            thread::scope(|scope| {
                for clone in clones {
                    scope.spawn(move || {
                        let source = always_readable();
                        for round in 0..50 {
                            clone
                                .register(&source, Token(round), Interest::READABLE)
                                .unwrap();
                            clone.deregister(&source).unwrap();
                        }
                    });
                }
                drop(queue);
            });
        }
    });
}
