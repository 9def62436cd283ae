//! The raw layer: one function per system call, safe to call.
//!
//! Each function issues its call by number through inline assembly, takes
//! borrowed descriptors and slices, and answers with the kernel's result or an
//! [`Error`](crate::Error) that names the call and the errno. Names, flags and argument order
//! are the man pages'. This is the only module of the library that holds
//! `unsafe`; `poll.rs` and its neighbours are safe code over it, and so can
//! yours be:
//!
//! ```
//! use core::mem::MaybeUninit;
//! use epore::fd::AsFd;
//! use epore::sys;
//!
//! let queue = sys::epoll_create1(sys::EPOLL_CLOEXEC)?;
//! let counter = sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK)?;
//! let interest = sys::EpollEvent::new(sys::EPOLLIN, 0xfeed_face_cafe_beef);
//! sys::epoll_ctl(queue.as_fd(), sys::EPOLL_CTL_ADD, counter.as_fd(), Some(&interest))?;
//!
//! let mut room = [MaybeUninit::uninit(); 8];
//! let events = sys::epoll_wait(queue.as_fd(), &mut room, -1)?;
//! assert_eq!(events.len(), 1);
//! assert_eq!(events[0].data(), 0xfeed_face_cafe_beef);
//! # Ok::<(), epore::Error>(())
//! ```
//!
//! Flags are plain integers, as in the man pages: a bit the kernel does not know
//! is the kernel's to refuse, and none of them can make a call unsafe.

use crate::Result;

/// Issues the system call `number::$name` and names it in the error.
///
/// The caller owns the safety argument: every pointer among the arguments is
/// valid for what the kernel does with it until the call returns.
macro_rules! call {
    ($name:ident $(, $arg:expr)* $(,)?) => {
        match syscalls::syscall!($crate::sys::number::$name $(, $arg)*) {
            Ok(value) => Ok(value),
            Err(errno) => Err($crate::Error::new($crate::sys::number::$name, errno)),
        }
    };
}

mod epoll;
mod eventfd;
pub mod fd;
mod io;
mod number;
mod socket;
mod time;
mod timerfd;

pub(crate) use epoll::harvest;
pub use epoll::{
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE,
    EPOLLHUP, EPOLLIN, EPOLLMSG, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP,
    EPOLLRDNORM, EPOLLWAKEUP, EPOLLWRBAND, EPOLLWRNORM, EpollEvent, EventBuffer, Events,
    MAX_EVENTS, SigSet, epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2, epoll_wait,
};
pub use eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, eventfd2};
pub use io::{close, fcntl_dupfd_cloexec, read, read_uninit, write};
pub(crate) use number::name;
pub use number::{SYSCALLS, Syscall};
pub use socket::{
    AF_INET, AF_INET6, IPPROTO_TCP, MSG_NOSIGNAL, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ERROR,
    SO_REUSEADDR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, SockAddr, TCP_NODELAY,
    accept4, bind, connect, getpeername, getsockname, getsockopt_int, listen, sendto,
    setsockopt_int, shutdown, socket,
};
pub use time::{CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, Timespec, clock_gettime};
pub use timerfd::{
    Itimerspec, TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, timerfd_create, timerfd_gettime,
    timerfd_settime,
};

use fd::{FromRawFd, OwnedFd, RawFd};

/// Takes ownership of the descriptor that a successful call returned.
///
/// # Safety
///
/// `ret` is a descriptor that the kernel has just opened for the caller.
#[inline]
unsafe fn own(ret: usize) -> OwnedFd {
    // SAFETY: nobody else knows the new descriptor, by the caller's word.
    unsafe { OwnedFd::from_raw_fd(ret as RawFd) }
}
