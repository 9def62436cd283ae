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

pub struct Client {
    address: SocketAddr,
    /// What `Host` is, unless it is the address.
    host: Option<&'static str>,
    /// How long the server may be silent.
    patience: Duration,
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

/// How far an exchange got.
enum Step {
    /// It waits for the next event.
    Wait,
    /// The request is sent, just now.
    Sent,
    /// The response is complete.
    Complete,
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
    pub fn start(
        address: SocketAddr,
        host: Option<&'static str>,
        patience: Duration,
        registry: &Registry,
    ) -> epore::Result<Self> {
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
        Ok(Self {
            address,
            host,
            patience,
            started,
            exchanges,
            failed: 0,
        })
    }

    /// How long to wait for events before [`Client::give_up`].
    pub fn patience(&self) -> Duration {
        self.patience
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
        let mut room = [0; 512];
        let request = write_request(&mut room, token, self.address, self.host);
        let outcome = exchange.advance(token, request, registry);
        match outcome {
            Ok(Step::Wait) => return Ok(()),
            Ok(Step::Sent) => {
                let out = log.client();
                show_token(out, token);
                out.put(b"GET ");
                put_path(out, token);
                out.put(b"\n");
                return Ok(());
            }
            Err(Failure::Connect(error)) => return Err(error),
            Ok(Step::Complete) | Err(_) => exchange.stream = None,
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
                out.time(self.patience);
                out.put(b"\n");
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

    /// Sends or reads what is possible without waiting.
    fn advance(
        &mut self,
        token: usize,
        request: &[u8],
        registry: &Registry,
    ) -> Result<Step, Failure> {
        let Some(stream) = &self.stream else {
            return Ok(Step::Wait);
        };
        if !self.connected {
            if let Some(error) = stream.take_error().map_err(Failure::Connect)? {
                return Err(Failure::Connect(error));
            }
            self.connected = true;
        }

        let rest = request.get(self.sent..).unwrap_or_default();
        if !rest.is_empty() {
            let step = match stream.write(rest) {
                Ok(count) if count < rest.len() => {
                    self.sent += count;
                    return Ok(Step::Wait);
                }
                Ok(_) => Step::Sent,
                Err(error) if error.is_would_block() || error.is_interrupted() => {
                    return Ok(Step::Wait);
                }
                // The server may have closed early, after a response that says why.
                Err(_) => Step::Wait,
            };
            self.sent = request.len();
            registry
                .reregister(stream, Token(token), Interest::READABLE)
                .map_err(Failure::Stream)?;
            return Ok(step);
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
        Ok(if self.response.is_complete() {
            Step::Complete
        } else {
            Step::Wait
        })
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

fn write_request<'a>(
    room: &'a mut [u8],
    token: usize,
    address: SocketAddr,
    host: Option<&str>,
) -> &'a [u8] {
    let mut request = Draft::new(room);
    request.put(b"GET ");
    put_path(&mut request, token);
    request.put(b" HTTP/1.1\r\nHost: ");
    match host {
        Some(host) => request.put(host.as_bytes()),
        None => address::write(&mut request, address),
    }
    request.put(b"\r\nConnection: close\r\n\r\n");
    request.finish()
}

fn now() -> Duration {
    sys::clock_gettime(CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
