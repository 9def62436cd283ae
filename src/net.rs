//! Non-blocking TCP sockets, for programs that have no std to take them from.
//!
//! With the feature `std` they convert to and from std's own, and read and write
//! through `std::io::Read` and `std::io::Write` too.

use core::net::SocketAddr;

use syscalls::Sysno;

use crate::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{
    self, AF_INET, AF_INET6, IPPROTO_TCP, MSG_NOSIGNAL, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ERROR,
    SO_REUSEADDR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, SockAddr, TCP_NODELAY,
};
use crate::{Errno, Error, Result};

/// How many connections may wait to be accepted. The kernel bounds it by
/// `/proc/sys/net/core/somaxconn`, whose default is this.
const BACKLOG: i32 = 4096;

/// A TCP socket that listens: non-blocking, closed on `execve`.
///
/// ```
/// use epore::net::{TcpListener, TcpStream};
/// use epore::{Events, Interest, Poll, Token};
///
/// let mut queue = Poll::new()?;
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// queue.registry().register(&listener, Token(0), Interest::READABLE)?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// let (server, peer) = listener.accept()?;
/// assert_eq!(peer, client.local_addr()?);
/// assert!(listener.accept().unwrap_err().is_would_block());
/// # drop(server);
/// # Ok::<(), epore::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpListener {
    socket: OwnedFd,
}

/// A TCP connection: non-blocking, closed on `execve`.
#[derive(Debug)]
pub struct TcpStream {
    socket: OwnedFd,
}

/// Which directions [`TcpStream::shutdown`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Reading: what the peer still sends is dropped.
    Read,
    /// Writing: the peer reads the end of the stream.
    Write,
    /// Both.
    Both,
}

impl TcpListener {
    /// Listens at `addr`; port 0 takes a free one, which
    /// [`local_addr`](Self::local_addr) tells.
    ///
    /// The address can be bound again at once after an earlier listener is gone
    /// (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// - `EADDRINUSE`: another socket listens there, or no local port is free.
    /// - `EADDRNOTAVAIL`: no interface of this machine has that address.
    /// - `EACCES`: a port below 1024 without `CAP_NET_BIND_SERVICE`.
    /// - `EAFNOSUPPORT`: IPv6 where it is switched off.
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    pub fn bind(addr: SocketAddr) -> Result<Self> {
        let socket = tcp_socket(&addr)?;
        sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1)?;
        let bound = sys::bind(socket.as_fd(), &addr.into()).map_err(explain_address);
        bound.map_err(|error| match error.errno() {
            Errno::EADDRINUSE if addr.port() == 0 => error.because(NO_PORT),
            _ => error,
        })?;
        sys::listen(socket.as_fd(), BACKLOG).map_err(explain_address)?;
        Ok(Self { socket })
    }

    /// Takes the next connection that waits, and the peer's address.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: none waits.
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left. The
    ///   connection goes on waiting, and the listener stays readable.
    /// - `EINTR`: a signal was handled.
    /// - Anything else, such as `ECONNABORTED`: the connection that waited is lost;
    ///   the next call takes the next one.
    #[inline]
    pub fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = sys::accept4(self.socket.as_fd(), SOCK_NONBLOCK | SOCK_CLOEXEC)?;
        Ok((TcpStream { socket }, ip(peer, Sysno::accept4)?))
    }

    /// The address it listens at.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        ip(sys::getsockname(self.socket.as_fd())?, Sysno::getsockname)
    }

    /// Takes the pending error, if any.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::accept4)
    }
}

impl TcpStream {
    /// Starts to connect to `addr`, and returns before the outcome is known.
    ///
    /// Register it as [`WRITABLE`](crate::Interest::WRITABLE); when it is reported,
    /// ask [`take_error`](Self::take_error) for the outcome: `None` means connected.
    ///
    /// ```
    /// use epore::net::{TcpListener, TcpStream};
    /// use epore::{Errno, Events, Interest, Poll, Token};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let addr = listener.local_addr()?;
    /// drop(listener);
    ///
    /// let mut queue = Poll::new()?;
    /// let outcome = match TcpStream::connect(addr) {
    ///     Ok(stream) => {
    ///         queue.registry().register(&stream, Token(0), Interest::WRITABLE)?;
    ///         queue.poll(&mut Events::<1>::new(), None)?;
    ///         stream.take_error()?
    ///     }
    ///     Err(error) => Some(error),
    /// };
    /// assert_eq!(outcome.unwrap().errno(), Errno::ECONNREFUSED);
    /// # Ok::<(), epore::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where the outcome is known at once:
    ///
    /// - `ECONNREFUSED`: nobody listens there.
    /// - `ENETUNREACH`, `EHOSTUNREACH`: no way leads there.
    /// - `EADDRNOTAVAIL`: no local port is free.
    /// - `EAFNOSUPPORT`: IPv6 where it is switched off.
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    pub fn connect(addr: SocketAddr) -> Result<Self> {
        let socket = tcp_socket(&addr)?;
        match sys::connect(socket.as_fd(), &addr.into()) {
            // After a signal, too, the connecting goes on.
            Err(error) if matches!(error.errno(), Errno::EINPROGRESS | Errno::EINTR) => {}
            outcome => outcome.map_err(explain_address)?,
        }
        Ok(Self { socket })
    }

    /// The outcome of the connect, or the error that has hit the connection since;
    /// asking clears it. The error names `connect`.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::connect)
    }

    /// Reads what is there, up to the length of `buf`; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: nothing is there yet.
    /// - `ECONNRESET`: the peer has reset the connection.
    /// - `ENOTCONN`: not connected.
    /// - `EINTR`: a signal was handled.
    #[inline]
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        sys::read(self.socket.as_fd(), buf)
    }

    /// Writes what there is room for, and returns how much of `buf` that was.
    ///
    /// A peer that is gone is an error and never a `SIGPIPE`.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: there is no room, or the connect is still under way.
    /// - `EPIPE`: shut down, or closed by the peer.
    /// - `ECONNRESET`: the peer has reset the connection.
    /// - `EINTR`: a signal was handled.
    #[inline]
    pub fn write(&self, buf: &[u8]) -> Result<usize> {
        sys::sendto(self.socket.as_fd(), buf, MSG_NOSIGNAL)
    }

    /// Ends reading, writing, or both.
    ///
    /// # Errors
    ///
    /// - `ENOTCONN`: not connected, or no more.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        let how = match how {
            Shutdown::Read => SHUT_RD,
            Shutdown::Write => SHUT_WR,
            Shutdown::Both => SHUT_RDWR,
        };
        sys::shutdown(self.socket.as_fd(), how)
    }

    /// This end's address.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        ip(sys::getsockname(self.socket.as_fd())?, Sysno::getsockname)
    }

    /// The other end's address.
    ///
    /// # Errors
    ///
    /// - `ENOTCONN`: not connected, or not yet.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        ip(sys::getpeername(self.socket.as_fd())?, Sysno::getpeername)
    }

    /// Sends small segments at once (`true`), or lets them wait for more to join.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "TCP_NODELAY")]
    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        sys::setsockopt_int(
            self.socket.as_fd(),
            IPPROTO_TCP,
            TCP_NODELAY,
            nodelay.into(),
        )
    }

    /// Whether small segments are sent at once.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "TCP_NODELAY")]
    pub fn nodelay(&self) -> Result<bool> {
        Ok(sys::getsockopt_int(self.socket.as_fd(), IPPROTO_TCP, TCP_NODELAY)? != 0)
    }
}

fn tcp_socket(addr: &SocketAddr) -> Result<OwnedFd> {
    let family = if addr.is_ipv4() { AF_INET } else { AF_INET6 };
    sys::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
}

fn ip(addr: SockAddr, from: Sysno) -> Result<SocketAddr> {
    addr.to_ip()
        .ok_or_else(|| Error::new(from, Errno::EAFNOSUPPORT).because("not an IPv4 or IPv6 socket"))
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

/// The traits that a socket shares with every other owner of a descriptor.
///
/// `From<OwnedFd>` takes any descriptor at its owner's word: one that blocks makes
/// a socket that blocks.
macro_rules! socket {
    ($name:ident) => {
        impl AsFd for $name {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.as_fd()
            }
        }

        impl AsRawFd for $name {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                self.socket.as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            #[inline]
            fn into_raw_fd(self) -> RawFd {
                self.socket.into_raw_fd()
            }
        }

        /// Takes the descriptor as it is: it should be a TCP socket, and
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
        impl TryFrom<std::net::$name> for $name {
            type Error = std::io::Error;

            fn try_from(socket: std::net::$name) -> std::io::Result<Self> {
                socket.set_nonblocking(true)?;
                Ok(Self {
                    socket: socket.into(),
                })
            }
        }

        /// It stays non-blocking.
        #[cfg(feature = "std")]
        impl From<$name> for std::net::$name {
            fn from(socket: $name) -> Self {
                socket.socket.into()
            }
        }
    };
}

socket!(TcpListener);
socket!(TcpStream);

#[cfg(feature = "std")]
mod with_std {
    use std::io::{Read, Result, Write};

    use super::{Shutdown, TcpStream};

    impl Read for &TcpStream {
        fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
            Ok(TcpStream::read(self, buf)?)
        }
    }

    impl Write for &TcpStream {
        fn write(&mut self, buf: &[u8]) -> Result<usize> {
            Ok(TcpStream::write(self, buf)?)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl Read for TcpStream {
        fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
            Ok(TcpStream::read(self, buf)?)
        }
    }

    impl Write for TcpStream {
        fn write(&mut self, buf: &[u8]) -> Result<usize> {
            Ok(TcpStream::write(self, buf)?)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl From<std::net::Shutdown> for Shutdown {
        fn from(how: std::net::Shutdown) -> Self {
            match how {
                std::net::Shutdown::Read => Self::Read,
                std::net::Shutdown::Write => Self::Write,
                std::net::Shutdown::Both => Self::Both,
            }
        }
    }
}
