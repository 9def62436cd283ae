//! Addresses of Unix sockets at the limit of their length.

use crate::common;

use common::path::Fresh;
use common::tcp;
use epore::fd::{AsFd, OwnedFd};
use epore::net::{UnixAddr, UnixDatagram, UnixListener, UnixStream};
use epore::sys::{self, SockAddr};
use std::os::unix::net as std_unix;

/// The longest path that an address can hold, and one that is a byte shorter.
const LENGTHS: [usize; 2] = [108, 107];

/// A path of this length, that no other test uses.
fn path(length: usize) -> (Fresh, Vec<u8>) {
    let fresh = Fresh::new();
    let mut path = AsRef::<[u8]>::as_ref(&fresh).to_vec();
    assert!(path.len() < 100, "{}", path.escape_ascii());
    path.resize(length, b'p');
    (fresh, path)
}

/// A socket that is bound to exactly these bytes of `sun_path`.
fn bound(sun_path: &[u8], kind: i32) -> OwnedFd {
    let socket = sys::socket(sys::AF_UNIX, kind | sys::SOCK_CLOEXEC, 0).unwrap();
    sys::bind(socket.as_fd(), &SockAddr::unix(sun_path).unwrap()).unwrap();
    socket
}

/// Every address that a peer gives is one that it can be reached at.
fn is_answered(sun_path: &[u8], is_the_name: impl Fn(&UnixAddr) -> bool) {
    // Datagrams: `recvfrom`, `getsockname` and `getpeername`.
    let peer = UnixDatagram::from(bound(sun_path, sys::SOCK_DGRAM));
    let server = UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap();
    peer.send_to_addr(b"ping", &server.local_addr().unwrap())
        .unwrap();
    tcp::readable(&server);
    let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
    let own = peer.local_addr().unwrap();
    server.connect_addr(&from).unwrap();
    let connected = server.peer_addr().unwrap();
    for addr in [from, own, connected] {
        assert!(is_the_name(&addr), "{addr:?}");
        assert_eq!(server.send_to_addr(b"pong", &addr).unwrap(), 4, "{addr:?}");
        let mut buf = [0; 8];
        assert_eq!(peer.recv(&mut buf).unwrap(), 4);
    }
    let clone = std_unix::UnixDatagram::from(peer);
    let back = UnixAddr::try_from(&clone.local_addr().unwrap()).unwrap();
    assert!(is_the_name(&back), "{back:?}");
    server.send_to_addr(b"pong", &back).unwrap();
}

/// The same of streams: `accept`, `getsockname` and `getpeername`.
fn is_connected_to(sun_path: &[u8], is_the_name: impl Fn(&UnixAddr) -> bool) {
    let listener = bound(sun_path, sys::SOCK_STREAM);
    sys::listen(listener.as_fd(), 5).unwrap();
    let listener = UnixListener::from(listener);
    let own = listener.local_addr().unwrap();
    assert!(is_the_name(&own), "{own:?}");
    let client = UnixStream::connect_addr(&own).unwrap();
    let there = client.peer_addr().unwrap();
    assert!(is_the_name(&there), "{there:?}");
    let again = UnixStream::connect_addr(&there).unwrap();
    assert!(is_the_name(&again.peer_addr().unwrap()));
}

/// And of a client that has bound itself to the name.
fn is_known_where_it_connects(sun_path: &[u8], is_the_name: impl Fn(&UnixAddr) -> bool) {
    let listener = UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
    let client = bound(sun_path, sys::SOCK_STREAM);
    let addr = sys::getsockname(listener.as_fd()).unwrap();
    sys::connect(client.as_fd(), &addr).unwrap();
    let (server, peer) = listener.accept().unwrap();
    for addr in [peer, server.peer_addr().unwrap()] {
        assert!(is_the_name(&addr), "{addr:?}");
        assert!(SockAddr::unix(sun_path).is_some());
    }
}

#[test]
fn a_peer_at_a_path_that_fills_the_address_is_answered() {
    for length in LENGTHS {
        for check in [0, 1, 2] {
            let (_fresh, path) = path(length);
            let is_path = |addr: &UnixAddr| {
                addr.as_pathname() == Some(&path)
                    && addr.as_path().unwrap().as_os_str().len() == length
                    && addr.as_abstract_name().is_none()
            };
            match check {
                0 => is_answered(&path, is_path),
                1 => is_connected_to(&path, is_path),
                _ => is_known_where_it_connects(&path, is_path),
            }
            let _ = std::fs::remove_file(std::str::from_utf8(&path).unwrap());
        }
    }
}

#[test]
fn a_peer_at_an_abstract_name_of_full_length_is_answered() {
    for (check, length) in [(0, 107), (1, 107), (2, 107), (0, 3), (0, 1)] {
        let mut name = format!("\0{}{check}", std::process::id()).into_bytes();
        name.resize(length + 1, b'n');
        // Zeros belong to a name.
        if length > 100 {
            name[length] = 0;
        }
        let is_name = |addr: &UnixAddr| {
            addr.as_abstract_name() == Some(&name[1..]) && addr.as_pathname().is_none()
        };
        match check {
            0 => is_answered(&name, is_name),
            1 => is_connected_to(&name, is_name),
            _ => is_known_where_it_connects(&name, is_name),
        }
    }
}

#[test]
fn no_address_is_longer_than_the_kernel_takes() {
    let (_fresh, path) = path(108);
    let socket = bound(&path, sys::SOCK_DGRAM);
    let addr = sys::getsockname(socket.as_fd()).unwrap();
    assert_eq!(addr.as_bytes().len(), 110);
    assert_eq!(addr.sun_path(), Some(&path[..]));
    let addr = UnixDatagram::from(socket).local_addr().unwrap();
    let into_std = std_unix::SocketAddr::try_from(addr).unwrap_err();
    assert_eq!(into_std.kind(), std::io::ErrorKind::InvalidInput);
    let _ = std::fs::remove_file(std::str::from_utf8(&path).unwrap());

    let unnamed = UnixDatagram::unbound().unwrap();
    let addr = unnamed.local_addr().unwrap();
    assert!(addr.is_unnamed(), "{addr:?}");
}
