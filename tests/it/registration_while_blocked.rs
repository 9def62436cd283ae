//! Other threads register, change and deregister while the queue waits.

use crate::common;

use common::queue::{
    Blocking, Watchdog, expect_events, expect_silence, expect_tokens, poll, queue,
};
use epore::{Events, Interest, Poll, Registry, Timer, Token, Waker};
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Waits without a timeout while `meanwhile` runs in another thread, which begins
/// when this one is blocked. The tokens that ended the wait.
#[track_caller]
fn wait_while(queue: &mut Poll, meanwhile: impl FnOnce() + Send) -> Vec<usize> {
    let _watchdog = Watchdog::new();
    let (blocking, begun) = (Blocking::new(), AtomicBool::new(false));
    let mut events = Events::<64>::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            blocking.wait();
            begun.store(true, Ordering::SeqCst);
            meanwhile();
        });
        blocking.announce();
        poll(queue, &mut events, None).unwrap();
        assert!(begun.load(Ordering::SeqCst), "too early: {events:?}");
    });
    events.iter().map(|event| event.token().0).collect()
}

#[test]
fn registering_what_is_ready_ends_the_wait() {
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    let tokens = wait_while(&mut queue, || {
        registry
            .register(&near, Token(9), Interest::WRITABLE)
            .unwrap();
    });
    assert_eq!(tokens, [9]);
}

#[test]
fn what_becomes_ready_after_it_was_registered_ends_the_wait() {
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let tokens = wait_while(&mut queue, || {
        registry
            .register(&near, Token(9), Interest::READABLE.edge())
            .unwrap();
        far.write_all(b"x").unwrap();
    });
    assert_eq!(tokens, [9]);
}

#[test]
fn reregistering_ends_the_wait_under_the_new_token() {
    let mut queue = queue();
    let (near, _far) = UnixStream::pair().unwrap();
    let registry = Arc::new(queue.registry().try_clone().unwrap());
    registry
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();
    let tokens = wait_while(&mut queue, || {
        registry
            .reregister(&near, Token(2), Interest::WRITABLE)
            .unwrap();
    });
    assert_eq!(tokens, [2]);
}

#[test]
fn a_oneshot_source_is_armed_again_by_another_thread() {
    let mut queue = queue();
    let (near, mut far) = UnixStream::pair().unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let interest = Interest::READABLE.oneshot();
    registry.register(&near, Token(1), interest).unwrap();
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);
    let tokens = wait_while(&mut queue, || {
        registry.reregister(&near, Token(1), interest).unwrap();
    });
    assert_eq!(tokens, [1]);
}

#[test]
fn a_source_deregistered_meanwhile_does_not_end_the_wait() {
    let mut queue = queue();
    let (near, mut far) = UnixStream::pair().unwrap();
    let registry = queue.registry().try_clone().unwrap();
    let waker = Waker::new(&registry, Token(0)).unwrap();
    registry
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();
    let tokens = wait_while(&mut queue, || {
        registry.deregister(&near).unwrap();
        far.write_all(b"x").unwrap();
        waker.wake().unwrap();
    });
    assert_eq!(tokens, [0]);
    expect_silence(&mut queue);
}

#[test]
fn a_source_closed_meanwhile_does_not_end_the_wait() {
    let mut queue = queue();
    let (near, mut far) = UnixStream::pair().unwrap();
    let waker = Waker::new(queue.registry(), Token(0)).unwrap();
    queue
        .registry()
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();
    let tokens = wait_while(&mut queue, || {
        drop(near);
        far.write_all(b"x").unwrap_err();
        waker.wake().unwrap();
    });
    assert_eq!(tokens, [0]);
}

#[test]
fn a_waker_made_meanwhile_ends_the_wait() {
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let tokens = wait_while(&mut queue, || {
        let waker = Waker::new(&registry, Token(4)).unwrap();
        waker.wake().unwrap();
        // Dropped before it is reported, a wake would be lost.
        std::mem::forget(waker);
    });
    assert_eq!(tokens, [4]);
}

#[test]
fn a_clone_is_shared_by_many_threads() {
    let mut queue = queue();
    let registry = Arc::new(queue.registry().try_clone().unwrap());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || register_timers(&registry, thread * 100))
        })
        .collect();

    let mut seen = BTreeSet::new();
    while seen.len() < 4 * 25 {
        seen.extend(expect_events(&mut queue).iter().map(|it| it.token().0));
    }
    let expected: BTreeSet<usize> = (0..4)
        .flat_map(|thread| (0..25).map(move |index| thread * 100 + index))
        .collect();
    assert_eq!(seen, expected);
    for timers in threads {
        drop(timers.join().unwrap());
    }
}

fn register_timers(registry: &Registry, first: usize) -> Vec<Timer> {
    (0..25)
        .map(|index| {
            let timer = Timer::new().unwrap();
            registry
                .register(&timer, Token(first + index), Interest::READABLE.oneshot())
                .unwrap();
            timer.set(Duration::from_millis(index as u64 % 5)).unwrap();
            timer
        })
        .collect()
}

#[test]
fn a_storm_of_registrations_loses_nothing() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 200;
    let _watchdog = Watchdog::new();
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let finished = Waker::new(&registry, Token(usize::MAX)).unwrap();
    let all_seen = AtomicBool::new(false);

    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, all_seen, finished) = (&registry, &all_seen, &finished);
            scope.spawn(move || {
                let (near, mut far) = UnixStream::pair().unwrap();
                for _ in 0..ROUNDS {
                    registry
                        .register(&near, Token(thread), Interest::READABLE)
                        .unwrap();
                    registry
                        .reregister(&near, Token(thread), Interest::READABLE.edge())
                        .unwrap();
                    registry.deregister(&near).unwrap();
                }
                registry
                    .register(&near, Token(thread), Interest::READABLE.oneshot())
                    .unwrap();
                far.write_all(b"x").unwrap();
                finished.wake().unwrap();
                // Open until the event was seen.
                while !all_seen.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let (mut seen, mut woken) = (BTreeSet::new(), false);
        let mut events = Events::<3>::new();
        while seen.len() < THREADS || !woken {
            poll(&mut queue, &mut events, None).unwrap();
            for event in &events {
                match event.token() {
                    Token(usize::MAX) => woken = true,
                    Token(thread) => assert!(seen.insert(thread), "{thread} twice"),
                }
            }
        }
        all_seen.store(true, Ordering::SeqCst);
    });
}
