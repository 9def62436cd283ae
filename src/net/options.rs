//! Options that are set before `bind`.

use core::net::SocketAddr;

use super::BACKLOG;
use crate::Result;
use crate::fd::BorrowedFd;
use crate::sys::{self, IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET};

/// Options that must be set before `bind`, for
/// [`TcpListener::bind_with`](super::TcpListener::bind_with) and
/// [`UdpSocket::bind_with`](super::UdpSocket::bind_with).
///
/// With [`reuse_port`](Self::reuse_port), each thread has a `Poll` and a listener of its
/// own at the same address, and the kernel distributes the connections among them:
///
/// ```
/// use std::thread;
/// use epore::net::{BindOptions, TcpListener, TcpStream};
/// use epore::{Events, Interest, Poll, Token};
///
/// const SHARED: BindOptions = BindOptions::new().reuse_port(true).backlog(64);
///
/// let first = TcpListener::bind_with("127.0.0.1:0".parse().unwrap(), &SHARED)?;
/// let addr = first.local_addr()?;
/// let second = TcpListener::bind_with(addr, &SHARED)?;
///
/// let clients: Vec<_> = (0..16).map(|_| TcpStream::connect(addr)).collect();
/// let accepted: usize = thread::scope(|scope| {
///     let serve = |listener: TcpListener| -> epore::Result<usize> {
///         let mut queue = Poll::new()?;
///         queue.registry().register(&listener, Token(0), Interest::READABLE)?;
///         let mut count = 0;
///         loop {
///             let mut events = Events::<1>::new();
///             queue.poll(&mut events, Some(std::time::Duration::from_millis(100)))?;
///             if events.is_empty() {
///                 return Ok(count);
///             }
///             listener.accept()?;
///             count += 1;
///         }
///     };
///     let threads = [first, second].map(|listener| scope.spawn(move || serve(listener)));
///     threads.map(|thread| thread.join().unwrap().unwrap()).iter().sum()
/// });
/// assert_eq!(accepted, clients.len());
/// # Ok::<(), epore::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindOptions {
    pub(super) backlog: i32,
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
}

impl BindOptions {
    /// The options that `bind` uses: an address that is not shared, and a backlog of 4096
    /// connections.
    pub const fn new() -> Self {
        Self {
            backlog: BACKLOG,
            reuse_address: false,
            reuse_port: false,
            only_v6: None,
        }
    }

    /// Sets how many connections may wait to be accepted, at most
    /// `/proc/sys/net/core/somaxconn`. Linux lets one more wait, and does not respond to
    /// further ones. UDP ignores it.
    #[must_use]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = if connections > i32::MAX as u32 {
            i32::MAX
        } else {
            connections as i32
        };
        self
    }

    /// Lets several UDP sockets, of any users, have the same address if each sets this
    /// option, as multicast DNS needs it: each of them receives every multicast datagram.
    /// A unicast datagram goes to one of them, usually the one bound last.
    ///
    /// A TCP listener always sets this option, and its address stays its own.
    ///
    /// ```
    /// use epore::net::{BindOptions, UdpSocket};
    ///
    /// let shared = BindOptions::new().reuse_address(true);
    /// let first = UdpSocket::bind_with("0.0.0.0:0".parse().unwrap(), &shared)?;
    /// let port = first.local_addr()?.port();
    /// let second = UdpSocket::bind_with(([0, 0, 0, 0], port).into(), &shared)?;
    /// # assert_eq!(second.local_addr()?, first.local_addr()?);
    /// # Ok::<(), epore::Error>(())
    /// ```
    #[doc(alias = "SO_REUSEADDR")]
    #[must_use]
    pub const fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Lets several sockets of one user have the same address if each sets this option
    /// (Linux 3.9). Each connection, and each unicast datagram, goes to one of them,
    /// chosen by its addresses. Connections that wait at a listener are lost when it is
    /// closed.
    #[doc(alias = "SO_REUSEPORT")]
    #[must_use]
    pub const fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Restricts an IPv6 socket to IPv6 (`true`), or makes it dual-stack (`false`): bound
    /// to the unspecified address, it then has IPv4 peers too, at IPv4-mapped addresses.
    /// Without this option, `/proc/sys/net/ipv6/bindv6only` decides. IPv4 sockets ignore
    /// it.
    #[doc(alias = "IPV6_V6ONLY")]
    #[must_use]
    pub const fn only_v6(mut self, only: bool) -> Self {
        self.only_v6 = Some(only);
        self
    }

    pub(super) fn apply(&self, socket: BorrowedFd<'_>, addr: &SocketAddr) -> Result<()> {
        if self.reuse_address {
            sys::setsockopt_int(socket, SOL_SOCKET, SO_REUSEADDR, 1)?;
        }
        if self.reuse_port {
            sys::setsockopt_int(socket, SOL_SOCKET, SO_REUSEPORT, 1)?;
        }
        match self.only_v6 {
            Some(only) if addr.is_ipv6() => {
                sys::setsockopt_int(socket, IPPROTO_IPV6, IPV6_V6ONLY, only.into())
            }
            _ => Ok(()),
        }
    }
}

impl Default for BindOptions {
    fn default() -> Self {
        Self::new()
    }
}
