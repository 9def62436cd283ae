//! What a registration asks for, and how it is told: levels, edges, one shot,
//! exclusive.

use crate::common;

use common::queue::{
    Blocking, Watchdog, expect_event, expect_events, expect_silence, expect_tokens, poll, queue,
    watching,
};
use epore::sys::{
    EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI,
    EPOLLRDHUP, EPOLLWAKEUP,
};
use epore::{Errno, Events, Interest, Token, Waker, sys};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const R: Interest = Interest::READABLE;
const W: Interest = Interest::WRITABLE;
const P: Interest = Interest::PRIORITY;

/// Every interest there is, and its bits.
fn all() -> Vec<(Interest, u32)> {
    let readiness = [
        (R, EPOLLIN | EPOLLRDHUP),
        (W, EPOLLOUT),
        (P, EPOLLPRI),
        (R | W, EPOLLIN | EPOLLRDHUP | EPOLLOUT),
        (R | P, EPOLLIN | EPOLLRDHUP | EPOLLPRI),
        (W | P, EPOLLOUT | EPOLLPRI),
        (R | W | P, EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLPRI),
    ];
    let mut all = Vec::new();
    for (interest, bits) in readiness {
        for modes in 0..16 {
            let (mut interest, mut bits) = (interest, bits);
            if modes & 1 != 0 {
                (interest, bits) = (interest.edge(), bits | EPOLLET);
            }
            if modes & 2 != 0 {
                (interest, bits) = (interest.oneshot(), bits | EPOLLONESHOT);
            }
            if modes & 4 != 0 {
                (interest, bits) = (interest.exclusive(), bits | EPOLLEXCLUSIVE);
                bits &= !EPOLLRDHUP;
            }
            if modes & 8 != 0 {
                (interest, bits) = (interest.wakeup(), bits | EPOLLWAKEUP);
            }
            all.push((interest, bits));
        }
    }
    all
}

#[test]
fn bits_are_exactly_what_was_asked_for() {
    for (interest, bits) in all() {
        assert_eq!(interest.bits(), bits, "{interest:?}");
        assert_eq!(interest.is_readable(), bits & EPOLLIN != 0);
        assert_eq!(interest.is_writable(), bits & EPOLLOUT != 0);
        assert_eq!(interest.is_priority(), bits & EPOLLPRI != 0);
        assert_eq!(interest.is_edge(), bits & EPOLLET != 0);
        assert_eq!(interest.is_oneshot(), bits & EPOLLONESHOT != 0);
        assert_eq!(interest.is_exclusive(), bits & EPOLLEXCLUSIVE != 0);
        assert_eq!(interest.is_wakeup(), bits & EPOLLWAKEUP != 0);
    }
}

#[test]
fn the_kernel_holds_the_bits_and_the_token_as_they_were_given() {
    const TOKEN: u64 = 0xfedc_ba98_7654_3210;
    let refused = |it: Interest| it.is_exclusive() && (it.is_priority() || it.is_oneshot());
    let mut held = 0;
    for (interest, bits) in all() {
        let queue = queue();
        let (near, _far) = UnixStream::pair().unwrap();
        let registered = queue
            .registry()
            .register(&near, Token(TOKEN as usize), interest);
        if refused(interest) {
            let error = registered.expect_err("exclusive, with what excludes it");
            assert_eq!(error.errno(), Errno::EINVAL, "{interest:?}");
            continue;
        }
        registered.unwrap_or_else(|error| panic!("{interest:?}: {error}"));

        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", queue.as_raw_fd())).unwrap();
        let Some(line) = info.lines().find(|line| line.starts_with("tfd:")) else {
            return common::left_out("what the kernel holds", "its fdinfo does not tell");
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let field = |name| {
            let at = words.iter().position(|&word| word == name).unwrap();
            u64::from_str_radix(words[at + 1], 16).unwrap()
        };
        assert_eq!(words[1], near.as_raw_fd().to_string());
        // Without CAP_BLOCK_SUSPEND the kernel forgets EPOLLWAKEUP; it always adds
        // the two that nobody has to ask for.
        let kept = field("events:") as u32 | (bits & EPOLLWAKEUP);
        assert_eq!(kept, bits | EPOLLERR | EPOLLHUP, "{interest:?}: {line}");
        assert_eq!(field("data:"), TOKEN, "{line}");
        held += 1;
    }
    assert_eq!(held, 7 * 16 - 4 * 8 - 3 * 4);
}

#[test]
fn interests_combine_in_any_order() {
    assert_eq!(R | W, W | R);
    assert_eq!(R.add(W), R | W);
    assert_eq!(R.edge() | W, (R | W).edge());
    assert_eq!(R.edge().edge(), R.edge());
    assert_eq!(R.exclusive() | W, (W | R).exclusive());
    assert_eq!((W.exclusive() | R).bits() & EPOLLRDHUP, 0);
    let mut both = R;
    both |= W;
    assert_eq!(both, R | W);
    let distinct: HashSet<Interest> = all().into_iter().map(|(interest, _)| interest).collect();
    assert_eq!(distinct.len(), 7 * 16);
}

#[test]
fn what_is_left_is_never_empty() {
    assert_eq!((R | W).remove(W), Some(R));
    assert_eq!((R | W | P).remove(R | P), Some(W));
    assert_eq!(R.remove(W), Some(R));
    assert_eq!(R.remove(R), None);
    assert_eq!(R.edge().remove(R), None);
    assert_eq!((R | W).edge().remove(W.oneshot()), Some(R.edge()));
    assert_eq!((R | W).exclusive().remove(R), Some(W.exclusive()));
}

#[test]
fn debug_names_what_is_asked_for() {
    assert_eq!(format!("{R:?}"), "READABLE");
    assert_eq!(
        format!("{:?}", (R | W | P).edge().oneshot().exclusive().wakeup()),
        "READABLE | WRITABLE | PRIORITY | edge | oneshot | exclusive | wakeup"
    );
}

#[test]
fn a_level_is_reported_as_long_as_it_lasts() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R);
    far.write_all(b"two").unwrap();
    expect_tokens(&mut queue, &[1]);
    expect_tokens(&mut queue, &[1]);
    near.read_exact(&mut [0; 2]).unwrap();
    expect_tokens(&mut queue, &[1]);
    near.read_exact(&mut [0]).unwrap();
    expect_silence(&mut queue);
}

#[test]
fn an_edge_is_reported_once() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R.edge());
    far.write_all(b"two").unwrap();
    expect_tokens(&mut queue, &[1]);
    expect_silence(&mut queue);
    // What was left unread is reported with the next change, not before.
    near.read_exact(&mut [0; 1]).unwrap();
    expect_silence(&mut queue);
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);
    expect_silence(&mut queue);
}

#[test]
fn an_edge_in_one_direction_is_not_reported_in_the_other() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, (R | W).edge());
    assert!(expect_event(&mut queue).is_writable());
    expect_silence(&mut queue);
    far.write_all(b"x").unwrap();
    assert!(expect_event(&mut queue).is_readable());
    expect_silence(&mut queue);
}

#[test]
fn reregistering_reports_an_edge_again() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R.edge());
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);
    expect_silence(&mut queue);
    queue
        .registry()
        .reregister(&near, Token(1), R.edge())
        .unwrap();
    expect_tokens(&mut queue, &[1]);
}

#[test]
fn oneshot_falls_silent_until_it_is_reregistered() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R.oneshot());
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);
    expect_silence(&mut queue);
    far.write_all(b"x").unwrap();
    expect_silence(&mut queue);
    // Not even the end is reported.
    drop(far);
    expect_silence(&mut queue);

    queue
        .registry()
        .reregister(&near, Token(1), R.oneshot())
        .unwrap();
    let event = expect_event(&mut queue);
    assert!(event.is_readable() && event.is_read_closed(), "{event:?}");
    expect_silence(&mut queue);
}

#[test]
fn oneshot_is_still_registered() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R.oneshot());
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);
    let error = queue.registry().register(&near, Token(2), R).unwrap_err();
    assert_eq!(error.errno(), Errno::EEXIST);
    queue.registry().deregister(&near).unwrap();
}

#[test]
fn readable_reports_the_end_of_the_peers_writing() {
    let (near, far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R);
    far.shutdown(Shutdown::Write).unwrap();
    let event = expect_event(&mut queue);
    assert_eq!(event.events(), EPOLLIN | EPOLLRDHUP);
}

#[test]
fn exclusive_readable_does_without_rdhup() {
    let (near, far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, R.exclusive());
    far.shutdown(Shutdown::Write).unwrap();
    let event = expect_event(&mut queue);
    assert_eq!(event.events(), EPOLLIN);
}

#[test]
fn the_kernel_refuses_rdhup_with_exclusive() {
    // Or else leaving it out would be for nothing.
    let queue = queue();
    let (near, _far) = UnixStream::pair().unwrap();
    let event = sys::EpollEvent::new(EPOLLIN | EPOLLRDHUP | EPOLLEXCLUSIVE, 0);
    let error = sys::epoll_ctl(
        queue.as_fd(),
        sys::EPOLL_CTL_ADD,
        near.as_fd(),
        Some(&event),
    )
    .unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
}

#[test]
fn exclusive_is_taken_with_edge_and_wakeup() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, (R | W).exclusive().edge().wakeup());
    assert!(expect_event(&mut queue).is_writable());
    far.write_all(b"x").unwrap();
    let event = expect_event(&mut queue);
    assert!(event.is_readable(), "{event:?}");
    expect_silence(&mut queue);
    queue.registry().deregister(&near).unwrap();
}

/// Of several queues that wait for one source, how many are woken by one event.
fn woken_of(queues: usize, interest: Interest) -> usize {
    let _watchdog = Watchdog::new();
    let source = sys::eventfd2(0, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap();
    let woken = AtomicUsize::new(0);
    let mut wakers = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..queues {
        let queue = watching(&source, interest);
        wakers.push(Waker::new(queue.registry(), Token(0)).unwrap());
        waiting.push(queue);
    }
    let blocked: Vec<_> = (0..queues).map(|_| Blocking::new()).collect();
    thread::scope(|scope| {
        for (mut queue, blocking) in waiting.into_iter().zip(&blocked) {
            let woken = &woken;
            scope.spawn(move || {
                let mut events = Events::<8>::new();
                blocking.announce();
                poll(&mut queue, &mut events, None).unwrap();
                // A queue that was only released may see the level too.
                if events.iter().all(|event| event.token() == Token(1)) {
                    woken.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for blocking in &blocked {
            blocking.wait();
        }
        sys::write(source.as_fd(), &1u64.to_ne_bytes()).unwrap();
        let enough = if interest.is_exclusive() { 1 } else { queues };
        common::wait_until(common::queue::DEADLINE, || {
            (woken.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .expect("a queue that is woken");
        for waker in &wakers {
            waker.wake().unwrap();
        }
    });
    woken.into_inner()
}

#[test]
fn an_event_wakes_every_queue_that_waits_for_it() {
    assert_eq!(woken_of(4, R), 4);
}

#[test]
fn an_exclusive_event_wakes_one_or_a_few() {
    let woken = woken_of(4, R.exclusive());
    assert!((1..4).contains(&woken), "{woken} of 4");
}

#[test]
fn errors_and_the_hangup_are_reported_unasked() {
    let (read, write) = common::kernel::pipe();
    let mut reading = watching(&read, P);
    let mut writing = watching(&write, P);
    expect_silence(&mut reading);
    expect_silence(&mut writing);
    drop(write);
    assert_eq!(expect_events(&mut reading)[0].events(), EPOLLHUP);

    let (read, write) = common::kernel::pipe();
    let mut writing = watching(&write, P);
    drop(read);
    assert_eq!(expect_events(&mut writing)[0].events(), EPOLLERR);
}
