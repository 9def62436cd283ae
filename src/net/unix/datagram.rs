use syscalls::Sysno;

use super::{Shutdown, UnixAddr, bound, explain, open, pair, pending_error};
use crate::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{self, AF_UNIX, MSG_NOSIGNAL, MSG_PEEK, SOCK_DGRAM};
use crate::{Error, Result};

/// A Unix socket for datagrams: non-blocking, closed on `execve`.
///
/// A datagram is sent whole or not at all, and none is lost on the way. One that is
/// longer than the slice that it is received into is cut, and its rest lost.
///
/// Where a receiver has no room, sending answers `EAGAIN`. A socket that is connected
/// becomes writable when there is room again; of one that is not, the queue cannot know
/// which receiver is meant, and reports it writable all the time.
///
/// ```
/// use epore::net::{UnixAddr, UnixDatagram};
///
/// let server = UnixDatagram::bind_addr(&UnixAddr::unnamed())?; // at any free name
/// let client = UnixDatagram::bind_addr(&UnixAddr::unnamed())?;
/// client.send_to_addr(b"ping", &server.local_addr()?)?;
///
/// let mut buf = [0; 16];
/// let (count, from) = server.recv_from(&mut buf)?;
/// assert_eq!(&buf[..count], b"ping");
/// assert_eq!(from, client.local_addr()?);
/// # Ok::<(), epore::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    socket: OwnedFd,
}

impl UnixDatagram {
    /// A socket at a path, whose file it makes.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`](super::UnixListener::bind).
    pub fn bind(path: impl AsRef<[u8]>) -> Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// A socket at an address of any kind.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind_addr`](super::UnixListener::bind_addr).
    pub fn bind_addr(addr: &UnixAddr) -> Result<Self> {
        let socket = bound(addr, SOCK_DGRAM)?;
        Ok(Self { socket })
    }

    /// A socket that has no address, and so cannot be answered.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    pub fn unbound() -> Result<Self> {
        let socket = open(AF_UNIX, SOCK_DGRAM)?;
        Ok(Self { socket })
    }

    /// Two that are connected to each other.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no two descriptors left.
    #[doc(alias = "socketpair")]
    pub fn pair() -> Result<(Self, Self)> {
        let (one, other) = pair(SOCK_DGRAM)?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// Makes the socket at a path the one peer: where [`send`](Self::send) sends to, and
    /// the only one to receive from.
    ///
    /// # Errors
    ///
    /// - `ENOENT`: no such path.
    /// - `ECONNREFUSED`: no socket has that path, or no more.
    /// - `EPERM`: it is connected to another.
    /// - `EACCES`: no right to write to the file, or to search a directory.
    /// - `EPROTOTYPE`: the path is a stream socket's.
    /// - `ENAMETOOLONG`, `EINVAL`: as [`UnixAddr::from_pathname`].
    pub fn connect(&self, path: impl AsRef<[u8]>) -> Result<()> {
        self.connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Makes the socket at an address the one peer.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_addr(&self, addr: &UnixAddr) -> Result<()> {
        sys::connect(self.socket.as_fd(), addr.raw()).map_err(explain)
    }

    /// Sends a datagram to the peer, and returns its length.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: the peer has no room.
    /// - `ENOTCONN`: not connected.
    /// - `ECONNREFUSED`, `ECONNRESET`: the peer is gone.
    /// - `EPIPE`: shut down, here or there.
    /// - `EMSGSIZE`: longer than a datagram can be.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> Result<usize> {
        sys::sendto(self.socket.as_fd(), buf, MSG_NOSIGNAL, None)
    }

    /// Sends a datagram to the socket at a path, and returns its length.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) and [`connect`](Self::connect).
    pub fn send_to(&self, buf: &[u8], path: impl AsRef<[u8]>) -> Result<usize> {
        self.send_to_addr(buf, &UnixAddr::from_pathname(path)?)
    }

    /// Sends a datagram to the socket at an address, and returns its length.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) and [`connect`](Self::connect).
    #[inline]
    pub fn send_to_addr(&self, buf: &[u8], addr: &UnixAddr) -> Result<usize> {
        sys::sendto(self.socket.as_fd(), buf, MSG_NOSIGNAL, Some(addr.raw()))
    }

    /// Receives a datagram, and returns its length, or that of `buf` if it was cut.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: none is there.
    /// - `ECONNRESET`: the peer is gone, and had not received all.
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
    pub fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, UnixAddr)> {
        let (count, from) = sys::recvfrom(self.socket.as_fd(), buf, 0)?;
        Ok((count, UnixAddr::from_raw(from, Sysno::recvfrom)?))
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

    /// Ends receiving, sending, or both. There is no end to be received: events tell of
    /// it.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        how.apply(&self.socket)
    }

    /// Takes the pending error, if any. It names `sendto`.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::sendto)
    }
}

socket!(
    UnixDatagram,
    std::os::unix::net::UnixDatagram,
    "a Unix socket",
    UnixAddr,
    UnixAddr::from_raw
);
peer_addr!(UnixDatagram, UnixAddr, UnixAddr::from_raw);
