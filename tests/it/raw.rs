//! The raw layer: no count that is returned, and no integer that is passed, makes a call
//! leave the memory and the descriptors that it was lent.

use crate::common;

use common::fault::{Faults, Plan, with_faults};
use common::kernel;
use common::queue::{AT_ONCE, queue, watching};
use common::tcp;
use epore::fd::{AsFd, AsRawFd, OwnedFd};
use epore::net::{UdpSocket, UnixStream};
use epore::sys::{self, IoSlice, IoSliceMut, Timespec};
use epore::{Errno, Events, Interest, Result};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What `epoll_wait` and `poll` wait with.
const WAIT: &str = if cfg!(target_arch = "x86_64") {
    "epoll_wait"
} else {
    "epoll_pwait"
};

/// A counter that can be read.
fn ready() -> OwnedFd {
    sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).expect("a descriptor")
}

/// What a supervisor may claim: more than there is, and more than there can be.
const CLAIMS: [i64; 3] = [5, 1 << 20, i64::MAX];

/// Calls with a buffer of 4 bytes, or room for 4 events, and what they return.
type Counted = (&'static str, fn(&Faults) -> Result<usize>);

const COUNTED: &[Counted] = &[
    ("read", |faults| {
        let counter = ready();
        faults.during(|| sys::read(counter.as_fd(), &mut [0; 4]))
    }),
    ("read", |faults| {
        let (counter, mut buf) = (ready(), [MaybeUninit::uninit(); 4]);
        let read = faults.during(|| sys::read_uninit(counter.as_fd(), &mut buf));
        read.map(|bytes| bytes.len())
    }),
    ("write", |faults| {
        let counter = ready();
        faults.during(|| sys::write(counter.as_fd(), &[0; 4]))
    }),
    ("readv", |faults| {
        let (near, _far) = UnixStream::pair()?;
        let (mut one, mut other) = ([0; 1], [0; 3]);
        let mut bufs = [&mut one[..], &mut other].map(IoSliceMut::new);
        faults.during(|| sys::readv(near.as_fd(), &mut bufs))
    }),
    ("sendmsg", |faults| {
        let (near, _far) = UnixStream::pair()?;
        let bufs = [&[0; 3][..], &[], &[0; 1]].map(IoSlice::new);
        faults.during(|| sys::sendmsg(near.as_fd(), &bufs, 0))
    }),
    ("sendto", |faults| {
        let (near, _far) = UnixStream::pair()?;
        faults.during(|| sys::sendto(near.as_fd(), &[0; 4], 0, None))
    }),
    ("recvfrom", |faults| {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
        let received = faults.during(|| sys::recvfrom(socket.as_fd(), &mut [0; 4], 0));
        received.map(|(count, _)| count)
    }),
    ("epoll_pwait", |faults| {
        let (queue, mut room) = (queue(), [MaybeUninit::uninit(); 4]);
        let events = faults.during(|| sys::epoll_pwait(queue.as_fd(), &mut room, 0, None));
        events.map(|events| events.len())
    }),
    ("epoll_pwait2", |faults| {
        let (queue, mut room) = (queue(), [MaybeUninit::uninit(); 4]);
        let now = Timespec::default();
        let wait =
            || sys::epoll_pwait2(queue.as_fd(), &mut room, Some(&now), None).map(|it| it.len());
        faults.during(wait)
    }),
    (WAIT, |faults| {
        let (queue, mut room) = (queue(), [MaybeUninit::uninit(); 4]);
        let events = faults.during(|| sys::epoll_wait(queue.as_fd(), &mut room, 0));
        events.map(|events| events.len())
    }),
    (WAIT, |faults| {
        let source = ready();
        let mut queue = watching(&source, Interest::READABLE);
        let mut events = Events::<4>::new();
        faults.during(|| queue.poll(&mut events, AT_ONCE))?;
        Ok(events.len())
    }),
];

#[test]
fn a_count_that_exceeds_the_buffer_is_clamped_to_it() {
    kernel::alone(|| {
        let outcome = with_faults(|faults| {
            for &(name, call) in COUNTED {
                for claimed in CLAIMS {
                    faults.plan(Plan {
                        returned: Some((name, claimed)),
                        ..Plan::default()
                    });
                    assert_eq!(call(faults), Ok(4), "{name} that returns {claimed}");
                    let calls = faults.calls();
                    assert!(calls.iter().any(|call| call.name == name), "{calls:?}");
                }
            }
        });
        if let Err(why) = outcome {
            common::left_out("counts that exceed a buffer", why);
        }
    });
}

/// The call was not made, and the error says why.
#[track_caller]
fn is_refused<T: std::fmt::Debug>(outcome: Result<T>, call: &str, errno: Errno, reason: &str) {
    let error = outcome.expect_err(reason);
    assert_eq!((error.syscall(), error.errno()), (call, errno), "{error}");
    assert_eq!(error.reason(), Some(reason));
}

const NOT_A_FLAG: &str = "not a flag of send(2)";

#[test]
fn sending_memory_that_would_be_read_later_is_refused() {
    const SO_ZEROCOPY: i32 = 60;
    const MSG_ZEROCOPY: i32 = 0x400_0000;
    const REASON: &str =
        "with MSG_ZEROCOPY the kernel would read the memory after the call has returned";

    let (near, far) = tcp::pair();
    if let Err(error) = sys::setsockopt_int(near.as_fd(), sys::SOL_SOCKET, SO_ZEROCOPY, 1) {
        common::left_out("a socket that would send without a copy", error);
    }
    let bytes = [b'x'; 1 << 16];
    let parts = [IoSlice::new(&bytes), IoSlice::new(b"tail")];
    for flags in [0, sys::MSG_NOSIGNAL, !0].map(|others| others | MSG_ZEROCOPY) {
        let sent = sys::sendto(near.as_fd(), &bytes, flags, None);
        is_refused(sent, "sendto", Errno::EINVAL, REASON);
        let sent = sys::sendmsg(near.as_fd(), &parts, flags);
        is_refused(sent, "sendmsg", Errno::EINVAL, REASON);
    }
    near.write(b"copied").unwrap();
    tcp::readable(&far);
    let mut received = [0; 16];
    assert_eq!(far.read(&mut received).unwrap(), 6);
}

#[test]
fn the_flags_of_the_man_page_reach_the_kernel_and_no_others() {
    // MSG_OOB, _DONTROUTE, _DONTWAIT, _EOR, _CONFIRM, _NOSIGNAL, _MORE, _BATCH, _FASTOPEN.
    let known = [0, 2, 6, 7, 11, 14, 15, 18, 29];
    let (zero_copy, sender) = (26, UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap());
    for bit in (0..32).filter(|bit| *bit != zero_copy) {
        let flag = 1i32.wrapping_shl(bit);
        let sent = sys::sendto(sender.as_fd(), b"x", flag, None);
        let gathered = sys::sendmsg(sender.as_fd(), &[IoSlice::new(b"x")], flag);
        for (call, outcome) in [("sendto", sent), ("sendmsg", gathered)] {
            if known.contains(&bit) {
                // It is not connected.
                let error = outcome.unwrap_err();
                assert_eq!(error.reason(), None, "{call} with {flag:#x}: {error}");
            } else {
                is_refused(outcome, call, Errno::EINVAL, NOT_A_FLAG);
            }
        }
    }
}

const NOT_AN_INTEGER: &str = "not an option that this function is known to be safe for";

/// Options whose value is no number, though some of them are an `int`: by their level.
const NO_NUMBERS: &[(i32, &[i32])] = &[
    (
        sys::SOL_SOCKET,
        &[
            13,
            14,
            17,
            20,
            21,
            22,
            24,
            25, // SO_LINGER … SO_BINDTODEVICE
            26,
            27, // SO_ATTACH_FILTER and SO_GET_FILTER, SO_DETACH_FILTER
            28,
            31,
            48, // SO_PEERNAME, SO_PEERSEC, SO_BPF_EXTENSIONS
            50,
            51,
            52, // SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF and _EBPF
            55,
            57,
            59,
            61,
            71, // SO_MEMINFO … SO_NETNS_COOKIE
            76,
            77, // SO_PASSPIDFD, SO_PEERPIDFD
            78,
            79,
            80,
            84,
            127,
            128,
            9_999,
            -1,
            i32::MIN,
            i32::MAX,
        ],
    ),
    // IP_OPTIONS, IP_PKTOPTIONS, IP_XFRM_POLICY, memberships, IPT_SO_SET_REPLACE …
    (
        sys::IPPROTO_IP,
        &[0, 4, 9, 16, 17, 35, 36, 39, 41, 42, 64, 65, 80, -1, 130],
    ),
    // IPV6_ADDRFORM, memberships, policies, IP6T_SO_SET_REPLACE …
    (
        sys::IPPROTO_IPV6,
        &[1, 2, 6, 20, 21, 27, 28, 34, 35, 50, 64, 65, 80, -1, 154],
    ),
    // TCP_INFO, _CONGESTION, _MD5SIG, _REPAIR…, _ULP, _ZEROCOPY_RECEIVE …
    (
        sys::IPPROTO_TCP,
        &[
            0, 11, 13, 14, 19, 20, 22, 26, 28, 29, 31, 32, 33, 35, 38, -1,
        ],
    ),
    // UDP_ENCAP.
    (17, &[0, 2, 100, 128, -1]),
    // SOL_RAW, SOL_PACKET, SOL_RDS, SOL_ALG, SOL_VSOCK, SOL_XDP.
    (255, &[1]),
    (263, &[1, 5, 18]),
    (276, &[2, 7]),
    (279, &[1]),
    (283, &[2, 4]),
    (-1, &[1]),
];

#[test]
fn an_option_that_may_hold_a_descriptor_or_a_pointer_is_refused() {
    let (tcp, udp) = (
        tcp::pair().0,
        UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap(),
    );
    let (unix, _far) = UnixStream::pair().unwrap();
    for socket in [tcp.as_fd(), udp.as_fd(), unix.as_fd()] {
        for (level, options) in NO_NUMBERS {
            for option in *options {
                let got = sys::getsockopt_int(socket, *level, *option);
                is_refused(got, "getsockopt", Errno::ENOPROTOOPT, NOT_AN_INTEGER);
                let set = sys::setsockopt_int(socket, *level, *option, -1);
                is_refused(set, "setsockopt", Errno::ENOPROTOOPT, NOT_AN_INTEGER);
            }
        }
    }
}

#[test]
fn an_option_that_is_a_number_is_set_and_returned() {
    const IPPROTO_UDP: i32 = 17;
    let any = ([127, 0, 0, 1], 0).into();
    let (tcp, udp) = (tcp::pair().0, UdpSocket::bind(any).unwrap());
    let (tcp, udp) = (tcp.as_fd(), udp.as_fd());
    for (socket, level, option, value) in [
        (tcp, sys::SOL_SOCKET, 10, 1),      // SO_OOBINLINE
        (tcp, sys::SOL_SOCKET, 12, 3),      // SO_PRIORITY
        (tcp, sys::SOL_SOCKET, 18, 77),     // SO_RCVLOWAT
        (tcp, sys::IPPROTO_IP, 1, 0x10),    // IP_TOS
        (tcp, sys::IPPROTO_TCP, 18, 4_321), // TCP_USER_TIMEOUT
        (udp, sys::IPPROTO_IP, 10, 2),      // IP_MTU_DISCOVER
        (udp, IPPROTO_UDP, 1, 1),           // UDP_CORK
    ] {
        sys::setsockopt_int(socket, level, option, value)
            .unwrap_or_else(|error| panic!("{level}, {option}: {error}"));
        let got = sys::getsockopt_int(socket, level, option);
        assert_eq!(got.unwrap(), value, "{level}, {option}");
    }
    for (socket, option, value) in [
        (tcp, 3, sys::SOCK_STREAM),
        (udp, 3, sys::SOCK_DGRAM),
        (tcp, 39, i32::from(sys::AF_INET)),
        (tcp, 38, sys::IPPROTO_TCP),
    ] {
        let got = sys::getsockopt_int(socket, sys::SOL_SOCKET, option);
        assert_eq!(got.unwrap(), value, "{option}");
    }
}

#[test]
fn the_structure_of_a_membership_is_passed_to_its_two_options_alone() {
    const REASON: &str = "not an option of a membership in a group";
    let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let socket = socket.as_fd();
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    for option in (-1..256).chain([i32::MIN, i32::MAX]) {
        if ![sys::IP_ADD_MEMBERSHIP, sys::IP_DROP_MEMBERSHIP].contains(&option) {
            let set = sys::setsockopt_ip_mreq(socket, option, v4, v4);
            is_refused(set, "setsockopt", Errno::ENOPROTOOPT, REASON);
        }
        if ![sys::IPV6_ADD_MEMBERSHIP, sys::IPV6_DROP_MEMBERSHIP].contains(&option) {
            let set = sys::setsockopt_ipv6_mreq(socket, option, v6, 0);
            is_refused(set, "setsockopt", Errno::ENOPROTOOPT, REASON);
        }
    }
}

#[test]
fn a_clock_that_is_the_number_of_a_descriptor_is_refused() {
    const REASON: &str = "the clock of a device, by the number of a descriptor";
    let counter = ready();
    for number in [0, 1, 2, counter.as_raw_fd(), i32::MAX >> 3] {
        let clock = !number << 3 | 3;
        let time = sys::clock_gettime(clock);
        is_refused(time, "clock_gettime", Errno::EINVAL, REASON);
    }
    // The time that this process has run: its id is negative, and no descriptor.
    let this = !0 << 3 | 2;
    for clock in [this, sys::CLOCK_MONOTONIC, 2, 3, 11] {
        sys::clock_gettime(clock).unwrap_or_else(|error| panic!("{clock}: {error}"));
    }
}
