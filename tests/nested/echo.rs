//! The echo server, over all that it listens to, with one queue and with two.

use crate::common;

use common::kernel::{SIGKILL, SIGTERM, process_state, signal_process};
use common::server::Server;
use common::{DEADLINE, PROFILE, wait_until};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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

fn connect_unix(name: &str) -> UnixStream {
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let stream = UnixStream::connect_addr(&address).expect("a server that listens");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn assert_echoes_at(name: &str) {
    let mut stream = connect_unix(name);
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
    // The first serves only when it has started the second, which takes descriptors.
    assert_echoes_at(&name);
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
    let Some(command) = echo() else { return };
    let name = unix_name("slow");
    let server = start(command, &[&name]);
    // More than the kernel has room for on the way.
    let stream = connect_unix(&name);
    let writer = stream.try_clone().unwrap();
    assert_waits_for_its_reader(&server, stream, writer, 4 << 20, |writer| {
        writer.shutdown(Shutdown::Write)
    });
    let stream = connect(&server);
    let writer = stream.try_clone().unwrap();
    assert_waits_for_its_reader(&server, stream, writer, 2 * tcp_buffers(), |writer| {
        writer.shutdown(Shutdown::Write)
    });
    assert_ends_well(server, SIGTERM);
}

/// What a connection's buffers may hold at most, of both its ends and one direction.
fn tcp_buffers() -> usize {
    let most = |name| {
        let path = format!("/proc/sys/net/ipv4/{name}");
        let three = fs::read_to_string(path).unwrap_or_default();
        let most = three.split_whitespace().next_back();
        most.map_or(32 << 20, |most| most.parse().expect("a number"))
    };
    most("tcp_rmem") + most("tcp_wmem")
}

/// Sends `total` bytes, and reads only when the server has ceased to take any.
fn assert_waits_for_its_reader<S: Read + Write + Send>(
    server: &Server,
    mut stream: S,
    mut writer: S,
    total: usize,
    end: impl FnOnce(&S) -> io::Result<()> + Send,
) {
    // No multiple of the pattern is one of a buffer's length.
    let sent = (0..251).collect::<Vec<u8>>().repeat(total / 251);
    let total = sent.len();
    let written = AtomicUsize::new(0);
    let heard = thread::scope(|scope| {
        scope.spawn(|| {
            for part in sent.chunks(16 << 10) {
                writer.write_all(part).expect("a server that reads");
                written.fetch_add(part.len(), Ordering::Relaxed);
            }
            end(&writer).unwrap();
        });
        let mut before = 0;
        let (mut since, start) = (Instant::now(), Instant::now());
        while since.elapsed() < Duration::from_millis(200) && start.elapsed() < DEADLINE / 4 {
            thread::sleep(Duration::from_millis(1));
            let now = written.load(Ordering::Relaxed);
            if now == 0 || now != before {
                (before, since) = (now, Instant::now());
            }
        }
        assert!(before < total, "all {total} bytes were taken and none read");
        assert_sleeps(server);
        // Meanwhile others are served.
        assert_echoed(&mut connect(server), b"and I?");

        let mut heard = Vec::with_capacity(total);
        stream.read_to_end(&mut heard).expect("all, in time");
        heard
    });
    assert!(heard == sent, "{} of {total} bytes, or others", heard.len());
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

/// Asserts that it does not try again and again: one that does sleeps at hardly any look.
fn assert_sleeps(server: &Server) {
    const LOOKS: usize = 100;

    let looks = (0..LOOKS).map(|_| {
        thread::sleep(Duration::from_millis(1));
        process_state(server.pid())
    });
    let asleep = looks.filter(|state| *state == Some('S')).count();
    assert!(
        asleep > LOOKS * 3 / 4,
        "asleep at {asleep} of {LOOKS} looks"
    );
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
