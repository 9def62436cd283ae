//! What is waited for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// One that is not ready, and is never in the way of a write.
pub fn eventfd() -> OwnedFd {
    eventfd_of(0)
}

/// One that is ready, for ever.
pub fn ready() -> OwnedFd {
    eventfd_of(1)
}

fn eventfd_of(count: u32) -> OwnedFd {
    // SAFETY: the call takes no pointer.
    let fd = unsafe { libc::eventfd(count, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0, "eventfd: {}", io::Error::last_os_error());
    // SAFETY: it was opened just now.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// One end of a conversation.
pub struct End {
    pub input: File,
    pub output: File,
}

impl End {
    /// Reads what there is, and says how much it was.
    pub fn read(&self) -> usize {
        let count = (&self.input).read(&mut [0; 64]).expect("the other end");
        assert!(count > 0, "the other end is closed");
        count
    }

    pub fn write(&self, count: usize) {
        let count = (&self.output).write(&[0; 64][..count]);
        assert!(count.expect("the other end") > 0);
    }
}

pub fn sockets() -> (End, End) {
    let (one, other) = UnixStream::pair().expect("a pair of sockets");
    let end = |socket: UnixStream| End {
        input: OwnedFd::from(socket.try_clone().expect("a descriptor")).into(),
        output: OwnedFd::from(socket).into(),
    };
    (end(one), end(other))
}

pub fn pipe() -> End {
    let (reader, writer) = io::pipe().expect("a pipe");
    End {
        input: OwnedFd::from(reader).into(),
        output: OwnedFd::from(writer).into(),
    }
}

pub fn pipes() -> (End, End) {
    let (mut one, mut other) = (pipe(), pipe());
    std::mem::swap(&mut one.output, &mut other.output);
    (one, other)
}

/// Connections over the loopback interface, this end and that.
pub fn connections(count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    (0..count)
        .map(|_| {
            let client = TcpStream::connect(address).expect("a listener");
            let (server, _) = listener.accept().expect("a client");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("TCP_NODELAY");
            }
            (client, server)
        })
        .unzip()
}

/// Raises the limit on descriptors as far as that is allowed, and returns it.
pub fn raise_limit() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is written before the call returns.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    assert_eq!(known, 0, "getrlimit: {}", io::Error::last_os_error());
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the limit is read before the call returns.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } == 0;
    (if raised { limit.rlim_max } else { before }) as usize
}
