//! TCP over the loopback interface.

use super::queue::{expect_event, watching};
use epore::Interest;
use epore::net::{TcpListener, TcpStream};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Any free port of IPv4.
pub const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The loopback addresses of this machine: IPv6 may be switched off.
pub fn addresses() -> Vec<SocketAddr> {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let mut addresses = vec![V4];
    match TcpListener::bind(v6) {
        Ok(_) => addresses.push(v6),
        Err(error) => super::left_out("TCP over IPv6", error),
    }
    addresses
}

/// The two ends of a connection, and its listener.
pub fn connected(addr: SocketAddr) -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind(addr).expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("its port")).expect("a client");
    let server = accept(&listener);
    assert!(expect_event(&mut watching(&client, Interest::WRITABLE)).is_writable());
    assert_eq!(client.take_error().expect("an outcome"), None);
    (client, server, listener)
}

pub fn pair() -> (TcpStream, TcpStream) {
    let (client, server, _listener) = connected(V4);
    (client, server)
}

/// Waits for the next connection.
pub fn accept(listener: &TcpListener) -> TcpStream {
    readable(listener);
    listener.accept().expect("a connection").0
}

/// Waits until there is something to read, or to accept.
pub fn readable(source: &impl std::os::fd::AsFd) -> epore::Event {
    expect_event(&mut watching(source, Interest::READABLE))
}
