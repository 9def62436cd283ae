//! What happens to files, as events.

use core::ffi::CStr;

use static_assertions::assert_impl_all;

use crate::fd::{AsFd, OwnedFd};
use crate::sys::{self, IN_CLOEXEC, IN_MASK_ADD, IN_MASK_CREATE, IN_NONBLOCK};
use crate::{Errno, Result};

#[doc(no_inline)]
pub use crate::sys::{
    IN_ATTRIB, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_IGNORED, IN_ISDIR,
    IN_MODIFY, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_ONLYDIR, IN_Q_OVERFLOW,
};

/// Watches files and directories: readable when something has happened to one.
///
/// ```
/// use epore::inotify::{IN_CLOSE_WRITE, Inotify};
/// use epore::{Interest, Poll, Token, Events};
/// use std::{env, ffi::CString, fs, os::unix::ffi::OsStrExt, process};
///
/// let directory = env::temp_dir().join(format!("epore-doc-{}", process::id()));
/// fs::create_dir(&directory).unwrap();
///
/// let inotify = Inotify::new()?;
/// let path = CString::new(directory.as_os_str().as_bytes()).unwrap();
/// let watch = inotify.add(&path, IN_CLOSE_WRITE)?;
/// let mut queue = Poll::new()?;
/// queue.registry().register(&inotify, Token(0), Interest::READABLE)?;
/// fs::write(directory.join("new"), "text").unwrap();
///
/// queue.poll(&mut Events::<8>::new(), None)?;
/// let mut buf = [0; 4096];
/// for event in inotify.read(&mut buf)? {
///     assert_eq!((event.watch, event.name), (watch, c"new"));
///     assert_eq!(event.mask, IN_CLOSE_WRITE);
/// }
/// # fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), epore::Error>(())
/// ```
///
/// See [inotify(7)](https://man7.org/linux/man-pages/man7/inotify.7.html).
#[derive(Debug)]
pub struct Inotify {
    inotify: OwnedFd,
}

assert_impl_all!(Inotify: Send, Sync);

/// One of the files that an [`Inotify`] watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watch(i32);

/// Something that has happened.
#[doc(alias = "inotify_event")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileEvent<'b> {
    /// To what. No watch that was made, if events were lost (`IN_Q_OVERFLOW`).
    pub watch: Watch,
    /// What: bits of `sys::IN_…`.
    pub mask: u32,
    /// The same number in the two events of a file that was moved from one watched
    /// directory to another; otherwise 0.
    pub cookie: u32,
    /// Which file of the directory that is watched; empty: what is watched itself.
    pub name: &'b CStr,
}

/// The events of one [read](Inotify::read), where they were read to.
#[derive(Clone, Debug)]
pub struct FileEvents<'b> {
    rest: &'b [u8],
}

impl Inotify {
    /// Watches nothing yet. Closed on `execve`.
    ///
    /// # Errors
    ///
    /// - `EMFILE`: the process has no descriptor left, or the user no such queue
    ///   (`/proc/sys/fs/inotify/max_user_instances`).
    /// - `ENFILE`: the system has no descriptor left.
    /// - `ENOMEM`: the kernel has no memory for it.
    pub fn new() -> Result<Self> {
        let inotify = sys::inotify_init1(IN_CLOEXEC | IN_NONBLOCK).map_err(|error| {
            error.because(match error.errno() {
                Errno::EMFILE => Some(
                    "no descriptor is left to the process (RLIMIT_NOFILE), or no queue to the \
                     user (/proc/sys/fs/inotify/max_user_instances)",
                ),
                _ => None,
            })
        })?;
        Ok(Self { inotify })
    }

    /// Watches the file or directory at `path` for what `mask`, bits of `sys::IN_…`, asks
    /// for. What is watched already, by whichever path, is watched for `mask` from now
    /// on, and is the same [`Watch`].
    ///
    /// # Errors
    ///
    /// - `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`: nothing is there.
    /// - `EACCES`: it may not be read.
    /// - `ENOSPC`: the limit `/proc/sys/fs/inotify/max_user_watches`.
    /// - `EINVAL`: `mask` has no bit that inotify knows, or both `IN_MASK_ADD` and
    ///   `IN_MASK_CREATE`, which exclude each other.
    /// - `EEXIST`: `mask` has `IN_MASK_CREATE`, and the file is watched already.
    /// - `ENOMEM`: the kernel has no memory for it.
    #[doc(alias = "inotify_add_watch")]
    pub fn add(&self, path: &CStr, mask: u32) -> Result<Watch> {
        let watch = sys::inotify_add_watch(self.inotify.as_fd(), path, mask);
        watch.map(Watch).map_err(|error| {
            error.because(match error.errno() {
                Errno::ENOSPC => {
                    Some("the user's limit is reached (/proc/sys/fs/inotify/max_user_watches)")
                }
                Errno::EINVAL if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 => {
                    Some("IN_MASK_ADD and IN_MASK_CREATE exclude each other")
                }
                Errno::EINVAL => Some("the mask has no bit that inotify knows"),
                Errno::EEXIST => Some("the file is watched already, and IN_MASK_CREATE is set"),
                _ => None,
            })
        })
    }

    /// Ends a watch. Its last event is `IN_IGNORED`.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: it has ended already: removed, or gone with what it watched.
    #[doc(alias = "inotify_rm_watch")]
    pub fn remove(&self, watch: Watch) -> Result<()> {
        sys::inotify_rm_watch(self.inotify.as_fd(), watch.0)
    }

    /// Reads as many of the events as `buf` has room for, none if none has happened.
    ///
    /// An event takes 16 bytes, and, with a name, up to 256 more.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: `buf` is too short for the next event.
    pub fn read<'b>(&self, buf: &'b mut [u8]) -> Result<FileEvents<'b>> {
        let length = match sys::read(self.inotify.as_fd(), buf) {
            Err(error) if error.is_would_block() => 0,
            Err(error) if error.errno() == Errno::EINVAL => {
                return Err(error.because("the buffer is too short for the next event"));
            }
            length => length?,
        };
        Ok(FileEvents {
            rest: buf.get(..length).unwrap_or_default(),
        })
    }
}

impl<'b> Iterator for FileEvents<'b> {
    type Item = FileEvent<'b>;

    /// The kernel's `struct inotify_event`, four numbers, and its name, which zeros fill
    /// up to the length that the last of the numbers tells.
    fn next(&mut self) -> Option<FileEvent<'b>> {
        let (header, rest) = self.rest.split_first_chunk::<16>()?;
        let field = |at: usize| {
            let bytes = header.get(at..).and_then(|from| from.first_chunk());
            bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
        };
        let (name, rest) = rest.split_at_checked(field(12) as usize)?;
        self.rest = rest;
        Some(FileEvent {
            watch: Watch(field(0) as i32),
            mask: field(4),
            cookie: field(8),
            name: CStr::from_bytes_until_nul(name).unwrap_or_default(),
        })
    }
}

descriptor!(Inotify, inotify);
