//! The same queue through libc.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// Flags, and the 64 bits that came with the registration.
pub type Seen = (u32, u64);

pub fn errno() -> i32 {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
}

/// The descriptor that a call has answered, or its error.
pub fn opened(answer: RawFd) -> Result<OwnedFd, i32> {
    if answer < 0 {
        return Err(errno());
    }
    // SAFETY: the kernel has just opened it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(answer) })
}

pub struct Reference {
    epoll: OwnedFd,
    /// A second descriptor of the same queue.
    pub clone: OwnedFd,
}

impl Reference {
    pub fn new() -> Self {
        // SAFETY: the call takes no pointer.
        let epoll = opened(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("a queue");
        let clone = epoll.try_clone().expect("a descriptor");
        Self { epoll, clone }
    }

    pub fn epoll(&self, by_clone: bool) -> &OwnedFd {
        if by_clone { &self.clone } else { &self.epoll }
    }

    pub fn control(
        &self,
        by_clone: bool,
        op: i32,
        source: BorrowedFd<'_>,
        event: Option<Seen>,
    ) -> Result<(), i32> {
        let mut event = event.map(|(events, u64)| libc::epoll_event { events, u64 });
        let event = event.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let epoll = self.epoll(by_clone).as_raw_fd();
        // SAFETY: `event` is null or points to an event, which outlives the call.
        match unsafe { libc::epoll_ctl(epoll, op, source.as_raw_fd(), event) } {
            0 => Ok(()),
            _ => Err(errno()),
        }
    }

    /// What there is now, of as many events as there is room for.
    pub fn wait(&self, room: usize) -> Result<Vec<Seen>, i32> {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; room];
        let epoll = self.epoll.as_raw_fd();
        loop {
            // SAFETY: the kernel writes at most `room` events, all inside `events`.
            let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room as i32, 0) };
            match usize::try_from(count) {
                Ok(count) => {
                    let seen = events.iter().take(count);
                    return Ok(seen.map(|event| (event.events, event.u64)).collect());
                }
                Err(_) if errno() == libc::EINTR => {}
                Err(_) => return Err(errno()),
            }
        }
    }
}
