//! What a trial consists of, and how it is drawn.

use epore::Interest;
use proptest::prelude::*;
use std::fmt;

/// Which readiness and which modes, as bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Modes(pub u8);

impl Modes {
    pub const READABLE: u8 = 1;
    pub const WRITABLE: u8 = 2;
    pub const PRIORITY: u8 = 4;
    pub const EDGE: u8 = 8;
    pub const ONESHOT: u8 = 16;
    pub const EXCLUSIVE: u8 = 32;
    pub const WAKEUP: u8 = 64;

    pub fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub fn interest(self) -> Interest {
        let readiness = [
            (Self::READABLE, Interest::READABLE),
            (Self::WRITABLE, Interest::WRITABLE),
            (Self::PRIORITY, Interest::PRIORITY),
        ];
        let mut interest = readiness
            .into_iter()
            .filter(|(bit, _)| self.has(*bit))
            .map(|(_, interest)| interest)
            .reduce(|all, one| all | one)
            .expect("a readiness");
        if self.has(Self::EDGE) {
            interest = interest.edge();
        }
        if self.has(Self::ONESHOT) {
            interest = interest.oneshot();
        }
        if self.has(Self::EXCLUSIVE) {
            interest = interest.exclusive();
        }
        if self.has(Self::WAKEUP) {
            interest = interest.wakeup();
        }
        interest
    }

    /// What libc is to be told, from the library's documentation alone.
    pub fn bits(self) -> u32 {
        let flags = [
            (Self::READABLE, libc::EPOLLIN),
            (Self::WRITABLE, libc::EPOLLOUT),
            (Self::PRIORITY, libc::EPOLLPRI),
            (Self::EDGE, libc::EPOLLET),
            (Self::ONESHOT, libc::EPOLLONESHOT),
            (Self::EXCLUSIVE, libc::EPOLLEXCLUSIVE),
            (Self::WAKEUP, libc::EPOLLWAKEUP),
        ];
        let mut bits = flags
            .into_iter()
            .filter(|(bit, _)| self.has(*bit))
            .fold(0, |bits, (_, flag)| bits | flag as u32);
        if self.has(Self::READABLE) && !self.has(Self::EXCLUSIVE) {
            bits |= libc::EPOLLRDHUP as u32;
        }
        bits
    }
}

impl fmt::Debug for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modes({:#x} /* {:?} */)", self.0, self.interest())
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Open {
    Pipe,
    Sockets,
    Tcp,
    Counter,
    Timer,
}

/// The buffer for a wait.
#[derive(Clone, Copy, Debug)]
pub enum Room {
    Vec(usize),
    Inline0,
    Inline1,
    Inline3,
    Inline64,
}

/// By which of the library's calls to look.
#[derive(Clone, Copy, Debug)]
pub enum How {
    AtOnce,
    Nanosecond,
    RawWait,
    RawPwait,
    RawPwait2,
}

#[derive(Clone, Copy, Debug)]
pub enum Setting {
    Expired,
    ExpiredAndPeriodic,
    Later,
    Off,
}

/// What a source is to be registered as.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    pub queue: u8,
    pub source: u8,
    pub token: u64,
    pub modes: Modes,
    pub by_clone: bool,
}

/// A number that stands for one of several things is taken modulo how many there are.
#[derive(Clone, Debug)]
pub enum Operation {
    Register(Registration),
    Reregister(Registration),
    Deregister {
        queue: u8,
        source: u8,
        by_clone: bool,
    },
    /// `sys::epoll_ctl`, with whatever bits.
    Control {
        queue: u8,
        op: i32,
        source: u8,
        event: Option<(u32, u64)>,
    },
    Wait {
        queue: u8,
        room: Room,
        how: How,
    },
    Open(Open),
    Dup {
        source: u8,
    },
    Close {
        source: u8,
    },
    Write {
        source: u8,
        len: usize,
    },
    Read {
        source: u8,
        len: usize,
    },
    /// A byte out of band, which is what `EPOLLPRI` tells of.
    WriteUrgent {
        source: u8,
    },
    ReadUrgent {
        source: u8,
    },
    Shutdown {
        source: u8,
        how: u8,
    },
    SetTimer {
        source: u8,
        setting: Setting,
    },
    ReadTimer {
        source: u8,
    },
    NewWaker {
        queue: u8,
        token: u64,
        by_clone: bool,
    },
    Wake {
        waker: u8,
    },
    /// Takes the counter to its brim.
    FillWaker {
        waker: u8,
    },
    DropWaker {
        waker: u8,
    },
}

fn token() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => 0u64..4,
        1 => any::<u64>(),
        1 => prop::sample::select(vec![
            u64::MAX, u64::MAX - 1, 1 << 63, 1 << 32, (1 << 32) - 1, 0x0123_4567_89ab_cdef,
        ]),
    ]
}

/// Half of them without what is refused so often, or little else would come to pass.
fn modes() -> impl Strategy<Value = Modes> {
    let accepted = (1u8..8, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(readiness, edge, oneshot)| {
            let edge = if edge { Modes::EDGE } else { 0 };
            let oneshot = if oneshot { Modes::ONESHOT } else { 0 };
            Modes(readiness | edge | oneshot)
        },
    );
    let any_mode = (1u8..8, 0u8..16).prop_map(|(readiness, mode)| Modes(readiness | mode << 3));
    prop_oneof![accepted, any_mode]
}

fn event() -> impl Strategy<Value = Option<(u32, u64)>> {
    let bits = prop_oneof![
        Just(0),
        any::<u32>(),
        (0u32..0x4000),
        (0u32..8).prop_map(|b| b | 1 << 31)
    ];
    prop::option::weighted(0.9, (bits, token()))
}

fn room() -> impl Strategy<Value = Room> {
    prop_oneof![
        1 => Just(Room::Vec(0)),
        6 => (1usize..5).prop_map(Room::Vec),
        6 => Just(Room::Vec(64)),
        1 => Just(Room::Inline0),
        3 => Just(Room::Inline1),
        3 => Just(Room::Inline3),
        6 => Just(Room::Inline64),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        6 => Just(How::AtOnce),
        1 => Just(How::Nanosecond),
        1 => Just(How::RawWait),
        1 => Just(How::RawPwait),
        1 => Just(How::RawPwait2),
    ]
}

/// Of the queues, the first is to have the most to do.
fn queue() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0u8), 1 => 1u8..3]
}

fn registration() -> impl Strategy<Value = Registration> {
    (queue(), any::<u8>(), token(), modes(), any::<bool>()).prop_map(
        |(queue, source, token, modes, by_clone)| Registration {
            queue,
            source,
            token,
            modes,
            by_clone,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let number = any::<u8>;
    let len = || prop_oneof![1usize..9, Just(4096), Just(1 << 18)];
    let deregister = (queue(), number(), any::<bool>()).prop_map(|(queue, source, by_clone)| {
        Operation::Deregister {
            queue,
            source,
            by_clone,
        }
    });
    let control = (queue(), 0i32..5, number(), event()).prop_map(|(queue, op, source, event)| {
        Operation::Control {
            queue,
            op,
            source,
            event,
        }
    });
    let wait = (queue(), room(), how()).prop_map(|(queue, room, how)| Operation::Wait {
        queue,
        room,
        how,
    });
    let open = prop::sample::select(vec![
        Open::Pipe,
        Open::Sockets,
        Open::Tcp,
        Open::Counter,
        Open::Timer,
    ]);
    let setting = prop::sample::select(vec![
        Setting::Expired,
        Setting::ExpiredAndPeriodic,
        Setting::Later,
        Setting::Off,
    ]);
    prop_oneof![
        14 => registration().prop_map(Operation::Register),
        8 => registration().prop_map(Operation::Reregister),
        4 => deregister,
        4 => control,
        20 => wait,
        2 => open.prop_map(Operation::Open),
        3 => number().prop_map(|source| Operation::Dup { source }),
        3 => number().prop_map(|source| Operation::Close { source }),
        10 => (number(), len()).prop_map(|(source, len)| Operation::Write { source, len }),
        8 => (number(), len()).prop_map(|(source, len)| Operation::Read { source, len }),
        3 => number().prop_map(|source| Operation::WriteUrgent { source }),
        2 => number().prop_map(|source| Operation::ReadUrgent { source }),
        3 => (number(), 0u8..3).prop_map(|(source, how)| Operation::Shutdown { source, how }),
        4 => (number(), setting).prop_map(|(source, setting)| Operation::SetTimer { source, setting }),
        2 => number().prop_map(|source| Operation::ReadTimer { source }),
        2 => (queue(), token(), any::<bool>())
            .prop_map(|(queue, token, by_clone)| Operation::NewWaker { queue, token, by_clone }),
        4 => number().prop_map(|waker| Operation::Wake { waker }),
        1 => number().prop_map(|waker| Operation::FillWaker { waker }),
        1 => number().prop_map(|waker| Operation::DropWaker { waker }),
    ]
}

/// First of all much is registered, or the trial would be over before much can happen.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let first = prop::collection::vec(registration().prop_map(Operation::Register), 0..16);
    let others = prop::collection::vec(operation(), 1..100);
    (first, others).prop_map(|(first, others)| [first, others].concat())
}
