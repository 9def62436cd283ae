//! What tests ask of the kernel beyond the library: signals, filters, limits,
//! pipes, and a process of their own.

use epore::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::any;
use std::arch::global_asm;
use std::env;
use std::ffi::CStr;
use std::fs;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use syscalls::{Errno, Sysno, syscall};

pub const SIGKILL: i32 = 9;
pub const SIGUSR1: i32 = 10;
pub const SIGPIPE: i32 = 13;
pub const SIGALRM: i32 = 14;
pub const SIGTERM: i32 = 15;
pub const SIGCONT: i32 = 18;
pub const SIGSTOP: i32 = 19;

const O_NONBLOCK: usize = 0o4000;
const O_CLOEXEC: usize = 0o2000000;

/// What `epoll_pwait2` returns where it is missing or refused by a filter: any errno that is
/// not the wait's own. `EINVAL` is also that of an empty buffer.
pub const PWAIT2_REFUSALS: &[Errno] = &[
    Errno::ENOSYS,
    Errno::EPERM,
    Errno::EACCES,
    Errno::EINVAL,
    Errno::EOPNOTSUPP,
    Errno::EUCLEAN,
];

/// In the environment of a process that runs a single test.
const ALONE: &str = "EPORE_TEST_ALONE";

/// Whether this process was started for the sake of one test.
pub fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}

/// Runs `test`, the closure in a test function, in a process of its own: no other
/// test opens descriptors there, and limits and signals are its own.
pub fn alone<F: FnOnce()>(test: F) {
    if is_alone() {
        return test();
    }
    assert_passed(super::run(&mut again::<F>()));
}

/// As [`alone`], and asserts that the signal ends the process.
pub fn ends_by<F: FnOnce()>(signal: i32, test: F) {
    if is_alone() {
        return test();
    }
    let output = super::run(&mut again::<F>());
    assert_eq!(output.status.signal(), Some(signal), "{output:?}");
}

/// As [`alone`], and in a network of its own, where a loopback is all there is, and
/// where [`PORTS`] are the ports that connections can go out from. It is left out where
/// that is not allowed.
pub fn alone_with_few_ports<F: FnOnce()>(check: &str, test: F) {
    if is_alone() {
        return test();
    }
    let mut command = again::<F>();
    let enter = || match enter_a_network_with_few_ports() {
        Ok(()) => Ok(()),
        Err(errno) => Err(io::Error::from_raw_os_error(errno.into_raw())),
    };
    // SAFETY: `enter` is system calls alone, which may stand between fork and exec.
    unsafe { command.pre_exec(enter) };
    command.stdin(Stdio::null());
    match super::try_start(&mut command) {
        Ok(child) => assert_passed(super::finish(child)),
        Err(why) => super::left_out(check, format!("no network of one's own: {why}")),
    }
}

/// The ports of a network with few.
pub const PORTS: RangeInclusive<u16> = 40_000..=40_015;

fn enter_a_network_with_few_ports() -> Result<(), Errno> {
    const CLONE_NEWUSER: usize = 0x1000_0000;
    const CLONE_NEWNET: usize = 0x4000_0000;
    const RANGE: &CStr = c"/proc/sys/net/ipv4/ip_local_port_range";
    const PORTS_AS_TEXT: &[u8] = b"40000 40015";
    const AT_FDCWD: i32 = -100;
    const O_WRONLY: usize = 1;
    const AF_INET: usize = 2;
    const SOCK_DGRAM: usize = 2;
    const SIOCSIFFLAGS: usize = 0x8914;
    const IFF_UP: u16 = 1;

    #[repr(C)]
    struct Ifreq {
        name: [u8; 16],
        flags: u16,
        unused: [u8; 22],
    }

    // A user may not have a network of his own, but be root of his own and then have one.
    // SAFETY: no memory.
    if unsafe { syscall!(Sysno::unshare, CLONE_NEWNET) }.is_err() {
        // SAFETY: no memory.
        unsafe { syscall!(Sysno::unshare, CLONE_NEWUSER | CLONE_NEWNET) }?;
    }
    let mut loopback = Ifreq {
        name: [0; 16],
        flags: IFF_UP,
        unused: [0; 22],
    };
    loopback.name[..2].copy_from_slice(b"lo");
    // SAFETY: no memory.
    let socket = unsafe { syscall!(Sysno::socket, AF_INET, SOCK_DGRAM | O_CLOEXEC, 0) }?;
    // SAFETY: the kernel reads the 40 bytes of `loopback`.
    unsafe { syscall!(Sysno::ioctl, socket, SIOCSIFFLAGS, &raw const loopback) }?;
    // SAFETY: the kernel reads the path, which ends with a zero byte.
    let range = unsafe {
        let flags = O_WRONLY | O_CLOEXEC;
        syscall!(Sysno::openat, AT_FDCWD, RANGE.as_ptr(), flags, 0)
    }?;
    let (text, len) = (PORTS_AS_TEXT.as_ptr(), PORTS_AS_TEXT.len());
    // SAFETY: the kernel reads the text.
    unsafe { syscall!(Sysno::write, range, text, len) }?;
    Ok(())
}

/// Asserts that the process has run one test, which has passed.
fn assert_passed(output: Output) {
    let _ = io::stderr().write_all(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{}: {stdout}",
        output.status
    );
}

/// This program, to run the one test in which the closure `F` stands.
pub fn again<F>() -> Command {
    let path = any::type_name::<F>();
    let test = path.trim_end_matches("::{{closure}}");
    let (_crate, test) = test.split_once("::").expect("a test in a crate");
    let mut command = super::through_runner(&env::current_exe().expect("this program"));
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1");
    command
}

/// This program, to run the one test in which the closure stands.
pub fn again_at<F>(_role: &F) -> Command {
    again::<F>()
}

pub fn thread_id() -> i32 {
    // SAFETY: the call takes no argument.
    unsafe { syscall!(Sysno::gettid) }.expect("a thread has an id") as i32
}

/// Keeps this thread, and those it starts, to one processor: threads that only ever
/// wait for each other are several times as fast there.
pub fn stay_on_one_processor() {
    let mut processor = 0u32;
    // SAFETY: the kernel writes the number to `processor`.
    let known = unsafe { syscall!(Sysno::getcpu, &raw mut processor, 0, 0) };
    let mut mask = [0u64; 16];
    if let (Ok(_), Some(word)) = (known, mask.get_mut(processor as usize / 64)) {
        *word = 1 << (processor % 64);
        let (size, mask) = (size_of_val(&mask), mask.as_ptr());
        // SAFETY: the kernel reads the words of `mask`.
        let _ = unsafe { syscall!(Sysno::sched_setaffinity, 0, size, mask) };
    }
}

/// What a thread of this process does: `S` sleeps in the kernel, `R` runs.
pub fn thread_state(id: i32) -> Option<char> {
    state(&format!("/proc/self/task/{id}/stat"))
}

/// What another process does: `T` is stopped.
pub fn process_state(id: u32) -> Option<char> {
    state(&format!("/proc/{id}/stat"))
}

fn state(path: &str) -> Option<char> {
    let stat = fs::read_to_string(path).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A pipe, both ends non-blocking: where to read, where to write.
pub fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0i32; 2];
    let flags = O_NONBLOCK | O_CLOEXEC;
    // SAFETY: the kernel writes two integers into `ends`.
    unsafe { syscall!(Sysno::pipe2, ends.as_mut_ptr(), flags) }.expect("a pipe");
    // SAFETY: the kernel has just opened it, for us alone.
    let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (read, write)
}

/// The process's own descriptors; the one that lists them is always among them.
pub fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc").count()
}

pub fn is_closed_on_exec(source: &impl AsFd) -> bool {
    const F_GETFD: usize = 1;
    fcntl(source, F_GETFD) & 1 != 0
}

pub fn is_nonblocking(source: &impl AsFd) -> bool {
    const F_GETFL: usize = 3;
    fcntl(source, F_GETFL) & O_NONBLOCK != 0
}

fn fcntl(source: &impl AsFd, command: usize) -> usize {
    // SAFETY: neither command takes an argument.
    unsafe { syscall!(Sysno::fcntl, source.as_fd().as_raw_fd(), command) }.expect("an open file")
}

/// How many signals the handler has seen, in this process.
pub static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: i32) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

#[repr(C)]
struct Sigaction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

// Where a handler returns to. On x86_64 every program brings its own; on aarch64
// the kernel has one.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".local epore_test_restorer",
    "epore_test_restorer:",
    "mov eax, 15", // rt_sigreturn
    "syscall",
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".local epore_test_restorer",
    "epore_test_restorer:",
    "mov x8, #139", // rt_sigreturn
    "svc #0",
);

unsafe extern "C" {
    fn epore_test_restorer();
}

/// Counts `signal` in [`SIGNALS`], and asks that interrupted calls be restarted:
/// a wait never is.
pub fn count_signal(signal: i32) {
    set_action(signal, count as extern "C" fn(i32) as usize);
}

/// Interrupts the calling thread a thousand times a second with a signal that
/// [`count_signal`] counts, as long as the process lives.
pub fn start_storm(signal: i32) {
    #[repr(C)]
    struct Sigevent {
        value: u64,
        signal: i32,
        notify: i32,
        thread: i32,
        unused: [i32; 11],
    }
    const CLOCK_MONOTONIC: usize = 1;
    const SIGEV_THREAD_ID: i32 = 4;
    const MILLISECOND: i64 = 1_000_000;

    let event = Sigevent {
        value: 0,
        signal,
        notify: SIGEV_THREAD_ID,
        thread: thread_id(),
        unused: [0; 11],
    };
    let (event, mut timer) = (&raw const event, 0i32);
    let id = &raw mut timer;
    // SAFETY: the kernel reads `event` and writes the number of the timer.
    unsafe { syscall!(Sysno::timer_create, CLOCK_MONOTONIC, event, id) }.expect("a timer");
    let setting = [0, MILLISECOND, 0, MILLISECOND];
    // SAFETY: the kernel reads the four words, the period and the first time.
    unsafe { syscall!(Sysno::timer_settime, timer, 0, setting.as_ptr(), 0) }.expect("a period");
}

/// Undoes the handler, and what the standard library does about `SIGPIPE`.
pub fn default_action(signal: i32) {
    set_action(signal, 0);
}

/// Has `command` start with the default action of the signals that end programs, also
/// where `nohup` or a shell's `&` has had this program ignore them.
pub fn reset_signals_at_start(command: &mut Command) {
    const SIGHUP: i32 = 1;
    const SIGINT: i32 = 2;
    const SIGQUIT: i32 = 3;

    let reset = || {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            set_action(signal, 0);
        }
        Ok(())
    };
    // SAFETY: `reset` is system calls alone, which may stand between fork and exec.
    unsafe { command.pre_exec(reset) };
}

fn set_action(signal: i32, handler: usize) {
    const SA_RESTORER: u64 = 0x0400_0000;
    const SA_RESTART: u64 = 0x1000_0000;
    let action = Sigaction {
        handler,
        flags: SA_RESTORER | SA_RESTART,
        restorer: epore_test_restorer as unsafe extern "C" fn() as usize,
        mask: 0,
    };
    // SAFETY: the kernel reads `action`, laid out as it expects, with a mask of
    // eight bytes; the handler only adds to an atomic.
    unsafe { syscall!(Sysno::rt_sigaction, signal, &raw const action, 0, 8) }.expect("a signal");
}

/// Keeps `signal` pending for this thread.
pub fn block_signal(signal: i32) {
    const SIG_BLOCK: usize = 0;
    let set = 1u64 << (signal - 1);
    // SAFETY: the kernel reads the eight bytes of `set`.
    unsafe { syscall!(Sysno::rt_sigprocmask, SIG_BLOCK, &raw const set, 0, 8) }.expect("a signal");
}

/// Sends `signal` to one thread of this process.
pub fn signal_thread(thread: i32, signal: i32) {
    // SAFETY: no memory; the thread is ours.
    unsafe { syscall!(Sysno::tgkill, process::id(), thread, signal) }.expect("a thread of ours");
}

pub fn signal_process(process: u32, signal: i32) {
    // SAFETY: no memory; the process is a child of ours that was not waited for.
    unsafe { syscall!(Sysno::kill, process, signal) }.expect("a child of ours");
}

#[repr(C)]
struct SockFilter {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

#[repr(C)]
struct SockFprog {
    len: u16,
    filter: *const SockFilter,
}

/// From now on `call` answers `errno` in this thread and in those it starts. A
/// later filter's answer goes before an earlier one's.
///
/// An emulator that knows no filters answers `ENOSYS` or `EINVAL`.
pub fn refuse(call: Sysno, errno: Errno) -> Result<(), Errno> {
    filter(&[
        load(NUMBER),
        unless(call as u32, 1),
        step(RETURN, ERRNO | errno.into_raw() as u32),
        step(RETURN, ALLOW),
    ])
}

/// As [`refuse`], but `call` answers 0, and only where its argument of that index,
/// an `int`, is `value`.
pub fn play(call: Sysno, argument: usize, value: i32) -> Result<(), Errno> {
    const ARGUMENTS: u32 = 16;
    filter(&[
        load(NUMBER),
        unless(call as u32, 3),
        load(ARGUMENTS + 8 * argument as u32),
        unless(value as u32, 1),
        step(RETURN, ERRNO),
        step(RETURN, ALLOW),
    ])
}

/// Where the kernel shows a filter the number of the call.
const NUMBER: u32 = 0;

const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

const fn step(code: u16, k: u32) -> SockFilter {
    SockFilter {
        code,
        jump_true: 0,
        jump_false: 0,
        k,
    }
}

const fn load(offset: u32) -> SockFilter {
    const LOAD_WORD: u16 = 0x20;
    step(LOAD_WORD, offset)
}

/// Skips so many steps unless `value` was loaded.
const fn unless(value: u32, skipped: u8) -> SockFilter {
    const JUMP_IF_EQUAL: u16 = 0x15;
    SockFilter {
        jump_false: skipped,
        ..step(JUMP_IF_EQUAL, value)
    }
}

fn filter(steps: &[SockFilter]) -> Result<(), Errno> {
    install(steps, 0).map(drop)
}

/// As [`refuse`], but another thread is asked what to answer to each of `calls`,
/// by [`super::fault`]: the descriptor is where it hears of them.
pub fn ask_about(calls: &[u32]) -> Result<OwnedFd, Errno> {
    const NEW_LISTENER: usize = 1 << 3;
    const USER_NOTIF: u32 = 0x7fc0_0000;
    let mut steps = vec![load(NUMBER)];
    for &call in calls {
        steps.extend([unless(call, 1), step(RETURN, USER_NOTIF)]);
    }
    steps.push(step(RETURN, ALLOW));
    let listener = install(&steps, NEW_LISTENER)?;
    // SAFETY: the kernel has just opened it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(listener as i32) })
}

fn install(steps: &[SockFilter], flags: usize) -> Result<usize, Errno> {
    const PR_SET_NO_NEW_PRIVS: usize = 38;
    const SECCOMP_SET_MODE_FILTER: usize = 1;
    let program = SockFprog {
        len: steps.len() as u16,
        filter: steps.as_ptr(),
    };
    // SAFETY: no memory; without new privileges nothing else of ours changes.
    unsafe { syscall!(Sysno::prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }?;
    // SAFETY: the kernel reads `program` and the steps it points to.
    unsafe {
        syscall!(
            Sysno::seccomp,
            SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program
        )
    }
}

/// Gives up root's privileges, if there are any. For a process that is [`alone`].
pub fn become_nobody() {
    const NOBODY: usize = 65_534;
    // SAFETY: no memory, and no thread but this one.
    let _ = unsafe { syscall!(Sysno::setresuid, NOBODY, NOBODY, NOBODY) };
}
