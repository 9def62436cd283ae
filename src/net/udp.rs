use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use syscalls::Sysno;

use super::{BindOptions, bind, explain_address, ip, open_ip, pending_error};
use crate::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{
    self, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IPPROTO_IP,
    IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MULTICAST_LOOP, IPV6_V6ONLY,
    MSG_PEEK, SO_BROADCAST, SOCK_DGRAM, SOL_SOCKET,
};
use crate::{Error, Result};

/// A UDP socket: non-blocking, closed on `execve`.
///
/// A datagram is sent whole or not at all. One that is longer than the slice that it is
/// received into is cut, and its rest lost; 65,535 bytes hold any.
///
/// ```
/// use epore::net::UdpSocket;
/// use epore::{Events, Interest, Poll, Token};
///
/// let mut queue = Poll::new()?;
/// let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// queue.registry().register(&server, Token(0), Interest::READABLE)?;
///
/// let client = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// client.connect(server.local_addr()?)?;
/// client.send(b"ping")?;
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// let mut buf = [0; 1500];
/// let (count, from) = server.recv_from(&mut buf)?;
/// assert_eq!(&buf[..count], b"ping");
/// assert_eq!(from, client.local_addr()?);
/// assert!(server.recv_from(&mut buf).unwrap_err().is_would_block());
/// server.send_to(b"pong", from)?;
/// # Ok::<(), epore::Error>(())
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    socket: OwnedFd,
}

impl UdpSocket {
    /// A socket at `addr`; port 0 takes a free one, which
    /// [`local_addr`](Self::local_addr) tells.
    ///
    /// # Errors
    ///
    /// - `EADDRINUSE`: another socket has that address, or no local port is free.
    /// - `EADDRNOTAVAIL`: no interface of this machine has that address.
    /// - `EACCES`: a port below 1024 without `CAP_NET_BIND_SERVICE`.
    /// - `EAFNOSUPPORT`: IPv6 where it is switched off.
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    pub fn bind(addr: SocketAddr) -> Result<Self> {
        Self::bind_with(addr, &BindOptions::new())
    }

    /// [`bind`](Self::bind), with options.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind). `EADDRINUSE` also: not everyone who has that address
    /// asks for [`reuse_port`](BindOptions::reuse_port), or one is another user's.
    pub fn bind_with(addr: SocketAddr, options: &BindOptions) -> Result<Self> {
        let socket = open_ip(&addr, SOCK_DGRAM)?;
        options.apply(socket.as_fd(), &addr)?;
        bind(&socket, addr)?;
        Ok(Self { socket })
    }

    /// Makes `addr` the one peer, now or instead of the one before: where
    /// [`send`](Self::send) sends to, and the only one to receive from. Nothing is sent.
    ///
    /// # Errors
    ///
    /// - `ENETUNREACH`, `EHOSTUNREACH`: no way leads there.
    /// - `EACCES`: a broadcast address without [`set_broadcast`](Self::set_broadcast).
    /// - `EINVAL`, `EAFNOSUPPORT`: an address of the other family.
    pub fn connect(&self, addr: SocketAddr) -> Result<()> {
        sys::connect(self.socket.as_fd(), &addr.into()).map_err(explain_address)
    }

    /// Sends a datagram to the peer, and returns its length.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: there is no room.
    /// - `EDESTADDRREQ`: not connected.
    /// - `ECONNREFUSED`: one that was sent before, not this one, found nobody there.
    /// - `EMSGSIZE`: longer than a datagram can be.
    /// - `ENETUNREACH`, `EHOSTUNREACH`: no way leads there.
    /// - `ENOBUFS`: the interface has no room.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> Result<usize> {
        sys::sendto(self.socket.as_fd(), buf, 0, None)
    }

    /// Sends a datagram to `addr`, and returns its length.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and:
    ///
    /// - `EACCES`: a broadcast address without [`set_broadcast`](Self::set_broadcast).
    /// - `EINVAL`: port 0.
    /// - `EINVAL`, `EAFNOSUPPORT`: an address of the other family.
    #[inline]
    pub fn send_to(&self, buf: &[u8], addr: SocketAddr) -> Result<usize> {
        sys::sendto(self.socket.as_fd(), buf, 0, Some(&addr.into()))
    }

    /// Receives a datagram, and returns its length, or that of `buf` if it was cut.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: none is there.
    /// - `ECONNREFUSED`: connected, and one that was sent found nobody there.
    /// - `EINTR`: a signal was handled.
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> Result<usize> {
        let (count, _) = sys::recvfrom(self.socket.as_fd(), buf, 0)?;
        Ok(count)
    }

    /// Receives a datagram, and tells who sent it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr)> {
        let (count, from) = sys::recvfrom(self.socket.as_fd(), buf, 0)?;
        Ok((count, ip(from, Sysno::recvfrom)?))
    }

    /// Receives a datagram, and leaves it there to be received.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[doc(alias = "MSG_PEEK")]
    #[inline]
    pub fn peek(&self, buf: &mut [u8]) -> Result<usize> {
        let (count, _) = sys::recvfrom(self.socket.as_fd(), buf, MSG_PEEK)?;
        Ok(count)
    }

    /// Receives a datagram, tells who sent it, and leaves it there to be received.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[doc(alias = "MSG_PEEK")]
    #[inline]
    pub fn peek_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr)> {
        let (count, from) = sys::recvfrom(self.socket.as_fd(), buf, MSG_PEEK)?;
        Ok((count, ip(from, Sysno::recvfrom)?))
    }

    /// Takes the pending error, if any: of a connected socket, what became of a datagram
    /// that was sent. It names `sendto`.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::sendto)
    }

    /// Whether it has left IPv4 to other sockets: see [`BindOptions::only_v6`].
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`, `EOPNOTSUPP`: not an IPv6 socket.
    #[doc(alias = "IPV6_V6ONLY")]
    pub fn only_v6(&self) -> Result<bool> {
        self.is_on(IPPROTO_IPV6, IPV6_V6ONLY)
    }

    /// Allows it to send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_BROADCAST")]
    pub fn set_broadcast(&self, broadcast: bool) -> Result<()> {
        self.set(SOL_SOCKET, SO_BROADCAST, broadcast.into())
    }

    /// Whether it may send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_BROADCAST")]
    pub fn broadcast(&self) -> Result<bool> {
        self.is_on(SOL_SOCKET, SO_BROADCAST)
    }

    /// Joins a group: what is sent to it arrives here too. `interface` is an address of
    /// the interface to join on, or unspecified, which leaves it to the kernel.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not the address of a group.
    /// - `ENODEV`: no such interface, or no way to the group.
    /// - `EADDRINUSE`: a member already.
    /// - `ENOBUFS`: the limit `/proc/sys/net/ipv4/igmp_max_memberships`.
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        sys::setsockopt_ip_mreq(self.socket.as_fd(), IP_ADD_MEMBERSHIP, *group, *interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: not a member.
    /// - `ENODEV`: no such interface.
    #[doc(alias = "IP_DROP_MEMBERSHIP")]
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        sys::setsockopt_ip_mreq(self.socket.as_fd(), IP_DROP_MEMBERSHIP, *group, *interface)
    }

    /// Joins a group on the interface of this number; 0 leaves it to the kernel.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not the address of a group.
    /// - `ENODEV`: no such interface, or no way to the group.
    /// - `EADDRINUSE`: a member already.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_ADD_MEMBERSHIP")]
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        sys::setsockopt_ipv6_mreq(self.socket.as_fd(), IPV6_ADD_MEMBERSHIP, *group, interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: not a member.
    /// - `ENODEV`: no such interface.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_DROP_MEMBERSHIP")]
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        sys::setsockopt_ipv6_mreq(self.socket.as_fd(), IPV6_DROP_MEMBERSHIP, *group, interface)
    }

    /// Whether members on this machine hear what is sent from here to a group over IPv4;
    /// they do until it is set.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    pub fn set_multicast_loop_v4(&self, looped: bool) -> Result<()> {
        self.set(IPPROTO_IP, IP_MULTICAST_LOOP, looped.into())
    }

    /// Whether members on this machine hear what is sent from here over IPv4.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    pub fn multicast_loop_v4(&self) -> Result<bool> {
        self.is_on(IPPROTO_IP, IP_MULTICAST_LOOP)
    }

    /// Whether members on this machine hear what is sent from here to a group over IPv6;
    /// they do until it is set.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    pub fn set_multicast_loop_v6(&self, looped: bool) -> Result<()> {
        self.set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, looped.into())
    }

    /// Whether members on this machine hear what is sent from here over IPv6.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`, `EOPNOTSUPP`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    pub fn multicast_loop_v6(&self) -> Result<bool> {
        self.is_on(IPPROTO_IPV6, IPV6_MULTICAST_LOOP)
    }

    /// How many routers a datagram to a group may pass over IPv4; 1, and so none, until
    /// it is set.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: above 255.
    #[doc(alias = "IP_MULTICAST_TTL")]
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> Result<()> {
        let ttl = ttl.try_into().unwrap_or(i32::MAX);
        self.set(IPPROTO_IP, IP_MULTICAST_TTL, ttl)
    }

    /// How many routers a datagram to a group may pass over IPv4.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "IP_MULTICAST_TTL")]
    pub fn multicast_ttl_v4(&self) -> Result<u32> {
        Ok(self.get(IPPROTO_IP, IP_MULTICAST_TTL)?.unsigned_abs())
    }

    fn set(&self, level: i32, option: i32, value: i32) -> Result<()> {
        sys::setsockopt_int(self.socket.as_fd(), level, option, value)
    }

    fn get(&self, level: i32, option: i32) -> Result<i32> {
        sys::getsockopt_int(self.socket.as_fd(), level, option)
    }

    fn is_on(&self, level: i32, option: i32) -> Result<bool> {
        Ok(self.get(level, option)? != 0)
    }
}

socket!(
    UdpSocket,
    std::net::UdpSocket,
    "a UDP socket",
    SocketAddr,
    ip
);
peer_addr!(UdpSocket, SocketAddr, ip);
ttl!(UdpSocket);
