//! The delay server as a child process, or another, and clients that talk to it byte by
//! byte.

use super::kernel::{SIGCONT, SIGSTOP, SIGTERM, process_state, signal_process};
use super::{DEADLINE, demo, finish, wait_until};
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use syscalls::{Sysno, syscall};

/// A server of its own for a test, killed at the end of it.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    /// As it was told to.
    ended: bool,
}

impl Server {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0", |_| {})
    }

    /// A server that gives up on clients after `patience`.
    pub fn with_patience(patience: Duration) -> Self {
        Self::start_at("127.0.0.1:0", |command| {
            command.arg(format!("--patience={}ms", patience.as_millis()));
        })
    }

    pub fn start_at(address: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::try_start_at(address, prepare).unwrap_or_else(|child| panic!("{:?}", finish(child)))
    }

    /// `Err`: it ends without having said where it listens.
    pub fn try_start_at(address: &str, prepare: impl FnOnce(&mut Command)) -> Result<Self, Child> {
        let mut command = demo();
        command.args(["serve", address]);
        prepare(&mut command);
        Self::try_run(command)
    }

    /// Any program whose first line says where it listens.
    pub fn run(command: Command) -> Self {
        Self::try_run(command).unwrap_or_else(|child| panic!("{:?}", finish(child)))
    }

    fn try_run(mut command: Command) -> Result<Self, Child> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        super::kernel::reset_signals_at_start(&mut command);
        let mut child = command.spawn().expect("the demo");
        let stdout = child.stdout.take().expect("a pipe");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = String::from_utf8_lossy(&line.expect("a pipe of ours")).into_owned();
                heard.lock().expect("no panic").push(line);
            }
        });
        let first = wait_until(DEADLINE, || {
            let over = reader.is_finished();
            let first = lines.lock().expect("no panic").first().cloned();
            (over || first.is_some()).then_some(first)
        });
        let Some(first) = first.flatten() else {
            return Err(child);
        };
        let address = first.strip_prefix("listening on ");
        let address = address
            .and_then(|rest| rest.split(' ').next())
            .map(str::parse);
        Ok(Self {
            address: address.expect(&first).expect(&first),
            child,
            lines,
            ended: false,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    pub fn wait_for_line(&self, is_it: impl Fn(&str) -> bool) -> String {
        wait_until(DEADLINE, || {
            self.lines().into_iter().find(|line| is_it(line))
        })
        .unwrap_or_else(|| panic!("no such line: {:#?}", self.lines()))
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        let directory = format!("/proc/{}/fd", self.pid());
        fs::read_dir(directory).expect("a live server").count()
    }

    /// Waits until it has that many descriptors open.
    pub fn wait_for_descriptors(&self, expected: usize) {
        wait_until(DEADLINE, || (self.descriptors() == expected).then_some(()))
            .unwrap_or_else(|| panic!("{} descriptors, not {expected}", self.descriptors()));
    }

    /// Its resident memory, in KiB.
    pub fn resident(&self) -> usize {
        self.status("VmRSS")
    }

    /// A number from `/proc/<pid>/status`.
    pub fn status(&self, field: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("proc");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
        number.expect(field).parse().expect("a number")
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends `request` on a connection of its own, and reads one response.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect();
        client.send(request);
        client.response()
    }

    /// Sends it a signal, and waits for its end: how, and all that it has printed.
    pub fn end_by(self, signal: i32) -> (ExitStatus, Vec<String>) {
        signal_process(self.pid(), signal);
        self.ended()
    }

    /// Waits for the end of a server that has reason to: how, and all that it has printed.
    pub fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = wait_until(DEADLINE, || self.child.try_wait().expect("a child of ours"));
        let status = status.unwrap_or_else(|| panic!("still running: {:#?}", self.lines()));
        self.ended = true;
        // The reader lets go when it has read all.
        let all = wait_until(DEADLINE, || {
            (Arc::strong_count(&self.lines) == 1).then_some(())
        });
        assert!(all.is_some(), "somebody else writes to its output");
        (status, self.lines())
    }

    /// Asks a question that every healthy server answers at once.
    pub fn assert_alive(&self) {
        let response = self.ask("GET /0/alive HTTP/1.1\r\n\r\n");
        assert_eq!(response.text(), "alive");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended before its test is one that crashed.
        let ended = self.child.try_wait().expect("a child of ours");
        if thread::panicking() && ended.is_none() {
            // One that has children ends them, if it still can.
            signal_process(self.pid(), SIGTERM);
            wait_until(Duration::from_secs(1), || self.child.try_wait().ok()?);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            assert_eq!(ended.is_some(), self.ended, "the server ended: {ended:?}");
        }
    }
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    /// Read, and not yet part of a response.
    input: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server that listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            input: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("a server that reads");
    }

    /// Reads a response with a Content-Length.
    pub fn response(&mut self) -> Response {
        self.read_response(true)
    }

    /// Reads a response that has a Content-Length, and no body.
    pub fn response_to_head(&mut self) -> Response {
        self.read_response(false)
    }

    fn read_response(&mut self, has_body: bool) -> Response {
        let end = self.read_until(|input| {
            let end = input.windows(4).position(|window| window == b"\r\n\r\n")?;
            Some(end + 4)
        });
        let head = String::from_utf8(self.input.drain(..end).collect()).expect("a head in ASCII");
        let mut response = Response {
            head,
            body: Vec::new(),
        };
        if has_body {
            let length = response.field("Content-Length").expect("a length");
            let length: usize = length.parse().expect("a number");
            self.read_until(|input| (input.len() >= length).then_some(0));
            response.body = self.input.drain(..length).collect();
        }
        response
    }

    fn read_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> usize {
        loop {
            if let Some(found) = found(&self.input) {
                return found;
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes);
            let count = count.unwrap_or_else(|error| panic!("{error}; so far {self:?}"));
            assert_ne!(count, 0, "the end, after {self:?}");
            self.input.extend_from_slice(&bytes[..count]);
        }
    }

    /// Asserts that the server ends the connection, and that nothing came before.
    pub fn assert_closed(&mut self) {
        assert_eq!(self.input, [], "{self:?}");
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("an orderly end");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    pub fn reset(self) {
        reset(self.stream);
    }
}

/// Closes `stream` with a reset.
pub fn reset(stream: TcpStream) {
    #[repr(C)]
    struct Linger {
        on: i32,
        seconds: i32,
    }
    const SOL_SOCKET: i32 = 1;
    const SO_LINGER: i32 = 13;

    let at_once = Linger { on: 1, seconds: 0 };
    let (socket, linger) = (stream.as_raw_fd(), &raw const at_once);
    // SAFETY: the kernel reads the eight bytes of `at_once` before it returns.
    unsafe { syscall!(Sysno::setsockopt, socket, SOL_SOCKET, SO_LINGER, linger, 8) }
        .expect("a socket of ours");
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.input))
    }
}

#[derive(Debug)]
pub struct Response {
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn status(&self) -> u16 {
        let code = self
            .head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        code.and_then(|code| code.parse().ok()).expect(&self.head)
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Asserts that it is `200 OK` with this message.
    #[track_caller]
    pub fn assert_is(&self, message: &str) {
        assert_eq!((self.status(), self.text()), (200, message), "{self:?}");
    }
}

/// Stops it, and lets it go on when it has stopped.
pub fn interrupt(pid: u32) {
    while_stopped(pid, || {});
}

/// Does something while it stands still.
pub fn while_stopped(pid: u32, something: impl FnOnce()) {
    signal_process(pid, SIGSTOP);
    wait_until(DEADLINE, || (process_state(pid) == Some('T')).then_some(()))
        .expect("a program that stops");
    something();
    signal_process(pid, SIGCONT);
}
