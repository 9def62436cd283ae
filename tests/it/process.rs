//! Children: started, watched, signalled, reaped.

use crate::common;

use common::kernel;
use common::queue::{
    DEADLINE, Watchdog, expect_event, expect_silence, expect_tokens, queue, watching,
};
use epore::fd::AsFd;
use epore::process::{self, Child, ExitStatus};
use epore::signal::{self, SIGCHLD, SIGKILL, SIGPIPE, SIGSTOP, SIGTERM, SIGUSR1, SigSet, Signals};
use epore::sys::{self, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WaitId};
use epore::{Errno, Interest, Result, Token, pipe};
use std::env;
use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use syscalls::{Sysno, syscall};

/// In the environment of a child: what it is to do.
const ROLE: &str = "EPORE_TEST_ROLE";

fn text(text: impl AsRef<OsStr>) -> CString {
    CString::new(text.as_ref().as_bytes()).expect("no zero in it")
}

/// Where the program is, looked for as a shell does.
fn found(program: &OsStr) -> CString {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = |directory| Path::new(&directory).join(program);
    // Joined to an absolute path, any directory gives way to that.
    let found = env::split_paths(&path).map(there).find(|it| it.exists());
    text(found.expect("a program"))
}

fn this_program() -> Command {
    common::through_runner(&env::current_exe().expect("this program"))
}

/// This program as a child, with these arguments after its name.
fn start(arguments: &[&CStr], environment: &[&CStr]) -> Result<Child> {
    let command = this_program();
    let path = found(command.get_program());
    let before: Vec<_> = command.get_args().map(text).collect();
    let mut argv = vec![&*path];
    argv.extend(before.iter().map(|it| &**it));
    argv.extend(arguments);
    Child::spawn(&path, &argv, environment)
}

/// A child that plays `role`, which is a match arm of [`a_child`]. For a process that is
/// [`alone`](kernel::alone): this one's output would have the child's in it.
fn child(role: &str) -> Child {
    let mut variables = vec![text(format!("{ROLE}={role}"))];
    // Where the child looks for the emulator, if it has a child itself.
    let kept = env::vars().filter(|(name, _)| name == "PATH" || name.ends_with("_RUNNER"));
    variables.extend(kept.map(|(name, value)| text(format!("{name}={value}"))));
    let variables: Vec<_> = variables.iter().map(|it| &**it).collect();
    start(
        &[c"--exact", c"process::a_child", c"--nocapture"],
        &variables,
    )
    .expect("a child")
}

/// What a child does, and nothing in the program that was started first.
#[test]
fn a_child() {
    let Some(role) = env::var_os(ROLE) else {
        return;
    };
    match role.to_str().expect("a role") {
        "stays" => loop {
            std::thread::park();
        },
        "aborts" => std::process::abort(),
        "tells whether it blocks anything" => {
            let status = fs::read_to_string("/proc/thread-self/status").expect("proc");
            let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            let none = blocked.expect("a mask").trim() == "0000000000000000";
            std::process::exit(if none { 20 } else { 21 });
        }
        "counts its arguments" => std::process::exit(env::args().count() as i32),
        "leaves a child behind" => {
            // The grandchild outlives it, and ends when it is let.
            std::mem::forget(child("exits with 9"));
            std::process::exit(3);
        }
        role => {
            let code = role.strip_prefix("exits with ").expect("a role");
            std::process::exit(code.parse().expect("a code"));
        }
    }
}

fn ended(child: &mut Child) -> ExitStatus {
    assert!(expect_event(&mut watching(child, Interest::READABLE)).is_readable());
    child.try_wait().unwrap().expect("it has ended")
}

#[test]
fn a_childs_code_is_told_when_it_has_exited() {
    kernel::alone(|| {
        for code in [0, 1, 7, 255] {
            let mut child = child(&format!("exits with {code}"));
            let status = ended(&mut child);
            assert_eq!((status.code(), status.signal()), (Some(code), None));
            assert_eq!(status.success(), code == 0);
            assert_eq!(
                format!("{status} {status:?}"),
                format!("exit code {code} ExitStatus(exit code {code})")
            );
            assert_eq!(child.try_wait().unwrap(), Some(status), "and again");
            let stds = std::process::ExitStatus::from(status);
            assert_eq!((stds.code(), stds.signal()), (Some(code), None));
        }
    });
}

#[test]
fn a_child_that_runs_is_not_reported() {
    kernel::alone(|| {
        let mut child = child("stays");
        expect_silence(&mut watching(&child, Interest::READABLE));
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill(0).unwrap();
        child.kill(SIGKILL).unwrap();
        assert_eq!(ended(&mut child).signal(), Some(SIGKILL));
    });
}

#[test]
fn the_signal_that_ended_a_child_is_told() {
    kernel::alone(|| {
        for signal in [SIGTERM, SIGKILL, SIGUSR1] {
            let mut child = child("stays");
            child.kill(signal).unwrap();
            let status = ended(&mut child);
            assert_eq!((status.code(), status.signal()), (None, Some(signal)));
            assert!(!status.success() && !status.core_dumped());
            assert_eq!(status.to_string(), format!("signal {signal}"));
            let stds = std::process::ExitStatus::from(status);
            assert_eq!((stds.code(), stds.signal()), (None, Some(signal)));
        }
    });
}

#[test]
fn a_core_that_was_written_is_told_as_std_tells_it() {
    kernel::alone(|| {
        let mut ours = child("aborts");
        let mut stds = this_program();
        stds.args(["--exact", "process::a_child", "--nocapture"])
            .env(ROLE, "aborts");
        let theirs = common::run(&mut stds).status;
        let status = ended(&mut ours);
        assert_eq!(status.signal(), theirs.signal());
        if common::is_emulated() {
            return common::left_out("whether a core was written", "the emulator ends otherwise");
        }
        assert_eq!(status.core_dumped(), theirs.core_dumped());
        assert_eq!(std::process::ExitStatus::from(status), theirs);
    });
}

#[test]
fn each_child_is_reaped_by_its_token() {
    kernel::alone(|| {
        let mut children: Vec<_> = (0..5)
            .map(|code| child(&format!("exits with {code}")))
            .collect();
        let mut queue = queue();
        for (token, child) in children.iter().enumerate() {
            let registry = queue.registry();
            registry
                .register(child, Token(token), Interest::READABLE)
                .unwrap();
        }
        expect_tokens(&mut queue, &[0, 1, 2, 3, 4]);
        for (token, child) in children.iter_mut().enumerate() {
            assert_eq!(
                child.try_wait().unwrap().unwrap().code(),
                Some(token as i32)
            );
        }
    });
}

#[test]
fn after_it_is_reaped_a_child_gets_no_signal() {
    kernel::alone(|| {
        let mut child = child("exits with 0");
        expect_event(&mut watching(&child, Interest::READABLE));
        child.kill(SIGTERM).unwrap();
        assert!(ended(&mut child).success());
        let error = child.kill(SIGTERM).unwrap_err();
        assert_eq!(
            (error.syscall(), error.errno()),
            ("pidfd_send_signal", Errno::ESRCH)
        );
    });
}

#[test]
fn what_is_no_signal_is_refused() {
    kernel::alone(|| {
        let mut child = child("stays");
        for signal in [-1, 65] {
            assert_eq!(child.kill(signal).unwrap_err().errno(), Errno::EINVAL);
        }
        child.kill(SIGKILL).unwrap();
        ended(&mut child);
    });
}

#[test]
fn a_second_handle_finds_the_child_reaped() {
    kernel::alone(|| {
        let mut first = child("exits with 4");
        let mut second = Child::open(first.id()).unwrap();
        assert_eq!(second.id(), first.id());
        assert_eq!(ended(&mut first).code(), Some(4));
        let error = second.try_wait().unwrap_err();
        assert_eq!((error.syscall(), error.errno()), ("waitid", Errno::ECHILD));
        assert!(error.to_string().contains("reaped"), "{error}");
    });
}

#[test]
fn stds_children_can_be_watched_too() {
    kernel::alone(|| {
        let mut command = this_program();
        command
            .args(["--exact", "process::a_child"])
            .env(ROLE, "exits with 5")
            .stdout(Stdio::null());
        let mut stds = command.spawn().unwrap();
        let child = Child::try_from(&stds).unwrap();
        assert_eq!(child.id(), stds.id());
        expect_event(&mut watching(&child, Interest::READABLE));
        assert_eq!(stds.try_wait().unwrap().unwrap().code(), Some(5));
    });
}

#[test]
fn what_is_no_process_cannot_be_opened() {
    for id in [0, i32::MAX as u32 + 1, u32::MAX] {
        assert_eq!(Child::open(id).unwrap_err().errno(), Errno::EINVAL, "{id}");
    }
    // Above what a process can be numbered.
    let error = Child::open(1 << 30).unwrap_err();
    assert_eq!(
        (error.syscall(), error.errno()),
        ("pidfd_open", Errno::ESRCH)
    );
}

#[test]
fn who_is_no_child_is_watched_and_not_waited_for() {
    let mut parent = Child::open(std::os::unix::process::parent_id()).unwrap();
    expect_silence(&mut watching(&parent, Interest::READABLE));
    parent.kill(0).unwrap();
    assert_eq!(parent.try_wait().unwrap_err().errno(), Errno::ECHILD);
}

#[test]
fn a_handle_is_closed_on_exec() {
    kernel::alone(|| {
        let mut child = child("stays");
        assert!(kernel::is_closed_on_exec(&child));
        child.kill(SIGKILL).unwrap();
        ended(&mut child);
    });
}

#[test]
fn the_error_of_what_cannot_be_started_is_told() {
    kernel::alone(|| {
        let open = kernel::open_descriptors();
        let cases: [(&CStr, Errno); 4] = [
            (c"/nowhere/to/be/found", Errno::ENOENT),
            (c"/", Errno::EACCES),
            (c"/proc/self/status", Errno::EACCES),
            (c"/proc/self/exe/below", Errno::ENOTDIR),
        ];
        for (path, errno) in cases {
            let error = Child::spawn(path, &[path], &[]).unwrap_err();
            assert_eq!(
                (error.syscall(), error.errno()),
                ("execve", errno),
                "{path:?}"
            );
        }
        let many = [c"x"; sys::MAX_ARGUMENTS + 1];
        for (arguments, variables) in [(&many[..], &many[..0]), (&many[..1], &many[..])] {
            let error = Child::spawn(c"/proc/self/exe", arguments, variables).unwrap_err();
            assert_eq!((error.syscall(), error.errno()), ("execve", Errno::E2BIG));
            assert!(error.to_string().contains("too many"), "{error}");
        }
        assert_eq!(kernel::open_descriptors(), open);
        // None of them has left a child behind.
        let none = sys::waitid(WaitId::All, WEXITED | WNOHANG).unwrap_err();
        assert_eq!(none.errno(), Errno::ECHILD);
    });
}

#[test]
fn arguments_and_variables_arrive_as_they_were_given() {
    kernel::alone(|| {
        // The last of as many as there may be.
        let role = text(format!("{ROLE}=counts its arguments"));
        let mut variables = vec![c"EPORE_OTHER=x"; sys::MAX_ARGUMENTS - 1];
        variables.push(&role);
        let mut arguments = vec![c"--exact", c"process::a_child", c"--nocapture"];
        arguments.extend([c"--skip", c"nothing"].repeat(100));
        let mut child = start(&arguments, &variables).unwrap();
        assert_eq!(ended(&mut child).code(), Some(204));
    });
}

#[test]
fn a_child_blocks_nothing_whatever_its_parent_blocks() {
    kernel::alone(|| {
        let before = signal::block(SigSet::ALL).unwrap();
        let mut child = child("tells whether it blocks anything");
        signal::set_mask(before).unwrap();
        assert_eq!(ended(&mut child).code(), Some(20));
    });
}

#[test]
fn a_child_dies_of_a_broken_pipe_though_its_parent_does_not() {
    // std's runtime has this program ignore the signal; a program that is not std's
    // would inherit that.
    if !Path::new("/bin/sh").exists() {
        return common::left_out("SIGPIPE in a program that is not std's", "no /bin/sh");
    }
    let mut child =
        Child::spawn(c"/bin/sh", &[c"sh", c"-c", c"kill -PIPE $$; exit 8"], &[]).unwrap();
    assert_eq!(ended(&mut child).signal(), Some(SIGPIPE));
}

#[test]
fn a_child_inherits_what_is_not_closed_on_exec_and_nothing_else() {
    kernel::alone(|| {
        let (sender, receiver) = pipe::new().unwrap();
        let mut child = child("stays");
        drop(sender);
        // The child has no copy of the sender.
        expect_event(&mut watching(&receiver, Interest::READABLE));
        assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 0);
        child.kill(SIGKILL).unwrap();
        ended(&mut child);
    });
}

#[test]
fn a_sigchld_names_the_child_that_ended() {
    let role = || {
        let signals = Signals::new(SigSet::of(&[SIGCHLD])).unwrap();
        let mut child = child("exits with 11");
        expect_event(&mut watching(&signals, Interest::READABLE));
        let signal = signals.read().unwrap().unwrap();
        assert_eq!((signal.number(), signal.pid()), (SIGCHLD, child.id()));
        assert_eq!((signal.ssi_code, signal.ssi_status), (sys::CLD_EXITED, 11));
        assert_eq!(ended(&mut child).code(), Some(11));
    };
    if kernel::is_alone() {
        return role();
    }
    let mut again = kernel::again_at(&role);
    let block = || {
        kernel::block_signal(SIGCHLD);
        Ok(())
    };
    // SAFETY: `block` is one system call, which may stand between fork and exec.
    unsafe { again.pre_exec(block) };
    let output = common::run(&mut again);
    assert!(output.status.success(), "{output:?}");
}

/// Has the orphans among this process's descendants become its children, as they become
/// the first process's.
fn become_the_reaper() {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    // SAFETY: no memory.
    unsafe { syscall!(Sysno::prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }.expect("an attribute");
}

#[test]
fn orphans_are_reaped_with_the_others() {
    kernel::alone(|| {
        assert_eq!(process::reap().unwrap(), None, "no children");
        become_the_reaper();
        let mut parent = child("leaves a child behind");
        let mut reaped = Vec::new();
        let both = common::wait_until(DEADLINE, || {
            reaped.extend(process::reap().unwrap());
            (reaped.len() == 2).then_some(())
        });
        assert!(both.is_some(), "only {reaped:?}");
        let code = |id| reaped.iter().find(|it| it.0 == id).map(|it| it.1.code());
        assert_eq!(code(parent.id()), Some(Some(3)));
        assert!(reaped.iter().any(|it| it.1.code() == Some(9)), "{reaped:?}");
        assert_eq!(process::reap().unwrap(), None);
        assert_eq!(parent.try_wait().unwrap_err().errno(), Errno::ECHILD);
    });
}

#[test]
fn children_that_run_are_not_reaped() {
    kernel::alone(|| {
        let mut child = child("stays");
        assert_eq!(process::reap().unwrap(), None);
        child.kill(SIGKILL).unwrap();
        expect_event(&mut watching(&child, Interest::READABLE));
        let (id, status) = process::reap().unwrap().unwrap();
        assert_eq!((id, status.signal()), (child.id(), Some(SIGKILL)));
        assert_eq!(child.try_wait().unwrap_err().errno(), Errno::ECHILD);
    });
}

#[test]
fn waitid_looks_stops_and_reaps() {
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        let mut child = child("stays");
        let id = child.id() as i32;
        child.kill(SIGSTOP).unwrap();
        let stopped = sys::waitid(WaitId::Pid(id), WSTOPPED).unwrap().unwrap();
        assert_eq!(
            (stopped.si_signo, stopped.si_code),
            (SIGCHLD, sys::CLD_STOPPED)
        );
        assert_eq!((stopped.si_pid, stopped.si_status), (id, SIGSTOP));
        child.kill(sys::SIGCONT).unwrap();
        let gone_on = sys::waitid(WaitId::Pidfd(child.as_fd()), sys::WCONTINUED).unwrap();
        assert_eq!(gone_on.unwrap().si_code, sys::CLD_CONTINUED);
        child.kill(SIGKILL).unwrap();
        for _ in 0..2 {
            let looked = sys::waitid(WaitId::Pid(id), WEXITED | WNOWAIT)
                .unwrap()
                .unwrap();
            assert_eq!(
                (looked.si_code, looked.si_status),
                (sys::CLD_KILLED, SIGKILL)
            );
        }
        assert_eq!(ended(&mut child).signal(), Some(SIGKILL));
        let errno = |answer: Result<Option<_>>| answer.unwrap_err().errno();
        assert_eq!(errno(sys::waitid(WaitId::Pid(id), WEXITED)), Errno::ECHILD);
        assert_eq!(errno(sys::waitid(WaitId::Pgid(id), WEXITED)), Errno::ECHILD);
        assert_eq!(errno(sys::waitid(WaitId::All, 0)), Errno::EINVAL);
        let (_sender, receiver) = pipe::new().unwrap();
        let pipe = WaitId::Pidfd(receiver.as_fd());
        assert_eq!(errno(sys::waitid(pipe, WEXITED)), Errno::EBADF);
    });
}

#[test]
fn a_program_becomes_another_one_and_stays_itself_if_it_cannot() {
    kernel::alone(|| {
        let error = sys::execve(c"/nowhere", &[], &[]).unwrap_err();
        assert_eq!((error.syscall(), error.errno()), ("execve", Errno::ENOENT));
    });
}
