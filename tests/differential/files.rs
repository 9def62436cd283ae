//! The files that both queues watch. After each operation on one they are at rest: what
//! the kernel does on its own time, TCP and timers, is waited for here, or it might come
//! in between the two looks that are compared.

use crate::operation::{Open, Setting};
use crate::reference::{errno, opened};
use epore::Timer;
use epore::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

/// More would only make each of them rarer.
const MOST: usize = 40;

const DEADLINE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);

/// How much may lie unread in one direction of a connection: so little that it always
/// arrives.
const MOST_UNREAD: i32 = 16 << 10;

/// Asks whether the next byte to read is an urgent one.
const SIOCATMARK: libc::Ioctl = 0x8905;

enum Descriptor {
    Plain(OwnedFd),
    Tcp(TcpStream),
    Timer(Timer),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Counter,
    /// A socket of a Unix pair.
    Socket,
    /// Which connection, which end of it.
    Tcp(usize, usize),
    /// Which timer.
    Timer(usize),
}

struct File {
    descriptor: Descriptor,
    kind: Kind,
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.descriptor {
            Descriptor::Plain(fd) => fd.as_fd(),
            Descriptor::Tcp(stream) => stream.as_fd(),
            Descriptor::Timer(timer) => timer.as_fd(),
        }
    }
}

pub struct Files {
    open: Vec<File>,
    /// Of each connection: an end was closed with data unread, and resets it.
    resets: Vec<bool>,
    /// Of each end of a connection: what it has sent since its first urgent byte.
    urgent: Vec<[usize; 2]>,
    /// Of each timer: it has expired, and nobody has read it.
    expired: Vec<bool>,
}

impl Files {
    pub fn new() -> Self {
        let mut files = Self {
            open: Vec::new(),
            resets: Vec::new(),
            urgent: Vec::new(),
            expired: Vec::new(),
        };
        for kind in [
            Open::Pipe,
            Open::Sockets,
            Open::Tcp,
            Open::Counter,
            Open::Timer,
        ] {
            files.open(kind);
        }
        // What can never be watched.
        let paths = [
            (c"/proc/self/exe", libc::O_RDONLY),
            (c"/dev/null", libc::O_RDWR),
            (c"/", libc::O_PATH),
        ];
        for (path, flags) in paths {
            // SAFETY: the path ends with a zero byte.
            let fd = opened(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) });
            // A minimal system may have no /dev/null.
            if let Ok(fd) = fd {
                files.add(Descriptor::Plain(fd), Kind::Plain);
            }
        }
        files
    }

    fn add(&mut self, descriptor: Descriptor, kind: Kind) {
        self.open.push(File { descriptor, kind });
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn get(&self, index: usize) -> BorrowedFd<'_> {
        self.open[index].as_fd()
    }

    pub fn open(&mut self, kind: Open) {
        if self.len() + 2 > MOST {
            return;
        }
        let mut ends = [0; 2];
        match kind {
            Open::Pipe => {
                let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
                // SAFETY: the kernel writes two integers into `ends`.
                assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) }, 0);
                for end in ends {
                    self.add(Descriptor::Plain(opened(end).unwrap()), Kind::Plain);
                }
            }
            Open::Sockets => {
                let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
                // SAFETY: the kernel writes two integers into `ends`.
                let answer = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) };
                assert_eq!(answer, 0);
                for end in ends {
                    self.add(Descriptor::Plain(opened(end).unwrap()), Kind::Socket);
                }
            }
            Open::Tcp => {
                let connection = self.resets.len();
                self.resets.push(false);
                self.urgent.push([0; 2]);
                for (side, stream) in connection_of_two().into_iter().enumerate() {
                    self.add(Descriptor::Tcp(stream), Kind::Tcp(connection, side));
                }
                self.settle();
            }
            Open::Counter => {
                let flags = libc::EFD_NONBLOCK | libc::EFD_CLOEXEC;
                // SAFETY: the call takes no pointer.
                let counter = opened(unsafe { libc::eventfd(0, flags) }).unwrap();
                self.add(Descriptor::Plain(counter), Kind::Counter);
            }
            Open::Timer => {
                let timer = Descriptor::Timer(Timer::new().unwrap());
                self.add(timer, Kind::Timer(self.expired.len()));
                self.expired.push(false);
            }
        }
    }

    pub fn dup(&mut self, index: usize) {
        if self.len() == MOST {
            return;
        }
        let file = &self.open[index];
        let (kind, copy) = (file.kind, file.as_fd().try_clone_to_owned().unwrap());
        let descriptor = match file.descriptor {
            Descriptor::Tcp(_) => Descriptor::Tcp(TcpStream::from(copy)),
            _ => Descriptor::Plain(copy),
        };
        self.add(descriptor, kind);
    }

    pub fn close(&mut self, index: usize) {
        let closed = self.open.remove(index);
        if let Kind::Tcp(connection, side) = closed.kind {
            let last = self.end(connection, side).is_none();
            let fd = closed.as_fd();
            if last && (number(fd, libc::FIONREAD) > 0 || number(fd, SIOCATMARK) > 0) {
                self.resets[connection] = true;
            }
            drop(closed);
            self.settle();
        }
    }

    pub fn write(&mut self, index: usize, len: usize) {
        let file = &self.open[index];
        match (&file.descriptor, file.kind) {
            (Descriptor::Tcp(stream), Kind::Tcp(connection, side)) => {
                if self.has_room(connection, side) {
                    let sent = stream.write(&vec![b'x'; len.min(4096)]).unwrap_or(0);
                    let urgent = &mut self.urgent[connection][side];
                    if *urgent > 0 {
                        *urgent += sent;
                    }
                    self.settle();
                }
            }
            (_, Kind::Counter) => write(file.as_fd(), &(len as u64).to_ne_bytes()),
            // A timer and a directory refuse it.
            _ => write(file.as_fd(), &vec![b'x'; len]),
        }
    }

    pub fn read(&mut self, index: usize, len: usize) {
        let mut room = vec![0u8; len.max(8)];
        let file = &self.open[index];
        if let Descriptor::Tcp(stream) = &file.descriptor {
            let _ = stream.read(&mut room);
            return self.settle();
        }
        if let Kind::Timer(timer) = file.kind {
            self.expired[timer] = false;
        }
        let fd = file.as_fd().as_raw_fd();
        // SAFETY: the kernel writes at most so many bytes, all inside `room`.
        unsafe { libc::read(fd, room.as_mut_ptr().cast(), room.len()) };
    }

    /// Whether what that end sends will arrive.
    fn has_room(&self, connection: usize, side: usize) -> bool {
        // What lies behind an urgent byte is not counted as unread.
        let seen = (self.end(connection, 1 - side)).map_or(0, |peer| number(peer, libc::FIONREAD));
        seen < MOST_UNREAD && self.urgent[connection][side] < MOST_UNREAD as usize
    }

    /// Sends a byte out of band, where there are such.
    pub fn write_urgent(&mut self, index: usize) {
        let File { kind, .. } = self.open[index];
        let flags = libc::MSG_OOB | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let fd = self.open[index].as_fd().as_raw_fd();
        if let Kind::Tcp(connection, side) = kind {
            if !self.has_room(connection, side) {
                return;
            }
            self.urgent[connection][side] += 1;
        }
        // SAFETY: the kernel reads one byte.
        unsafe { libc::send(fd, c"!".as_ptr().cast(), 1, flags) };
        self.settle();
    }

    pub fn read_urgent(&mut self, index: usize) {
        let mut byte = 0u8;
        let fd = self.open[index].as_fd().as_raw_fd();
        let flags = libc::MSG_OOB | libc::MSG_DONTWAIT;
        // SAFETY: the kernel writes one byte.
        unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, flags) };
        self.settle();
    }

    pub fn shutdown(&mut self, index: usize, how: u8) {
        let file = &self.open[index];
        let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][usize::from(how % 3)];
        match (&file.descriptor, file.kind) {
            (Descriptor::Tcp(stream), _) => {
                let _ = stream.shutdown(how);
                self.settle();
            }
            (_, Kind::Socket) => {
                // SAFETY: the call takes no pointer.
                unsafe { libc::shutdown(file.as_fd().as_raw_fd(), how as i32) };
            }
            _ => {}
        }
    }

    pub fn set_timer(&mut self, index: usize, setting: Setting) -> Result<(), epore::Error> {
        let file = &self.open[index];
        let (Descriptor::Timer(timer), Kind::Timer(number)) = (&file.descriptor, file.kind) else {
            return Ok(());
        };
        self.expired[number] = false;
        match setting {
            Setting::Expired => timer.set(Duration::ZERO)?,
            Setting::ExpiredAndPeriodic => timer.set_periodic(Duration::ZERO, HOUR)?,
            Setting::Later => timer.set(HOUR)?,
            Setting::Off => timer.cancel()?,
        }
        if matches!(setting, Setting::Expired | Setting::ExpiredAndPeriodic) {
            wait_readable(timer.as_fd());
            self.expired[number] = true;
        }
        Ok(())
    }

    /// What the library read, and what it should have.
    pub fn read_timer(&mut self, index: usize) -> Option<(Result<u64, epore::Error>, u64)> {
        let file = &self.open[index];
        let (Descriptor::Timer(timer), Kind::Timer(number)) = (&file.descriptor, file.kind) else {
            return None;
        };
        let expected = std::mem::take(&mut self.expired[number]);
        Some((timer.read(), u64::from(expected)))
    }

    /// An open descriptor of that end.
    fn end(&self, connection: usize, side: usize) -> Option<BorrowedFd<'_>> {
        let kind = Kind::Tcp(connection, side);
        let file = self.open.iter().find(|file| file.kind == kind)?;
        Some(file.as_fd())
    }

    /// Waits until nothing is under way on any connection.
    fn settle(&self) {
        for connection in 0..self.resets.len() {
            let deadline = Instant::now() + DEADLINE;
            while !self.is_settled(connection) {
                assert!(Instant::now() < deadline, "TCP does not come to rest");
                thread::yield_now();
            }
        }
    }

    fn is_settled(&self, connection: usize) -> bool {
        const ESTABLISHED: u8 = 1;
        const FIN_WAIT1: u8 = 4;
        const FIN_WAIT2: u8 = 5;
        const CLOSED: u8 = 7;
        const LAST_ACK: u8 = 9;
        const CLOSING: u8 = 11;

        let ends = [self.end(connection, 0), self.end(connection, 1)];
        for end in ends.iter().flatten() {
            acknowledge(*end);
        }
        [0, 1].into_iter().all(|side| {
            let Some(end) = ends[side] else {
                return true;
            };
            match tcp_state(end) {
                CLOSED => true,
                FIN_WAIT1 | LAST_ACK | CLOSING => false,
                _ if number(end, libc::TIOCOUTQ) != 0 => false,
                _ if ends[1 - side].is_some() => true,
                ESTABLISHED | FIN_WAIT2 => false,
                _ => !self.resets[connection],
            }
        })
    }
}

fn connection_of_two() -> [TcpStream; 2] {
    let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).expect("a free port");
    let client = TcpStream::connect(listener.local_addr().unwrap()).expect("a client");
    wait_readable(listener.as_fd());
    let (server, _) = listener.accept().expect("a connection");
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    [client, server]
}

fn wait_readable(fd: BorrowedFd<'_>) {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let limit = DEADLINE.as_millis() as i32;
    // SAFETY: the kernel reads and writes the one `pollfd`.
    let count = unsafe { libc::poll(&raw mut poll, 1, limit) };
    assert_eq!(count, 1, "nothing to read within {DEADLINE:?}");
}

fn write(fd: BorrowedFd<'_>, bytes: &[u8]) {
    // SAFETY: the kernel reads at most so many bytes, all of them in `bytes`. Where
    // nobody reads, std has seen to it that no signal comes.
    unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
}

/// What an `ioctl` that answers an integer says.
fn number(fd: BorrowedFd<'_>, request: libc::Ioctl) -> i32 {
    let mut number = 0i32;
    let fd: RawFd = fd.as_raw_fd();
    // SAFETY: the kernel writes an integer.
    let answer = unsafe { libc::ioctl(fd, request, &raw mut number) };
    assert_eq!(answer, 0, "ioctl: {}", errno());
    number
}

/// The first byte of `struct tcp_info`.
fn tcp_state(fd: BorrowedFd<'_>) -> u8 {
    let mut info = [0u8; 4];
    let mut len = info.len() as libc::socklen_t;
    let (fd, place) = (fd.as_raw_fd(), info.as_mut_ptr().cast());
    // SAFETY: the kernel writes at most `len` bytes, all inside `info`.
    let answer =
        unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut len) };
    assert_eq!(answer, 0, "getsockopt: {}", errno());
    info[0]
}

/// Has what was received be acknowledged now, and not in 40 milliseconds.
fn acknowledge(fd: BorrowedFd<'_>) {
    let on = 1i32;
    let (fd, place) = (fd.as_raw_fd(), (&raw const on).cast());
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel reads the integer.
    unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_QUICKACK, place, len) };
}
