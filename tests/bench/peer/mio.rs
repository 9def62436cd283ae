use super::libc::control;
use crate::queue::{CAPACITY, Queue, Trigger, Wake};
use libc::{EPOLL_CTL_ADD, EPOLLIN, EPOLLRDHUP};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

pub struct Mio {
    poll: Poll,
    events: Events,
}

impl Queue for Mio {
    const NAME: &'static str = "mio";

    type Waker = Waker;

    fn new() -> Self {
        Self {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(CAPACITY),
        }
    }

    /// mio has no level-triggered registration: that one is made past it, so that its
    /// wait can be measured over the same files.
    #[inline(always)]
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger) {
        match trigger {
            Trigger::Level => {
                let events = EPOLLIN | EPOLLRDHUP;
                control(self.poll.as_raw_fd(), EPOLL_CTL_ADD, source, events, token);
            }
            Trigger::Edge => {
                let source = &mut SourceFd(&source.as_raw_fd());
                let registry = self.poll.registry();
                registry
                    .register(source, Token(token), Interest::READABLE)
                    .unwrap();
            }
        }
    }

    #[inline(always)]
    fn reregister(&self, source: BorrowedFd<'_>, token: usize) {
        let source = &mut SourceFd(&source.as_raw_fd());
        let registry = self.poll.registry();
        registry
            .reregister(source, Token(token), Interest::READABLE)
            .unwrap();
    }

    #[inline(always)]
    fn deregister(&self, source: BorrowedFd<'_>) {
        let source = &mut SourceFd(&source.as_raw_fd());
        self.poll.registry().deregister(source).unwrap();
    }

    fn waker(&self, token: usize) -> Waker {
        Waker::new(self.poll.registry(), Token(token)).unwrap()
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Option<Duration>, mut each: impl FnMut(usize)) {
        self.poll.poll(&mut self.events, timeout).unwrap();
        for event in &self.events {
            each(event.token().0);
        }
    }
}

impl Wake for Waker {
    #[inline(always)]
    fn wake(&self) {
        Waker::wake(self).unwrap();
    }
}
