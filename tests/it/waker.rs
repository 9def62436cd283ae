//! Wakers: from any thread, at any time, and never in vain.

use crate::common;

use common::kernel;
use common::queue::{
    Blocking, Watchdog, expect_event, expect_silence, expect_tokens, look, poll, queue,
};
use epore::sys;
use epore::{Event, Events, Interest, Poll, Token, Waker};
use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
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

/// A queue that has reported its wakers, and what is woken before its next wait goes
/// without a write.
fn awake(wakers: &[Waker], queue: &mut Poll) {
    let tokens: Vec<_> = (0..wakers.len()).collect();
    for waker in wakers {
        waker.wake().unwrap();
    }
    expect_tokens(queue, &tokens);
}

fn wakers<const N: usize>(queue: &Poll) -> [Waker; N] {
    let mut tokens = 0..;
    [(); N].map(|()| Waker::new(queue.registry(), Token(tokens.next().unwrap())).unwrap())
}

fn counter() -> OwnedFd {
    sys::eventfd2(0, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap()
}

fn count(counter: &OwnedFd) {
    sys::write(counter.as_fd(), &1u64.to_ne_bytes()).unwrap();
}

#[test]
fn a_wake_between_two_waits_is_reported_with_what_else_is_ready() {
    let mut queue = queue();
    let wakers = wakers::<2>(&queue);
    let source = counter();
    let registry = queue.registry();
    registry
        .register(&source, Token(9), Interest::READABLE.edge())
        .unwrap();
    for _ in 0..10 {
        awake(&wakers, &mut queue);
        wakers[1].wake().unwrap();
        wakers[1].wake().unwrap();
        count(&source);
        let mut tokens: Vec<_> = look(&mut queue).iter().map(|it| it.token().0).collect();
        tokens.sort();
        assert_eq!(tokens, [1, 9]);
        expect_silence(&mut queue);
    }
}

#[test]
fn an_event_of_a_wake_is_readable_and_nothing_else() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(usize::MAX)).unwrap();
    for _ in 0..3 {
        waker.wake().unwrap();
        let event = expect_event(&mut queue);
        assert_eq!(event, Event::new(sys::EPOLLIN, u64::MAX));
    }
}

#[test]
fn a_small_buffer_reaches_wakers_and_other_sources_in_turn() {
    fn reached<const ROOM: usize>() -> BTreeSet<usize> {
        let mut queue = queue();
        let wakers = wakers::<4>(&queue);
        awake(&wakers, &mut queue);
        let sources = [10, 11].map(|token| {
            let source = counter();
            let registry = queue.registry();
            registry
                .register(&source, Token(token), Interest::READABLE)
                .unwrap();
            count(&source);
            source
        });
        let mut seen = BTreeSet::new();
        let mut events = Events::<ROOM>::new();
        for _ in 0..40 {
            wakers.iter().for_each(|waker| waker.wake().unwrap());
            poll(&mut queue, &mut events, None).unwrap();
            seen.extend(events.iter().map(|event| event.token().0));
        }
        drop(sources);
        seen
    }

    let all = BTreeSet::from([0, 1, 2, 3, 10, 11]);
    assert_eq!(reached::<1>(), all);
    assert_eq!(reached::<2>(), all);
    assert_eq!(reached::<5>(), all);
}

#[test]
fn a_buffer_without_room_leaves_a_wake_for_the_next() {
    let mut queue = queue();
    let wakers = wakers::<1>(&queue);
    awake(&wakers, &mut queue);
    wakers[0].wake().unwrap();
    let error = queue.poll(&mut Events::<0>::new(), None).unwrap_err();
    assert_eq!(error.errno(), epore::Errno::EINVAL);
    expect_tokens(&mut queue, &[0]);
}

#[test]
fn forty_wakers_are_all_heard() {
    let mut queue = queue();
    let wakers = wakers::<40>(&queue);
    for _ in 0..3 {
        awake(&wakers, &mut queue);
        awake(&wakers, &mut queue);
        expect_silence(&mut queue);
    }
    // Those who leave make room for others, whose wakes are no one else's.
    for (token, waker) in wakers.into_iter().enumerate().rev() {
        let successor = Waker::new(queue.registry(), Token(100 + token)).unwrap();
        waker.wake().unwrap();
        drop(waker);
        let last = Waker::new(queue.registry(), Token(200 + token)).unwrap();
        successor.wake().unwrap();
        expect_tokens(&mut queue, &[100 + token]);
        last.wake().unwrap();
        expect_tokens(&mut queue, &[200 + token]);
    }
}

#[test]
fn dropping_one_of_sixteen_wakers_loses_no_wake_of_the_others() {
    for dropped in 0..16 {
        let mut queue = queue();
        let mut wakers: Vec<_> = wakers::<16>(&queue).into_iter().collect();
        awake(&wakers, &mut queue);
        // In an awake queue, with all wakes pending, and after them.
        wakers.iter().for_each(|waker| waker.wake().unwrap());
        drop(wakers.remove(dropped));
        let mut left: Vec<_> = (0..16).filter(|token| *token != dropped).collect();
        expect_tokens(&mut queue, &left);
        // In one that sleeps; and then all others are dropped but the first and the last.
        for _ in 0..2 {
            expect_silence(&mut queue);
            wakers.iter().for_each(|waker| waker.wake().unwrap());
            expect_tokens(&mut queue, &left);
            wakers.drain(1..wakers.len() - 1);
            left.drain(1..left.len() - 1);
        }
    }
}

#[test]
fn debug_shows_the_descriptor_and_leaves_the_wakes_as_they_are() {
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    let wakers = wakers::<1>(&queue);
    awake(&wakers, &mut queue);
    let shown = format!("{:?} {queue:?} {registry:?}", wakers[0]);
    wakers[0].wake().unwrap();
    // A wake of a queue whose descriptor was taken would be in the kernel.
    let mut room = [MaybeUninit::uninit(); 4];
    let before = sys::epoll_wait(queue.as_fd(), &mut room, 0).unwrap().len();
    assert_eq!(before, 1, "taking the descriptor writes the pending wake");
    let fds = [
        wakers[0].as_raw_fd(),
        queue.as_raw_fd(),
        registry.as_raw_fd(),
    ];
    let [waker, poll, clone] = fds;
    let expected =
        format!("Waker {{ fd: {waker} }} Poll {{ fd: {poll} }} Registry {{ fd: {clone} }}");
    assert_eq!(shown, expected);
}

#[test]
fn a_waker_takes_a_wake_between_two_waits_along() {
    let mut queue = queue();
    let wakers = wakers::<2>(&queue);
    awake(&wakers, &mut queue);
    wakers[1].wake().unwrap();
    drop(wakers);
    expect_silence(&mut queue);
}

#[test]
fn waiting_on_the_raw_descriptor_reports_earlier_wakes() {
    let mut queue = queue();
    let wakers = wakers::<3>(&queue);
    awake(&wakers, &mut queue);
    wakers[0].wake().unwrap();
    wakers[2].wake().unwrap();

    let mut room = [MaybeUninit::uninit(); 4];
    let events = sys::epoll_wait(queue.as_fd(), &mut room, 0).unwrap();
    let mut tokens: Vec<_> = events.iter().map(|event| event.data()).collect();
    tokens.sort();
    assert_eq!(tokens, [0, 2]);

    // And of all that come later.
    for waker in &wakers {
        for _ in 0..3 {
            waker.wake().unwrap();
            let events = sys::epoll_wait(queue.as_fd(), &mut room, 0).unwrap();
            assert_eq!(events.len(), 1);
        }
    }
    awake(&wakers, &mut queue);
    expect_silence(&mut queue);
}

#[test]
fn a_queue_around_hears_of_a_wake_before_and_after() {
    let (mut inner, mut outer) = (queue(), queue());
    let wakers = wakers::<1>(&inner);
    awake(&wakers, &mut inner);
    wakers[0].wake().unwrap();
    outer
        .registry()
        .register(&inner, Token(8), Interest::READABLE)
        .unwrap();
    for _ in 0..3 {
        expect_tokens(&mut outer, &[8]);
        expect_tokens(&mut inner, &[0]);
        expect_silence(&mut outer);
        wakers[0].wake().unwrap();
    }
}

#[test]
fn the_descriptor_of_a_waker_counts_from_when_it_is_asked_for() {
    let mut queue = queue();
    let wakers = wakers::<1>(&queue);
    awake(&wakers, &mut queue);
    let descriptor = wakers[0].as_fd();
    let mut bytes = [0; 8];
    sys::read(descriptor, &mut bytes).unwrap();
    for _ in 0..3 {
        wakers[0].wake().unwrap();
    }
    sys::read(descriptor, &mut bytes).unwrap();
    assert_eq!(u64::from_ne_bytes(bytes), 3);
}

#[test]
fn queues_registries_and_wakers_go_in_any_order_and_leave_nothing_open() {
    kernel::alone(|| {
        let before = kernel::open_descriptors();
        for round in 0..200 {
            let queue = queue();
            let registry = queue.registry().try_clone().unwrap();
            let wakers = wakers::<20>(&queue);
            let start = Barrier::new(3);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    drop(queue);
                });
                scope.spawn(|| {
                    start.wait();
                    if round % 2 == 0 {
                        registry.as_raw_fd();
                    }
                    drop(registry);
                });
                scope.spawn(|| {
                    start.wait();
                    for waker in wakers {
                        waker.wake().unwrap();
                    }
                });
            });
            assert_eq!(kernel::open_descriptors(), before, "round {round}");
        }
    });
}
