//! The supervisor, as one who starts it sees it: its lines, its exit code, and which
//! processes there are.

use crate::common;

use common::path::Fresh;
use common::queue::{expect_event, watching};
use common::{DEADLINE, PROFILE};
use epore::Interest;
use epore::process::Child as Handle;
use epore::signal::{SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use syscalls::{Errno, Sysno, syscall};

/// The supervisor, to be given arguments and started. `None`: it is not here, nor a
/// shell for it to run, and that is said.
fn supervisor(check: &str) -> Option<Command> {
    if !Path::new("/bin/sh").exists() {
        common::left_out(check, "no /bin/sh");
        return None;
    }
    match common::build_program("supervisor", PROFILE) {
        Some(path) => Some(common::through_runner(&path)),
        None => {
            common::left_out(check, "no cargo to build the supervisor");
            None
        }
    }
}

fn spawn(command: &mut Command) -> Child {
    let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    process.expect("the supervisor")
}

/// A supervisor at work. If the test fails, it is told to end.
struct Running {
    process: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        Self::new(spawn(command))
    }

    fn new(mut process: Child) -> Self {
        let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).expect("a pipe") > 0 {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line between these two, and returns what is between them there.
    fn wait_for(&mut self, before: &str, after: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no \"{before}…{after}\" in {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            let between = (line.strip_prefix(before)).and_then(|it| it.strip_suffix(after));
            if let Some(between) = between {
                return between.to_owned();
            }
        }
    }

    /// The number of the process that was started next.
    fn started(&mut self, name: &str) -> u32 {
        let id = self.wait_for(&format!("started {name} (pid "), ")");
        id.parse().expect("a number")
    }

    fn line(&mut self, line: &str) {
        self.wait_for(line, "");
    }

    fn signal(&self, signal: i32) {
        let handle = Handle::try_from(&self.process).expect("a child of ours");
        handle.kill(signal).expect("a child of ours");
    }

    /// Its exit code and all its lines, when it has ended as it was told to.
    fn ended(mut self) -> (Option<i32>, Vec<String>) {
        let status = common::wait_until(DEADLINE, || self.process.try_wait().expect("a child"));
        let status = status.unwrap_or_else(|| panic!("it goes on: {:#?}", self.seen));
        // What a service has left behind may still hold the other end.
        while self.seen.last().map(String::as_str) != Some("ended by a signal") {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no last line in {:#?}", self.seen),
            }
        }
        (status.code(), std::mem::take(&mut self.seen))
    }

    fn ends_well(self) -> Vec<String> {
        self.signal(SIGTERM);
        let (code, lines) = self.ended();
        assert_eq!(code, Some(0), "{lines:#?}");
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.signal(SIGTERM);
            if common::wait_until(DEADLINE, || self.process.try_wait().ok()?).is_none() {
                let _ = self.process.kill();
            }
        }
    }
}

fn is_there(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

fn path(path: &Fresh) -> &Path {
    path.as_ref()
}

/// Has `command` make this system call before it starts.
///
/// # Safety
///
/// The call is safe between fork and exec, and its pointers are to statics.
unsafe fn call_at_start(command: &mut Command, sysno: Sysno, arguments: [usize; 4]) {
    let call = move || {
        let [a, b, c, d] = arguments;
        // SAFETY: as the caller promises.
        match unsafe { syscall!(sysno, a, b, c, d) } {
            Ok(_) => Ok(()),
            Err(errno) => Err(io::Error::from_raw_os_error(errno.into_raw())),
        }
    };
    // SAFETY: `call` is one system call, which may stand between fork and exec.
    unsafe { command.pre_exec(call) };
}

/// Has the orphans among its descendants become the children of `command`.
fn is_the_reaper(command: &mut Command) {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    // SAFETY: no memory; it sets an attribute of the process.
    unsafe { call_at_start(command, Sysno::prctl, [PR_SET_CHILD_SUBREAPER, 1, 0, 0]) };
}

#[test]
fn a_service_that_ends_starts_again_later_each_time() {
    let Some(mut command) = supervisor("the restart of a service") else {
        return;
    };
    let begin = Instant::now();
    let mut running = Running::start(command.args(["/bin/sh", "-c", "exit 3"]));
    let mut ids = Vec::new();
    for delay in [1, 2] {
        ids.push(running.started("sh"));
        running.line(&format!("sh ended: code 3, again in {delay} s"));
    }
    ids.push(running.started("sh"));
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(1 + 2), "{took:?}");
    ids.dedup();
    assert_eq!(ids.len(), 3, "the same process again: {ids:?}");
    running.ends_well();
}

#[test]
fn a_service_that_has_run_for_a_while_starts_again_soon() {
    let Some(mut command) = supervisor("the restart of a settled service") else {
        return;
    };
    let been_here = Fresh::new();
    let script = "if [ -e $0 ]; then sleep 8; exit 4; fi; : > $0; exit 3";
    command
        .args(["/bin/sh", "-c", script])
        .arg(path(&been_here));
    let mut running = Running::start(&mut command);
    running.line("sh ended: code 3, again in 1 s");
    running.line("sh ended: code 4, again in 1 s");
    running.ends_well();
}

#[test]
fn the_signal_that_ended_a_service_is_told() {
    let Some(mut command) = supervisor("a service that a signal ends") else {
        return;
    };
    let mut running = Running::start(command.args(["/bin/sh", "-c", "kill -9 $$"]));
    running.line("sh was ended by signal 9, again in 1 s");
    running.ends_well();
}

#[test]
fn a_signal_ends_all_services_and_then_the_supervisor() {
    for signal in [SIGTERM, SIGINT] {
        let Some(mut command) = supervisor("the end by a signal") else {
            return;
        };
        // The third has ended before, and waits for its next start.
        let services = "/bin/sh -c LONG -- /bin/sh -c LONG -- /bin/sh -c SHORT";
        command.args(services.split(' ').map(|word| match word {
            "LONG" => "exec sleep 1000",
            "SHORT" => "exit 5",
            word => word,
        }));
        let mut running = Running::start(&mut command);
        let ids = [(); 3].map(|()| running.started("sh"));
        running.line("sh ended: code 5, again in 1 s");
        running.signal(signal);
        let (code, lines) = running.ended();
        assert_eq!(code, Some(0), "{lines:#?}");
        let ends = (lines.iter()).filter(|line| *line == "sh was ended by signal 15");
        assert_eq!(ends.count(), 2, "{lines:#?}");
        assert!(!ids.into_iter().any(is_there), "left behind: {lines:#?}");
    }
}

#[test]
fn a_service_that_does_not_listen_is_killed_in_the_end() {
    let Some(mut command) = supervisor("the end of a deaf service") else {
        return;
    };
    let deaf = "trap '' TERM; echo deaf $$; exec sleep 1000";
    let mut running = Running::start(command.args(["/bin/sh", "-c", deaf]));
    // The service may be faster with its line than the supervisor with the one before.
    let id: u32 = running.wait_for("deaf ", "").parse().expect("a number");
    let begin = Instant::now();
    let lines = running.ends_well();
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(5), "{took:?}: {lines:#?}");
    let [.., killed, ended, _] = &lines[..] else {
        panic!("{lines:#?}");
    };
    assert_eq!(killed, "sh does not end, and is killed");
    assert_eq!(ended, "sh was ended by signal 9");
    assert!(!is_there(id), "left behind: {lines:#?}");
}

/// Leaves a child behind each time it runs, and says which.
const LEAVES_AN_ORPHAN: [&str; 3] = ["/bin/sh", "-c", "sleep 0.1 & echo left $!; exit 6"];

fn expect_the_orphans(running: &mut Running) {
    for delay in [1, 2] {
        let orphan = running.wait_for("left ", "");
        running.line(&format!("sh ended: code 6, again in {delay} s"));
        running.line(&format!("reaped {orphan}, an orphan"));
    }
}

#[test]
fn orphans_are_reaped_and_services_are_not_taken_for_them() {
    let Some(mut command) = supervisor("the reaping of orphans") else {
        return;
    };
    is_the_reaper(&mut command);
    let mut running = Running::start(command.args(LEAVES_AN_ORPHAN));
    expect_the_orphans(&mut running);
    running.ends_well();
}

#[test]
fn ends_that_one_signal_stands_for_are_all_noticed() {
    let Some(mut command) = supervisor("many ends at once") else {
        return;
    };
    is_the_reaper(&mut command);
    let script = "for i in 1 2 3 4 5; do (sleep 1000 & echo left $!); done; exec sleep 1000";
    let mut running = Running::start(command.args(["/bin/sh", "-c", script]));
    let orphans = [(); 5].map(|()| running.wait_for("left ", ""));
    running.signal(SIGSTOP);
    for orphan in &orphans {
        let handle = Handle::open(orphan.parse().expect("a number")).expect("an orphan");
        handle.kill(SIGKILL).expect("an orphan");
        // Readable when it has ended, though nobody has reaped it.
        expect_event(&mut watching(&handle, Interest::READABLE));
    }
    running.signal(SIGCONT);
    let reaped = [(); 5].map(|()| running.wait_for("reaped ", ", an orphan"));
    assert_eq!(BTreeSet::from(reaped), BTreeSet::from(orphans));
    running.ends_well();
}

#[test]
fn the_first_process_of_a_container_reaps_and_ends_like_any_other() {
    const CLONE_NEWPID: usize = 0x2000_0000;
    let check = "the supervisor as a container's first process";
    let Some(mut command) = supervisor(check) else {
        return;
    };
    command.args(LEAVES_AN_ORPHAN);
    // A thread that ends with it: in such a thread no other can be started, so the one
    // that reads is started from here.
    let started = thread::spawn(move || {
        // SAFETY: no memory; it changes nothing for this thread itself.
        unsafe { syscall!(Sysno::unshare, CLONE_NEWPID) }?;
        Ok::<_, Errno>(spawn(&mut command))
    });
    let process = match started.join().expect("the thread") {
        Ok(process) => process,
        Err(errno) => return common::left_out(check, errno),
    };
    let mut running = Running::new(process);
    expect_the_orphans(&mut running);
    running.ends_well();
}

#[test]
fn a_program_that_is_not_there_is_told_and_tried_again() {
    let Some(mut command) = supervisor("a program that is not there") else {
        return;
    };
    let program = Fresh::new();
    command.args(["/bin/sh", "-c", "exec sleep 1000", "--"]);
    let mut running = Running::start(command.arg(path(&program)));
    let name = path(&program).file_name().and_then(OsStr::to_str);
    let trouble = format!(
        "{} cannot be started: execve: ENOENT",
        name.expect("a name")
    );
    for delay in [1, 2] {
        let reason = running.wait_for(&trouble, &format!(", again in {delay} s"));
        assert!(reason.contains("there is no such program"), "{reason}");
    }
    std::os::unix::fs::symlink("/bin/sh", path(&program)).expect("a link");
    running.line(&format!(
        "{} ended: code 0, again in 4 s",
        name.expect("a name")
    ));
    let lines = running.ends_well();
    let others = lines.iter().filter(|line| line.starts_with("sh ended"));
    assert_eq!(others.count(), 0, "the other service ended: {lines:#?}");
}

#[test]
fn arguments_and_environment_reach_a_service_byte_for_byte() {
    let Some(mut command) = supervisor("arguments and environment of a service") else {
        return;
    };
    let bytes = OsStr::from_bytes(b"a\xffb");
    let script = "printf '%s %s.\n' \"$1\" \"$EPORE_WORD\" | od -An -tx1; exec sleep 1000";
    command.args(["/bin/sh", "-c", script, "sh"]).arg(bytes);
    let mut running = Running::start(command.env("EPORE_WORD", bytes));
    running.line(" 61 ff 62 20 61 ff 62 2e 0a");
    running.ends_well();
}

#[test]
fn ends_are_noticed_though_whoever_started_it_ignores_them() {
    const SIGCHLD: usize = 17;
    // A `struct sigaction`: handler, flags, restorer and mask, a word each.
    static IGNORE: [usize; 4] = [1, 0, 0, 0];
    let Some(mut command) = supervisor("the start with SIGCHLD ignored") else {
        return;
    };
    let ignore = [SIGCHLD, IGNORE.as_ptr() as usize, 0, 8];
    // SAFETY: the kernel reads the four words of a static; the old action is not wanted.
    unsafe { call_at_start(&mut command, Sysno::rt_sigaction, ignore) };
    let mut running = Running::start(command.args(["/bin/sh", "-c", "exit 7"]));
    running.line("sh ended: code 7, again in 1 s");
    running.ends_well();
}

#[test]
fn what_it_cannot_do_is_answered_with_the_usage() {
    let seventeen = ["/bin/true"; 17].join(" -- ");
    let long = ["x"; 256].join(" ");
    for arguments in ["", "--", "/bin/true --", "a -- -- b", &seventeen, &long] {
        let Some(mut command) = supervisor("the usage") else {
            return;
        };
        let output = common::run(command.args(arguments.split_whitespace()));
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        assert!(
            output.stderr.starts_with(b"usage: supervisor"),
            "{output:?}"
        );
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}
