//! Socket options.

use core::mem;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;

use static_assertions::const_assert_eq;
use syscalls::Sysno;

use super::fd::{AsRawFd, BorrowedFd};
use super::{Result, number};
use crate::{Errno, Error};

/// Level of the options of all sockets.
pub const SOL_SOCKET: i32 = 1;
/// Bind to an address although connections of its former owner still linger.
pub const SO_REUSEADDR: i32 = 2;
/// The pending error; reading it clears it.
pub const SO_ERROR: i32 = 4;
/// Let datagrams go to a broadcast address.
pub const SO_BROADCAST: i32 = 6;
/// Ask a silent peer whether it is still there.
pub const SO_KEEPALIVE: i32 = 9;
/// Bind several sockets to one address, and share what comes among them (Linux 3.9).
pub const SO_REUSEPORT: i32 = 15;

/// Level of the options of IPv4.
pub const IPPROTO_IP: i32 = 0;
/// The time to live of unicast packets, in hops.
pub const IP_TTL: i32 = 2;
/// The interface that multicast packets leave by, as four bytes of its address.
pub const IP_MULTICAST_IF: i32 = 32;
/// The time to live of multicast packets, in hops.
pub const IP_MULTICAST_TTL: i32 = 33;
/// Whether multicast packets are looped back to this machine.
pub const IP_MULTICAST_LOOP: i32 = 34;
/// For [`setsockopt_ip_mreq`]: join a group.
pub const IP_ADD_MEMBERSHIP: i32 = 35;
/// For [`setsockopt_ip_mreq`]: leave it.
pub const IP_DROP_MEMBERSHIP: i32 = 36;

/// Level of the options of IPv6.
pub const IPPROTO_IPV6: i32 = 41;
/// The hop limit of unicast packets.
pub const IPV6_UNICAST_HOPS: i32 = 16;
/// The interface that multicast packets leave by, as its index.
pub const IPV6_MULTICAST_IF: i32 = 17;
/// The hop limit of multicast packets.
pub const IPV6_MULTICAST_HOPS: i32 = 18;
/// Whether multicast packets are looped back to this machine.
pub const IPV6_MULTICAST_LOOP: i32 = 19;
/// For [`setsockopt_ipv6_mreq`]: join a group.
pub const IPV6_ADD_MEMBERSHIP: i32 = 20;
/// For [`setsockopt_ipv6_mreq`]: leave it.
pub const IPV6_DROP_MEMBERSHIP: i32 = 21;
/// Leave IPv4 to other sockets.
pub const IPV6_V6ONLY: i32 = 26;

/// Level of the options of TCP.
pub const IPPROTO_TCP: i32 = 6;
/// Send small segments at once, without waiting for more to join them.
pub const TCP_NODELAY: i32 = 1;
/// After how many silent seconds the first question of [`SO_KEEPALIVE`] is sent.
pub const TCP_KEEPIDLE: i32 = 4;
/// How many seconds later the next one follows.
pub const TCP_KEEPINTVL: i32 = 5;
/// How many questions without an answer end the connection.
pub const TCP_KEEPCNT: i32 = 6;

const SO_LINGER: i32 = 13;

/// The kernel's `struct linger`: what closing does with data that is not sent yet.
#[doc(alias = "linger")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Linger {
    /// Not zero: closing waits until the data is sent, or its time is over.
    pub l_onoff: i32,
    /// For how many seconds; zero drops the data and resets the connection.
    pub l_linger: i32,
}

const_assert_eq!(mem::size_of::<Linger>(), 8);
const_assert_eq!(mem::offset_of!(Linger, l_linger), 4);

/// The kernel's `struct ip_mreq`.
#[repr(C)]
struct IpMreq {
    imr_multiaddr: [u8; 4],
    imr_interface: [u8; 4],
}

const_assert_eq!(mem::size_of::<IpMreq>(), 8);

/// The kernel's `struct ipv6_mreq`.
#[repr(C)]
struct Ipv6Mreq {
    ipv6mr_multiaddr: [u8; 16],
    ipv6mr_ifindex: u32,
}

const_assert_eq!(mem::size_of::<Ipv6Mreq>(), 20);

/// An option whose value is as many bytes as `T` has, any of which make a `T`; an
/// option that is shorter leaves the rest of `value` as it is.
fn get<T: Copy>(fd: BorrowedFd<'_>, level: i32, optname: i32, mut value: T) -> Result<T> {
    let mut len = mem::size_of::<T>() as u32;
    let (optval, optlen) = (ptr::from_mut(&mut value), ptr::from_mut(&mut len));
    // SAFETY: the kernel reads `len`, writes at most that many bytes into `value`, and
    // writes `len`, all before it returns; any bytes are a valid `T`, which is an
    // integer or two for each caller.
    unsafe { call!(getsockopt, fd.as_raw_fd(), level, optname, optval, optlen) }?;
    Ok(value)
}

/// Sets an option to the bytes of `value`, which hold no pointer and no padding.
fn set<T>(fd: BorrowedFd<'_>, level: i32, optname: i32, value: &T) -> Result<()> {
    let (optval, optlen) = (ptr::from_ref(value), mem::size_of::<T>());
    // SAFETY: the kernel reads the bytes of `value` before it returns, and none of them
    // is a pointer for it to follow.
    unsafe { call!(setsockopt, fd.as_raw_fd(), level, optname, optval, optlen) }?;
    Ok(())
}

/// The options of each level that [`getsockopt_int`] and [`setsockopt_int`] pass on: those
/// whose value is an `int` and means a number, and not a descriptor or an address. Among those
/// that are not here:
///
/// - `SO_ATTACH_BPF`, `SO_ATTACH_REUSEPORT_EBPF`: the `int` is a descriptor.
/// - `SO_PEERPIDFD`: the kernel opens a descriptor, which nobody would own.
/// - `SO_PASSPIDFD`: later messages open descriptors.
/// - `SO_GET_FILTER`: the kernel writes eight bytes for each byte of the length.
/// - `TCP_ZEROCOPY_RECEIVE`: the value holds an address.
const INTEGERS: [(i32, u128); 5] = [
    (SOL_SOCKET, set_of(SOCKET_INTEGERS)),
    (IPPROTO_IP, set_of(IP_INTEGERS)),
    (IPPROTO_IPV6, set_of(IPV6_INTEGERS)),
    (IPPROTO_TCP, set_of(TCP_INTEGERS)),
    (IPPROTO_UDP, set_of(UDP_INTEGERS)),
];

const IPPROTO_UDP: i32 = 17;

#[rustfmt::skip]
const SOCKET_INTEGERS: &[i32] = &[
    1,  // SO_DEBUG
    SO_REUSEADDR,
    3,  // SO_TYPE
    SO_ERROR,
    5,  // SO_DONTROUTE
    SO_BROADCAST,
    7,  // SO_SNDBUF
    8,  // SO_RCVBUF
    SO_KEEPALIVE,
    10, // SO_OOBINLINE
    11, // SO_NO_CHECK
    12, // SO_PRIORITY
    SO_REUSEPORT,
    16, // SO_PASSCRED
    18, // SO_RCVLOWAT
    19, // SO_SNDLOWAT
    29, // SO_TIMESTAMP
    30, // SO_ACCEPTCONN
    32, // SO_SNDBUFFORCE
    33, // SO_RCVBUFFORCE
    34, // SO_PASSSEC
    35, // SO_TIMESTAMPNS
    36, // SO_MARK
    37, // SO_TIMESTAMPING
    38, // SO_PROTOCOL
    39, // SO_DOMAIN
    40, // SO_RXQ_OVFL
    41, // SO_WIFI_STATUS
    42, // SO_PEEK_OFF
    43, // SO_NOFCS
    44, // SO_LOCK_FILTER
    45, // SO_SELECT_ERR_QUEUE
    46, // SO_BUSY_POLL
    47, // SO_MAX_PACING_RATE
    49, // SO_INCOMING_CPU
    53, // SO_CNX_ADVICE
    56, // SO_INCOMING_NAPI_ID
    60, // SO_ZEROCOPY: of no effect without MSG_ZEROCOPY
    62, // SO_BINDTOIFINDEX
    63, // SO_TIMESTAMP_NEW
    64, // SO_TIMESTAMPNS_NEW
    65, // SO_TIMESTAMPING_NEW
    69, // SO_PREFER_BUSY_POLL
    70, // SO_BUSY_POLL_BUDGET
    72, // SO_BUF_LOCK
    73, // SO_RESERVE_MEM
    74, // SO_TXREHASH
    75, // SO_RCVMARK
    82, // SO_RCVPRIORITY
    83, // SO_PASSRIGHTS
];

#[rustfmt::skip]
const IP_INTEGERS: &[i32] = &[
    1,  // IP_TOS
    IP_TTL,
    3,  // IP_HDRINCL
    5,  // IP_ROUTER_ALERT
    6,  // IP_RECVOPTS
    7,  // IP_RETOPTS
    8,  // IP_PKTINFO
    10, // IP_MTU_DISCOVER
    11, // IP_RECVERR
    12, // IP_RECVTTL
    13, // IP_RECVTOS
    14, // IP_MTU
    15, // IP_FREEBIND
    18, // IP_PASSSEC
    19, // IP_TRANSPARENT
    20, // IP_RECVORIGDSTADDR
    21, // IP_MINTTL
    22, // IP_NODEFRAG
    23, // IP_CHECKSUM
    24, // IP_BIND_ADDRESS_NO_PORT
    25, // IP_RECVFRAGSIZE
    26, // IP_RECVERR_RFC4884
    IP_MULTICAST_IF,
    IP_MULTICAST_TTL,
    IP_MULTICAST_LOOP,
    49, // IP_MULTICAST_ALL
    50, // IP_UNICAST_IF
    51, // IP_LOCAL_PORT_RANGE
    52, // IP_PROTOCOL
];

#[rustfmt::skip]
const IPV6_INTEGERS: &[i32] = &[
    7,  // IPV6_CHECKSUM
    11, // IPV6_FLOWINFO
    IPV6_UNICAST_HOPS,
    IPV6_MULTICAST_IF,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP,
    22, // IPV6_ROUTER_ALERT
    23, // IPV6_MTU_DISCOVER
    24, // IPV6_MTU
    25, // IPV6_RECVERR
    IPV6_V6ONLY,
    29, // IPV6_MULTICAST_ALL
    30, // IPV6_ROUTER_ALERT_ISOLATE
    31, // IPV6_RECVERR_RFC4884
    33, // IPV6_FLOWINFO_SEND
    49, // IPV6_RECVPKTINFO
    51, // IPV6_RECVHOPLIMIT
    53, // IPV6_RECVHOPOPTS
    56, // IPV6_RECVRTHDR
    58, // IPV6_RECVDSTOPTS
    60, // IPV6_RECVPATHMTU
    62, // IPV6_DONTFRAG
    66, // IPV6_RECVTCLASS
    67, // IPV6_TCLASS
    70, // IPV6_AUTOFLOWLABEL
    72, // IPV6_ADDR_PREFERENCES
    73, // IPV6_MINHOPCOUNT
    74, // IPV6_RECVORIGDSTADDR
    75, // IPV6_TRANSPARENT
    76, // IPV6_UNICAST_IF
    77, // IPV6_RECVFRAGSIZE
    78, // IPV6_FREEBIND
];

#[rustfmt::skip]
const TCP_INTEGERS: &[i32] = &[
    TCP_NODELAY,
    2,  // TCP_MAXSEG
    3,  // TCP_CORK
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_KEEPCNT,
    7,  // TCP_SYNCNT
    8,  // TCP_LINGER2
    9,  // TCP_DEFER_ACCEPT
    10, // TCP_WINDOW_CLAMP
    12, // TCP_QUICKACK
    16, // TCP_THIN_LINEAR_TIMEOUTS
    17, // TCP_THIN_DUPACK
    18, // TCP_USER_TIMEOUT
    23, // TCP_FASTOPEN
    24, // TCP_TIMESTAMP
    25, // TCP_NOTSENT_LOWAT
    27, // TCP_SAVE_SYN
    30, // TCP_FASTOPEN_CONNECT
    34, // TCP_FASTOPEN_NO_COOKIE
    36, // TCP_INQ
    37, // TCP_TX_DELAY
    44, // TCP_RTO_MAX_MS
    45, // TCP_RTO_MIN_US
    46, // TCP_DELACK_MAX_US
];

#[rustfmt::skip]
const UDP_INTEGERS: &[i32] = &[
    1,   // UDP_CORK
    101, // UDP_NO_CHECK6_TX
    102, // UDP_NO_CHECK6_RX
    103, // UDP_SEGMENT
    104, // UDP_GRO
];

/// A set of options: the one with the number `n` at bit `n`.
const fn set_of(options: &[i32]) -> u128 {
    let (mut set, mut index) = (0, 0);
    while index < options.len() {
        set |= 1 << options[index];
        index += 1;
    }
    set
}

/// Refuses an option that is not one of [`INTEGERS`], in the name of `call`.
fn check_integer(call: Sysno, level: i32, optname: i32) -> Result<()> {
    let options = INTEGERS.iter().find(|(its, _)| *its == level);
    let set = options.map_or(0, |(_, set)| *set);
    match optname {
        0..128 if set >> optname & 1 != 0 => Ok(()),
        _ => Err(Error::new(call, Errno::ENOPROTOOPT)
            .because("not an option that this function is known to be safe for")),
    }
}

/// `getsockopt(sockfd, level, optname, optval, optlen)` for an option that is an
/// `int`.
///
/// These levels are supported, with all of their options that are plain numbers, up to
/// Linux 6.16: [`SOL_SOCKET`], [`IPPROTO_IP`], [`IPPROTO_IPV6`], [`IPPROTO_TCP`] and
/// `IPPROTO_UDP` (17). Other options are refused, because an `int` may also be a descriptor
/// that was not lent, or the start of a structure with pointers.
///
/// See [getsockopt(2)](https://man7.org/linux/man-pages/man2/getsockopt.2.html).
///
/// # Errors
///
/// - `ENOPROTOOPT`: no such option at this level, or an option that is refused here. The
///   call is not made then, and the error has a reason.
/// - `EINVAL`: the option is not an `int`.
/// - `ENOTSOCK`: not a socket.
pub fn getsockopt_int(fd: BorrowedFd<'_>, level: i32, optname: i32) -> Result<i32> {
    check_integer(number::getsockopt, level, optname)?;
    get(fd, level, optname, 0)
}

/// `setsockopt(sockfd, level, optname, optval, optlen)` for an option that is an
/// `int`: the same options as of [`getsockopt_int`].
///
/// See [setsockopt(2)](https://man7.org/linux/man-pages/man2/setsockopt.2.html).
///
/// # Errors
///
/// - `ENOPROTOOPT`: no such option at this level, or an option that is refused here, as by
///   [`getsockopt_int`].
/// - `EINVAL`: the option is not an `int`, or does not take this value.
/// - `EPERM`, `EACCES`: not allowed.
/// - `ENOTSOCK`: not a socket.
pub fn setsockopt_int(fd: BorrowedFd<'_>, level: i32, optname: i32, value: i32) -> Result<()> {
    check_integer(number::setsockopt, level, optname)?;
    set(fd, level, optname, &value)
}

/// Refuses an option that does not take the structure of a membership.
fn check_membership(optname: i32, options: [i32; 2]) -> Result<()> {
    if options.contains(&optname) {
        return Ok(());
    }
    Err(Error::new(number::setsockopt, Errno::ENOPROTOOPT)
        .because("not an option of a membership in a group"))
}

/// `getsockopt` for `SO_LINGER`. See
/// [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html).
///
/// # Errors
///
/// - `ENOTSOCK`: not a socket.
#[doc(alias = "SO_LINGER")]
pub fn getsockopt_linger(fd: BorrowedFd<'_>) -> Result<Linger> {
    get(fd, SOL_SOCKET, SO_LINGER, Linger::default())
}

/// `setsockopt` for `SO_LINGER`. See
/// [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html).
///
/// # Errors
///
/// - `ENOTSOCK`: not a socket.
#[doc(alias = "SO_LINGER")]
pub fn setsockopt_linger(fd: BorrowedFd<'_>, linger: &Linger) -> Result<()> {
    set(fd, SOL_SOCKET, SO_LINGER, linger)
}

/// `setsockopt` for the options of IPv4 that take a `struct ip_mreq`:
/// [`IP_ADD_MEMBERSHIP`] and [`IP_DROP_MEMBERSHIP`]. See
/// [ip(7)](https://man7.org/linux/man-pages/man7/ip.7.html).
///
/// `interface` is an address of the interface that is meant, or unspecified: the
/// kernel takes the one that the way to the group leads through.
///
/// # Errors
///
/// - `EINVAL`: not the address of a group.
/// - `ENODEV`: no such interface, or no way.
/// - `EADDRINUSE`: a member already. `EADDRNOTAVAIL`: not a member.
/// - `ENOBUFS`: the limit `/proc/sys/net/ipv4/igmp_max_memberships`.
/// - `ENOPROTOOPT`, `ENOTSOCK`: not an internet socket.
/// - `ENOPROTOOPT`: another option. The call is not made then, since the kernel might take the
///   bytes of the addresses for a pointer.
#[doc(alias = "ip_mreq")]
pub fn setsockopt_ip_mreq(
    fd: BorrowedFd<'_>,
    optname: i32,
    group: Ipv4Addr,
    interface: Ipv4Addr,
) -> Result<()> {
    check_membership(optname, [IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP])?;
    let mreq = IpMreq {
        imr_multiaddr: group.octets(),
        imr_interface: interface.octets(),
    };
    set(fd, IPPROTO_IP, optname, &mreq)
}

/// `setsockopt` for the options of IPv6 that take a `struct ipv6_mreq`:
/// [`IPV6_ADD_MEMBERSHIP`] and [`IPV6_DROP_MEMBERSHIP`]. See
/// [ipv6(7)](https://man7.org/linux/man-pages/man7/ipv6.7.html).
///
/// `ifindex` is the number of the interface that is meant, or 0: the kernel takes the
/// one that the way to the group leads through.
///
/// # Errors
///
/// - `EINVAL`: not the address of a group.
/// - `ENODEV`: no such interface, or no way.
/// - `EADDRINUSE`: a member already. `EADDRNOTAVAIL`: not a member.
/// - `ENOPROTOOPT`, `ENOTSOCK`: not an IPv6 socket.
/// - `ENOPROTOOPT`: another option. The call is not made then, since the kernel might take the
///   bytes of the address for a pointer.
#[doc(alias = "ipv6_mreq")]
pub fn setsockopt_ipv6_mreq(
    fd: BorrowedFd<'_>,
    optname: i32,
    group: Ipv6Addr,
    ifindex: u32,
) -> Result<()> {
    check_membership(optname, [IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP])?;
    let mreq = Ipv6Mreq {
        ipv6mr_multiaddr: group.octets(),
        ipv6mr_ifindex: ifindex,
    };
    set(fd, IPPROTO_IPV6, optname, &mreq)
}
