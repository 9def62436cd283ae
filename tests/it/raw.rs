//! The raw layer: no count that is returned, and no integer that is passed, makes a call
//! leave the memory and the descriptors that it was lent.

use crate::common;

use common::fault::{Faults, Plan, with_faults};
use common::kernel;
use common::queue::{AT_ONCE, queue, watching};
use epore::fd::{AsFd, OwnedFd};
use epore::net::{UdpSocket, UnixStream};
use epore::sys::{self, IoSlice, IoSliceMut, Timespec};
use epore::{Events, Interest, Result};
use std::mem::MaybeUninit;

/// What `epoll_wait` and `poll` wait with.
const WAIT: &str = if cfg!(target_arch = "x86_64") {
    "epoll_wait"
} else {
    "epoll_pwait"
};

/// A counter that can be read.
fn ready() -> OwnedFd {
    sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).expect("a descriptor")
}

/// What a supervisor may claim: more than there is, and more than there can be.
const CLAIMS: [i64; 3] = [5, 1 << 20, i64::MAX];

/// Calls with a buffer of 4 bytes, or room for 4 events, and what they return.
type Counted = (&'static str, fn(&Faults) -> Result<usize>);

const COUNTED: &[Counted] = &[
    ("read", |faults| {
        let counter = ready();
        faults.during(|| sys::read(counter.as_fd(), &mut [0; 4]))
    }),
    ("read", |faults| {
        let (counter, mut buf) = (ready(), [MaybeUninit::uninit(); 4]);
        let read = faults.during(|| sys::read_uninit(counter.as_fd(), &mut buf));
        read.map(|bytes| bytes.len())
    }),
    ("write", |faults| {
        let counter = ready();
        faults.during(|| sys::write(counter.as_fd(), &[0; 4]))
    }),
    ("readv", |faults| {
        let (near, _far) = UnixStream::pair()?;
        let (mut one, mut other) = ([0; 1], [0; 3]);
        let mut bufs = [&mut one[..], &mut other].map(IoSliceMut::new);
        faults.during(|| sys::readv(near.as_fd(), &mut bufs))
    }),
    ("sendmsg", |faults| {
        let (near, _far) = UnixStream::pair()?;
        let bufs = [&[0; 3][..], &[], &[0; 1]].map(IoSlice::new);
        faults.during(|| sys::sendmsg(near.as_fd(), &bufs, 0))
    }),
    ("sendto", |faults| {
        let (near, _far) = UnixStream::pair()?;
        faults.during(|| sys::sendto(near.as_fd(), &[0; 4], 0, None))
    }),
    ("recvfrom", |faults| {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
        let received = faults.during(|| sys::recvfrom(socket.as_fd(), &mut [0; 4], 0));
        received.map(|(count, _)| count)
    }),
    ("epoll_pwait", |faults| {
        let (queue, mut room) = (queue(), [MaybeUninit::uninit(); 4]);
        let events = faults.during(|| sys::epoll_pwait(queue.as_fd(), &mut room, 0, None));
        events.map(|events| events.len())
    }),
    ("epoll_pwait2", |faults| {
        let (queue, mut room) = (queue(), [MaybeUninit::uninit(); 4]);
        let now = Timespec::default();
        let wait =
            || sys::epoll_pwait2(queue.as_fd(), &mut room, Some(&now), None).map(|it| it.len());
        faults.during(wait)
    }),
    (WAIT, |faults| {
        let (queue, mut room) = (queue(), [MaybeUninit::uninit(); 4]);
        let events = faults.during(|| sys::epoll_wait(queue.as_fd(), &mut room, 0));
        events.map(|events| events.len())
    }),
    (WAIT, |faults| {
        let source = ready();
        let mut queue = watching(&source, Interest::READABLE);
        let mut events = Events::<4>::new();
        faults.during(|| queue.poll(&mut events, AT_ONCE))?;
        Ok(events.len())
    }),
];

#[test]
fn a_count_that_exceeds_the_buffer_is_clamped_to_it() {
    kernel::alone(|| {
        let outcome = with_faults(|faults| {
            for &(name, call) in COUNTED {
                for claimed in CLAIMS {
                    faults.plan(Plan {
                        returned: Some((name, claimed)),
                        ..Plan::default()
                    });
                    assert_eq!(call(faults), Ok(4), "{name} that returns {claimed}");
                    let calls = faults.calls();
                    assert!(calls.iter().any(|call| call.name == name), "{calls:?}");
                }
            }
        });
        if let Err(why) = outcome {
            common::left_out("counts that exceed a buffer", why);
        }
    });
}
