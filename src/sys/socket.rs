//! Sockets: one function per system call.

use core::ptr;

use syscalls::Sysno;

use super::fd::{AsRawFd, BorrowedFd, OwnedFd};
use super::{Result, SockAddr, number, own};
use crate::{Errno, Error};

/// For [`socket`]: a byte stream; TCP, among internet sockets.
pub const SOCK_STREAM: i32 = 1;
/// For [`socket`]: messages of a length each; UDP, among internet sockets.
pub const SOCK_DGRAM: i32 = 2;
/// For [`socket`] and [`accept4`]: answer `EAGAIN` where a call would block.
pub const SOCK_NONBLOCK: i32 = 0o4000;
/// For [`socket`] and [`accept4`]: close it on `execve`.
pub const SOCK_CLOEXEC: i32 = 0o2000000;

/// For [`sendto`] and [`sendmsg`](super::sendmsg): `EPIPE` alone, no `SIGPIPE`, when
/// the peer is gone.
pub const MSG_NOSIGNAL: i32 = 0x4000;
/// The flags that [`sendto`] and [`sendmsg`](super::sendmsg) pass on. With each of them the
/// kernel copies the data before the call returns.
const SEND_FLAGS: i32 = 0x01 // MSG_OOB
    | 0x04 // MSG_DONTROUTE
    | 0x40 // MSG_DONTWAIT
    | 0x80 // MSG_EOR
    | 0x800 // MSG_CONFIRM
    | MSG_NOSIGNAL
    | 0x8000 // MSG_MORE
    | 0x4_0000 // MSG_BATCH
    | 0x2000_0000; // MSG_FASTOPEN

const MSG_ZEROCOPY: i32 = 0x400_0000;

/// Refuses flags that `send` does not pass on to the kernel, in the name of `call`.
#[inline]
pub(super) fn check_send_flags(call: Sysno, flags: i32) -> Result<()> {
    if flags & !SEND_FLAGS == 0 {
        return Ok(());
    }
    let reason = match flags & MSG_ZEROCOPY {
        0 => "not a flag of send(2)",
        _ => "with MSG_ZEROCOPY the kernel would read the memory after the call has returned",
    };
    Err(Error::new(call, Errno::EINVAL).because(reason))
}

/// For [`recvfrom`]: what is read stays to be read again.
pub const MSG_PEEK: i32 = 0x02;
/// For [`recvfrom`]: return the whole length of a message that was cut.
pub const MSG_TRUNC: i32 = 0x20;

/// For [`shutdown`]: end reading.
pub const SHUT_RD: i32 = 0;
/// For [`shutdown`]: end writing; the peer reads the end of the stream.
pub const SHUT_WR: i32 = 1;
/// For [`shutdown`]: end both.
pub const SHUT_RDWR: i32 = 2;

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

/// `socketpair(domain, type, protocol, sv)`: opens two sockets that are connected to
/// each other. Linux does this for `AF_UNIX` alone.
///
/// See [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html).
///
/// # Errors
///
/// - `EOPNOTSUPP`, `EAFNOSUPPORT`: not for this family.
/// - `EINVAL`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`: no such type or protocol.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no two descriptors left.
/// - `ENOBUFS`, `ENOMEM`: the kernel has no memory for it.
#[inline]
pub fn socketpair(domain: u16, r#type: i32, protocol: i32) -> Result<(OwnedFd, OwnedFd)> {
    let mut sv = [0i32; 2];
    // SAFETY: the kernel writes two `int`s into `sv` before it returns.
    unsafe { call!(socketpair, domain, r#type, protocol, sv.as_mut_ptr()) }?;
    let [one, other] = sv.map(|fd| fd as usize);
    // SAFETY: the kernel has just opened it.
    let one = unsafe { own(one) };
    // SAFETY: and this one.
    let other = unsafe { own(other) };
    Ok((one, other))
}

/// `bind(sockfd, addr, addrlen)`: gives the socket its own address.
///
/// See [bind(2)](https://man7.org/linux/man-pages/man2/bind.2.html).
///
/// # Errors
///
/// - `EADDRINUSE`: another socket has that address, no port is free, or the path exists.
/// - `EADDRNOTAVAIL`: no interface of this machine has that address.
/// - `EACCES`: a port below 1024 without `CAP_NET_BIND_SERVICE`, or a directory that
///   may not be written to.
/// - `ENOENT`, `ENOTDIR`, `ELOOP`, `EROFS`: a path that cannot be made.
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
/// [`SO_ERROR`](super::SO_ERROR).
///
/// See [connect(2)](https://man7.org/linux/man-pages/man2/connect.2.html).
///
/// # Errors
///
/// - `EINPROGRESS`: under way. `EALREADY`: still under way.
/// - `EAGAIN`: as many as may wait for a Unix listener do wait.
/// - `ECONNREFUSED`: nobody listens there.
/// - `ENOENT`: no such path.
/// - `ENETUNREACH`, `EHOSTUNREACH`: no way leads there.
/// - `ETIMEDOUT`: nobody answered.
/// - `EADDRNOTAVAIL`: no local port is free.
/// - `EISCONN`: connected already.
/// - `EAFNOSUPPORT`: an address of another family.
/// - `EACCES`, `EPERM`: a firewall, a broadcast address, or no right to the path.
/// - `EPROTOTYPE`: a Unix socket of another type.
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

/// `sendto(sockfd, buf, len, flags, dest_addr, addrlen)`: sends to `dest_addr`, or to
/// the peer of a connected socket, and returns how many bytes it took.
///
/// See [send(2)](https://man7.org/linux/man-pages/man2/send.2.html).
///
/// # Errors
///
/// - `EAGAIN`: the socket is non-blocking and its buffer, or that of a Unix socket's
///   receiver, full.
/// - `EPIPE`: the stream is shut down; without [`MSG_NOSIGNAL`] that raises
///   `SIGPIPE`.
/// - `EMSGSIZE`: longer than a message can be.
/// - `ECONNREFUSED`, `ECONNRESET`: the peer is gone.
/// - `ENOTCONN`, `EDESTADDRREQ`: neither connected nor an address given.
/// - `EISCONN`: a stream takes no address.
/// - `EINVAL`, `EAFNOSUPPORT`: an address that does not suit the socket.
/// - `EINVAL`: `flags` holds `MSG_ZEROCOPY`, with which the kernel would read `buf` after the
///   call has returned, or a bit that is not a flag of this call. The call is not made.
/// - `ENOENT`, `EACCES`: no such path, or no right to write to it. `EACCES` also: a
///   broadcast address without `SO_BROADCAST`.
/// - `ENETUNREACH`, `EHOSTUNREACH`: no way leads there.
/// - `EPERM`: a firewall of this machine drops it.
/// - `EINTR`: a signal was handled before anything was sent.
/// - `ENOTSOCK`: not a socket.
/// - `ENOBUFS`, `ENOMEM`: the kernel has no memory for it.
#[doc(alias = "send")]
#[inline]
pub fn sendto(
    fd: BorrowedFd<'_>,
    buf: &[u8],
    flags: i32,
    dest_addr: Option<&SockAddr>,
) -> Result<usize> {
    check_send_flags(number::sendto, flags)?;
    let (addr, len) = match dest_addr.map(SockAddr::as_bytes) {
        Some(bytes) => (bytes.as_ptr(), bytes.len()),
        None => (ptr::null(), 0),
    };
    let (start, count) = (buf.as_ptr(), buf.len());
    // SAFETY: before it returns, the kernel reads at most `count` bytes, all inside
    // `buf`, and `len` bytes of the address; a null address tells it to read none.
    unsafe {
        count!(
            sendto,
            count,
            fd.as_raw_fd(),
            start,
            count,
            flags,
            addr,
            len
        )
    }
}

/// `recvfrom(sockfd, buf, len, flags, src_addr, addrlen)`: receives into `buf`; returns
/// how many bytes, and where they came from. 0 is the end of a stream, or an empty
/// message.
///
/// A message that is longer than `buf` is cut, and its rest lost; with [`MSG_TRUNC`] the
/// count is what its length was. A stream, and a Unix socket without a name, give an
/// empty address.
///
/// See [recv(2)](https://man7.org/linux/man-pages/man2/recv.2.html).
///
/// # Errors
///
/// - `EAGAIN`: the socket is non-blocking and nothing is there.
/// - `ECONNREFUSED`: a message that was sent reached nobody; asking clears it.
/// - `ECONNRESET`: the peer has reset the connection.
/// - `ENOTCONN`: a stream that is not connected.
/// - `EINTR`: a signal was handled before anything came.
/// - `ENOTSOCK`: not a socket.
/// - `ENOMEM`: the kernel has no memory for it.
#[doc(alias = "recv")]
#[inline]
pub fn recvfrom(fd: BorrowedFd<'_>, buf: &mut [u8], flags: i32) -> Result<(usize, SockAddr)> {
    let (start, count) = (buf.as_mut_ptr(), buf.len());
    let most = match flags & MSG_TRUNC {
        0 => count,
        // The length that the message had.
        _ => isize::MAX as usize,
    };
    SockAddr::receive(|addr, len| {
        // SAFETY: before it returns, the kernel writes at most `count` bytes, all
        // inside `buf`; and it reads `len`, writes at most that many bytes from
        // `addr` on, and writes `len`.
        unsafe {
            count!(
                recvfrom,
                most,
                fd.as_raw_fd(),
                start,
                count,
                flags,
                addr,
                len
            )
        }
    })
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
