//! UDP: datagrams, their senders, groups, and what goes wrong.

use crate::common;

use common::kernel;
use common::queue::{expect_event, expect_events, expect_silence, expect_tokens, queue, watching};
use common::tcp::{self, V4};
use epore::fd::{AsFd, AsRawFd, OwnedFd};
use epore::net::{BindOptions, UdpSocket};
use epore::{Errno, Interest, Token, sys};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

const READABLE: Interest = Interest::READABLE;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn bound() -> UdpSocket {
    UdpSocket::bind(V4).unwrap()
}

fn addr(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

/// Two sockets, each the peer of the other.
fn connected(any: SocketAddr) -> (UdpSocket, UdpSocket) {
    let (one, other) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
    one.connect(addr(&other)).unwrap();
    other.connect(addr(&one)).unwrap();
    (one, other)
}

/// Waits for a datagram, and asserts that it is `expected` and from `from`.
#[track_caller]
fn hears(socket: &UdpSocket, expected: &[u8], from: SocketAddr) {
    tcp::readable(socket);
    let mut buf = [0; 64];
    let (count, sender) = socket.recv_from(&mut buf).unwrap();
    assert_eq!((&buf[..count], sender), (expected, from));
}

#[test]
fn datagrams_go_to_whom_they_are_sent_and_tell_from_whom() {
    for any in tcp::addresses() {
        let (one, other) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
        let mut queue = queue();
        for (socket, token) in [(&one, 1), (&other, 2)] {
            let registry = queue.registry();
            registry
                .register(socket, Token(token), BOTH.edge())
                .unwrap();
            let mut buf = [0; 8];
            assert!(socket.recv_from(&mut buf).unwrap_err().is_would_block());
            assert!(socket.peek_from(&mut buf).unwrap_err().is_would_block());
        }
        expect_tokens(&mut queue, &[1, 2]);
        assert_eq!(one.send_to(b"to the other", addr(&other)).unwrap(), 12);
        assert_eq!(other.send_to(b"to the one", addr(&one)).unwrap(), 10);
        expect_tokens(&mut queue, &[1, 2]);
        let mut buf = [0; 64];
        let (count, from) = one.peek_from(&mut buf).unwrap();
        assert_eq!((&buf[..count], from), (&b"to the one"[..], addr(&other)));
        hears(&one, b"to the one", addr(&other));
        hears(&other, b"to the other", addr(&one));
        for socket in [&one, &other] {
            assert!(socket.recv_from(&mut buf).unwrap_err().is_would_block());
            assert_eq!(socket.take_error().unwrap(), None);
        }
    }
}

#[test]
fn connected_sockets_need_no_address() {
    for any in tcp::addresses() {
        let (one, other) = connected(any);
        assert_eq!(one.peer_addr().unwrap(), addr(&other));
        assert!(one.recv(&mut [0; 8]).unwrap_err().is_would_block());
        assert!(one.peek(&mut [0; 8]).unwrap_err().is_would_block());
        assert_eq!(other.send(b"word").unwrap(), 4);
        tcp::readable(&one);
        for receive in [UdpSocket::peek, UdpSocket::recv] {
            let mut buf = [0; 8];
            assert_eq!(receive(&one, &mut buf).unwrap(), 4);
            assert_eq!(&buf[..4], b"word");
        }
        assert!(one.recv(&mut [0; 8]).unwrap_err().is_would_block());
    }
}

#[test]
fn a_datagram_may_be_empty() {
    let (one, other) = (bound(), bound());
    assert_eq!(one.send_to(b"", addr(&other)).unwrap(), 0);
    hears(&other, b"", addr(&one));
    assert!(other.recv(&mut [0; 8]).unwrap_err().is_would_block());
}

#[test]
fn each_datagram_is_received_by_itself_and_cut_to_the_room() {
    let (one, other) = connected(V4);
    for message in [&b"first"[..], b"second", b"third"] {
        one.send(message).unwrap();
    }
    tcp::readable(&other);
    let mut buf = [0; 3];
    assert_eq!(other.recv(&mut buf).unwrap(), 3);
    assert_eq!(&buf, b"fir");
    assert_eq!(other.recv(&mut []).unwrap(), 0);
    hears(&other, b"third", addr(&one));
}

#[test]
fn an_edge_comes_with_each_datagram_and_all_are_there() {
    let (one, other) = connected(V4);
    let mut queue = watching(&other, READABLE.edge());
    for round in 0..3u8 {
        for message in 0..4 {
            one.send(&[round, message]).unwrap();
        }
        assert!(expect_event(&mut queue).is_readable());
        for message in 0..4 {
            let mut buf = [0; 8];
            assert_eq!(other.recv(&mut buf).unwrap(), 2);
            assert_eq!(buf[..2], [round, message]);
        }
        assert!(other.recv(&mut [0; 8]).unwrap_err().is_would_block());
        expect_silence(&mut queue);
    }
}

#[test]
fn only_the_peer_is_heard_once_there_is_one() {
    let (one, other, stranger) = (bound(), bound(), bound());
    one.connect(addr(&other)).unwrap();
    stranger.send_to(b"stranger", addr(&one)).unwrap();
    other.send_to(b"peer", addr(&one)).unwrap();
    hears(&one, b"peer", addr(&other));
    expect_silence(&mut watching(&one, READABLE));
}

#[test]
fn the_peer_can_be_exchanged() {
    let (hub, first, second) = (bound(), bound(), bound());
    for spoke in [&first, &second, &first] {
        spoke.connect(addr(&hub)).unwrap();
        hub.connect(addr(spoke)).unwrap();
        assert_eq!(hub.peer_addr().unwrap(), addr(spoke));
        hub.send(b"out").unwrap();
        hears(spoke, b"out", addr(&hub));
        spoke.send(b"in").unwrap();
        hears(&hub, b"in", addr(spoke));
    }
}

#[test]
fn without_a_peer_only_an_address_helps() {
    let (one, other) = (bound(), bound());
    assert_eq!(one.send(b"x").unwrap_err().errno(), Errno::EDESTADDRREQ);
    assert_eq!(one.peer_addr().unwrap_err().errno(), Errno::ENOTCONN);
    other.send_to(b"x", addr(&one)).unwrap();
    tcp::readable(&one);
    assert_eq!(one.recv(&mut [0; 8]).unwrap(), 1);
    // And a peer is no obstacle to another address.
    one.connect(addr(&bound())).unwrap();
    one.send_to(b"past it", addr(&other)).unwrap();
    hears(&other, b"past it", addr(&one));
}

#[test]
fn a_peer_that_is_not_there_is_told_afterwards_once() {
    kernel::alone(|| {
        let one = bound();
        let gone = addr(&bound());
        one.connect(gone).unwrap();
        for ask in [0, 1, 2] {
            assert_eq!(one.send(b"x").unwrap(), 1);
            let event = expect_event(&mut watching(&one, READABLE));
            assert!(event.is_error(), "{event:?}");
            let error = match ask {
                0 => one.take_error().unwrap().expect("an error"),
                1 => one.recv(&mut [0; 8]).unwrap_err(),
                _ => one.send(b"x").unwrap_err(),
            };
            assert_eq!(error.errno(), Errno::ECONNREFUSED);
            let call = ["sendto", "recvfrom", "sendto"][ask];
            assert_eq!(error.syscall(), call);
            assert_eq!(one.take_error().unwrap(), None);
        }
    });
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let (one, other) = (bound(), bound());
    let error = one.send_to(&[0; 70_000], addr(&other)).unwrap_err();
    assert_eq!(error.errno(), Errno::EMSGSIZE);
    assert_eq!(error.syscall(), "sendto");
    let port_zero = one.send_to(b"x", V4).unwrap_err();
    assert_eq!(port_zero.errno(), Errno::EINVAL);
    let other_family = one.send_to(b"x", (Ipv6Addr::LOCALHOST, 9).into());
    assert_eq!(other_family.unwrap_err().errno(), Errno::EAFNOSUPPORT);
    expect_silence(&mut watching(&other, READABLE));
}

#[test]
fn an_address_belongs_to_one_socket() {
    let one = bound();
    let error = UdpSocket::bind(addr(&one)).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
    assert_eq!(error.reason(), Some("another socket has that address"));
    let foreign = UdpSocket::bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert_eq!(foreign.errno(), Errno::EADDRNOTAVAIL);
}

#[test]
fn a_port_can_be_shared_by_those_who_all_ask() {
    if common::lacks_descriptors(400) {
        return;
    }
    let shared = BindOptions::new().reuse_port(true);
    let first = UdpSocket::bind_with(V4, &shared).unwrap();
    let second = UdpSocket::bind_with(addr(&first), &shared).unwrap();
    assert_eq!(addr(&first), addr(&second));
    let error = UdpSocket::bind(addr(&first)).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);

    // Each datagram arrives at one of them.
    let mut queue = queue();
    for (socket, token) in [(&first, 1), (&second, 2)] {
        queue
            .registry()
            .register(socket, Token(token), READABLE)
            .unwrap();
    }
    let senders: Vec<_> = (0..40).map(|_| bound()).collect();
    for sender in &senders {
        sender.send_to(b"x", addr(&first)).unwrap();
    }
    let (mut heard, mut receivers) = (BTreeSet::new(), BTreeSet::new());
    while heard.len() < senders.len() {
        for event in expect_events(&mut queue) {
            receivers.insert(event.token());
            let socket = if event.token() == Token(1) {
                &first
            } else {
                &second
            };
            let (_, sender) = socket.recv_from(&mut [0; 8]).unwrap();
            assert!(heard.insert(sender), "twice from {sender}");
        }
    }
    expect_silence(&mut queue);
    assert_eq!(receivers.len(), 2, "40 senders, and one receiver");
}

#[test]
fn ipv4_is_left_to_others_or_not() {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    for only in [true, false] {
        let options = BindOptions::new().only_v6(only);
        let socket = match UdpSocket::bind_with(any, &options) {
            Ok(socket) => socket,
            Err(error) => return common::left_out("UDP over IPv6", error),
        };
        assert_eq!(socket.only_v6().unwrap(), only);
        let port = addr(&socket).port();
        let v4 = UdpSocket::bind((Ipv4Addr::LOCALHOST, port).into());
        assert_eq!(v4.is_ok(), only, "{v4:?}");
        if !only {
            let sender = bound();
            sender
                .send_to(b"mapped", (Ipv4Addr::LOCALHOST, port).into())
                .unwrap();
            tcp::readable(&socket);
            let (_, from) = socket.recv_from(&mut [0; 8]).unwrap();
            let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
            assert_eq!(from, (mapped, addr(&sender).port()).into());
        }
    }
    // Where it means nothing it does no harm.
    UdpSocket::bind_with(V4, &BindOptions::new().only_v6(true)).unwrap();
    assert!(bound().only_v6().is_err());
}

#[test]
fn a_broadcast_has_to_be_allowed() {
    let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    let broadcast = SocketAddr::from(([127, 255, 255, 255], 9));
    assert!(!socket.broadcast().unwrap());
    assert_eq!(
        socket.send_to(b"x", broadcast).unwrap_err().errno(),
        Errno::EACCES
    );
    assert_eq!(
        socket.connect(broadcast).unwrap_err().errno(),
        Errno::EACCES
    );
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    assert_eq!(socket.send_to(b"x", broadcast).unwrap(), 1);
    socket.set_broadcast(false).unwrap();
    assert!(!socket.broadcast().unwrap());
}

#[test]
fn the_time_to_live_is_kept() {
    for any in tcp::addresses() {
        let socket = UdpSocket::bind(any).unwrap();
        assert!(socket.ttl().unwrap() > 1);
        socket.set_ttl(10).unwrap();
        assert_eq!(socket.ttl().unwrap(), 10);
        let (level, option) = match any {
            SocketAddr::V4(_) => (sys::IPPROTO_IP, sys::IP_TTL),
            SocketAddr::V6(_) => (sys::IPPROTO_IPV6, sys::IPV6_UNICAST_HOPS),
        };
        let hops = sys::getsockopt_int(socket.as_fd(), level, option);
        assert_eq!(hops.unwrap(), 10, "what a packet of this family heeds");
        for wrong in [256, u32::MAX] {
            assert_eq!(socket.set_ttl(wrong).unwrap_err().errno(), Errno::EINVAL);
        }
        assert_eq!(socket.ttl().unwrap(), 10);
    }
}

#[test]
fn multicast_is_set_up_as_asked() {
    let socket = bound();
    assert!(socket.multicast_loop_v4().unwrap());
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 1);
    socket.set_multicast_loop_v4(false).unwrap();
    assert!(!socket.multicast_loop_v4().unwrap());
    socket.set_multicast_ttl_v4(10).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 10);
    let too_far = socket.set_multicast_ttl_v4(256).unwrap_err();
    assert_eq!(too_far.errno(), Errno::EINVAL);

    let [_, v6] = tcp::addresses()[..] else {
        return;
    };
    let socket = UdpSocket::bind(v6).unwrap();
    assert!(socket.multicast_loop_v6().unwrap());
    socket.set_multicast_loop_v6(false).unwrap();
    assert!(!socket.multicast_loop_v6().unwrap());
}

#[test]
fn a_group_is_heard_by_its_members() {
    let group = Ipv4Addr::new(239, 87, 65, 2);
    let sender = bound();
    let member = UdpSocket::bind((group, 0).into()).unwrap();
    let to = SocketAddr::from((group, addr(&member).port()));
    let mut queue = watching(&member, READABLE);
    member
        .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    sender.send_to(b"to all", to).unwrap();
    hears(&member, b"to all", addr(&sender));

    let again = member.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
    assert_eq!(again.unwrap_err().errno(), Errno::EADDRINUSE);
    member
        .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    let again = member.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
    assert_eq!(again.unwrap_err().errno(), Errno::EADDRNOTAVAIL);
    expect_silence(&mut queue);
}

#[test]
fn a_group_of_ipv6_is_heard_by_its_members() {
    const LOOPBACK: u32 = 1;
    let group: Ipv6Addr = "ff02::8765:2".parse().unwrap();
    let [_, v6] = tcp::addresses()[..] else {
        return;
    };
    let sender = UdpSocket::bind(v6).unwrap();
    let member = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
    member.join_multicast_v6(&group, LOOPBACK).unwrap();
    let port = addr(&member).port();
    let to = std::net::SocketAddrV6::new(group, port, 0, LOOPBACK);
    match sender.send_to(b"to all", to.into()) {
        Ok(_) => hears(&member, b"to all", addr(&sender)),
        Err(error) => common::left_out("a group over the loopback interface", error),
    }
    let again = member.join_multicast_v6(&group, LOOPBACK);
    assert_eq!(again.unwrap_err().errno(), Errno::EADDRINUSE);
    member.leave_multicast_v6(&group, LOOPBACK).unwrap();
    let again = member.leave_multicast_v6(&group, LOOPBACK);
    assert_eq!(again.unwrap_err().errno(), Errno::EADDRNOTAVAIL);
}

#[test]
fn sockets_are_non_blocking_and_closed_on_exec() {
    for any in tcp::addresses() {
        let socket = UdpSocket::bind(any).unwrap();
        assert!(kernel::is_nonblocking(&socket));
        assert!(kernel::is_closed_on_exec(&socket));
    }
}

#[test]
fn sockets_become_stds_and_come_back() {
    let socket = bound();
    let (number, address) = (socket.as_raw_fd(), addr(&socket));
    let socket = std::net::UdpSocket::from(socket);
    assert_eq!(socket.as_raw_fd(), number);
    assert_eq!(socket.local_addr().unwrap(), address);
    socket.set_nonblocking(false).unwrap();
    let socket = UdpSocket::try_from(socket).unwrap();
    assert!(kernel::is_nonblocking(&socket));
    let socket = UdpSocket::from(OwnedFd::from(socket));
    assert_eq!(socket.as_fd().as_raw_fd(), number);
    let other = bound();
    other.send_to(b"still there", address).unwrap();
    hears(&socket, b"still there", addr(&other));
}
