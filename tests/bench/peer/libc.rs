//! The C library's functions, called as C would.

use crate::file::eventfd;
use crate::queue::{CAPACITY, Queue, Trigger, Wake};
use libc::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, EPOLLRDHUP};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

pub struct Libc {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

fn checked(result: i32) -> i32 {
    assert!(result >= 0, "{}", io::Error::last_os_error());
    result
}

/// One registration with a queue of whoever it may be.
#[inline]
pub fn control(epoll: i32, operation: i32, source: BorrowedFd<'_>, events: i32, token: usize) {
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: token as u64,
    };
    // SAFETY: the event is read before the call returns.
    checked(unsafe { libc::epoll_ctl(epoll, operation, source.as_raw_fd(), &mut event) });
}

impl Queue for Libc {
    const NAME: &'static str = "libc";

    type Waker = Eventfd;

    fn new() -> Self {
        // SAFETY: the call takes no pointer.
        let epoll = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) });
        Self {
            // SAFETY: it was opened just now.
            epoll: unsafe { OwnedFd::from_raw_fd(epoll) },
            events: vec![libc::epoll_event { events: 0, u64: 0 }; CAPACITY],
        }
    }

    #[inline(always)]
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger) {
        let events = match trigger {
            Trigger::Level => EPOLLIN | EPOLLRDHUP,
            Trigger::Edge => EPOLLIN | EPOLLRDHUP | EPOLLET,
        };
        control(self.epoll.as_raw_fd(), EPOLL_CTL_ADD, source, events, token);
    }

    #[inline(always)]
    fn reregister(&self, source: BorrowedFd<'_>, token: usize) {
        let events = EPOLLIN | EPOLLRDHUP | EPOLLET;
        control(self.epoll.as_raw_fd(), EPOLL_CTL_MOD, source, events, token);
    }

    #[inline(always)]
    fn deregister(&self, source: BorrowedFd<'_>) {
        control(self.epoll.as_raw_fd(), EPOLL_CTL_DEL, source, 0, 0);
    }

    fn waker(&self, token: usize) -> Eventfd {
        let eventfd = eventfd();
        self.register(eventfd.as_fd(), token, Trigger::Edge);
        Eventfd(eventfd)
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Option<Duration>, mut each: impl FnMut(usize)) {
        let (epoll, events) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        let nanos = timeout.map_or(0, |timeout| timeout.subsec_nanos());
        let count = if nanos.is_multiple_of(1_000_000) {
            let millis = timeout.map_or(-1, |timeout| timeout.as_millis() as i32);
            // SAFETY: the kernel writes up to `CAPACITY` events.
            unsafe { libc::epoll_wait(epoll, events, CAPACITY as i32, millis) }
        } else {
            let timeout = libc::timespec {
                tv_sec: timeout.map_or(0, |timeout| timeout.as_secs() as i64),
                tv_nsec: nanos.into(),
            };
            let mask = ptr::null();
            // SAFETY: as above, and the timeout is read before the call returns.
            unsafe { libc::epoll_pwait2(epoll, events, CAPACITY as i32, &timeout, mask) }
        };
        for event in &self.events[..checked(count) as usize] {
            each(event.u64 as usize);
        }
    }
}

pub struct Eventfd(OwnedFd);

impl Wake for Eventfd {
    #[inline(always)]
    fn wake(&self) {
        let one = ptr::from_ref(&1u64);
        // SAFETY: eight bytes are read before the call returns.
        let written = unsafe { libc::write(self.0.as_raw_fd(), one.cast(), 8) };
        checked(written as i32);
    }
}
