//! Addresses as people write them.

use super::scan;
use super::text::{Draft, Text};
use core::mem;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longer than any address.
pub const ROOM: usize = 80;

/// Reads `ADDR:PORT`, where an IPv6 address stands in brackets and `localhost` for
/// 127.0.0.1.
///
/// `core` parses addresses too, in four times the space.
pub fn parse(text: &str) -> Option<SocketAddr> {
    let text = text.as_bytes();
    let colon = text.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = (text.get(..colon)?, text.get(colon + 1..)?);
    let port = u16::try_from(scan::number(port, 10)?).ok()?;
    Some(match host {
        b"localhost" => (Ipv4Addr::LOCALHOST, port).into(),
        [b'[', address @ .., b']'] => (parse_ipv6(address)?, port).into(),
        address => (parse_ipv4(address)?, port).into(),
    })
}

fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = Some(text);
    for octet in &mut octets {
        let (number, after) = scan::split(rest?, b'.');
        // Some read an octet with a zero in front as octal.
        if number.len() > 1 && number.starts_with(b"0") {
            return None;
        }
        *octet = u8::try_from(scan::number(number, 10)?).ok()?;
        rest = after;
    }
    rest.is_none().then_some(octets.into())
}

fn parse_ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0; 8];
    let mut length = 0;
    // Where `::` stands for as many zeros as are missing.
    let mut gap = None;
    let mut rest = Some(text);
    if let Some(after) = text.strip_prefix(b"::") {
        gap = Some(0);
        rest = (!after.is_empty()).then_some(after);
    }
    while let Some(text) = rest {
        let (group, after) = scan::split(text, b':');
        if group.is_empty() || group.len() > 4 {
            return None;
        }
        *groups.get_mut(length)? = u16::try_from(scan::number(group, 16)?).ok()?;
        length += 1;
        rest = after;
        if let Some(after) = after.and_then(|after| after.strip_prefix(b":")) {
            if gap.replace(length).is_some() {
                return None;
            }
            rest = (!after.is_empty()).then_some(after);
        }
    }
    if let Some(gap) = gap {
        // At least one group is missing. What stands behind the gap belongs to the end.
        let missing = groups
            .len()
            .checked_sub(length)
            .filter(|missing| *missing > 0)?;
        for at in (gap..length).rev() {
            *groups.get_mut(at + missing)? = mem::take(groups.get_mut(at)?);
        }
        length = groups.len();
    }
    (length == groups.len()).then_some(groups.into())
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
