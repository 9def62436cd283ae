//! The demo's runtime, through the programs of `tests/rt`.

use crate::common;

use common::Profile;
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

/// `program` without `std`, in both profiles. None, and said so, without cargo.
fn bare(program: &str) -> Vec<Command> {
    builds(program, &[(Profile::Dev, false), (Profile::Release, false)])
}

/// `program` without `std`, in both profiles, and with: they are to be alike.
fn bare_and_hosted(program: &str) -> Vec<Command> {
    builds(
        program,
        &[
            (Profile::Dev, false),
            (Profile::Release, false),
            (Profile::Dev, true),
        ],
    )
}

fn builds(program: &str, ways: &[(Profile, bool)]) -> Vec<Command> {
    let built: Vec<Command> = ways
        .iter()
        .filter_map(|&(profile, hosted)| common::build_runtime_programs(profile, hosted))
        .map(|directory| common::through_runner(&directory.join(program)))
        .collect();
    if built.is_empty() {
        let test = thread::current();
        common::left_out(test.name().unwrap_or("?"), "no cargo to build with");
    }
    built
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn arguments_come_in_order_and_their_number_goes_out() {
    for mut program in bare_and_hosted("arguments") {
        let output = common::run(program.args(["one", "", "two words", "\u{e9}"]));
        assert_eq!(text(&output.stdout), "one\n\ntwo words\n\u{e9}\n");
        assert_eq!(output.status.code(), Some(4));
    }
}

#[test]
fn an_argument_that_is_not_utf_8_matches_nothing() {
    for mut program in bare_and_hosted("arguments") {
        let output = common::run(program.arg(OsStr::from_bytes(b"a\xff")).arg("b"));
        assert_eq!(text(&output.stdout), "\u{fffd}\nb\n");
    }
}

#[test]
fn no_arguments_and_no_environment_are_enough() {
    for mut program in bare_and_hosted("arguments") {
        let output = common::run(program.env_clear());
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
    }
}

/// A thousand arguments, and what the program makes of them: longer than its buffer, and
/// of lengths that end anywhere in it.
fn thousand() -> (Vec<String>, String) {
    let arguments: Vec<String> = (0..1_000)
        .map(|n| "x".repeat(n % 97) + &n.to_string())
        .collect();
    let lines = arguments
        .iter()
        .flat_map(|argument| [argument, "\n"])
        .collect();
    (arguments, lines)
}

#[test]
fn a_thousand_arguments_come_out_whole() {
    let (arguments, lines) = thousand();
    for mut program in bare_and_hosted("arguments") {
        let output = common::run(program.args(&arguments));
        assert_eq!(text(&output.stdout), lines);
        assert_eq!(output.status.code(), Some(1_000 % 256));
    }
}

/// A stream that takes no more and says so instead of blocking, its other end, and
/// how many bytes stand between the two.
fn brimful() -> (OwnedFd, UnixStream, usize) {
    let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
    far.set_nonblocking(true).expect("a socket of ours");
    let mut bytes = 0;
    loop {
        match far.write(&[b'.'; 64]) {
            Ok(written) => bytes += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    (far.into(), near, bytes)
}

/// Waits for `child` to sleep in a system call, and fails if it ends instead.
fn wait_for_sleep(child: &mut Child) {
    let stat = format!("/proc/{}/stat", child.id());
    common::wait_until(Duration::from_secs(60), || {
        let ended = child.try_wait().expect("a child of ours");
        assert_eq!(ended, None, "ended instead of waiting");
        let stat = fs::read_to_string(&stat).expect("proc");
        let (_, state) = stat.rsplit_once(") ").expect("a state");
        state.starts_with('S').then_some(())
    })
    .expect("asleep");
}

#[test]
fn a_full_stream_that_does_not_block_is_waited_for() {
    let (arguments, lines) = thousand();
    for mut program in bare_and_hosted("arguments") {
        let (stdout, mut reader, filler) = brimful();
        let mut child = program
            .args(&arguments)
            .stdout(stdout)
            .spawn()
            .expect("a child");
        drop(program); // and with it our copy of the stream
        wait_for_sleep(&mut child);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("a socket of ours");
        assert_eq!(text(&all[filler..]), lines);
        assert_eq!(common::finish(child).status.code(), Some(1_000 % 256));
    }
}

#[test]
fn a_reader_that_leaves_is_no_reason_to_die() {
    for mut program in bare_and_hosted("arguments") {
        let (reader, stdout) = UnixStream::pair().expect("a pair of sockets");
        drop(reader);
        let child = program.arg("heard?").stdout(OwnedFd::from(stdout)).spawn();
        let output = common::finish(child.expect("a child"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}

#[test]
fn a_descriptor_that_came_closed_is_not_handed_out_again() {
    for mut program in bare_and_hosted("arguments") {
        let (stdout, reader, _) = brimful();
        common::close_at_start(&mut program, 0);
        let mut child = program.arg("x").stdout(stdout).spawn().expect("a child");
        drop(program);
        wait_for_sleep(&mut child);
        let first = fs::read_link(format!("/proc/{}/fd/0", child.id()));
        drop(reader);
        common::finish(child);
        assert!(first.is_ok(), "the next open gets 0");
    }
}

#[test]
fn a_panic_says_where_and_what_and_ends_with_101() {
    for mut panics in bare("panics") {
        let output = common::run(&mut panics);
        let message = text(&output.stderr);
        assert_eq!(
            message,
            "panicked at panics.rs:29:5:\nof 0 arguments, none\n"
        );
        assert_eq!(output.status.code(), Some(101));
    }
}

#[test]
fn a_panic_in_the_message_of_a_panic_ends_with_101() {
    for mut panics in bare("panics") {
        let output = common::run(panics.arg("twice"));
        assert_eq!(text(&output.stderr), "panicked while panicking\n");
        assert_eq!(output.status.code(), Some(101));
    }
}

/// In the release profile alone: it is where the optimiser could do mischief, and
/// without it the comparing loops take long.
#[test]
fn the_memory_functions_do_what_their_names_say() {
    for mut memory in builds("memory", &[(Profile::Release, false)]) {
        let output = common::run(&mut memory);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

#[test]
fn a_queue_with_a_heap_needs_no_libc_for_its_wakers() {
    for mut wakes in bare_and_hosted("wakes") {
        let output = common::run(&mut wakes);
        let expected = "before: []\nwoken: [7]\nwoken: [7]\nafter: []\nlent: [7]\ndropped: []\n";
        assert_eq!(text(&output.stdout), expected);
        assert_eq!(output.status.code(), Some(0));
    }
}
