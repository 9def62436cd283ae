//! The delay server under attack, and well-behaved clients who must not notice: their
//! answers are right and in time, the server's memory stays as it is, and all
//! descriptors come back.
//!
//! With `EPORE_HOSTILE=long` a byte a second is just that.

use crate::common;

use common::kernel::{self, PORTS, SIGCONT, SIGSTOP, process_state, signal_process};
use common::server::{Client, Server, interrupt, reset};
use common::{DEADLINE, demo, wait_until};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How late an answer may be on a machine that has other things to do.
fn late() -> Duration {
    Duration::from_secs(if is_slow() { 30 } else { 5 })
}

/// The processor is emulated, or all of the machine is, as where there is no cargo. Half
/// a minute may be too short there for what a thousand do.
fn is_slow() -> bool {
    common::is_emulated() || common::prebuilt_demo().is_some()
}

/// The places in the server's table of connections.
const PLACES: usize = 8 * 1024;

/// What one place may cost: two pages, for its input of 8 KiB, and of the kernel's
/// rounding a bit.
const PLACE: usize = 9;

fn takes_its_time() -> bool {
    std::env::var_os("EPORE_HOSTILE").is_some_and(|how| how == "long")
}

/// Runs `attack` while well-behaved clients ask, and sees to it that all is as before
/// in the end. The server may use as much more memory as `buffers` connections hold
/// that send at the same time.
fn under(server: &Server, buffers: usize, attack: impl FnOnce(&Server)) {
    let descriptors = server.descriptors();
    // Whatever is used once, by whoever asks.
    ask_politely(server, 0);
    let memory = server.resident();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..3 {
            let (over, asked) = (&over, &asked);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    ask_politely(server, number);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also when it fails: the others are waited for.
        let _end = Over(&over);
        attack(server);
        let before = asked.load(Ordering::Relaxed);
        wait_until(DEADLINE, || {
            (asked.load(Ordering::Relaxed) > before + 3).then_some(())
        })
        .expect("answers after the attack");
    });
    server.wait_for_descriptors(descriptors);
    if common::is_emulated() {
        return common::left_out("the memory of an attacked server", "it is the emulator's");
    }
    let (now, most) = (server.resident(), memory + 64 + buffers * PLACE);
    assert!(now <= most, "{memory} KiB before, {now} after");
    eprintln!("{memory} KiB before, {now} after, at most {most}");
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks as clients should, at once and after delays, and checks what comes and when.
fn ask_politely(server: &Server, number: usize) {
    let mut client = server.connect();
    for delay in [0, 20, 1] {
        let started = Instant::now();
        let message = format!("polite-{number}-{delay}");
        client.send(get(&format!("/{delay}/{message}")));
        client.response().assert_is(&message);
        let elapsed = started.elapsed();
        let delay = Duration::from_millis(delay);
        assert!(elapsed >= delay, "{elapsed:?}, too early");
        assert!(elapsed < delay + late(), "{elapsed:?}, too late");
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// Writes what the server takes, which may end the connection at any byte.
fn write_what_is_taken(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    match stream.write_all(bytes) {
        Ok(()) => true,
        Err(error) => {
            let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{error}");
            false
        }
    }
}

/// Every other one's request is over before the server loses its patience. The others
/// go on, and are sent away when a byte takes its second.
#[test]
fn a_thousand_who_send_a_byte_at_a_time() {
    if common::lacks_descriptors(2_100) {
        return;
    }
    const OVER: &str = "GET /0/at-last HTTP/1.1\r\n\r\n";
    const NOT_OVER: &str = "GET /0/never HTTP/1.1\r\nEvery-byte:";

    let clients = if is_slow() { 100 } else { 1_000 };
    let server = Server::start();
    under(&server, clients, |server| {
        let mut slow: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
        let requests = [OVER, NOT_OVER].into_iter().cycle();
        for at in 0..NOT_OVER.len() {
            let started = Instant::now();
            for (client, request) in slow.iter().zip(requests.clone()) {
                if let Some(byte) = request.as_bytes().get(at) {
                    write_what_is_taken(&client.stream, &[*byte]);
                }
            }
            if takes_its_time() {
                let second = Duration::from_secs(1);
                thread::sleep(second.saturating_sub(started.elapsed()));
            }
        }
        for (client, request) in slow.iter_mut().zip(requests) {
            if request == OVER {
                client.response().assert_is("at-last");
            } else if takes_its_time() {
                assert_eq!(client.response().status(), 408);
            }
        }
    });
}

/// When its patience ends the server loses its patience with them all, and no sooner.
#[test]
fn a_thousand_halves_of_a_request_are_all_sent_away() {
    if common::lacks_descriptors(2_100) {
        return;
    }
    let clients = if is_slow() { 100 } else { 1_000 };
    let patience = Duration::from_secs(if is_slow() { 6 } else { 2 });
    let server = Server::with_patience(patience);
    under(&server, clients, |server| {
        let started = Instant::now();
        let mut halves: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
        for client in &mut halves {
            client.send("GET /0/ha");
        }
        for client in &mut halves {
            assert_eq!(client.response().status(), 408);
            client.assert_closed();
        }
        let elapsed = started.elapsed();
        // One tick, a 30th, is the most by which it is early.
        assert!(elapsed >= patience - patience / 30, "{elapsed:?}");
        assert!(elapsed < patience + late(), "{elapsed:?}");
    });
}

#[test]
fn peers_that_close_one_half() {
    if common::lacks_descriptors(400) {
        return;
    }
    let server = Server::start();
    under(&server, 64, |server| {
        let rounds = if is_slow() { 3 } else { 20 };
        let large = "x".repeat(8_000);
        for round in 0..rounds {
            let halves: Vec<Client> = (0..32).map(|_| server.connect()).collect();
            for (client, stage) in halves.iter().zip((0..8).cycle()) {
                let sent = match stage {
                    0 => String::new(),
                    1 => "GET /0/ha".to_owned(),
                    2 => get("/0/whole"),
                    3 => get("/5/delayed"),
                    4 => get("/500/unheard"),
                    5 => get(&format!("/0/{large}")).repeat(100),
                    6 => "garbage \0".to_owned(),
                    _ => get("/1/one") + "GET /0/tw",
                };
                // The answers to stage 5 fill both buffers: nobody reads them.
                let stream = &client.stream;
                stream.set_nonblocking(stage == 5).expect("a socket");
                let _ = (&client.stream).write(sent.as_bytes());
                // Who shuts its reading end gets no answer, and the server no error.
                let how = match round % 3 {
                    0 => Shutdown::Write,
                    1 => Shutdown::Read,
                    _ => Shutdown::Both,
                };
                let _ = stream.shutdown(how);
            }
            server.assert_alive();
        }
    });
}

/// Between any two steps: of the connecting, of the request, of the delay, of the
/// answer, of the end.
#[test]
fn resets_at_every_byte_of_a_request_and_of_its_answer() {
    let server = Server::start();
    under(&server, 64, |server| {
        let request = get("/2/reset");
        for end in 0..=request.len() {
            let client = server.connect();
            write_what_is_taken(&client.stream, &request.as_bytes()[..end]);
            client.reset();
        }
        let mut client = server.connect();
        client.send(&request);
        let answer = client.response();
        let length = answer.head.len() + answer.body.len();
        for end in 1..=length {
            let mut client = server.connect();
            client.send(&request);
            let mut heard = vec![0; end];
            client.stream.read_exact(&mut heard).expect("an answer");
            client.reset();
        }
        // While the server drains what a refused client goes on to send.
        for size in [1, 1_000, 100_000, 1_000_000] {
            let client = server.connect();
            write_what_is_taken(&client.stream, &vec![0; size]);
            client.reset();
        }
    });
}

/// Stops the server, until it gets SIGCONT.
fn stop(server: &Server) {
    signal_process(server.pid(), SIGSTOP);
    wait_until(DEADLINE, || {
        (process_state(server.pid()) == Some('T')).then_some(())
    })
    .expect("a server that stops");
}

#[test]
fn a_reset_of_what_was_never_accepted() {
    let server = Server::start();
    under(&server, 256, |server| {
        for _ in 0..10 {
            stop(server);
            // They wait in the kernel, and are gone when it looks.
            for number in 0..50 {
                let stream = TcpStream::connect(server.address).expect("room in the backlog");
                if number % 2 == 0 {
                    write_what_is_taken(&stream, get("/0/x").as_bytes());
                }
                reset(stream);
            }
            signal_process(server.pid(), SIGCONT);
            server.assert_alive();
        }
    });
}

#[test]
fn ten_thousand_requests_in_one_piece() {
    const REQUESTS: usize = 10_000;
    let server = Server::start();
    under(&server, 8, |server| {
        thread::scope(|scope| {
            for _ in 0..3 {
                let mut client = server.connect();
                let mut writer = client.stream.try_clone().expect("a socket");
                scope.spawn(move || {
                    let all: String = (0..REQUESTS)
                        .map(|number| get(&format!("/0/{number}")))
                        .collect();
                    writer
                        .write_all(all.as_bytes())
                        .expect("a server that reads");
                });
                scope.spawn(move || {
                    for number in 0..REQUESTS {
                        client.response().assert_is(&number.to_string());
                    }
                });
            }
        });
    });
}

#[test]
fn a_gigabyte_of_garbage() {
    let most = if is_slow() { 64 } else { 1024 } << 20;
    let server = Server::start();
    under(&server, 8, |server| {
        let sent = AtomicUsize::new(0);
        thread::scope(|scope| {
            for seed in 1..=3u64 {
                let sent = &sent;
                scope.spawn(move || {
                    let blocks = garbage(seed);
                    // Each connection takes some of it, and is cut off.
                    while sent.load(Ordering::Relaxed) < most {
                        let stream = TcpStream::connect(server.address).expect("a server");
                        for block in blocks.iter().cycle() {
                            match (&stream).write(block) {
                                Ok(count) => sent.fetch_add(count, Ordering::Relaxed),
                                Err(_) => break,
                            };
                            if sent.load(Ordering::Relaxed) >= most {
                                break;
                            }
                        }
                    }
                });
            }
        });
    });
}

/// Blocks that begin like a request, or not at all, and go on without sense.
fn garbage(seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let block = |start: &str, mut next: Box<dyn FnMut() -> u8 + '_>| {
        let mut bytes = start.as_bytes().to_vec();
        bytes.extend((0..256 * 1024).map(|_| next()));
        bytes
    };
    let header = b"a: b\r\n";
    vec![
        block("GET /0/x HTTP/1.1\r\n", {
            let mut header = header.iter().cycle();
            Box::new(move || header.next().copied().unwrap_or_default())
        }),
        block("GET /0/", Box::new(|| b'a')),
        block("", Box::new(|| (random() >> 56) as u8)),
    ]
}

/// More than there are places, all of them busy: whoever is not served waits, and is
/// served when there is room.
#[test]
fn more_connections_than_places() {
    let needed = PLACES + 1_000;
    let most = common::raise_descriptor_limit() as usize;
    if is_slow() {
        return common::left_out("more connections than places", "in an emulator");
    }
    if most < needed + 500 {
        return common::left_out(
            "more connections than places",
            format!("{most} descriptors"),
        );
    }
    let server = Server::start();
    // Not `under`: the well-behaved would have to wait in the line with the others.
    let descriptors = server.descriptors();
    server.assert_alive();
    let memory = server.resident();
    let mut early = server.connect();
    early.send("GET /0/early HTTP/1.1\r\nA:");
    let mut crowd = Vec::new();
    for _ in 0..needed {
        // Half a request each, so that none of them is idle and can be sent away.
        let stream = TcpStream::connect(server.address).expect("room in the backlog");
        (&stream).write_all(b"GET /").expect("a socket");
        crowd.push(stream);
    }
    wait_until(DEADLINE, || {
        (server.descriptors() >= descriptors + PLACES).then_some(())
    })
    .expect("a full table");
    assert_eq!(server.descriptors(), descriptors + PLACES);
    // Who is in is served.
    early.send("b\r\n\r\n");
    early.response().assert_is("early");
    // Who is not gets in when others leave.
    let mut late = server.connect();
    late.send(get("/0/late"));
    crowd.drain(..needed / 2).for_each(reset);
    late.response().assert_is("late");
    drop(crowd);
    drop((early, late));
    server.wait_for_descriptors(descriptors);
    server.assert_alive();
    let (now, bound) = (server.resident(), memory + 64 + PLACES * PLACE);
    assert!(now <= bound, "{memory} KiB before, {now} after");

    // A second crowd costs nothing that the first has not paid.
    let memory = server.resident();
    let crowd: Vec<_> = (0..1_000).map(|_| server.connect()).collect();
    for client in &crowd {
        write_what_is_taken(&client.stream, b"GET /");
    }
    server.wait_for_descriptors(descriptors + crowd.len());
    drop(crowd);
    server.wait_for_descriptors(descriptors);
    assert!(server.resident() <= memory + 64, "{memory} KiB, and more");
}

/// Without descriptors to spare, again and again.
#[test]
fn waves_that_take_every_descriptor() {
    if common::lacks_descriptors(1_000) {
        return;
    }
    const FEW: usize = 48;
    let server = Server::start_at("127.0.0.1:0", |command| {
        common::limit_descriptors(command, FEW as u64)
    });
    let descriptors = server.descriptors();
    server.assert_alive();
    let memory = server.resident();
    let mut faithful = server.connect();
    faithful.send(get("/0/here"));
    faithful.response().assert_is("here");
    for wave in 0..20 {
        let mut clients: Vec<Client> = (0..FEW * 2).map(|_| server.connect()).collect();
        wait_until(DEADLINE, || (server.descriptors() >= FEW).then_some(()))
            .expect("every descriptor taken");
        faithful.send(get("/0/still-here"));
        faithful.response().assert_is("still-here");
        // Those that are served make room for those that wait.
        if wave % 2 == 0 {
            for client in &mut clients {
                client.send("GET /0/served HTTP/1.1\r\nConnection: close\r\n\r\n");
            }
            for client in &mut clients {
                client.response().assert_is("served");
                client.assert_closed();
            }
        } else {
            clients.into_iter().for_each(Client::reset);
        }
    }
    drop(faithful);
    server.wait_for_descriptors(descriptors);
    server.assert_alive();
    if !common::is_emulated() {
        let (now, bound) = (server.resident(), memory + 64 + FEW * PLACE);
        assert!(now <= bound, "{memory} KiB before, {now} after");
    }
}

/// In a network of their own, where others have taken the ports.
#[test]
fn a_client_without_a_port_says_so_and_those_with_one_are_served() {
    const CHECK: &str = "a client without a local port";
    const ADDRESS: &str = "127.0.0.1:8080";
    const NO_PORT: &str = "epore: cannot connect to 127.0.0.1:8080: connect: EADDRNOTAVAIL \
                           (Cannot assign requested address): no local port is free\n";

    kernel::alone_with_few_ports(CHECK, || {
        let server = Server::start_at(ADDRESS, |_| {});
        let descriptors = server.descriptors();
        let mut others: Vec<Client> = PORTS.map(|_| server.connect()).collect();
        // The client wants five. Whichever it does not get, the others are not its.
        for (freed, expected) in [(0, NO_PORT), (4, NO_PORT), (5, "")] {
            others.drain(..freed).for_each(Client::reset);
            server.wait_for_descriptors(descriptors + others.len());
            let output = common::run(demo().args(["get", ADDRESS]));
            assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
            assert_eq!(output.status.code(), Some(i32::from(!expected.is_empty())));
            for client in &mut others {
                client.send(get("/1/still-here"));
                client.response().assert_is("still-here");
            }
        }
        drop(others);
        server.wait_for_descriptors(descriptors);
    });
}

/// A write to a peer that is gone raises SIGPIPE, which ends a program that has made
/// no provision for it.
#[test]
fn peers_that_are_gone_when_the_answer_is_written() {
    if common::lacks_descriptors(400) {
        return;
    }
    const ROUNDS: usize = 100;
    let server = Server::start();
    under(&server, 2 * ROUNDS + 20, |server| {
        let answer = "x".repeat(7_000);
        for round in 0..ROUNDS {
            let client = server.connect();
            // Their first answer is met with a reset, and more are to be written.
            let many = get(&format!("/{}/{answer}", round % 3)).repeat(16);
            write_what_is_taken(&client.stream, many.as_bytes());
            let _ = client.stream.shutdown(Shutdown::Read);
            drop(client);
            // Gone during the delay, with an answer to write to nobody.
            let mut client = server.connect();
            client.send(get("/3/x").repeat(20));
            drop(client);
        }
        // They end in good order before the server looks: its first answer is met with
        // a reset, and the second is EPIPE and the signal.
        stop(server);
        for _ in 0..20 {
            server.connect().send(get("/0/x").repeat(20));
        }
        signal_process(server.pid(), SIGCONT);
    });
}

#[test]
fn stopped_and_continued_in_the_middle_of_it_all() {
    let server = Server::start();
    under(&server, 256, |server| {
        for round in 0..30 {
            let crowd: Vec<Client> = (0..8).map(|_| server.connect()).collect();
            for (number, client) in crowd.iter().enumerate() {
                let request = get("/1/x").repeat(number);
                write_what_is_taken(&client.stream, request.as_bytes());
            }
            interrupt(server.pid());
            if round % 2 == 0 {
                crowd.into_iter().for_each(Client::reset);
            }
            server.assert_alive();
        }
    });
}
