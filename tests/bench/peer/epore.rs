use crate::queue::{CAPACITY, Queue, Trigger, Wake};
use epore::{Event, Interest, Poll, Token, Waker};
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub struct Epore {
    poll: Poll,
    events: Vec<Event>,
}

impl Queue for Epore {
    const NAME: &'static str = "epore";

    type Waker = Waker;

    fn new() -> Self {
        Self {
            poll: Poll::new().unwrap(),
            events: Vec::with_capacity(CAPACITY),
        }
    }

    #[inline(always)]
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger) {
        let interest = match trigger {
            Trigger::Level => Interest::READABLE,
            Trigger::Edge => Interest::READABLE.edge(),
        };
        let registry = self.poll.registry();
        registry.register(&source, Token(token), interest).unwrap();
    }

    #[inline(always)]
    fn reregister(&self, source: BorrowedFd<'_>, token: usize) {
        let interest = Interest::READABLE.edge();
        let registry = self.poll.registry();
        registry
            .reregister(&source, Token(token), interest)
            .unwrap();
    }

    #[inline(always)]
    fn deregister(&self, source: BorrowedFd<'_>) {
        self.poll.registry().deregister(&source).unwrap();
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
