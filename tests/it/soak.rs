//! Everything at once and for as long as one likes: sockets, timers, wakers and
//! registrations on one queue. Every byte, expiration, wake and registration is counted
//! where it begins and where it is seen, and nothing grows.
//!
//! As it stands, for a second. By hand, for an hour:
//!
//! ```sh
//! EPORE_SOAK_SECONDS=3600 cargo test --release --test it -- soak:: --nocapture
//! ```
//!
//! It is the only test of its program, for it counts descriptors and memory.

use crate::common;

use common::queue::{self, Watchdog, queue};
use common::storm::{Bell, Lane, Manner, Random, Reached, Watcher, end_at_first_panic};
use common::tcp::V4;
use common::{kernel, left_out};
use epore::net::{Shutdown, TcpListener, TcpStream};
use epore::{Events, Interest, Poll, Registry, Timer, Token, Waker};
use std::collections::HashMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 2;
const PERIODS: [Duration; 3] = [
    Duration::from_millis(1),
    Duration::from_millis(3),
    Duration::from_millis(7),
];

const LISTENER: Token = Token(0);
const FINISHED: Token = Token(1);
const PERIODIC: usize = 10;
const ONCE: usize = 20;
/// And above.
const CONNECTION: usize = 100;

/// By how many KiB the resident memory may grow, and not once more.
const GROWTH: usize = 2048;

fn seconds() -> Duration {
    let seconds = env::var("EPORE_SOAK_SECONDS").map(|it| it.parse().expect("seconds"));
    Duration::from_secs(seconds.unwrap_or(1))
}

/// In KiB.
fn resident_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.expect("VmRSS").trim().trim_end_matches(" kB");
    number.parse().expect("a number")
}

/// What a connection carries at this place.
fn byte_at(position: usize) -> u8 {
    (position % 251) as u8
}

/// Connects, sends, and waits for the other end to close, again and again.
fn send(index: usize, addr: SocketAddr, stop: &AtomicBool, sent: &AtomicU64) {
    let mut queue = queue();
    let mut events = Events::<4>::new();
    let mut random = Random(index as u64 + 1);
    let pattern: Vec<u8> = (0..251 + 65536).map(byte_at).collect();
    while !stop.load(Ordering::Relaxed) {
        let stream = TcpStream::connect(addr).expect("a connection");
        let both = Interest::READABLE | Interest::WRITABLE;
        (queue.registry())
            .register(&stream, Token(0), both.edge())
            .expect("a source");
        queue::poll(&mut queue, &mut events, None).expect("a wait");
        let (len, mut position) = (random.below(400_000), 0);
        while position < len {
            let part = (len - position).min(1 + random.below(65536));
            let start = position % 251;
            match stream.write(&pattern[start..start + part]) {
                Ok(count) => position += count,
                Err(error) if error.is_would_block() => {
                    queue::poll(&mut queue, &mut events, None).expect("a wait");
                }
                Err(error) => panic!("{error}"),
            }
        }
        sent.fetch_add(len as u64, Ordering::SeqCst);
        stream.shutdown(Shutdown::Write).expect("a connection");
        // The end comes when all was read.
        loop {
            match stream.read(&mut [0; 8]) {
                Ok(0) => break,
                Err(error) if error.is_would_block() => {
                    queue::poll(&mut queue, &mut events, None).expect("a wait");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Sets a timer and waits until it was seen to expire, again and again.
fn set_timers(index: usize, alarm: &Alarm, registry: &Registry, stop: &AtomicBool) {
    let mut random = Random(index as u64 + 100);
    (registry)
        .register(&alarm.timer, Token(ONCE + index), Interest::READABLE)
        .expect("a source");
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let after = Duration::from_micros(random.below(2000) as u64);
        alarm.timer.set(after).expect("a timer");
        alarm.expired.wait_for(number);
    }
    alarm.set.store(number, Ordering::SeqCst);
    registry.deregister(&alarm.timer).expect("a source");
}

struct Alarm {
    timer: Timer,
    expired: Reached,
    set: AtomicUsize,
}

/// What the thread that waits has seen.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    bytes: u64,
    periodic: [u64; PERIODS.len()],
    once: [usize; THREADS],
}

struct Connection {
    stream: TcpStream,
    position: usize,
}

impl Connection {
    /// Reads all there is. `true`: that was the end.
    fn read(&mut self, room: &mut [u8], seen: &mut Seen) -> bool {
        loop {
            match self.stream.read(room) {
                Ok(0) => return true,
                Ok(count) => {
                    for byte in &room[..count] {
                        assert_eq!(*byte, byte_at(self.position), "at {}", self.position);
                        self.position += 1;
                    }
                    seen.bytes += count as u64;
                }
                Err(error) if error.is_would_block() => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    queue: &Poll,
    connections: &mut HashMap<usize, Connection>,
    seen: &mut Seen,
) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.is_would_block() => return,
            Err(error) => panic!("{error}"),
        };
        let token = CONNECTION + seen.connections;
        seen.connections += 1;
        (queue.registry())
            .register(&stream, Token(token), Interest::READABLE.edge())
            .expect("a source");
        let position = 0;
        connections.insert(token, Connection { stream, position });
    }
}

fn soak(length: Duration) {
    end_at_first_panic();
    let mut queue = queue();
    let shared = queue.registry().try_clone().expect("a descriptor");
    let listener = TcpListener::bind(V4).expect("a free port");
    (shared)
        .register(&listener, LISTENER, Interest::READABLE)
        .expect("a source");
    let addr = listener.local_addr().expect("its port");
    let finished = Waker::new(&shared, FINISHED).expect("a waker");
    let lanes: Vec<_> = (0..THREADS).map(|_| Lane::default()).collect();
    let bells: Vec<_> = (0..THREADS).map(|_| Bell::default()).collect();
    let wakers: Vec<_> = (0..THREADS)
        .map(|index| Bell::waker(index, &shared))
        .collect();
    let alarms: Vec<_> = (0..THREADS)
        .map(|_| Alarm {
            timer: Timer::new().expect("a timer"),
            expired: Reached::default(),
            set: AtomicUsize::new(0),
        })
        .collect();
    let periodic: Vec<_> = PERIODS
        .iter()
        .enumerate()
        .map(|(index, period)| {
            let timer = Timer::new().expect("a timer");
            (shared)
                .register(&timer, Token(PERIODIC + index), Interest::READABLE)
                .expect("a source");
            let before = Instant::now();
            timer.set_periodic(*period, *period).expect("a timer");
            (timer, before, Instant::now())
        })
        .collect();
    let (stop, done, sent) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicU64::new(0),
    );
    let finish = || {
        done.fetch_add(1, Ordering::SeqCst);
        finished.wake().expect("a wake");
    };

    thread::scope(|scope| {
        let (shared, stop, sent, finish) = (&shared, &stop, &sent, &finish);
        let go_on = |_| !stop.load(Ordering::Relaxed);
        for (index, lane) in lanes.iter().enumerate() {
            scope.spawn(move || {
                let manner = Manner {
                    reregistrations: 3,
                    awaited: 8,
                };
                lane.run(index, shared, manner, go_on);
                finish();
            });
        }
        for (index, (bell, waker)) in bells.iter().zip(&wakers).enumerate() {
            scope.spawn(move || {
                let manner = Manner {
                    reregistrations: 0,
                    awaited: 4,
                };
                bell.run(index, waker, manner, go_on);
                finish();
            });
        }
        for (index, alarm) in alarms.iter().enumerate() {
            scope.spawn(move || {
                set_timers(index, alarm, shared, stop);
                finish();
            });
            scope.spawn(move || {
                send(index, addr, stop, sent);
                finish();
            });
        }

        let mut watcher = Watcher::new(&lanes, &bells);
        let mut seen = Seen::default();
        let mut connections = HashMap::new();
        let mut events = Events::<16>::new();
        let mut room = vec![0; 65536];
        let start = Instant::now();
        let mut warm = None;
        let mut next_report = Duration::from_secs(60);
        loop {
            watcher.about_to_wait();
            queue::poll(&mut queue, &mut events, None).expect("a wait");
            for event in &events {
                if watcher.see(event) {
                    continue;
                }
                let Token(token) = event.token();
                if event.token() == LISTENER {
                    accept_all(&listener, &queue, &mut connections, &mut seen);
                } else if token >= CONNECTION {
                    let connection: &mut Connection =
                        connections.get_mut(&token).expect("a connection");
                    if connection.read(&mut room, &mut seen) {
                        connections.remove(&token);
                    }
                } else if token >= ONCE {
                    let alarm = &alarms[token - ONCE];
                    seen.once[token - ONCE] += alarm.timer.read().expect("a timer") as usize;
                    alarm.expired.set(seen.once[token - ONCE]);
                } else if token >= PERIODIC {
                    let index = token - PERIODIC;
                    seen.periodic[index] += periodic[index].0.read().expect("a timer");
                }
            }
            let elapsed = start.elapsed();
            if warm.is_none() && elapsed >= length / 10 {
                warm = Some(resident_memory());
            }
            if elapsed >= next_report {
                next_report += Duration::from_secs(60);
                println!("{elapsed:?}: {} KiB, {seen:?}", resident_memory());
            }
            stop.store(elapsed >= length, Ordering::Relaxed);
            if done.load(Ordering::SeqCst) == 4 * THREADS
                && watcher.has_heard_all()
                && connections.is_empty()
            {
                break;
            }
        }
        let memory = (warm.expect("a tenth of the time"), resident_memory());
        println!(
            "after a tenth {} KiB resident, in the end {} KiB",
            memory.0, memory.1
        );

        assert_eq!(seen.bytes, sent.load(Ordering::SeqCst), "{seen:?}");
        for (index, alarm) in alarms.iter().enumerate() {
            assert_eq!(seen.once[index], alarm.set.load(Ordering::SeqCst));
        }
        for (index, (timer, before, after)) in periodic.iter().enumerate() {
            let at_least = after.elapsed().as_nanos() / PERIODS[index].as_nanos();
            let count = u128::from(seen.periodic[index] + timer.read().expect("a timer"));
            let at_most = before.elapsed().as_nanos() / PERIODS[index].as_nanos();
            assert!(
                (at_least..=at_most).contains(&count),
                "{count} of a period of {:?}, not {at_least} to {at_most}",
                PERIODS[index]
            );
        }
        println!("{seen:?}\n{:?} in {:?}", watcher.settle(), start.elapsed());
        if common::is_emulated() {
            left_out("how memory grows", "it is the emulator's");
        } else {
            assert!(memory.1 <= memory.0 + GROWTH, "{memory:?}");
        }
    });
}

#[test]
fn nothing_is_lost_and_nothing_grows() {
    kernel::alone(|| {
        let length = seconds();
        let _watchdog = Watchdog::within(length + Duration::from_secs(60));
        let before = kernel::open_descriptors();
        soak(length);
        assert_eq!(kernel::open_descriptors(), before, "descriptors");
        println!("{before} descriptors before and after");
    });
}
