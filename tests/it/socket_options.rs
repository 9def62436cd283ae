//! Socket options, by what the network does with them and by what the kernel returns to
//! a call of our own.

use crate::common;

use common::queue::{expect_event, watching};
use common::tcp;
use epore::fd::{AsFd, AsRawFd};
use epore::net::{BindOptions, TcpListener, TcpStream, UdpSocket};
use epore::{Errno, Interest, Result, sys};
use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use syscalls::{Sysno, syscall};

const IP_RECVTTL: i32 = 12;
const IPV6_RECVHOPLIMIT: i32 = 51;
const IPV6_FLOWINFO_SEND: i32 = 33;
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const DUAL_STACK: BindOptions = BindOptions::new().only_v6(false);

/// An option as the kernel returns it to a call of our own.
fn raw_option(socket: &impl AsFd, level: i32, option: i32) -> i32 {
    let (mut value, mut len) = (0i32, 4u32);
    let (number, value_at) = (socket.as_fd().as_raw_fd(), &raw mut value);
    // SAFETY: the kernel reads and writes `len`, and writes at most four bytes to `value`.
    let done = unsafe {
        syscall!(
            Sysno::getsockopt,
            number,
            level,
            option,
            value_at,
            &raw mut len
        )
    };
    done.unwrap_or_else(|errno| panic!("option {option} of level {level}: {errno}"));
    assert_eq!(len, 4, "option {option} of level {level}");
    value
}

/// Waits for a datagram, and returns the time to live or hop limit that it arrived with:
/// the one `int` of control data, which `recvmsg` was asked to add.
fn received_hops(socket: &UdpSocket) -> i32 {
    #[repr(C)]
    struct Msghdr {
        name: usize,
        namelen: usize,
        iov: *const [usize; 2],
        iovlen: usize,
        control: *mut u64,
        controllen: usize,
        flags: u64,
    }
    tcp::readable(socket);
    let (mut bytes, mut control) = ([0u8; 64], [0u64; 16]);
    let iov = [bytes.as_mut_ptr().expose_provenance(), bytes.len()];
    let mut msg = Msghdr {
        name: 0,
        namelen: 0,
        iov: &raw const iov,
        iovlen: 1,
        control: control.as_mut_ptr(),
        controllen: size_of_val(&control),
        flags: 0,
    };
    // SAFETY: the kernel writes to `bytes`, `control` and `msg`, no more than they hold.
    let done = unsafe { syscall!(Sysno::recvmsg, socket.as_raw_fd(), &raw mut msg, 0) };
    done.expect("a datagram");
    assert!(msg.controllen >= 20, "no control data: {}", msg.controllen);
    // A header of two words, then the value, in the lower half of the third on both
    // architectures.
    control[2] as i32
}

/// An IPv6 address that IPv4 can be reached at; `None` where IPv6 is switched off.
fn dual_stack() -> Option<UdpSocket> {
    match UdpSocket::bind_with((Ipv6Addr::UNSPECIFIED, 0).into(), &DUAL_STACK) {
        Ok(socket) => Some(socket),
        Err(error) => {
            common::left_out("dual-stack sockets", error);
            None
        }
    }
}

fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(addr) => (addr.ip().to_ipv6_mapped(), addr.port()).into(),
        SocketAddr::V6(_) => addr,
    }
}

#[test]
fn a_dual_stack_socket_sends_to_both_families_with_the_hops_that_were_set() {
    let Some(socket) = dual_stack() else {
        return;
    };
    let v4 = UdpSocket::bind(tcp::V4).unwrap();
    sys::setsockopt_int(v4.as_fd(), sys::IPPROTO_IP, IP_RECVTTL, 1).unwrap();
    let v6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0).into()).unwrap();
    sys::setsockopt_int(v6.as_fd(), sys::IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1).unwrap();
    for hops in [7, 200] {
        socket.set_ttl(hops).unwrap();
        assert_eq!(socket.ttl().unwrap(), hops);
        for peer in [&v4, &v6] {
            let addr = mapped(peer.local_addr().unwrap());
            socket.send_to(b"x", addr).unwrap();
            assert_eq!(received_hops(peer), hops as i32, "to {addr}");
        }
    }
    // IPv6 has a zero, IPv4 has none: nothing is changed by half.
    for wrong in [0, 256, u32::MAX] {
        let error = socket.set_ttl(wrong).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{wrong}");
    }
    assert_eq!(raw_option(&socket, sys::IPPROTO_IP, sys::IP_TTL), 200);
    let hop_limit = raw_option(&socket, sys::IPPROTO_IPV6, sys::IPV6_UNICAST_HOPS);
    assert_eq!(hop_limit, 200);

    // Connected to IPv4, it sends over IPv4, whatever option its family has.
    socket.connect(mapped(v4.local_addr().unwrap())).unwrap();
    sys::setsockopt_int(socket.as_fd(), sys::IPPROTO_IP, sys::IP_TTL, 9).unwrap();
    assert_eq!(socket.ttl().unwrap(), 9);
    socket.send(b"x").unwrap();
    assert_eq!(received_hops(&v4), 9);
}

#[test]
fn a_socket_of_one_family_has_the_hops_of_that_family() {
    let v4 = UdpSocket::bind(tcp::V4).unwrap();
    v4.set_ttl(7).unwrap();
    assert_eq!(raw_option(&v4, sys::IPPROTO_IP, sys::IP_TTL), 7);
    assert_eq!(v4.set_ttl(0).unwrap_err().errno(), Errno::EINVAL);

    let any = (Ipv6Addr::UNSPECIFIED, 0).into();
    let only = BindOptions::new().only_v6(true);
    let v6 = match UdpSocket::bind_with(any, &only) {
        Ok(socket) => socket,
        Err(error) => return common::left_out("sockets of IPv6 alone", error),
    };
    for hops in [7, 0] {
        v6.set_ttl(hops).unwrap();
        assert_eq!(v6.ttl().unwrap(), hops);
        let hop_limit = raw_option(&v6, sys::IPPROTO_IPV6, sys::IPV6_UNICAST_HOPS);
        assert_eq!(hop_limit, hops as i32);
    }
}

#[test]
fn both_ends_of_a_mapped_tcp_connection_have_the_time_to_live_that_was_set() {
    let any = (Ipv6Addr::UNSPECIFIED, 0).into();
    let listener = match TcpListener::bind_with(any, &DUAL_STACK) {
        Ok(listener) => listener,
        Err(error) => return common::left_out("dual-stack listeners", error),
    };
    let port = listener.local_addr().unwrap().port();
    let inherited = 11;
    listener.set_ttl(inherited).unwrap();
    for peer in [
        SocketAddr::from((LOCALHOST, port)),
        mapped((LOCALHOST, port).into()),
        (Ipv6Addr::LOCALHOST, port).into(),
    ] {
        let client = TcpStream::connect(peer).unwrap();
        expect_event(&mut watching(&client, Interest::WRITABLE));
        let server = tcp::accept(&listener);
        let over_v4 = mapped(peer) != peer || peer.ip().to_canonical().is_ipv4();
        let (level, option) = if over_v4 {
            (sys::IPPROTO_IP, sys::IP_TTL)
        } else {
            (sys::IPPROTO_IPV6, sys::IPV6_UNICAST_HOPS)
        };
        assert_eq!(raw_option(&server, level, option), inherited as i32);
        assert_eq!(server.ttl().unwrap(), inherited, "{peer}");
        for stream in [&client, &server] {
            stream.set_ttl(7).unwrap();
            assert_eq!(stream.ttl().unwrap(), 7, "{peer}");
            assert_eq!(raw_option(stream, level, option), 7, "{peer}");
        }
    }
}

#[test]
fn several_sockets_at_one_address_hear_a_group() {
    let group = Ipv4Addr::new(239, 87, 65, 4);
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let shared = BindOptions::new().reuse_address(true);
    let first = UdpSocket::bind_with(any(0), &shared).unwrap();
    let addr = any(first.local_addr().unwrap().port());
    let second = UdpSocket::bind_with(addr, &shared).unwrap();
    let alone = UdpSocket::bind(addr).unwrap_err();
    assert_eq!(alone.errno(), Errno::EADDRINUSE, "who does not ask for it");

    for socket in [&first, &second] {
        socket.join_multicast_v4(&group, &LOCALHOST).unwrap();
    }
    let sender = UdpSocket::bind(tcp::V4).unwrap();
    sender.set_multicast_if_v4(&LOCALHOST).unwrap();
    sender
        .send_to(b"who is there?", (group, addr.port()).into())
        .unwrap();
    for socket in [first, second] {
        tcp::readable(&socket);
        let mut buf = [0; 32];
        let (count, from) = socket.recv_from(&mut buf).unwrap();
        assert_eq!(&buf[..count], b"who is there?");
        assert_eq!(from, sender.local_addr().unwrap());
    }
}

/// The index of the loopback interface.
fn loopback() -> u32 {
    let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap_or("1".into());
    index.trim().parse().expect("an index")
}

/// Whether an option, of which this is the value at first, can be read. An emulator may not know
/// how, and may not know how to set it either.
fn starts_as<T: PartialEq + Debug>(option: &str, read: Result<T>, expected: T) -> bool {
    match read {
        Err(error) if common::is_emulated() && error.errno() == Errno::ENOPROTOOPT => {
            common::left_out(&format!("reading {option}"), error);
            false
        }
        read => {
            assert_eq!(read.unwrap(), expected, "{option}");
            true
        }
    }
}

#[test]
fn multicast_options_reach_the_kernel() {
    let socket = UdpSocket::bind(tcp::V4).unwrap();
    let raw = |option| raw_option(&socket, sys::IPPROTO_IP, option);
    let can_read_back = starts_as(
        "IP_MULTICAST_IF",
        socket.multicast_if_v4(),
        Ipv4Addr::UNSPECIFIED,
    );
    for interface in [LOCALHOST, Ipv4Addr::UNSPECIFIED] {
        socket.set_multicast_if_v4(&interface).unwrap();
        if can_read_back {
            let octets = raw(sys::IP_MULTICAST_IF).to_ne_bytes();
            assert_eq!(octets, interface.octets());
            assert_eq!(socket.multicast_if_v4().unwrap(), interface);
        }
    }
    let nowhere = Ipv4Addr::new(192, 0, 2, 1);
    let error = socket.set_multicast_if_v4(&nowhere).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRNOTAVAIL);
    socket.set_multicast_ttl_v4(3).unwrap();
    assert_eq!(raw(sys::IP_MULTICAST_TTL), 3);
    socket.set_ttl(9).unwrap();
    assert_eq!(raw(sys::IP_MULTICAST_TTL), 3, "unicast is another option");
    socket.set_multicast_loop_v4(false).unwrap();
    assert_eq!(raw(sys::IP_MULTICAST_LOOP), 0);

    for error in [
        socket.set_multicast_hops_v6(1).unwrap_err(),
        socket.set_multicast_if_v6(1).unwrap_err(),
    ] {
        assert_eq!(error.errno(), Errno::ENOPROTOOPT);
    }
    let Some(socket) = dual_stack() else {
        return;
    };
    let raw = |option| raw_option(&socket, sys::IPPROTO_IPV6, option);
    assert_eq!(socket.multicast_hops_v6().unwrap(), 1);
    for hops in [0, 3, 255] {
        socket.set_multicast_hops_v6(hops).unwrap();
        assert_eq!(raw(sys::IPV6_MULTICAST_HOPS), hops as i32);
        assert_eq!(socket.multicast_hops_v6().unwrap(), hops);
    }
    for wrong in [256, u32::MAX] {
        let error = socket.set_multicast_hops_v6(wrong).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{wrong}");
    }
    if starts_as("IPV6_MULTICAST_IF", socket.multicast_if_v6(), 0) {
        for index in [loopback(), 0] {
            socket.set_multicast_if_v6(index).unwrap();
            assert_eq!(raw(sys::IPV6_MULTICAST_IF), index as i32);
            assert_eq!(socket.multicast_if_v6().unwrap(), index);
        }
        for wrong in [0x7fff_fff0, u32::MAX] {
            let error = socket.set_multicast_if_v6(wrong).unwrap_err();
            assert_eq!(error.errno(), Errno::ENODEV, "{wrong}");
        }
    }
    // Over IPv4, too, a dual-stack socket has multicast options.
    socket.set_multicast_ttl_v4(5).unwrap();
    let ttl = raw_option(&socket, sys::IPPROTO_IP, sys::IP_MULTICAST_TTL);
    assert_eq!((ttl, socket.multicast_hops_v6().unwrap()), (5, 255));
}

#[test]
fn flow_information_is_in_network_byte_order_and_that_of_std_is_not() {
    let peer = match UdpSocket::bind((Ipv6Addr::LOCALHOST, 0).into()) {
        Ok(socket) => socket,
        Err(error) => return common::left_out("flow information", error),
    };
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0).into()).unwrap();
    let level = sys::IPPROTO_IPV6;
    if let Err(error) = sys::setsockopt_int(socket.as_fd(), level, IPV6_FLOWINFO_SEND, 1) {
        return common::left_out("flow information", error);
    }
    // A traffic class; a flow label would have to be leased first.
    let flowinfo = 0x0ab0_0000;
    let port = peer.local_addr().unwrap().port();
    let addr = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, flowinfo, 0);
    socket.connect(addr.into()).unwrap();
    let raw = sys::getpeername(socket.as_fd()).unwrap();
    assert_eq!(raw.as_bytes()[4..8], [0x0a, 0xb0, 0, 0]);
    assert_eq!(socket.peer_addr().unwrap(), SocketAddr::V6(addr));
    let SocketAddr::V6(seen) = std::net::UdpSocket::from(socket).peer_addr().unwrap() else {
        panic!("not IPv6");
    };
    assert_eq!(seen.flowinfo(), flowinfo.to_be(), "std takes it as it is");
}
