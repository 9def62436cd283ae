//! Addresses as people write them.

use super::text::{Draft, Text};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longer than any address.
pub const ROOM: usize = 80;

/// Reads `ADDR:PORT`, where `localhost` stands for 127.0.0.1.
pub fn parse(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into()),
        None => text.parse().ok(),
    }
}

/// Writes it as [`parse`] reads it.
pub fn write(text: &mut Draft<'_>, address: SocketAddr) {
    match address {
        SocketAddr::V4(address) => {
            let mut separator: &[u8] = b"";
            for octet in address.ip().octets() {
                text.put(separator);
                text.number(octet.into());
                separator = b".";
            }
        }
        SocketAddr::V6(address) => {
            text.put(b"[");
            write_ipv6(text, address.ip());
            if address.scope_id() != 0 {
                text.put(b"%");
                text.number(address.scope_id().into());
            }
            text.put(b"]");
        }
    }
    text.put(b":");
    text.number(address.port().into());
}

/// By RFC 5952: the longest run of zeros, if longer than one, becomes `::`.
fn write_ipv6(text: &mut Draft<'_>, address: &Ipv6Addr) {
    let groups = address.segments();
    let zeros = |from: usize| {
        let run = groups.iter().skip(from).take_while(|group| **group == 0);
        run.count()
    };
    let (mut start, mut length) = (groups.len(), 1);
    for from in 0..groups.len() {
        if zeros(from) > length {
            (start, length) = (from, zeros(from));
        }
    }
    for (at, group) in groups.iter().enumerate() {
        if at == start {
            text.put(b"::");
        } else if at < start || at >= start + length {
            if at != 0 && at != start + length {
                text.put(b":");
            }
            write_hexadecimal(text, *group);
        }
    }
}

fn write_hexadecimal(text: &mut Draft<'_>, number: u16) {
    let mut shift = 12;
    while shift > 0 && number >> shift == 0 {
        shift -= 4;
    }
    loop {
        let digit = (number >> shift & 0xf) as u8;
        text.put(&[digit + if digit < 10 { b'0' } else { b'a' - 10 }]);
        if shift == 0 {
            return;
        }
        shift -= 4;
    }
}
