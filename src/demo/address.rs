//! Addresses as people write them.

use super::text::{Draft, Text};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longer than any address.
pub const ROOM: usize = 80;

/// Reads `ADDR:PORT`, where an IPv6 address stands in brackets and `localhost` for
/// 127.0.0.1.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(text: &str) -> Result<SocketAddr, &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("there is no :PORT")?;
    let has_digits_only = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|_| has_digits_only);
    let port = port.ok_or("the port is not a number from 0 to 65535")?;
    let ip = match host {
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => match host.strip_prefix('[') {
            Some(rest) => {
                parse_in_brackets(rest).ok_or("what is in brackets is not an IPv6 address")?
            }
            None if host.contains(':') => return Err("an IPv6 address stands in brackets"),
            None => IpAddr::V4(host.parse().map_err(
                |_| "the host is not an IPv4 address, an IPv6 address in brackets, or localhost",
            )?),
        },
    };
    Ok(SocketAddr::new(ip, port))
}

/// Reads an IPv6 address and the bracket that ends it.
fn parse_in_brackets(text: &str) -> Option<IpAddr> {
    let address: Ipv6Addr = text.strip_suffix(']')?.parse().ok()?;
    Some(address.into())
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
