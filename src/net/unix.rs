use syscalls::Sysno;

use super::stream::stream;
use super::{BACKLOG, IoSlice, IoSliceMut, Shutdown, UnixAddr, open, pending_error};
use crate::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{
    self, AF_UNIX, MSG_NOSIGNAL, MSG_PEEK, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM,
    UIO_MAXIOV,
};
use crate::{Errno, Error, Result};

/// A Unix socket that listens: non-blocking, closed on `execve`.
///
/// Its file stays behind when it is dropped, and keeps the path from being bound again:
/// who binds a path removes it. An abstract name leaves nothing behind.
///
/// ```
/// use epore::net::{UnixListener, UnixStream};
/// use epore::{Events, Interest, Poll, Token};
///
/// let path = std::env::temp_dir().join(format!("epore-{}", std::process::id()));
/// let path = path.to_str().unwrap();
///
/// let mut queue = Poll::new()?;
/// let listener = UnixListener::bind(path)?;
/// queue.registry().register(&listener, Token(0), Interest::READABLE)?;
/// let client = UnixStream::connect(path)?;
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// let (server, peer) = listener.accept()?;
/// assert!(peer.is_unnamed());
/// client.write(b"hello")?;
/// assert_eq!(server.read(&mut [0; 8])?, 5);
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), epore::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixListener {
    socket: OwnedFd,
}

/// A connection between Unix sockets: non-blocking, closed on `execve`.
///
/// ```
/// use epore::net::{IoSlice, UnixStream};
///
/// let (near, far) = UnixStream::pair()?;
/// near.write_vectored(&[IoSlice::new(b"hello, "), IoSlice::new(b"world")])?;
/// let mut buf = [0; 16];
/// assert_eq!(far.read(&mut buf)?, 12);
/// assert_eq!(&buf[..12], b"hello, world");
/// # Ok::<(), epore::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixStream {
    socket: OwnedFd,
}

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

impl UnixListener {
    /// Listens at a path, and makes the file. With the feature `std`, a `Path` becomes an
    /// address by `try_from`, for [`bind_addr`](Self::bind_addr).
    ///
    /// # Errors
    ///
    /// - `EADDRINUSE`: the path exists, be it of a socket that is gone.
    /// - `ENOENT`, `ENOTDIR`, `EACCES`, `EROFS`: the file cannot be made there.
    /// - `ENAMETOOLONG`, `EINVAL`: as [`UnixAddr::from_pathname`].
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    pub fn bind(path: impl AsRef<[u8]>) -> Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Listens at an address of any kind.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind). `EADDRINUSE` also: another socket has that name.
    pub fn bind_addr(addr: &UnixAddr) -> Result<Self> {
        let socket = bound(addr, SOCK_STREAM)?;
        sys::listen(socket.as_fd(), BACKLOG)?;
        Ok(Self { socket })
    }

    /// Takes the next connection that waits, and the peer's address: unnamed, unless the
    /// peer has bound itself to one.
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: none waits.
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left. The
    ///   connection goes on waiting, and the listener stays readable.
    /// - `EINTR`: a signal was handled.
    #[inline]
    pub fn accept(&self) -> Result<(UnixStream, UnixAddr)> {
        let (socket, peer) = sys::accept4(self.socket.as_fd(), SOCK_NONBLOCK | SOCK_CLOEXEC)?;
        let peer = UnixAddr::from_raw(peer, Sysno::accept4)?;
        Ok((UnixStream { socket }, peer))
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

impl UnixStream {
    /// Connects to the listener at a path. The outcome is known at once: what this
    /// returns is connected, though perhaps not accepted yet.
    ///
    /// # Errors
    ///
    /// - `ENOENT`: no such path.
    /// - `ECONNREFUSED`: nobody listens there, or no more.
    /// - `EAGAIN`: as many wait there to be accepted as may. No queue tells when that
    ///   changes: try again later.
    /// - `EACCES`: no right to write to the file, or to search a directory.
    /// - `EPROTOTYPE`: the path is a datagram socket's.
    /// - `ENAMETOOLONG`, `EINVAL`: as [`UnixAddr::from_pathname`].
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    pub fn connect(path: impl AsRef<[u8]>) -> Result<Self> {
        Self::connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Connects to the listener at an address.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_addr(addr: &UnixAddr) -> Result<Self> {
        let socket = open(AF_UNIX, SOCK_STREAM)?;
        sys::connect(socket.as_fd(), addr.raw()).map_err(explain)?;
        Ok(Self { socket })
    }

    /// Two that are connected to each other.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no two descriptors left.
    #[doc(alias = "socketpair")]
    pub fn pair() -> Result<(Self, Self)> {
        let (one, other) = pair(SOCK_STREAM)?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// Takes the error that has hit the connection, if any. It names `connect`.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::connect)
    }
}

impl UnixDatagram {
    /// A socket at a path, whose file it makes.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`].
    pub fn bind(path: impl AsRef<[u8]>) -> Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// A socket at an address of any kind.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind_addr`].
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

fn bound(addr: &UnixAddr, kind: i32) -> Result<OwnedFd> {
    let socket = open(AF_UNIX, kind)?;
    sys::bind(socket.as_fd(), addr.raw()).map_err(explain)?;
    Ok(socket)
}

fn pair(kind: i32) -> Result<(OwnedFd, OwnedFd)> {
    sys::socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
}

#[cold]
fn explain(error: Error) -> Error {
    error.because(match error.errno() {
        Errno::EADDRINUSE => Some("the path exists, or another socket has that name"),
        Errno::ECONNREFUSED => Some("no socket has that address, or it does not listen"),
        Errno::EAGAIN => Some("as many wait there to be accepted as may"),
        Errno::EPROTOTYPE => Some("the socket there is of another type"),
        _ => None,
    })
}

socket!(
    UnixListener,
    std::os::unix::net::UnixListener,
    "a Unix socket",
    UnixAddr,
    UnixAddr::from_raw
);
socket!(
    UnixStream,
    std::os::unix::net::UnixStream,
    "a Unix socket",
    UnixAddr,
    UnixAddr::from_raw
);
socket!(
    UnixDatagram,
    std::os::unix::net::UnixDatagram,
    "a Unix socket",
    UnixAddr,
    UnixAddr::from_raw
);
peer_addr!(UnixStream, UnixAddr, UnixAddr::from_raw);
peer_addr!(UnixDatagram, UnixAddr, UnixAddr::from_raw);
stream!(UnixStream);
