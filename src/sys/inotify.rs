use core::ffi::CStr;

use super::fd::{AsRawFd, BorrowedFd, OwnedFd};
use super::{Result, own};

/// For [`inotify_init1`]: close it on `execve`.
pub const IN_CLOEXEC: i32 = 0o2000000;
/// For [`inotify_init1`]: answer `EAGAIN` where a read would block.
pub const IN_NONBLOCK: i32 = 0o4000;

/// The file was read.
pub const IN_ACCESS: u32 = 0x001;
/// The file was written to, or cut.
pub const IN_MODIFY: u32 = 0x002;
/// Its permissions, times, owner or links have changed.
pub const IN_ATTRIB: u32 = 0x004;
/// A file that was open for writing was closed.
pub const IN_CLOSE_WRITE: u32 = 0x008;
/// A file that was not open for writing was closed.
pub const IN_CLOSE_NOWRITE: u32 = 0x010;
/// The file was opened.
pub const IN_OPEN: u32 = 0x020;
/// A file was moved out of the directory.
pub const IN_MOVED_FROM: u32 = 0x040;
/// A file was moved into the directory.
pub const IN_MOVED_TO: u32 = 0x080;
/// A file was created in the directory.
pub const IN_CREATE: u32 = 0x100;
/// A file of the directory was removed.
pub const IN_DELETE: u32 = 0x200;
/// What is watched was removed.
pub const IN_DELETE_SELF: u32 = 0x400;
/// What is watched was moved.
pub const IN_MOVE_SELF: u32 = 0x800;
/// Reported alone: the file system of what is watched was unmounted.
pub const IN_UNMOUNT: u32 = 0x2000;
/// Reported alone: events were lost (`/proc/sys/fs/inotify/max_queued_events`).
pub const IN_Q_OVERFLOW: u32 = 0x4000;
/// Reported alone: the watch is gone, removed or with what it watched.
pub const IN_IGNORED: u32 = 0x8000;
/// Asked for: only if it is a directory.
pub const IN_ONLYDIR: u32 = 1 << 24;
/// Asked for: a symbolic link itself, not what it leads to.
pub const IN_DONT_FOLLOW: u32 = 1 << 25;
/// Asked for: nothing of files that have left the directory (Linux 2.6.36).
pub const IN_EXCL_UNLINK: u32 = 1 << 26;
/// Asked for: refuse what is watched already (Linux 4.18).
pub const IN_MASK_CREATE: u32 = 1 << 28;
/// Asked for: in addition to what an earlier watch of it asks for.
pub const IN_MASK_ADD: u32 = 1 << 29;
/// Reported with another: it happened to a directory.
pub const IN_ISDIR: u32 = 1 << 30;
/// Asked for: one event, then the watch ends.
pub const IN_ONESHOT: u32 = 1 << 31;

/// `inotify_init1(flags)`: opens a queue of what happens to files.
///
/// See [inotify_init(2)](https://man7.org/linux/man-pages/man2/inotify_init.2.html).
/// Linux 2.6.27.
///
/// # Errors
///
/// - `EINVAL`: an unknown bit in `flags`.
/// - `EMFILE`: the process has no descriptor left, or the user no queue
///   (`/proc/sys/fs/inotify/max_user_instances`).
/// - `ENFILE`: the system has no descriptor left.
/// - `ENOMEM`: the kernel has no memory for it.
#[inline]
pub fn inotify_init1(flags: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let ret = unsafe { call!(inotify_init1, flags) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// `inotify_add_watch(fd, pathname, mask)`: watches a file or a directory, and
/// returns the number of the watch. Of what is watched already the mask changes,
/// and the number is the same.
///
/// See [inotify_add_watch(2)](https://man7.org/linux/man-pages/man2/inotify_add_watch.2.html).
///
/// # Errors
///
/// - `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`: nothing is there.
/// - `EACCES`: it may not be read.
/// - `ENOSPC`: the user's limit, `/proc/sys/fs/inotify/max_user_watches`.
/// - `EINVAL`: `mask` has no bit that inotify knows, or both [`IN_MASK_ADD`] and
///   [`IN_MASK_CREATE`], which exclude each other (Linux 4.18); or `fd` is not an inotify
///   instance.
/// - `EEXIST`: [`IN_MASK_CREATE`], and the file is watched already.
/// - `ENOMEM`: the kernel has no memory for it.
pub fn inotify_add_watch(fd: BorrowedFd<'_>, pathname: &CStr, mask: u32) -> Result<i32> {
    // SAFETY: the kernel reads `pathname` up to its zero before it returns.
    let watch = unsafe { call!(inotify_add_watch, fd.as_raw_fd(), pathname.as_ptr(), mask) }?;
    Ok(watch as i32)
}

/// `inotify_rm_watch(fd, wd)`: ends a watch, which reports [`IN_IGNORED`].
///
/// See [inotify_rm_watch(2)](https://man7.org/linux/man-pages/man2/inotify_rm_watch.2.html).
///
/// # Errors
///
/// - `EINVAL`: no such watch, or `fd` is no such queue.
pub fn inotify_rm_watch(fd: BorrowedFd<'_>, wd: i32) -> Result<()> {
    // SAFETY: the call takes no pointer.
    unsafe { call!(inotify_rm_watch, fd.as_raw_fd(), wd) }?;
    Ok(())
}
