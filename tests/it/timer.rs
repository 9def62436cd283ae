//! Timers: once or again and again, never early, and counted.

use crate::common;

use common::queue::{expect_event, expect_silence, expect_tokens, watching};
use epore::{Errno, Interest, Timer};
use std::thread;
use std::time::{Duration, Instant};

const AN_HOUR: Duration = Duration::from_secs(3_600);

fn timer() -> Timer {
    Timer::new().unwrap()
}

/// Waits until `timer` has expired at least `count` times; how often it has.
fn read_at_least(timer: &Timer, count: u64) -> u64 {
    let mut sum = 0;
    let queue = &mut watching(timer, Interest::READABLE);
    while sum < count {
        expect_event(queue);
        sum += timer.read().unwrap();
    }
    sum
}

#[test]
fn a_timer_that_is_not_set_never_expires() {
    let timer = timer();
    expect_silence(&mut watching(&timer, Interest::READABLE));
    assert_eq!(timer.read().unwrap(), 0);
    assert_eq!(timer.remaining().unwrap(), None);
}

#[test]
fn a_timer_expires_once_and_never_early() {
    let timer = timer();
    let mut queue = watching(&timer, Interest::READABLE);
    for nanos in [1, 100_000, 1_000_000, 1_500_000, 20_000_001] {
        let after = Duration::from_nanos(nanos);
        let start = Instant::now();
        timer.set(after).unwrap();
        let event = expect_event(&mut queue);
        let elapsed = start.elapsed();
        assert!(elapsed >= after, "{elapsed:?} of {after:?}");
        assert!(event.is_readable(), "{event:?}");
        assert_eq!(timer.read().unwrap(), 1);
        assert_eq!(timer.read().unwrap(), 0);
        assert_eq!(timer.remaining().unwrap(), None);
        expect_silence(&mut queue);
    }
}

#[test]
fn read_gives_zero_while_it_runs() {
    let timer = timer();
    timer.set(AN_HOUR).unwrap();
    assert_eq!(timer.read().unwrap(), 0);
}

#[test]
fn it_is_reported_until_it_is_read() {
    let timer = timer();
    let mut queue = watching(&timer, Interest::READABLE);
    timer.set(Duration::ZERO).unwrap();
    expect_tokens(&mut queue, &[1]);
    expect_tokens(&mut queue, &[1]);
    assert_eq!(timer.read().unwrap(), 1);
    expect_silence(&mut queue);
}

#[test]
fn an_edge_is_reported_once_per_expiration() {
    let timer = timer();
    let mut queue = watching(&timer, Interest::READABLE.edge());
    for _ in 0..3 {
        timer.set(Duration::ZERO).unwrap();
        expect_tokens(&mut queue, &[1]);
        expect_silence(&mut queue);
    }
}

#[test]
fn set_to_zero_expires_at_once() {
    let timer = timer();
    timer.set(Duration::ZERO).unwrap();
    assert_eq!(read_at_least(&timer, 1), 1);
}

#[test]
fn set_to_the_longest_time_does_not_expire() {
    let timer = timer();
    for after in [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_secs(i64::MAX as u64),
        Duration::from_millis(u64::MAX),
    ] {
        timer.set(after).unwrap();
        expect_silence(&mut watching(&timer, Interest::READABLE));
        let remaining = timer.remaining().unwrap().unwrap();
        // The kernel counts nanoseconds, in 63 bits.
        let years = remaining.as_secs() / 31_556_952;
        assert!(years > 200, "{after:?}: {remaining:?}");
    }
}

#[test]
fn a_periodic_timer_expires_again_and_again() {
    let timer = timer();
    let mut queue = watching(&timer, Interest::READABLE);
    let (first, period) = (Duration::from_millis(2), Duration::from_millis(3));
    let start = Instant::now();
    timer.set_periodic(first, period).unwrap();
    let mut sum = 0;
    while sum < 5 {
        expect_event(&mut queue);
        let count = timer.read().unwrap();
        assert_ne!(count, 0);
        sum += count;
        let earliest = first + period * (sum as u32 - 1);
        let elapsed = start.elapsed();
        assert!(elapsed >= earliest, "{sum} after {elapsed:?}");
    }
}

#[test]
fn expirations_that_nobody_reads_add_up() {
    let timer = timer();
    let period = Duration::from_millis(1);
    let start = Instant::now();
    timer.set_periodic(Duration::ZERO, period).unwrap();
    thread::sleep(period * 10);
    // The first was at once, and ten periods are over.
    let count = timer.read().unwrap();
    let most = start.elapsed().as_micros() as u64 / 1_000 + 1;
    assert!((11..=most).contains(&count), "{count} of {most}");
}

#[test]
fn the_first_expiration_may_be_later_than_the_period() {
    let timer = timer();
    let first = Duration::from_millis(20);
    let start = Instant::now();
    timer.set_periodic(first, Duration::from_millis(1)).unwrap();
    read_at_least(&timer, 1);
    assert!(start.elapsed() >= first);
    read_at_least(&timer, 5);
}

#[test]
fn a_period_as_long_as_can_be_does_not_expire_again() {
    let timer = timer();
    timer.set_periodic(Duration::ZERO, Duration::MAX).unwrap();
    assert_eq!(read_at_least(&timer, 1), 1);
    assert_eq!(timer.read().unwrap(), 0);
    expect_silence(&mut watching(&timer, Interest::READABLE));
}

#[test]
fn a_period_of_zero_is_refused_with_the_reason() {
    let timer = timer();
    timer.set(AN_HOUR).unwrap();
    let error = timer
        .set_periodic(Duration::ZERO, Duration::ZERO)
        .unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert_eq!(
        error.to_string(),
        "timerfd_settime: EINVAL (Invalid argument): a period of zero would expire without end"
    );
    assert!(timer.remaining().unwrap().is_some(), "as it was");
}

#[test]
fn remaining_counts_down() {
    let timer = timer();
    timer.set(AN_HOUR).unwrap();
    let first = timer.remaining().unwrap().unwrap();
    thread::sleep(Duration::from_millis(1));
    let later = timer.remaining().unwrap().unwrap();
    assert!(later < first && first <= AN_HOUR, "{first:?}, {later:?}");
    assert!(later > AN_HOUR / 2, "{later:?}");
}

#[test]
fn remaining_of_a_periodic_timer_is_the_time_to_the_next() {
    let timer = timer();
    timer.set_periodic(Duration::ZERO, AN_HOUR).unwrap();
    assert_eq!(read_at_least(&timer, 1), 1);
    let remaining = timer.remaining().unwrap().unwrap();
    assert!(remaining <= AN_HOUR && remaining > AN_HOUR / 2);
}

#[test]
fn a_cancelled_timer_does_not_expire() {
    let timer = timer();
    timer.set(Duration::from_millis(1)).unwrap();
    timer.cancel().unwrap();
    assert_eq!(timer.remaining().unwrap(), None);
    thread::sleep(Duration::from_millis(2));
    assert_eq!(timer.read().unwrap(), 0);
    expect_silence(&mut watching(&timer, Interest::READABLE));
}

#[test]
fn cancel_forgets_what_had_expired() {
    let timer = timer();
    let mut queue = watching(&timer, Interest::READABLE);
    timer
        .set_periodic(Duration::ZERO, Duration::from_millis(1))
        .unwrap();
    expect_tokens(&mut queue, &[1]);
    timer.cancel().unwrap();
    assert_eq!(timer.read().unwrap(), 0);
    expect_silence(&mut queue);
}

#[test]
fn setting_again_forgets_what_had_expired() {
    let timer = timer();
    let mut queue = watching(&timer, Interest::READABLE);
    timer.set(Duration::ZERO).unwrap();
    expect_tokens(&mut queue, &[1]);
    timer.set(AN_HOUR).unwrap();
    assert_eq!(timer.read().unwrap(), 0);
    expect_silence(&mut queue);
}

#[test]
fn setting_again_replaces_the_time() {
    let timer = timer();
    timer.set(AN_HOUR).unwrap();
    timer.set(Duration::from_millis(1)).unwrap();
    assert_eq!(read_at_least(&timer, 1), 1);

    // A period ends with it.
    timer
        .set_periodic(Duration::ZERO, Duration::from_millis(1))
        .unwrap();
    timer.set(Duration::ZERO).unwrap();
    assert_eq!(read_at_least(&timer, 1), 1);
    assert_eq!(timer.remaining().unwrap(), None);
}

#[test]
fn timers_expire_in_the_order_of_their_times() {
    let timers: Vec<_> = (0..5).map(|_| timer()).collect();
    let mut queue = common::queue::queue();
    for (index, timer) in timers.iter().enumerate() {
        let interest = Interest::READABLE.oneshot();
        queue
            .registry()
            .register(timer, epore::Token(index), interest)
            .unwrap();
    }
    // The shortest first: however long setting them takes, the order stays.
    for (timer, millis) in timers.iter().rev().zip([4, 8, 12, 16, 20]) {
        timer.set(Duration::from_millis(millis)).unwrap();
    }
    let mut order = Vec::new();
    while order.len() < 5 {
        let events = common::queue::expect_events(&mut queue);
        order.extend(events.iter().map(|event| event.token().0));
    }
    assert_eq!(order, [4, 3, 2, 1, 0]);
}
