//! The sockets of one machine: what streams and datagrams have in common.

mod addr;
mod datagram;
mod stream;

pub use addr::UnixAddr;
pub use datagram::UnixDatagram;
pub use stream::{UnixListener, UnixStream};

use super::{BACKLOG, IoSlice, IoSliceMut, Shutdown, open, pending_error};
use crate::fd::{AsFd, OwnedFd};
use crate::sys::{self, AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK};
use crate::{Errno, Error, Result};

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
