//! Waiting: what ends a wait, and what outlives the queue.

use crate::common;

use common::kernel::{self, SIGCONT, SIGSTOP};
use common::queue::{
    Blocking, DEADLINE, Watchdog, expect_event, expect_forgotten, expect_silence, expect_tokens,
    interrupted, look, queue,
};
use epore::{Events, Interest, Poll, Timer, Token, Waker};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn an_empty_queue_has_nothing_to_report() {
    expect_silence(&mut queue());
}

#[test]
fn a_source_is_reported_with_its_token() {
    let mut queue = queue();
    let (near, mut far) = UnixStream::pair().unwrap();
    queue
        .registry()
        .register(&near, Token(42), Interest::READABLE)
        .unwrap();
    expect_silence(&mut queue);

    far.write_all(b"x").unwrap();
    let event = expect_event(&mut queue);
    assert_eq!(event.token(), Token(42));
    assert!(event.is_readable() && !event.is_writable(), "{event:?}");
}

#[test]
fn what_was_ready_before_it_was_registered_is_reported() {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    for interest in [
        Interest::READABLE,
        Interest::READABLE.edge(),
        Interest::READABLE.oneshot(),
        Interest::READABLE.exclusive(),
    ] {
        let mut queue = queue();
        queue
            .registry()
            .register(&near, Token(1), interest)
            .unwrap();
        assert!(expect_event(&mut queue).is_readable(), "{interest:?}");
    }
}

#[test]
fn one_wait_reports_every_source_that_is_ready() {
    if common::lacks_descriptors(400) {
        return;
    }
    let mut queue = queue();
    let pairs: Vec<_> = (0..50).map(|_| UnixStream::pair().unwrap()).collect();
    for (index, (near, _)) in pairs.iter().enumerate() {
        let registry = queue.registry();
        registry
            .register(near, Token(index), Interest::WRITABLE)
            .unwrap();
    }
    let mut tokens: Vec<_> = look(&mut queue).iter().map(|it| it.token().0).collect();
    tokens.sort();
    assert_eq!(tokens, Vec::from_iter(0..50));
}

#[test]
fn a_wait_without_a_timeout_lasts_until_there_is_an_event() {
    let _watchdog = Watchdog::new();
    let mut queue = queue();
    let (near, mut far) = UnixStream::pair().unwrap();
    queue
        .registry()
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();

    let (blocking, written) = (Blocking::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            blocking.wait();
            written.store(true, Ordering::SeqCst);
            far.write_all(b"x").unwrap();
        });
        let mut events = Events::<8>::new();
        blocking.announce();
        common::queue::poll(&mut queue, &mut events, None).unwrap();
        assert!(written.load(Ordering::SeqCst), "{events:?} too early");
        assert_eq!(events[0].token(), Token(1));
    });
}

#[test]
fn a_source_that_is_closed_is_forgotten() {
    let mut queue = queue();
    let (near, mut far) = UnixStream::pair().unwrap();
    queue
        .registry()
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);
    drop(near);
    expect_forgotten(&mut queue);
}

#[test]
fn dropping_the_queue_leaves_its_sources_open() {
    let queue = queue();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    queue
        .registry()
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();
    drop(queue);
    far.write_all(b"x").unwrap();
    near.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_cloned_registry_outlives_the_queue() {
    let first = queue();
    let registry = first.registry().try_clone().unwrap();
    drop(first);

    let timer = Timer::new().unwrap();
    registry
        .register(&timer, Token(7), Interest::READABLE)
        .unwrap();
    timer.set(Duration::ZERO).unwrap();

    // The queue itself is still there, as another one can tell.
    let mut outer = queue();
    outer
        .registry()
        .register(&registry, Token(1), Interest::READABLE)
        .unwrap();
    expect_tokens(&mut outer, &[1]);
}

#[test]
fn a_queue_moves_between_threads() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(3)).unwrap();
    let mut queue: Poll = thread::spawn(move || {
        expect_silence(&mut queue);
        queue
    })
    .join()
    .unwrap();
    waker.wake().unwrap();
    expect_tokens(&mut queue, &[3]);
}

#[test]
fn a_signal_ends_the_wait_with_eintr() {
    let _watchdog = Watchdog::new();
    // The last two take another system call, where there is one.
    for timeout in [
        None,
        Some(DEADLINE),
        Some(DEADLINE + Duration::from_nanos(1)),
        Some(Duration::MAX),
    ] {
        let mut queue = queue();
        let error = interrupted(|| queue.poll(&mut Events::<1>::new(), timeout)).unwrap_err();
        assert!(error.is_interrupted(), "{error}");
        assert_eq!(error.reason(), None);
    }
    assert_ne!(kernel::SIGNALS.load(Ordering::SeqCst), 0);
}

#[test]
fn stopping_and_continuing_the_process_ends_the_wait_with_eintr() {
    let _watchdog = Watchdog::new();
    let wait = || {
        println!("\nwaiting");
        let error = queue().poll(&mut Events::<1>::new(), None).unwrap_err();
        assert!(error.is_interrupted(), "{error}");
    };
    if kernel::is_alone() {
        return wait();
    }

    let mut child = kernel::again_at(&wait)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "waiting"));
    let status = common::wait_until(DEADLINE, || {
        kernel::signal_process(child.id(), SIGSTOP);
        common::wait_until(Duration::from_millis(100), || {
            (kernel::process_state(child.id()) != Some('S')).then_some(())
        });
        kernel::signal_process(child.id(), SIGCONT);
        child.try_wait().unwrap()
    });
    child.kill().unwrap();
    assert!(status.is_some_and(|it| it.success()), "{status:?}");
}

#[test]
fn a_wait_that_a_signal_ended_can_be_begun_again() {
    let _watchdog = Watchdog::new();
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    let mut events = Events::<4>::new();
    interrupted(|| queue.poll(&mut events, None)).unwrap_err();
    waker.wake().unwrap();
    expect_tokens(&mut queue, &[1]);
}
