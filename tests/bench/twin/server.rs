//! Connections in a slab, edge-triggered, each with buffers that it keeps.

use crate::answer::answer;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Stdout, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

const LISTENER: Token = Token(usize::MAX);

pub struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    opened: u64,
    /// When whose delay ends.
    delays: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    scratch: Vec<u8>,
    log: Vec<u8>,
    out: Stdout,
}

struct Connection {
    stream: TcpStream,
    serial: u64,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of the output is sent.
    sent: usize,
    delayed: bool,
    closes: bool,
    /// The peer has sent all it will.
    ended: bool,
}

enum Fate {
    Rest,
    Close,
}

impl Server {
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        let interest = Interest::READABLE;
        poll.registry()
            .register(&mut listener, LISTENER, interest)?;
        println!("listening on {}", listener.local_addr()?);
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            vacant: Vec::new(),
            opened: 0,
            delays: BinaryHeap::new(),
            scratch: vec![0; 64 * 1024],
            log: Vec::new(),
            out: io::stdout(),
        })
    }

    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            if !self.log.is_empty() {
                let mut out = self.out.lock();
                out.write_all(&self.log)?;
                out.flush()?;
                self.log.clear();
            }
            let next = self.delays.peek();
            let timeout =
                next.map(|Reverse((when, ..))| when.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(place) => self.handle(place, event),
                }
            }
            self.end_delays();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let place = self.vacant.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut stream, Token(place), interest)?;
            self.opened += 1;
            self.connections[place] = Some(Connection {
                stream,
                serial: self.opened,
                input: Vec::new(),
                output: Vec::new(),
                sent: 0,
                delayed: false,
                closes: false,
                ended: false,
            });
        }
    }

    fn handle(&mut self, place: usize, event: &Event) {
        let Some(Some(connection)) = self.connections.get_mut(place) else {
            return;
        };
        let mut fate = Ok(Fate::Rest);
        if event.is_readable() {
            fate = connection.read(&mut self.scratch);
        }
        if matches!(fate, Ok(Fate::Rest)) {
            fate = connection.advance(place, &mut self.delays, &mut self.log);
        }
        self.rest(place, fate);
    }

    fn end_delays(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((when, place, serial))) = self.delays.peek() {
            if when > now {
                return;
            }
            self.delays.pop();
            let Some(Some(connection)) = self.connections.get_mut(place) else {
                continue;
            };
            if connection.serial == serial {
                connection.delayed = false;
                let fate = connection.advance(place, &mut self.delays, &mut self.log);
                self.rest(place, fate);
            }
        }
    }

    /// A connection that fails is closed like one that has ended.
    fn rest(&mut self, place: usize, fate: io::Result<Fate>) {
        if let Ok(Fate::Rest) = fate {
            return;
        }
        if let Some(mut connection) = self.connections[place].take() {
            let _ = self.poll.registry().deregister(&mut connection.stream);
            self.vacant.push(place);
        }
    }
}

impl Connection {
    /// Reads all there is, as an edge wants it.
    fn read(&mut self, scratch: &mut [u8]) -> io::Result<Fate> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(if self.input.is_empty() && self.output.is_empty() {
                        Fate::Close
                    } else {
                        Fate::Rest
                    });
                }
                // After its last answer, nothing counts but the end.
                Ok(_) if self.closes => {}
                Ok(count) => self.input.extend_from_slice(&scratch[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Fate::Rest),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers, as long as there are requests and there is room to answer.
    fn advance(
        &mut self,
        place: usize,
        delays: &mut BinaryHeap<Reverse<(Instant, usize, u64)>>,
        log: &mut Vec<u8>,
    ) -> io::Result<Fate> {
        while !self.delayed {
            if self.sent < self.output.len() {
                match self.stream.write(&self.output[self.sent..]) {
                    Ok(count) => self.sent += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Fate::Rest),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            self.output.clear();
            self.sent = 0;
            if self.closes {
                if self.ended {
                    return Ok(Fate::Close);
                }
                self.stream.shutdown(Shutdown::Write)?;
                return Ok(Fate::Rest);
            }
            if self.input.is_empty() {
                return Ok(if self.ended { Fate::Close } else { Fate::Rest });
            }
            let Some(answer) = answer(&self.input, &mut self.output, log) else {
                if !self.ended {
                    return Ok(Fate::Rest);
                }
                crate::answer::refuse(crate::status::Status::BadRequest, &mut self.output, log);
                self.closes = true;
                continue;
            };
            self.input.drain(..answer.length);
            self.closes = answer.closes;
            if !answer.delay.is_zero() {
                delays.push(Reverse((Instant::now() + answer.delay, place, self.serial)));
                self.delayed = true;
            }
        }
        Ok(Fate::Rest)
    }
}
