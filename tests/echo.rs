//! The echo server, over all that it listens to, with one queue and with two.

mod common;

use common::kernel::{SIGKILL, SIGTERM, signal_process};
use common::server::Server;
use common::{DEADLINE, PROFILE, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const SIGINT: i32 = 2;

/// The program, to be given arguments and started.
fn echo() -> Option<Command> {
    let path = common::build_program("echo", PROFILE);
    if path.is_none() {
        common::left_out("the echo server", "no cargo to build it");
    }
    path.map(|path| common::through_runner(&path))
}

/// An emulator is what `/proc/self/exe` names there.
fn two_queues() -> Option<Command> {
    if common::is_emulated() {
        common::left_out("two queues", "an emulated program cannot start itself");
        return None;
    }
    echo()
}

/// A name for a Unix socket that is this test's alone.
fn unix_name(test: &str) -> String {
    format!("epore-{}-{test}", process::id())
}

fn start(mut command: Command, arguments: &[&str]) -> Server {
    command.arg("127.0.0.1:0").args(arguments);
    let server = Server::run(command);
    let queues = arguments.get(1).map_or(1, |count| count.parse().unwrap());
    let lines = wait_until(DEADLINE, || {
        let lines = server.lines();
        (lines.len() >= queues).then_some(lines)
    });
    let lines = lines.unwrap_or_else(|| panic!("not {queues} lines: {:?}", server.lines()));
    let address = format!("listening on {}", server.address);
    assert!(
        lines.iter().all(|line| line.starts_with(&address)),
        "{lines:?}"
    );
    server
}

fn connect(server: &Server) -> TcpStream {
    server.connect().stream
}

fn assert_echoed(stream: &mut (impl Read + Write), sent: &[u8]) {
    stream.write_all(sent).expect("a server that reads");
    let mut heard = vec![0; sent.len()];
    stream.read_exact(&mut heard).expect("an echo in time");
    assert_eq!(heard, sent);
}

fn assert_echoes_datagrams(server: &Server) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.connect(server.address).unwrap();
    // The longest, and one of nothing, are datagrams too.
    for sent in [&b"a datagram"[..], &[], &[7; 65_507]] {
        socket.send(sent).unwrap();
        let mut heard = [0; 65_535];
        let length = socket.recv(&mut heard).expect("an echo in time");
        assert!(heard[..length] == *sent, "{length} bytes");
    }
}

fn assert_echoes_at(name: &str) {
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let mut stream = UnixStream::connect_addr(&address).expect("a server that listens");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    assert_echoed(&mut stream, b"over a Unix socket");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

fn assert_ends_well(server: Server, signal: i32) {
    // And nobody who could still write is left.
    let (status, lines) = server.end_by(signal);
    assert_eq!(status.code(), Some(0), "{status}: {lines:?}");
}

#[test]
fn one_queue_echoes_over_tcp_udp_and_unix_sockets_at_once() {
    let Some(command) = echo() else { return };
    let name = unix_name("one");
    let server = start(command, &[&name, "1"]);
    assert!(server.lines()[0].ends_with(&format!(" and @{name}")));
    let mut stream = connect(&server);
    assert_echoed(&mut stream, b"over TCP");
    assert_echoes_datagrams(&server);
    assert_echoes_at(&name);
    assert_echoed(&mut stream, b"and over TCP again");
    assert_ends_well(server, SIGTERM);
}

#[test]
fn two_queues_share_the_connections() {
    const CLIENTS: usize = 64;

    let Some(command) = two_queues() else { return };
    let name = unix_name("two");
    let server = start(command, &[&name, "2"]);
    let before = server.descriptors();
    let mut streams: Vec<_> = (0..CLIENTS).map(|_| connect(&server)).collect();
    for stream in &mut streams {
        assert_echoed(stream, b"who are you?");
    }
    let own = server.descriptors() - before;
    assert!(
        (1..CLIENTS).contains(&own),
        "the first has {own} of {CLIENTS}"
    );
    for _ in 0..16 {
        assert_echoes_datagrams(&server);
    }
    assert_echoes_at(&name);
    drop(streams);
    server.wait_for_descriptors(before);
    assert_ends_well(server, SIGTERM);
}

#[test]
fn ctrl_c_ends_all_queues() {
    let Some(command) = two_queues() else { return };
    assert_ends_well(start(command, &[&unix_name("ctrl-c"), "3"]), SIGINT);
}

#[test]
fn a_queue_that_dies_ends_the_program_with_an_error() {
    let Some(command) = two_queues() else { return };
    let server = start(command, &[&unix_name("dies"), "3"]);
    let pid = server.pid();
    let Ok(children) = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) else {
        assert_ends_well(server, SIGTERM);
        return common::left_out("the death of a queue", "this kernel lists no children");
    };
    let children: Vec<u32> = (children.split_whitespace())
        .map(|id| id.parse().expect("a number"))
        .collect();
    assert_eq!(children.len(), 2);
    // It is our child's, and was not waited for.
    signal_process(children[0], SIGKILL);
    let (status, lines) = server.ended();
    assert_eq!(status.code(), Some(1), "{status}: {lines:?}");
}

#[test]
fn who_does_not_read_is_not_read_from_and_loses_nothing() {
    const TOTAL: usize = 24 << 20;

    let Some(command) = echo() else { return };
    let server = start(command, &[]);
    let byte = |at: usize| (at ^ at >> 8 ^ at >> 16) as u8;
    let sent: Vec<u8> = (0..TOTAL).map(byte).collect();
    let mut stream = connect(&server);
    let mut writer = stream.try_clone().unwrap();
    let written = AtomicUsize::new(0);
    let heard = thread::scope(|scope| {
        scope.spawn(|| {
            for part in sent.chunks(64 << 10) {
                writer.write_all(part).expect("a server that reads");
                written.fetch_add(part.len(), Ordering::Relaxed);
            }
            writer.shutdown(Shutdown::Write).unwrap();
        });
        // Far more than the server itself has room for.
        let much = wait_until(DEADLINE, || {
            (written.load(Ordering::Relaxed) > 1 << 20).then_some(())
        });
        assert!(much.is_some(), "{written:?} bytes written");
        // Meanwhile others are served.
        assert_echoed(&mut connect(&server), b"and I?");

        let mut heard = Vec::with_capacity(TOTAL);
        stream.read_to_end(&mut heard).expect("all, in time");
        heard
    });
    assert!(heard == sent, "{} of {TOTAL} bytes, or others", heard.len());
    assert_ends_well(server, SIGTERM);
}

#[test]
fn connections_wait_while_there_is_no_descriptor_for_them() {
    const CLIENTS: usize = 16;

    let Some(mut command) = echo() else { return };
    if common::is_emulated() {
        return common::left_out("a lack of descriptors", "the emulator needs some itself");
    }
    common::limit_descriptors(&mut command, 16);
    let name = unix_name("lack");
    let server = start(command, &[&name]);
    let room = 16 - server.descriptors();
    assert!((1..CLIENTS).contains(&room), "room for {room}");
    let mut streams: Vec<_> = (0..CLIENTS).map(|_| connect(&server)).collect();
    for stream in &mut streams[..room] {
        assert_echoed(stream, b"in");
    }
    assert_echoes_datagrams(&server);
    assert_sleeps(&server);
    // One goes, one comes.
    for mut stream in streams {
        assert_echoed(&mut stream, b"and in");
    }
    assert_echoes_at(&name);
    assert_ends_well(server, SIGTERM);
}

#[test]
fn connections_wait_while_the_table_is_full() {
    const TABLE: usize = 256;

    let Some(command) = echo() else { return };
    let server = start(command, &[]);
    let mut streams: Vec<_> = (0..TABLE + 8).map(|_| connect(&server)).collect();
    for stream in &mut streams[..TABLE] {
        assert_echoed(stream, b"in");
    }
    for mut stream in streams {
        assert_echoed(&mut stream, b"and in");
    }
    assert_ends_well(server, SIGTERM);
}

/// Asserts that it does not try again and again: over a stretch of time it hardly runs.
fn assert_sleeps(server: &Server) {
    // `voluntary_ctxt_switches` counts its waits.
    let waits = || server.status("voluntary_ctxt_switches") + ticks(server);
    let before = waits();
    thread::sleep(std::time::Duration::from_millis(300));
    let more = waits() - before;
    assert!(more < 20, "{more} waits and ticks");
}

/// Its time on the processor, in hundredths of a second.
fn ticks(server: &Server) -> usize {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("proc");
    let fields: Vec<_> = stat
        .rsplit_once(") ")
        .expect("a name")
        .1
        .split(' ')
        .collect();
    let [user, system] = [11, 12].map(|at: usize| fields[at].parse::<usize>().expect("a number"));
    user + system
}

#[test]
fn a_reset_connection_leaves_its_place_to_another() {
    let Some(command) = echo() else { return };
    let server = start(command, &[]);
    let before = server.descriptors();
    for _ in 0..300 {
        let mut client = server.connect();
        client.send(b"x");
        client.reset();
    }
    assert_echoed(&mut connect(&server), b"still there?");
    server.wait_for_descriptors(before);
    assert_ends_well(server, SIGTERM);
}

#[test]
fn what_it_cannot_do_it_says() {
    let Some(mut command) = echo() else { return };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = common::run(command.arg(address));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("bind: EADDRINUSE"), "{text}");

    for arguments in [
        &[][..],
        &["nowhere"],
        &["127.0.0.1:0", "name", "0"],
        &["127.0.0.1:0", "name", "65"],
        &["127.0.0.1:0", "name", "1", "more"],
    ] {
        let Some(mut command) = echo() else { return };
        let output = common::run(command.args(arguments));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with("usage: echo"), "{text}");
    }
}
