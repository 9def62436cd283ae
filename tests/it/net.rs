//! TCP: from the first address to the last byte, and what goes wrong.

use crate::common;

use common::kernel::{self, SIGPIPE};
use common::queue::{expect_event, expect_silence, queue, watching};
use common::tcp::{self, V4};
use epore::net::{BindOptions, Keepalive, Shutdown, TcpListener, TcpStream};
use epore::{Errno, Interest, Poll, Timer, Token, Waker, sys};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// A loopback address that no other test uses, and so nobody listens at it.
fn quiet(last: u8) -> SocketAddr {
    (Ipv4Addr::new(127, 87, 65, last), 0).into()
}

/// Reads until the end, waiting for what has not come yet.
fn read_to_end(stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buf = [0; 4096];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend(&buf[..count]),
            Err(error) if error.is_would_block() => drop(tcp::readable(stream)),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_conversation() {
    for addr in tcp::addresses() {
        let (client, server, _listener) = tcp::connected(addr);
        assert_eq!(client.write(b"question").unwrap(), 8);
        tcp::readable(&server);
        let mut buf = [0; 100];
        assert_eq!(server.read(&mut buf).unwrap(), 8);
        assert_eq!(&buf[..8], b"question");
        assert_eq!(server.write(b"answer").unwrap(), 6);
        drop(server);
        assert_eq!(read_to_end(&client), b"answer");
        assert_eq!(client.read(&mut buf).unwrap(), 0, "and the end again");
    }
}

#[test]
fn port_zero_becomes_a_free_port() {
    for addr in tcp::addresses() {
        let first = TcpListener::bind(addr).unwrap();
        let second = TcpListener::bind(addr).unwrap();
        let (first, second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        assert_eq!(first.ip(), addr.ip());
        assert_ne!(first.port(), 0);
        assert_ne!(first, second);
    }
}

#[test]
fn both_ends_agree_on_their_addresses() {
    for addr in tcp::addresses() {
        let listener = TcpListener::bind(addr).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tcp::readable(&listener);
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(peer, server.peer_addr().unwrap());
        assert_eq!(server.local_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(client.peer_addr().unwrap(), listener.local_addr().unwrap());
        assert_ne!(peer.port(), 0);
    }
}

#[test]
fn accept_without_a_connection_would_block() {
    let listener = TcpListener::bind(V4).unwrap();
    let error = listener.accept().unwrap_err();
    assert!(error.is_would_block(), "{error}");
    assert_eq!(error.syscall(), "accept4");
    expect_silence(&mut watching(&listener, Interest::READABLE));
}

#[test]
fn connections_wait_to_be_accepted() {
    if common::lacks_descriptors(400) {
        return;
    }
    let listener = TcpListener::bind(V4).unwrap();
    let addr = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..50).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let mut peers: Vec<_> = (clients.iter())
        .map(|_| tcp::accept(&listener).peer_addr())
        .map(|addr| addr.unwrap().port())
        .collect();
    let mut ports: Vec<_> = (clients.iter())
        .map(|client| client.local_addr().unwrap().port())
        .collect();
    peers.sort();
    ports.sort();
    assert_eq!(peers, ports);
}

#[test]
fn an_address_can_be_bound_again_at_once() {
    kernel::alone(|| {
        let listener = TcpListener::bind(quiet(1)).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect(addr).unwrap();
        let server = tcp::accept(&listener);
        // Who closes first keeps the port for a minute.
        drop(server);
        assert_eq!(read_to_end(&client), b"");
        drop(client);
        drop(listener);
        TcpListener::bind(addr).unwrap();
    });
}

#[test]
fn an_address_is_listened_at_once_only() {
    let listener = TcpListener::bind(quiet(2)).unwrap();
    let error = TcpListener::bind(listener.local_addr().unwrap()).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
}

#[test]
fn a_foreign_address_cannot_be_bound() {
    // TEST-NET-1: no machine has it.
    let error = TcpListener::bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRNOTAVAIL);
    assert_eq!(
        error.reason(),
        Some("no interface of this machine has that address")
    );
}

#[test]
fn a_connect_that_succeeds_becomes_writable_without_an_error() {
    for addr in tcp::addresses() {
        let listener = TcpListener::bind(addr).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let event = expect_event(&mut watching(&client, Interest::WRITABLE));
        assert!(event.is_writable() && !event.is_error(), "{event:?}");
        assert_eq!(client.take_error().unwrap(), None);
        client.peer_addr().unwrap();
    }
}

#[test]
fn a_connect_to_where_nobody_listens_is_refused() {
    kernel::alone(|| {
        let listener = TcpListener::bind(quiet(3)).unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let outcome = match TcpStream::connect(addr) {
            Ok(stream) => {
                expect_event(&mut watching(&stream, Interest::WRITABLE));
                stream.take_error().unwrap()
            }
            Err(error) => Some(error),
        };
        let error = outcome.expect("an error");
        assert_eq!(error.errno(), Errno::ECONNREFUSED);
        assert_eq!(error.syscall(), "connect");
        assert_eq!(error.reason(), Some("nobody listens at that address"));
    });
}

/// A listener with room for one connection, which is taken, and a client that has
/// to wait.
fn under_way(addr: SocketAddr) -> (sys::fd::OwnedFd, TcpStream, TcpStream) {
    let socket = sys::socket(sys::AF_INET, sys::SOCK_STREAM | sys::SOCK_CLOEXEC, 0).unwrap();
    sys::bind(socket.as_fd(), &addr.into()).unwrap();
    sys::listen(socket.as_fd(), 0).unwrap();
    let addr = sys::getsockname(socket.as_fd()).unwrap().to_ip().unwrap();
    let first = TcpStream::connect(addr).unwrap();
    expect_event(&mut watching(&first, Interest::WRITABLE));
    (socket, first, TcpStream::connect(addr).unwrap())
}

#[test]
fn a_connect_under_way_is_not_writable_yet() {
    let (_socket, _first, client) = under_way(quiet(4));
    let mut queue = watching(&client, Interest::READABLE | Interest::WRITABLE);
    expect_silence(&mut queue);
    assert_eq!(client.take_error().unwrap(), None);
    assert!(client.write(b"x").unwrap_err().is_would_block());
    assert!(client.read(&mut [0]).unwrap_err().is_would_block());
    assert_eq!(client.peer_addr().unwrap_err().errno(), Errno::ENOTCONN);
}

#[test]
fn a_connect_refused_later_is_told_by_take_error_once() {
    let (socket, first, client) = under_way(quiet(5));
    let mut queue = watching(&client, Interest::WRITABLE);
    expect_silence(&mut queue);
    // The next attempt, a second later, finds nobody.
    drop((socket, first));
    let event = expect_event(&mut queue);
    assert!(event.is_writable() && event.is_error(), "{event:?}");
    assert!(
        event.is_read_closed() && event.is_write_closed(),
        "{event:?}"
    );
    let error = client.take_error().unwrap().expect("an error");
    assert_eq!(error.errno(), Errno::ECONNREFUSED);
    assert_eq!(error.syscall(), "connect");
    assert_eq!(client.take_error().unwrap(), None);
}

#[test]
fn reading_where_nothing_is_would_block() {
    let (client, server) = tcp::pair();
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert!(error.is_would_block(), "{error}");
    assert_eq!(error.syscall(), "read");
    server.write(b"x").unwrap();
    tcp::readable(&client);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 1);
    assert!(client.read(&mut [0; 8]).unwrap_err().is_would_block());
}

#[test]
fn writing_takes_what_there_is_room_for() {
    const SO_SNDBUF: i32 = 7;
    const SO_RCVBUF: i32 = 8;
    let (client, server) = tcp::pair();
    sys::setsockopt_int(client.as_fd(), sys::SOL_SOCKET, SO_SNDBUF, 1 << 16).unwrap();
    sys::setsockopt_int(server.as_fd(), sys::SOL_SOCKET, SO_RCVBUF, 1 << 16).unwrap();
    let bytes: Vec<u8> = (0..8 << 20).map(|at| (at % 251) as u8).collect();
    let mut written = client.write(&bytes).unwrap();
    assert!(written < bytes.len(), "all of {written} at once");
    let error = loop {
        match client.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert!(error.is_would_block(), "{error}");
    assert_eq!(error.syscall(), "sendto");

    // Reading makes room again, and nothing is lost or out of order.
    let mut queue = watching(&client, Interest::WRITABLE);
    let mut read = 0;
    let mut buf = vec![0; 1 << 16];
    let mut read_some = |read: &mut usize| {
        let count = server.read(&mut buf).unwrap();
        assert_eq!(buf[..count], bytes[*read..][..count]);
        *read += count;
    };
    let woken = common::wait_until(common::queue::DEADLINE, || {
        if read < written {
            tcp::readable(&server);
            read_some(&mut read);
        }
        (!common::queue::look(&mut queue).is_empty()).then_some(())
    });
    woken.expect("room");
    written += client.write(&bytes[written..]).unwrap();
    while read < written {
        tcp::readable(&server);
        read_some(&mut read);
    }
}

#[test]
fn the_end_of_the_stream_reads_as_zero() {
    let (client, server) = tcp::pair();
    drop(server);
    let event = tcp::readable(&client);
    assert!(event.is_readable() && event.is_read_closed(), "{event:?}");
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn writing_after_ones_own_end_is_epipe() {
    let (client, _server) = tcp::pair();
    client.shutdown(Shutdown::Write).unwrap();
    let error = client.write(b"x").unwrap_err();
    assert_eq!(error.errno(), Errno::EPIPE);
}

#[test]
fn no_write_raises_sigpipe() {
    kernel::alone(|| {
        // The standard library has it ignored, which others may not.
        kernel::default_action(SIGPIPE);
        let (client, server) = tcp::pair();
        client.shutdown(Shutdown::Both).unwrap();
        assert_eq!(client.write(b"x").unwrap_err().errno(), Errno::EPIPE);

        // A peer that is gone: reset by the first byte, then the pipe is broken.
        drop(client);
        let errno = common::wait_until(common::queue::DEADLINE, || {
            let errno = server.write(b"x").err()?.errno();
            (errno == Errno::EPIPE).then_some(errno)
        });
        assert_eq!(errno, Some(Errno::EPIPE));
    });
}

#[test]
fn sigpipe_would_have_ended_the_process() {
    // Or else its absence would prove nothing.
    let raise = || {
        kernel::default_action(SIGPIPE);
        let (client, _server) = tcp::pair();
        client.shutdown(Shutdown::Write).unwrap();
        let outcome = sys::write(client.as_fd(), b"x");
        println!("still there: {outcome:?}");
    };
    if kernel::is_alone() {
        return raise();
    }
    let output = common::run(&mut kernel::again_at(&raise));
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn a_reset_connection_says_so_once() {
    for by_reading in [true, false] {
        let (client, server) = tcp::pair();
        client.write(b"never read").unwrap();
        tcp::readable(&server);
        drop(server);
        let event = expect_event(&mut watching(&client, Interest::PRIORITY));
        assert!(event.is_error(), "{event:?}");
        let error = if by_reading {
            client.read(&mut [0; 8]).unwrap_err()
        } else {
            client.take_error().unwrap().expect("an error")
        };
        assert_eq!(error.errno(), Errno::ECONNRESET);
        assert_eq!(client.take_error().unwrap(), None);
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    }
}

#[test]
fn shutting_down_writing_leaves_reading() {
    let (client, server) = tcp::pair();
    client.write(b"last words").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), b"last words");
    server.write(b"heard").unwrap();
    drop(server);
    assert_eq!(read_to_end(&client), b"heard");
}

#[test]
fn shutting_down_reading_reads_the_end() {
    let (client, server) = tcp::pair();
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    client.write(b"still there").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), b"still there");
}

#[test]
fn shutting_down_both_ends_both() {
    let (client, server) = tcp::pair();
    client.shutdown(Shutdown::Both).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(client.write(b"x").unwrap_err().errno(), Errno::EPIPE);
    assert_eq!(read_to_end(&server), b"");
}

#[test]
fn shutting_down_what_is_not_connected_is_refused() {
    let socket = sys::socket(sys::AF_INET, sys::SOCK_STREAM | sys::SOCK_CLOEXEC, 0).unwrap();
    let stream = TcpStream::from(socket);
    let error = stream.shutdown(Shutdown::Both).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOTCONN);
    assert_eq!(stream.peer_addr().unwrap_err().errno(), Errno::ENOTCONN);
}

#[test]
fn shutdown_converts_from_stds() {
    assert_eq!(Shutdown::from(std::net::Shutdown::Read), Shutdown::Read);
    assert_eq!(Shutdown::from(std::net::Shutdown::Write), Shutdown::Write);
    assert_eq!(Shutdown::from(std::net::Shutdown::Both), Shutdown::Both);
}

#[test]
fn nodelay_is_off_until_it_is_set() {
    let (client, server) = tcp::pair();
    for stream in [client, server] {
        assert!(!stream.nodelay().unwrap());
        stream.set_nodelay(true).unwrap();
        assert!(stream.nodelay().unwrap());
        stream.set_nodelay(false).unwrap();
        assert!(!stream.nodelay().unwrap());
    }
}

#[test]
fn sockets_are_non_blocking_and_closed_on_exec() {
    for addr in tcp::addresses() {
        let (client, server, listener) = tcp::connected(addr);
        for socket in [client.as_fd(), server.as_fd(), listener.as_fd()] {
            assert!(kernel::is_nonblocking(&socket), "{socket:?}");
            assert!(kernel::is_closed_on_exec(&socket), "{socket:?}");
        }
    }
}

#[test]
fn everything_else_is_closed_on_exec_too() {
    let queue = queue();
    let waker = Waker::new(queue.registry(), Token(0)).unwrap();
    let timer = Timer::new().unwrap();
    let clone = queue.registry().try_clone().unwrap();
    for source in [&queue as &dyn AsFd, &waker, &timer, &clone] {
        assert!(kernel::is_closed_on_exec(&source), "{:?}", source.as_fd());
    }
    for source in [&waker as &dyn AsFd, &timer] {
        assert!(kernel::is_nonblocking(&source), "{:?}", source.as_fd());
    }
}

#[test]
fn nothing_open_reaches_a_program_that_is_started() {
    const NUMBERS: &str = "EPORE_TEST_DESCRIPTORS";
    let look = || {
        for number in std::env::var(NUMBERS).unwrap().split(' ') {
            // The number may be in use again, though not for the like.
            let link = std::fs::read_link(format!("/proc/self/fd/{number}"));
            let target = link.unwrap_or_default();
            let target = target.to_string_lossy();
            let is_ours = target.contains("socket:") || target.contains("anon_inode");
            assert!(!is_ours, "{number} is {target}");
        }
    };
    if kernel::is_alone() {
        return look();
    }

    let queue = queue();
    let waker = Waker::new(queue.registry(), Token(0)).unwrap();
    let clone = queue.registry().try_clone().unwrap();
    let timer = Timer::new().unwrap();
    let (client, server, listener) = tcp::connected(V4);
    let sources: [&dyn AsFd; 7] = [&queue, &waker, &clone, &timer, &client, &server, &listener];
    let numbers = sources.map(|source| source.as_fd().as_raw_fd().to_string());
    let output = common::run(kernel::again_at(&look).env(NUMBERS, numbers.join(" ")));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn sockets_become_stds_and_come_back() {
    let listener = TcpListener::bind(V4).unwrap();
    let number = listener.as_raw_fd();
    let addr = listener.local_addr().unwrap();
    let listener = std::net::TcpListener::from(listener);
    assert_eq!(listener.as_raw_fd(), number);
    assert_eq!(listener.local_addr().unwrap(), addr);
    // It stays non-blocking.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);

    let client = TcpStream::connect(addr).unwrap();
    let mut client = std::net::TcpStream::from(client);
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);

    listener.set_nonblocking(false).unwrap();
    let listener = TcpListener::try_from(listener).unwrap();
    assert_eq!(listener.as_raw_fd(), number);
    assert!(kernel::is_nonblocking(&listener));
    let server = tcp::accept(&listener);
    server.write(b"x").unwrap();

    client.set_nonblocking(false).unwrap();
    client.read_exact(&mut [0]).unwrap();
    let client = TcpStream::try_from(client).unwrap();
    assert!(kernel::is_nonblocking(&client));
    assert!(client.read(&mut [0]).unwrap_err().is_would_block());
}

#[test]
fn sockets_become_descriptors_and_come_back() {
    let (client, server, listener) = tcp::connected(V4);
    let number = client.as_raw_fd();
    let client = OwnedFd::from(client);
    assert_eq!(client.as_raw_fd(), number);
    let client = TcpStream::from(client);
    let number = client.into_raw_fd();
    // SAFETY: the stream has just given it up.
    let client = TcpStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    server.write(b"x").unwrap();
    tcp::readable(&client);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 1);

    let addr = listener.local_addr().unwrap();
    let listener = TcpListener::from(OwnedFd::from(listener));
    assert_eq!(listener.local_addr().unwrap(), addr);
}

#[test]
fn a_descriptor_that_is_no_socket_makes_a_poor_stream() {
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let error = TcpStream::from(OwnedFd::from(near))
        .local_addr()
        .unwrap_err();
    assert_eq!(error.errno(), Errno::EAFNOSUPPORT);
    assert_eq!(error.reason(), Some("not an IPv4 or IPv6 socket"));

    let (read, _write) = kernel::pipe();
    let stream = TcpStream::from(read);
    assert_eq!(stream.local_addr().unwrap_err().errno(), Errno::ENOTSOCK);
    assert_eq!(stream.write(b"x").unwrap_err().errno(), Errno::ENOTSOCK);
}

#[test]
fn streams_read_and_write_as_std_io_does() {
    let (mut client, server) = tcp::pair();
    write!(client, "over {}", 9).unwrap();
    (&client).write_all(b"000").unwrap();
    client.flush().unwrap();
    tcp::readable(&server);
    let mut text = [0; 9];
    let mut reader = &server;
    // All in one write or two, it has been sent: the first byte was waited for.
    let mut read = 0;
    while read < 8 {
        match Read::read(&mut reader, &mut text[read..]) {
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => drop(tcp::readable(&server)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(&text[..read], b"over 9000"[..read].as_ref());

    let error = Read::read(&mut client, &mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.shutdown(Shutdown::Write).unwrap();
    let error = Write::write(&mut client, b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_server_and_its_clients_share_a_queue() {
    const LISTENER: Token = Token(usize::MAX);
    let mut queue: Poll = queue();
    let listener = TcpListener::bind(V4).unwrap();
    let registry = queue.registry();
    registry
        .register(&listener, LISTENER, Interest::READABLE)
        .unwrap();
    let clients: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(listener.local_addr().unwrap()).unwrap())
        .collect();
    for (index, client) in clients.iter().enumerate() {
        let interest = Interest::WRITABLE.oneshot();
        registry.register(client, Token(index), interest).unwrap();
    }

    let (mut servers, mut connected) = (Vec::new(), 0);
    while servers.len() + connected < 10 {
        for event in common::queue::expect_events(&mut queue) {
            match event.token() {
                LISTENER => servers.push(listener.accept().unwrap().0),
                Token(index) => {
                    assert_eq!(clients[index].take_error().unwrap(), None);
                    connected += 1;
                }
            }
        }
    }
    assert_eq!((servers.len(), connected), (5, 5));
}

#[test]
fn listeners_at_one_port_share_its_connections() {
    if common::lacks_descriptors(400) {
        return;
    }
    let shared = BindOptions::new().reuse_port(true);
    for addr in tcp::addresses() {
        let first = TcpListener::bind_with(addr, &shared).unwrap();
        let addr = first.local_addr().unwrap();
        let second = TcpListener::bind_with(addr, &shared).unwrap();
        let error = TcpListener::bind(addr).unwrap_err();
        assert_eq!(error.errno(), Errno::EADDRINUSE, "who did not ask");

        let mut queues = [&first, &second].map(|it| watching(it, Interest::READABLE));
        let clients: Vec<_> = (0..40).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut accepted = [0; 2];
        let all = common::wait_until(common::queue::DEADLINE, || {
            for (at, listener) in [&first, &second].into_iter().enumerate() {
                while listener.accept().is_ok() {
                    accepted[at] += 1;
                }
            }
            (accepted[0] + accepted[1] == clients.len()).then_some(())
        });
        assert!(all.is_some() && !accepted.contains(&0), "{accepted:?}");
        queues.iter_mut().for_each(expect_silence);
    }
}

#[test]
fn who_comes_when_too_many_wait_has_to_wait() {
    let options = BindOptions::new().backlog(0);
    let listener = TcpListener::bind_with(V4, &options).unwrap();
    let addr = listener.local_addr().unwrap();
    let first = TcpStream::connect(addr).unwrap();
    expect_event(&mut watching(&first, Interest::WRITABLE));
    let second = TcpStream::connect(addr).unwrap();
    let mut queue = watching(&second, Interest::WRITABLE);
    expect_silence(&mut queue);
    tcp::accept(&listener);
    // The next attempt, a second later, finds room.
    assert!(expect_event(&mut queue).is_writable());
    assert_eq!(second.take_error().unwrap(), None);
    TcpListener::bind_with(V4, &BindOptions::new().backlog(u32::MAX)).unwrap();
    assert_eq!(BindOptions::default(), BindOptions::new());
}

#[test]
fn ipv4_is_left_to_others_or_not() {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    for only in [true, false] {
        let options = BindOptions::new().only_v6(only);
        let listener = match TcpListener::bind_with(any, &options) {
            Ok(listener) => listener,
            Err(error) => return common::left_out("TCP over IPv6", error),
        };
        drop(listener);
        // Another program may have the port already, but not ten times in a row.
        let is_free = (0..10).any(|_| {
            let listener = TcpListener::bind_with(any, &options).unwrap();
            let port = listener.local_addr().unwrap().port();
            TcpListener::bind((Ipv4Addr::LOCALHOST, port).into()).is_ok()
        });
        assert_eq!(is_free, only, "IPv4 beside an IPv6 listener");
    }
}

#[test]
fn a_connection_comes_from_where_it_is_told_to() {
    kernel::alone(|| {
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect_from(quiet(6), addr).unwrap();
        let local = client.local_addr().unwrap();
        assert_eq!(local.ip(), quiet(6).ip());
        assert_ne!(local.port(), 0);
        tcp::readable(&listener);
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(peer, local);

        // The same port again, which the one who has closed first keeps for a minute.
        drop(client);
        assert_eq!(read_to_end(&server), b"");
        drop(server);
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect_from(local, addr).unwrap();
        assert_eq!(tcp::accept(&listener).peer_addr().unwrap(), local);
        assert_eq!(client.local_addr().unwrap(), local);
    });
}

#[test]
fn a_connection_cannot_come_from_anywhere() {
    let listener = TcpListener::bind(V4).unwrap();
    let addr = listener.local_addr().unwrap();
    let foreign = TcpStream::connect_from("192.0.2.1:0".parse().unwrap(), addr).unwrap_err();
    assert_eq!(
        (foreign.syscall(), foreign.errno()),
        ("bind", Errno::EADDRNOTAVAIL)
    );
    let taken = TcpStream::connect_from(addr, addr).unwrap_err();
    assert_eq!(
        (taken.syscall(), taken.errno()),
        ("bind", Errno::EADDRINUSE)
    );
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let other_family = TcpStream::connect_from(v6, addr).unwrap_err();
    let errno = other_family.errno();
    assert!(
        matches!(errno, Errno::EINVAL | Errno::EAFNOSUPPORT),
        "{errno}"
    );
}

#[test]
fn peeking_leaves_everything_there() {
    let (client, server) = tcp::pair();
    assert!(client.peek(&mut [0; 8]).unwrap_err().is_would_block());
    server.write(b"twice").unwrap();
    tcp::readable(&client);
    for read in [TcpStream::peek, TcpStream::peek, TcpStream::read] {
        let mut buf = [0; 8];
        assert_eq!(read(&client, &mut buf).unwrap(), 5);
        assert_eq!(&buf, b"twice\0\0\0");
    }
    assert!(client.peek(&mut [0; 8]).unwrap_err().is_would_block());
    drop(server);
    tcp::readable(&client);
    assert_eq!(client.peek(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn slices_are_written_and_read_in_one_call() {
    let (mut client, mut server) = tcp::pair();
    let parts = [
        IoSlice::new(b"one, "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    for through_std in [false, true] {
        let written = if through_std {
            Write::write_vectored(&mut client, &parts).unwrap()
        } else {
            client.write_vectored(&parts).unwrap()
        };
        assert_eq!(written, 8);
        tcp::readable(&server);
        let (mut head, mut tail) = ([1; 5], [2; 4]);
        let mut room = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
        let read = if through_std {
            Read::read_vectored(&mut server, &mut room).unwrap()
        } else {
            server.read_vectored(&mut room).unwrap()
        };
        assert_eq!((read, &head, &tail), (8, b"one, ", b"two\x02"));
    }
    let error = server.read_vectored(&mut [IoSliceMut::new(&mut [0])]);
    let error = error.unwrap_err();
    assert!(error.is_would_block());
    assert_eq!(error.syscall(), "readv");
}

#[test]
fn no_vectored_write_raises_sigpipe() {
    kernel::alone(|| {
        // The standard library has it ignored, which others may not.
        kernel::default_action(SIGPIPE);
        let (client, _server) = tcp::pair();
        client.shutdown(Shutdown::Both).unwrap();
        let error = client.write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!((error.syscall(), error.errno()), ("sendmsg", Errno::EPIPE));
    });
}

#[test]
fn keepalive_is_off_until_it_is_set() {
    let (client, _server) = tcp::pair();
    assert_eq!(client.keepalive().unwrap(), None);
    let idle = Duration::from_millis(29_001);
    let mut wish = Keepalive {
        idle,
        interval: Duration::from_secs(7),
        probes: 3,
    };
    client.set_keepalive(Some(wish)).unwrap();
    wish.idle = Duration::from_secs(30);
    assert_eq!(client.keepalive().unwrap(), Some(wish), "rounded up");
    client.set_keepalive(None).unwrap();
    assert_eq!(client.keepalive().unwrap(), None);

    let zero = Duration::ZERO;
    for wrong in [
        Keepalive { idle: zero, ..wish },
        Keepalive {
            interval: zero,
            ..wish
        },
        Keepalive { probes: 0, ..wish },
        Keepalive {
            probes: u32::MAX,
            ..wish
        },
        Keepalive {
            idle: Duration::MAX,
            ..wish
        },
        Keepalive {
            interval: Duration::from_nanos(32_767_000_000_001),
            ..wish
        },
    ] {
        let error = client.set_keepalive(Some(wrong)).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{wrong:?}");
        assert_eq!(client.keepalive().unwrap(), None);
    }
}

#[test]
fn a_linger_of_zero_resets_the_connection() {
    for linger in [None, Some(Duration::ZERO)] {
        let (client, server) = tcp::pair();
        client.set_linger(linger).unwrap();
        assert_eq!(client.linger().unwrap(), linger);
        drop(client);
        tcp::readable(&server);
        let end = server.read(&mut [0; 8]).map_err(|error| error.errno());
        let expected = if linger.is_some() {
            Err(Errno::ECONNRESET)
        } else {
            Ok(0)
        };
        assert_eq!(end, expected);
    }
}

#[test]
fn closing_with_a_linger_waits_although_it_is_non_blocking() {
    let (client, _server) = tcp::pair();
    while client.write(&[0; 1 << 16]).is_ok() {}
    client.set_linger(Some(Duration::from_secs(1))).unwrap();
    let start = Instant::now();
    drop(client);
    let waited = start.elapsed();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[test]
fn a_linger_is_rounded_up_to_seconds() {
    let (client, _server) = tcp::pair();
    assert_eq!(client.linger().unwrap(), None);
    for (nanos, seconds) in [(1, 1), (1_000_000_000, 1), (2_000_000_001, 3)] {
        client
            .set_linger(Some(Duration::from_nanos(nanos)))
            .unwrap();
        let linger = client.linger().unwrap();
        assert_eq!(linger, Some(Duration::from_secs(seconds)), "{nanos}");
    }
    client.set_linger(None).unwrap();
    assert_eq!(client.linger().unwrap(), None);
}

#[test]
fn the_time_to_live_is_kept() {
    for addr in tcp::addresses() {
        let (client, _server, listener) = tcp::connected(addr);
        assert!(client.ttl().unwrap() > 1);
        client.set_ttl(10).unwrap();
        assert_eq!(client.ttl().unwrap(), 10);
        assert_eq!(client.set_ttl(256).unwrap_err().errno(), Errno::EINVAL);
        // Those that are accepted have it from the listener.
        listener.set_ttl(20).unwrap();
        assert_eq!(listener.ttl().unwrap(), 20);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(tcp::accept(&listener).ttl().unwrap(), 20);
    }
}
