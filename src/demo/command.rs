//! The command line: which command is given, with which options, and why it is refused.

use super::address;
use super::duration;
use crate::rt::Args;
use core::net::SocketAddr;
use core::time::Duration;

pub const USAGE: &[u8] = b"\
usage: epore [COMMAND] [OPTIONS]

  epore                  runs server and client in one thread, for 5 s
  epore serve ADDR:PORT  runs the delay server until SIGINT or SIGTERM: it answers
                         GET /MS/MESSAGE with MESSAGE after MS milliseconds
  epore get ADDR:PORT    sends five requests at once, with delays of 5 s to 1 s
  epore abi              prints the epoll ABI of this machine

  --patience TIME        with serve: how long a client may take to send a request or
                         to read a response; with get: how long the server may be
                         silent. 30s unless given; also 1.5s, 200ms; from 1ms to 1 day
  --trace                with get: prints each system call to standard error
  --help, -h             prints this text
  --version, -V          prints the version

ADDR is an IPv4 address, an IPv6 address in brackets, or localhost.
";

pub const VERSION: &[u8] = concat!("epore ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();

/// What a client or a server may take unless `--patience` is given.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// A server, as the command line names it.
#[derive(Clone, Copy)]
pub struct Target {
    pub address: SocketAddr,
    /// The same as it was typed: what a client sends as `Host`.
    pub text: &'static str,
}

/// What to do.
#[derive(Clone, Copy)]
pub enum Command {
    /// Serve and get, with one event queue.
    Demonstrate,
    Serve(Target, Duration),
    Get {
        target: Target,
        patience: Duration,
        trace: bool,
    },
    Abi,
    Help,
    Version,
}

/// Why a command line is refused.
pub struct Misuse {
    pub what: &'static str,
    /// The argument that is wrong, unless one is missing.
    pub argument: Option<&'static str>,
    pub reason: Option<&'static str>,
}

impl Misuse {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            argument: None,
            reason: None,
        }
    }

    fn of(what: &'static str, argument: &'static str) -> Self {
        Self {
            argument: Some(argument),
            ..Self::new(what)
        }
    }

    fn because(self, reason: &'static str) -> Self {
        Self {
            reason: Some(reason),
            ..self
        }
    }
}

/// Reads the command line. Options may stand anywhere.
pub fn parse(mut arguments: Args) -> Result<Command, Misuse> {
    let mut given = Given::default();
    while let Some(argument) = arguments.next() {
        given.add(argument, &mut arguments)?;
    }
    given.command()
}

#[derive(Clone, Copy)]
enum Verb {
    Serve,
    Get,
    Abi,
}

/// The arguments so far.
#[derive(Default)]
struct Given {
    verb: Option<Verb>,
    target: Option<Target>,
    patience: Option<Duration>,
    trace: bool,
    help: bool,
    version: bool,
}

impl Given {
    fn add(&mut self, argument: &'static str, following: &mut Args) -> Result<(), Misuse> {
        match argument {
            "-h" | "--help" => self.help = true,
            "-V" | "--version" => self.version = true,
            "--trace" => self.trace = true,
            "--patience" => match following.next() {
                Some(time) => self.patience = Some(patience(time)?),
                None => return Err(Misuse::of("a time is missing after", argument)),
            },
            _ => match argument.strip_prefix("--patience=") {
                Some(time) => self.patience = Some(patience(time)?),
                None if argument.starts_with('-') => {
                    return Err(Misuse::of("unknown option", argument));
                }
                None => self.add_operand(argument)?,
            },
        }
        Ok(())
    }

    /// Takes an argument that is not an option.
    fn add_operand(&mut self, argument: &'static str) -> Result<(), Misuse> {
        match (self.verb, self.target) {
            (None, _) => {
                self.verb = Some(match argument {
                    "serve" => Verb::Serve,
                    "get" => Verb::Get,
                    "abi" => Verb::Abi,
                    _ => return Err(Misuse::of("unknown command", argument)),
                });
            }
            (Some(Verb::Serve | Verb::Get), None) => {
                let address = address::parse(argument).map_err(|reason| {
                    Misuse::of("not an address with a port", argument).because(reason)
                })?;
                self.target = Some(Target {
                    address,
                    text: argument,
                });
            }
            _ => return Err(Misuse::of("unexpected argument", argument)),
        }
        Ok(())
    }

    /// The command, if the arguments make one.
    fn command(self) -> Result<Command, Misuse> {
        if self.help {
            return Ok(Command::Help);
        }
        if self.version {
            return Ok(Command::Version);
        }
        if self.trace && !matches!(self.verb, Some(Verb::Get)) {
            return Err(Misuse::of("only get has the option", "--trace"));
        }
        if self.patience.is_some() && !matches!(self.verb, Some(Verb::Serve | Verb::Get)) {
            return Err(Misuse::of(
                "only serve and get have the option",
                "--patience",
            ));
        }
        let patience = self.patience.unwrap_or(DEFAULT_PATIENCE);
        match (self.verb, self.target) {
            (None, _) => Ok(Command::Demonstrate),
            (Some(Verb::Abi), _) => Ok(Command::Abi),
            (Some(Verb::Serve), Some(target)) => Ok(Command::Serve(target, patience)),
            (Some(Verb::Get), Some(target)) => Ok(Command::Get {
                target,
                patience,
                trace: self.trace,
            }),
            (Some(Verb::Serve), None) => Err(Misuse::of("an address is missing after", "serve")),
            (Some(Verb::Get), None) => Err(Misuse::of("an address is missing after", "get")),
        }
    }
}

fn patience(text: &'static str) -> Result<Duration, Misuse> {
    let most = Duration::from_secs(24 * 60 * 60);
    let misuse = |reason| Misuse::of("not a time to wait", text).because(reason);
    let time = duration::parse(text)
        .ok_or_else(|| misuse("it is a number of seconds such as 30, 30s or 1.5s, or 200ms"))?;
    if time < Duration::from_millis(1) {
        return Err(misuse("the shortest is 1ms"));
    }
    if time > most {
        return Err(misuse("the longest is 1 day, 86400s"));
    }
    Ok(time)
}
