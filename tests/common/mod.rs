//! Builds the libc-free programs, starts them, and never waits for ever.
#![allow(dead_code)]

pub mod fault;
pub mod kernel;
pub mod path;
pub mod queue;
pub mod server;
pub mod source;
pub mod storm;
pub mod tcp;

use std::env;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::ptr;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use syscalls::{Errno, Sysno, syscall};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Long enough for a slow emulator on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Building shares the processor with the other tests, and waits for their builds.
const BUILD_DEADLINE: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
pub enum Profile {
    Dev,
    Release,
}

/// The profile that the tests themselves are built in.
pub const PROFILE: Profile = if cfg!(debug_assertions) {
    Profile::Dev
} else {
    Profile::Release
};

/// The libc-free demo, to be given arguments and started.
///
/// It is built here, once, for this test's target and in its profile; or else it
/// is the executable that the environment variable `EPORE_DEMO` names.
pub fn demo() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    through_runner(PATH.get_or_init(|| {
        prebuilt_demo()
            .or_else(|| build_demo(PROFILE))
            .expect("without cargo, EPORE_DEMO must name the executable")
    }))
}

/// What the demo prints when it runs without arguments, which takes 5 s, and how long it
/// took: one run for all tests of a program.
pub fn demonstration() -> &'static (Output, Duration) {
    static RUN: OnceLock<(Output, Duration)> = OnceLock::new();
    RUN.get_or_init(|| {
        let mut demo = demo();
        let started = Instant::now();
        let output = run(&mut demo);
        (output, started.elapsed())
    })
}

/// The demo that was brought along to where there is no cargo.
pub fn prebuilt_demo() -> Option<PathBuf> {
    env::var_os("EPORE_DEMO").map(PathBuf::from)
}

/// Builds the demo as `cargo run` would. `None`: there is no cargo.
pub fn build_demo(profile: Profile) -> Option<PathBuf> {
    build_program("epore", profile)
}

/// Builds the demo or a program of `tests/programs`. `None`: there is no cargo.
pub fn build_program(name: &str, profile: Profile) -> Option<PathBuf> {
    let manifest = match name {
        "epore" => "Cargo.toml",
        _ => "tests/programs/Cargo.toml",
    };
    let path = build(manifest, profile, &[])?.join(name);
    path.exists().then_some(path)
}

/// Builds the demo as a hosted program. `None`: there is no cargo.
pub fn build_hosted_demo(profile: Profile) -> Option<PathBuf> {
    build("Cargo.toml", profile, &["--features", "std"]).map(|directory| directory.join("epore"))
}

/// Builds the programs of `tests/rt`, with `std` or without. `None`: there is no cargo.
pub fn build_runtime_programs(profile: Profile, hosted: bool) -> Option<PathBuf> {
    let features: &[&str] = if hosted { &["--features", "std"] } else { &[] };
    build("tests/rt/Cargo.toml", profile, features)
}

/// The directory of the executables. Where there is no cargo, it may have been brought
/// along: to the place where cargo would have made it.
fn build(manifest: &str, profile: Profile, features: &[&str]) -> Option<PathBuf> {
    let world = if features.is_empty() {
        "bare"
    } else {
        "hosted"
    };
    let (profile_name, directory) = match profile {
        Profile::Dev => ("dev", "debug"),
        Profile::Release => ("release", "release"),
    };
    let executables = target_dir(world).join(target()).join(directory);
    let Some(mut command) = cargo("build", manifest, world) else {
        return executables.exists().then_some(executables);
    };
    command
        .args(["--bins", "--profile", profile_name])
        .args(features);
    let output = run_cargo(&mut command);
    assert!(output.status.success(), "{command:?}: {output:#?}");
    Some(executables)
}

/// Where cargo works on what is named `world`.
pub fn target_dir(world: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(world)
}

/// Cargo at work on the package of `manifest`, for this test's target and in the
/// target directory named `world`. `None`: there is no cargo.
///
/// Cargo's own lock on the target directory makes concurrent test programs wait for
/// each other, and the second finds the work done.
pub fn cargo(verb: &str, manifest: &str, world: &str) -> Option<Command> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let manifest = Path::new(PACKAGE).join(manifest);
    if !Path::new(&cargo).exists() || !manifest.exists() {
        return None;
    }
    let mut command = Command::new(cargo);
    command
        .args([verb, "--locked", "--target", &target()])
        .arg("--target-dir")
        .arg(target_dir(world))
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_TERM_COLOR", "never")
        // They are built once: what would make a second time quicker takes 150 MB.
        .env("CARGO_INCREMENTAL", "0")
        // Flags for the test program, such as coverage, are not for these.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Some(command)
}

/// Runs cargo to its end, with its output collected.
pub fn run_cargo(command: &mut Command) -> Output {
    finish_within(BUILD_DEADLINE, start(command))
}

/// The target of this test, and so of the programs it starts.
fn target() -> String {
    let environment = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "gnu"
    };
    format!("{}-unknown-linux-{environment}", env::consts::ARCH)
}

/// `program`, started as cargo starts this test: by the target's runner, if it has one.
pub fn through_runner(program: &Path) -> Command {
    let mut words: Vec<String> = runner().split_whitespace().map(String::from).collect();
    words.push(program.to_str().expect("a path in UTF-8").to_owned());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn runner() -> String {
    let target = target().to_uppercase().replace('-', "_");
    env::var(format!("CARGO_TARGET_{target}_RUNNER")).unwrap_or_default()
}

/// Whether the demo runs in an emulator: slower, and in another program's memory.
pub fn is_emulated() -> bool {
    !runner().is_empty()
}

/// Says on the terminal, past libtest's capture, that a check was left out. In one
/// piece, or a line of libtest's might come in between.
pub fn left_out(check: &str, why: impl Display) {
    let line = format!("LEFT OUT: {check}: {why}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Runs `command` to its end, with no input and its output collected.
pub fn run(command: &mut Command) -> Output {
    finish(start(command.stdin(Stdio::null())))
}

fn start(command: &mut Command) -> Child {
    try_start(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn try_start(command: &mut Command) -> io::Result<Child> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Has `command` start with `descriptor` closed.
pub fn close_at_start(command: &mut Command, descriptor: i32) {
    let close = move || {
        // SAFETY: no memory; nothing before exec uses the descriptor.
        let _ = unsafe { syscall!(Sysno::close, descriptor) };
        Ok(())
    };
    // SAFETY: `close` is one system call, which may stand between fork and exec.
    unsafe { command.pre_exec(close) };
}

/// Has `command` start with room for so many descriptors.
pub fn limit_descriptors(command: &mut Command, most: u64) {
    let limit = move || match descriptor_limit(Some([most, most])) {
        Ok(_) => Ok(()),
        Err(errno) => Err(io::Error::from_raw_os_error(errno.into_raw())),
    };
    // SAFETY: `limit` is one system call, which may stand between fork and exec.
    unsafe { command.pre_exec(limit) };
}

/// Has `command` run on one processor: there, a server that has nothing to do sleeps at
/// once, so it always makes the same calls.
pub fn keep_to_one_processor(command: &mut Command) {
    let keep = || {
        kernel::stay_on_one_processor();
        Ok(())
    };
    // SAFETY: `keep` is two system calls, which may stand between fork and exec.
    unsafe { command.pre_exec(keep) };
}

/// Lets this process have as many descriptors as it may, and says how many.
pub fn raise_descriptor_limit() -> u64 {
    let [_, hard] = descriptor_limit(None).expect("a limit");
    limit_own_descriptors(hard);
    hard
}

/// Whether the test that calls this cannot have so many descriptors beside those of the
/// others that run meanwhile. It says so, if not.
pub fn lacks_descriptors(needed: u64) -> bool {
    let [soft, hard] = descriptor_limit(None).expect("a limit");
    // Whoever may have more takes more: the usual soft limit is 1,024.
    let may = if soft < needed && hard > soft {
        raise_descriptor_limit()
    } else {
        soft
    };
    if may < needed {
        let test = thread::current();
        let test = test.name().unwrap_or("a test");
        left_out(
            test,
            format!("it takes {needed} descriptors, and {may} are allowed"),
        );
    }
    may < needed
}

/// No descriptor of this number or above can be opened any more, but if this is called
/// again. For a process that is [`alone`](kernel::alone).
pub fn limit_own_descriptors(soft: u64) {
    let [_, hard] = descriptor_limit(None).expect("a limit");
    descriptor_limit(Some([soft, hard])).expect("a limit within the hard one");
}

/// The limit on descriptors of this process, soft and hard, before it is set anew.
fn descriptor_limit(new: Option<[u64; 2]>) -> Result<[u64; 2], Errno> {
    const RLIMIT_NOFILE: usize = 7;
    const MYSELF: usize = 0;

    let mut old = [0u64; 2];
    let new = new.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the kernel reads the two words of `new`, if it is not null, and writes
    // those of `old`, during the call only.
    unsafe { syscall!(Sysno::prlimit64, MYSELF, RLIMIT_NOFILE, new, &raw mut old) }?;
    Ok(old)
}

/// Waits for the end of `child`, collecting of its output what is piped. One that
/// is still running at the deadline is killed, and its output reported.
pub fn finish(child: Child) -> Output {
    finish_within(DEADLINE, child)
}

fn finish_within(limit: Duration, mut child: Child) -> Output {
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let ended = wait_until(limit, || child.try_wait().expect("a child of ours"));
    if ended.is_none() {
        child.kill().expect("a child of ours");
    }
    let output = Output {
        status: child.wait().expect("a child of ours"),
        stdout: stdout.join().expect("the collecting thread"),
        stderr: stderr.join().expect("the collecting thread"),
    };
    assert!(ended.is_some(), "killed after {limit:?}: {output:#?}");
    output
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe of ours");
        }
        bytes
    })
}

/// Asks again and again until there is an answer. `None`: there was none in time.
pub fn wait_until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(1));
    }
}
