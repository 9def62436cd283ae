//! A supervisor: starts programs, starts them again when they end, and reaps whatever
//! ends around it. It can be the first process of a machine or of a container.
//!
//! ```sh
//! cargo build --release --manifest-path tests/programs/Cargo.toml
//! tests/programs/target/release/supervisor /bin/sleep 3 -- /bin/sh -c 'exit 7'   # until Ctrl-C
//! ```
//!
//! ```text
//! started sleep (pid 4217)
//! started sh (pid 4218)
//! sh ended: code 7, again in 1 s
//! started sh (pid 4219)
//! sh ended: code 7, again in 2 s
//! sleep ended: code 0, again in 1 s
//! ```
//!
//! Each group of arguments between `--` is one service: the path of a program, for
//! nobody searches `PATH`, and its arguments. A service has the supervisor's
//! environment, its working directory and its standard streams.
//!
//! - **A service that ends** starts again after 1 s. If it ends again before it has run
//!   for 5 s, the delay doubles, to 30 s at most; so does it if the program cannot be
//!   started: it may be there later.
//! - **`SIGTERM` or `SIGINT`** ends the supervisor: each service gets a `SIGTERM` and, if
//!   it still runs 5 s later, a `SIGKILL`. The exit code is 0. What a service itself has
//!   started is the service's to end; when the first process ends, the kernel ends all.
//! - **Orphans**, which are processes whose parents ended before them, become children
//!   of the first process, and stay as zombies until it reaps them.
//!
//! All of this is one loop over one queue, with three things to learn from it:
//!
//! 1. **Signals are events.** [`Signals`] blocks them and has them read. There is no
//!    handler, so nothing runs in between, and nothing has to be safe for that.
//! 2. **One place reaps.** The first process cannot do without [`reap`], which takes the
//!    status of whichever child has ended; a [`Child::try_wait`] elsewhere would come too
//!    late at times. So here all is reaped, and a service is known by [`Child::id`]. That
//!    number is the child's own until it is reaped, and from then on the service has no
//!    `Child`. A program that gets no orphans does it more simply: it registers each
//!    `Child` under a token of its own, which is readable when that child has ended.
//! 3. **Whatever can run out is taken at the start**: a timer for each service, and
//!    their places in the queue. Later only the start of a program can fail, and that is
//!    tried again.
#![cfg_attr(not(feature = "std"), no_std, no_main)]
#![deny(unsafe_code)]

// The start of a program that has no libc to start it; with `std`, nothing of it.
#[allow(dead_code, unsafe_code, unused_imports)]
#[path = "../../src/rt/mod.rs"]
mod rt;

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::time::Duration;
use epore::process::{Child, ExitStatus, reap};
use epore::signal::{SIGCHLD, SIGINT, SIGKILL, SIGTERM, SigSet, Signals};
use epore::sys::{self, Disposition, MAX_ARGUMENTS};
use epore::{Events, Interest, Poll, Result, Timer, Token};
use rt::{Args, Out};

const USAGE: &str = "\
usage: supervisor PROGRAM [ARG...] [-- PROGRAM [ARG...]]...

Runs each PROGRAM, a path, and starts it again when it ends, until SIGTERM or SIGINT.
At most 16 programs, and 255 arguments and variables of the environment each.
";

const MOST_SERVICES: usize = 16;

/// Between the end of a service and its next start.
const SHORTEST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Who has run for so long has started well.
const SETTLED: Duration = Duration::from_secs(5);

/// From `SIGTERM` to `SIGKILL`.
const PATIENCE: Duration = Duration::from_secs(5);

const SIGNALS: Token = Token(0);
const LIMIT: Token = Token(1);
const FIRST_SERVICE: usize = 2;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

fn run(mut args: Args) -> u8 {
    let mut variables = [c""; MAX_ARGUMENTS];
    let mut arguments = [c""; MAX_ARGUMENTS];
    let mut environment = args.environment();
    let variables = gather(&mut variables, || environment.next());
    let arguments = gather(&mut arguments, || args.next_text());
    let (Some(variables), Some(arguments)) = (variables, arguments) else {
        return usage();
    };
    let services = || arguments.split(|argument| *argument == c"--");
    if services().count() > MOST_SERVICES || services().any(|service| service.is_empty()) {
        return usage();
    }
    let outcome = Supervisor::new(services(), variables).and_then(Supervisor::run);
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(Out::stderr(), "supervisor: {error}");
            1
        }
    }
}

fn usage() -> u8 {
    Out::stderr().put(USAGE.as_bytes());
    2
}

/// `None`: there are more than fit.
fn gather<'a>(
    room: &'a mut [&'static CStr],
    mut next: impl FnMut() -> Option<&'static CStr>,
) -> Option<&'a [&'static CStr]> {
    let mut count = 0;
    while let Some(text) = next() {
        *room.get_mut(count)? = text;
        count += 1;
    }
    room.get(..count)
}

/// A line, at once: the services write to the same place.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(Out::stdout(), "{line}");
}

struct Supervisor<'a> {
    queue: Poll,
    signals: Signals,
    /// When whoever still runs is killed.
    limit: Timer,
    ending: bool,
    services: [Option<Service<'a>>; MOST_SERVICES],
    environment: &'a [&'static CStr],
}

impl<'a> Supervisor<'a> {
    fn new(
        services: impl Iterator<Item = &'a [&'static CStr]>,
        environment: &'a [&'static CStr],
    ) -> Result<Self> {
        // Whoever has started us may ignore it, and we inherit that: then the kernel
        // would reap our children, and not tell us of their ends.
        sys::rt_sigaction(SIGCHLD, Disposition::Default)?;
        let signals = Signals::new(SigSet::of(&[SIGCHLD, SIGTERM, SIGINT]))?;
        let queue = Poll::new()?;
        let limit = Timer::new()?;
        let registry = queue.registry();
        registry.register(&signals, SIGNALS, Interest::READABLE)?;
        registry.register(&limit, LIMIT, Interest::READABLE)?;
        let mut table = [const { None }; MOST_SERVICES];
        for (at, (place, argv)) in table.iter_mut().zip(services).enumerate() {
            let timer = Timer::new()?;
            registry.register(&timer, Token(FIRST_SERVICE + at), Interest::READABLE)?;
            timer.set(Duration::ZERO)?;
            *place = Some(Service {
                argv,
                timer,
                delay: SHORTEST_DELAY,
                child: None,
            });
        }
        Ok(Self {
            queue,
            signals,
            limit,
            ending: false,
            services: table,
            environment,
        })
    }

    fn run(mut self) -> Result<()> {
        let mut events = Events::<{ FIRST_SERVICE + MOST_SERVICES }>::new();
        loop {
            // Before the wait: some may have ended before their signal was blocked.
            self.reap_all()?;
            if self.ending && self.running().next().is_none() {
                say(format_args!("ended by a signal"));
                return Ok(());
            }
            match self.queue.poll(&mut events, None) {
                Err(error) if error.is_interrupted() => continue,
                outcome => outcome?,
            }
            for event in &events {
                match event.token() {
                    SIGNALS => self.read_signals()?,
                    LIMIT => self.kill_all()?,
                    Token(token) => self.service_is_due(token - FIRST_SERVICE)?,
                }
            }
        }
    }

    /// Signals that are not read yet are one if they are the same, so a `SIGCHLD` stands
    /// for any number of ends: it says only that it is time to look.
    fn reap_all(&mut self) -> Result<()> {
        while let Some((id, status)) = reap()? {
            let mut services = self.services.iter_mut().flatten();
            match services.find(|service| service.has(id)) {
                Some(service) => service.ended(status, self.ending)?,
                None => say(format_args!("reaped {id}, an orphan")),
            }
        }
        Ok(())
    }

    fn read_signals(&mut self) -> Result<()> {
        while let Some(signal) = self.signals.read()? {
            if signal.number() != SIGCHLD && !self.ending {
                self.ending = true;
                self.limit.set(PATIENCE)?;
                for (_, child) in self.running() {
                    // It can only fail if the service has become another user's; then
                    // the limit does not help either, and we wait for its end.
                    let _ = child.kill(SIGTERM);
                }
            }
        }
        Ok(())
    }

    fn kill_all(&self) -> Result<()> {
        self.limit.read()?;
        for (service, child) in self.running() {
            say(format_args!("{service} does not end, and is killed"));
            let _ = child.kill(SIGKILL);
        }
        Ok(())
    }

    fn service_is_due(&mut self, at: usize) -> Result<()> {
        match self.services.get_mut(at) {
            Some(Some(service)) => service.is_due(self.environment, self.ending),
            _ => Ok(()),
        }
    }

    fn running(&self) -> impl Iterator<Item = (&Service<'a>, &Child)> {
        let services = self.services.iter().flatten();
        services.filter_map(|service| Some((service, service.child.as_ref()?)))
    }
}

/// If waiting has failed, none is left behind.
impl Drop for Supervisor<'_> {
    fn drop(&mut self) {
        for (_, child) in self.running() {
            let _ = child.kill(SIGTERM);
        }
    }
}

struct Service<'a> {
    argv: &'a [&'static CStr],
    /// While it runs: until it has settled. While it does not: until it starts.
    timer: Timer,
    /// Before the next start.
    delay: Duration,
    child: Option<Child>,
}

impl Service<'_> {
    fn has(&self, id: u32) -> bool {
        self.child.as_ref().is_some_and(|child| child.id() == id)
    }

    fn is_due(&mut self, environment: &[&CStr], ending: bool) -> Result<()> {
        // In the batch with this event there may have been one that set the timer anew.
        if self.timer.read()? == 0 || ending {
            return Ok(());
        }
        if self.child.is_some() {
            self.delay = SHORTEST_DELAY;
            return Ok(());
        }
        let path = self.argv.first().copied().unwrap_or_default();
        match Child::spawn(path, self.argv, environment) {
            Ok(child) => {
                say(format_args!("started {self} (pid {})", child.id()));
                self.child = Some(child);
                self.timer.set(SETTLED)
            }
            Err(error) => {
                let again = self.start_later()?;
                say(format_args!("{self} cannot be started: {error}{again}"));
                Ok(())
            }
        }
    }

    fn ended(&mut self, status: ExitStatus, ending: bool) -> Result<()> {
        self.child = None;
        let again = if ending {
            Again(None)
        } else {
            self.start_later()?
        };
        match (status.code(), status.signal()) {
            (Some(code), _) => say(format_args!("{self} ended: code {code}{again}")),
            (_, signal) => {
                let signal = signal.unwrap_or_default();
                say(format_args!("{self} was ended by signal {signal}{again}"));
            }
        }
        Ok(())
    }

    fn start_later(&mut self) -> Result<Again> {
        let delay = self.delay;
        self.timer.set(delay)?;
        self.delay = (delay * 2).min(LONGEST_DELAY);
        Ok(Again(Some(delay)))
    }
}

/// Its name, without the path.
impl fmt::Display for Service<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.argv.first().map_or(&[][..], |path| path.to_bytes());
        let name = path.rsplit(|byte| *byte == b'/').next();
        write!(f, "{}", name.unwrap_or_default().escape_ascii())
    }
}

struct Again(Option<Duration>);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(delay) => write!(f, ", again in {} s", delay.as_secs()),
            None => Ok(()),
        }
    }
}
