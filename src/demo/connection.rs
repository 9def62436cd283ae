//! One client of the server, from its first byte to its last.

use super::answer::{Answer, MAX_ANSWER};
use super::log::Log;
use super::pool::{Buffer, Pool};
use super::request::MAX_HEAD;
use super::status::Status;
use super::table::List;
use super::zero_option::ZeroOption;
use core::ops::ControlFlow::{self, Break, Continue};
use core::time::Duration;
use epore::fd::AsFd;
use epore::net::{Shutdown, TcpStream};
use epore::{Event, Interest, Registry, Timer, Token};

/// How many reads and writes a connection has in one turn.
const TURN: usize = 64;

/// How much is read from a client after its last answer. One that sends so much
/// more before it looks at the answer may lose it.
const MOST_DRAINED: usize = 16 * 1024 * 1024;

/// What is registered of every connection, once.
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).edge();

pub struct Connection {
    stream: ZeroOption<TcpStream>,
    /// Of the request that the input begins with.
    delay: ZeroOption<Timer>,
    input: Input,
    phase: Phase,
    /// How much of the answer is sent, or how much is drained.
    progress: usize,
    /// What to answer instead of the request, unless it is `Ok`.
    refusal: Status,
    /// There may be something to read: reported, and not yet read to its end.
    readable: bool,
    /// The peer has sent all it will, so what is readable has an end.
    ended: bool,
    /// Since its time limit began to count, it has got further.
    pub progressed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    Delaying,
    Answering,
    Draining,
}

/// How a turn ends.
pub enum Fate {
    /// Wait in this list for an event.
    Rest(List),
    /// There is more to do, after the others.
    Again,
    Close,
}

/// What connections share.
pub struct Tools<'a> {
    pub registry: &'a Registry,
    pub pool: &'a mut Pool,
    pub scratch: &'a mut [u8; MAX_ANSWER],
    pub log: &'a mut Log,
    /// To report the end of a delay with.
    pub delay: Token,
}

impl Connection {
    pub const NONE: Self = Self {
        stream: ZeroOption::None,
        delay: ZeroOption::None,
        input: Input::NONE,
        phase: Phase::Reading,
        progress: 0,
        refusal: Status::Ok,
        readable: false,
        ended: false,
        progressed: false,
    };

    /// Registers `stream` with `token`, and makes it the connection.
    pub fn open(
        &mut self,
        stream: TcpStream,
        registry: &Registry,
        token: Token,
    ) -> epore::Result<()> {
        super::register(registry, stream.as_fd(), token, INTEREST)?;
        self.stream = ZeroOption::Some(stream);
        Ok(())
    }

    /// Closes the descriptors, which ends their registration.
    pub fn close(&mut self, pool: &mut Pool) {
        self.input.forget(pool);
        *self = Self::NONE;
    }

    /// Takes note of what happened to the stream, and says whether it is still one.
    ///
    /// It is registered edge-triggered: what is not acted upon now is not reported
    /// again.
    pub fn notice(&mut self, event: &Event) -> bool {
        self.readable |= event.is_readable();
        self.ended |= event.is_read_closed();
        let both_ways_closed = event.is_write_closed();
        // While it drains, this end has closed the one way.
        !event.is_error() && (!both_ways_closed || self.phase == Phase::Draining)
    }

    /// Ends the delay: the answer is due.
    pub fn delay_is_over(&mut self) {
        if self.delay.take().is_some() {
            self.phase = Phase::Answering;
        }
    }

    /// Ends the patience with a peer that is too slow. `false`: there is nothing more
    /// to say to it.
    pub fn time_is_up(&mut self, log: &mut Log) -> bool {
        let reading = self.phase == Phase::Reading;
        if reading {
            self.refuse(Status::RequestTimeout, log);
        }
        reading
    }

    /// Has the queue report it once more, after those that are to be reported now:
    /// to change a registration is to look at its readiness afresh.
    pub fn report_again(&self, registry: &Registry, token: Token) -> epore::Result<()> {
        match self.stream.as_ref() {
            Some(stream) => registry.reregister(stream, token, INTEREST),
            None => Ok(()),
        }
    }

    /// Goes as far as is possible without waiting, and is fair.
    pub fn advance(&mut self, tools: &mut Tools<'_>) -> Fate {
        for _ in 0..TURN {
            let step = match self.phase {
                Phase::Reading => self.read(tools),
                Phase::Delaying => Break(Fate::Rest(List::Busy)),
                Phase::Answering => self.answer(tools).map_continue(|_| ()),
                Phase::Draining => self.drain(tools),
            };
            if let Break(fate) = step {
                return fate;
            }
        }
        Fate::Again
    }

    fn read(&mut self, tools: &mut Tools<'_>) -> ControlFlow<Fate> {
        // What came with the last request may already be the next one.
        if !self.input.is_empty() && self.answer(tools)? {
            return Continue(());
        }
        if !self.readable {
            if !self.input.is_empty() {
                return Break(Fate::Rest(List::Waiting));
            }
            self.input.forget(tools.pool);
            return Break(Fate::Rest(List::Idle));
        }
        let (Some(stream), Some(room)) = (self.stream.as_ref(), self.input.room(tools.pool)) else {
            return Break(Fate::Close);
        };
        let length = room.len();
        match stream.read(room) {
            Ok(0) if self.input.is_empty() => return Break(Fate::Close),
            Ok(0) => self.refuse(Status::BadRequest, tools.log),
            Ok(count) => {
                // The next read would say `EAGAIN`: a shorter way to know it.
                self.readable = count == length || self.ended;
                self.input.grow(count);
            }
            Err(error) if error.is_would_block() => self.readable = self.ended,
            Err(error) if error.is_interrupted() => {}
            Err(_) => return Break(Fate::Close),
        }
        Continue(())
    }

    /// Answers the request that the input begins with; `false` if it is not all there.
    fn answer(&mut self, tools: &mut Tools<'_>) -> ControlFlow<Fate, bool> {
        let Some(stream) = self.stream.as_ref() else {
            return Break(Fate::Close);
        };
        let answer = if self.refusal == Status::Ok {
            Answer::to(self.input.bytes())
        } else {
            Some(Answer::refusal(self.refusal))
        };
        let Some(answer) = answer else {
            return Continue(false);
        };

        if self.phase == Phase::Reading {
            tools.log.request(&answer);
            self.phase = Phase::Answering;
            self.progress = 0;
            self.progressed = true;
            if answer.milliseconds > 0 {
                let delay = Duration::from_millis(answer.milliseconds.into());
                let Ok(timer) = start_timer(delay, tools) else {
                    self.refuse(Status::ServiceUnavailable, tools.log);
                    return Continue(true);
                };
                self.delay = ZeroOption::Some(timer);
                self.phase = Phase::Delaying;
                return Continue(true);
            }
        }

        let text = answer.write(tools.scratch);
        let rest = text.get(self.progress..).unwrap_or_default();
        match stream.write(rest) {
            Ok(count) if count < rest.len() => {
                self.progress += count;
                return Continue(true);
            }
            Ok(_) => {}
            Err(error) if error.is_would_block() => return Break(Fate::Rest(List::Waiting)),
            Err(error) if error.is_interrupted() => return Continue(true),
            Err(_) => return Break(Fate::Close),
        }

        let (closes, interrupts) = (answer.closes(), answer.interrupts());
        let length = answer.request_length();
        self.input.consume(length);
        self.phase = Phase::Reading;
        self.progressed = true;
        if closes {
            // To close a socket that has something unread is to reset the connection,
            // which may destroy the answer before it is read.
            if !interrupts && self.input.is_empty() && !self.readable {
                return Break(Fate::Close);
            }
            if stream.shutdown(Shutdown::Write).is_err() {
                return Break(Fate::Close);
            }
            self.input.forget(tools.pool);
            self.phase = Phase::Draining;
            self.progress = 0;
        }
        Continue(true)
    }

    /// Reads for nothing but to find the end.
    fn drain(&mut self, tools: &mut Tools<'_>) -> ControlFlow<Fate> {
        let Some(stream) = self.stream.as_ref() else {
            return Break(Fate::Close);
        };
        if !self.readable {
            return Break(Fate::Rest(List::Draining));
        }
        match stream.read(tools.scratch) {
            Ok(0) => return Break(Fate::Close),
            Ok(count) => {
                self.progress += count;
                if self.progress > MOST_DRAINED {
                    return Break(Fate::Close);
                }
                self.readable = count == tools.scratch.len() || self.ended;
            }
            Err(error) if error.is_would_block() => self.readable = self.ended,
            Err(error) if error.is_interrupted() => {}
            Err(_) => return Break(Fate::Close),
        }
        Continue(())
    }

    fn refuse(&mut self, status: Status, log: &mut Log) {
        self.refusal = status;
        self.phase = Phase::Answering;
        self.progress = 0;
        self.progressed = true;
        log.request(&Answer::refusal(status));
    }
}

fn start_timer(delay: Duration, tools: &Tools<'_>) -> epore::Result<Timer> {
    let timer = Timer::new()?;
    timer.set(delay)?;
    super::register(
        tools.registry,
        timer.as_fd(),
        tools.delay,
        // It expires once, and nobody reads it.
        Interest::READABLE.oneshot(),
    )?;
    Ok(timer)
}

/// What was read and is not yet answered, in a buffer if it is anything.
struct Input {
    buffer: Option<&'static mut Buffer>,
    start: usize,
    end: usize,
}

impl Input {
    const NONE: Self = Self {
        buffer: None,
        start: 0,
        end: 0,
    };

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn bytes(&self) -> &[u8] {
        let bytes = self
            .buffer
            .as_ref()
            .and_then(|buffer| buffer.bytes.get(self.start..self.end));
        bytes.unwrap_or_default()
    }

    /// Where to read to. There is room: a whole buffer without a whole request in it
    /// is refused.
    fn room(&mut self, pool: &mut Pool) -> Option<&mut [u8]> {
        if self.buffer.is_none() {
            self.buffer = pool.borrow();
        }
        let bytes = &mut self.buffer.as_mut()?.bytes;
        if self.start > 0 {
            bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        bytes.get_mut(self.end..)
    }

    fn grow(&mut self, count: usize) {
        self.end = MAX_HEAD.min(self.end + count);
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start.saturating_add(count));
    }

    fn forget(&mut self, pool: &mut Pool) {
        if let Some(buffer) = self.buffer.take() {
            pool.give_back(buffer);
        }
        (self.start, self.end) = (0, 0);
    }
}
