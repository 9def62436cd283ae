use core::fmt;
use core::mem::{self, MaybeUninit};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use core::ptr;
use core::slice;

use super::fd::{AsRawFd, BorrowedFd, OwnedFd};
use super::{Result, own};

/// Address family: IPv4.
pub const AF_INET: u16 = 2;
/// Address family: IPv6.
pub const AF_INET6: u16 = 10;

/// For [`socket`]: a byte stream; TCP, among internet sockets.
pub const SOCK_STREAM: i32 = 1;
/// For [`socket`] and [`accept4`]: answer `EAGAIN` where a call would block.
pub const SOCK_NONBLOCK: i32 = 0o4000;
/// For [`socket`] and [`accept4`]: close it on `execve`.
pub const SOCK_CLOEXEC: i32 = 0o2000000;

/// Level of the options of all sockets.
pub const SOL_SOCKET: i32 = 1;
/// Bind to an address although connections of its former owner still linger.
pub const SO_REUSEADDR: i32 = 2;
/// The pending error; reading it clears it.
pub const SO_ERROR: i32 = 4;
/// Level of the options of TCP.
pub const IPPROTO_TCP: i32 = 6;
/// Send small segments at once, without waiting for more to join them.
pub const TCP_NODELAY: i32 = 1;

/// For [`sendto`]: `EPIPE` alone, no `SIGPIPE`, when the peer is gone.
pub const MSG_NOSIGNAL: i32 = 0x4000;

/// For [`shutdown`]: end reading.
pub const SHUT_RD: i32 = 0;
/// For [`shutdown`]: end writing; the peer reads the end of the stream.
pub const SHUT_WR: i32 = 1;
/// For [`shutdown`]: end both.
pub const SHUT_RDWR: i32 = 2;

/// `sizeof(struct sockaddr_storage)`, the longest address there is.
const STORAGE: usize = 128;
const SOCKADDR_IN: usize = 16;
const SOCKADDR_IN6: usize = 28;

/// A socket address as the kernel takes and gives it, of any family.
///
/// ```
/// use core::net::SocketAddr;
/// use epore::sys::{AF_INET, SockAddr};
///
/// let addr: SocketAddr = "127.0.0.1:8080".parse().unwrap();
/// let raw = SockAddr::from(addr);
/// assert_eq!(raw.family(), Some(AF_INET));
/// assert_eq!(raw.as_bytes()[2..], [0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
/// assert_eq!(raw.to_ip(), Some(addr));
/// ```
#[doc(alias = "sockaddr")]
#[derive(Clone, Copy)]
pub struct SockAddr {
    storage: [MaybeUninit<u8>; STORAGE],
    len: usize,
}

impl SockAddr {
    const EMPTY: Self = Self {
        storage: [MaybeUninit::uninit(); STORAGE],
        len: 0,
    };

    /// The bytes: the family in native order, then what the family defines.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised: `push` wrote them, or the
        // kernel did (`receive`).
        unsafe { slice::from_raw_parts(self.storage.as_ptr().cast(), self.len) }
    }

    /// `sa_family`, or `None` for the empty address of an unnamed peer.
    pub fn family(&self) -> Option<u16> {
        Some(u16::from_ne_bytes(*self.as_bytes().first_chunk()?))
    }

    /// The address, if its family is IPv4 or IPv6.
    pub fn to_ip(&self) -> Option<SocketAddr> {
        let bytes = self.as_bytes();
        let field = |at: usize| bytes.get(at..);
        let port = u16::from_be_bytes(*field(2)?.first_chunk()?);
        match self.family()? {
            AF_INET => {
                let ip = Ipv4Addr::from(*field(4)?.first_chunk::<4>()?);
                Some(SocketAddrV4::new(ip, port).into())
            }
            AF_INET6 => {
                let flowinfo = u32::from_be_bytes(*field(4)?.first_chunk()?);
                let ip = Ipv6Addr::from(*field(8)?.first_chunk::<16>()?);
                let scope_id = u32::from_ne_bytes(*field(24)?.first_chunk()?);
                Some(SocketAddrV6::new(ip, port, flowinfo, scope_id).into())
            }
            _ => None,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.storage[self.len].write(byte);
            self.len += 1;
        }
    }

    /// Lets a call write an address: `call` gets where to, and where the length
    /// stands that goes in as the room and comes back as the address's own.
    #[inline]
    fn receive<T>(
        call: impl FnOnce(*mut MaybeUninit<u8>, *mut u32) -> Result<T>,
    ) -> Result<(T, Self)> {
        let mut addr = Self::EMPTY;
        let mut len = STORAGE as u32;
        let value = call(addr.storage.as_mut_ptr(), &mut len)?;
        // The kernel cuts an address that does not fit, and says its full length.
        addr.len = STORAGE.min(len as usize);
        Ok((value, addr))
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(addr: SocketAddr) -> Self {
        let mut raw = Self::EMPTY;
        match addr {
            SocketAddr::V4(addr) => {
                raw.push(&AF_INET.to_ne_bytes());
                raw.push(&addr.port().to_be_bytes());
                raw.push(&addr.ip().octets());
                raw.push(&[0; 8]);
                debug_assert_eq!(raw.len, SOCKADDR_IN);
            }
            SocketAddr::V6(addr) => {
                raw.push(&AF_INET6.to_ne_bytes());
                raw.push(&addr.port().to_be_bytes());
                raw.push(&addr.flowinfo().to_be_bytes());
                raw.push(&addr.ip().octets());
                raw.push(&addr.scope_id().to_ne_bytes());
                debug_assert_eq!(raw.len, SOCKADDR_IN6);
            }
        }
        raw
    }
}

impl fmt::Debug for SockAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_ip() {
            Some(addr) => addr.fmt(f),
            None => f.debug_tuple("SockAddr").field(&self.as_bytes()).finish(),
        }
    }
}

/// `socket(domain, type, protocol)`: opens a socket.
///
/// See [socket(2)](https://man7.org/linux/man-pages/man2/socket.2.html).
///
/// # Errors
///
/// - `EAFNOSUPPORT`: the system does not do this family (IPv6 switched off).
/// - `EINVAL`, `EPROTONOSUPPORT`: no such type or protocol.
/// - `EACCES`, `EPERM`: not allowed.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENOBUFS`, `ENOMEM`: the kernel has no memory for it.
#[inline]
pub fn socket(domain: u16, r#type: i32, protocol: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let ret = unsafe { call!(socket, domain, r#type, protocol) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// `bind(sockfd, addr, addrlen)`: gives the socket its own address.
///
/// See [bind(2)](https://man7.org/linux/man-pages/man2/bind.2.html).
///
/// # Errors
///
/// - `EADDRINUSE`: another socket has that address, or no port is free.
/// - `EADDRNOTAVAIL`: no interface of this machine has that address.
/// - `EACCES`: a port below 1024 without `CAP_NET_BIND_SERVICE`.
/// - `EINVAL`: the socket is bound already, or the address is of another family.
/// - `EAFNOSUPPORT`: as the latter.
/// - `ENOTSOCK`: not a socket.
pub fn bind(fd: BorrowedFd<'_>, addr: &SockAddr) -> Result<()> {
    let bytes = addr.as_bytes();
    // SAFETY: the kernel reads `len` bytes, all inside `addr`, before it returns.
    unsafe { call!(bind, fd.as_raw_fd(), bytes.as_ptr(), bytes.len()) }?;
    Ok(())
}

/// `listen(sockfd, backlog)`: accepts connections; at most `backlog` of them
/// wait to be taken (`/proc/sys/net/core/somaxconn` bounds it).
///
/// See [listen(2)](https://man7.org/linux/man-pages/man2/listen.2.html).
///
/// # Errors
///
/// - `EADDRINUSE`: another socket listens there, or no port is free.
/// - `EOPNOTSUPP`: not a socket that can listen.
/// - `ENOTSOCK`: not a socket.
pub fn listen(fd: BorrowedFd<'_>, backlog: i32) -> Result<()> {
    // SAFETY: the call takes no pointer.
    unsafe { call!(listen, fd.as_raw_fd(), backlog) }?;
    Ok(())
}

/// `accept4(sockfd, addr, addrlen, flags)`: takes the next connection that waits,
/// and the peer's address.
///
/// See [accept(2)](https://man7.org/linux/man-pages/man2/accept.2.html).
/// Linux 2.6.28.
///
/// # Errors
///
/// - `EAGAIN`: none waits, and the listener is non-blocking.
/// - `ECONNABORTED` and the network's errors (`EPROTO`, `ENETDOWN`, …): the one
///   that waited is lost; the next call takes the next one.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left. The
///   connection goes on waiting.
/// - `EINTR`: a signal was handled.
/// - `EINVAL`: not listening, or an unknown flag.
/// - `ENOBUFS`, `ENOMEM`: the kernel has no memory for it.
/// - `ENOTSOCK`, `EOPNOTSUPP`: not a listening stream socket.
#[doc(alias = "accept")]
#[inline]
pub fn accept4(fd: BorrowedFd<'_>, flags: i32) -> Result<(OwnedFd, SockAddr)> {
    let (ret, addr) = SockAddr::receive(|addr, len| {
        // SAFETY: the kernel reads `len`, writes at most that many bytes from
        // `addr` on, and writes `len`, all before it returns.
        unsafe { call!(accept4, fd.as_raw_fd(), addr, len, flags) }
    })?;
    // SAFETY: the kernel has just opened it.
    Ok((unsafe { own(ret) }, addr))
}

/// `connect(sockfd, addr, addrlen)`: connects; a non-blocking socket answers
/// `EINPROGRESS`, becomes writable when the outcome is known, and tells it by
/// [`SO_ERROR`].
///
/// See [connect(2)](https://man7.org/linux/man-pages/man2/connect.2.html).
///
/// # Errors
///
/// - `EINPROGRESS`: under way. `EALREADY`: still under way.
/// - `ECONNREFUSED`: nobody listens there.
/// - `ENETUNREACH`, `EHOSTUNREACH`: no way leads there.
/// - `ETIMEDOUT`: nobody answered.
/// - `EADDRNOTAVAIL`: no local port is free.
/// - `EISCONN`: connected already.
/// - `EAFNOSUPPORT`: an address of another family.
/// - `EACCES`, `EPERM`: a firewall, or a broadcast address.
/// - `EINTR`: a signal was handled; the connecting goes on.
/// - `ENOTSOCK`: not a socket.
pub fn connect(fd: BorrowedFd<'_>, addr: &SockAddr) -> Result<()> {
    let bytes = addr.as_bytes();
    // SAFETY: the kernel reads `len` bytes, all inside `addr`, before it returns.
    unsafe { call!(connect, fd.as_raw_fd(), bytes.as_ptr(), bytes.len()) }?;
    Ok(())
}

/// `getsockname(sockfd, addr, addrlen)`: the socket's own address.
///
/// See [getsockname(2)](https://man7.org/linux/man-pages/man2/getsockname.2.html).
///
/// # Errors
///
/// - `ENOTSOCK`: not a socket.
/// - `ENOBUFS`: the kernel has no memory for it.
pub fn getsockname(fd: BorrowedFd<'_>) -> Result<SockAddr> {
    let (_, addr) = SockAddr::receive(|addr, len| {
        // SAFETY: as in `accept4`.
        unsafe { call!(getsockname, fd.as_raw_fd(), addr, len) }
    })?;
    Ok(addr)
}

/// `getpeername(sockfd, addr, addrlen)`: the address of the other end.
///
/// See [getpeername(2)](https://man7.org/linux/man-pages/man2/getpeername.2.html).
///
/// # Errors
///
/// - `ENOTCONN`: not connected.
/// - `ENOTSOCK`: not a socket.
/// - `ENOBUFS`: the kernel has no memory for it.
pub fn getpeername(fd: BorrowedFd<'_>) -> Result<SockAddr> {
    let (_, addr) = SockAddr::receive(|addr, len| {
        // SAFETY: as in `accept4`.
        unsafe { call!(getpeername, fd.as_raw_fd(), addr, len) }
    })?;
    Ok(addr)
}

/// `getsockopt(sockfd, level, optname, optval, optlen)` for an option that is an
/// `int`. (Options that hold pointers could not be safe functions.)
///
/// See [getsockopt(2)](https://man7.org/linux/man-pages/man2/getsockopt.2.html).
///
/// # Errors
///
/// - `ENOPROTOOPT`: no such option at this level.
/// - `EINVAL`: the option is not an `int`.
/// - `ENOTSOCK`: not a socket.
pub fn getsockopt_int(fd: BorrowedFd<'_>, level: i32, optname: i32) -> Result<i32> {
    // A shorter option leaves the rest of the bytes as they are.
    let mut value = 0i32;
    let mut len = mem::size_of::<i32>() as u32;
    let (optval, optlen) = (ptr::from_mut(&mut value), ptr::from_mut(&mut len));
    // SAFETY: the kernel reads `len`, writes at most that many bytes into `value`,
    // and writes `len`, all before it returns; any bytes are a valid `i32`.
    unsafe { call!(getsockopt, fd.as_raw_fd(), level, optname, optval, optlen) }?;
    Ok(value)
}

/// `setsockopt(sockfd, level, optname, optval, optlen)` for an option that is an
/// `int`.
///
/// See [setsockopt(2)](https://man7.org/linux/man-pages/man2/setsockopt.2.html).
///
/// # Errors
///
/// - `ENOPROTOOPT`: no such option at this level.
/// - `EINVAL`: the option is not an `int`, or does not take this value.
/// - `EPERM`, `EACCES`: not allowed.
/// - `ENOTSOCK`: not a socket.
pub fn setsockopt_int(fd: BorrowedFd<'_>, level: i32, optname: i32, value: i32) -> Result<()> {
    let optval = ptr::from_ref(&value);
    // SAFETY: the kernel reads the four bytes of `value` before it returns.
    unsafe {
        call!(
            setsockopt,
            fd.as_raw_fd(),
            level,
            optname,
            optval,
            mem::size_of::<i32>()
        )
    }?;
    Ok(())
}

/// `sendto(sockfd, buf, len, flags, NULL, 0)`: sends on a connected socket, and
/// returns how many bytes it took.
///
/// See [send(2)](https://man7.org/linux/man-pages/man2/send.2.html).
///
/// # Errors
///
/// - `EAGAIN`: the socket is non-blocking and its buffer full.
/// - `EPIPE`: the stream is shut down; without [`MSG_NOSIGNAL`] that raises
///   `SIGPIPE`.
/// - `ECONNRESET`: the peer has reset the connection.
/// - `ENOTCONN`, `EDESTADDRREQ`: not connected.
/// - `EINTR`: a signal was handled before anything was sent.
/// - `ENOTSOCK`: not a socket.
/// - `ENOBUFS`, `ENOMEM`: the kernel has no memory for it.
#[doc(alias = "send")]
#[inline]
pub fn sendto(fd: BorrowedFd<'_>, buf: &[u8], flags: i32) -> Result<usize> {
    // SAFETY: the kernel reads at most `len` bytes, all inside `buf`, before it
    // returns, and a null address tells it to read no address.
    unsafe { call!(sendto, fd.as_raw_fd(), buf.as_ptr(), buf.len(), flags, 0, 0) }
}

/// `shutdown(sockfd, how)`: ends reading, writing, or both.
///
/// See [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html).
///
/// # Errors
///
/// - `ENOTCONN`: not connected.
/// - `EINVAL`: `how` is none of the three.
/// - `ENOTSOCK`: not a socket.
pub fn shutdown(fd: BorrowedFd<'_>, how: i32) -> Result<()> {
    // SAFETY: the call takes no pointer.
    unsafe { call!(shutdown, fd.as_raw_fd(), how) }?;
    Ok(())
}
