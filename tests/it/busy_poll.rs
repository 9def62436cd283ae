//! Busy polling, as a queue is told to do it and tells of it.

use crate::common;

use common::queue::{expect_tokens, queue};
use common::{kernel, left_out};
use epore::{BusyPoll, Errno, Poll, Result, Token, Waker};
use std::time::Duration;

/// A queue whose kernel knows of it. It says so, if not.
fn able() -> Option<Poll> {
    let queue = queue();
    match queue.busy_poll() {
        Ok(found) => {
            assert_eq!(found, BusyPoll::default());
            Some(queue)
        }
        Err(error) => {
            left_out("busy polling", error);
            assert!(
                error.to_string().ends_with("needs Linux 6.9")
                    || error.to_string().ends_with("CONFIG_NET_RX_BUSY_POLL"),
                "{error}"
            );
            None
        }
    }
}

fn says(outcome: Result<()>, errno: Errno, reason: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.syscall(), error.errno()), ("ioctl", errno));
    assert_eq!(error.reason(), Some(reason));
}

#[test]
fn a_queue_remembers_what_it_was_told() {
    let Some(mut queue) = able() else { return };
    let other = common::queue::queue();
    let wanted = BusyPoll {
        time: Duration::from_micros(50),
        budget: 16,
        prefer: true,
    };
    queue.set_busy_poll(wanted).unwrap();
    assert_eq!(queue.busy_poll(), Ok(wanted));
    assert_eq!(other.busy_poll(), Ok(BusyPoll::default()));

    // It is a queue as before.
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    for _ in 0..3 {
        waker.wake().unwrap();
        expect_tokens(&mut queue, &[1]);
    }
    queue.set_busy_poll(BusyPoll::default()).unwrap();
    assert_eq!(queue.busy_poll(), Ok(BusyPoll::default()));
}

#[test]
fn a_fraction_of_a_microsecond_counts_as_one() {
    let Some(queue) = able() else { return };
    for (nanos, micros) in [(1, 1), (1_000, 1), (1_001, 2), (0, 0)] {
        let time = Duration::from_nanos(nanos);
        queue
            .set_busy_poll(BusyPoll {
                time,
                ..BusyPoll::default()
            })
            .unwrap();
        let found = queue.busy_poll().unwrap();
        assert_eq!(found.time, Duration::from_micros(micros));
    }
}

#[test]
fn a_time_that_is_too_long_is_refused_with_the_reason() {
    let Some(queue) = able() else { return };
    let set = |time| {
        queue.set_busy_poll(BusyPoll {
            time,
            ..BusyPoll::default()
        })
    };
    set(Duration::from_micros(2_147_483_647)).unwrap();
    for time in [Duration::from_micros(2_147_483_648), Duration::MAX] {
        let reason = "the time is longer than 2147483647 microseconds";
        says(set(time), Errno::EINVAL, reason);
    }
}

#[test]
fn a_large_budget_takes_the_capability() {
    kernel::alone(|| {
        let Some(queue) = able() else { return };
        kernel::become_nobody();
        let set = |budget| {
            queue.set_busy_poll(BusyPoll {
                budget,
                ..BusyPoll::default()
            })
        };
        set(64).unwrap();
        let reason = "a budget of more than 64 needs CAP_NET_ADMIN";
        says(set(65), Errno::EPERM, reason);
        assert_eq!(queue.busy_poll().unwrap().budget, 64);
    });
}
