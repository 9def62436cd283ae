//! Signals as events: what is blocked waits until it is read.

use crate::common;

use common::kernel::{self, SIGUSR1};
use common::queue::{AT_ONCE, DEADLINE, Watchdog, expect_event, expect_silence, queue, watching};
use epore::fd::AsFd;
use epore::process::Child;
use epore::signal::{self, SIGCHLD, SIGHUP, SIGKILL, SIGPIPE, SIGTERM, SigSet, Signals};
use epore::sys::{self, Disposition};
use epore::{Errno, Events, Interest, Result, Token, Waker};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use syscalls::{Sysno, syscall};

/// The signals that the C library keeps for itself.
const RESERVED: &[i32] = if cfg!(target_env = "musl") {
    &[32, 33, 34]
} else {
    &[32, 33]
};

/// Those and all others.
const EVERY: SigSet = SigSet(u64::MAX);

const USR1: SigSet = SigSet::of(&[SIGUSR1]);

fn raise(number: i32) {
    kernel::signal_thread(kernel::thread_id(), number);
}

/// Sends a signal to this thread with a value, as `sigqueue` does.
fn raise_with(number: i32, value: u64) {
    const SI_QUEUE: i32 = -1;
    let [id, thread] = [process::id() as i32, kernel::thread_id()];
    let mut info = [0i32; 32];
    [info[0], info[2], info[4]] = [number, SI_QUEUE, id];
    [info[6], info[7]] = [value as i32, (value >> 32) as i32];
    let info = info.as_ptr();
    // SAFETY: the kernel reads the 128 bytes of `info`.
    unsafe { syscall!(Sysno::rt_tgsigqueueinfo, id, thread, number, info) }.expect("a signal");
}

#[test]
fn a_set_holds_what_was_put_in() {
    let mut set = SigSet::of(&[1, 64, SIGTERM]);
    assert_eq!(set, SigSet(1 | 1 << 63 | 1 << 14));
    for signal in 1..=64 {
        assert_eq!(set.contains(signal), [1, 64, SIGTERM].contains(&signal));
        assert_ne!(SigSet::ALL.contains(signal), RESERVED.contains(&signal));
        assert!(!SigSet::EMPTY.contains(signal));
        assert_eq!(SigSet::EMPTY.with(signal).without(signal), SigSet::EMPTY);
    }
    set = set.without(1).without(64);
    assert_eq!(set, SigSet::of(&[SIGTERM]));
}

#[test]
fn a_number_that_is_no_signal_is_in_no_set() {
    for number in [0, -1, 65, 128, i32::MIN, i32::MAX] {
        assert_eq!(SigSet::EMPTY.with(number), SigSet::EMPTY);
        assert_eq!(SigSet::ALL.without(number), SigSet::ALL);
        assert!(!SigSet::ALL.contains(number));
    }
}

#[test]
fn a_signal_is_reported_until_it_is_read() {
    let signals = Signals::new(USR1).unwrap();
    let mut queue = watching(&signals, Interest::READABLE);
    expect_silence(&mut queue);
    assert_eq!(signals.read().unwrap(), None);
    raise(SIGUSR1);
    assert!(expect_event(&mut queue).is_readable());
    assert!(expect_event(&mut queue).is_readable());
    let signal = signals.read().unwrap().unwrap();
    assert_eq!((signal.number(), signal.pid()), (SIGUSR1, process::id()));
    assert_eq!(signals.read().unwrap(), None);
    expect_silence(&mut queue);
}

#[test]
fn a_signal_to_the_process_is_read_too_and_names_its_sender() {
    let role = || {
        let signals = Signals::new(SigSet::of(&[SIGHUP, SIGTERM])).unwrap();
        Child::open(process::id()).unwrap().kill(SIGTERM).unwrap();
        expect_event(&mut watching(&signals, Interest::READABLE));
        let signal = signals.read().unwrap().unwrap();
        assert_eq!((signal.number(), signal.ssi_code), (SIGTERM, 0));
        assert_eq!(signal.pid(), process::id());
        let owner = fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(signal.uid(), owner);
    };
    if kernel::is_alone() {
        return role();
    }
    let mut again = kernel::again_at(&role);
    let block = || {
        kernel::block_signal(SIGTERM);
        Ok(())
    };
    // libtest has a thread besides the test's, which is to have it blocked too.
    // SAFETY: `block` is one system call, which may stand between fork and exec.
    unsafe { again.pre_exec(block) };
    let output = common::run(&mut again);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_was_sent_along_arrives() {
    const REAL_TIME: i32 = 40;
    let signals = Signals::new(SigSet::of(&[REAL_TIME])).unwrap();
    let values = [0xfedc_ba98_7654_3210, 7];
    for value in values {
        raise_with(REAL_TIME, value);
    }
    for value in values {
        let signal = signals
            .read()
            .unwrap()
            .expect("a real-time signal each time");
        assert_eq!((signal.number(), signal.ssi_code), (REAL_TIME, -1));
        assert_eq!((signal.value(), signal.ssi_int), (value, value as i32));
        assert_eq!(signal.pid(), process::id());
    }
    assert_eq!(signals.read().unwrap(), None);
}

#[test]
fn what_arrives_again_before_it_is_read_is_one() {
    let signals = Signals::new(USR1).unwrap();
    for _ in 0..3 {
        raise(SIGUSR1);
    }
    assert!(signals.read().unwrap().is_some());
    assert_eq!(signals.read().unwrap(), None);
}

#[test]
fn a_signal_of_another_set_is_left_to_others() {
    let (mine, other) = (
        Signals::new(USR1).unwrap(),
        Signals::new(SigSet::of(&[SIGHUP])).unwrap(),
    );
    raise(SIGHUP);
    assert_eq!(mine.read().unwrap(), None);
    assert_eq!(other.read().unwrap().unwrap().number(), SIGHUP);
}

#[test]
fn what_was_read_stays_blocked_without_its_reader() {
    drop(Signals::new(USR1).unwrap());
    // It would end the process.
    raise(SIGUSR1);
    let signals = Signals::new(USR1).unwrap();
    assert_eq!(signals.read().unwrap().unwrap().number(), SIGUSR1);
}

#[test]
fn a_mask_is_the_threads_own_and_inherited_by_those_it_starts() {
    thread::spawn(|| {
        let before = signal::set_mask(USR1).unwrap();
        assert!(!before.contains(SIGUSR1));
        assert_eq!(signal::block(SigSet::of(&[SIGHUP])).unwrap(), USR1);
        let both = USR1.with(SIGHUP);
        let inherited = thread::spawn(|| signal::block(SigSet::EMPTY).unwrap());
        assert_eq!(inherited.join().unwrap(), both);
        assert_eq!(sys::rt_sigprocmask(sys::SIG_UNBLOCK, USR1).unwrap(), both);
        assert_eq!(signal::set_mask(before).unwrap(), SigSet::of(&[SIGHUP]));
    })
    .join()
    .unwrap();
    assert!(!signal::block(SigSet::EMPTY).unwrap().contains(SIGUSR1));
}

#[test]
fn what_cannot_be_blocked_is_not() {
    thread::spawn(|| {
        signal::block(SigSet::ALL).unwrap();
        let blocked = signal::block(SigSet::EMPTY).unwrap();
        // Of the real-time signals an emulator has some for itself.
        for signal in 1..=31 {
            let cannot = [SIGKILL, sys::SIGSTOP].contains(&signal);
            assert_ne!(blocked.contains(signal), cannot, "{signal}");
        }
    })
    .join()
    .unwrap();
}

/// What a thread of this process blocks, as the kernel shows it.
fn blocked_by(thread: i32) -> SigSet {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).expect("a thread");
    let blocked = (status.lines())
        .find_map(|line| line.strip_prefix("SigBlk:"))
        .expect("a mask");
    SigSet(u64::from_str_radix(blocked.trim(), 16).expect("a mask"))
}

#[track_caller]
fn leaves_the_reserved_ones(blocked: SigSet) {
    for &signal in RESERVED {
        assert!(!blocked.contains(signal), "{signal} of {blocked:x?}");
    }
    assert!(
        blocked.contains(SIGHUP) && blocked.contains(64),
        "{blocked:x?}"
    );
}

#[test]
fn the_signals_of_the_c_library_are_never_blocked_or_ignored() {
    const CHECK: &str = "the signals of the C library";
    if common::is_emulated() {
        return common::left_out(CHECK, "the emulator has its own");
    }
    let ways: [fn(); 3] = [
        || _ = signal::block(EVERY).unwrap(),
        || _ = signal::set_mask(EVERY).unwrap(),
        || drop(Signals::new(EVERY).unwrap()),
    ];
    for way in ways {
        let blocking = thread::spawn(move || {
            way();
            blocked_by(kernel::thread_id())
        });
        leaves_the_reserved_ones(blocking.join().unwrap());
    }
    for &signal in RESERVED {
        let error = signal::ignore(signal).unwrap_err();
        assert_eq!(
            (error.syscall(), error.errno()),
            ("rt_sigaction", Errno::EINVAL)
        );
        let reason = "the C library keeps this signal for itself";
        assert_eq!(error.reason(), Some(reason));
    }
}

#[test]
fn a_wait_with_a_mask_leaves_the_signals_of_the_c_library() {
    if common::is_emulated() {
        return common::left_out("the mask of a wait", "the emulator has its own");
    }
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            sender.send(kernel::thread_id()).unwrap();
            let mut events = Events::<1>::new();
            queue
                .poll_with_mask(&mut events, Some(DEADLINE), EVERY)
                .unwrap();
        });
        let thread = receiver.recv().unwrap();
        let blocked = common::wait_until(DEADLINE, || {
            let blocked = blocked_by(thread);
            blocked.contains(SIGHUP).then_some(blocked)
        });
        waker.wake().unwrap();
        leaves_the_reserved_ones(blocked.expect("a mask during the wait"));
    });
}

#[test]
fn setgid_returns_while_another_thread_blocks_every_signal() {
    unsafe extern "C" {
        safe fn getgid() -> u32;
        safe fn setgid(gid: u32) -> i32;
    }
    if common::is_emulated() {
        return common::left_out("setgid with every signal blocked", "in an emulator");
    }
    kernel::alone(|| {
        let _watchdog = Watchdog::within(Duration::from_secs(10));
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            scope.spawn(move || {
                signal::block(EVERY).unwrap();
                sender.send(()).unwrap();
                let _ = ended.recv();
            });
            receiver.recv().unwrap();
            assert_eq!(setgid(getgid()), 0);
            drop(end);
        });
    });
}

#[test]
fn it_is_non_blocking_and_closed_on_exec() {
    let signals = Signals::new(USR1).unwrap();
    assert!(kernel::is_nonblocking(&signals));
    assert!(kernel::is_closed_on_exec(&signals));
}

#[test]
fn dispositions_take_effect_and_are_refused_by_name() {
    kernel::alone(|| {
        signal::ignore(SIGUSR1).unwrap();
        raise(SIGUSR1);
        sys::rt_sigaction(SIGCHLD, Disposition::Default).unwrap();
        for signal in [SIGKILL, sys::SIGSTOP, 0, 65, -1] {
            let error = signal::ignore(signal).unwrap_err();
            assert_eq!(
                (error.syscall(), error.errno()),
                ("rt_sigaction", Errno::EINVAL)
            );
        }
        let unknown = sys::rt_sigprocmask(3, USR1).unwrap_err();
        assert_eq!(unknown.errno(), Errno::EINVAL);
    });
}

#[test]
fn a_default_that_is_restored_ends_the_process_again() {
    kernel::ends_by(SIGPIPE, || {
        signal::ignore(SIGPIPE).unwrap();
        raise(SIGPIPE);
        sys::rt_sigaction(SIGPIPE, Disposition::Default).unwrap();
        raise(SIGPIPE);
        panic!("still there");
    });
}

#[test]
fn unknown_flags_of_a_signalfd_are_refused() {
    let error = sys::signalfd4(USR1, 1).unwrap_err();
    assert_eq!(
        (error.syscall(), error.errno()),
        ("signalfd4", Errno::EINVAL)
    );
    let blocking = sys::signalfd4(USR1, 0).unwrap();
    assert!(!kernel::is_nonblocking(&blocking) && !kernel::is_closed_on_exec(&blocking));
}

#[test]
fn a_descriptor_that_is_no_signalfd_makes_no_signal() {
    let counter = sys::eventfd2(5, sys::EFD_NONBLOCK).unwrap();
    let info = sys::read_signalfd(counter.as_fd()).unwrap();
    assert_eq!((info.ssi_signo, info.ssi_pid), (5, 0), "eight bytes");
    assert_eq!(
        sys::read_signalfd(counter.as_fd()).unwrap_err().errno(),
        Errno::EAGAIN
    );
}

/// Waits of every kind: without end, in milliseconds, in nanoseconds, and longer than
/// milliseconds can be counted.
const TIMEOUTS: [Option<Duration>; 4] = [
    None,
    Some(DEADLINE),
    Some(Duration::from_nanos(30_000_000_001)),
    Some(Duration::from_secs(1 << 40)),
];

/// What a wait answers in a thread where `SIGUSR1` is blocked and pending, and how many
/// times it was handled meanwhile.
fn waits_with(timeout: Option<Duration>, mask: SigSet, refuse: bool) -> (Result<()>, usize) {
    kernel::count_signal(SIGUSR1);
    let waiting = thread::spawn(move || {
        if refuse {
            let _ = kernel::refuse(Sysno::epoll_pwait2, Errno::ENOSYS);
        }
        signal::block(USR1).unwrap();
        raise(SIGUSR1);
        let before = kernel::SIGNALS.load(Ordering::SeqCst);
        let answer = queue().poll_with_mask(&mut Events::<1>::new(), timeout, mask);
        let handled = kernel::SIGNALS.load(Ordering::SeqCst) - before;
        // As it was before.
        raise(SIGUSR1);
        assert!(signal::block(SigSet::EMPTY).unwrap().contains(SIGUSR1));
        assert_eq!(kernel::SIGNALS.load(Ordering::SeqCst) - before, handled);
        (answer, handled)
    });
    waiting.join().unwrap()
}

#[test]
fn a_pending_signal_that_the_mask_lets_through_ends_the_wait() {
    kernel::alone(|| {
        for refuse in [false, true] {
            for timeout in TIMEOUTS {
                let (answer, handled) = waits_with(timeout, SigSet::EMPTY, refuse);
                assert!(answer.unwrap_err().is_interrupted(), "{timeout:?}");
                assert_eq!(handled, 1, "{timeout:?}");
            }
        }
    });
}

#[test]
fn a_signal_that_the_mask_blocks_does_not_end_the_wait() {
    kernel::alone(|| {
        for refuse in [false, true] {
            for nanos in [0, 1, 1_000_000, 1_500_000] {
                let timeout = Some(Duration::from_nanos(nanos));
                let (answer, handled) = waits_with(timeout, USR1, refuse);
                answer.unwrap();
                assert_eq!(handled, 0, "{timeout:?}");
            }
        }
    });
}

#[test]
fn events_come_with_a_mask_as_without() {
    let signals = Signals::new(USR1).unwrap();
    let mut queue = watching(&signals, Interest::READABLE);
    let mut events = Events::<4>::new();
    raise(SIGUSR1);
    for timeout in TIMEOUTS.into_iter().chain([AT_ONCE]) {
        queue.poll_with_mask(&mut events, timeout, USR1).unwrap();
        assert_eq!(events.len(), 1, "{timeout:?}");
    }
    signals.read().unwrap().unwrap();
}
