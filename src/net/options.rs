use core::net::SocketAddr;

use super::BACKLOG;
use crate::Result;
use crate::fd::BorrowedFd;
use crate::sys::{self, IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEPORT, SOL_SOCKET};

/// What has to be settled before a socket has its address, for
/// [`TcpListener::bind_with`](super::TcpListener::bind_with) and
/// [`UdpSocket::bind_with`](super::UdpSocket::bind_with).
///
/// One queue per core: each thread has a listener of its own at the same address, and
/// the kernel shares the connections out among them.
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
    reuse_port: bool,
    only_v6: Option<bool>,
}

impl BindOptions {
    /// What `bind` does: an address of one's own, and 4096 connections that may wait.
    pub const fn new() -> Self {
        Self {
            backlog: BACKLOG,
            reuse_port: false,
            only_v6: None,
        }
    }

    /// How many connections may wait to be accepted, and Linux lets one more wait; those
    /// that come then are not answered. `/proc/sys/net/core/somaxconn` bounds it. For
    /// datagrams it means nothing.
    #[must_use]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = if connections > i32::MAX as u32 {
            i32::MAX
        } else {
            connections as i32
        };
        self
    }

    /// Lets other sockets of the same user have the same address, if they ask for it as
    /// well (Linux 3.9). Each connection goes to one of them, chosen by its addresses,
    /// and so does each datagram. What waits at a listener that is closed is lost.
    #[doc(alias = "SO_REUSEPORT")]
    #[must_use]
    pub const fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Whether an IPv6 socket at the unspecified address leaves IPv4 to others; if it is
    /// not said, `/proc/sys/net/ipv6/bindv6only` decides. For IPv4 it means nothing.
    #[doc(alias = "IPV6_V6ONLY")]
    #[must_use]
    pub const fn only_v6(mut self, only: bool) -> Self {
        self.only_v6 = Some(only);
        self
    }

    pub(super) fn apply(&self, socket: BorrowedFd<'_>, addr: &SocketAddr) -> Result<()> {
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
