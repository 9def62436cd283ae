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
use epore::fd::BorrowedFd;
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

/// Why the program ends early.
enum Failure {
    Listen(SocketAddr, epore::Error),
    Connect(SocketAddr, epore::Error),
    Queue(epore::Error),
    Incomplete(usize),
}

/// What to do.
#[derive(Clone, Copy)]
enum Job {
    /// Both, on one queue.
    Demonstrate,
    Serve(SocketAddr),
    Get(SocketAddr),
    ShowAbi,
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
        [Some("abi"), None, ..] => (Job::ShowAbi, false),
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
    let mut program = || match perform(job) {
        Ok(()) => 0,
        Err(failure) => {
            failure.report();
            1
        }
    };
    if traced {
        trace(&mut program)
    } else {
        program()
    }
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

fn perform(job: Job) -> Result<(), Failure> {
    if matches!(job, Job::ShowAbi) {
        abi::show(&mut Out::stdout());
        return Ok(());
    }
    let queue = Poll::new().map_err(Failure::Queue)?;
    let mut log = Log {
        out: Out::stdout(),
        together: matches!(job, Job::Demonstrate),
    };
    let at = match job {
        Job::Demonstrate => Some((Ipv4Addr::LOCALHOST, 0).into()),
        Job::Serve(address) => Some(address),
        Job::Get(_) | Job::ShowAbi => None,
    };
    let (mut server, mut of) = (None, None);
    if let Some(at) = at {
        let failed = |error| Failure::Listen(at, error);
        let started = Server::start(at, queue.registry()).map_err(failed)?;
        let address = started.address().map_err(failed)?;
        let out = log.server();
        out.put(b"listening on ");
        put_address(out, address);
        out.put(b"\n");
        (server, of) = (Some(started), Some(address));
    }
    let of = match job {
        Job::Demonstrate => of,
        Job::Serve(_) | Job::ShowAbi => None,
        Job::Get(address) => Some(address),
    };
    let mut client = None;
    if let Some(of) = of {
        let failed = |error| Failure::Connect(of, error);
        client = Some(Client::start(of, queue.registry(), &mut log).map_err(failed)?);
    }
    turn(queue, server, client, log)
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

/// Waits, and handles what happens, until the client is done; without one, for ever.
fn turn(
    mut queue: Poll,
    mut server: Option<Server>,
    mut client: Option<Client>,
    mut log: Log,
) -> Result<(), Failure> {
    let mut events = Events::<256>::new();
    loop {
        log.out.flush();
        let patience = client.as_ref().map(|_| client::PATIENCE);
        match queue.poll(&mut events, patience) {
            Err(error) if !error.is_interrupted() => return Err(Failure::Queue(error)),
            // `events` is empty.
            Err(_) => continue,
            Ok(()) => {}
        }
        let registry = queue.registry();
        for event in &events {
            if let Some(client) = &mut client {
                let address = client.address();
                client
                    .handle(event, registry, &mut log)
                    .map_err(|error| Failure::Connect(address, error))?;
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
            if client.is_done() {
                return match client.failed() {
                    0 => {
                        log.out.put(b"FINISHED\n");
                        Ok(())
                    }
                    failed => Err(Failure::Incomplete(failed)),
                };
            }
        }
    }
}

impl Failure {
    fn report(&self) {
        let mut stderr = Out::stderr();
        stderr.put(b"epore: ");
        let error = match self {
            Self::Listen(address, error) => {
                stderr.put(b"cannot listen on ");
                put_address(&mut stderr, *address);
                error
            }
            Self::Connect(address, error) => {
                stderr.put(b"cannot connect to ");
                put_address(&mut stderr, *address);
                error
            }
            Self::Queue(error) => {
                stderr.put(b"cannot wait for events");
                error
            }
            Self::Incomplete(count) => {
                stderr.number(*count as u64);
                stderr.put(b" of 5 requests failed\n");
                return;
            }
        };
        stderr.put(b": ");
        stderr.error(error);
        stderr.put(b"\n");
    }
}
