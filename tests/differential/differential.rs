//! Random operations on the library's queues and on libc's: every answer the same.
//!
//! As it stands, the same few hundred trials each time. By hand, and for as long as one
//! likes:
//!
//! ```sh
//! cd tests/differential
//! EPORE_DIFFERENTIAL_CASES=100000 cargo test --release -- --nocapture
//! ```
//!
//! - `EPORE_DIFFERENTIAL_CASES`: how many trials. With it, they are others each time.
//! - `EPORE_DIFFERENTIAL_SEED`: a number to start from, which the run prints: the same
//!   trials again.
//!
//! What fails is made shorter until nothing can be left out; the operations that remain
//! are printed, and so is the difference.

use differential::{Modes, Seen, operations, run};
use epore::Event;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use std::env;
use std::time::{Instant, SystemTime};

/// Few enough for a slow emulator.
const CASES: u32 = 300;

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let value = env::var(variable).ok()?;
    match value.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} is not a number: {value}"),
    }
}

#[test]
fn epore_and_libc_answer_the_same() {
    let cases = number::<u32>("EPORE_DIFFERENTIAL_CASES");
    let seed = number::<u64>("EPORE_DIFFERENTIAL_SEED").unwrap_or_else(|| match cases {
        None => 0,
        Some(_) => SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
    });
    let cases = cases.unwrap_or(CASES);
    println!("EPORE_DIFFERENTIAL_CASES={cases} EPORE_DIFFERENTIAL_SEED={seed}");

    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (start, seen) = (Instant::now(), RefCell::new(Seen::default()));
    let outcome = runner.run(&operations(), |operations| {
        run(&operations, &mut seen.borrow_mut()).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(difference, operations)) => {
            panic!("{difference}\nafter these operations: {operations:#?}")
        }
        Err(error) => panic!("{error}"),
    }
    let seen = seen.into_inner();
    println!("{seen:?} in {:?}", start.elapsed());

    // It was not all about nothing.
    if cases >= CASES {
        for errno in [
            libc::EEXIST,
            libc::ENOENT,
            libc::EPERM,
            libc::EBADF,
            libc::EINVAL,
            libc::ELOOP,
            libc::EFAULT,
        ] {
            assert!(seen.errnos.contains(&errno), "no {errno}: {seen:?}");
        }
        for bit in [
            libc::EPOLLIN,
            libc::EPOLLOUT,
            libc::EPOLLPRI,
            libc::EPOLLERR,
            libc::EPOLLHUP,
            libc::EPOLLRDHUP,
        ] {
            assert!(seen.bits & bit as u32 != 0, "no {bit:#x}: {seen:?}");
        }
        assert!(seen.events > seen.waits / 2, "{seen:?}");
        assert!(seen.full > seen.waits / 40, "{seen:?}");
    }
}

/// mio's definitions, in libc's words.
fn questions(bits: u32) -> [bool; 6] {
    let has = |flag: i32| bits & flag as u32 != 0;
    [
        has(libc::EPOLLIN) || has(libc::EPOLLPRI),
        has(libc::EPOLLOUT),
        has(libc::EPOLLPRI),
        has(libc::EPOLLERR),
        has(libc::EPOLLHUP) || (has(libc::EPOLLIN) && has(libc::EPOLLRDHUP)),
        has(libc::EPOLLHUP)
            || (has(libc::EPOLLOUT) && has(libc::EPOLLERR))
            || bits == libc::EPOLLERR as u32,
    ]
}

#[test]
fn events_answer_as_those_of_mio() {
    // All that the kernel reports.
    for bits in 0..0x4000 {
        let event = Event::new(bits, 0);
        let answers = [
            event.is_readable(),
            event.is_writable(),
            event.is_priority(),
            event.is_error(),
            event.is_read_closed(),
            event.is_write_closed(),
        ];
        assert_eq!(answers, questions(bits), "{event:?}");
    }
}

#[test]
fn interests_are_the_bits_that_the_documentation_says() {
    for modes in (0..128).map(Modes).filter(|modes| modes.0 & 7 != 0) {
        assert_eq!(modes.interest().bits(), modes.bits(), "{modes:?}");
    }
}
