//! An echo server: what it is sent over TCP, UDP or a Unix socket it sends back.
//!
//! ```sh
//! cargo run --manifest-path tests/programs/Cargo.toml --bin echo -- 127.0.0.1:7777 echo 4   # until Ctrl-C
//! nc 127.0.0.1 7777                               # in another terminal: TCP
//! nc -u 127.0.0.1 7777                            # UDP
//! socat - ABSTRACT-CONNECT:echo                   # a Unix socket, of that name
//! ```
//!
//! It shows what a server does with a queue, in the order of the source below:
//!
//! 1. **One queue per core.** Nothing is shared, so nothing is locked: each queue is a
//!    process of its own, with a socket of its own at the same address. All these
//!    sockets ask for `SO_REUSEPORT`, and the kernel shares connections and datagrams
//!    out among them, by the address of the sender. Give as many queues as there are
//!    cores. Unix sockets know no such thing, so only the first process has one.
//! 2. **The loop.** A token says what an event is about. Signals and the ends of
//!    children are events like all others, so the program can end cleanly. (`SIGKILL` is
//!    not: it ends the first process alone, and the others go on.)
//! 3. **Accepting.** Without a descriptor, or a place in the table, a connection cannot
//!    be accepted, and it goes on waiting. The listeners would be ready for ever, and
//!    end each wait at once: so they are taken out of the queue until there may be room.
//! 4. **Backpressure.** A connection has one buffer of fixed size, and waits for one
//!    thing at a time: while the buffer is empty, for something to read; while it is
//!    not, for room to write. From whoever sends and does not read nothing more is read,
//!    and at last the kernel lets him wait too. It takes no memory but that buffer.
//!
//! All registrations are level-triggered: an event comes again until its cause is gone.
//! So each turn can be short, one read and one write, and a busy connection does not
//! keep the others waiting.
//!
//! Whoever sends a datagram may give another's address as his own, which then gets the
//! answer: an echo server is not for the open internet.
#![cfg_attr(not(feature = "std"), no_std, no_main)]
#![deny(unsafe_code)]

// From the demo: addresses, numbers and errors as text, in little space.
#[path = "../../src/demo/address.rs"]
mod address;
// The start of a program that has no libc to start it; with `std`, nothing of it.
#[allow(dead_code, unsafe_code, unused_imports)]
#[path = "../../src/rt/mod.rs"]
mod rt;
#[allow(dead_code)]
#[path = "../../src/demo/scan.rs"]
mod scan;
#[allow(dead_code)]
#[path = "../../src/demo/text.rs"]
mod text;

use core::ffi::CStr;
use core::fmt::Write;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;
use epore::fd::{AsFd, OwnedFd};
use epore::net::{BindOptions, TcpListener, UdpSocket, UnixAddr, UnixListener};
use epore::process::Child;
use epore::signal::{SIGINT, SIGTERM, SigSet, Signals};
use epore::{Errno, Events, Interest, Poll, Registry, Result, Token, sys};
use rt::{Args, Out, Singleton};
use text::{Draft, Text};

const USAGE: &str = "\
usage: echo ADDR:PORT [NAME [QUEUES]]

Echoes over TCP and UDP, and over the Unix socket of the abstract NAME. QUEUES,
1 to 64, is how many processes share the address: as many as there are cores.
";

const MOST_QUEUES: u64 = 64;

/// How many connections one queue serves at a time.
const CONNECTIONS: usize = 256;

/// How many bytes a connection may have on their way, a page.
const BUFFER: usize = 4096;

/// Holds any datagram.
const DATAGRAM: usize = 65_535;

/// How many connections are accepted, or datagrams echoed, before others have a turn.
const TURN: usize = 32;

/// When to look again for a descriptor, if none of ours becomes free.
const PAUSE: Duration = Duration::from_secs(1);

const SIGNALS: Token = Token(0);
const TCP: Token = Token(1);
const UNIX: Token = Token(2);
const UDP: Token = Token(3);
const FIRST_CHILD: usize = 4;
const FIRST_CONNECTION: usize = FIRST_CHILD + MOST_QUEUES as usize;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

fn run(mut args: Args) -> u8 {
    let given = [args.next(), args.next(), args.next(), args.next()];
    let [Some(address), name, queues, None] = given else {
        Out::stderr().put(USAGE.as_bytes());
        return 2;
    };
    let address = address::parse(address);
    let queues = scan::number(queues.unwrap_or("1").as_bytes(), 10);
    let (Ok(address), Some(queues @ 1..=MOST_QUEUES)) = (address, queues) else {
        Out::stderr().put(USAGE.as_bytes());
        return 2;
    };
    serve(address, name, queues as usize).unwrap_or_else(|error| {
        let mut stderr = Out::stderr();
        stderr.put(b"echo: ");
        stderr.error(&error);
        stderr.put(b"\n");
        1
    })
}

/// Serves until a signal comes or one of the queues ends, and returns the exit code.
fn serve(address: SocketAddr, name: Option<&str>, queues: usize) -> Result<u8> {
    let mut queue = Poll::new()?;
    // Before there are children, so that none outlives a Ctrl-C.
    let signals = Signals::new(SigSet::of(&[SIGINT, SIGTERM]))?;
    (queue.registry()).register(&signals, SIGNALS, Interest::READABLE)?;
    let mut server = Some(Server::start(address, name, queue.registry())?);
    let mut children = Children([const { None }; MOST_QUEUES as usize]);
    if let Some(server) = &server {
        // Of port 0 the kernel has made a real one, which all are to have.
        children.start(queues - 1, server.tcp.local_addr()?, queue.registry())?;
    }

    let mut code = 0;
    let mut events = Events::<64>::new();
    loop {
        let paused = server.as_ref().is_some_and(|server| !server.accepting);
        match queue.poll(&mut events, paused.then_some(PAUSE)) {
            Err(error) if error.is_interrupted() => continue,
            outcome => outcome?,
        }
        let mut ending = server.is_none();
        for event in &events {
            match event.token() {
                SIGNALS => {
                    signals.read()?;
                    ending = true;
                }
                Token(at @ FIRST_CHILD..FIRST_CONNECTION) => {
                    // One queue less would go unnoticed: rather all end.
                    ending = true;
                    if !children.ended_well(at - FIRST_CHILD)? {
                        code = 1;
                    }
                }
                token => {
                    if let Some(server) = &mut server {
                        server.handle(token, queue.registry());
                    }
                }
            }
        }
        if ending {
            // With its sockets, which so leave the queue.
            server = None;
            children.end();
            if children.0.iter().all(Option::is_none) {
                return Ok(code);
            }
        }
        if let Some(server) = &mut server {
            if !server.accepting && (server.freed || events.is_empty()) {
                server.resume(queue.registry());
            }
            server.freed = false;
        }
    }
}

/// The processes of the other queues.
struct Children([Option<Child>; MOST_QUEUES as usize]);

impl Children {
    /// Each is this program again, with one queue, and without the Unix socket.
    fn start(&mut self, count: usize, address: SocketAddr, registry: &Registry) -> Result<()> {
        let mut room = [0; address::ROOM];
        address::write(&mut Draft::new(&mut room), address);
        let address = CStr::from_bytes_until_nul(&room).unwrap_or_default();
        for (at, place) in self.0.iter_mut().enumerate().take(count) {
            let child = Child::spawn(c"/proc/self/exe", &[c"echo", address], &[])?;
            let child = place.insert(child);
            registry.register(child, Token(FIRST_CHILD + at), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Reaps the child. A signal may have come before it was ready to read it.
    fn ended_well(&mut self, at: usize) -> Result<bool> {
        let Some(Some(child)) = self.0.get_mut(at) else {
            return Ok(true);
        };
        let Some(status) = child.try_wait()? else {
            return Ok(true);
        };
        let well = status.success() || matches!(status.signal(), Some(SIGINT | SIGTERM));
        if !well {
            let _ = writeln!(Out::stderr(), "echo: process {}: {status}", child.id());
        }
        self.0[at] = None;
        Ok(well)
    }

    fn end(&self) {
        for child in self.0.iter().flatten() {
            // It can only fail for one that is gone.
            let _ = child.kill(SIGTERM);
        }
    }
}

/// If starting them or waiting has failed, none is left behind.
impl Drop for Children {
    fn drop(&mut self) {
        self.end();
    }
}

/// What one process serves.
struct Server {
    tcp: TcpListener,
    udp: UdpSocket,
    unix: Option<UnixListener>,
    /// The listeners are registered.
    accepting: bool,
    /// A connection was closed, so there may be room for another.
    freed: bool,
    connections: [Option<Connection>; CONNECTIONS],
    memory: &'static mut Memory,
}

/// All zeros, so that the executable need not hold it, and a page that is never used
/// takes no memory.
struct Memory {
    buffers: [[u8; BUFFER]; CONNECTIONS],
    datagram: [u8; DATAGRAM],
}

static MEMORY: Singleton<Memory> = Singleton::new(Memory {
    buffers: [[0; BUFFER]; CONNECTIONS],
    datagram: [0; DATAGRAM],
});

impl Server {
    /// There is one in a program.
    fn start(address: SocketAddr, name: Option<&str>, registry: &Registry) -> Result<Self> {
        const SHARED: BindOptions = BindOptions::new().reuse_port(true);

        let tcp = TcpListener::bind_with(address, &SHARED)?;
        let address = tcp.local_addr()?;
        let udp = UdpSocket::bind_with(address, &SHARED)?;
        registry.register(&udp, UDP, Interest::READABLE)?;
        let mut unix = None;
        let mut room = [0; address::ROOM];
        let mut text = Draft::new(&mut room);
        address::write(&mut text, address);
        let mut line = Out::stdout();
        line.put(b"listening on ");
        line.put(text.finish());
        if let Some(name) = name {
            unix = Some(UnixListener::bind_addr(&UnixAddr::from_abstract_name(
                name,
            )?)?);
            line.put(b" and @");
            line.harmless(name.as_bytes());
        }
        line.put(b"\n");
        let mut server = Self {
            tcp,
            udp,
            unix,
            accepting: false,
            freed: false,
            connections: [const { None }; CONNECTIONS],
            memory: MEMORY.take().expect("one server"),
        };
        server.resume(registry);
        Ok(server)
    }

    fn handle(&mut self, token: Token, registry: &Registry) {
        match token {
            TCP | UNIX => self.accept(token, registry),
            UDP => self.echo_datagrams(),
            // A batch has one event of each descriptor, and only that closes it: this is
            // never one of a connection that had the place before.
            Token(token) => self.echo(token - FIRST_CONNECTION, registry),
        }
    }

    fn accept(&mut self, listener: Token, registry: &Registry) {
        for _ in 0..TURN {
            let Some(place) = self.connections.iter().position(Option::is_none) else {
                return self.pause(registry);
            };
            // Once it is accepted, a connection is a descriptor to read and write,
            // whichever kind it is.
            let accepted: Result<OwnedFd> = match &self.unix {
                Some(unix) if listener == UNIX => unix.accept().map(|(stream, _)| stream.into()),
                _ => self.tcp.accept().map(|(stream, _)| stream.into()),
            };
            match accepted {
                Ok(socket) => {
                    let token = Token(FIRST_CONNECTION + place);
                    let registered = registry.register(&socket, token, Interest::READABLE);
                    // If the kernel has no memory to watch it, it is closed.
                    if registered.is_ok() {
                        self.connections[place] = Some(Connection { socket, rest: 0..0 });
                    }
                }
                Err(error) if error.is_would_block() => return,
                Err(error) => match error.errno() {
                    Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                        return self.pause(registry);
                    }
                    // That connection was lost: the next.
                    _ => {}
                },
            }
        }
    }

    /// Leaves connections to wait for better times.
    fn pause(&mut self, registry: &Registry) {
        // What is not registered has nothing to report either.
        let _ = registry.deregister(&self.tcp);
        if let Some(unix) = &self.unix {
            let _ = registry.deregister(unix);
        }
        self.accepting = false;
    }

    fn resume(&mut self, registry: &Registry) {
        let tcp = registry.register(&self.tcp, TCP, Interest::READABLE);
        let unix = (self.unix.as_ref()).map(|it| registry.register(it, UNIX, Interest::READABLE));
        self.accepting = tcp.is_ok() && unix.is_none_or(|it| it.is_ok());
        if !self.accepting {
            self.pause(registry);
        }
    }

    fn echo(&mut self, place: usize, registry: &Registry) {
        let buffer = &mut self.memory.buffers[place];
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let token = Token(FIRST_CONNECTION + place);
        if !connection.echo(buffer, token, registry) {
            self.connections[place] = None;
            self.freed = true;
        }
    }

    fn echo_datagrams(&mut self) {
        for _ in 0..TURN {
            match self.udp.recv_from(&mut self.memory.datagram) {
                Ok((length, from)) => {
                    // Without room to send it is lost, as datagrams may be.
                    let _ = self.udp.send_to(&self.memory.datagram[..length], from);
                }
                Err(error) if error.is_would_block() => return,
                // It is told once.
                Err(_) => {}
            }
        }
    }
}

struct Connection {
    socket: OwnedFd,
    /// What of the buffer was read and is not written yet.
    rest: Range<usize>,
}

impl Connection {
    /// Does what can be done at once. `false`: this is the end.
    ///
    /// The end of what the peer sends is seen only when all before it is written. An
    /// error, as of a peer that is gone, ends the connection too.
    fn echo(&mut self, buffer: &mut [u8; BUFFER], token: Token, registry: &Registry) -> bool {
        let socket = self.socket.as_fd();
        let had_rest = !self.rest.is_empty();
        if !had_rest {
            match sys::read(socket, buffer) {
                Ok(0) => return false,
                Ok(count) => self.rest = 0..count,
                Err(error) => return error.is_would_block() || error.is_interrupted(),
            }
        }
        match sys::write(socket, &buffer[self.rest.clone()]) {
            Ok(count) => self.rest.start += count,
            Err(error) if error.is_would_block() || error.is_interrupted() => {}
            Err(_) => return false,
        }
        let has_rest = !self.rest.is_empty();
        if has_rest == had_rest {
            return true;
        }
        let next = if has_rest {
            Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        registry.reregister(&self.socket, token, next).is_ok()
    }
}
