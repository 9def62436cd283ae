//! The demo: what is asked for on the command line, and the loop that does it.

mod abi;
mod address;
mod answer;
mod client;
mod command;
mod connection;
mod duration;
mod log;
mod pool;
mod request;
mod response;
mod scan;
mod server;
mod status;
mod table;
mod text;
mod zero_option;

use self::client::Client;
use self::command::{Command, DEFAULT_PATIENCE, Misuse, Target};
use self::log::Log;
use self::server::Server;
use self::text::{Draft, Text};
use crate::rt::{self, Args, Out};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use epore::fd::{AsFd, BorrowedFd};
use epore::signal::{SIGINT, SIGTERM, SigSet, Signals};
use epore::{Events, Interest, Poll, Registry, Token};

/// The token of the signals that end the server.
const END_SIGNALS: Token = Token(1 << 62);

/// How often the server looks whether there is more to do before it sleeps. That is as
/// long as it takes to be woken by another processor, so that whatever comes next costs
/// no more than twice what it must.
const LOOKS: u32 = 64;

/// What to do.
#[derive(Clone, Copy)]
enum Job {
    /// Serve and get, with one event queue.
    Demonstrate,
    Serve(SocketAddr, Duration),
    Get(Target, Duration),
}

/// What the program could not do, and why.
struct Failure {
    what: &'static str,
    address: Option<SocketAddr>,
    error: epore::Error,
}

/// Does what `args` ask for, and returns the exit code.
pub fn run(args: Args) -> u8 {
    let command = match command::parse(args) {
        Ok(command) => command,
        Err(misuse) => return report_misuse(&misuse),
    };
    let job = match command {
        Command::Help => return print(|out| out.put(command::USAGE)),
        Command::Version => return print(|out| out.put(command::VERSION)),
        Command::Abi => return print(abi::show),
        Command::Demonstrate => Job::Demonstrate,
        Command::Serve(target, patience) => Job::Serve(target.address, patience),
        Command::Get {
            target, patience, ..
        } => Job::Get(target, patience),
    };
    let mut program = || end(perform(job));
    match command {
        Command::Get { trace: true, .. } => trace(&mut program),
        _ => program(),
    }
}

/// Prints something to standard output. Fails if not all of it could be written.
fn print(content: impl FnOnce(&mut Out)) -> u8 {
    let mut stdout = Out::stdout();
    content(&mut stdout);
    stdout.flush();
    let Some(errno) = stdout.write_error() else {
        return 0;
    };
    let mut stderr = Out::stderr();
    stderr.put(b"epore: cannot print: write: ");
    stderr.errno(errno);
    stderr.put(b"\n");
    1
}

/// Says what went wrong, if anything did, and returns the exit code.
fn end(outcome: Result<u64, Failure>) -> u8 {
    match outcome {
        Ok(0) => return 0,
        Ok(failed) => {
            let mut stderr = Out::stderr();
            stderr.put(b"epore: ");
            stderr.number(failed);
            stderr.put(b" of 5 requests failed\n");
        }
        Err(failure) => failure.report(),
    }
    1
}

/// Runs `program`, and shows on standard error each system call as it comes back.
fn trace(program: &mut dyn FnMut() -> u8) -> u8 {
    let mut stderr = Out::stderr();
    let ended = rt::trace(program, &mut |call| {
        abi::show_call(&mut stderr, call);
        stderr.flush();
    });
    ended.unwrap_or_else(|errno| {
        stderr.put(b"epore: cannot trace: ");
        stderr.errno(errno);
        stderr.put(b"\n");
        1
    })
}

/// Says which argument is wrong and why, and returns the exit code.
fn report_misuse(misuse: &Misuse) -> u8 {
    let mut stderr = Out::stderr();
    stderr.put(b"epore: ");
    stderr.put(misuse.what.as_bytes());
    if let Some(argument) = misuse.argument {
        stderr.put(b": ");
        stderr.harmless(argument.as_bytes());
    }
    if let Some(reason) = misuse.reason {
        stderr.put(b": ");
        stderr.put(reason.as_bytes());
    }
    stderr.put(b"\n\n");
    stderr.put(command::USAGE);
    2
}

/// Does the job to its end, if it has one, and returns how many requests failed.
fn perform(job: Job) -> Result<u64, Failure> {
    let waiting = |error| Failure {
        what: "cannot wait for events",
        address: None,
        error,
    };
    let mut queue = Poll::new().map_err(waiting)?;
    let mut log = Log {
        out: Out::stdout(),
        together: matches!(job, Job::Demonstrate),
    };
    let (mut server, mut client) = (None, None);
    let mut most_looks = 0;
    let mut _signals = None;
    let (to_serve, to_get) = match job {
        Job::Demonstrate => (
            Some(((Ipv4Addr::LOCALHOST, 0).into(), DEFAULT_PATIENCE)),
            None,
        ),
        Job::Serve(address, patience) => (Some((address, patience)), None),
        Job::Get(target, patience) => (None, Some((target.address, Some(target.text), patience))),
    };
    if let Some((address, patience)) = to_serve {
        let started = listen(address, patience, queue.registry())?;
        if let Job::Serve(..) = job {
            _signals = Some(await_the_end(queue.registry()).map_err(waiting)?);
            if rt::has_company() {
                most_looks = LOOKS;
            }
        }
        let out = log.server();
        out.put(b"listening on ");
        put_address(out, started.address());
        out.put(b"\n");
        server = Some(started);
    }
    let to_get = match (job, &server) {
        (Job::Demonstrate, Some(server)) => Some((server.address(), None, DEFAULT_PATIENCE)),
        _ => to_get,
    };
    let connecting = |error| Failure {
        what: "cannot connect to ",
        address: to_get.map(|(address, ..)| address),
        error,
    };
    if let Some((address, host, patience)) = to_get {
        let started = Client::start(address, host, patience, queue.registry());
        client = Some(started.map_err(connecting)?);
    }
    let mut events = Events::<256>::new();
    let mut looks = 0;
    loop {
        log.out.flush();
        let timeout = match looks {
            0 => client.as_ref().map(Client::patience),
            _ => Some(Duration::ZERO),
        };
        match queue.poll(&mut events, timeout) {
            Err(error) if !error.is_interrupted() => return Err(waiting(error)),
            Err(_) => continue,
            Ok(()) if looks > 0 && events.is_empty() => {
                looks -= 1;
                rt::give_way();
                continue;
            }
            Ok(()) => looks = most_looks,
        }
        let registry = queue.registry();
        // Each knows its own tokens.
        for event in &events {
            if event.token() == END_SIGNALS {
                log.out.put(b"ended by a signal\n");
                return Ok(0);
            }
            if let Some(client) = &mut client {
                let handled = client.handle(event, registry, &mut log);
                handled.map_err(connecting)?;
            }
            if let Some(server) = &mut server {
                server.handle(event, registry, &mut log);
            }
        }
        if let Some(server) = &mut server {
            server.finish_batch(registry);
        }
        if let Some(client) = &mut client {
            if events.is_empty() {
                client.give_up(&mut log);
            }
            if let Some(failed) = client.outcome() {
                if failed == 0 {
                    log.out.put(b"FINISHED\n");
                }
                return Ok(failed);
            }
        }
    }
}

fn listen(address: SocketAddr, patience: Duration, registry: &Registry) -> Result<Server, Failure> {
    Server::start(address, patience, registry).map_err(|error| Failure {
        what: "cannot listen on ",
        address: Some(address),
        error,
    })
}

/// Has Ctrl-C, and who else asks for the end, be an event.
fn await_the_end(registry: &Registry) -> epore::Result<Signals> {
    let signals = Signals::new(SigSet::of(&[SIGINT, SIGTERM]))?;
    register(registry, signals.as_fd(), END_SIGNALS, Interest::READABLE)?;
    Ok(signals)
}

/// [`Registry::register`], once: it is made to be inlined, which pays in a loop.
#[inline(never)]
fn register(
    registry: &Registry,
    source: BorrowedFd<'_>,
    token: Token,
    interest: Interest,
) -> epore::Result<()> {
    registry.register(&source, token, interest)
}

fn put_address(out: &mut Out, address: SocketAddr) {
    let mut room = [0; address::ROOM];
    let mut text = Draft::new(&mut room);
    address::write(&mut text, address);
    out.put(text.finish());
}

impl Failure {
    fn report(&self) {
        let mut stderr = Out::stderr();
        stderr.put(b"epore: ");
        stderr.put(self.what.as_bytes());
        if let Some(address) = self.address {
            put_address(&mut stderr, address);
        }
        stderr.put(b": ");
        stderr.error(&self.error);
        stderr.put(b"\n");
    }
}
