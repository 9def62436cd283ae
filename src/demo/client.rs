//! The client: five requests at once, the slowest first, so that the answers come in
//! reverse order.

use super::address;
use super::log::Log;
use super::response::{Fault, Response};
use super::text::{Draft, Text};
use crate::rt::{Out, Singleton};
use core::net::SocketAddr;
use core::time::Duration;
use epore::fd::AsFd;
use epore::net::TcpStream;
use epore::sys::{self, CLOCK_MONOTONIC};
use epore::{Event, Interest, Registry, Token};

const REQUESTS: usize = 5;

/// How long nothing at all may come from the server.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    address: SocketAddr,
    started: Duration,
    /// With the tokens 1, 2 and so on.
    exchanges: &'static mut [Exchange; REQUESTS],
    failed: u64,
}

struct Exchange {
    /// Gone as soon as it is known how the exchange ends. So whatever else is
    /// reported of it is not taken for another end.
    stream: Option<TcpStream>,
    connected: bool,
    sent: usize,
    response: Response,
}

/// How an exchange went wrong.
enum Failure {
    /// So will the others.
    Connect(epore::Error),
    Stream(epore::Error),
    Response(Fault),
}

impl Client {
    /// Connects and registers the connections. What there is to send is sent when
    /// they are reported. There is one client in a program.
    pub fn start(address: SocketAddr, registry: &Registry, log: &mut Log) -> epore::Result<Self> {
        static EXCHANGES: Singleton<[Exchange; REQUESTS]> =
            Singleton::new([const { Exchange::NONE }; REQUESTS]);

        let started = now();
        let Some(exchanges) = EXCHANGES.take() else {
            panic!("a second client");
        };
        for (exchange, token) in exchanges.iter_mut().zip(1..) {
            let stream = TcpStream::connect(address)?;
            super::register(
                registry,
                stream.as_fd(),
                Token(token),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            exchange.stream = Some(stream);
        }
        for token in 1..=REQUESTS {
            let out = log.client();
            show_token(out, token);
            out.put(b"GET ");
            put_path(out, token);
            out.put(b"\n");
        }
        Ok(Self {
            address,
            started,
            exchanges,
            failed: 0,
        })
    }

    /// How many requests have failed, when all have ended.
    pub fn outcome(&self) -> Option<u64> {
        let ended = self
            .exchanges
            .iter()
            .all(|exchange| exchange.stream.is_none());
        ended.then_some(self.failed)
    }

    /// Handles an event, if it is one of the client's.
    ///
    /// # Errors
    ///
    /// The connection could not be made.
    pub fn handle(
        &mut self,
        event: &Event,
        registry: &Registry,
        log: &mut Log,
    ) -> epore::Result<()> {
        let Token(token) = event.token();
        let Some(exchange) = token
            .checked_sub(1)
            .and_then(|at| self.exchanges.get_mut(at))
        else {
            return Ok(());
        };
        let outcome = exchange.advance(token, self.address, registry);
        match outcome {
            Ok(false) => return Ok(()),
            Err(Failure::Connect(error)) => return Err(error),
            Ok(true) | Err(_) => exchange.stream = None,
        }
        let out = log.client();
        show_token(out, token);
        out.seconds(now().saturating_sub(self.started));
        out.put(b"  ");
        match &outcome {
            Ok(_) => exchange.response.show(out),
            Err(failure) => failure.show(out),
        }
        out.put(b"\n");
        if outcome.is_err() || !exchange.response.is_ok() {
            self.failed += 1;
        }
        Ok(())
    }

    /// Gives up what is still open.
    pub fn give_up(&mut self, log: &mut Log) {
        for (exchange, token) in self.exchanges.iter_mut().zip(1..) {
            if exchange.stream.take().is_some() {
                self.failed += 1;
                let out = log.client();
                show_token(out, token);
                out.put(b"no answer within ");
                out.number(PATIENCE.as_secs());
                out.put(b" s\n");
            }
        }
    }
}

impl Exchange {
    const NONE: Self = Self {
        stream: None,
        connected: false,
        sent: 0,
        response: Response::new(),
    };

    /// Sends and reads what is possible without waiting. `true`: the response is
    /// complete.
    fn advance(
        &mut self,
        token: usize,
        address: SocketAddr,
        registry: &Registry,
    ) -> Result<bool, Failure> {
        let Some(stream) = &self.stream else {
            return Ok(false);
        };
        if !self.connected {
            if let Some(error) = stream.take_error().map_err(Failure::Connect)? {
                return Err(Failure::Connect(error));
            }
            self.connected = true;
        }

        let mut room = [0; 256];
        let request = write_request(&mut room, token, address);
        let rest = request.get(self.sent..).unwrap_or_default();
        if !rest.is_empty() {
            match stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.is_would_block() || error.is_interrupted() => {}
                // It may have closed early, and have said why before.
                Err(_) => self.sent = request.len(),
            }
            if self.sent == request.len() {
                let token = Token(token);
                registry
                    .reregister(stream, token, Interest::READABLE)
                    .map_err(Failure::Stream)?;
            }
            return Ok(false);
        }

        let mut room = [0; 2048];
        match stream.read(&mut room) {
            Ok(0) => self.response.end().map_err(Failure::Response)?,
            Ok(count) => {
                let bytes = room.get(..count).unwrap_or_default();
                self.response.read(bytes).map_err(Failure::Response)?;
            }
            Err(error) if error.is_would_block() || error.is_interrupted() => {}
            Err(error) => return Err(Failure::Stream(error)),
        }
        Ok(self.response.is_complete())
    }
}

impl Failure {
    fn show(&self, out: &mut Out) {
        match self {
            Self::Connect(error) | Self::Stream(error) => out.error(error),
            Self::Response(fault) => out.put(fault.text().as_bytes()),
        }
    }
}

impl Response {
    fn show(&self, out: &mut Out) {
        out.harmless(self.status());
        let (text, length) = self.body();
        if length > 0 {
            out.put(b"  ");
            out.harmless(text.trim_ascii_end());
        }
        if length > text.len() as u64 {
            out.put(b"... (");
            out.number(length);
            out.put(b" bytes)");
        }
    }
}

fn show_token(out: &mut Out, token: usize) {
    out.put(b"token ");
    out.number(token as u64);
    out.put(b"  ");
}

/// Token 1 asks for the longest delay.
fn put_path(text: &mut impl Text, token: usize) {
    text.put(b"/");
    text.number((REQUESTS + 1 - token) as u64 * 1000);
    text.put(b"/request-");
    text.number(token as u64);
}

fn write_request(room: &mut [u8], token: usize, address: SocketAddr) -> &[u8] {
    let mut request = Draft::new(room);
    request.put(b"GET ");
    put_path(&mut request, token);
    request.put(b" HTTP/1.1\r\nHost: ");
    address::write(&mut request, address);
    request.put(b"\r\nConnection: close\r\n\r\n");
    request.finish()
}

fn now() -> Duration {
    sys::clock_gettime(CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
