use core::net::SocketAddr;

use syscalls::Sysno;

use super::{BindOptions, bind, explain_address, open_ip, pending_error, to_ip};
use crate::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{self, IPPROTO_IPV6, IPV6_V6ONLY, MSG_PEEK, SO_BROADCAST, SOCK_DGRAM, SOL_SOCKET};
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
        Ok((count, to_ip(from, Sysno::recvfrom)?))
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
        Ok((count, to_ip(from, Sysno::recvfrom)?))
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

    pub(super) fn set(&self, level: i32, option: i32, value: i32) -> Result<()> {
        sys::setsockopt_int(self.socket.as_fd(), level, option, value)
    }

    pub(super) fn get(&self, level: i32, option: i32) -> Result<i32> {
        sys::getsockopt_int(self.socket.as_fd(), level, option)
    }

    pub(super) fn is_on(&self, level: i32, option: i32) -> Result<bool> {
        Ok(self.get(level, option)? != 0)
    }
}

socket!(
    UdpSocket,
    std::net::UdpSocket,
    "a UDP socket",
    SocketAddr,
    to_ip
);
peer_addr!(UdpSocket, SocketAddr, to_ip);
ttl!(UdpSocket);
