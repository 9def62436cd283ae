//! The first program of a machine that is there for the tests: it starts the programs
//! of a manifest, one after the other, and says on the console what became of each.
//!
//! A line of `/manifest` is a program, in fields that end with a zero byte: for how
//! many seconds it may run, in which directory, what is in its environment, its path,
//! its arguments.
//!
//! Lines that begin with `@` are for whoever reads the console:
//!
//! ```text
//! @up 6.12.95+deb12-cloud-arm64
//! @start 1 /programs/lib
//! @end 1 exited 0 after 1234 ms
//! @start 2 /programs/poll
//! @end 2 killed 9 after 120007 ms: too late
//! @done 2
//! ```
#![no_std]
#![no_main]
#![deny(unsafe_code)]

#[allow(dead_code, unused_imports, unsafe_code)]
#[path = "../../../src/rt/mod.rs"]
mod rt;
#[allow(unsafe_code)]
mod sys;

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::time::Duration;
use epore::fd::{AsFd, OwnedFd};
use epore::sys::{CLOCK_MONOTONIC, clock_gettime, read_uninit, write};
use epore::{Events, Interest, Poll, Timer, Token};
use sys::{Child, End, Result, Strings};

/// More than the tests open at a time.
const DESCRIPTORS: u64 = 65_536;

fn run(_: rt::Args) -> u8 {
    match run_manifest() {
        Ok(()) => 0,
        Err(failure) => {
            say(format_args!("init: {failure}"));
            1
        }
    }
}

/// A line of our own on the console.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(rt::Out::stdout(), "{line}");
}

fn run_manifest() -> Result<()> {
    static MANIFEST: rt::Singleton<[MaybeUninit<u8>; 1 << 16]> =
        rt::Singleton::new([MaybeUninit::uninit(); 1 << 16]);

    sys::mount(c"devtmpfs", c"/dev")?;
    sys::mount(c"proc", c"/proc")?;
    sys::mount(c"sysfs", c"/sys")?;
    sys::limit_descriptors(DESCRIPTORS)?;

    let mut release = [MaybeUninit::uninit(); 64];
    let release = read_file(c"/proc/sys/kernel/osrelease", &mut release)?;
    let release = core::str::from_utf8(release).unwrap_or_default().trim_end();
    say(format_args!("@up {release}"));

    let manifest = MANIFEST.take().expect("the first to ask");
    let manifest = read_file(c"/manifest", manifest)?;
    let mut done = 0;
    for line in manifest.split_inclusive(|&byte| byte == b'\n') {
        match Program::parse(line.trim_ascii_end()) {
            Some(program) => {
                done += 1;
                run_program(done, &program)?;
            }
            None => say(format_args!("init: cannot read a line of the manifest")),
        }
    }
    say(format_args!("@done {done}"));
    Ok(())
}

/// As much of the file as there is room for.
fn read_file<'r>(path: &CStr, room: &'r mut [MaybeUninit<u8>]) -> Result<&'r [u8]> {
    let file = sys::open(path)?;
    Ok(read_uninit(file.as_fd(), room)?)
}

/// A line of the manifest.
struct Program<'m> {
    limit: Duration,
    directory: &'m CStr,
    environment: Strings<'m>,
    path: &'m CStr,
    arguments: Strings<'m>,
}

impl<'m> Program<'m> {
    fn parse(line: &'m [u8]) -> Option<Self> {
        let mut fields = line
            .split_inclusive(|&byte| byte == 0)
            .map(|field| CStr::from_bytes_with_nul(field).ok());
        let limit = fields.next()??.to_str().ok()?.parse().ok()?;
        let directory = fields.next()??;
        let mut environment = Strings::new();
        let mut arguments = Strings::new();
        for field in fields {
            let field = field?;
            // As a shell has it: assignments, up to the first word that is none.
            if arguments.first().is_none() && field.to_bytes().contains(&b'=') {
                environment.push(field)?;
            } else {
                arguments.push(field)?;
            }
        }
        Some(Self {
            limit: Duration::from_secs(limit),
            directory,
            environment,
            path: arguments.first()?,
            arguments,
        })
    }

    /// Starts it, with `output` for both its streams.
    fn start(&self, output: OwnedFd) -> Result<Child> {
        match sys::fork()? {
            Some(child) => Ok(child),
            None => {
                let failure = match self.settle(&output) {
                    Ok(()) => sys::execve(self.path, &self.arguments, &self.environment),
                    Err(failure) => failure,
                };
                let _ = writeln!(rt::Out::stderr(), "init: {failure}");
                sys::exit(127)
            }
        }
    }

    /// Makes the surroundings of this process those of the program.
    fn settle(&self, output: &OwnedFd) -> Result<()> {
        sys::setsid()?;
        sys::notice_broken_pipes()?;
        sys::chdir(self.directory)?;
        sys::redirect(sys::open(c"/dev/null")?.as_fd(), 0)?;
        sys::redirect(output.as_fd(), 1)?;
        sys::redirect(output.as_fd(), 2)
    }
}

fn run_program(number: u32, program: &Program<'_>) -> Result<()> {
    let path = program.path.to_str().unwrap_or("?");
    say(format_args!("@start {number} {path}"));
    let start = uptime()?;
    let (output, their_end) = sys::pipe()?;
    let mut output = Output {
        pipe: output,
        within_line: false,
    };
    let child = program.start(their_end)?;
    let in_time = supervise(&child, &mut output, program.limit)?;

    // The program is no more. What it started may be; it holds the pipe open.
    sys::kill_all_others();
    while output.pass_on()? {}
    let end = sys::reap(&child)?;

    let millis = (uptime()? - start).as_millis() as u64;
    let remark = if in_time { "" } else { ": too late" };
    let line_break = if output.within_line { "\n" } else { "" };
    let (how, code) = match end {
        End::Exited(code) => ("exited", code),
        End::Killed(signal) => ("killed", signal),
    };
    say(format_args!(
        "{line_break}@end {number} {how} {code} after {millis} ms{remark}"
    ));
    Ok(())
}

/// Since the kernel started.
fn uptime() -> Result<Duration> {
    Ok(clock_gettime(CLOCK_MONOTONIC)?.into())
}

/// Passes on the child's output until the child has ended. Past the limit it is killed,
/// and the answer is `false`.
fn supervise(child: &Child, output: &mut Output, limit: Duration) -> Result<bool> {
    const OUTPUT: Token = Token(0);
    const ENDED: Token = Token(1);
    const LATE: Token = Token(2);

    let mut queue = Poll::new()?;
    let timer = Timer::new()?;
    timer.set(limit)?;
    let registry = queue.registry();
    registry.register(&output.pipe, OUTPUT, Interest::READABLE)?;
    registry.register(child, ENDED, Interest::READABLE)?;
    registry.register(&timer, LATE, Interest::READABLE)?;

    let mut in_time = true;
    let mut events = Events::<3>::new();
    loop {
        queue.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                OUTPUT => {
                    if !output.pass_on()? {
                        queue.registry().deregister(&output.pipe)?;
                    }
                }
                ENDED => return Ok(in_time),
                LATE => {
                    in_time = false;
                    queue.registry().deregister(&timer)?;
                    sys::kill_all_others();
                }
                token => unreachable!("nobody registered {token:?}"),
            }
        }
    }
}

/// What a program prints, on its way to the console.
struct Output {
    pipe: OwnedFd,
    /// The last byte was not the end of a line.
    within_line: bool,
}

impl Output {
    /// Passes on what is there, or what comes next. `false`: nothing will.
    fn pass_on(&mut self) -> Result<bool> {
        let mut room = [MaybeUninit::uninit(); 4096];
        let bytes = read_uninit(self.pipe.as_fd(), &mut room)?;
        let Some(last) = bytes.last() else {
            return Ok(false);
        };
        self.within_line = *last != b'\n';
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let written = write(sys::console(), rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(true)
    }
}
