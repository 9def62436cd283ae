//! Wakers: from any thread, at any time, and never in vain.

mod common;

use common::queue::{
    Blocking, Watchdog, expect_event, expect_silence, expect_tokens, look, poll, queue,
};
use epore::sys;
use epore::{Events, Token, Waker};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn a_wake_ends_a_wait_of_another_thread() {
    let _watchdog = Watchdog::new();
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    let blocking = Blocking::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            blocking.wait();
            waker.wake().unwrap();
        });
        let mut events = Events::<4>::new();
        blocking.announce();
        poll(&mut queue, &mut events, None).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].token(), Token(7));
        assert!(events[0].is_readable());
    });
    expect_silence(&mut queue);
}

#[test]
fn a_waker_that_nobody_used_is_silent() {
    let mut queue = queue();
    let _waker = Waker::new(queue.registry(), Token(7)).unwrap();
    expect_silence(&mut queue);
}

#[test]
fn a_wake_before_the_wait_ends_it_at_once() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    waker.wake().unwrap();
    expect_tokens(&mut queue, &[7]);
    expect_silence(&mut queue);
}

#[test]
fn many_wakes_before_the_wait_are_one_event() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    for _ in 0..1_000 {
        waker.wake().unwrap();
    }
    assert_eq!(expect_event(&mut queue).token(), Token(7));
    expect_silence(&mut queue);
}

#[test]
fn every_wake_after_a_wait_is_reported() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    for _ in 0..100 {
        waker.wake().unwrap();
        assert_eq!(expect_event(&mut queue).token(), Token(7));
        expect_silence(&mut queue);
    }
}

#[test]
fn wakers_have_tokens_of_their_own() {
    let mut queue = queue();
    let wakers: Vec<_> = (0..3)
        .map(|token| Waker::new(queue.registry(), Token(token)).unwrap())
        .collect();
    wakers[0].wake().unwrap();
    wakers[2].wake().unwrap();
    let mut tokens: Vec<_> = look(&mut queue).iter().map(|it| it.token().0).collect();
    tokens.sort();
    assert_eq!(tokens, [0, 2]);
    wakers[1].wake().unwrap();
    assert_eq!(expect_event(&mut queue).token(), Token(1));
}

#[test]
fn no_wake_of_many_threads_is_lost() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 500;
    let _watchdog = Watchdog::new();
    let mut queue = queue();
    let waker = Arc::new(Waker::new(queue.registry(), Token(7)).unwrap());
    let done = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (waker, done) = (Arc::clone(&waker), Arc::clone(&done));
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    done.fetch_add(1, Ordering::Relaxed);
                    waker.wake().unwrap();
                }
            })
        })
        .collect();
    // What was done before a wake is seen after the wait, so the last one is too.
    let mut events = Events::<4>::new();
    while done.load(Ordering::Relaxed) < THREADS * ROUNDS {
        poll(&mut queue, &mut events, None).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].token(), Token(7));
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Takes the counter to its brim, where the next wake finds no room.
fn fill(waker: &Waker) {
    let _ = sys::read(waker.as_fd(), &mut [0; 8]);
    let most = u64::MAX - 1;
    sys::write(waker.as_fd(), &most.to_ne_bytes()).unwrap();
    let error = sys::write(waker.as_fd(), &1u64.to_ne_bytes()).unwrap_err();
    assert!(error.is_would_block(), "{error}");
}

#[test]
fn a_full_counter_is_success() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    fill(&waker);
    waker.wake().unwrap();
    expect_tokens(&mut queue, &[7]);
}

#[test]
fn a_full_counter_whose_edge_was_reported_still_wakes() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    for _ in 0..3 {
        fill(&waker);
        expect_tokens(&mut queue, &[7]);
        expect_silence(&mut queue);
        waker.wake().unwrap();
        expect_tokens(&mut queue, &[7]);
    }
}

#[test]
fn a_full_counter_serves_many_threads() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    for _ in 0..50 {
        fill(&waker);
        expect_tokens(&mut queue, &[7]);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| waker.wake().unwrap());
            }
        });
        expect_tokens(&mut queue, &[7]);
        expect_silence(&mut queue);
    }
}

#[test]
fn a_wake_after_the_queue_is_gone_succeeds() {
    let queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    drop(queue);
    waker.wake().unwrap();
}

#[test]
fn dropping_the_waker_ends_its_registration() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    waker.wake().unwrap();
    drop(waker);
    expect_silence(&mut queue);

    let successor = Waker::new(queue.registry(), Token(7)).unwrap();
    expect_silence(&mut queue);
    successor.wake().unwrap();
    expect_tokens(&mut queue, &[7]);
}

#[test]
fn a_waker_of_a_cloned_registry_wakes_the_same_queue() {
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let waker = Waker::new(&registry, Token(7)).unwrap();
    drop(registry);
    waker.wake().unwrap();
    expect_tokens(&mut queue, &[7]);
}
