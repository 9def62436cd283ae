use core::net::SocketAddr;
use core::time::Duration;

use syscalls::Sysno;

use super::{
    BindOptions, IoSlice, IoSliceMut, Shutdown, bind, explain_address, open_ip, pending_error,
    to_ip,
};
use crate::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use crate::sys::{
    self, IPPROTO_TCP, Linger, MSG_NOSIGNAL, MSG_PEEK, SO_KEEPALIVE, SO_REUSEADDR, SOCK_CLOEXEC,
    SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY,
    UIO_MAXIOV,
};
use crate::{Errno, Error, Result};

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

/// When a silent peer is asked whether it is still there, for
/// [`TcpStream::set_keepalive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// After how long a silence.
    pub idle: Duration,
    /// How long after each question the next follows.
    pub interval: Duration,
    /// How many questions without an answer end the connection.
    pub probes: u32,
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
        Self::bind_with(addr, &BindOptions::new())
    }

    /// [`bind`](Self::bind), with options.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind). `EADDRINUSE` also: not everyone who listens there asks
    /// for [`reuse_port`](BindOptions::reuse_port), or one of them is another user's.
    pub fn bind_with(addr: SocketAddr, options: &BindOptions) -> Result<Self> {
        let socket = open_ip(&addr, SOCK_STREAM)?;
        sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1)?;
        options.apply(socket.as_fd(), &addr)?;
        bind(&socket, addr)?;
        sys::listen(socket.as_fd(), options.backlog).map_err(explain_address)?;
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
        Ok((TcpStream { socket }, to_ip(peer, Sysno::accept4)?))
    }

    /// Takes the pending error, if any. It names `getsockopt`.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        pending_error(&self.socket, Sysno::getsockopt)
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
        Self::start(open_ip(&addr, SOCK_STREAM)?, addr)
    }

    /// [`connect`](Self::connect) from an address of this machine: of the interface
    /// that is to be used, or of a port that the peer expects. Port 0 takes a free one.
    /// A port can be used again at once after an earlier connection from it has ended
    /// (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and:
    ///
    /// - `EADDRINUSE`: another socket has the local address, or no local port is free.
    /// - `EADDRNOTAVAIL`: no interface of this machine has the local address, or it is
    ///   connected to `addr` already.
    /// - `EACCES`: a local port below 1024 without `CAP_NET_BIND_SERVICE`.
    /// - `EINVAL`, `EAFNOSUPPORT`: one address is IPv4, and the other IPv6.
    #[doc(alias = "bind")]
    pub fn connect_from(local: SocketAddr, addr: SocketAddr) -> Result<Self> {
        let socket = open_ip(&addr, SOCK_STREAM)?;
        sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1)?;
        bind(&socket, local)?;
        Self::start(socket, addr)
    }

    fn start(socket: OwnedFd, addr: SocketAddr) -> Result<Self> {
        match sys::connect(socket.as_fd(), &addr.into()) {
            // After a signal, too, the connecting goes on.
            Err(error) if matches!(error.errno(), Errno::EINPROGRESS | Errno::EINTR) => {}
            outcome => outcome.map_err(explain_address)?,
        }
        Ok(Self { socket })
    }

    /// Takes the pending error: the outcome of the connect, or what has ended the connection
    /// since. It is returned once.
    ///
    /// `ECONNREFUSED`, which only a connect can leave, names `connect`. Any other error names
    /// `getsockopt`, which has returned it: an accepted stream has never connected.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> Result<Option<Error>> {
        let error = pending_error(&self.socket, Sysno::getsockopt)?;
        Ok(error.map(|error| match error.errno() {
            Errno::ECONNREFUSED => explain_address(Error::new(Sysno::connect, error.errno())),
            _ => error,
        }))
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

    /// Asks a peer that is silent whether it is still there, as `keepalive` says, or no
    /// more. One that is not becomes the error `ETIMEDOUT`; without this, a connection
    /// that has nothing to send never notices.
    ///
    /// Times are rounded up to whole seconds.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: a time is zero or above 32,767 s, or `probes` zero or above 127.
    #[doc(alias = "SO_KEEPALIVE")]
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> Result<()> {
        let socket = self.socket.as_fd();
        if let Some(keepalive) = keepalive {
            let probes = keepalive.probes.try_into().unwrap_or(i32::MAX);
            for (option, value) in [
                (TCP_KEEPIDLE, whole_seconds(keepalive.idle)),
                (TCP_KEEPINTVL, whole_seconds(keepalive.interval)),
                (TCP_KEEPCNT, probes),
            ] {
                sys::setsockopt_int(socket, IPPROTO_TCP, option, value)?;
            }
        }
        sys::setsockopt_int(socket, SOL_SOCKET, SO_KEEPALIVE, keepalive.is_some().into())
    }

    /// How a silent peer is asked whether it is still there; `None` if it is not.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_KEEPALIVE")]
    pub fn keepalive(&self) -> Result<Option<Keepalive>> {
        let socket = self.socket.as_fd();
        if sys::getsockopt_int(socket, SOL_SOCKET, SO_KEEPALIVE)? == 0 {
            return Ok(None);
        }
        let get = |option| Ok(sys::getsockopt_int(socket, IPPROTO_TCP, option)?.unsigned_abs());
        Ok(Some(Keepalive {
            idle: Duration::from_secs(get(TCP_KEEPIDLE)?.into()),
            interval: Duration::from_secs(get(TCP_KEEPINTVL)?.into()),
            probes: get(TCP_KEEPCNT)?,
        }))
    }

    /// What closing does with data that is not sent yet. `None`, as it is without this:
    /// the kernel goes on sending. Zero: the data is dropped and the connection reset.
    /// Any other time, rounded up to whole seconds: closing waits so long for the data
    /// to arrive, **even of a non-blocking socket**, so not in a thread that polls.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_LINGER")]
    pub fn set_linger(&self, linger: Option<Duration>) -> Result<()> {
        let linger = Linger {
            l_onoff: linger.is_some().into(),
            l_linger: linger.map_or(0, whole_seconds),
        };
        sys::setsockopt_linger(self.socket.as_fd(), &linger)
    }

    /// What closing does with data that is not sent yet.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "SO_LINGER")]
    pub fn linger(&self) -> Result<Option<Duration>> {
        let linger = sys::getsockopt_linger(self.socket.as_fd())?;
        let time = Duration::from_secs(linger.l_linger.unsigned_abs().into());
        Ok((linger.l_onoff != 0).then_some(time))
    }
}

/// Rounded up, as a fraction that became zero would mean something else; what the
/// kernel cannot count, it refuses or shortens.
fn whole_seconds(time: Duration) -> i32 {
    let seconds = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() != 0));
    seconds.try_into().unwrap_or(i32::MAX)
}

socket!(
    TcpListener,
    std::net::TcpListener,
    "a TCP socket",
    SocketAddr,
    to_ip
);
socket!(
    TcpStream,
    std::net::TcpStream,
    "a TCP socket",
    SocketAddr,
    to_ip
);
peer_addr!(TcpStream, SocketAddr, to_ip);
ttl!(TcpListener);
ttl!(TcpStream);
stream!(TcpStream);
