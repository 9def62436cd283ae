//! The raw layer and the kernel's binary interface: numbers, layouts, masks, and
//! each function by itself.

use crate::common;

use common::kernel::{self, SIGUSR1};
use common::queue::{AT_ONCE, DEADLINE, queue};
use epore::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use epore::sys::{
    self, CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, EFD_CLOEXEC, EFD_NONBLOCK,
    EFD_SEMAPHORE, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT,
    EpollEvent, EpollParams, IoSlice, IoSliceMut, Itimerspec, Linger, SOCK_CLOEXEC, SOCK_DGRAM,
    SOCK_NONBLOCK, SOCK_STREAM, SYSCALLS, SigSet, SockAddr, TFD_CLOEXEC, TFD_NONBLOCK,
    TFD_TIMER_ABSTIME, Timespec, UIO_MAXIOV,
};
use epore::{Errno, Events, Interest, Result, Token};
use std::mem::{MaybeUninit, offset_of};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::slice;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use syscalls::{Sysno, syscall};

/// All 64 bits count, and no half of one looks like a half of the other.
const FIRST: u64 = 0xfedc_ba98_7654_3210;
const SECOND: u64 = 0x0f1e_2d3c_4b5a_6978;

type Room = [MaybeUninit<EpollEvent>; 8];

const ROOM: Room = [MaybeUninit::uninit(); 8];

fn eventfd(value: u32) -> OwnedFd {
    sys::eventfd2(value, EFD_CLOEXEC | EFD_NONBLOCK).unwrap()
}

fn epoll() -> OwnedFd {
    sys::epoll_create1(EPOLL_CLOEXEC).unwrap()
}

fn add(epoll: &OwnedFd, source: &impl AsFd, events: u32, data: u64) {
    let event = EpollEvent::new(events, data);
    sys::epoll_ctl(epoll.as_fd(), EPOLL_CTL_ADD, source.as_fd(), Some(&event)).unwrap();
}

#[track_caller]
fn fails<T>(outcome: Result<T>, errno: Errno) {
    match outcome {
        Ok(_) => panic!("no {errno}"),
        Err(error) => assert_eq!(error.errno(), errno, "{error}"),
    }
}

/// The wait calls under one signature.
type Wait = for<'b> fn(BorrowedFd<'_>, &'b mut Room) -> Result<&'b mut [EpollEvent]>;

/// Each way to look without waiting; `epoll_pwait2` where it exists.
fn ways_to_wait() -> Vec<(&'static str, Wait)> {
    let mut ways: Vec<(&str, Wait)> = vec![
        ("epoll_wait", |epoll, room| sys::epoll_wait(epoll, room, 0)),
        ("epoll_pwait", |epoll, room| {
            sys::epoll_pwait(epoll, room, 0, None)
        }),
        ("epoll_pwait with a mask", |epoll, room| {
            sys::epoll_pwait(epoll, room, 0, Some(&SigSet(0)))
        }),
    ];
    if has_pwait2() {
        ways.push(("epoll_pwait2", |epoll, room| {
            sys::epoll_pwait2(epoll, room, Some(&Timespec::default()), None)
        }));
        ways.push(("epoll_pwait2 with a mask", |epoll, room| {
            sys::epoll_pwait2(epoll, room, Some(&Timespec::default()), Some(&SigSet(0)))
        }));
    }
    ways
}

/// Whether there is `epoll_pwait2`; says so once if not.
fn has_pwait2() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| {
        let (zero, mut room) = (Timespec::default(), ROOM);
        match sys::epoll_pwait2(epoll().as_fd(), &mut room, Some(&zero), None) {
            Ok(_) => true,
            Err(error) => {
                common::left_out("epoll_pwait2 by itself", error);
                false
            }
        }
    });
    *ANSWER
}

#[test]
fn two_tokens_of_64_bits_come_back_from_one_wait() {
    let (first, second) = (eventfd(1), eventfd(0));
    let mut queue = queue();
    let registry = queue.registry();
    registry
        .register(&first, Token(FIRST as usize), Interest::READABLE)
        .unwrap();
    registry
        .register(&second, Token(SECOND as usize), Interest::WRITABLE)
        .unwrap();
    let mut events = Events::<8>::new();
    queue.poll(&mut events, AT_ONCE).unwrap();
    let mut seen: Vec<_> = (events.iter())
        .map(|event| (event.token().0 as u64, event.events()))
        .collect();
    seen.sort();
    assert_eq!(seen, [(SECOND, EPOLLOUT), (FIRST, EPOLLIN)]);
}

#[test]
fn two_data_of_64_bits_come_back_from_every_wait() {
    for (name, wait) in ways_to_wait() {
        let (first, second, epoll) = (eventfd(1), eventfd(0), epoll());
        add(&epoll, &first, EPOLLIN, FIRST);
        add(&epoll, &second, EPOLLOUT, SECOND);
        let mut room = ROOM;
        let events = wait(epoll.as_fd(), &mut room).unwrap();
        events.sort_by_key(|event| event.data());
        let expected = [
            EpollEvent::new(EPOLLOUT, SECOND),
            EpollEvent::new(EPOLLIN, FIRST),
        ];
        assert_eq!(events, expected, "{name}");
    }
}

#[test]
fn the_kernel_writes_what_the_layout_says() {
    let (size, data_at) = if cfg!(target_arch = "x86_64") {
        (12, 4)
    } else {
        (16, 8)
    };
    assert_eq!(size_of::<EpollEvent>(), size);

    // Two events by number and by byte, in memory that no `EpollEvent` was in.
    let (first, second, epoll) = (eventfd(1), eventfd(1), epoll());
    add(&epoll, &first, EPOLLIN, FIRST);
    add(&epoll, &second, EPOLLIN, FIRST + 1);
    let mut bytes = [0xaa_u8; 48];
    let start = bytes.as_mut_ptr();
    let number = epoll.as_raw_fd();
    // SAFETY: the kernel writes at most three events of at most 16 bytes.
    let count = unsafe { syscall!(Sysno::epoll_pwait, number, start, 3, 0, 0, 8) };
    assert_eq!(count, Ok(2));
    for index in 0..2 {
        let event = &bytes[index * size..][..size];
        assert_eq!(event[..4], EPOLLIN.to_ne_bytes());
        let data = event[data_at..].try_into().map(u64::from_ne_bytes).unwrap();
        assert_eq!(data, FIRST + index as u64);
    }
    assert!(bytes[2 * size..].iter().all(|&byte| byte == 0xaa));
}

#[test]
fn an_event_has_its_fields_where_the_layout_says() {
    let event = EpollEvent::new(0x0102_0304, FIRST);
    let start = (&raw const event).cast::<u8>();
    let data_at = if cfg!(target_arch = "x86_64") { 4 } else { 8 };
    // SAFETY: the first four bytes of `event` are its flags.
    let flags = unsafe { slice::from_raw_parts(start, 4) };
    assert_eq!(flags, 0x0102_0304_u32.to_ne_bytes());
    // SAFETY: within `event`.
    let data = unsafe { start.add(data_at) };
    // SAFETY: the last eight bytes of `event` are its data.
    let data = unsafe { slice::from_raw_parts(data, 8) };
    assert_eq!(data, FIRST.to_ne_bytes());
}

#[test]
fn the_other_structs_are_the_kernels_too() {
    assert_eq!(size_of::<Timespec>(), 16);
    assert_eq!(offset_of!(Timespec, tv_sec), 0);
    assert_eq!(offset_of!(Timespec, tv_nsec), 8);
    assert_eq!(size_of::<Itimerspec>(), 32);
    assert_eq!(offset_of!(Itimerspec, it_interval), 0);
    assert_eq!(offset_of!(Itimerspec, it_value), 16);
    assert_eq!(size_of::<SigSet>(), 8);
}

#[test]
fn the_numbers_are_those_of_both_architectures() {
    for call in SYSCALLS {
        let x86_64 = (syscalls::x86_64::Sysno::iter())
            .find(|sysno| sysno.name() == call.name())
            .map(|sysno| sysno.id() as u32);
        let aarch64 = (syscalls::aarch64::Sysno::iter())
            .find(|sysno| sysno.name() == call.name())
            .map(|sysno| sysno.id() as u32);
        assert_eq!(call.x86_64(), x86_64, "{} on x86_64", call.name());
        assert_eq!(call.aarch64(), aarch64, "{} on aarch64", call.name());
        let here = call.name().parse::<Sysno>().ok().map(|it| it.id() as u32);
        assert_eq!(call.number(), here, "{} here", call.name());
    }
}

#[test]
fn the_table_lists_each_call_once() {
    let mut names: Vec<_> = SYSCALLS.iter().map(sys::Syscall::name).collect();
    assert!(names.is_sorted());
    names.dedup();
    assert_eq!(names.len(), SYSCALLS.len());
    let absent: Vec<_> = (SYSCALLS.iter())
        .filter(|call| call.x86_64().is_none() || call.aarch64().is_none())
        .map(sys::Syscall::name)
        .collect();
    assert_eq!(absent, ["epoll_wait"], "on aarch64");
}

#[test]
fn the_kernel_wants_a_mask_of_eight_bytes() {
    let (epoll, mut room, mask) = (epoll(), ROOM, 0u64);
    let mut pwait = |size: usize| {
        let (number, start) = (epoll.as_raw_fd(), room.as_mut_ptr());
        // SAFETY: the kernel writes at most eight events, and of `mask` it reads
        // eight bytes or none.
        unsafe {
            syscall!(
                Sysno::epoll_pwait,
                number,
                start,
                8,
                0,
                &raw const mask,
                size
            )
        }
    };
    assert_eq!(pwait(size_of::<SigSet>()), Ok(0));
    for size in [0, 4, 128] {
        assert_eq!(pwait(size), Err(Errno::EINVAL), "{size}");
    }
}

/// Runs `test` in a thread where SIGUSR1 is pending and blocked.
fn with_a_pending_signal(test: impl FnOnce(BorrowedFd<'_>) + Send) {
    kernel::count_signal(SIGUSR1);
    thread::scope(|scope| {
        scope.spawn(|| {
            kernel::block_signal(SIGUSR1);
            kernel::signal_thread(kernel::thread_id(), SIGUSR1);
            let (epoll, before) = (epoll(), kernel::SIGNALS.load(Ordering::SeqCst));
            let mut room = ROOM;
            sys::epoll_wait(epoll.as_fd(), &mut room, 1).expect("a blocked signal");
            test(epoll.as_fd());
            let after = kernel::SIGNALS.load(Ordering::SeqCst);
            assert_eq!(after, before + 1, "handled as the wait ended");
        });
    });
}

const USR1: SigSet = SigSet(1 << (SIGUSR1 - 1));

#[test]
fn the_mask_holds_while_the_wait_lasts() {
    kernel::alone(|| {
        with_a_pending_signal(|epoll| {
            let mut room = ROOM;
            let millis = DEADLINE.as_millis() as i32;
            let blocked = sys::epoll_pwait(epoll, &mut room, 1, Some(&USR1));
            assert!(blocked.unwrap().is_empty());
            let without = sys::epoll_pwait(epoll, &mut room, 1, None);
            assert!(without.unwrap().is_empty());
            let others = SigSet(!USR1.0);
            fails(
                sys::epoll_pwait(epoll, &mut room, millis, Some(&others)),
                Errno::EINTR,
            );
            // Taken back afterwards.
            kernel::signal_thread(kernel::thread_id(), SIGUSR1);
            let after = sys::epoll_pwait(epoll, &mut room, 1, None);
            assert!(after.unwrap().is_empty());
        });
        if has_pwait2() {
            with_a_pending_signal(|epoll| {
                let mut room = ROOM;
                let millisecond = Timespec::from(Duration::from_millis(1));
                let blocked = sys::epoll_pwait2(epoll, &mut room, Some(&millisecond), Some(&USR1));
                assert!(blocked.unwrap().is_empty());
                let others = SigSet(!USR1.0);
                fails(
                    sys::epoll_pwait2(epoll, &mut room, None, Some(&others)),
                    Errno::EINTR,
                );
            });
        }
    });
}

#[test]
fn epoll_create1_and_its_flag() {
    assert!(kernel::is_closed_on_exec(&epoll()));
    assert!(!kernel::is_closed_on_exec(&sys::epoll_create1(0).unwrap()));
    fails(sys::epoll_create1(1), Errno::EINVAL);
    fails(sys::epoll_create1(-1), Errno::EINVAL);
}

#[test]
fn epoll_ctl_and_its_operations() {
    let (epoll, source) = (epoll(), eventfd(1));
    let event = EpollEvent::new(EPOLLIN, 1);
    let ctl = |op, event| sys::epoll_ctl(epoll.as_fd(), op, source.as_fd(), event);
    fails(ctl(EPOLL_CTL_MOD, Some(&event)), Errno::ENOENT);
    fails(ctl(EPOLL_CTL_DEL, None), Errno::ENOENT);
    ctl(EPOLL_CTL_ADD, Some(&event)).unwrap();
    fails(ctl(EPOLL_CTL_ADD, Some(&event)), Errno::EEXIST);
    let changed = EpollEvent::new(EPOLLOUT, 2);
    ctl(EPOLL_CTL_MOD, Some(&changed)).unwrap();
    let mut room = ROOM;
    let events = sys::epoll_wait(epoll.as_fd(), &mut room, -1).unwrap();
    assert_eq!(events, [changed]);
    ctl(EPOLL_CTL_DEL, None).unwrap();
    ctl(EPOLL_CTL_ADD, Some(&event)).unwrap();
    // What an operation does not need is not looked at.
    ctl(EPOLL_CTL_DEL, Some(&event)).unwrap();
}

#[test]
fn epoll_ctl_and_its_errors() {
    let (epoll, source) = (epoll(), eventfd(1));
    let event = EpollEvent::new(EPOLLIN, 1);
    let some = Some(&event);
    let ctl = |op, event| sys::epoll_ctl(epoll.as_fd(), op, source.as_fd(), event);
    for op in [0, 4, -1] {
        fails(ctl(op, some), Errno::EINVAL);
    }
    fails(ctl(EPOLL_CTL_ADD, None), Errno::EFAULT);
    let (epoll, source) = (epoll.as_fd(), source.as_fd());
    fails(
        sys::epoll_ctl(source, EPOLL_CTL_ADD, epoll, some),
        Errno::EINVAL,
    );
    fails(
        sys::epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, some),
        Errno::EINVAL,
    );
}

#[test]
fn without_an_event_nothing_is_written() {
    for (name, wait) in ways_to_wait() {
        let mut room = ROOM;
        let events = wait(epoll().as_fd(), &mut room).unwrap();
        assert!(events.is_empty(), "{name}");
    }
}

#[test]
fn a_room_is_filled_and_not_exceeded() {
    let epoll = epoll();
    let sources: Vec<_> = (0..5).map(|_| eventfd(1)).collect();
    for (source, data) in sources.iter().zip(0..) {
        add(&epoll, source, EPOLLIN, data);
    }
    let untouched = EpollEvent::new(77, SECOND);
    for len in 1..=4 {
        let mut room = [MaybeUninit::new(untouched); 8];
        let events = sys::epoll_wait(epoll.as_fd(), &mut room[..len], 0).unwrap();
        assert_eq!(events.len(), len);
        for rest in &room[len..] {
            // SAFETY: it was initialised above.
            assert_eq!(unsafe { rest.assume_init() }, untouched);
        }
    }
}

#[test]
fn an_empty_room_is_refused() {
    let epoll = epoll();
    let epoll = epoll.as_fd();
    fails(sys::epoll_wait(epoll, &mut [], 0), Errno::EINVAL);
    fails(sys::epoll_pwait(epoll, &mut [], 0, None), Errno::EINVAL);
    if has_pwait2() {
        fails(sys::epoll_pwait2(epoll, &mut [], None, None), Errno::EINVAL);
    }
}

#[test]
fn what_is_no_queue_cannot_be_waited_for() {
    for (name, wait) in ways_to_wait() {
        let mut room = ROOM;
        let error = wait(eventfd(1).as_fd(), &mut room).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{name}");
    }
}

#[test]
fn a_negative_timeout_waits_for_the_event() {
    for millis in [-1, i32::MIN] {
        let (epoll, source) = (epoll(), eventfd(1));
        add(&epoll, &source, EPOLLIN, 1);
        let mut room = ROOM;
        let events = sys::epoll_wait(epoll.as_fd(), &mut room, millis).unwrap();
        assert_eq!(events.len(), 1);
        let events = sys::epoll_pwait(epoll.as_fd(), &mut room, millis, None).unwrap();
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn timeouts_are_in_milliseconds_and_in_nanoseconds() {
    let (epoll, mut room) = (epoll(), ROOM);
    let start = Instant::now();
    sys::epoll_wait(epoll.as_fd(), &mut room, 20).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
    if has_pwait2() {
        let start = Instant::now();
        let time = Duration::from_nanos(20_000_001);
        sys::epoll_pwait2(epoll.as_fd(), &mut room, Some(&time.into()), None).unwrap();
        assert!(start.elapsed() >= time);
    }
}

#[test]
fn a_time_that_is_not_normal_is_refused() {
    if !has_pwait2() {
        return;
    }
    let epoll = epoll();
    for (tv_sec, tv_nsec) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, 0)] {
        let time = Timespec { tv_sec, tv_nsec };
        let mut room = ROOM;
        let outcome = sys::epoll_pwait2(epoll.as_fd(), &mut room, Some(&time), None);
        fails(outcome, Errno::EINVAL);
    }
}

#[test]
fn timespec_converts_from_and_to_durations() {
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    assert_eq!(Timespec::from(Duration::new(5, 6)), time(5, 6));
    assert_eq!(
        Timespec::from(Duration::MAX),
        time(i64::MAX, 999_999_999),
        "saturated"
    );
    assert_eq!(Duration::from(time(5, 6)), Duration::new(5, 6));
    assert_eq!(Duration::from(time(-5, 6)), Duration::new(0, 6));
    assert_eq!(Duration::from(time(5, -6)), Duration::new(5, 0));
    assert_eq!(
        Duration::from(time(5, i64::MAX)),
        Duration::new(5, 999_999_999)
    );
    assert!(time(1, 0) > time(0, 999_999_999));
}

#[test]
fn eventfd2_counts() {
    let counter = eventfd(3);
    let counter = counter.as_fd();
    let mut value = [0; 8];
    assert_eq!(sys::read(counter, &mut value).unwrap(), 8);
    assert_eq!(u64::from_ne_bytes(value), 3);
    fails(sys::read(counter, &mut value), Errno::EAGAIN);
    assert_eq!(sys::write(counter, &40u64.to_ne_bytes()).unwrap(), 8);
    assert_eq!(sys::write(counter, &2u64.to_ne_bytes()).unwrap(), 8);
    sys::read(counter, &mut value).unwrap();
    assert_eq!(u64::from_ne_bytes(value), 42);

    fails(sys::read(counter, &mut [0; 7]), Errno::EINVAL);
    fails(sys::write(counter, &[0; 7]), Errno::EINVAL);
    fails(sys::write(counter, &[0xff; 8]), Errno::EINVAL);
}

#[test]
fn eventfd2_and_its_flags() {
    let semaphore = sys::eventfd2(2, EFD_SEMAPHORE | EFD_NONBLOCK).unwrap();
    let mut value = [0; 8];
    for _ in 0..2 {
        sys::read(semaphore.as_fd(), &mut value).unwrap();
        assert_eq!(u64::from_ne_bytes(value), 1);
    }
    fails(sys::read(semaphore.as_fd(), &mut value), Errno::EAGAIN);
    assert!(kernel::is_nonblocking(&semaphore));
    assert!(!kernel::is_closed_on_exec(&semaphore));
    assert!(kernel::is_closed_on_exec(&eventfd(0)));
    assert!(!kernel::is_nonblocking(&sys::eventfd2(0, 0).unwrap()));
    fails(sys::eventfd2(0, 1 << 20), Errno::EINVAL);
}

fn timerfd() -> OwnedFd {
    sys::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK).unwrap()
}

#[test]
fn timerfd_runs_on_every_clock() {
    for clock in [CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME] {
        let timer = sys::timerfd_create(clock, 0).unwrap();
        let soon = Itimerspec {
            it_value: Duration::from_nanos(1).into(),
            ..Itimerspec::default()
        };
        sys::timerfd_settime(timer.as_fd(), 0, &soon).unwrap();
        let mut count = [0; 8];
        assert_eq!(sys::read(timer.as_fd(), &mut count).unwrap(), 8);
        assert_eq!(u64::from_ne_bytes(count), 1);
        assert!(!kernel::is_closed_on_exec(&timer) && !kernel::is_nonblocking(&timer));
    }
    assert!(kernel::is_closed_on_exec(&timerfd()) && kernel::is_nonblocking(&timerfd()));
    fails(sys::timerfd_create(99, 0), Errno::EINVAL);
    fails(sys::timerfd_create(CLOCK_MONOTONIC, 1), Errno::EINVAL);
}

#[test]
fn timerfd_tells_what_it_was_set_to() {
    let timer = timerfd();
    let off = sys::timerfd_gettime(timer.as_fd()).unwrap();
    assert_eq!(off, Itimerspec::default());
    let setting = Itimerspec {
        it_interval: Duration::new(5, 6).into(),
        it_value: Duration::from_secs(3_600).into(),
    };
    sys::timerfd_settime(timer.as_fd(), 0, &setting).unwrap();
    let now = sys::timerfd_gettime(timer.as_fd()).unwrap();
    assert_eq!(now.it_interval, setting.it_interval);
    assert!(now.it_value <= setting.it_value, "{now:?}");
    assert!(now.it_value.tv_sec > 1_800, "{now:?}");
}

#[test]
fn timerfd_takes_a_time_of_the_clock() {
    let timer = timerfd();
    // Now is over as soon as it is set.
    let setting = Itimerspec {
        it_value: sys::clock_gettime(CLOCK_MONOTONIC).unwrap(),
        ..Itimerspec::default()
    };
    sys::timerfd_settime(timer.as_fd(), TFD_TIMER_ABSTIME, &setting).unwrap();
    common::tcp::readable(&timer);
    assert_eq!(sys::read(timer.as_fd(), &mut [0; 8]).unwrap(), 8);
}

#[test]
fn timerfd_and_its_errors() {
    let (timer, other) = (timerfd(), eventfd(0));
    let setting = |tv_sec, tv_nsec| Itimerspec {
        it_value: Timespec { tv_sec, tv_nsec },
        ..Itimerspec::default()
    };
    for wrong in [setting(-1, 0), setting(0, -1), setting(0, 1_000_000_000)] {
        fails(
            sys::timerfd_settime(timer.as_fd(), 0, &wrong),
            Errno::EINVAL,
        );
    }
    let right = setting(1, 0);
    fails(
        sys::timerfd_settime(timer.as_fd(), 1 << 20, &right),
        Errno::EINVAL,
    );
    fails(
        sys::timerfd_settime(other.as_fd(), 0, &right),
        Errno::EINVAL,
    );
    fails(sys::timerfd_gettime(other.as_fd()), Errno::EINVAL);
    fails(sys::read(timer.as_fd(), &mut [0; 4]), Errno::EINVAL);
    fails(sys::read(timer.as_fd(), &mut [0; 8]), Errno::EAGAIN);
    fails(sys::write(timer.as_fd(), &[0; 8]), Errno::EINVAL);
}

#[test]
fn clocks_run_forwards() {
    for clock in [CLOCK_MONOTONIC, CLOCK_BOOTTIME] {
        let first = sys::clock_gettime(clock).unwrap();
        let later = sys::clock_gettime(clock).unwrap();
        assert!(later >= first, "{first:?}, {later:?}");
    }
    sys::clock_gettime(CLOCK_REALTIME).unwrap();
    fails(sys::clock_gettime(99), Errno::EINVAL);
}

#[test]
fn read_and_write_move_bytes() {
    let (read, write) = kernel::pipe();
    assert_eq!(sys::write(write.as_fd(), b"hello, world").unwrap(), 12);
    let mut buf = [0xaa; 8];
    assert_eq!(sys::read(read.as_fd(), &mut buf[..5]).unwrap(), 5);
    assert_eq!(&buf, b"hello\xaa\xaa\xaa");
    let mut room = [MaybeUninit::uninit(); 16];
    let rest = sys::read_uninit(read.as_fd(), &mut room).unwrap();
    assert_eq!(rest, b", world");
    assert_eq!(sys::read(read.as_fd(), &mut []).unwrap(), 0);
    assert_eq!(sys::write(write.as_fd(), &[]).unwrap(), 0);
}

#[test]
fn read_and_write_and_their_errors() {
    let (read, write) = kernel::pipe();
    fails(sys::read(read.as_fd(), &mut [0; 8]), Errno::EAGAIN);
    let mut room = [MaybeUninit::uninit(); 8];
    fails(sys::read_uninit(read.as_fd(), &mut room), Errno::EAGAIN);
    fails(sys::read(write.as_fd(), &mut [0; 8]), Errno::EBADF);
    fails(sys::write(read.as_fd(), &[0; 8]), Errno::EBADF);
    while sys::write(write.as_fd(), &[0; 4096]).is_ok() {}
    fails(sys::write(write.as_fd(), &[0; 4096]), Errno::EAGAIN);
    drop(read);
    // The standard library has SIGPIPE ignored.
    let broken = common::wait_until(DEADLINE, || {
        let errno = sys::write(write.as_fd(), b"x").unwrap_err().errno();
        (errno == Errno::EPIPE).then_some(())
    });
    broken.expect("a pipe without a reader");

    let (read, write) = kernel::pipe();
    drop(write);
    common::tcp::readable(&read);
    assert_eq!(sys::read(read.as_fd(), &mut [0; 8]).unwrap(), 0, "the end");
}

#[test]
fn close_closes() {
    kernel::alone(|| {
        let source = eventfd(0);
        let before = kernel::open_descriptors();
        sys::close(source).unwrap();
        assert_eq!(kernel::open_descriptors(), before - 1);
    });
}

#[test]
fn a_queue_tells_the_parameters_it_was_given() {
    let queue = epoll();
    let set = |params| sys::ioctl_epiocsparams(queue.as_fd(), &params);
    let get = || sys::ioctl_epiocgparams(queue.as_fd());
    let of_no_queue = sys::ioctl_epiocgparams(eventfd(0).as_fd());
    fails(of_no_queue, Errno::ENOTTY);
    match get() {
        Err(error) if error.errno() == Errno::ENOTTY => {
            return common::left_out("the parameters of a queue", error);
        }
        found => assert_eq!(found, Ok(EpollParams::default())),
    }

    let params = EpollParams {
        busy_poll_usecs: 0x1234_5678,
        busy_poll_budget: 63,
        prefer_busy_poll: 1,
        pad: 0,
    };
    set(params).unwrap();
    assert_eq!(get(), Ok(params));
    let wrong = [
        EpollParams { pad: 1, ..params },
        EpollParams {
            prefer_busy_poll: 2,
            ..params
        },
        EpollParams {
            busy_poll_usecs: 1 << 31,
            ..params
        },
    ];
    for params in wrong {
        fails(set(params), Errno::EINVAL);
    }
    assert_eq!(get(), Ok(params));
}

#[test]
fn fcntl_dupfd_cloexec_duplicates() {
    let counter = sys::eventfd2(7, EFD_NONBLOCK).unwrap();
    let copy = sys::fcntl_dupfd_cloexec(counter.as_fd(), 100).unwrap();
    assert!(copy.as_raw_fd() >= 100);
    assert!(kernel::is_closed_on_exec(&copy) && !kernel::is_closed_on_exec(&counter));
    let mut value = [0; 8];
    sys::read(copy.as_fd(), &mut value).unwrap();
    assert_eq!(u64::from_ne_bytes(value), 7, "of the same file");
    fails(sys::read(counter.as_fd(), &mut value), Errno::EAGAIN);

    fails(sys::fcntl_dupfd_cloexec(counter.as_fd(), -1), Errno::EINVAL);
    fails(
        sys::fcntl_dupfd_cloexec(counter.as_fd(), i32::MAX),
        Errno::EINVAL,
    );
}

fn tcp() -> OwnedFd {
    let kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    sys::socket(sys::AF_INET, kind, 0).unwrap()
}

const ANY: SocketAddr = common::tcp::V4;

#[test]
fn a_connection_by_hand() {
    let (listener, client) = (tcp(), tcp());
    let (listener, client) = (listener.as_fd(), client.as_fd());
    sys::setsockopt_int(listener, sys::SOL_SOCKET, sys::SO_REUSEADDR, 1).unwrap();
    let reuse = sys::getsockopt_int(listener, sys::SOL_SOCKET, sys::SO_REUSEADDR).unwrap();
    assert_eq!(reuse, 1);
    sys::bind(listener, &ANY.into()).unwrap();
    sys::listen(listener, 8).unwrap();
    fails(sys::accept4(listener, 0), Errno::EAGAIN);
    let addr = sys::getsockname(listener).unwrap();
    match sys::connect(client, &addr) {
        Ok(()) => {}
        Err(error) => assert_eq!(error.errno(), Errno::EINPROGRESS),
    }
    common::tcp::readable(&listener);
    let (server, peer) = sys::accept4(listener, SOCK_NONBLOCK).unwrap();
    assert!(kernel::is_nonblocking(&server) && !kernel::is_closed_on_exec(&server));
    assert_eq!(peer.to_ip(), sys::getsockname(client).unwrap().to_ip());
    assert_eq!(
        sys::getpeername(client).unwrap().to_ip(),
        sys::getsockname(server.as_fd()).unwrap().to_ip()
    );
    // The first tells that the connecting has succeeded, if it did not at once.
    let _ = sys::connect(client, &addr);
    fails(sys::connect(client, &addr), Errno::EISCONN);

    assert_eq!(
        sys::sendto(client, b"x", sys::MSG_NOSIGNAL, None).unwrap(),
        1
    );
    common::tcp::readable(&server);
    assert_eq!(sys::read(server.as_fd(), &mut [0; 8]).unwrap(), 1);
    sys::shutdown(client, sys::SHUT_WR).unwrap();
    fails(
        sys::sendto(client, b"x", sys::MSG_NOSIGNAL, None),
        Errno::EPIPE,
    );
    fails(sys::shutdown(client, 7), Errno::EINVAL);
    let error = sys::getsockopt_int(client, sys::SOL_SOCKET, sys::SO_ERROR).unwrap();
    assert_eq!(error, 0);
}

#[test]
fn sockets_and_their_errors() {
    fails(sys::socket(255, SOCK_STREAM, 0), Errno::EAFNOSUPPORT);
    fails(sys::socket(sys::AF_INET, 15, 0), Errno::EINVAL);
    fails(
        sys::socket(sys::AF_INET, SOCK_STREAM, 17),
        Errno::EPROTONOSUPPORT,
    );
    let socket = tcp();
    let socket = socket.as_fd();
    sys::bind(socket, &ANY.into()).unwrap();
    fails(sys::bind(socket, &ANY.into()), Errno::EINVAL);
    fails(sys::accept4(socket, 0), Errno::EINVAL);
    fails(sys::getpeername(socket), Errno::ENOTCONN);
    fails(sys::shutdown(socket, sys::SHUT_RDWR), Errno::ENOTCONN);
    fails(
        sys::sendto(socket, b"x", sys::MSG_NOSIGNAL, None),
        Errno::EPIPE,
    );
    fails(
        sys::getsockopt_int(socket, sys::SOL_SOCKET, 9_999),
        Errno::ENOPROTOOPT,
    );
    fails(
        sys::setsockopt_int(socket, sys::SOL_SOCKET, 9_999, 1),
        Errno::ENOPROTOOPT,
    );
    sys::listen(socket, 1).unwrap();
    fails(sys::accept4(socket, 1), Errno::EINVAL);

    let udp = udp();
    fails(sys::listen(udp.as_fd(), 1), Errno::EOPNOTSUPP);
    fails(sys::accept4(udp.as_fd(), 0), Errno::EOPNOTSUPP);
    fails(sys::sendto(udp.as_fd(), b"x", 0, None), Errno::EDESTADDRREQ);
}

fn udp() -> OwnedFd {
    let kind = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    sys::socket(sys::AF_INET, kind, 0).unwrap()
}

#[test]
fn datagrams_by_hand() {
    let (near, far) = (udp(), udp());
    let (near, far) = (near.as_fd(), far.as_fd());
    let mut buf = [0xaa; 8];
    for socket in [near, far] {
        sys::bind(socket, &ANY.into()).unwrap();
        fails(sys::recvfrom(socket, &mut buf, 0), Errno::EAGAIN);
    }
    let (from, to) = (
        sys::getsockname(near).unwrap(),
        sys::getsockname(far).unwrap(),
    );
    let flags = sys::MSG_NOSIGNAL;
    for message in [&b"first"[..], b"", b"longer than the room"] {
        let sent = sys::sendto(near, message, flags, Some(&to)).unwrap();
        assert_eq!(sent, message.len());
    }
    common::tcp::readable(&far);
    for flags in [sys::MSG_PEEK, 0] {
        let (count, source) = sys::recvfrom(far, &mut buf[..7], flags).unwrap();
        assert_eq!((count, source.as_bytes()), (5, from.as_bytes()));
        assert_eq!(&buf, b"first\xaa\xaa\xaa");
    }
    assert_eq!(
        sys::recvfrom(far, &mut buf, 0).unwrap().0,
        0,
        "an empty one"
    );
    for (flags, length) in [(sys::MSG_PEEK, 4), (sys::MSG_TRUNC, 20)] {
        buf = [0xaa; 8];
        assert_eq!(sys::recvfrom(far, &mut buf[..4], flags).unwrap().0, length);
        assert_eq!(&buf, b"long\xaa\xaa\xaa\xaa");
    }
    fails(sys::recvfrom(far, &mut buf, 0), Errno::EAGAIN);

    fails(
        sys::sendto(near, &[0; 70_000], flags, Some(&to)),
        Errno::EMSGSIZE,
    );
    let other_family = SockAddr::unix(b"").unwrap();
    let refused = sys::sendto(near, b"x", flags, Some(&other_family));
    let errno = refused.unwrap_err().errno();
    assert!(
        matches!(errno, Errno::EINVAL | Errno::EAFNOSUPPORT),
        "{errno}"
    );
}

#[test]
fn a_pair_by_hand() {
    let kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    let (one, other) = sys::socketpair(sys::AF_UNIX, kind, 0).unwrap();
    assert_ne!(one.as_raw_fd(), other.as_raw_fd());
    for (near, far) in [(&one, &other), (&other, &one)] {
        assert!(kernel::is_nonblocking(near) && kernel::is_closed_on_exec(near));
        assert_eq!(sys::write(near.as_fd(), b"word").unwrap(), 4);
        let (count, from) = sys::recvfrom(far.as_fd(), &mut [0; 8], 0).unwrap();
        assert_eq!((count, from.as_bytes()), (4, &[][..]));
        assert_eq!(from.family(), None);
        assert_eq!(from.sun_path(), Some(&[][..]));
    }
    let (plain, _other) = sys::socketpair(sys::AF_UNIX, SOCK_DGRAM, 0).unwrap();
    assert!(!kernel::is_nonblocking(&plain) && !kernel::is_closed_on_exec(&plain));
    fails(sys::socketpair(sys::AF_INET, kind, 0), Errno::EOPNOTSUPP);
    fails(sys::socketpair(255, kind, 0), Errno::EAFNOSUPPORT);
    fails(
        sys::socketpair(sys::AF_UNIX, SOCK_STREAM, 99),
        Errno::EPROTONOSUPPORT,
    );
}

#[test]
fn slices_are_filled_and_sent_in_order() {
    let (near, far) = sys::socketpair(sys::AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0).unwrap();
    let flags = sys::MSG_NOSIGNAL;
    let parts = [&b"one"[..], b"", b" and ", b"another"].map(IoSlice::new);
    assert_eq!(sys::sendmsg(near.as_fd(), &parts, flags).unwrap(), 15);
    let (mut first, mut second, mut third) = ([0xaa; 5], [0xaa; 2], [0xaa; 12]);
    let mut room = [
        IoSliceMut::new(&mut first),
        IoSliceMut::new(&mut []),
        IoSliceMut::new(&mut second[..1]),
        IoSliceMut::new(&mut third),
    ];
    assert_eq!(sys::readv(far.as_fd(), &mut room).unwrap(), 15);
    fails(sys::readv(far.as_fd(), &mut room), Errno::EAGAIN);
    assert_eq!(sys::readv(far.as_fd(), &mut []).unwrap(), 0);
    assert_eq!(&first, b"one a");
    assert_eq!(&second, b"n\xaa");
    assert_eq!(&third, b"d another\xaa\xaa\xaa");

    assert_eq!(sys::sendmsg(near.as_fd(), &[], flags).unwrap(), 0);
    let many = [IoSlice::new(b"x"); UIO_MAXIOV + 1];
    fails(sys::sendmsg(near.as_fd(), &many, flags), Errno::EMSGSIZE);
    assert_eq!(
        sys::sendmsg(near.as_fd(), &many[1..], flags).unwrap(),
        UIO_MAXIOV
    );
    let mut bytes = [0; UIO_MAXIOV + 1];
    let mut room: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
    fails(sys::readv(far.as_fd(), &mut room), Errno::EINVAL);
    assert_eq!(sys::readv(far.as_fd(), &mut room[1..]).unwrap(), UIO_MAXIOV);
    assert!(bytes[1..].iter().all(|&byte| byte == b'x'));

    sys::shutdown(near.as_fd(), sys::SHUT_WR).unwrap();
    fails(sys::sendmsg(near.as_fd(), &parts, flags), Errno::EPIPE);
    let (read, write) = kernel::pipe();
    sys::write(write.as_fd(), b"of a pipe").unwrap();
    let (mut head, mut tail) = ([0; 3], [0; 6]);
    let mut room = [&mut head[..], &mut tail].map(IoSliceMut::new);
    assert_eq!(sys::readv(read.as_fd(), &mut room).unwrap(), 9);
    assert_eq!((&head, &tail), (b"of ", b"a pipe"));
}

#[test]
fn options_of_every_length_come_back() {
    let (tcp, udp) = (tcp(), udp());
    let (tcp, udp) = (tcp.as_fd(), udp.as_fd());
    for value in [1, 0, 1] {
        sys::setsockopt_int(tcp, sys::SOL_SOCKET, sys::SO_KEEPALIVE, value).unwrap();
        let keepalive = sys::getsockopt_int(tcp, sys::SOL_SOCKET, sys::SO_KEEPALIVE);
        assert_eq!(keepalive.unwrap(), value);
    }
    assert_eq!(sys::getsockopt_linger(tcp).unwrap(), Linger::default());
    for (l_onoff, l_linger) in [(1, 0x0102), (1, 7)] {
        let linger = Linger { l_onoff, l_linger };
        sys::setsockopt_linger(tcp, &linger).unwrap();
        assert_eq!(sys::getsockopt_linger(tcp).unwrap(), linger);
    }

    let (group, loopback) = ([239, 87, 65, 1].into(), [127, 0, 0, 1].into());
    let membership = |option| sys::setsockopt_ip_mreq(udp, option, group, loopback);
    fails(membership(sys::IP_DROP_MEMBERSHIP), Errno::EADDRNOTAVAIL);
    membership(sys::IP_ADD_MEMBERSHIP).unwrap();
    fails(membership(sys::IP_ADD_MEMBERSHIP), Errno::EADDRINUSE);
    membership(sys::IP_DROP_MEMBERSHIP).unwrap();
    let no_group = sys::setsockopt_ip_mreq(udp, sys::IP_ADD_MEMBERSHIP, loopback, loopback);
    fails(no_group, Errno::EINVAL);

    let kind = SOCK_DGRAM | SOCK_CLOEXEC;
    let v6 = match sys::socket(sys::AF_INET6, kind, 0) {
        Ok(socket) => socket,
        Err(error) => return common::left_out("groups of IPv6", error),
    };
    let group = "ff02::8765:1".parse().unwrap();
    let membership = |option, index| sys::setsockopt_ipv6_mreq(v6.as_fd(), option, group, index);
    fails(
        membership(sys::IPV6_DROP_MEMBERSHIP, 1),
        Errno::EADDRNOTAVAIL,
    );
    fails(
        membership(sys::IPV6_ADD_MEMBERSHIP, i32::MAX as u32),
        Errno::ENODEV,
    );
    membership(sys::IPV6_ADD_MEMBERSHIP, 1).unwrap();
    fails(membership(sys::IPV6_ADD_MEMBERSHIP, 1), Errno::EADDRINUSE);
    membership(sys::IPV6_DROP_MEMBERSHIP, 1).unwrap();
}

#[test]
fn what_is_no_socket_is_told_so() {
    let other = epoll();
    let other = other.as_fd();
    let addr = SockAddr::from(ANY);
    fails(sys::bind(other, &addr), Errno::ENOTSOCK);
    fails(sys::listen(other, 1), Errno::ENOTSOCK);
    fails(sys::accept4(other, 0), Errno::ENOTSOCK);
    fails(sys::connect(other, &addr), Errno::ENOTSOCK);
    fails(sys::getsockname(other), Errno::ENOTSOCK);
    fails(sys::getpeername(other), Errno::ENOTSOCK);
    fails(sys::getsockopt_int(other, 1, 4), Errno::ENOTSOCK);
    fails(sys::setsockopt_int(other, 1, 2, 1), Errno::ENOTSOCK);
    fails(sys::sendto(other, b"x", 0, None), Errno::ENOTSOCK);
    fails(sys::recvfrom(other, &mut [0], 0), Errno::ENOTSOCK);
    fails(
        sys::sendmsg(other, &[IoSlice::new(b"x")], 0),
        Errno::ENOTSOCK,
    );
    fails(sys::getsockopt_linger(other), Errno::ENOTSOCK);
    fails(sys::shutdown(other, sys::SHUT_RDWR), Errno::ENOTSOCK);
}

#[test]
fn addresses_keep_every_part() {
    let v6 = std::net::SocketAddrV6::new(
        "2001:db8::1:2".parse().unwrap(),
        0x1234,
        0x000a_bcde,
        0x0102_0304,
    );
    for addr in [
        SocketAddr::from(([192, 0, 2, 200], 65_535)),
        SocketAddr::from(([0, 0, 0, 0], 0)),
        v6.into(),
    ] {
        let raw = SockAddr::from(addr);
        assert_eq!(raw.to_ip(), Some(addr));
        assert_eq!(format!("{raw:?}"), format!("{addr:?}"));
    }
    let raw = SockAddr::from(SocketAddr::from(v6));
    let mut bytes = sys::AF_INET6.to_ne_bytes().to_vec();
    bytes.extend([0x12, 0x34, 0x00, 0x0a, 0xbc, 0xde]);
    bytes.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
    bytes.extend(0x0102_0304_u32.to_ne_bytes());
    assert_eq!(raw.as_bytes(), bytes);
    assert_eq!(raw.family(), Some(sys::AF_INET6));
}

#[test]
fn an_address_of_another_family_is_bytes() {
    let (near, _far) = UnixStream::pair().unwrap();
    let unnamed = sys::getsockname(near.as_fd()).unwrap();
    assert_eq!(unnamed.family(), Some(sys::AF_UNIX));
    assert_eq!(unnamed.as_bytes(), sys::AF_UNIX.to_ne_bytes());
    assert_eq!(unnamed.to_ip(), None);
    assert_eq!(format!("{unnamed:?}"), "SockAddr([1, 0])");

    // As long as an address of that family can be, and cut nowhere.
    let name = format!("{:0107}", std::process::id());
    let addr = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&addr).unwrap();
    let named = sys::getsockname(listener.as_fd()).unwrap();
    let mut bytes = sys::AF_UNIX.to_ne_bytes().to_vec();
    bytes.push(0);
    bytes.extend(name.as_bytes());
    assert_eq!(named.as_bytes(), bytes);
    assert_eq!(named.to_ip(), None);
    assert_eq!(named.sun_path(), Some(&bytes[2..]));
    let ours = SockAddr::unix(&bytes[2..]).unwrap();
    assert_eq!(ours.as_bytes(), bytes);
    assert!(SockAddr::unix(&[1; 108]).is_some() && SockAddr::unix(&[1; 109]).is_none());
    assert_eq!(SockAddr::from(ANY).sun_path(), None);
}
