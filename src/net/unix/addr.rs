//! Addresses of Unix sockets.

use core::fmt;

use syscalls::Sysno;

use crate::sys::{SUN_PATH, SockAddr};
use crate::{Errno, Error, Result};

/// The address of a Unix socket: a path, an abstract name, or none.
///
/// A path made here has at most 107 bytes, since most programs expect a NUL behind it. A
/// peer may still be bound to a path of 108 bytes ([unix(7)], BUGS). Its address is
/// returned whole, and you can connect and send to it; only the conversion into std's
/// `SocketAddr` fails, because that has no room for it.
///
/// [unix(7)]: https://man7.org/linux/man-pages/man7/unix.7.html
///
/// ```
/// use epore::net::{UnixAddr, UnixListener, UnixStream};
///
/// let name = format!("epore example {}", std::process::id());
/// let addr = UnixAddr::from_abstract_name(&name)?;
/// let listener = UnixListener::bind_addr(&addr)?;
/// assert_eq!(listener.local_addr()?.as_abstract_name(), Some(name.as_bytes()));
///
/// let client = UnixStream::connect_addr(&addr)?;
/// assert_eq!(client.peer_addr()?, addr);
/// assert!(client.local_addr()?.is_unnamed());
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html).
#[doc(alias = "sockaddr_un")]
#[derive(Clone, Copy)]
pub struct UnixAddr(SockAddr);

impl UnixAddr {
    /// The address of the file at `path`, which a socket makes when it is bound to it.
    ///
    /// # Errors
    ///
    /// No call is made, and `bind` named:
    ///
    /// - `ENAMETOOLONG`: more than 107 bytes. A path from another directory may be
    ///   shorter.
    /// - `EINVAL`: no byte at all, or a NUL among them.
    pub fn from_pathname(path: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_empty() {
            return Err(bind_error(Errno::EINVAL, "the path is empty"));
        }
        if path.contains(&0) {
            return Err(bind_error(Errno::EINVAL, "there is a NUL in the path"));
        }
        Self::with_nul(0, path)
    }

    /// The address of a path that the kernel has accepted from its owner, and that may
    /// fill all 108 bytes, without a NUL behind it.
    #[cfg(feature = "std")]
    fn from_bound_pathname(path: &[u8]) -> Result<Self> {
        match SockAddr::unix(path) {
            Some(addr) if path.len() == SUN_PATH => Ok(Self(addr)),
            _ => Self::from_pathname(path),
        }
    }

    /// The address of this name, any bytes: no file, and gone with its socket. It is
    /// seen in the same network namespace, by every user.
    ///
    /// # Errors
    ///
    /// No call is made, and `bind` named:
    ///
    /// - `ENAMETOOLONG`: more than 107 bytes.
    pub fn from_abstract_name(name: impl AsRef<[u8]>) -> Result<Self> {
        Self::with_nul(1, name.as_ref())
    }

    /// An address of `bytes`, starting at index `at`, and one NUL: before a name (1), or
    /// behind a path (0).
    fn with_nul(at: usize, bytes: &[u8]) -> Result<Self> {
        let mut sun_path = [0; SUN_PATH];
        if bytes.len() >= SUN_PATH {
            let reason = "the address of a Unix socket has 107 bytes at most";
            return Err(bind_error(Errno::ENAMETOOLONG, reason));
        }
        sun_path[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(Self(
            SockAddr::unix(&sun_path[..bytes.len() + 1]).expect("at most 108 bytes"),
        ))
    }

    /// No address, as the ends of a pair have. A socket that is bound to it gets an
    /// abstract name that is free: one that a datagram socket can be answered at.
    pub fn unnamed() -> Self {
        Self(SockAddr::unix(&[]).expect("at most 108 bytes"))
    }

    /// The path; `None` if it is another kind of address.
    pub fn as_pathname(&self) -> Option<&[u8]> {
        match self.bytes() {
            [] | [0, ..] => None,
            path => path.split(|&byte| byte == 0).next(),
        }
    }

    /// The path; `None` if it is another kind of address.
    #[cfg(feature = "std")]
    pub fn as_path(&self) -> Option<&std::path::Path> {
        use std::os::unix::ffi::OsStrExt;

        let path = std::ffi::OsStr::from_bytes(self.as_pathname()?);
        Some(std::path::Path::new(path))
    }

    /// The abstract name; `None` if it is another kind of address.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        self.bytes().strip_prefix(&[0])
    }

    /// Whether it is neither path nor name.
    pub fn is_unnamed(&self) -> bool {
        self.bytes().is_empty()
    }

    fn bytes(&self) -> &[u8] {
        self.0.sun_path().unwrap_or_default()
    }

    pub(super) fn raw(&self) -> &SockAddr {
        &self.0
    }

    pub(super) fn from_raw(addr: SockAddr, from: Sysno) -> Result<Self> {
        match addr.sun_path() {
            Some(_) => Ok(Self(addr)),
            None => Err(Error::new(from, Errno::EAFNOSUPPORT).because("not a Unix socket")),
        }
    }
}

#[cold]
fn bind_error(errno: Errno, reason: &'static str) -> Error {
    Error::new(Sysno::bind, errno).because(reason)
}

/// The same kind of address, with the same path or name.
impl PartialEq for UnixAddr {
    fn eq(&self, other: &Self) -> bool {
        self.as_pathname() == other.as_pathname()
            && self.as_abstract_name() == other.as_abstract_name()
    }
}

impl Eq for UnixAddr {}

impl fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.as_pathname() {
            write!(f, "\"{}\" (path)", path.escape_ascii())
        } else if let Some(name) = self.as_abstract_name() {
            write!(f, "\"{}\" (abstract)", name.escape_ascii())
        } else {
            f.write_str("(unnamed)")
        }
    }
}

#[cfg(feature = "std")]
mod with_std {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    use std::path::Path;

    use super::{Error, Result, UnixAddr};

    impl TryFrom<&Path> for UnixAddr {
        type Error = Error;

        fn try_from(path: &Path) -> Result<Self> {
            Self::from_pathname(path.as_os_str().as_bytes())
        }
    }

    impl TryFrom<&SocketAddr> for UnixAddr {
        type Error = Error;

        fn try_from(addr: &SocketAddr) -> Result<Self> {
            match (addr.as_pathname(), addr.as_abstract_name()) {
                (Some(path), _) => Self::from_bound_pathname(path.as_os_str().as_bytes()),
                (_, Some(name)) => Self::from_abstract_name(name),
                _ => Ok(Self::unnamed()),
            }
        }
    }

    impl TryFrom<UnixAddr> for SocketAddr {
        type Error = std::io::Error;

        fn try_from(addr: UnixAddr) -> std::io::Result<Self> {
            match addr.as_abstract_name() {
                Some(name) => Self::from_abstract_name(name),
                None => Self::from_pathname(addr.as_path().unwrap_or(Path::new(""))),
            }
        }
    }
}
