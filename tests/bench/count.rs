//! How many instructions an operation takes, and how many system calls: numbers that do
//! not depend on what else the machine does.
//!
//! The program is started again, as `bench counted PEER OPERATION N`, under something
//! that counts, and once more with a larger `N`. The difference is the operations'.

use crate::measure::Run;
use crate::workload::{churn, ignore, look, modify, pending_wake, wait};
use crate::{each_peer, file};
use std::env;
use std::fmt;
use std::fs;
use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::Duration;

pub const NONE: &str = "poll(None)";
pub const ZERO: &str = "poll(0), empty";
pub const MILLIS: &str = "poll(1 ms)";
pub const VARIABLE: &str = "poll(a variable), empty";
pub const ONE: &str = "poll(None), 1 event";
pub const MANY: &str = "poll(None), 64 events";
pub const REREGISTER: &str = "reregister";
pub const CHURN: &str = "register, deregister";
pub const WAKE: &str = "wake that is pending";
pub const MICROS: &str = "poll(50 µs), empty";

/// What is counted, in the order of the table.
pub const OPERATIONS: [&str; 9] = [
    NONE, ZERO, MILLIS, VARIABLE, ONE, MANY, REREGISTER, CHURN, WAKE,
];

/// What `bench counted` does.
pub fn run(peer: &str, operation: &str, n: u32) {
    let idle: &[OwnedFd] = &[file::eventfd()];
    let ready: &[OwnedFd] = &std::array::from_fn::<_, 64, _>(|_| file::ready());
    let one = &ready[..1];
    const MILLI: Option<Duration> = Some(Duration::from_millis(1));
    const MICRO: Option<Duration> = Some(Duration::from_micros(50));
    let runs = match operation {
        NONE => each_peer!(0, |n| wait(n, one, || None, ignore)),
        ZERO => each_peer!(0, |n| wait(n, idle, || Some(Duration::ZERO), ignore)),
        MILLIS => each_peer!(0, |n| wait(n, one, || MILLI, ignore)),
        VARIABLE => each_peer!(0, |n| wait(
            n,
            idle,
            || black_box(Some(Duration::ZERO)),
            ignore
        )),
        ONE => each_peer!(0, |n| wait(n, one, || None, look)),
        MANY => each_peer!(0, |n| wait(n, ready, || None, look)),
        REREGISTER => each_peer!(0, |n| modify(n)),
        CHURN => each_peer!(0, |n| churn(n)),
        WAKE => each_peer!(0, |n| pending_wake(n)),
        MICROS => each_peer!(0, |n| wait(n, idle, || MICRO, ignore)),
        _ => panic!("no such operation: {operation}"),
    };
    let mut run: Run<'_> = (runs.into_iter())
        .find_map(|(name, run)| (name == peer).then_some(run))
        .unwrap_or_else(|| panic!("no such peer: {peer}"));
    run(n);
}

/// Those that can be counted, in the order of the tables.
pub fn peers() -> [&'static str; 6] {
    each_peer!(0, |n| modify(n)).map(|(name, _)| name)
}

/// Counts what the program `bench` does. On x86_64 and on a real aarch64 that is
/// callgrind's work; a program that runs in qemu-user is counted by that.
pub struct Instructions<'a> {
    bench: &'a Path,
    emulator: Option<String>,
}

impl<'a> Instructions<'a> {
    /// `Err`: there is nothing here to count with.
    pub fn of(bench: &'a Path) -> Result<Self, String> {
        let emulator = emulator();
        let tool = emulator.as_deref().unwrap_or("valgrind");
        match quiet(Command::new(tool).arg("--version")).status() {
            Ok(status) if status.success() => Ok(Self { bench, emulator }),
            _ => Err(format!("{tool} is not installed")),
        }
    }

    /// Per operation. `None`: the counter cannot run it.
    pub fn per_operation(&self, peer: &str, operation: &str) -> Option<f64> {
        let (few, many) = match self.emulator {
            // It writes a line per instruction.
            Some(_) => (200, 1200),
            None => (1000, 11_000),
        };
        let all = self.count(peer, operation, many)? - self.count(peer, operation, few)?;
        Some(all as f64 / f64::from(many - few))
    }

    fn count(&self, peer: &str, operation: &str, n: u32) -> Option<i64> {
        let n = n.to_string();
        let arguments = ["counted", peer, operation, &n];
        let Some(emulator) = &self.emulator else {
            let output = Command::new("valgrind")
                .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
                .arg(self.bench)
                .args(arguments)
                .output()
                .expect("valgrind");
            let said = String::from_utf8_lossy(&output.stderr);
            let (_, collected) = said.split_once("Collected : ")?;
            let digits = collected.split_whitespace().next()?;
            return digits.parse().ok().filter(|_| output.status.success());
        };
        let log = scratch_file("instructions");
        let status = quiet(
            Command::new(emulator)
                .args(["-one-insn-per-tb", "-d", "exec,nochain", "-D"])
                .arg(&log)
                .arg(self.bench)
                .args(arguments),
        )
        .status();
        let traced = fs::read_to_string(&log).ok()?;
        fs::remove_file(&log).ok()?;
        // What comes before `run` depends on where things happen to lie.
        let traced = traced
            .lines()
            .skip_while(|line| !line.contains("5count3run"));
        let count = traced.filter(|line| line.starts_with("Trace ")).count();
        (count > 0 && status.ok()?.success()).then_some(count as i64)
    }
}

impl fmt::Display for Instructions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.emulator.as_deref().unwrap_or("callgrind"))
    }
}

/// System calls per operation of the program `bench`. `None`: strace is missing, or does
/// not see through the emulator.
pub fn system_calls(bench: &Path, peer: &str, operation: &str) -> Option<f64> {
    if emulator().is_some() {
        return None;
    }
    let (few, many) = (10, 110);
    let count = |n: u32| -> Option<i64> {
        let log = scratch_file("calls");
        let status = quiet(
            Command::new("strace")
                .args(["-f", "-qq", "-o"])
                .arg(&log)
                .arg(bench)
                .args(["counted", peer, operation, &n.to_string()]),
        )
        .status();
        let calls = fs::read_to_string(&log).ok()?.lines().count();
        fs::remove_file(&log).ok()?;
        status.ok()?.success().then_some(calls as i64)
    };
    Some((count(many)? - count(few)?) as f64 / f64::from(many - few))
}

/// What cargo runs programs for this architecture with, if that is an emulator.
pub fn emulator() -> Option<String> {
    let variable = format!(
        "CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_RUNNER",
        env::consts::ARCH.to_uppercase()
    );
    env::var(variable)
        .ok()
        .filter(|runner| runner.contains("qemu"))
}

/// To be given arguments and started, in the emulator if there is one.
pub fn program(path: &Path) -> Command {
    let Some(emulator) = emulator() else {
        return Command::new(path);
    };
    let mut command = Command::new(emulator);
    command.arg(path);
    command
}

fn scratch_file(name: &str) -> PathBuf {
    env::temp_dir().join(format!("epore-bench-{name}-{}", process::id()))
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}
