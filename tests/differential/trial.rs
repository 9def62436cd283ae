//! Does the operations, and compares.

use crate::files::Files;
use crate::operation::{How, Modes, Operation, Registration, Room};
use crate::reference::{Reference, Seen as Pair};
use epore::sys::{self, EpollEvent, SigSet, Timespec};
use epore::{Event, Events, Poll, Registry, Token, Waker};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

const QUEUES: usize = 3;

/// What the library said, and what libc did.
pub type Difference = String;

/// What trials have come upon: to see that they are not all about nothing.
#[derive(Debug, Default)]
pub struct Seen {
    pub operations: usize,
    pub registrations: usize,
    pub waits: usize,
    pub events: usize,
    /// Waits whose buffer was full, but for the one of the largest.
    pub full: usize,
    pub bits: u32,
    pub errnos: BTreeSet<i32>,
}

struct Ours {
    queue: Poll,
    clone: Registry,
}

impl Ours {
    fn new() -> Self {
        let queue = Poll::new().expect("a queue");
        let clone = queue.registry().try_clone().expect("a descriptor");
        Self { queue, clone }
    }

    fn registry(&self, by_clone: bool) -> &Registry {
        if by_clone {
            &self.clone
        } else {
            self.queue.registry()
        }
    }
}

struct Trial<'s> {
    ours: Vec<Ours>,
    theirs: Vec<Reference>,
    files: Files,
    /// Each with a queue of libc's that watches nothing else: both queues of the trial
    /// would miss the same wake.
    wakers: Vec<(Waker, Reference)>,
    seen: &'s mut Seen,
}

/// Does all of `operations`, and then looks at each queue.
pub fn run(operations: &[Operation], seen: &mut Seen) -> Result<(), Difference> {
    let mut trial = Trial {
        ours: (0..QUEUES).map(|_| Ours::new()).collect(),
        theirs: (0..QUEUES).map(|_| Reference::new()).collect(),
        files: Files::new(),
        wakers: Vec::new(),
        seen,
    };
    for (number, operation) in operations.iter().enumerate() {
        trial
            .perform(operation)
            .map_err(|difference| format!("at {number}, {operation:?}: {difference}"))?;
    }
    for queue in 0..QUEUES {
        trial
            .wait(queue, Room::Inline64, How::AtOnce)
            .map_err(|difference| format!("of queue {queue} in the end: {difference}"))?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(ours: T, theirs: T) -> Result<(), Difference> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("epore {ours:x?}, libc {theirs:x?}"))
    }
}

/// The errno; and the error has to name its call.
fn raw<T>(call: &str, answer: epore::Result<T>) -> Result<T, i32> {
    answer.map_err(|error| {
        let named = error.syscall();
        assert!(named == call || call.is_empty(), "{named}, not {call}");
        error.errno().into_raw()
    })
}

fn pairs(events: &[Event]) -> Vec<Pair> {
    events
        .iter()
        .map(|event| {
            assert_eq!(event.token().0 as u64, event.data());
            (event.events(), event.data())
        })
        .collect()
}

impl Trial<'_> {
    fn perform(&mut self, operation: &Operation) -> Result<(), Difference> {
        self.seen.operations += 1;
        let queue = |number: u8| usize::from(number) % QUEUES;
        let file = |number: u8| usize::from(number) % self.files.len().max(1);
        let waker = |number: u8| usize::from(number) % self.wakers.len().max(1);
        match *operation {
            Operation::Register(it) => self.change(libc::EPOLL_CTL_ADD, it),
            Operation::Reregister(it) => self.change(libc::EPOLL_CTL_MOD, it),
            Operation::Deregister {
                queue: number,
                source,
                by_clone,
            } => {
                let queue = queue(number);
                let (our_source, their_source) = self.source(source);
                let ours = self.ours[queue].registry(by_clone).deregister(&our_source);
                let delete = libc::EPOLL_CTL_DEL;
                let theirs = self.theirs[queue].control(by_clone, delete, their_source, None);
                self.controlled(ours, theirs)
            }
            Operation::Control {
                queue: number,
                op,
                source,
                event,
            } => {
                let queue = queue(number);
                let (our_source, their_source) = self.source(source);
                let our_event = event.map(|(events, data)| EpollEvent::new(events, data));
                let epoll = self.ours[queue].queue.as_fd();
                let ours = sys::epoll_ctl(epoll, op, our_source, our_event.as_ref());
                let theirs = self.theirs[queue].control(false, op, their_source, event);
                self.controlled(ours, theirs)
            }
            Operation::Wait {
                queue: number,
                room,
                how,
            } => self.wait(queue(number), room, how),
            Operation::NewWaker {
                queue: number,
                token,
                by_clone,
            } if self.wakers.len() < 4 => {
                let queue = queue(number);
                let registry = self.ours[queue].registry(by_clone);
                let waker = Waker::new(registry, Token(token as usize)).expect("a waker");
                let event = Some((Modes(Modes::READABLE | Modes::EDGE).bits(), token));
                let add = libc::EPOLL_CTL_ADD;
                let theirs = self.theirs[queue].control(by_clone, add, waker.as_fd(), event);
                let witness = Reference::new();
                witness
                    .control(false, add, waker.as_fd(), event)
                    .expect("a registration");
                self.wakers.push((waker, witness));
                self.controlled(Ok(()), theirs)
            }
            Operation::Wake { waker: number } => match self.wakers.get(waker(number)) {
                Some((waker, witness)) => {
                    witness.wait(1).expect("a look");
                    same(raw("", waker.wake()), Ok(()))?;
                    same(1, witness.wait(1).expect("a look").len())
                }
                None => Ok(()),
            },
            Operation::SetTimer { source, setting } if self.files.len() > 0 => {
                same(raw("", self.files.set_timer(file(source), setting)), Ok(()))
            }
            Operation::ReadTimer { source } if self.files.len() > 0 => {
                match self.files.read_timer(file(source)) {
                    Some((ours, expected)) => same(raw("", ours), Ok(expected)),
                    None => Ok(()),
                }
            }
            _ => {
                self.touch(operation);
                Ok(())
            }
        }
    }

    /// What is the same for both, and answers nothing that could be compared.
    fn touch(&mut self, operation: &Operation) {
        let (files, wakers) = (self.files.len(), self.wakers.len());
        let file = |number: u8| usize::from(number) % files;
        let waker = |number: u8| usize::from(number) % wakers;
        match *operation {
            Operation::FillWaker { waker: number } if wakers > 0 => {
                let (fd, mut count) = (self.wakers[waker(number)].0.as_raw_fd(), u64::MAX - 1);
                let place = (&raw mut count).cast::<libc::c_void>();
                // SAFETY: the kernel reads eight bytes.
                unsafe { libc::write(fd, place, 8) };
            }
            Operation::DropWaker { waker: number } if wakers > 0 => {
                self.wakers.remove(waker(number));
            }
            Operation::Open(kind) => self.files.open(kind),
            _ if files == 0 => {}
            Operation::Dup { source } => self.files.dup(file(source)),
            Operation::Close { source } => self.files.close(file(source)),
            Operation::Write { source, len } => self.files.write(file(source), len),
            Operation::Read { source, len } => self.files.read(file(source), len),
            Operation::WriteUrgent { source } => self.files.write_urgent(file(source)),
            Operation::ReadUrgent { source } => self.files.read_urgent(file(source)),
            Operation::Shutdown { source, how } => self.files.shutdown(file(source), how),
            _ => {}
        }
    }

    fn change(&mut self, op: i32, it: Registration) -> Result<(), Difference> {
        let queue = usize::from(it.queue) % QUEUES;
        let (ours, theirs) = self.source(it.source);
        let registry = self.ours[queue].registry(it.by_clone);
        let (token, interest) = (Token(it.token as usize), it.modes.interest());
        let ours = match op {
            libc::EPOLL_CTL_ADD => registry.register(&ours, token, interest),
            _ => registry.reregister(&ours, token, interest),
        };
        let event = Some((it.modes.bits(), it.token));
        let theirs = self.theirs[queue].control(it.by_clone, op, theirs, event);
        self.controlled(ours, theirs)
    }

    /// A file, the same for both; or one's own of the queues, by either descriptor.
    fn source(&self, number: u8) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        let number = usize::from(number) % (self.files.len() + 2 * QUEUES);
        if number < self.files.len() {
            let file = self.files.get(number);
            return (file, file);
        }
        let number = number - self.files.len();
        let (queue, by_clone) = (number / 2, number % 2 == 1);
        (
            self.ours[queue].registry(by_clone).as_fd(),
            self.theirs[queue].epoll(by_clone).as_fd(),
        )
    }

    fn controlled(
        &mut self,
        ours: epore::Result<()>,
        theirs: Result<(), i32>,
    ) -> Result<(), Difference> {
        match theirs {
            Ok(()) => self.seen.registrations += 1,
            Err(errno) => _ = self.seen.errnos.insert(errno),
        }
        same(raw("epoll_ctl", ours), theirs)
    }

    fn wait(&mut self, queue: usize, room: Room, how: How) -> Result<(), Difference> {
        let size = match room {
            Room::Vec(size) => size,
            Room::Inline0 => 0,
            Room::Inline1 => 1,
            Room::Inline3 => 3,
            Room::Inline64 => 64,
        };
        let ours = loop {
            match look(&mut self.ours[queue].queue, room, size, how) {
                Err(libc::EINTR) => {}
                ours => break ours,
            }
        };
        let theirs = self.theirs[queue].wait(size);
        self.seen.waits += 1;
        match &theirs {
            Ok(events) => {
                self.seen.events += events.len();
                self.seen.full += usize::from(events.len() == size && size < 64);
                for (bits, _) in events {
                    self.seen.bits |= bits;
                }
            }
            Err(errno) => _ = self.seen.errnos.insert(*errno),
        }
        same(ours, theirs)
    }
}

/// What the library reports now.
fn look(queue: &mut Poll, room: Room, size: usize, how: How) -> Result<Vec<Pair>, i32> {
    let timeout = match how {
        How::AtOnce => Duration::ZERO,
        How::Nanosecond => Duration::from_nanos(1),
        _ => return look_raw(queue, size, how),
    };
    macro_rules! poll {
        ($events:expr) => {{
            let mut events = $events;
            raw("", queue.poll(&mut events, Some(timeout)))?;
            Ok(pairs(&events))
        }};
    }
    match room {
        Room::Vec(size) => poll!(Vec::with_capacity(size)),
        Room::Inline0 => poll!(Events::<0>::new()),
        Room::Inline1 => poll!(Events::<1>::new()),
        Room::Inline3 => poll!(Events::<3>::new()),
        Room::Inline64 => poll!(Events::<64>::new()),
    }
}

fn look_raw(queue: &Poll, size: usize, how: How) -> Result<Vec<Pair>, i32> {
    let mut room = vec![MaybeUninit::uninit(); size];
    let (epoll, mask) = (queue.as_fd(), SigSet(0));
    let waited = match how {
        How::RawPwait => sys::epoll_pwait(epoll, &mut room, 0, Some(&mask)),
        How::RawPwait2 => {
            let zero = Timespec::default();
            match sys::epoll_pwait2(epoll, &mut room, Some(&zero), None) {
                // An emulator that knows no such call.
                Err(error) if error.errno().into_raw() == libc::ENOSYS => {
                    let mut room = vec![MaybeUninit::uninit(); size];
                    return raw("", sys::epoll_wait(epoll, &mut room, 0)).map(|it| pairs(it));
                }
                waited => waited,
            }
        }
        _ => sys::epoll_wait(epoll, &mut room, 0),
    };
    raw("", waited).map(|events| pairs(events))
}
