//! Unix sockets: paths and names, streams and datagrams, and what goes wrong.

use crate::common;

use common::kernel::{self, SIGPIPE};
use common::path::Fresh;
use common::queue::{expect_event, expect_silence, expect_tokens, queue, watching};
use common::tcp;
use epore::fd::{AsFd, AsRawFd, OwnedFd};
use epore::net::{IoSlice, Shutdown, UdpSocket, UnixAddr, UnixDatagram, UnixListener, UnixStream};
use epore::{Errno, Interest, Token, sys};
use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::os::unix::net as std_unix;
use std::path::Path;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// An address that no other test uses, and no file.
fn name(of: &str) -> UnixAddr {
    UnixAddr::from_abstract_name(format!("epore test {of} {}", std::process::id())).unwrap()
}

/// A datagram socket at any free name.
fn free() -> UnixDatagram {
    UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap()
}

fn addr(socket: &UnixDatagram) -> UnixAddr {
    socket.local_addr().unwrap()
}

fn accept(listener: &UnixListener) -> UnixStream {
    tcp::readable(listener);
    listener.accept().unwrap().0
}

#[track_caller]
fn hears(socket: &UnixDatagram, expected: &[u8], from: &UnixAddr) {
    tcp::readable(socket);
    let mut buf = [0; 64];
    let (count, sender) = socket.recv_from(&mut buf).unwrap();
    assert_eq!((&buf[..count], &sender), (expected, from));
}

#[test]
fn a_conversation_over_a_path() {
    let path = Fresh::new();
    let listener = UnixListener::bind(&path).unwrap();
    let mut queue = watching(&listener, BOTH);
    expect_silence(&mut queue);
    assert!(listener.accept().unwrap_err().is_would_block());
    assert_eq!(listener.take_error().unwrap(), None);

    let client = UnixStream::connect(&path).unwrap();
    assert!(expect_event(&mut queue).is_readable());
    let (server, peer) = listener.accept().unwrap();
    expect_silence(&mut queue);
    assert!(peer.is_unnamed(), "{peer:?}");
    let at: &Path = path.as_ref();
    for there in [
        listener.local_addr().unwrap(),
        server.local_addr().unwrap(),
        client.peer_addr().unwrap(),
    ] {
        assert_eq!(there.as_path(), Some(at));
        assert_eq!(there, UnixAddr::try_from(at).unwrap());
    }
    assert!(client.local_addr().unwrap().is_unnamed());
    assert!(server.peer_addr().unwrap().is_unnamed());

    let mut buf = [0; 16];
    assert!(server.read(&mut buf).unwrap_err().is_would_block());
    assert_eq!(client.write(b"question").unwrap(), 8);
    tcp::readable(&server);
    for read in [UnixStream::peek, UnixStream::read] {
        assert_eq!(read(&server, &mut buf).unwrap(), 8);
        assert_eq!(&buf[..8], b"question");
    }
    assert!(server.peek(&mut buf).unwrap_err().is_would_block());
    assert_eq!(server.write(b"answer").unwrap(), 6);
    drop(server);
    assert_eq!(client.read(&mut buf).unwrap(), 6);
    assert_eq!(client.read(&mut buf).unwrap(), 0);
    assert_eq!(client.take_error().unwrap(), None);
}

#[test]
fn a_conversation_over_an_abstract_name() {
    let name = name("conversation");
    let listener = UnixListener::bind_addr(&name).unwrap();
    let client = UnixStream::connect_addr(&name).unwrap();
    let server = accept(&listener);
    assert_eq!(listener.local_addr().unwrap(), name);
    assert_eq!(client.peer_addr().unwrap(), name);
    client.write(b"x").unwrap();
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
    // The name is free as soon as nobody has it.
    drop((listener, server));
    drop(UnixListener::bind_addr(&name).unwrap());
    let error = UnixStream::connect_addr(&name).unwrap_err();
    assert_eq!(error.errno(), Errno::ECONNREFUSED);
}

#[test]
fn a_pair_talks_both_ways() {
    let (one, other) = UnixStream::pair().unwrap();
    let mut queue = queue();
    for (socket, token) in [(&one, 1), (&other, 2)] {
        let registry = queue.registry();
        registry
            .register(socket, Token(token), BOTH.edge())
            .unwrap();
    }
    expect_tokens(&mut queue, &[1, 2]);
    for (near, far) in [(&one, &other), (&other, &one)] {
        assert!(near.local_addr().unwrap().is_unnamed());
        assert!(near.peer_addr().unwrap().is_unnamed());
        assert!(far.read(&mut [0; 8]).unwrap_err().is_would_block());
        assert_eq!(near.write(b"word").unwrap(), 4);
        let mut buf = [0; 8];
        assert_eq!(far.read(&mut buf).unwrap(), 4);
        assert_eq!(&buf[..4], b"word");
    }
}

#[test]
fn connections_wait_to_be_accepted_in_order() {
    if common::lacks_descriptors(400) {
        return;
    }
    let name = name("waiting");
    let listener = UnixListener::bind_addr(&name).unwrap();
    let clients: Vec<_> = (0..50u8)
        .map(|index| {
            let client = UnixStream::connect_addr(&name).unwrap();
            client.write(&[index]).unwrap();
            client
        })
        .collect();
    for index in 0..clients.len() {
        let mut buf = [0; 2];
        assert_eq!(accept(&listener).read(&mut buf).unwrap(), 1);
        assert_eq!(usize::from(buf[0]), index);
    }
    assert!(listener.accept().unwrap_err().is_would_block());
}

#[test]
fn connecting_where_too_many_wait_fails_at_once() {
    let name = name("full");
    let listener = UnixListener::bind_addr(&name).unwrap();
    sys::listen(listener.as_fd(), 0).unwrap();
    let _first = UnixStream::connect_addr(&name).unwrap();
    let error = UnixStream::connect_addr(&name).unwrap_err();
    assert!(error.is_would_block(), "{error}");
    assert_eq!(error.syscall(), "connect");
    assert_eq!(
        error.reason(),
        Some("as many wait there to be accepted as may")
    );
    drop(accept(&listener));
    UnixStream::connect_addr(&name).unwrap();
}

#[test]
fn a_path_stays_behind_and_is_in_use() {
    let path = Fresh::new();
    let error = UnixStream::connect(&path).unwrap_err();
    assert_eq!((error.syscall(), error.errno()), ("connect", Errno::ENOENT));

    drop(UnixListener::bind(&path).unwrap());
    let error = UnixStream::connect(&path).unwrap_err();
    assert_eq!(error.errno(), Errno::ECONNREFUSED);
    for error in [
        UnixListener::bind(&path).unwrap_err(),
        UnixDatagram::bind(&path).unwrap_err(),
    ] {
        assert_eq!(
            (error.syscall(), error.errno()),
            ("bind", Errno::EADDRINUSE)
        );
        let reason = "the path exists, or another socket has that name";
        assert_eq!(error.reason(), Some(reason));
    }
    let file: &Path = path.as_ref();
    std::fs::remove_file(file).unwrap();
    UnixListener::bind(&path).unwrap();
}

#[test]
fn a_path_has_107_bytes_at_most_and_no_nul() {
    let refused = |path: &[u8]| UnixAddr::from_pathname(path).unwrap_err();
    let longest = [b'a'; 107];
    let accepted = UnixAddr::from_pathname(longest).unwrap();
    assert_eq!(accepted.as_pathname(), Some(&longest[..]));
    for (path, errno) in [
        (&[b'a'; 108][..], Errno::ENAMETOOLONG),
        (&[b'a'; 4096], Errno::ENAMETOOLONG),
        (b"", Errno::EINVAL),
        (b"a\0b", Errno::EINVAL),
        (b"\0a", Errno::EINVAL),
        (b"a\0", Errno::EINVAL),
    ] {
        let error = refused(path);
        assert_eq!(error.errno(), errno, "{}", path.escape_ascii());
        assert!(error.reason().is_some());
        let connected = UnixStream::connect(path).unwrap_err();
        assert_eq!(connected, error);
        assert_eq!(UnixListener::bind(path).unwrap_err(), error);
        let socket = UnixDatagram::unbound().unwrap();
        assert_eq!(socket.connect(path).unwrap_err(), error);
        assert_eq!(socket.send_to(b"x", path).unwrap_err(), error);
    }

    // The longest one is the kernel's too, and comes back whole.
    let directory = std::env::temp_dir();
    let mut path = directory.join(format!("epore-{}-", std::process::id()));
    let missing = 107 - path.as_os_str().len();
    path.as_mut_os_string().push("a".repeat(missing));
    let socket = UnixDatagram::bind_addr(&path.as_path().try_into().unwrap());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(addr(&socket.unwrap()).as_path(), Some(path.as_path()));
}

#[test]
fn an_abstract_name_is_any_107_bytes() {
    for name in [&b""[..], b"\0", b"a\0b\xff", &[7; 107]] {
        let addr = UnixAddr::from_abstract_name(name).unwrap();
        assert_eq!(addr.as_abstract_name(), Some(name));
        assert_eq!(addr.as_pathname(), None);
        assert!(!addr.is_unnamed());
    }
    let own = name("any bytes \0 \x07");
    let socket = UnixDatagram::bind_addr(&own).unwrap();
    assert_eq!(addr(&socket), own);
    assert_eq!(addr(&socket).as_abstract_name(), own.as_abstract_name());
    let error = UnixDatagram::bind_addr(&own).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
    let error = UnixAddr::from_abstract_name([7; 108]).unwrap_err();
    assert_eq!(error.errno(), Errno::ENAMETOOLONG);
}

#[test]
fn addresses_are_of_one_kind_and_show_it() {
    let path = UnixAddr::from_pathname("/run/a b").unwrap();
    let name = UnixAddr::from_abstract_name("/run/a b").unwrap();
    let unnamed = UnixAddr::unnamed();
    assert_eq!(path.as_pathname(), Some(&b"/run/a b"[..]));
    assert_eq!((path.as_abstract_name(), path.is_unnamed()), (None, false));
    assert_eq!(
        (unnamed.as_pathname(), unnamed.as_abstract_name()),
        (None, None)
    );
    assert!(unnamed.is_unnamed());
    assert_eq!(
        [path, name, unnamed].map(|a| a == path),
        [true, false, false]
    );
    assert_eq!(unnamed, UnixAddr::unnamed());
    assert_ne!(name, UnixAddr::from_abstract_name("/run/a c").unwrap());
    let shown = [path, name, unnamed].map(|addr| format!("{addr:?}"));
    let expected = [
        "\"/run/a b\" (path)",
        "\"/run/a b\" (abstract)",
        "(unnamed)",
    ];
    assert_eq!(shown, expected);

    for addr in [path, name, unnamed] {
        let std = std_unix::SocketAddr::try_from(addr).unwrap();
        assert_eq!(std.as_pathname(), addr.as_path());
        assert_eq!(std.is_unnamed(), addr.is_unnamed());
        assert_eq!(UnixAddr::try_from(&std).unwrap(), addr);
    }
    // An abstract name may look like one of the kernel's own.
    let socket = free();
    let std = std_unix::UnixDatagram::from(socket);
    let there = UnixAddr::try_from(&std.local_addr().unwrap()).unwrap();
    assert_eq!(there.as_abstract_name().map(<[u8]>::len), Some(5));
}

#[test]
fn a_socket_of_another_family_has_no_such_address() {
    let udp = UdpSocket::bind(tcp::V4).unwrap();
    let error = UnixDatagram::from(OwnedFd::from(udp)).local_addr();
    let error = error.unwrap_err();
    assert_eq!(error.errno(), Errno::EAFNOSUPPORT);
    assert_eq!(error.reason(), Some("not a Unix socket"));
}

#[test]
fn a_stream_and_datagrams_do_not_meet() {
    let path = Fresh::new();
    let _datagrams = UnixDatagram::bind(&path).unwrap();
    let error = UnixStream::connect(&path).unwrap_err();
    assert_eq!(error.errno(), Errno::EPROTOTYPE);
    assert_eq!(error.reason(), Some("the socket there is of another type"));
}

#[test]
fn slices_are_written_and_read_in_one_call() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let parts = [IoSlice::new(b"one, "), IoSlice::new(b"two")];
    for through_std in [false, true] {
        let written = if through_std {
            Write::write_vectored(&mut near, &parts).unwrap()
        } else {
            near.write_vectored(&parts).unwrap()
        };
        assert_eq!(written, 8);
        let (mut head, mut tail) = ([1; 5], [2; 4]);
        let mut room = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
        let read = if through_std {
            Read::read_vectored(&mut far, &mut room).unwrap()
        } else {
            far.read_vectored(&mut room).unwrap()
        };
        assert_eq!((read, &head, &tail), (8, b"one, ", b"two\x02"));
    }
    let error = Read::read_vectored(&mut far, &mut []).map(|_| ());
    assert!(error.is_ok());
    let error = far.read_vectored(&mut [IoSliceMut::new(&mut [0])]);
    assert!(error.unwrap_err().is_would_block());
}

#[test]
fn more_slices_than_a_call_takes_are_taken_in_part() {
    let (near, far) = UnixStream::pair().unwrap();
    let parts = [IoSlice::new(b"x"); 3000];
    assert_eq!(near.write_vectored(&parts).unwrap(), 1024);
    let mut bytes = [0; 3000];
    let mut room: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
    assert_eq!(far.read_vectored(&mut room).unwrap(), 1024);
    assert!(bytes[..1024].iter().all(|&byte| byte == b'x'));
}

#[test]
fn a_stream_without_room_takes_what_it_can_and_tells_when_there_is_more() {
    let (near, far) = UnixStream::pair().unwrap();
    let bytes = [7; 1 << 14];
    let mut written = 0;
    let error = loop {
        match near.write(&bytes) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert!(error.is_would_block(), "{error}");
    let refused = near.write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
    assert!(refused.is_would_block());
    assert_eq!((refused.syscall(), error.syscall()), ("sendmsg", "sendto"));
    let mut queue = watching(&near, Interest::WRITABLE.edge());
    expect_silence(&mut queue);
    let mut read = 0;
    while read < written {
        read += far.read(&mut [0; 1 << 14]).unwrap();
    }
    assert!(expect_event(&mut queue).is_writable());
    assert_eq!(read, written);
    near.write(b"x").unwrap();
}

#[test]
fn no_write_raises_sigpipe() {
    kernel::alone(|| {
        // The standard library has it ignored, which others may not.
        kernel::default_action(SIGPIPE);
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        for _ in 0..2 {
            assert_eq!(near.write(b"x").unwrap_err().errno(), Errno::EPIPE);
            let vectored = near.write_vectored(&[IoSlice::new(b"x")]);
            assert_eq!(vectored.unwrap_err().errno(), Errno::EPIPE);
        }
        let (near, _far) = UnixDatagram::pair().unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(near.send(b"x").unwrap_err().errno(), Errno::EPIPE);
    });
}

#[test]
fn shutting_down_ends_what_it_says() {
    let (near, far) = UnixStream::pair().unwrap();
    let mut queue = watching(&far, Interest::READABLE);
    near.write(b"last words").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let event = expect_event(&mut queue);
    assert!(event.is_readable() && event.is_read_closed(), "{event:?}");
    let mut buf = [0; 16];
    assert_eq!(far.read(&mut buf).unwrap(), 10);
    assert_eq!(far.read(&mut buf).unwrap(), 0);
    assert_eq!(near.write(b"x").unwrap_err().errno(), Errno::EPIPE);
    far.write(b"heard").unwrap();
    assert_eq!(near.read(&mut buf).unwrap(), 5);

    near.shutdown(Shutdown::Read).unwrap();
    assert_eq!(near.read(&mut buf).unwrap(), 0);
    assert_eq!(far.write(b"x").unwrap_err().errno(), Errno::EPIPE);
    let event = expect_event(&mut queue);
    assert!(event.is_write_closed(), "{event:?}");

    let lonely = sys::socket(sys::AF_UNIX, sys::SOCK_STREAM | sys::SOCK_CLOEXEC, 0);
    let lonely = UnixStream::from(lonely.unwrap());
    assert_eq!(lonely.peer_addr().unwrap_err().errno(), Errno::ENOTCONN);
}

#[test]
fn an_end_with_unread_bytes_resets_the_other() {
    let (near, far) = UnixStream::pair().unwrap();
    near.write(b"never read").unwrap();
    drop(far);
    let event = expect_event(&mut watching(&near, Interest::READABLE));
    assert!(
        event.is_read_closed() && event.is_write_closed(),
        "{event:?}"
    );
    let error = near.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.errno(), Errno::ECONNRESET);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn datagrams_go_to_paths_and_names_and_tell_from_where() {
    let path = Fresh::new();
    let at_path = UnixDatagram::bind(&path).unwrap();
    let named = free();
    let mut queue = queue();
    for (socket, token) in [(&at_path, 1), (&named, 2)] {
        let registry = queue.registry();
        registry
            .register(socket, Token(token), BOTH.edge())
            .unwrap();
        let nothing = socket.recv_from(&mut [0; 8]).unwrap_err();
        assert!(nothing.is_would_block());
        assert_eq!(nothing.syscall(), "recvfrom");
    }
    expect_tokens(&mut queue, &[1, 2]);
    assert_eq!(named.send_to(b"to a path", &path).unwrap(), 9);
    assert_eq!(
        at_path.send_to_addr(b"to a name", &addr(&named)).unwrap(),
        9
    );
    expect_tokens(&mut queue, &[1, 2]);
    hears(&at_path, b"to a path", &addr(&named));
    hears(&named, b"to a name", &addr(&at_path));

    let unbound = UnixDatagram::unbound().unwrap();
    assert!(addr(&unbound).is_unnamed());
    unbound.send_to(b"from nobody", &path).unwrap();
    hears(&at_path, b"from nobody", &UnixAddr::unnamed());
}

#[test]
fn connected_datagrams_need_no_address() {
    let path = Fresh::new();
    let (one, other) = (UnixDatagram::bind(&path).unwrap(), free());
    other.connect(&path).unwrap();
    one.connect_addr(&addr(&other)).unwrap();
    assert_eq!(other.peer_addr().unwrap(), addr(&one));
    assert_eq!(one.peer_addr().unwrap(), addr(&other));
    for (near, far) in [(&one, &other), (&other, &one)] {
        assert!(far.recv(&mut [0; 8]).unwrap_err().is_would_block());
        for message in [&b"first"[..], b"", b"second"] {
            assert_eq!(near.send(message).unwrap(), message.len());
        }
        let mut buf = [0; 3];
        assert_eq!(far.peek(&mut buf).unwrap(), 3);
        assert_eq!(far.recv(&mut buf).unwrap(), 3);
        assert_eq!(&buf, b"fir");
        assert_eq!(far.recv(&mut buf).unwrap(), 0);
        hears(far, b"second", &addr(near));
        assert_eq!(near.take_error().unwrap(), None);
    }
    // A third one is not let in, and is told so.
    let stranger = free();
    let error = stranger.send_to(b"x", &path).unwrap_err();
    assert_eq!(error.errno(), Errno::EPERM);
    assert_eq!(stranger.connect(&path).unwrap_err().errno(), Errno::EPERM);
}

#[test]
fn a_pair_of_datagram_sockets_is_connected() {
    let (one, other) = UnixDatagram::pair().unwrap();
    let mut queue = watching(&other, Interest::READABLE);
    assert!(other.recv(&mut [0; 8]).unwrap_err().is_would_block());
    one.send(b"word").unwrap();
    assert!(expect_event(&mut queue).is_readable());
    hears(&other, b"word", &UnixAddr::unnamed());
    expect_silence(&mut queue);
    assert!(one.peer_addr().unwrap().is_unnamed());
}

#[test]
fn a_receiver_without_room_is_told_and_nothing_is_lost() {
    let (one, other) = UnixDatagram::pair().unwrap();
    let mut sent = 0u32;
    let error = loop {
        match one.send(&sent.to_ne_bytes()) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_would_block(), "{error}");
    let mut queue = watching(&one, Interest::WRITABLE);
    expect_silence(&mut queue);
    for expected in 0..sent {
        let mut buf = [0; 8];
        assert_eq!(other.recv(&mut buf).unwrap(), 4);
        assert_eq!(buf[..4], expected.to_ne_bytes());
    }
    assert!(other.recv(&mut [0; 8]).unwrap_err().is_would_block());
    assert!(expect_event(&mut queue).is_writable());
    one.send(b"room").unwrap();
}

#[test]
fn a_sender_that_is_connected_hears_of_room() {
    for connected in [true, false] {
        let (sender, receiver) = (UnixDatagram::unbound().unwrap(), free());
        let to = addr(&receiver);
        if connected {
            sender.connect_addr(&to).unwrap();
        }
        let mut queue = watching(&sender, Interest::WRITABLE.edge());
        assert!(expect_event(&mut queue).is_writable());
        while sender.send_to_addr(b"x", &to).is_ok() {}
        // Without a peer, nobody knows whose room is meant.
        let mut level = watching(&sender, Interest::WRITABLE);
        let writable = !common::queue::look(&mut level).is_empty();
        assert_eq!(writable, !connected);
        while receiver.recv(&mut [0; 8]).is_ok() {}
        if connected {
            assert!(expect_event(&mut queue).is_writable());
        }
        sender.send_to_addr(b"x", &to).unwrap();
    }
}

#[test]
fn datagrams_to_nobody_are_refused() {
    let socket = UnixDatagram::unbound().unwrap();
    assert_eq!(socket.send(b"x").unwrap_err().errno(), Errno::ENOTCONN);
    let nowhere = Fresh::new();
    let error = socket.send_to(b"x", &nowhere).unwrap_err();
    assert_eq!((error.syscall(), error.errno()), ("sendto", Errno::ENOENT));
    let error = socket.connect(&nowhere).unwrap_err();
    assert_eq!((error.syscall(), error.errno()), ("connect", Errno::ENOENT));
    let gone = addr(&free());
    let error = socket.send_to_addr(b"x", &gone).unwrap_err();
    assert_eq!(error.errno(), Errno::ECONNREFUSED);

    let peer = free();
    socket.connect_addr(&addr(&peer)).unwrap();
    drop(peer);
    assert_eq!(socket.send(b"x").unwrap_err().errno(), Errno::ECONNREFUSED);
}

#[test]
fn shutting_down_datagrams_ends_what_it_says() {
    let (one, other) = UnixDatagram::pair().unwrap();
    let mut queue = watching(&one, BOTH);
    one.send(b"last words").unwrap();
    one.shutdown(Shutdown::Read).unwrap();
    let event = expect_event(&mut queue);
    assert!(
        event.is_read_closed() && !event.is_write_closed(),
        "{event:?}"
    );
    one.shutdown(Shutdown::Write).unwrap();
    let event = expect_event(&mut queue);
    assert!(event.is_write_closed(), "{event:?}");
    assert_eq!(one.send(b"x").unwrap_err().errno(), Errno::EPIPE);
    assert!(one.recv(&mut [0; 8]).unwrap_err().is_would_block());
    assert_eq!(one.take_error().unwrap(), None);
    assert_eq!(other.recv(&mut [0; 16]).unwrap(), 10);
}

#[test]
fn sockets_are_non_blocking_and_closed_on_exec() {
    let name = name("flags");
    let listener = UnixListener::bind_addr(&name).unwrap();
    let client = UnixStream::connect_addr(&name).unwrap();
    let server = accept(&listener);
    let (one, other) = UnixStream::pair().unwrap();
    let (left, right) = UnixDatagram::pair().unwrap();
    let (bound, unbound) = (free(), UnixDatagram::unbound().unwrap());
    let sockets: [&dyn AsFd; 9] = [
        &listener, &client, &server, &one, &other, &left, &right, &bound, &unbound,
    ];
    for socket in sockets {
        assert!(kernel::is_nonblocking(&socket), "{:?}", socket.as_fd());
        assert!(kernel::is_closed_on_exec(&socket), "{:?}", socket.as_fd());
    }
}

#[test]
fn sockets_become_stds_and_come_back() {
    let path = Fresh::new();
    let listener = UnixListener::bind(&path).unwrap();
    let number = listener.as_raw_fd();
    let listener = std_unix::UnixListener::from(listener);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    let listener = UnixListener::try_from(listener).unwrap();
    assert_eq!(listener.as_raw_fd(), number);
    assert!(kernel::is_nonblocking(&listener));

    let client = std_unix::UnixStream::connect(AsRef::<Path>::as_ref(&path)).unwrap();
    let mut client = UnixStream::try_from(client).unwrap();
    assert!(kernel::is_nonblocking(&client));
    let mut server = std_unix::UnixStream::from(accept(&listener));
    client.write_all(b"over ").unwrap();
    (&client).write_all(b"std").unwrap();
    client.flush().unwrap();
    let mut text = [0; 8];
    server.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"over std");
    let error = Read::read(&mut client, &mut text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);

    let (one, other) = UnixDatagram::pair().unwrap();
    let one = std_unix::UnixDatagram::from(one);
    one.set_nonblocking(false).unwrap();
    one.send(b"x").unwrap();
    let one = UnixDatagram::try_from(one).unwrap();
    assert!(kernel::is_nonblocking(&one));
    let other = UnixDatagram::from(OwnedFd::from(other));
    assert_eq!(other.recv(&mut [0; 8]).unwrap(), 1);
}
