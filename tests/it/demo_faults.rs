//! The libc-free program, when the kernel says no to it: it goes on where it can, and
//! where it cannot it ends with a sentence. `strace` has the calls fail.

use crate::common;

use common::kernel::{SIGTERM, process_state};
use common::server::{Client, Server};
use common::{DEADLINE, demo, is_emulated, keep_to_one_processor, left_out, wait_until};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use syscalls::Errno;

const WAIT: &str = if cfg!(target_arch = "x86_64") {
    "epoll_wait"
} else {
    "epoll_pwait"
};

/// How many programs run at a time: they wait more than they work.
const AT_A_TIME: usize = 6;

/// A call, at which of its times it fails, and each of the ways it does.
type Fault = (&'static str, &'static str, &'static [&'static str]);

/// One row of a table, for one errno.
#[derive(Clone, Copy, Debug)]
struct Case<T> {
    call: &'static str,
    when: &'static str,
    errno: &'static str,
    expected: T,
}

fn cases<T: Copy>(rows: &[(Fault, T)]) -> Vec<Case<T>> {
    let each = |&((call, when, errnos), expected): &(Fault, T)| {
        errnos.iter().map(move |&errno| Case {
            call,
            when,
            errno,
            expected,
        })
    };
    rows.iter().flat_map(each).collect()
}

impl<T> Case<T> {
    /// What the program says of the fault.
    fn sentence(&self) -> String {
        let mut all = (1..134).map(Errno::new);
        let errno = all.find(|errno| errno.name() == Some(self.errno));
        let (name, description) = errno
            .and_then(|it| it.name_and_description())
            .expect("an errno");
        format!("{}: {name} ({description})", self.call)
    }

    /// `command` with the fault, and where `strace` says what it did.
    fn command(&self, command: &Command) -> (Command, PathBuf) {
        let call = self.call;
        let inject = format!("inject={call}:error={}:when={}", self.errno, self.when);
        under_strace(command, &["-e", &format!("trace={call}"), "-e", &inject])
    }
}

/// `command`, watched by a `strace` that is not its parent: what is started is what
/// can be waited for, killed, and looked into.
fn under_strace(command: &Command, options: &[&str]) -> (Command, PathBuf) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let log = env::temp_dir().join(format!("epore-strace-{}-{number}", process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-D", "-qq", "-o"]).arg(&log).args(options);
    strace.arg(command.get_program()).args(command.get_args());
    (strace, log)
}

/// A server that `strace` watches, and where that says what it did.
fn watched(
    strace: impl FnOnce(&Command) -> (Command, PathBuf),
    prepare: fn(&mut Command),
) -> (Server, PathBuf) {
    let mut log = PathBuf::new();
    let server = Server::start_at("127.0.0.1:0", |command| {
        (*command, log) = strace(command);
        prepare(command);
    });
    (server, log)
}

/// Asserts that the fault has come, or else the row shows nothing.
#[track_caller]
fn assert_injected(log: &PathBuf, what: &str) {
    let mut text = String::new();
    let injected = wait_until(DEADLINE, || {
        text = fs::read_to_string(log).unwrap_or_default();
        text.contains("(INJECTED)").then_some(())
    });
    assert!(injected.is_some(), "{what}: no such call: {text}");
    let _ = fs::remove_file(log);
}

/// `strace`, if it is there and works here.
fn can_inject(check: &str) -> bool {
    if is_emulated() {
        left_out(check, "strace sees the emulator's calls");
        return false;
    }
    let program = demo();
    let (mut strace, log) = under_strace(&program, &["-e", "trace=write"]);
    let output = strace.arg("--help").stdin(Stdio::null()).output();
    let works = matches!(&output, Ok(output) if output.status.success());
    let traced = wait_until(Duration::from_secs(5), || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        (!works || text.contains("write(1")).then_some(works)
    });
    let _ = fs::remove_file(&log);
    match (output, traced) {
        (_, Some(true)) => return true,
        (Err(error), _) => left_out(check, format!("no strace: {error}")),
        (Ok(output), _) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            left_out(check, format!("strace cannot trace here: {}", why.trim()));
        }
    }
    false
}

/// Tries every case, several at a time, and says which went wrong.
fn try_all<C: Sync + std::fmt::Debug>(cases: &[C], attempt: impl Fn(&C) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let attempt = std::panic::AssertUnwindSafe(|| attempt(case));
                    if std::panic::catch_unwind(attempt).is_err() {
                        failed.lock().expect("no panic").push(case);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.is_empty(), "{failed:#?}");
    eprintln!("{} faults", cases.len());
}

#[test]
fn the_demo_gives_errnos_the_names_that_the_library_gives_them() {
    let source = include_str!("../../src/demo/text.rs");
    let rows = source
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("\"\\x"));
    let rows = Vec::from_iter(rows);
    assert!(rows.len() >= 14, "{rows:?}");
    for row in rows {
        let (number, said) = row.split_at(2);
        let errno = Errno::new(i32::from_str_radix(number, 16).expect(row));
        let (name, description) = errno.name_and_description().expect(row);
        assert_eq!(said, format!("{name} ({description})\\0\","));
    }
}

// The server, before it serves.

#[test]
fn a_server_that_cannot_start_says_which_call_was_refused_and_ends() {
    const LISTEN: &str = "cannot listen on 127.0.0.1:0";
    const WAITING: &str = "cannot wait for events";
    let rows: &[(Fault, &str)] = &[
        (
            (
                "epoll_create1",
                "1",
                &["EMFILE", "ENFILE", "ENOMEM", "ENOSYS"],
            ),
            WAITING,
        ),
        (
            (
                "socket",
                "1",
                &[
                    "EMFILE",
                    "ENFILE",
                    "ENOBUFS",
                    "EAFNOSUPPORT",
                    "EACCES",
                    "EPERM",
                ],
            ),
            LISTEN,
        ),
        (
            ("setsockopt", "1", &["ENOMEM", "EPERM", "ENOPROTOOPT"]),
            LISTEN,
        ),
        (
            ("setsockopt", "2", &["ENOMEM", "EPERM", "ENOPROTOOPT"]),
            LISTEN,
        ),
        (
            (
                "bind",
                "1",
                &["EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "ENOMEM"],
            ),
            LISTEN,
        ),
        (("listen", "1", &["EADDRINUSE", "EOPNOTSUPP"]), LISTEN),
        (
            (
                "timerfd_create",
                "1",
                &["EMFILE", "ENFILE", "ENODEV", "ENOMEM"],
            ),
            LISTEN,
        ),
        (("epoll_ctl", "1", &["ENOMEM", "ENOSPC", "EPERM"]), LISTEN),
        (("epoll_ctl", "2", &["ENOMEM", "ENOSPC", "EPERM"]), LISTEN),
        (("getsockname", "1", &["ENOBUFS", "EBADF"]), LISTEN),
        (
            ("signalfd4", "1", &["EMFILE", "ENFILE", "ENODEV", "ENOMEM"]),
            WAITING,
        ),
        (("rt_sigprocmask", "1", &["EINVAL", "EPERM"]), WAITING),
        (("epoll_ctl", "3", &["ENOMEM", "ENOSPC", "EPERM"]), WAITING),
        ((WAIT, "1", &["EBADF", "EFAULT", "EINVAL"]), WAITING),
    ];
    if !can_inject("a server that cannot start") {
        return;
    }
    try_all(&cases(rows), |case| {
        let (mut command, log) = case.command(demo().args(["serve", "127.0.0.1:0"]));
        let output = common::run(&mut command);
        assert_ends(&output, 1, "epore: ");
        assert_told(&output.stderr, case.expected, &case.sentence());
        assert_injected(&log, &format!("{case:?}"));
    });
}

/// Asserts that it was said what could not be done, and of which call and errno.
#[track_caller]
fn assert_told(text: &[u8], doing: &str, sentence: &str) {
    let text = String::from_utf8_lossy(text);
    let told = text.starts_with(&format!("epore: {doing}: {sentence}"));
    assert!(told, "{text:?}, not {doing:?} and {sentence:?}");
}

/// Asserts that the program has ended with this code, and with a line that begins so.
#[track_caller]
fn assert_ends(output: &Output, code: i32, start: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    // No signal, and no panic.
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(stderr.starts_with(start), "{stderr:?}, not {start:?}");
    assert_eq!(stderr.lines().count(), usize::from(code > 0), "{stderr}");
}

// The server, while it serves.

/// What a fault may cost: of the four clients.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cost {
    Nothing,
    /// One connection is closed, without a word.
    Client,
    /// One is told that there is no timer.
    Unavailable,
    /// One of these, or nothing: the call is made for several reasons.
    Either,
}

#[test]
fn a_server_goes_on_serving_whatever_call_is_refused() {
    use Cost::*;
    let rows: &[(Fault, Cost)] = &[
        // Before it is a server. The last says whether it is the machine's first process.
        (("openat", "1", &["EACCES", "EMFILE", "ENOENT"]), Nothing),
        (("close", "1", &["EBADF", "EINTR", "EIO"]), Nothing),
        (("rt_sigaction", "1", &["EINVAL"]), Nothing),
        (("getpid", "1", &["EPERM"]), Nothing),
        ((WAIT, "1", &["EINTR"]), Nothing),
        ((WAIT, "2+2", &["EINTR"]), Nothing),
        (
            (
                "accept4",
                "1",
                &[
                    "EMFILE",
                    "ENFILE",
                    "ENOBUFS",
                    "ENOMEM",
                    "ECONNABORTED",
                    "EINTR",
                    "EAGAIN",
                    "EPROTO",
                    "EPERM",
                    "ENETDOWN",
                ],
            ),
            Nothing,
        ),
        (
            ("accept4", "2..4", &["EMFILE", "ECONNABORTED", "EINTR"]),
            Nothing,
        ),
        // The first three are the listener's, the clock's and the signals'.
        (("epoll_ctl", "4", &["ENOMEM", "ENOSPC", "EEXIST"]), Client),
        (("epoll_ctl", "5", &["ENOMEM", "ENOSPC"]), Either),
        (("epoll_ctl", "6", &["ENOMEM", "ENOSPC"]), Either),
        (
            ("timerfd_create", "2", &["EMFILE", "ENFILE", "ENOMEM"]),
            Unavailable,
        ),
        (("timerfd_settime", "1", &["EINVAL", "ECANCELED"]), Either),
        (("read", "1", &["EINTR", "EAGAIN"]), Nothing),
        (
            (
                "read",
                "1",
                &["ECONNRESET", "ETIMEDOUT", "EIO", "EHOSTUNREACH"],
            ),
            Client,
        ),
        (("read", "2..5", &["EINTR"]), Nothing),
        (("sendto", "1", &["EINTR", "EAGAIN"]), Nothing),
        (
            (
                "sendto",
                "1",
                &["ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM", "ETIMEDOUT"],
            ),
            Client,
        ),
        (("sendto", "2..4", &["EINTR"]), Nothing),
        (("shutdown", "1", &["ENOTCONN"]), Either),
        (("write", "1", &["EINTR", "EAGAIN"]), Nothing),
        (
            (
                "write",
                "2+",
                &["EIO", "EPIPE", "ENOSPC", "EBADF", "EINVAL"],
            ),
            Nothing,
        ),
        (("write", "2..4", &["EINTR", "EAGAIN"]), Nothing),
    ];
    if !can_inject("a server that goes on") {
        return;
    }
    try_all(&cases(rows), |case| {
        serve_in_spite_of(case, keep_to_one_processor)
    });
}

/// Asserts that the fault costs what it may, and that the server has everything back then.
fn serve_in_spite_of(case: &Case<Cost>, prepare: fn(&mut Command)) {
    let (server, log) = watched(|command| case.command(command), prepare);
    let what = format!("{case:?}");
    // With no client: the queue, the listener, the clock and the signals.
    let open = server.descriptors();
    let answers = ask_all(&server);
    let count = |text: &str| answers.iter().filter(|answer| *answer == text).count();
    let (served, closed, refused) = (count("hello"), count(""), count("503"));
    assert_eq!(
        served + closed + refused,
        answers.len(),
        "{what}: {answers:?}"
    );
    let cost = (closed, refused);
    let expected = match case.expected {
        Cost::Nothing => cost == (0, 0),
        Cost::Client => cost == (1, 0),
        Cost::Unavailable => cost == (0, 1),
        Cost::Either => closed + refused <= 1,
    };
    assert!(expected, "{what}: {answers:?}");
    assert_injected(&log, &what);
    server.assert_alive();
    server.wait_for_descriptors(open);
}

/// Where it runs on several processors, a server looks for more before it sleeps.
#[test]
fn a_server_that_looks_before_it_sleeps_goes_on_serving_too() {
    let rows: &[(Fault, Cost)] = &[
        (
            ("sched_getaffinity", "1", &["EINVAL", "EFAULT", "ENOSYS"]),
            Cost::Nothing,
        ),
        (("sched_yield", "1+", &["ENOSYS", "EPERM"]), Cost::Nothing),
        ((WAIT, "2..40", &["EINTR"]), Cost::Nothing),
        ((WAIT, "40+9", &["EINTR"]), Cost::Nothing),
    ];
    if !can_inject("a server that looks") || !has_company("a server that looks") {
        return;
    }
    try_all(&cases(rows), |case| serve_in_spite_of(case, |_| {}));
}

/// Whether servers have several processors here.
fn has_company(check: &str) -> bool {
    let several = thread::available_parallelism().is_ok_and(|it| it.get() > 1);
    if !several {
        left_out(check, "there is one processor");
    }
    several
}

#[test]
fn a_server_looks_before_it_sleeps_unless_it_is_alone_on_its_processor() {
    let check = "a server that looks before it sleeps";
    if !can_inject(check) || !has_company(check) {
        return;
    }
    for (prepare, looks) in [(keep_to_one_processor as fn(&mut Command), 0), (|_| {}, 64)] {
        let trace = format!("trace=sched_yield,{WAIT}");
        let (server, log) = watched(|command| under_strace(command, &["-e", &trace]), prepare);
        assert_eq!(answer(asking(&server)), "hello");
        let pid = server.pid();
        let asleep = wait_until(DEADLINE, || (process_state(pid)? == 'S').then_some(()));
        assert!(asleep.is_some(), "it never sleeps");
        server.end_by(SIGTERM);
        let text = fs::read_to_string(&log).expect("a log");
        let (mut found, mut slept) = (false, 0);
        let mut looked = 0;
        for line in text.lines() {
            if line.starts_with("sched_yield") {
                looked += 1;
            }
            if line.contains("256, -1") && found {
                assert_eq!(looked, looks, "{text}");
                slept += 1;
            }
            if line.contains("EPOLLIN") {
                (found, looked) = (true, 0);
            }
        }
        assert!(slept > 0, "{text}");
        let _ = fs::remove_file(&log);
    }
}

/// Which no kernel does: it closes the descriptor, and may tell of an error that came
/// before. So nothing is closed twice, which might be another's by then; and what stays
/// open, and registered, is not heeded.
#[test]
fn a_server_that_may_not_close_goes_on_and_does_not_insist() {
    /// For some thirty events.
    const MOST_WAITS: usize = 300;

    let errnos = &["EBADF", "EINTR", "EIO", "ENOSPC", "EDQUOT"];
    // The first is made before there is a server.
    let rows = ["2", "3", "4", "2+"].map(|when| (("close", when, &errnos[..]), ()));
    if !can_inject("a server that may not close") {
        return;
    }
    try_all(&cases(&rows), |case| {
        let inject = format!("inject=close:error={}:when={}", case.errno, case.when);
        let trace = format!("trace=close,{WAIT}");
        let options = ["-e", &trace, "-e", &inject];
        let (server, log) = watched(
            |command| under_strace(command, &options),
            keep_to_one_processor,
        );
        let what = format!("{case:?}");
        let open = server.descriptors();
        assert_eq!(ask_all(&server), ["hello"; 4], "{what}");
        let later = server.ask("GET /300/later HTTP/1.1\r\n\r\n");
        assert_eq!(later.text(), "later", "{what}");
        server.assert_alive();
        let lines = |part: &str| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            text.lines().filter(|line| line.contains(part)).count()
        };
        // Each of these is still open, and nothing else.
        let kept = wait_until(DEADLINE, || {
            let refused = lines("(INJECTED)");
            (server.descriptors() == open + refused).then_some(refused)
        });
        let kept = kept.unwrap_or_else(|| {
            let (now, refused) = (server.descriptors(), lines("(INJECTED)"));
            panic!("{what}: {open} descriptors, {now} after {refused} refusals")
        });
        // Six streams and three delays.
        let expected = if case.when.ends_with('+') { 9 } else { 1 };
        assert_eq!(kept, expected, "{what}");
        let waits = lines(WAIT);
        assert!(waits <= MOST_WAITS, "{what}: {waits} waits");
        let _ = fs::remove_file(&log);
    });
}

/// A pause that no clock would end.
#[test]
fn a_server_without_descriptors_and_without_a_clock_still_goes_on() {
    if !can_inject("a server without a clock") {
        return;
    }
    let accept = "inject=accept4:error=EMFILE:when=1..3";
    let clock = "inject=timerfd_settime:error=EINVAL:when=1..3";
    let trace = "trace=accept4,timerfd_settime";
    let options = ["-e", trace, "-e", accept, "-e", clock];
    let (server, log) = watched(|command| under_strace(command, &options), |_| {});
    assert_eq!(answer(asking(&server)), "hello");
    assert_injected(&log, "EMFILE and EINVAL");
    server.assert_alive();
}

fn asking(server: &Server) -> Client {
    let mut client = server.connect();
    client.send("GET /0/hello HTTP/1.1\r\n\r\n");
    client
}

/// Four clients at a time; what each was answered.
fn ask_all(server: &Server) -> Vec<String> {
    const REQUESTS: [&str; 4] = [
        "GET /20/hello HTTP/1.1\r\n\r\n",
        "GET /0/hello HTTP/1.1\r\n\r\n",
        "GET /50/hello HTTP/1.1\r\n\r\n",
        // What follows is not answered, but read before the end.
        "GET /0/hello HTTP/1.1\r\nConnection: close\r\n\r\nmore",
    ];
    let mut clients = REQUESTS.map(|_| server.connect());
    for (client, request) in clients.iter_mut().zip(REQUESTS) {
        client.send(request);
    }
    clients.into_iter().map(answer).collect()
}

/// What a client hears: the message, a refusal's status, or nothing but the end.
///
/// A call that says there is nothing while there is something lies as no kernel does,
/// and whoever listens for edges goes to sleep over it: until the next edge, which
/// comes when the client says a word more. One empty line means nothing.
fn answer(mut client: Client) -> String {
    let nudge = Some(Duration::from_millis(300));
    client.stream.set_read_timeout(nudge).expect("a socket");
    let mut text = Vec::new();
    let mut nudged = false;
    for _ in 0..60 {
        let mut piece = [0; 4096];
        match client.stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !nudged {
                    let _ = client.stream.write_all(b"\r\n");
                }
                nudged = true;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
        if text.ends_with(b"\r\n\r\nhello") {
            return "hello".into();
        }
    }
    let text = String::from_utf8_lossy(&text);
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3));
    match status {
        Some("503") => "503".into(),
        // Cut short, or wrong.
        _ => text.into_owned(),
    }
}

// The client.

#[derive(Clone, Copy, Debug)]
enum End {
    /// All five answers, and 0.
    Finished,
    /// So many answers, and 1.
    Failed,
    /// No connection can be made, which is told with the call.
    Cannot(&'static str),
    /// All went well, and not all of it could be told.
    Untold,
}

#[test]
fn a_client_gets_its_answers_or_says_which_call_was_refused() {
    const CONNECT: End = End::Cannot("cannot connect to ");
    const WAITING: End = End::Cannot("cannot wait for events");
    let rows: &[(Fault, End)] = &[
        (
            ("epoll_create1", "1", &["EMFILE", "ENFILE", "ENOMEM"]),
            WAITING,
        ),
        (
            (
                "socket",
                "1",
                &["EMFILE", "ENFILE", "ENOBUFS", "EAFNOSUPPORT"],
            ),
            CONNECT,
        ),
        (("socket", "4", &["EMFILE", "ENFILE"]), CONNECT),
        (
            (
                "connect",
                "1",
                &[
                    "ECONNREFUSED",
                    "ENETUNREACH",
                    "EACCES",
                    "EADDRNOTAVAIL",
                    "EPERM",
                ],
            ),
            CONNECT,
        ),
        (("connect", "5", &["ECONNREFUSED", "ETIMEDOUT"]), CONNECT),
        // They are not made, so this one never connects.
        (("connect", "2", &["EINTR", "EINPROGRESS"]), End::Failed),
        (("epoll_ctl", "1", &["ENOMEM", "ENOSPC"]), CONNECT),
        (("epoll_ctl", "5", &["ENOMEM", "ENOSPC"]), CONNECT),
        // The five are registered: this is the first to have sent its request.
        (("epoll_ctl", "6", &["ENOMEM", "EBADF"]), End::Failed),
        (("getsockopt", "1", &["ENOBUFS", "EBADF"]), CONNECT),
        ((WAIT, "1", &["EINTR"]), End::Finished),
        ((WAIT, "1..20", &["EINTR"]), End::Finished),
        ((WAIT, "2", &["EBADF", "EINVAL", "EFAULT"]), WAITING),
        (("sendto", "1", &["EINTR", "EAGAIN"]), End::Finished),
        (("sendto", "2..7", &["EINTR", "EAGAIN"]), End::Finished),
        (
            ("sendto", "1", &["ECONNRESET", "EPIPE", "ENOBUFS"]),
            End::Failed,
        ),
        (("read", "1", &["EINTR", "EAGAIN"]), End::Finished),
        (("read", "1..6", &["EINTR", "EAGAIN"]), End::Finished),
        (
            ("read", "1", &["ECONNRESET", "ETIMEDOUT", "EIO"]),
            End::Failed,
        ),
        (("write", "1", &["EINTR", "EAGAIN"]), End::Finished),
        (("write", "1..4", &["EINTR"]), End::Finished),
        (
            ("write", "1+", &["EIO", "EPIPE", "ENOSPC", "EBADF"]),
            End::Untold,
        ),
        (
            (
                "close",
                "1+",
                &["EBADF", "EINTR", "EIO", "ENOSPC", "EDQUOT"],
            ),
            End::Finished,
        ),
        (("close", "2..4", &["EINTR", "EIO"]), End::Finished),
        (("clock_gettime", "1", &["EINVAL", "EPERM"]), End::Finished),
        (("clock_gettime", "1+", &["EINVAL", "EPERM"]), End::Finished),
    ];
    if !can_inject("a client that is refused calls") {
        return;
    }
    let address = answering();
    try_all(&cases(rows), |case| {
        let (mut command, log) = case.command(demo().args(["get", &address.to_string()]));
        let output = common::run(&mut command);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let answers = stdout.matches("  200 OK  hi\n").count();
        let what = format!("{case:?}: {output:?}");
        match case.expected {
            End::Finished => {
                assert_ends(&output, 0, "");
                assert_eq!(answers, 5, "{what}");
                assert!(stdout.ends_with("FINISHED\n"), "{what}");
            }
            End::Untold => assert_ends(&output, 0, ""),
            End::Failed => {
                assert_ends(&output, 1, "epore: 1 of 5 requests failed\n");
                assert_eq!(answers, 4, "{what}");
                assert!(!stdout.contains("FINISHED"), "{what}");
                // What is handed on is told; what is not leads to another end.
                let told = stdout.contains(&case.sentence());
                let kept = ["connect", "sendto"].contains(&case.call);
                assert!(kept || told, "{what}");
            }
            End::Cannot(doing) => {
                let address = if doing.ends_with(' ') {
                    address.to_string()
                } else {
                    String::new()
                };
                assert_ends(&output, 1, "epore: ");
                let doing = format!("{doing}{address}");
                assert_told(&output.stderr, &doing, &case.sentence());
                assert!(!stdout.contains("FINISHED"), "{what}");
            }
        }
        assert_injected(&log, &what);
    });
}

/// A server that answers every request at once, and lets those go that ask nothing.
fn answering() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(|| {
                let _ = answer_one(stream.expect("a client"));
            });
        }
    });
    address
}

fn answer_one(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
}

// Any errno, at any call.

/// A call of a program, by its name and its number among those of the name.
#[derive(Clone, Debug)]
struct Anywhere {
    call: String,
    number: usize,
    errno: i32,
}

impl Anywhere {
    /// For each call in the log of a healthy program some errnos, whether its man page
    /// lists them or not: others at each. With `EPORE_FAULTS=all`, all that there are.
    fn of(log: &Path) -> Vec<Self> {
        const LAST: usize = 133;

        let text = fs::read_to_string(log).expect("a log");
        let _ = fs::remove_file(log);
        let all = env::var_os("EPORE_FAULTS").is_some_and(|which| which == "all");
        let step = if all { 1 } else { LAST / 3 };
        let mut numbers = BTreeMap::new();
        let mut faults = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let call = line.split('(').next().unwrap_or_default();
            // The first makes the program, and the last unmakes it. Others are signals.
            if ["execve", "exit_group"].contains(&call) || call.contains(' ') {
                continue;
            }
            let number = numbers.entry(call).or_insert(0);
            *number += 1;
            faults.extend(
                (1..=LAST)
                    .skip(at * 7 % step)
                    .step_by(step)
                    .map(|errno| Self {
                        call: call.to_owned(),
                        number: *number,
                        errno: errno as i32,
                    }),
            );
        }
        assert!(numbers.len() > 10, "{text}");
        faults
    }

    fn command(&self, command: &Command) -> (Command, PathBuf) {
        let (call, number, errno) = (&self.call, self.number, self.errno);
        let inject = format!("inject={call}:error={errno}:when={number}");
        under_strace(command, &["-e", &format!("trace={call}"), "-e", &inject])
    }

    /// Asserts that the program has said what it could not do, with the call and the
    /// errno.
    fn assert_is_why(&self, output: &Output) {
        assert_ends(output, 1, "epore: cannot ");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let errno = Errno::new(self.errno);
        let name = errno.name().unwrap_or("?");
        let told = [format!("{name} ("), format!("errno {}", self.errno)];
        let told = told.map(|errno| format!(": {}: {errno}", self.call));
        assert!(
            told.iter().any(|it| stderr.contains(it)),
            "{self:?}: {stderr}"
        );
    }
}

#[test]
fn no_errno_of_any_call_costs_the_server_more_than_a_client() {
    if !can_inject("any errno in the server") {
        return;
    }
    let under = |command: &mut Command, (mut strace, log): (Command, PathBuf)| {
        keep_to_one_processor(&mut strace);
        *command = strace;
        command.stderr(Stdio::piped());
        log
    };
    let mut log = PathBuf::new();
    let healthy = Server::start_at("127.0.0.1:0", |command| {
        let strace = under_strace(command, &[]);
        log = under(command, strace);
    });
    assert_eq!(ask_all(&healthy), ["hello"; 4]);
    drop(healthy);
    let mut faults = Anywhere::of(&log);
    // Where it listens cannot be known otherwise; and what ends it is told above.
    faults.retain(|fault| (&*fault.call, fault.number) != ("write", 1));
    faults.retain(|fault| fault.call != WAIT || fault.errno == Errno::EINTR.into_raw());

    let (injected, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    try_all(&faults, |fault| {
        let mut log = PathBuf::new();
        let started = Server::try_start_at("127.0.0.1:0", |command| {
            let strace = fault.command(command);
            log = under(command, strace);
        });
        let server = match started {
            Ok(server) => server,
            Err(child) => {
                fault.assert_is_why(&common::finish(child));
                ended.fetch_add(1, Ordering::Relaxed);
                let _ = fs::remove_file(&log);
                return;
            }
        };
        let open = server.descriptors();
        let mut answers = ask_all(&server);
        // Whoever comes after them is served, or else is the one.
        answers.push(answer(asking(&server)));
        let served = answers.iter().filter(|it| *it == "hello").count();
        let whole = answers
            .iter()
            .all(|it| ["hello", "503", ""].contains(&&**it));
        assert!(whole && served >= 4, "{fault:?}: {answers:?}");
        let mut was_injected = false;
        let back = wait_until(DEADLINE, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            was_injected = text.contains("(INJECTED)");
            // The first was there when they were counted.
            let kept = was_injected && fault.call == "close" && fault.number > 1;
            (server.descriptors() == open + usize::from(kept)).then_some(())
        });
        assert!(
            back.is_some(),
            "{fault:?}: {open}, now {}",
            server.descriptors()
        );
        injected.fetch_add(usize::from(was_injected), Ordering::Relaxed);
        let _ = fs::remove_file(&log);
    });
    // Of the last calls there are more at times, and fewer.
    let came = injected.into_inner() + ended.into_inner();
    assert!(came * 10 > faults.len() * 9, "{came} of {}", faults.len());
}

#[test]
fn whatever_the_errno_of_any_call_a_client_ends_in_good_order() {
    if !can_inject("any errno in the client") {
        return;
    }
    let address = answering().to_string();
    let get = || {
        let mut command = demo();
        command.args(["get", &address]);
        command
    };
    let (mut healthy, log) = under_strace(&get(), &[]);
    assert_ends(&common::run(&mut healthy), 0, "");
    try_all(&Anywhere::of(&log), |fault| {
        let (mut command, log) = fault.command(&get());
        let output = common::run(&mut command);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let answers = stdout.matches("  200 OK  hi\n").count();
        if output.status.success() {
            assert_ends(&output, 0, "");
            let all = answers == 5 && stdout.ends_with("FINISHED\n");
            assert!(all || fault.call == "write", "{fault:?}: {stdout}");
        } else if output.stderr.starts_with(b"epore: cannot ") {
            fault.assert_is_why(&output);
        } else {
            assert_ends(&output, 1, "epore: 1 of 5 requests failed\n");
            assert_eq!(answers, 4, "{fault:?}: {stdout}");
        }
        let _ = fs::remove_file(&log);
    });
}

// Both in one program: five seconds each.

#[test]
fn the_demonstration_survives_what_can_be_made_good() {
    let rows: &[(Fault, End)] = &[
        ((WAIT, "2+3", &["EINTR"]), End::Finished),
        (
            ("accept4", "1..3", &["ECONNABORTED", "EMFILE", "EINTR"]),
            End::Finished,
        ),
        (("timerfd_create", "3", &["EMFILE"]), End::Failed),
        (("write", "3+2", &["EAGAIN"]), End::Finished),
    ];
    if !can_inject("a demonstration that is refused calls") {
        return;
    }
    try_all(&cases(rows), |case| {
        let (mut command, log) = case.command(&demo());
        let output = common::run(&mut command);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let answers = stdout.matches("  200 OK  request-").count();
        match case.expected {
            End::Failed => {
                assert_ends(&output, 1, "epore: 1 of 5 requests failed\n");
                assert_eq!(answers, 4, "{stdout}");
                assert!(stdout.contains("503 Service Unavailable"), "{stdout}");
            }
            _ => {
                assert_ends(&output, 0, "");
                assert_eq!(answers, 5, "{stdout}");
                assert!(stdout.ends_with("FINISHED\n"), "{stdout}");
            }
        }
        assert_injected(&log, &format!("{case:?}"));
    });
}
