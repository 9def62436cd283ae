//! Socket addresses as the kernel takes and returns them.

use core::fmt;
use core::mem::MaybeUninit;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use core::slice;

use super::Result;

/// Address family: Unix sockets, on this machine.
pub const AF_UNIX: u16 = 1;
/// Address family: IPv4.
pub const AF_INET: u16 = 2;
/// Address family: IPv6.
pub const AF_INET6: u16 = 10;

/// `sizeof(struct sockaddr_storage)`, the longest address there is.
const STORAGE: usize = 128;
const SOCKADDR_IN: usize = 16;
const SOCKADDR_IN6: usize = 28;
const SOCKADDR_UN: usize = 2 + SUN_PATH;
/// The length of `sun_path` in a `struct sockaddr_un`.
pub const SUN_PATH: usize = 108;

/// A socket address of any family, as the kernel takes and returns it.
///
/// The flow information of an IPv6 address is in network byte order in the kernel's
/// `sin6_flowinfo`. Here, [`SocketAddrV6::flowinfo`] is its value, as for the port, so
/// `0x000a_bcde` is the flow label `0xabcde`. std stores the number in the machine's byte
/// order instead: on a little-endian machine the same address has its four bytes
/// reversed in `std::net`'s sockets.
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

    /// The address of a Unix socket, with `name` as its `sun_path`, byte by byte: a path
    /// and a NUL, a NUL and an abstract name, or nothing. `None` if it does not fit the
    /// 108 bytes.
    ///
    /// ```
    /// use epore::sys::{AF_UNIX, SockAddr};
    ///
    /// let raw = SockAddr::unix(b"/run/a\0").unwrap();
    /// assert_eq!(raw.family(), Some(AF_UNIX));
    /// assert_eq!(raw.sun_path(), Some(&b"/run/a\0"[..]));
    /// assert!(SockAddr::unix(&[b'a'; 109]).is_none());
    /// ```
    #[doc(alias = "sockaddr_un")]
    pub fn unix(name: &[u8]) -> Option<Self> {
        if name.len() > SUN_PATH {
            return None;
        }
        let mut raw = Self::EMPTY;
        raw.push(&AF_UNIX.to_ne_bytes());
        raw.push(name);
        Some(raw)
    }

    /// The bytes of `sun_path`, at most 108, if this is the address of a Unix socket. The
    /// empty address, which an unnamed peer has, has none of them.
    ///
    /// A path that fills all 108 bytes has no NUL behind it.
    pub fn sun_path(&self) -> Option<&[u8]> {
        match self.family() {
            Some(AF_UNIX) => self.as_bytes().get(2..),
            None => Some(&[]),
            Some(_) => None,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.storage[self.len].write(byte);
            self.len += 1;
        }
    }

    /// Lets `call` write an address. It gets the memory to write to and its length, and
    /// replaces the length by that of the address.
    #[inline]
    pub(super) fn receive<T>(
        call: impl FnOnce(*mut MaybeUninit<u8>, *mut u32) -> Result<T>,
    ) -> Result<(T, Self)> {
        let mut addr = Self::EMPTY;
        let mut len = STORAGE as u32;
        let value = call(addr.storage.as_mut_ptr(), &mut len)?;
        // The kernel cuts an address that does not fit, and returns its full length.
        addr.len = STORAGE.min(len as usize);
        if addr.family() == Some(AF_UNIX) {
            // Of a path that fills `sun_path`, the kernel also counts the NUL behind it,
            // and refuses that length as too long where it takes an address: unix(7), BUGS.
            addr.len = addr.len.min(SOCKADDR_UN);
        }
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
