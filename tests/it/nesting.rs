//! Queues in queues.

use crate::common;

use common::queue::{
    Blocking, Watchdog, expect_event, expect_silence, expect_tokens, poll, queue, watching,
};
use epore::{Errno, Events, Interest, Poll, Token, Waker};
use std::thread;

const READABLE: Interest = Interest::READABLE;

#[test]
fn a_queue_is_readable_while_it_has_events() {
    let mut inner = queue();
    let waker = Waker::new(inner.registry(), Token(1)).unwrap();
    let mut outer = watching(&inner, READABLE);
    expect_silence(&mut outer);

    waker.wake().unwrap();
    expect_tokens(&mut outer, &[1]);
    let event = expect_event(&mut outer);
    assert!(event.is_readable() && !event.is_writable(), "{event:?}");
    expect_tokens(&mut inner, &[1]);
    expect_silence(&mut outer);
}

#[test]
fn a_queue_is_never_writable() {
    let inner = queue();
    let mut outer = watching(&inner, Interest::WRITABLE);
    let waker = Waker::new(inner.registry(), Token(1)).unwrap();
    waker.wake().unwrap();
    expect_silence(&mut outer);
}

#[test]
fn an_event_wakes_a_wait_two_levels_up() {
    let _watchdog = Watchdog::new();
    for interest in [READABLE, READABLE.edge(), READABLE.oneshot()] {
        let innermost = queue();
        let middle = watching(&innermost, interest);
        let mut outer = watching(&middle, interest);
        let waker = Waker::new(innermost.registry(), Token(1)).unwrap();
        let blocking = Blocking::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                blocking.wait();
                waker.wake().unwrap();
            });
            let mut events = Events::<4>::new();
            blocking.announce();
            poll(&mut outer, &mut events, None).unwrap();
            assert_eq!(events.len(), 1, "{interest:?}");
        });
    }
}

#[test]
fn a_registry_stands_for_its_queue() {
    let inner = queue();
    let waker = Waker::new(inner.registry(), Token(1)).unwrap();
    let mut outer = watching(&inner.registry().try_clone().unwrap(), READABLE);
    waker.wake().unwrap();
    // The clone is closed, and the queue still open: so is the registration.
    expect_tokens(&mut outer, &[1]);
}

#[test]
fn a_queue_in_itself_is_refused_with_the_reason() {
    let queue = queue();
    let clone = queue.registry().try_clone().unwrap();
    for interest in [READABLE, Interest::WRITABLE.edge()] {
        let registry = queue.registry();
        let errors = [
            registry.register(&queue, Token(1), interest),
            registry.register(&clone, Token(1), interest),
            registry.reregister(&queue, Token(1), interest),
            registry.deregister(&queue),
            registry.deregister(&clone),
        ];
        for (index, error) in errors.map(Result::unwrap_err).iter().enumerate() {
            assert_eq!(error.errno(), Errno::EINVAL);
            assert_eq!(
                error.reason(),
                Some("a queue cannot watch itself"),
                "{index}"
            );
        }
    }
}

#[test]
fn a_circle_is_refused_with_the_reason() {
    let (first, second, third) = (queue(), queue(), queue());
    let watch = |watcher: &Poll, watched: &Poll| {
        let registry = watcher.registry();
        registry.register(watched, Token(1), READABLE)
    };
    watch(&first, &second).unwrap();
    watch(&second, &third).unwrap();
    for error in [watch(&second, &first), watch(&third, &first)].map(Result::unwrap_err) {
        assert_eq!(error.errno(), Errno::ELOOP);
        assert_eq!(
            error.reason(),
            Some("queues watch each other in a circle, or nest too deep")
        );
    }
}

/// How many queues the kernel lets watch each other in a row that `grow` makes
/// longer by one, and what it said to one more.
fn chain(grow: impl Fn(&Poll, &Poll) -> epore::Result<()>) -> (usize, epore::Error) {
    let mut queues = vec![queue()];
    loop {
        let next = queue();
        match grow(queues.last().unwrap(), &next) {
            Ok(()) => queues.push(next),
            Err(error) => return (queues.len(), error),
        }
        assert!(queues.len() < 100, "no limit");
    }
}

#[test]
fn queues_nest_five_deep() {
    let inwards = chain(|last, next| last.registry().register(next, Token(1), READABLE));
    let outwards = chain(|last, next| next.registry().register(last, Token(1), READABLE));
    for (depth, error) in [inwards, outwards] {
        assert_eq!(depth, 5);
        assert_eq!(error.errno(), Errno::ELOOP);
        assert!(error.reason().unwrap().contains("nest too deep"), "{error}");
    }
}

#[test]
fn an_event_reaches_the_outermost_of_five_queues() {
    let innermost = queue();
    let waker = Waker::new(innermost.registry(), Token(1)).unwrap();
    let mut queues = vec![innermost];
    while queues.len() < 5 {
        queues.push(watching(queues.last().unwrap(), READABLE));
    }
    let outermost = queues.last_mut().unwrap();
    expect_silence(outermost);
    waker.wake().unwrap();
    expect_tokens(outermost, &[1]);
}

#[test]
fn an_exclusive_interest_in_a_queue_is_refused() {
    let (outer, inner) = (queue(), queue());
    let error = outer
        .registry()
        .register(&inner, Token(1), READABLE.exclusive())
        .unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert!(error.reason().unwrap().contains("exclusive"), "{error}");
}

#[test]
fn an_inner_queue_that_is_dropped_is_forgotten() {
    let inner = queue();
    let waker = Waker::new(inner.registry(), Token(1)).unwrap();
    let mut outer = watching(&inner, READABLE);
    waker.wake().unwrap();
    expect_tokens(&mut outer, &[1]);
    drop(inner);
    expect_silence(&mut outer);
}
