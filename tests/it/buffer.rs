//! What holds the events: filled up to its capacity, and never stale.

use crate::common;

use common::queue::{AT_ONCE, Watchdog, interrupted, poll, queue, watching};
use epore::{Errno, Event, Events, Interest, Poll, Token};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A queue with `count` sources that stay ready, of the tokens below it.
fn ready(count: usize) -> (Poll, Vec<(UnixStream, UnixStream)>) {
    let queue = queue();
    let pairs: Vec<_> = (0..count).map(|_| UnixStream::pair().unwrap()).collect();
    for (index, (near, _)) in pairs.iter().enumerate() {
        let registry = queue.registry();
        registry
            .register(near, Token(index), Interest::WRITABLE)
            .unwrap();
    }
    (queue, pairs)
}

fn tokens(events: &[Event]) -> BTreeSet<usize> {
    events.iter().map(|event| event.token().0).collect()
}

#[test]
fn a_vec_is_filled_up_to_its_capacity() {
    let (mut queue, _pairs) = ready(20);
    let mut events = Vec::with_capacity(8);
    let capacity = events.capacity();
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert_eq!(events.len(), capacity);
    assert_eq!(events.capacity(), capacity, "it does not grow");
    assert_eq!(tokens(&events).len(), capacity, "each source once");

    let mut events = Vec::with_capacity(64);
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert_eq!(tokens(&events), BTreeSet::from_iter(0..20));
}

#[test]
fn what_a_vec_held_makes_room() {
    let (mut queue, _pairs) = ready(3);
    let mut events = vec![Event::new(0, 99); 4];
    assert_eq!(events.len(), events.capacity());
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert_eq!(tokens(&events), BTreeSet::from([0, 1, 2]));
    assert_eq!(events.len(), 3);
}

#[test]
fn an_inline_buffer_is_filled_up_to_its_capacity() {
    let (mut queue, _pairs) = ready(20);
    let mut events = Events::<8>::new();
    assert_eq!((events.capacity(), events.len()), (8, 0));
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert_eq!((events.capacity(), events.len()), (8, 8));
    assert_eq!(tokens(&events).len(), 8, "each source once");
}

#[test]
fn an_inline_buffer_is_read_like_a_slice() {
    let (mut queue, _pairs) = ready(3);
    let mut events = Events::<8>::default();
    assert!(events.is_empty());
    assert_eq!(format!("{events:?}"), "[]");
    poll(&mut queue, &mut events, AT_ONCE).unwrap();

    assert!(!events.is_empty());
    assert_eq!(events.len(), 3);
    let mut by_reference = 0;
    for event in &events {
        assert!(event.is_writable());
        by_reference += 1;
    }
    assert_eq!(by_reference, 3);
    assert_eq!(events.iter().count(), 3);
    assert_eq!(events.first(), Some(&events[0]));
    assert_eq!(events.get(3), None);
    assert!(format!("{events:?}").starts_with("[Event { token: Token("));
    let copy = events.clone();
    assert_eq!(copy[..], events[..]);

    events.clear();
    assert!(events.is_empty());
    assert_eq!(copy.len(), 3);
}

#[test]
fn an_inline_buffer_can_be_static_and_large() {
    static EMPTY: Events<1024> = Events::new();
    assert!(EMPTY.is_empty());
    let (mut queue, _pairs) = ready(2);
    let mut events = Box::new(Events::<20_000>::new());
    queue.poll(&mut *events, AT_ONCE).unwrap();
    assert_eq!(tokens(&events), BTreeSet::from([0, 1]));
}

#[test]
fn a_buffer_of_one_reaches_every_source_in_turn() {
    const SOURCES: usize = 20;
    let (mut queue, _pairs) = ready(SOURCES);
    let mut events = Events::<1>::new();
    for round in 0..3 {
        let mut seen = BTreeSet::new();
        for _ in 0..SOURCES {
            poll(&mut queue, &mut events, AT_ONCE).unwrap();
            assert_eq!(events.len(), 1);
            seen.extend(tokens(&events));
        }
        assert_eq!(seen, BTreeSet::from_iter(0..SOURCES), "round {round}");
    }
}

#[test]
fn edges_that_find_no_room_are_kept_for_the_next_wait() {
    let mut queue = queue();
    let pairs: Vec<_> = (0..10).map(|_| UnixStream::pair().unwrap()).collect();
    for (index, (near, _)) in pairs.iter().enumerate() {
        let interest = Interest::WRITABLE.edge();
        queue
            .registry()
            .register(near, Token(index), interest)
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut events = Events::<3>::new();
    for expected in [3, 3, 3, 1, 0] {
        poll(&mut queue, &mut events, AT_ONCE).unwrap();
        assert_eq!(events.len(), expected);
        seen.extend(events.iter().map(|event| event.token().0));
    }
    seen.sort();
    assert_eq!(seen, Vec::from_iter(0..10));
}

#[test]
fn the_events_of_the_last_wait_are_gone_after_a_timeout() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, Interest::READABLE);
    let mut vec = Vec::with_capacity(8);
    let mut inline = Events::<8>::new();
    // Whole milliseconds, a fraction, and none.
    for timeout in [1_000_000, 100_000, 0].map(Duration::from_nanos) {
        far.write_all(b"x").unwrap();
        poll(&mut queue, &mut vec, None).unwrap();
        poll(&mut queue, &mut inline, None).unwrap();
        assert_eq!((vec.len(), inline.len()), (1, 1));
        near.read_exact(&mut [0]).unwrap();

        poll(&mut queue, &mut vec, Some(timeout)).unwrap();
        poll(&mut queue, &mut inline, Some(timeout)).unwrap();
        assert_eq!((vec.len(), inline.len()), (0, 0), "{timeout:?}");
    }
}

#[test]
fn the_events_of_the_last_wait_are_gone_after_an_error() {
    let _watchdog = Watchdog::new();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, Interest::READABLE);
    let mut vec = Vec::with_capacity(8);
    let mut inline = Events::<8>::new();
    // The last takes another system call, where there is one.
    for timeout in [None, Some(Duration::from_micros(3_600_000_000_001))] {
        far.write_all(b"x").unwrap();
        poll(&mut queue, &mut vec, None).unwrap();
        poll(&mut queue, &mut inline, None).unwrap();
        assert_eq!((vec.len(), inline.len()), (1, 1));
        near.read_exact(&mut [0]).unwrap();

        let errors = [
            interrupted(|| queue.poll(&mut vec, timeout)),
            interrupted(|| queue.poll(&mut inline, timeout)),
        ];
        assert_eq!(errors.map(|it| it.unwrap_err().errno()), [Errno::EINTR; 2]);
        assert_eq!((vec.len(), inline.len()), (0, 0));
    }
}

#[test]
fn a_buffer_without_room_is_an_error_that_says_so() {
    let (mut queue, _pairs) = ready(1);
    let fraction = Some(Duration::from_nanos(1));
    for timeout in [None, AT_ONCE, fraction] {
        let mut vec = Vec::new();
        let errors = [
            queue.poll(&mut vec, timeout),
            queue.poll(&mut Events::<0>::new(), timeout),
        ];
        for error in errors.map(Result::unwrap_err) {
            assert_eq!(error.errno(), Errno::EINVAL, "{timeout:?}");
            assert_eq!(error.reason(), Some("the event buffer has no room"));
        }
        assert_eq!(vec.capacity(), 0, "it does not grow");
    }
}

#[test]
fn a_buffer_for_a_million_events_is_used_as_it_is() {
    if common::lacks_descriptors(700) {
        return;
    }
    let (mut queue, _pairs) = ready(300);
    let mut events = Vec::with_capacity(1_000_000);
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert_eq!(tokens(&events), BTreeSet::from_iter(0..300));
    assert_eq!(events.len(), 300);
}

#[test]
fn a_buffer_larger_than_the_kernel_takes_is_used_in_part() {
    let (mut queue, _pairs) = ready(3);
    let mut events = Vec::new();
    if let Err(error) = events.try_reserve_exact(epore::sys::MAX_EVENTS + 1) {
        return common::left_out("a buffer of more than 2 GiB", error);
    }
    match poll(&mut queue, &mut events, AT_ONCE) {
        // qemu-user looks at more memory than it will write.
        Err(error) if error.errno() == Errno::EFAULT => {
            common::left_out("a buffer of more than 2 GiB", error)
        }
        outcome => {
            outcome.unwrap();
            assert_eq!(tokens(&events), BTreeSet::from([0, 1, 2]));
        }
    }
}
