//! The demo: what is asked for on the command line, and the loop that does it.

mod abi;
mod address;
mod answer;
mod client;
mod connection;
mod log;
mod pool;
mod request;
mod response;
mod scan;
mod server;
mod status;
mod table;
mod text;

use self::client::Client;
use self::log::Log;
use self::server::Server;
use self::text::{Draft, Text};
use crate::rt::{self, Args, Out};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use epore::fd::{AsFd, BorrowedFd};
use epore::signal::{SIGINT, SIGTERM, SigSet, Signals};
use epore::{Events, Interest, Poll, Registry, Token};

const USAGE: &[u8] = b"\
usage: epore                  server and client in one thread: FINISHED after 5 s
       epore serve ADDR:PORT  the delay server: answers GET /<ms>/<message>
                              with <message>, after <ms> milliseconds
       epore get ADDR:PORT [--trace]
                              the client: five requests, with delays of 5 to 1 s;
                              on stderr, every system call that it makes
       epore abi              what this machine's kernel and epoll agree on

ADDR is an IPv4 address, an IPv6 address in brackets, or localhost.
";

/// Of the signals that end the server. Neither the server's nor the client's.
const ENDING: Token = Token(1 << 62);

/// How often the server looks whether there is more to do before it sleeps. That is as
/// long as it takes to be woken by another processor, so that whatever comes next costs
/// no more than twice what it must.
const LOOKS: u32 = 64;

/// What to do.
#[derive(Clone, Copy)]
enum Job {
    /// Both, on one queue.
    Demonstrate,
    Serve(SocketAddr),
    Get(SocketAddr),
}

/// What the program could not do, and why.
struct Failure {
    what: &'static str,
    address: Option<SocketAddr>,
    error: epore::Error,
}

/// Does what `args` ask for, and returns the exit code.
pub fn run(mut args: Args) -> u8 {
    let given = [args.next(), args.next(), args.next(), args.next()];
    let (job, traced) = match given {
        [None, ..] => (Job::Demonstrate, false),
        [Some("-h" | "--help"), None, ..] => {
            Out::stdout().put(USAGE);
            return 0;
        }
        [Some("abi"), None, ..] => {
            abi::show(&mut Out::stdout());
            return 0;
        }
        [Some("serve"), Some(text), None, _] => match address::parse(text) {
            Some(address) => (Job::Serve(address), false),
            None => return misused(Some(text)),
        },
        [
            Some("get"),
            Some(text),
            flag @ (None | Some("--trace")),
            None,
        ] => match address::parse(text) {
            Some(address) => (Job::Get(address), flag.is_some()),
            None => return misused(Some(text)),
        },
        _ => return misused(None),
    };
    let mut program = || end(perform(job));
    if traced {
        trace(&mut program)
    } else {
        program()
    }
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

fn misused(address: Option<&str>) -> u8 {
    let mut stderr = Out::stderr();
    if let Some(address) = address {
        stderr.put(b"epore: not an address with a port: ");
        stderr.harmless(address.as_bytes());
        stderr.put(b"\n\n");
    }
    stderr.put(USAGE);
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
    if let Job::Demonstrate | Job::Serve(_) = job {
        let address = match job {
            Job::Serve(address) => address,
            _ => (Ipv4Addr::LOCALHOST, 0).into(),
        };
        let started = listen(address, queue.registry())?;
        if let Job::Serve(_) = job {
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
    let target = match job {
        Job::Demonstrate => server.as_ref().map(Server::address),
        Job::Serve(_) => None,
        Job::Get(address) => Some(address),
    };
    let connecting = |error| Failure {
        what: "cannot connect to ",
        address: target,
        error,
    };
    if let Some(address) = target {
        let started = Client::start(address, queue.registry(), &mut log);
        client = Some(started.map_err(connecting)?);
    }
    let mut events = Events::<256>::new();
    let mut looks = 0;
    loop {
        log.out.flush();
        let patience = match looks {
            0 => client.is_some().then_some(client::PATIENCE),
            _ => Some(Duration::ZERO),
        };
        match queue.poll(&mut events, patience) {
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
            if event.token() == ENDING {
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

fn listen(address: SocketAddr, registry: &Registry) -> Result<Server, Failure> {
    Server::start(address, registry).map_err(|error| Failure {
        what: "cannot listen on ",
        address: Some(address),
        error,
    })
}

/// Has Ctrl-C, and who else asks for the end, be an event.
fn await_the_end(registry: &Registry) -> epore::Result<Signals> {
    let signals = Signals::new(SigSet::of(&[SIGINT, SIGTERM]))?;
    register(registry, signals.as_fd(), ENDING, Interest::READABLE)?;
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
