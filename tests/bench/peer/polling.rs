use crate::queue::{CAPACITY, Queue, Trigger, Wake};
use polling::{Event, Events, PollMode, Poller};
use std::num::NonZero;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

pub struct Polling {
    poller: Arc<Poller>,
    events: Events,
}

impl Queue for Polling {
    const NAME: &'static str = "polling";

    type Waker = Notifier;

    fn new() -> Self {
        Self {
            poller: Arc::new(Poller::new().unwrap()),
            events: Events::with_capacity(const { NonZero::new(CAPACITY).unwrap() }),
        }
    }

    #[inline(always)]
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger) {
        let mode = match trigger {
            Trigger::Level => PollMode::Level,
            Trigger::Edge => PollMode::Edge,
        };
        let event = Event::readable(token);
        // SAFETY: a workload closes its sources after its queue.
        let added = unsafe { self.poller.add_with_mode(source.as_raw_fd(), event, mode) };
        added.unwrap();
    }

    #[inline(always)]
    fn reregister(&self, source: BorrowedFd<'_>, token: usize) {
        self.poller
            .modify_with_mode(source, Event::readable(token), PollMode::Edge)
            .unwrap();
    }

    #[inline(always)]
    fn deregister(&self, source: BorrowedFd<'_>) {
        self.poller.delete(source).unwrap();
    }

    fn waker(&self, _: usize) -> Notifier {
        Notifier(Arc::clone(&self.poller))
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Option<Duration>, mut each: impl FnMut(usize)) {
        self.events.clear();
        self.poller.wait(&mut self.events, timeout).unwrap();
        for event in self.events.iter() {
            each(event.key);
        }
    }
}

pub struct Notifier(Arc<Poller>);

impl Wake for Notifier {
    #[inline(always)]
    fn wake(&self) {
        self.0.notify().unwrap();
    }
}
