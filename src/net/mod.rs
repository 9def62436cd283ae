//! Non-blocking sockets, for programs that have no std to take them from: TCP, UDP, and
//! the Unix sockets of one machine.
//!
//! All are closed on `execve`. With the feature `std` they convert to and from std's
//! own, and streams read and write through `std::io::Read` and `std::io::Write` too.

use core::net::SocketAddr;

use syscalls::Sysno;

use crate::fd::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::{
    self, AF_INET, AF_INET6, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_V6ONLY,
    SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ERROR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET, SockAddr,
};
use crate::{Errno, Error, Result};

/// What every socket has: its address, and the traits that it shares with every other
/// owner of a descriptor.
///
/// `From<OwnedFd>` takes any descriptor at its owner's word: one that blocks makes a
/// socket that blocks.
macro_rules! socket {
    ($name:ident, $std:path, $kind:literal, $address:ty, $from_raw:path) => {
        impl $name {
            /// This end's address.
            ///
            /// # Errors
            ///
            /// None that a healthy kernel gives.
            pub fn local_addr(&self) -> Result<$address> {
                $from_raw(sys::getsockname(self.socket.as_fd())?, Sysno::getsockname)
            }
        }

        descriptor!($name, socket);

        impl IntoRawFd for $name {
            #[inline]
            fn into_raw_fd(self) -> RawFd {
                self.socket.into_raw_fd()
            }
        }

        #[doc = concat!("Takes the descriptor as it is: it should be ", $kind, ", and")]
        /// non-blocking.
        impl From<OwnedFd> for $name {
            #[inline]
            fn from(socket: OwnedFd) -> Self {
                Self { socket }
            }
        }

        impl From<$name> for OwnedFd {
            #[inline]
            fn from(socket: $name) -> Self {
                socket.socket
            }
        }

        /// Makes it non-blocking.
        #[cfg(feature = "std")]
        impl TryFrom<$std> for $name {
            type Error = std::io::Error;

            fn try_from(socket: $std) -> std::io::Result<Self> {
                socket.set_nonblocking(true)?;
                Ok(Self {
                    socket: socket.into(),
                })
            }
        }

        /// It stays non-blocking.
        #[cfg(feature = "std")]
        impl From<$name> for $std {
            fn from(socket: $name) -> Self {
                socket.socket.into()
            }
        }
    };
}

/// What every socket has that can be connected.
macro_rules! peer_addr {
    ($name:ident, $address:ty, $from_raw:path) => {
        impl $name {
            /// The other end's address.
            ///
            /// # Errors
            ///
            /// - `ENOTCONN`: not connected, or not yet.
            pub fn peer_addr(&self) -> Result<$address> {
                $from_raw(sys::getpeername(self.socket.as_fd())?, Sysno::getpeername)
            }
        }
    };
}

/// What every internet socket has.
macro_rules! ttl {
    ($name:ident) => {
        impl $name {
            /// Sets the time to live of unicast packets (IPv4), the hop limit (IPv6), or
            /// both, where the socket carries both: an IPv6 socket with IPv4-mapped
            /// peers (dual-stack). Streams accepted later inherit it.
            ///
            /// # Errors
            ///
            /// - `EINVAL`: above 255, or zero and not a socket of IPv6 alone.
            #[doc(alias = "IP_TTL")]
            #[doc(alias = "IPV6_UNICAST_HOPS")]
            pub fn set_ttl(&self, ttl: u32) -> Result<()> {
                super::set_ttl(self.socket.as_fd(), ttl)
            }

            /// Returns the time to live (IPv4) or the hop limit (IPv6) of unicast
            /// packets. Of an IPv6 socket that has an IPv4-mapped address, this is the
            /// time to live.
            #[doc(alias = "IP_TTL")]
            #[doc(alias = "IPV6_UNICAST_HOPS")]
            pub fn ttl(&self) -> Result<u32> {
                super::ttl(self.socket.as_fd())
            }
        }
    };
}

#[macro_use]
mod stream;

mod multicast;
mod options;
mod tcp;
mod udp;
mod unix;

pub use crate::sys::{IoSlice, IoSliceMut};
pub use options::BindOptions;
pub use tcp::{Keepalive, TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixAddr, UnixDatagram, UnixListener, UnixStream};

/// How many connections may wait to be accepted. The kernel bounds it by
/// `/proc/sys/net/core/somaxconn`, whose default is this.
const BACKLOG: i32 = 4096;

/// Which directions a `shutdown` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Reading: what the peer still sends is dropped.
    Read,
    /// Writing: the peer reads the end of the stream.
    Write,
    /// Both.
    Both,
}

impl Shutdown {
    fn apply(self, socket: &OwnedFd) -> Result<()> {
        let how = match self {
            Self::Read => SHUT_RD,
            Self::Write => SHUT_WR,
            Self::Both => SHUT_RDWR,
        };
        sys::shutdown(socket.as_fd(), how)
    }
}

#[cfg(feature = "std")]
impl From<std::net::Shutdown> for Shutdown {
    fn from(how: std::net::Shutdown) -> Self {
        match how {
            std::net::Shutdown::Read => Self::Read,
            std::net::Shutdown::Write => Self::Write,
            std::net::Shutdown::Both => Self::Both,
        }
    }
}

fn open(family: u16, kind: i32) -> Result<OwnedFd> {
    sys::socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
}

fn open_ip(addr: &SocketAddr, kind: i32) -> Result<OwnedFd> {
    open(if addr.is_ipv4() { AF_INET } else { AF_INET6 }, kind)
}

fn bind(socket: &OwnedFd, addr: SocketAddr) -> Result<()> {
    sys::bind(socket.as_fd(), &addr.into()).map_err(|error| match error.errno() {
        Errno::EADDRINUSE if addr.port() == 0 => error.because(NO_PORT),
        _ => explain_address(error),
    })
}

fn to_ip(addr: SockAddr, from: Sysno) -> Result<SocketAddr> {
    addr.to_ip()
        .ok_or_else(|| Error::new(from, Errno::EAFNOSUPPORT).because("not an IPv4 or IPv6 socket"))
}

const IPV4_TTL: (i32, i32) = (IPPROTO_IP, IP_TTL);
const IPV6_HOP_LIMIT: (i32, i32) = (IPPROTO_IPV6, IPV6_UNICAST_HOPS);

/// The option, as its level and name, that the packets of the socket obey: a socket of
/// IPv6 that has an IPv4-mapped address sends over IPv4.
fn hop_limit_option(socket: BorrowedFd<'_>) -> Result<(i32, i32)> {
    Ok(match sys::getsockname(socket)?.to_ip() {
        Some(SocketAddr::V6(addr)) if addr.ip().to_ipv4_mapped().is_none() => IPV6_HOP_LIMIT,
        _ => IPV4_TTL,
    })
}

fn set_ttl(socket: BorrowedFd<'_>, ttl: u32) -> Result<()> {
    let set = |(level, option)| {
        sys::setsockopt_int(socket, level, option, ttl.try_into().unwrap_or(i32::MAX))
    };
    if sys::getsockname(socket)?.family() != Some(AF_INET6) {
        return set(IPV4_TTL);
    }
    // A dual-stack socket has an option for each family, and sends to peers of both. The
    // one of IPv4 accepts fewer values: set first, it leaves both unchanged when it fails.
    if sys::getsockopt_int(socket, IPPROTO_IPV6, IPV6_V6ONLY)? == 0 {
        set(IPV4_TTL)?;
    }
    set(IPV6_HOP_LIMIT)
}

fn ttl(socket: BorrowedFd<'_>) -> Result<u32> {
    let (level, option) = hop_limit_option(socket)?;
    Ok(sys::getsockopt_int(socket, level, option)?.unsigned_abs())
}

fn pending_error(socket: &OwnedFd, of: Sysno) -> Result<Option<Error>> {
    Ok(
        match sys::getsockopt_int(socket.as_fd(), SOL_SOCKET, SO_ERROR)? {
            0 => None,
            errno => Some(explain_address(Error::new(of, Errno::new(errno)))),
        },
    )
}

const NO_PORT: &str = "no local port is free";

#[cold]
fn explain_address(error: Error) -> Error {
    error.because(match error.errno() {
        Errno::ECONNREFUSED => Some("nobody listens at that address"),
        Errno::EADDRINUSE => Some("another socket has that address"),
        Errno::EADDRNOTAVAIL if error.syscall() == "connect" => Some(NO_PORT),
        Errno::EADDRNOTAVAIL => Some("no interface of this machine has that address"),
        Errno::EACCES if error.syscall() == "bind" => {
            Some("ports below 1024 need CAP_NET_BIND_SERVICE")
        }
        _ => None,
    })
}
