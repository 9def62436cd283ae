//! As much as there can be, and what happens when there is no more.

use crate::common;

use common::kernel::{self, PORTS};
use common::queue::{AT_ONCE, DEADLINE, Watchdog, expect_silence, look, poll, queue, watching};
use common::server::reset;
use common::tcp::{self, V4};
use epore::fd::{AsFd, OwnedFd};
use epore::net::{TcpListener, TcpStream};
use epore::{Errno, Error, Event, Events, Interest, Poll, Registry, Timer, Token, Waker, sys};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const READABLE: Interest = Interest::READABLE;

/// A counter that is readable if it does not begin with 0.
fn counter(start: u32) -> OwnedFd {
    sys::eventfd2(start, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).expect("a descriptor")
}

fn add(registry: &Registry, source: &impl AsFd, token: usize, interest: Interest) {
    registry
        .register(source, Token(token), interest)
        .unwrap_or_else(|error| panic!("source {token}: {error}"));
}

fn tokens(events: &[Event]) -> impl Iterator<Item = usize> {
    events.iter().map(|event| event.token().0)
}

/// Of so many descriptors the machine may allow fewer.
fn as_many_as(wanted: usize) -> usize {
    const SPARE: usize = 64;
    let limit = common::raise_descriptor_limit() as usize;
    let most = limit.saturating_sub(kernel::open_descriptors() + SPARE);
    if most < wanted {
        common::left_out(
            &format!("{wanted} descriptors"),
            format!("the hard limit is {limit}, so it is {most}"),
        );
    }
    wanted.min(most)
}

#[test]
fn twenty_thousand_descriptors_are_watched_at_once() {
    if common::lacks_descriptors(1_000) {
        return;
    }
    kernel::alone(|| {
        let count = as_many_as(20_000);
        assert!(count >= 500, "{count}");
        let mut queue = queue();
        let registry = queue.registry();
        let sources: Vec<OwnedFd> = (0..count).map(|_| counter(0)).collect();
        for (token, source) in sources.iter().enumerate() {
            add(registry, source, token, READABLE);
        }
        expect_silence(&mut queue);

        // One of them, wherever it stands.
        for token in [0, 1, count / 2, count - 1] {
            sys::write(sources[token].as_fd(), &1u64.to_ne_bytes()).unwrap();
            assert!(tokens(&look(&mut queue)).eq([token]));
            sys::read(sources[token].as_fd(), &mut [0; 8]).unwrap();
            expect_silence(&mut queue);
        }

        // All of them, each once.
        for source in &sources {
            sys::write(source.as_fd(), &1u64.to_ne_bytes()).unwrap();
        }
        let mut events = Vec::with_capacity(count);
        poll(&mut queue, &mut events, AT_ONCE).unwrap();
        assert_eq!(events.len(), count);
        assert!(
            BTreeSet::from_iter(tokens(&events))
                .into_iter()
                .eq(0..count)
        );

        // And none of them, when half are deregistered and half are closed.
        let registry = queue.registry();
        let (first, second) = sources.split_at(count / 2);
        for source in first {
            registry.deregister(source).unwrap();
        }
        poll(&mut queue, &mut events, AT_ONCE).unwrap();
        assert_eq!(events.len(), second.len());
        drop(sources);
        expect_silence(&mut queue);
        eprintln!("{count} descriptors were watched");
    });
}

#[test]
fn a_small_buffer_reaches_every_one_of_many_in_the_fewest_waits() {
    kernel::alone(|| {
        let count = as_many_as(2_000);
        let sources: Vec<OwnedFd> = (0..count).map(|_| counter(1)).collect();
        for (name, interest) in [
            ("level", READABLE),
            ("edge", READABLE.edge()),
            ("oneshot", READABLE.oneshot()),
        ] {
            let _watchdog = Watchdog::new();
            for room in [1, 3, 7, 64, count - 1, count, count + 1] {
                let mut queue = queue();
                for (token, source) in sources.iter().enumerate() {
                    add(queue.registry(), source, token, interest);
                }
                let fewest = count.div_ceil(room);
                // Level-triggered, they come again and again, and in turn.
                let rounds = if name == "level" { 3 } else { 1 };
                for round in 0..rounds {
                    let seen = harvest(&mut queue, room, fewest);
                    let reached = seen.keys().copied();
                    assert!(reached.eq(0..count), "{name}, {room}, round {round}");
                    if name != "level" {
                        assert!(seen.values().all(|&times| times == 1), "{name}, {room}");
                    }
                }
                if name != "level" {
                    expect_silence(&mut queue);
                }
            }
        }
    });
}

/// Which tokens so many waits report, and how often.
fn harvest(queue: &mut Poll, room: usize, waits: usize) -> BTreeMap<usize, usize> {
    let mut seen = BTreeMap::new();
    let mut events = Vec::new();
    events.reserve_exact(room);
    for _ in 0..waits {
        poll(queue, &mut events, AT_ONCE).unwrap();
        for token in tokens(&events) {
            *seen.entry(token).or_insert(0) += 1;
        }
    }
    seen
}

/// One that is always ready does not keep another from being heard, though there is
/// room for one event alone.
#[test]
fn a_source_that_is_always_ready_starves_no_other() {
    let (noisy, quiet) = (counter(1), counter(0));
    let mut queue = queue();
    for (token, source) in [&noisy, &quiet].into_iter().enumerate() {
        add(queue.registry(), source, token, READABLE);
    }
    let mut events = Events::<1>::new();
    for _ in 0..100 {
        poll(&mut queue, &mut events, None).unwrap();
        assert!(tokens(&events).eq([0]));
    }
    sys::write(quiet.as_fd(), &1u64.to_ne_bytes()).unwrap();
    let heard = (0..2).any(|_| {
        poll(&mut queue, &mut events, None).unwrap();
        tokens(&events).eq([1])
    });
    assert!(heard);
}

#[test]
fn a_buffer_of_a_million_is_filled_as_far_as_there_are_events() {
    kernel::alone(|| {
        let count = as_many_as(10_000);
        let sources: Vec<OwnedFd> = (0..count).map(|_| counter(1)).collect();
        let mut queue = queue();
        for (token, source) in sources.iter().enumerate() {
            add(queue.registry(), source, token, READABLE);
        }
        let mut events = Vec::with_capacity(1_000_000);
        let room = events.as_ptr();
        for timeout in [None, AT_ONCE, Some(Duration::from_nanos(1))] {
            poll(&mut queue, &mut events, timeout).unwrap();
            assert!(
                BTreeSet::from_iter(tokens(&events))
                    .into_iter()
                    .eq(0..count)
            );
            assert_eq!(events.len(), count);
        }
        assert_eq!(events.as_ptr(), room, "it was moved");

        let mut inline = Box::new(Events::<20_000>::new());
        poll(&mut queue, &mut *inline, AT_ONCE).unwrap();
        assert_eq!(inline.len(), count);
    });
}

#[test]
fn every_token_comes_back_as_it_was() {
    if common::lacks_descriptors(500) {
        return;
    }
    let mut values: BTreeSet<usize> = BTreeSet::from([0, usize::MAX]);
    for bit in 0..usize::BITS {
        let one = 1 << bit;
        values.extend([one, one - 1, !one, one | 1]);
    }
    let values = Vec::from_iter(values);
    assert!(values.contains(&(1 << 63)) && values.contains(&(1 << 32)));
    let sources: Vec<OwnedFd> = values.iter().map(|_| counter(1)).collect();
    let mut queue = queue();
    for (source, &token) in sources.iter().zip(&values) {
        add(queue.registry(), source, token, READABLE);
    }
    let mut events = Vec::with_capacity(values.len() + 1);
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert!(BTreeSet::from_iter(tokens(&events)).iter().eq(&values));
    assert_eq!(events.len(), values.len());

    // The same by another way: each changes into the one behind it.
    for (source, &token) in sources.iter().zip(values.iter().cycle().skip(1)) {
        let registry = queue.registry();
        let done = registry.reregister(source, Token(token), READABLE.oneshot());
        done.unwrap();
    }
    poll(&mut queue, &mut events, AT_ONCE).unwrap();
    assert!(BTreeSet::from_iter(tokens(&events)).iter().eq(&values));

    for token in [0, 1 << 63, usize::MAX] {
        let waker = Waker::new(queue.registry(), Token(token)).unwrap();
        waker.wake().unwrap();
        assert!(tokens(&look(&mut queue)).eq([token]));
    }
}

#[test]
fn one_token_may_stand_for_many_sources() {
    if common::lacks_descriptors(500) {
        return;
    }
    let sources: Vec<OwnedFd> = (0..50).map(|_| counter(1)).collect();
    let mut queue = queue();
    for source in &sources {
        add(queue.registry(), source, usize::MAX, READABLE);
    }
    assert!(tokens(&look(&mut queue)).eq([usize::MAX; 50]));
}

/// Every power of two of nanoseconds, and its neighbours.
#[test]
fn a_timeout_of_any_length_is_taken() {
    let _watchdog = Watchdog::new();
    let mut queue = queue();
    let start = Instant::now();
    for exponent in 0..=24 {
        for nanos in [(1 << exponent) - 1, 1u64 << exponent, (1 << exponent) + 1] {
            let timeout = Duration::from_nanos(nanos);
            let before = Instant::now();
            poll(&mut queue, &mut Events::<1>::new(), Some(timeout)).unwrap();
            assert!(before.elapsed() >= timeout, "{timeout:?}");
        }
    }
    assert!(start.elapsed() < DEADLINE);

    // Those that would last end with what is there.
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    let long = (25..64).map(|exponent| Duration::from_nanos(1 << exponent));
    let longer = (0..64).map(|exponent| Duration::new(1 << exponent, 999_999_999));
    for timeout in long.chain(longer).chain([Duration::MAX]) {
        for one_less in [timeout, timeout - Duration::from_nanos(1)] {
            waker.wake().unwrap();
            let mut events = Events::<1>::new();
            poll(&mut queue, &mut events, Some(one_less)).unwrap();
            assert!(tokens(&events).eq([1]), "{one_less:?}");
        }
    }
}

/// What a process may still open when it has used up its descriptors.
struct Hoard(Vec<File>);

impl Hoard {
    /// Leaves room for `spare` more.
    fn all_but(spare: usize) -> Self {
        let mut files = Vec::new();
        loop {
            match File::open("/") {
                Ok(file) => files.push(file),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(Errno::EMFILE.into_raw()));
                    files.truncate(files.len() - spare);
                    return Self(files);
                }
            }
        }
    }
}

#[track_caller]
fn no_descriptor<T: std::fmt::Debug>(outcome: epore::Result<T>, call: &str) {
    let error: Error = outcome.unwrap_err();
    assert_eq!((error.syscall(), error.errno()), (call, Errno::EMFILE));
    let reason = error.reason().expect("a reason");
    assert!(reason.contains("RLIMIT_NOFILE"), "{reason}");
}

#[test]
fn without_a_descriptor_everything_says_so_and_works_again_with_one() {
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        common::limit_own_descriptors(100);
        let mut queue = queue();
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect(addr).unwrap();
        tcp::readable(&listener);
        let mut hoard = Hoard::all_but(0);
        for _ in 0..50 {
            no_descriptor(Poll::new(), "epoll_create1");
            no_descriptor(queue.registry().try_clone(), "fcntl");
            no_descriptor(Waker::new(queue.registry(), Token(1)), "eventfd2");
            no_descriptor(Timer::new(), "timerfd_create");
            no_descriptor(TcpListener::bind(V4), "socket");
            no_descriptor(TcpStream::connect(addr), "socket");
            no_descriptor(listener.accept(), "accept4");
        }
        // What needs none goes on.
        add(queue.registry(), &listener, 2, READABLE);
        assert!(tokens(&look(&mut queue)).eq([2]));
        queue.registry().deregister(&listener).unwrap();
        expect_silence(&mut queue);

        // Half-way done is not done: with room for one, each can be had once and again.
        hoard.0.pop();
        for _ in 0..3 {
            drop(Poll::new().unwrap());
            drop(queue.registry().try_clone().unwrap());
            drop(Timer::new().unwrap());
            drop(TcpListener::bind(V4).unwrap());
            let waker = Waker::new(queue.registry(), Token(3)).unwrap();
            no_descriptor(Waker::new(queue.registry(), Token(4)), "eventfd2");
            waker.wake().unwrap();
            assert!(tokens(&look(&mut queue)).eq([3]));
            drop(waker);
            expect_silence(&mut queue);
        }
        // The connection has been waiting all the while.
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        no_descriptor(listener.accept(), "accept4");
        hoard.0.pop();
        talk(&client, &server);
    });
}

#[test]
fn connections_that_found_no_descriptor_are_all_accepted_later() {
    const CLIENTS: usize = 20;
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        common::limit_own_descriptors(120);
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut queue = watching(&listener, READABLE);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| TcpStream::connect(addr).unwrap())
            .collect();
        let mut missing: BTreeSet<_> = clients
            .iter()
            .map(|client| client.local_addr().unwrap())
            .collect();
        let mut hoard = Hoard::all_but(3);
        let mut servers = Vec::new();
        while servers.len() < CLIENTS {
            // Level-triggered, it is reported as long as anyone waits.
            poll(&mut queue, &mut Events::<1>::new(), None).unwrap();
            match listener.accept() {
                Ok((server, peer)) => {
                    assert!(missing.remove(&peer), "{peer} twice");
                    servers.push(server);
                }
                Err(error) if error.errno() == Errno::EMFILE => {
                    hoard.0.pop().expect("something to close");
                }
                Err(error) => assert!(error.is_would_block(), "{error}"),
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
        expect_silence(&mut queue);
    });
}

/// Its own network, or the other tests would have no port either.
#[test]
fn without_a_local_port_it_says_so_and_connects_again_with_one() {
    const CHECK: &str = "a connect without a local port";
    kernel::alone_with_few_ports(CHECK, || {
        let _watchdog = Watchdog::new();
        let addr = SocketAddr::from(([127, 0, 0, 1], 8080));
        let listener = TcpListener::bind(addr).unwrap();
        let accept = || tcp::accept(&listener);
        let near = TcpStream::connect(addr).unwrap();
        let far = accept();
        let mut others = Vec::new();
        for _ in PORTS.skip(1) {
            others.push((std::net::TcpStream::connect(addr).unwrap(), accept()));
        }
        let open = kernel::open_descriptors();
        let no_port = |error: Error, call: &str, errno| {
            assert_eq!((error.syscall(), error.errno()), (call, errno));
            assert_eq!(error.reason(), Some("no local port is free"));
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        for _ in 0..50 {
            let refused = TcpStream::connect(addr).unwrap_err();
            no_port(refused, "connect", Errno::EADDRNOTAVAIL);
            let refused = TcpListener::bind(any).unwrap_err();
            no_port(refused, "bind", Errno::EADDRINUSE);
        }
        assert_eq!(kernel::open_descriptors(), open);

        // Who has a port goes on.
        talk(&near, &far);

        let (other, _far) = others.pop().unwrap();
        let port = other.local_addr().unwrap().port();
        reset(other);
        let stream = TcpStream::connect(addr).unwrap();
        assert_eq!(stream.local_addr().unwrap().port(), port);
        assert_eq!(accept().peer_addr(), stream.local_addr());
    });
}

/// What holds for everybody is lowered where there is nobody else: on the machine that
/// `tests/kernel/run` starts. The other tests are root's there, whom neither limit binds.
fn lowered(check: &str, limit: &'static str, most: usize, test: impl FnOnce() + Send) {
    let first = fs::read_link("/proc/1/exe").unwrap_or_default();
    if first != Path::new("/init") || !Path::new("/manifest").exists() {
        return common::left_out(check, "this machine is not ours alone");
    }
    let before = fs::read_to_string(limit).expect("a limit");
    if let Err(error) = fs::write(limit, format!("{most}\n")) {
        return common::left_out(check, error);
    }
    let _restore = Restore(limit, before);
    thread::scope(|scope| {
        scope.spawn(|| {
            // This thread alone.
            kernel::become_nobody();
            test();
        });
    });
}

/// One at a time: each needs what the other takes away.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn when_the_user_has_too_many_watches_it_says_so_and_goes_on_with_those_it_has() {
    const LIMIT: &str = "/proc/sys/fs/epoll/max_user_watches";
    const CHECK: &str = "as many watches as the user may have";
    /// More than the other tests have at a time.
    const MOST: usize = 50_000;

    let _machine = MACHINE.lock();
    kernel::alone(|| lowered(CHECK, LIMIT, MOST, || watch_up_to(MOST, LIMIT)));
}

#[test]
fn when_the_system_has_no_descriptor_left_everything_says_so_and_works_again_with_one() {
    const LIMIT: &str = "/proc/sys/fs/file-max";
    const CHECK: &str = "a system without descriptors";

    let _machine = MACHINE.lock();
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        let mut queue = queue();
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect(addr).unwrap();
        tcp::readable(&listener);
        let open = kernel::open_descriptors();
        lowered(CHECK, LIMIT, 1, || {
            for _ in 0..50 {
                let errors = [
                    Poll::new().unwrap_err(),
                    Waker::new(queue.registry(), Token(1)).unwrap_err(),
                    Timer::new().unwrap_err(),
                    TcpListener::bind(V4).unwrap_err(),
                    TcpStream::connect(addr).unwrap_err(),
                    listener.accept().unwrap_err(),
                ];
                let calls = [
                    "epoll_create1",
                    "eventfd2",
                    "timerfd_create",
                    "socket",
                    "socket",
                    "accept4",
                ];
                for (error, call) in errors.into_iter().zip(calls) {
                    assert_eq!((error.syscall(), error.errno()), (call, Errno::ENFILE));
                    let reason = error.reason().expect("a reason");
                    assert!(reason.contains(LIMIT), "{reason}");
                }
            }
            // A second descriptor of the same file is no other file, and what needs none
            // goes on.
            let registry = queue.registry().try_clone().unwrap();
            add(&registry, &listener, 2, READABLE);
            eprintln!("six calls without a descriptor, of {LIMIT}");
        });
        assert_eq!(kernel::open_descriptors(), open);
        // The connection has been waiting all the while.
        talk(&client, &listener.accept().unwrap().0);
        drop(Waker::new(queue.registry(), Token(3)).unwrap());
        expect_silence(&mut queue);
    });
}

fn talk(near: &TcpStream, far: &TcpStream) {
    assert_eq!(near.write(b"still here").unwrap(), 10);
    tcp::readable(far);
    assert_eq!(far.read(&mut [0; 32]).unwrap(), 10);
}

fn watch_up_to(most: usize, limit: &str) {
    let sources: Vec<OwnedFd> = (0..1000).map(|_| counter(1)).collect();
    let mut queues = Vec::new();
    let mut count = 0;
    let error = 'full: loop {
        queues.push(queue());
        let registry = queues.last().expect("one").registry();
        for (token, source) in sources.iter().enumerate() {
            match registry.register(source, Token(token), READABLE) {
                Ok(()) => count += 1,
                Err(error) => break 'full error,
            }
        }
        assert!(count <= 2 * most, "no limit");
    };
    assert_eq!(
        (error.syscall(), error.errno()),
        ("epoll_ctl", Errno::ENOSPC)
    );
    let reason = error.reason().expect("a reason");
    assert!(reason.contains(limit), "{reason}");
    // The kernel counts on several processors, and adds up now and then.
    assert!(count.abs_diff(most) <= 1000, "{count}");

    let open = kernel::open_descriptors();
    let queue = &mut queues[0];
    let refused = Waker::new(queue.registry(), Token(0)).unwrap_err();
    assert_eq!(
        (refused.syscall(), refused.errno()),
        ("epoll_ctl", Errno::ENOSPC)
    );
    assert_eq!(kernel::open_descriptors(), open, "a waker half-way made");

    // Those it has go on, and to change one is not to have one more.
    let mut events = Vec::with_capacity(2 * sources.len());
    poll(queue, &mut events, AT_ONCE).unwrap();
    assert_eq!(events.len(), sources.len());
    let registry = queue.registry();
    let once = READABLE.oneshot();
    registry.reregister(&sources[0], Token(7), once).unwrap();
    for source in &sources[100..200] {
        registry.deregister(source).unwrap();
    }
    Waker::new(registry, Token(0)).expect("room again");
    eprintln!("{count} watches of {most} in {} queues", queues.len());
}

/// Writes back what stood in a file.
struct Restore(&'static str, String);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = fs::write(self.0, &self.1);
    }
}
