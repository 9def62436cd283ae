use syscalls::Sysno;

use super::{
    BACKLOG, IoSlice, IoSliceMut, Shutdown, UnixAddr, bound, explain, open, pair, pending_error,
};
use crate::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{
    self, AF_UNIX, MSG_NOSIGNAL, MSG_PEEK, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, UIO_MAXIOV,
};
use crate::{Error, Result};

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

    /// Takes the pending error, if any. It names `getsockopt`.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::getsockopt)
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

    /// Takes the error that has ended the connection, if any. It names `getsockopt`.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::getsockopt)
    }
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
peer_addr!(UnixStream, UnixAddr, UnixAddr::from_raw);
stream!(UnixStream);
