//! rustix with the backend that is the default on Linux: it calls no libc either.

use crate::file::eventfd;
use crate::queue::{CAPACITY, Queue, Trigger, Wake};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

pub struct Rustix {
    epoll: OwnedFd,
    events: Vec<Event>,
}

const LEVEL: EventFlags = EventFlags::IN.union(EventFlags::RDHUP);
const EDGE: EventFlags = LEVEL.union(EventFlags::ET);

impl Queue for Rustix {
    const NAME: &'static str = "rustix";

    type Waker = Eventfd;

    fn new() -> Self {
        Self {
            epoll: epoll::create(CreateFlags::CLOEXEC).unwrap(),
            events: Vec::with_capacity(CAPACITY),
        }
    }

    #[inline(always)]
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger) {
        let flags = match trigger {
            Trigger::Level => LEVEL,
            Trigger::Edge => EDGE,
        };
        epoll::add(&self.epoll, source, EventData::new_u64(token as u64), flags).unwrap();
    }

    #[inline(always)]
    fn reregister(&self, source: BorrowedFd<'_>, token: usize) {
        epoll::modify(&self.epoll, source, EventData::new_u64(token as u64), EDGE).unwrap();
    }

    #[inline(always)]
    fn deregister(&self, source: BorrowedFd<'_>) {
        epoll::delete(&self.epoll, source).unwrap();
    }

    fn waker(&self, token: usize) -> Eventfd {
        let eventfd = eventfd();
        self.register(eventfd.as_fd(), token, Trigger::Edge);
        Eventfd(eventfd)
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Option<Duration>, mut each: impl FnMut(usize)) {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        self.events.clear();
        epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            timeout.as_ref(),
        )
        .unwrap();
        for event in &self.events {
            each(event.data.u64() as usize);
        }
    }
}

pub struct Eventfd(OwnedFd);

impl Wake for Eventfd {
    #[inline(always)]
    fn wake(&self) {
        rustix::io::write(&self.0, &1u64.to_ne_bytes()).unwrap();
    }
}
