//! The delay server: `/<milliseconds>/<message>` is answered with the message, after
//! that time. Any number of clients, one thread, no heap.

use super::answer::MAX_ANSWER;
use super::connection::{Fate, Tools};
use super::log::Log;
use super::pool::{Buffer, Pool};
use super::table::{CONNECTIONS, Id, List, Slot, Table};
use crate::rt::Singleton;
use core::net::SocketAddr;
use core::time::Duration;
use epore::fd::AsFd;
use epore::net::{TcpListener, TcpStream};
use epore::sys::{self, IPPROTO_TCP, TCP_NODELAY};
use epore::{Errno, Event, Interest, Registry, Timer, Token};

/// How long clients may take, in ticks of the server's clock. That one ticks only while
/// there is a deadline to come.
#[derive(Clone, Copy)]
struct Patience {
    /// A 30th of the patience, from 1 ms to 1 s.
    tick: Duration,
    /// To send a request, or to read a response.
    whole: u32,
    /// To close the connection after the last response: a sixth.
    last: u32,
}

impl Patience {
    /// `time` is from 1 ms to 1 day.
    fn new(time: Duration) -> Self {
        let time = time.as_millis() as u32;
        let tick = (time / 30).clamp(1, 1000);
        let whole = time.div_ceil(tick);
        Self {
            tick: Duration::from_millis(tick.into()),
            whole,
            last: whole.div_ceil(6),
        }
    }
}

/// How many clients are accepted in one turn.
const MOST_ACCEPTED: usize = 64;

pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// The listener is registered.
    accepting: bool,
    /// Something was closed, so there may be a descriptor to accept with.
    freed: bool,
    /// Counts the ticks while there is a deadline to come. It is there from the
    /// start, so that a lack of descriptors does not keep it from running.
    clock: Timer,
    patience: Patience,
    ticking: bool,
    ticks: u32,
    table: Table,
    pool: Pool,
    scratch: &'static mut [u8; MAX_ANSWER],
}

/// All that the server remembers about its clients. Only what has been used of it
/// takes memory.
struct Memory {
    slots: [Slot; CONNECTIONS],
    /// One for every connection, so that those who send half a request cannot use
    /// them up.
    buffers: [Buffer; CONNECTIONS],
    scratch: [u8; MAX_ANSWER],
}

static MEMORY: Singleton<Memory> = Singleton::new(Memory {
    slots: [const { Slot::FRESH }; CONNECTIONS],
    buffers: [const { Buffer::EMPTY }; CONNECTIONS],
    scratch: [0; MAX_ANSWER],
});

/// What an event of the server is about, as its token says.
enum Source {
    Listener,
    Clock,
    Stream(Id),
    Delay(Id),
}

/// A bit of every token of the server. The others are free to those who share the
/// queue with it.
const SERVER: usize = 1 << 63;

impl Source {
    fn token(self) -> Token {
        let (kind, id) = match self {
            Self::Listener => (0, None),
            Self::Clock => (1, None),
            Self::Stream(id) => (2, Some(id)),
            Self::Delay(id) => (3, Some(id)),
        };
        let (generation, place) = id.map_or((0, 0), |id| (id.generation, id.place));
        Token(SERVER | kind << 48 | (generation as usize) << 16 | usize::from(place))
    }

    /// `None`: the token is not one of the server's.
    fn of(token: Token) -> Option<Self> {
        let Token(bits) = token;
        if bits & SERVER == 0 {
            return None;
        }
        let id = Id {
            place: bits as u16,
            generation: (bits >> 16) as u32,
        };
        Some(match bits >> 48 & 3 {
            0 => Self::Listener,
            1 => Self::Clock,
            2 => Self::Stream(id),
            _ => Self::Delay(id),
        })
    }
}

impl Server {
    /// Listens at `address` and registers what it watches. There is one server in a
    /// program.
    pub fn start(
        address: SocketAddr,
        patience: Duration,
        registry: &Registry,
    ) -> epore::Result<Self> {
        let listener = TcpListener::bind(address)?;
        // Those that are accepted have it too: an answer that waits for the one before
        // to be acknowledged is late.
        sys::setsockopt_int(listener.as_fd(), IPPROTO_TCP, TCP_NODELAY, 1)?;
        let clock = Timer::new()?;
        super::register(
            registry,
            listener.as_fd(),
            Source::Listener.token(),
            Interest::READABLE,
        )?;
        super::register(
            registry,
            clock.as_fd(),
            Source::Clock.token(),
            Interest::READABLE,
        )?;
        let Some(memory) = MEMORY.take() else {
            panic!("a second server");
        };
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            accepting: true,
            freed: false,
            clock,
            patience: Patience::new(patience),
            ticking: false,
            ticks: 0,
            table: Table::new(&mut memory.slots),
            pool: Pool::new(&mut memory.buffers),
            scratch: &mut memory.scratch,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handles an event, if it is one of the server's.
    pub fn handle(&mut self, event: &Event, registry: &Registry, log: &mut Log) {
        match Source::of(event.token()) {
            None => {}
            Some(Source::Listener) => self.accept(registry),
            Some(Source::Clock) => self.tick(registry, log),
            // An event of a batch may be about a connection that an earlier one of the
            // same batch has ended.
            Some(Source::Stream(id)) => {
                if let Some(slot) = self.table.find(id) {
                    if slot.connection.notice(event) {
                        self.advance(id, registry, log);
                    } else {
                        self.close(id.place);
                    }
                }
            }
            Some(Source::Delay(id)) => {
                if let Some(slot) = self.table.find(id) {
                    slot.connection.delay_is_over();
                    self.freed = true;
                    self.advance(id, registry, log);
                }
            }
        }
    }

    /// To be called when all events of a batch are handled.
    pub fn finish_batch(&mut self, registry: &Registry) {
        if self.freed && !self.accepting {
            self.resume(registry);
        }
        self.freed = false;
        if self.needs_clock() && !self.ticking {
            let tick = self.patience.tick;
            self.ticking = self.clock.set_periodic(tick, tick).is_ok();
            // Nothing would end the pause: rather none.
            if !self.ticking && !self.accepting {
                self.resume(registry);
            }
        }
    }

    fn needs_clock(&self) -> bool {
        !self.accepting
            || self.table.first(List::Waiting).is_some()
            || self.table.first(List::Draining).is_some()
    }

    fn accept(&mut self, registry: &Registry) {
        for _ in 0..MOST_ACCEPTED {
            if self.table.is_full() && self.table.first(List::Idle).is_none() {
                return self.pause(registry);
            }
            match self.listener.accept() {
                Ok((stream, _)) => self.open(stream, registry),
                Err(error) if error.is_would_block() => return,
                Err(error) => match error.errno() {
                    // The client goes on waiting, and the listener being ready.
                    Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                        return self.pause(registry);
                    }
                    // It is the next one's turn.
                    _ => {}
                },
            }
        }
    }

    fn open(&mut self, stream: TcpStream, registry: &Registry) {
        if self.table.is_full() {
            if let Some(idle) = self.table.first(List::Idle) {
                self.close(idle);
            }
        }
        let Some(id) = self.table.open() else {
            return;
        };
        let token = Source::Stream(id).token();
        if let Some(slot) = self.table.find(id) {
            if slot.connection.open(stream, registry, token).is_err() {
                self.close(id.place);
            }
        }
    }

    /// Leaves the clients to wait for better times. A listener that is ready and not
    /// accepted from would end every wait at once.
    fn pause(&mut self, registry: &Registry) {
        self.accepting = registry.deregister(&self.listener).is_err();
    }

    fn resume(&mut self, registry: &Registry) {
        let token = Source::Listener.token();
        let registered =
            super::register(registry, self.listener.as_fd(), token, Interest::READABLE);
        self.accepting = registered.is_ok();
    }

    fn advance(&mut self, id: Id, registry: &Registry, log: &mut Log) {
        let Some(slot) = self.table.find(id) else {
            return;
        };
        let fate = slot.connection.advance(&mut Tools {
            registry,
            pool: &mut self.pool,
            scratch: self.scratch,
            log,
            delay: Source::Delay(id).token(),
        });
        match fate {
            Fate::Rest(list) => self.rest(id, list),
            Fate::Again => {
                let token = Source::Stream(id).token();
                match slot.connection.report_again(registry, token) {
                    Ok(()) => self.rest(id, List::Busy),
                    Err(_) => self.close(id.place),
                }
            }
            Fate::Close => self.close(id.place),
        }
    }

    fn rest(&mut self, id: Id, list: List) {
        let Some(slot) = self.table.find(id) else {
            return;
        };
        // Whoever sends a byte now and then does not gain time with each.
        if slot.list() == list && !slot.connection.progressed && list != List::Idle {
            return;
        }
        slot.connection.progressed = false;
        slot.deadline = match list {
            List::Draining => self.ticks + self.patience.last,
            _ => self.ticks + self.patience.whole,
        };
        self.table.move_to(id.place, list);
    }

    fn close(&mut self, place: u16) {
        if let Some(slot) = self.table.find(self.table.id(place)) {
            slot.connection.close(&mut self.pool);
            self.table.close(place);
            self.freed = true;
        }
    }

    fn tick(&mut self, registry: &Registry, log: &mut Log) {
        let Ok(expirations) = self.clock.read() else {
            return;
        };
        // Not as soon as nobody needs it: a client whose every request comes in two
        // pieces would start and stop it with each.
        if !self.needs_clock() {
            self.ticking = self.clock.cancel().is_err();
            return;
        }
        self.ticks = self.ticks.wrapping_add(expirations as u32);
        // Time, too, may have brought descriptors: from other programs.
        self.freed = true;
        for list in [List::Waiting, List::Draining] {
            while let Some(place) = self.table.first(list) {
                let id = self.table.id(place);
                let Some(slot) = self.table.find(id) else {
                    break;
                };
                // A tick may be over sooner than its length after a deadline was set.
                if slot.deadline >= self.ticks {
                    break;
                }
                if slot.connection.time_is_up(log) {
                    self.advance(id, registry, log);
                } else {
                    self.close(place);
                }
            }
        }
    }
}
