//! Socket options.

use core::mem;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;

use static_assertions::const_assert_eq;

use super::Result;
use super::fd::{AsRawFd, BorrowedFd};

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

/// `getsockopt(sockfd, level, optname, optval, optlen)` for an option that is an
/// `int`. (Options that hold pointers could not be safe functions.)
///
/// See [getsockopt(2)](https://man7.org/linux/man-pages/man2/getsockopt.2.html).
///
/// # Errors
///
/// - `ENOPROTOOPT`: no such option at this level.
/// - `EINVAL`: the option is not an `int`.
/// - `ENOTSOCK`: not a socket.
pub fn getsockopt_int(fd: BorrowedFd<'_>, level: i32, optname: i32) -> Result<i32> {
    get(fd, level, optname, 0)
}

/// `setsockopt(sockfd, level, optname, optval, optlen)` for an option that is an
/// `int`.
///
/// See [setsockopt(2)](https://man7.org/linux/man-pages/man2/setsockopt.2.html).
///
/// # Errors
///
/// - `ENOPROTOOPT`: no such option at this level.
/// - `EINVAL`: the option is not an `int`, or does not take this value.
/// - `EPERM`, `EACCES`: not allowed.
/// - `ENOTSOCK`: not a socket.
pub fn setsockopt_int(fd: BorrowedFd<'_>, level: i32, optname: i32, value: i32) -> Result<()> {
    set(fd, level, optname, &value)
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
#[doc(alias = "ip_mreq")]
pub fn setsockopt_ip_mreq(
    fd: BorrowedFd<'_>,
    optname: i32,
    group: Ipv4Addr,
    interface: Ipv4Addr,
) -> Result<()> {
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
#[doc(alias = "ipv6_mreq")]
pub fn setsockopt_ipv6_mreq(
    fd: BorrowedFd<'_>,
    optname: i32,
    group: Ipv6Addr,
    ifindex: u32,
) -> Result<()> {
    let mreq = Ipv6Mreq {
        ipv6mr_multiaddr: group.octets(),
        ipv6mr_ifindex: ifindex,
    };
    set(fd, IPPROTO_IPV6, optname, &mreq)
}
