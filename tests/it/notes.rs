//! arch-notes.md against the `syscalls` crate, the compiler and the running kernel.
//!
//! Each table is read from the document and every row of it checked; a row that no
//! check knows fails too. What stands in prose is in [`STATEMENTS`] as far as it
//! holds a number, and what names a test names one that exists.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::str::FromStr;
use std::time::Duration;

use epore::net::{
    TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram, UnixListener, UnixStream,
};
use epore::sys::{self, EpollEvent, EpollParams, Itimerspec, SigSet, SockAddr, Timespec};
use epore::{Errno, Result};

use crate::common;

use common::kernel;
use common::path::Fresh;

const NOTES: &str = include_str!("../../arch-notes.md");

/// Sentences with numbers in them, to the letter, and what proves each: a test, a
/// table, or the source that the text names.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "A result from -4095 to -1 is the negated error number",
        "notes::an_error_comes_back_negated",
    ),
    (
        "From 424 on, a new call has the same number everywhere",
        "notes::new_calls_have_one_number",
    ),
    (
        "32-bit x86 programs, whose 64-bit integers need an alignment of 4 only",
        "source: Linux, include/uapi/linux/eventpoll.h",
    ),
    ("tokens that use all 64 bits", "abi::"),
    ("`[source: rustc, error E0793]`", "source: rustc"),
    (
        "A signal set is 8 bytes to the kernel, signal `n` at bit `n - 1`",
        "table: The waits",
    ),
    (
        "What a signal tells, as `signalfd_siginfo` or as `siginfo_t`, is 128 bytes",
        "notes::signals_and_children_tell_what_the_table_says",
    ),
    (
        "A fraction cut off turns 100 µs into a busy loop",
        "timeouts::",
    ),
    ("`[source: rustc with opt-level 3;", "source: rustc"),
    (
        "the longest that fits is a little under 25 days",
        "notes::the_longest_timeout_is_a_little_under_25_days",
    ),
    (
        "its direction in the upper 2 bits, the size of the struct in the 14 below",
        "notes::a_request_tells_the_size_of_its_struct",
    ),
];

/// The test sources that a statement may name.
const SOURCES: &[(&str, &str)] = &[
    ("abi", include_str!("abi.rs")),
    ("demo_faults", include_str!("demo_faults.rs")),
    ("interest", include_str!("interest.rs")),
    ("net", include_str!("net.rs")),
    ("notes", include_str!("notes.rs")),
    ("poll", include_str!("poll.rs")),
    ("process", include_str!("process.rs")),
    ("timeouts", include_str!("timeouts.rs")),
    ("trace", include_str!("trace.rs")),
    ("unix", include_str!("unix.rs")),
    ("waker", include_str!("waker.rs")),
];

/// The rows of the table whose first column is headed `head`, below its rule.
fn table(head: &str) -> Vec<Vec<String>> {
    let mut lines = NOTES
        .lines()
        .skip_while(|line| cells(line).first() != Some(&head.to_owned()));
    assert!(lines.next().is_some(), "no table is headed {head:?}");
    let rows: Vec<_> = lines
        .skip(1)
        .map_while(|line| line.starts_with('|').then(|| cells(line)))
        .collect();
    assert!(!rows.is_empty(), "the table headed {head:?} is empty");
    rows
}

fn cells(line: &str) -> Vec<String> {
    let inner = line
        .trim()
        .strip_prefix('|')
        .and_then(|line| line.strip_suffix('|'));
    inner.map_or_else(Vec::new, |inner| {
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
}

/// Compares each row's last cell with what `answer` makes of the others, and shows
/// all that differ.
fn check_rows(head: &str, answer: impl Fn(&[&str]) -> String) {
    let wrong: Vec<_> = table(head)
        .iter()
        .filter_map(|row| {
            let (said, asked) = row.split_last().expect("a row has cells");
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            let found = answer(&asked);
            (*said != found).then(|| format!("{asked:?}: the notes say {said}, found {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every table, by its heading.
const TABLES: &[&str] = &[
    "| convention | x86_64 | aarch64 |",
    "| call | x86_64 | aarch64 |",
    "| obsolete call | x86_64 | aarch64 |",
    "| struct | field | offset | size |",
    "| flag | value | asked for | reported |",
    "| constant | value |",
    "| operation | case | answer |",
    "| call | case | answer |",
    "| request | case | answer |",
    "| call | unit | no timeout | longest |",
    "| step | answer |",
    "| step | level | edge | oneshot | edge and oneshot |",
    "| chain | answer |",
    "| case | answer |",
    "| kind | case | answer |",
    "| what | Linux |",
];

#[test]
fn every_table_is_one_that_is_checked() {
    let lines: Vec<&str> = NOTES.lines().collect();
    let headings: Vec<&str> = lines
        .windows(2)
        .filter(|pair| pair[1].starts_with("| ---"))
        .map(|pair| pair[0])
        .collect();
    assert_eq!(headings, TABLES);
}

/// `ok`, or the name of the errno.
fn outcome<T>(result: Result<T>) -> String {
    named(result.map_err(|error| error.errno()))
}

fn named<T>(result: core::result::Result<T, Errno>) -> String {
    result.map_or_else(name, |_| "ok".to_owned())
}

fn name(errno: Errno) -> String {
    errno
        .name()
        .map_or_else(|| format!("{errno:?}"), str::to_owned)
}

fn number<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?} is no number: {error:?}"))
}

fn queue() -> OwnedFd {
    sys::epoll_create1(sys::EPOLL_CLOEXEC).unwrap()
}

fn ctl(queue: &impl AsFd, op: i32, fd: &impl AsFd, events: u32) -> Result<()> {
    sys::epoll_ctl(
        queue.as_fd(),
        op,
        fd.as_fd(),
        Some(&EpollEvent::new(events, 0)),
    )
}

fn add(queue: &impl AsFd, fd: &impl AsFd, events: u32) -> Result<()> {
    ctl(queue, sys::EPOLL_CTL_ADD, fd, events)
}

/// How many events are there now.
fn look(queue: &impl AsFd) -> usize {
    let mut room = [MaybeUninit::uninit(); 8];
    sys::epoll_wait(queue.as_fd(), &mut room, 0).unwrap().len()
}

fn pipe() -> (PipeReader, PipeWriter) {
    io::pipe().unwrap()
}

fn eventfd(value: u32) -> OwnedFd {
    sys::eventfd2(value, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap()
}

/// Makes the call of the table `convention` with the registers of this
/// architecture, so that a wrong row cannot hide behind a wrong copy of it.
macro_rules! convention {
    ($column:ident, $arch:literal, $instruction:literal, $number:tt $first:tt $second:tt $third:tt $fourth:tt $fifth:tt $sixth:tt,
     $result:tt, $lost:literal $(, $clobber:tt)*) => {
        #[cfg(target_arch = $arch)]
        fn call_by_the_table(number: usize, arguments: [usize; 6]) -> usize {
            let result;
            // SAFETY: the one caller passes what its own buffer and descriptors are.
            unsafe {
                core::arch::asm!(
                    $instruction,
                    in($number) number,
                    in($first) arguments[0],
                    in($second) arguments[1],
                    in($third) arguments[2],
                    in($fourth) arguments[3],
                    in($fifth) arguments[4],
                    in($sixth) arguments[5],
                    lateout($result) result,
                    $(lateout($clobber) _,)*
                    options(nostack),
                );
            }
            result
        }

        const $column: [&str; 10] = [
            concat!("`", $instruction, "`"),
            concat!("`", $number, "`"),
            concat!("`", $first, "`"),
            concat!("`", $second, "`"),
            concat!("`", $third, "`"),
            concat!("`", $fourth, "`"),
            concat!("`", $fifth, "`"),
            concat!("`", $sixth, "`"),
            concat!("`", $result, "`"),
            $lost,
        ];
    };
}

convention!(
    X86_64, "x86_64", "syscall", "rax" "rdi" "rsi" "rdx" "r10" "r8" "r9",
    "rax", "`rcx`, `r11`", "rcx", "r11"
);
convention!(
    AARCH64, "aarch64", "svc 0", "x8" "x0" "x1" "x2" "x3" "x4" "x5", "x0", "nothing"
);

#[test]
fn the_calling_convention_is_the_one_of_the_table() {
    let rows = table("convention");
    for (column, convention) in [(1, X86_64), (2, AARCH64)] {
        let said: Vec<&str> = rows.iter().map(|row| row[column].as_str()).collect();
        assert_eq!(said, convention);
    }

    // Six arguments that all matter: a wait on a queue that is ready, with a mask.
    let (queue, ready) = (queue(), eventfd(1));
    add(&queue, &ready, sys::EPOLLIN).unwrap();
    let mut room = [MaybeUninit::<EpollEvent>::uninit(); 2];
    let mask = 0u64;
    let (epfd, start) = (queue.as_raw_fd() as usize, room.as_mut_ptr() as usize);
    for (size, answer) in [(8, 1), (16, -(Errno::EINVAL.into_raw() as isize))] {
        let arguments = [
            epfd,
            start,
            2,
            -1isize as usize,
            &raw const mask as usize,
            size,
        ];
        let pwait = syscalls::Sysno::epoll_pwait as usize;
        assert_eq!(call_by_the_table(pwait, arguments) as isize, answer);
    }
}

#[test]
fn an_error_comes_back_negated() {
    // SAFETY: close takes no pointer, and this descriptor cannot exist.
    let raw = unsafe { syscalls::raw_syscall!(syscalls::Sysno::close, -1isize) };
    assert_eq!(raw as isize, -(Errno::EBADF.into_raw() as isize));
    assert_eq!(Errno::from_ret(-4095isize as usize), Err(Errno::new(4095)));
    assert_eq!(
        Errno::from_ret(-4096isize as usize),
        Ok(-4096isize as usize)
    );
    assert_eq!(Errno::from_ret(-1isize as usize), Err(Errno::EPERM));
}

#[test]
fn the_kernel_fills_no_more_than_it_says() {
    let (queue, ready) = (queue(), eventfd(1));
    add(&queue, &ready, sys::EPOLLIN).unwrap();
    let mut room = [MaybeUninit::new(EpollEvent::new(0x55aa_55aa, 0x55aa_55aa_55aa_55aa)); 4];
    assert_eq!(
        sys::epoll_wait(queue.as_fd(), &mut room, 0).unwrap().len(),
        1
    );
    for untouched in &room[1..] {
        // SAFETY: it was initialised above.
        let untouched = unsafe { untouched.assume_init() };
        assert_eq!(
            untouched,
            EpollEvent::new(0x55aa_55aa, 0x55aa_55aa_55aa_55aa)
        );
    }
}

/// The numbers of `call` in the tables of the `syscalls` crate, as the notes write
/// them.
fn numbers(call: &str) -> [String; 2] {
    let absent = || "absent".to_owned();
    [
        syscalls::x86_64::Sysno::from_str(call).map_or_else(|()| absent(), |n| n.id().to_string()),
        syscalls::aarch64::Sysno::from_str(call).map_or_else(|()| absent(), |n| n.id().to_string()),
    ]
}

#[test]
fn the_numbers_are_those_of_both_architectures() {
    let rows = table("call");
    for row in rows.iter().chain(&table("obsolete call")) {
        assert_eq!(row[1..], numbers(&row[0]), "{}", row[0]);
    }
    let listed: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let made: Vec<_> = sys::SYSCALLS.iter().map(sys::Syscall::name).collect();
    assert_eq!(
        listed, made,
        "the notes list exactly the calls that the library makes"
    );
}

#[test]
fn new_calls_have_one_number() {
    let mut compared = 0;
    for call in syscalls::x86_64::Sysno::iter().filter(|call| (424..512).contains(&call.id())) {
        let [x86_64, aarch64] = numbers(call.name());
        if aarch64 != "absent" {
            assert_eq!(x86_64, aarch64, "{call}");
            compared += 1;
        }
    }
    assert!(compared > 20, "only {compared} calls compared");
    assert_ne!(
        numbers("statx")[0],
        numbers("statx")[1],
        "the last of the old ones differ"
    );
}

/// `struct epoll_event` as either architecture has it, whatever this one is.
mod layout {
    #[repr(C, packed)]
    pub struct Packed {
        pub events: u32,
        pub data: u64,
    }
    #[repr(C)]
    pub struct Plain {
        pub events: u32,
        pub data: u64,
    }
}

/// A drawing of `struct epoll_event`, as the notes have it.
fn drawing(heading: &str, size: usize, align: usize, data: usize) -> String {
    let attribute = if align == 1 { " (packed)" } else { "" };
    let ruler = "+----".repeat(size) + "+";
    let bytes: String = (0..size).map(|byte| format!("{byte:>2}   ")).collect();
    let field = |name: &str, bytes: usize| format!("| {name:<width$}", width = bytes * 5 - 2);
    let mut fields = field("events", 4);
    if data > 4 {
        fields += &field("(never written)", data - 4);
    }
    fields += &field("data", size - data);
    format!(
        "{heading}: {size} bytes, align {align}{attribute}\n\n{}\n{ruler}\n{fields}|\n{ruler}\n",
        bytes.trim_end()
    )
}

#[test]
fn epoll_event_is_laid_out_as_drawn() {
    use layout::{Packed, Plain};
    let packed = [
        mem::size_of::<Packed>(),
        mem::align_of::<Packed>(),
        mem::offset_of!(Packed, data),
    ];
    let plain = [
        mem::size_of::<Plain>(),
        mem::align_of::<Plain>(),
        mem::offset_of!(Plain, data),
    ];
    assert_eq!(
        mem::offset_of!(Packed, events) + mem::offset_of!(Plain, events),
        0
    );
    for (heading, [size, align, data]) in [("x86_64", packed), ("aarch64", plain)] {
        let drawing = drawing(heading, size, align, data);
        assert!(NOTES.contains(&drawing), "not in the notes:\n{drawing}");
    }

    let here = if cfg!(target_arch = "x86_64") {
        packed
    } else {
        plain
    };
    assert_eq!(
        here[..2],
        [mem::size_of::<EpollEvent>(), mem::align_of::<EpollEvent>()]
    );

    // What the kernel writes, byte by byte.
    let (queue, ready) = (queue(), eventfd(1));
    let event = EpollEvent::new(sys::EPOLLIN, 0x0123_4567_89ab_cdef);
    sys::epoll_ctl(
        queue.as_fd(),
        sys::EPOLL_CTL_ADD,
        ready.as_fd(),
        Some(&event),
    )
    .unwrap();
    let mut bytes = [0x55u8; 64];
    let start = (16 - bytes.as_ptr() as usize % 16) % 16;
    let wait = syscalls::Sysno::epoll_pwait;
    let at = bytes[start..].as_mut_ptr();
    // SAFETY: there is room for one event from `at` on.
    let count = unsafe { syscalls::syscall!(wait, queue.as_raw_fd(), at, 1, 0, 0, 8) };
    assert_eq!(count, Ok(1));
    let [size, _, data] = here;
    let bytes = &bytes[start..];
    assert_eq!(bytes[..4], sys::EPOLLIN.to_ne_bytes());
    assert!(
        bytes[4..data].iter().all(|&byte| byte == 0x55),
        "{bytes:x?}"
    );
    assert_eq!(bytes[data..size], 0x0123_4567_89ab_cdefu64.to_ne_bytes());
    assert!(bytes[size..].iter().all(|&byte| byte == 0x55), "{bytes:x?}");
}

#[test]
fn the_other_structs_are_laid_out_as_the_table_says() {
    macro_rules! fields {
        ($($name:literal $type:ident: $($field:ident)*;)*) => {
            BTreeMap::from([$($((
                concat!($name, ".", stringify!($field)),
                (
                    mem::offset_of!(sys::$type, $field),
                    mem::size_of_val(&sys::$type::default().$field),
                ),
            ),)*)*])
        };
    }
    let mut found = fields! {
        "timespec" Timespec: tv_sec tv_nsec;
        "itimerspec" Itimerspec: it_interval it_value;
        "epoll_params" EpollParams: busy_poll_usecs busy_poll_budget prefer_busy_poll pad;
        "signalfd_siginfo" SignalfdSiginfo:
            ssi_signo ssi_code ssi_pid ssi_uid ssi_status ssi_int ssi_ptr;
        "siginfo_t" Siginfo: si_signo si_code si_pid si_uid si_status;
    };
    // By its name there.
    let pad = found.remove("epoll_params.pad").expect("a field");
    found.insert("epoll_params.__pad", pad);
    // The others have tests of their own.
    let is_one = |name: &str| {
        found
            .keys()
            .any(|field| field.split('.').next() == Some(name))
    };
    let mut checked = 0;
    for row in table("struct").iter().filter(|row| is_one(&row[0])) {
        let said = (number::<usize>(&row[2]), number::<usize>(&row[3]));
        let name = format!("{}.{}", row[0], row[1]);
        assert_eq!(found.get(name.as_str()), Some(&said), "{row:?}");
        checked += 1;
    }
    assert_eq!(checked, found.len());
}

/// The number at the place that the table has for the field.
fn field(bytes: &[u8], name: &str) -> u64 {
    let rows = table("struct");
    let row = rows
        .iter()
        .find(|row| format!("{}.{}", row[0], row[1]) == name);
    let row = row.unwrap_or_else(|| panic!("no row for {name}"));
    let (at, size) = (number::<usize>(&row[2]), number::<usize>(&row[3]));
    let mut value = [0; 8];
    value[..size].copy_from_slice(&bytes[at..at + size]);
    u64::from_le_bytes(value)
}

/// A signal, sent to this thread with a value, and what reads it.
fn signalled(value: u64) -> OwnedFd {
    const NUMBER: i32 = 40;
    const SI_QUEUE: i32 = -1;
    let set = SigSet::of(&[NUMBER]);
    sys::rt_sigprocmask(sys::SIG_BLOCK, set).unwrap();
    let [id, thread] = [std::process::id() as i32, common::kernel::thread_id()];
    let mut info = [0i32; 32];
    [info[0], info[2], info[4], info[5]] = [NUMBER, SI_QUEUE, id, 77];
    [info[6], info[7]] = [value as i32, (value >> 32) as i32];
    let info = info.as_ptr();
    let sigqueue = syscalls::Sysno::rt_tgsigqueueinfo;
    // SAFETY: the kernel reads the 128 bytes of `info`.
    unsafe { syscalls::syscall!(sigqueue, id, thread, NUMBER, info) }.unwrap();
    sys::signalfd4(set, sys::SFD_NONBLOCK | sys::SFD_CLOEXEC).unwrap()
}

/// A child of this process that ends by a signal.
fn child() -> std::process::Child {
    let mut command = common::through_runner(&std::env::current_exe().unwrap());
    // It waits for a test whose name it is to read.
    command.args(["--exact", &format!("notes::{WAITING}"), "--nocapture"]);
    command
        .env(WAITING, "1")
        .stdout(std::process::Stdio::null());
    command.spawn().unwrap()
}

const WAITING: &str = "a_child_that_waits";

#[test]
fn a_child_that_waits() {
    while std::env::var_os(WAITING).is_some() {
        std::thread::park();
    }
}

#[test]
fn signals_and_children_tell_what_the_table_says() {
    let signalfd = signalled(0x0123_4567_89ab_cdef);
    let mut info = [0x55; 256];
    assert_eq!(sys::read(signalfd.as_fd(), &mut info).unwrap(), 128);
    let signal = |name| field(&info, &format!("signalfd_siginfo.{name}"));
    assert_eq!(signal("ssi_signo"), 40);
    assert_eq!(signal("ssi_code") as u32 as i32, -1);
    assert_eq!(signal("ssi_pid"), std::process::id().into());
    assert_eq!(signal("ssi_uid"), 77);
    assert_eq!(signal("ssi_int"), 0x89ab_cdef);
    assert_eq!(signal("ssi_ptr"), 0x0123_4567_89ab_cdef);
    assert_eq!(mem::size_of::<sys::SignalfdSiginfo>(), 128);
    assert_eq!(mem::size_of::<sys::Siginfo>(), 128);

    let mut child = child();
    let user = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    child.kill().unwrap();
    let (mut info, id) = ([0x55u8; 256], child.id());
    let (start, exited) = (info.as_mut_ptr(), sys::WEXITED | sys::WNOWAIT);
    let call = syscalls::Sysno::waitid;
    // SAFETY: there is room for the 128 bytes that the kernel may write.
    unsafe { syscalls::syscall!(call, 1, id, start, exited, 0) }.unwrap();
    let ended = |name| field(&info, &format!("siginfo_t.{name}"));
    assert_eq!(ended("si_signo"), sys::SIGCHLD as u64);
    assert_eq!(ended("si_code"), sys::CLD_KILLED as u64);
    assert_eq!(ended("si_pid"), id.into());
    assert_eq!(ended("si_uid"), user.into());
    assert_eq!(ended("si_status"), sys::SIGKILL as u64);
    assert!(info[128..].iter().all(|&byte| byte == 0x55), "{info:x?}");
    child.wait().unwrap();
}

#[test]
fn file_events_are_laid_out_as_the_table_says() {
    let directory = std::env::temp_dir().join(format!("epore-notes-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let path = std::ffi::CString::new(directory.to_str().unwrap()).unwrap();
    let inotify = sys::inotify_init1(sys::IN_NONBLOCK | sys::IN_CLOEXEC).unwrap();
    let mask = sys::IN_CREATE | sys::IN_MOVED_FROM | sys::IN_MOVED_TO;
    let watch = sys::inotify_add_watch(inotify.as_fd(), &path, mask).unwrap();
    File::create(directory.join("first")).unwrap();
    std::fs::rename(directory.join("first"), directory.join("second")).unwrap();
    let mut bytes = [0x55; 1024];
    let length = sys::read(inotify.as_fd(), &mut bytes).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();

    let (mut at, mut cookies) = (0, Vec::new());
    let expected = [
        (sys::IN_CREATE, &b"first"[..]),
        (sys::IN_MOVED_FROM, b"first"),
        (sys::IN_MOVED_TO, b"second"),
    ];
    for (what, name) in expected {
        let event = &bytes[at..length];
        let value = |name| field(event, &format!("inotify_event.{name}"));
        assert_eq!(value("wd"), watch as u64);
        assert_eq!(value("mask"), what.into());
        cookies.push(value("cookie"));
        let end = 16 + value("len") as usize;
        let (text, zeros) = event[16..end].split_at(name.len());
        assert_eq!(text, name);
        assert!(!zeros.is_empty() && zeros.iter().all(|&byte| byte == 0));
        at += end;
    }
    assert_eq!(at, length);
    assert_eq!(cookies[0], 0);
    assert!(cookies[1] != 0 && cookies[1] == cookies[2], "{cookies:?}");
}

#[test]
fn every_struct_is_one_that_is_checked() {
    let mut structs: Vec<_> = table("struct")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    structs.dedup();
    let checked = [
        "timespec",
        "itimerspec",
        "epoll_params",
        "signalfd_siginfo",
        "siginfo_t",
        "inotify_event",
        "sockaddr_in",
        "sockaddr_in6",
        "sockaddr_un",
        "iovec",
        "msghdr",
        "linger",
        "ip_mreq",
        "ipv6_mreq",
    ];
    assert_eq!(structs, checked);
}

/// The bytes of a struct with these values in its fields, laid out by the table, with
/// ones where it has no field.
fn by_the_table(name: &str, values: &[(&str, &[u8])]) -> Vec<u8> {
    let rows = table("struct");
    let fields: Vec<_> = rows.iter().filter(|row| row[0] == name).collect();
    let named: Vec<_> = fields.iter().map(|row| row[1].as_str()).collect();
    let given: Vec<_> = values.iter().map(|(field, _)| *field).collect();
    assert_eq!(named, given, "{name}");
    let mut bytes = Vec::new();
    for (row, (_, value)) in fields.iter().zip(values) {
        assert_eq!(number::<usize>(&row[3]), value.len(), "{row:?}");
        bytes.resize(number(&row[2]), 0xff);
        bytes.extend_from_slice(value);
    }
    bytes
}

#[test]
fn the_kernel_reads_messages_as_the_table_says() {
    let to = UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap();
    let raw = sys::getsockname(to.as_fd()).unwrap();
    let word = |word: usize| word.to_ne_bytes();
    let [first, second] = [b"laid ", b"out! "].map(|part: &[u8; 5]| {
        let (base, len) = (word(part.as_ptr() as usize), word(part.len()));
        by_the_table("iovec", &[("iov_base", &base), ("iov_len", &len)])
    });
    let iov = [first, second].concat();
    let name = word(raw.as_bytes().as_ptr() as usize);
    let msg = by_the_table(
        "msghdr",
        &[
            ("msg_name", &name),
            ("msg_namelen", &(raw.as_bytes().len() as u32).to_ne_bytes()),
            ("msg_iov", &word(iov.as_ptr() as usize)),
            ("msg_iovlen", &word(2)),
            ("msg_control", &word(0)),
            ("msg_controllen", &word(0)),
            ("msg_flags", &[0xff; 4]),
        ],
    );
    // The kernel reads up to the alignment of a pointer.
    let msg = [msg, vec![0xff; 4]].concat();
    let from = UnixDatagram::unbound().unwrap();
    let (socket, start) = (from.as_fd().as_raw_fd(), msg.as_ptr());
    // SAFETY: the kernel reads 56 bytes, and what they point to, all of it ours.
    let sent = unsafe { syscalls::syscall!(syscalls::Sysno::sendmsg, socket, start, 0) };
    assert_eq!(sent, Ok(10));
    let mut buf = [0; 16];
    assert_eq!(to.recv(&mut buf).unwrap(), 10);
    assert_eq!(&buf[..10], b"laid out! ");

    // And ours are the same: an address and a length each.
    let part = b"ours";
    let (shared, mut room) = (sys::IoSlice::new(part), [0; 7]);
    // SAFETY: two words, which any `IoSlice` consists of.
    let words: [usize; 2] = unsafe { mem::transmute(shared) };
    assert_eq!(words, [part.as_ptr() as usize, 4]);
    let address = room.as_ptr() as usize;
    // SAFETY: as above.
    let words: [usize; 2] = unsafe { mem::transmute(sys::IoSliceMut::new(&mut room)) };
    assert_eq!(words, [address, 7]);
}

#[test]
fn the_kernel_reads_options_as_the_table_says() {
    let tcp = sys::socket(sys::AF_INET, sys::SOCK_STREAM | sys::SOCK_CLOEXEC, 0).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let set = |socket: BorrowedFd<'_>, level: i32, option: i32, value: Vec<u8>| {
        let (number, start, length) = (socket.as_raw_fd(), value.as_ptr(), value.len());
        let call = syscalls::Sysno::setsockopt;
        // SAFETY: the kernel reads `length` bytes of `value`, which hold no pointer.
        unsafe { syscalls::syscall!(call, number, level, option, start, length) }
    };
    const SO_LINGER: i32 = 13;
    let linger = by_the_table(
        "linger",
        &[
            ("l_onoff", &1i32.to_ne_bytes()),
            ("l_linger", &77i32.to_ne_bytes()),
        ],
    );
    set(tcp.as_fd(), sys::SOL_SOCKET, SO_LINGER, linger).unwrap();
    let linger = sys::getsockopt_linger(tcp.as_fd()).unwrap();
    assert_eq!((linger.l_onoff, linger.l_linger), (1, 77));

    // What was joined by the table is left by the library.
    let (group, interface) = ([239, 87, 65, 3], [127, 0, 0, 1]);
    let mreq = by_the_table(
        "ip_mreq",
        &[("imr_multiaddr", &group), ("imr_interface", &interface)],
    );
    let (level, option) = (sys::IPPROTO_IP, sys::IP_ADD_MEMBERSHIP);
    set(udp.as_fd(), level, option, mreq).unwrap();
    udp.leave_multicast_v4(&group.into(), &interface.into())
        .unwrap();

    let udp = match UdpSocket::bind("[::1]:0".parse().unwrap()) {
        Ok(socket) => socket,
        Err(error) => return common::left_out("struct ipv6_mreq", error),
    };
    let group: std::net::Ipv6Addr = "ff02::8765:3".parse().unwrap();
    let mreq = by_the_table(
        "ipv6_mreq",
        &[
            ("ipv6mr_multiaddr", &group.octets()),
            ("ipv6mr_ifindex", &1u32.to_ne_bytes()),
        ],
    );
    let (level, option) = (sys::IPPROTO_IPV6, sys::IPV6_ADD_MEMBERSHIP);
    set(udp.as_fd(), level, option, mreq).unwrap();
    udp.leave_multicast_v6(&group, 1).unwrap();
}

#[test]
fn addresses_are_laid_out_as_the_table_says() {
    let v4 = std::net::SocketAddrV4::new([127, 2, 3, 4].into(), 0x1f90);
    let v6 = std::net::SocketAddrV6::new(0x2001_0db8_u128.into(), 0x1f91, 0x000a_bcde, 7);
    let (raw_v4, raw_v6) = (
        SockAddr::from(core::net::SocketAddr::V4(v4)),
        SockAddr::from(core::net::SocketAddr::V6(v6)),
    );
    let raw_unix = SockAddr::unix(&[0x2f; 108]).unwrap();
    let mut ends = BTreeMap::new();
    for row in table("struct")
        .iter()
        .filter(|row| row[0].starts_with("sockaddr"))
    {
        let (at, size) = (number::<usize>(&row[2]), number::<usize>(&row[3]));
        let raw = match row[0].as_str() {
            "sockaddr_in" => &raw_v4,
            "sockaddr_in6" => &raw_v6,
            "sockaddr_un" => &raw_unix,
            other => panic!("no such struct: {other}"),
        };
        let expected: Vec<u8> = match row[1].as_str() {
            "sin_family" => sys::AF_INET.to_ne_bytes().into(),
            "sin_port" => v4.port().to_be_bytes().into(),
            "sin_addr" => v4.ip().octets().into(),
            "sin_zero" => [0; 8].into(),
            "sin6_family" => sys::AF_INET6.to_ne_bytes().into(),
            "sin6_port" => v6.port().to_be_bytes().into(),
            "sin6_flowinfo" => v6.flowinfo().to_be_bytes().into(),
            "sin6_addr" => v6.ip().octets().into(),
            "sin6_scope_id" => v6.scope_id().to_ne_bytes().into(),
            "sun_family" => sys::AF_UNIX.to_ne_bytes().into(),
            "sun_path" => [0x2f; 108].into(),
            field => panic!("no such field: {field}"),
        };
        assert_eq!(raw.as_bytes()[at..at + size], expected, "{row:?}");
        ends.insert(row[0].clone(), at + size);
    }
    assert_eq!(ends["sockaddr_in"], raw_v4.as_bytes().len());
    assert_eq!(ends["sockaddr_in6"], raw_v6.as_bytes().len());
    assert_eq!(ends["sockaddr_un"], raw_unix.as_bytes().len());

    // The kernel reads it the same way: it listens at the address that was meant.
    let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let seen = std::net::TcpListener::from(listener);
    let stream = TcpStream::connect(seen.local_addr().unwrap()).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), seen.local_addr().unwrap());
}

#[test]
fn the_flags_have_the_values_of_the_table() {
    macro_rules! values {
        ($($name:ident)*) => {
            BTreeMap::from([$((stringify!($name), i64::from(sys::$name))),*])
        };
    }
    let flags = values! {
        EPOLLIN EPOLLPRI EPOLLOUT EPOLLERR EPOLLHUP EPOLLRDNORM EPOLLRDBAND EPOLLWRNORM
        EPOLLWRBAND EPOLLMSG EPOLLRDHUP EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET
    };
    let constants = values! {
        EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD EPOLL_CLOEXEC EPIOCSPARAMS EPIOCGPARAMS
        EFD_CLOEXEC EFD_NONBLOCK
        EFD_SEMAPHORE TFD_CLOEXEC TFD_NONBLOCK TFD_TIMER_ABSTIME SFD_CLOEXEC SFD_NONBLOCK
        IN_CLOEXEC IN_NONBLOCK O_CLOEXEC O_NONBLOCK SIG_BLOCK SIG_UNBLOCK SIG_SETMASK WNOHANG
        WEXITED WNOWAIT SOCK_STREAM SOCK_NONBLOCK
        SOCK_CLOEXEC MSG_NOSIGNAL CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_BOOTTIME
        SOCK_DGRAM MSG_PEEK MSG_TRUNC AF_UNIX AF_INET AF_INET6 SOL_SOCKET SO_REUSEADDR SO_ERROR
        SO_BROADCAST SO_KEEPALIVE SO_REUSEPORT IPPROTO_IP IP_TTL IP_MULTICAST_IF IP_MULTICAST_TTL
        IP_MULTICAST_LOOP IP_ADD_MEMBERSHIP IP_DROP_MEMBERSHIP IPPROTO_IPV6 IPV6_UNICAST_HOPS
        IPV6_MULTICAST_IF IPV6_MULTICAST_HOPS
        IPV6_MULTICAST_LOOP IPV6_ADD_MEMBERSHIP IPV6_DROP_MEMBERSHIP IPV6_V6ONLY IPPROTO_TCP
        TCP_NODELAY TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT
    };
    for (head, values) in [("flag", flags), ("constant", constants)] {
        let rows = table(head);
        assert_eq!(rows.len(), values.len());
        for row in rows {
            let said = match row[1].strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16).unwrap(),
                None => number(&row[1]),
            };
            assert_eq!(values.get(row[0].as_str()), Some(&said), "{row:?}");
        }
    }
}

#[test]
fn flags_are_reported_as_the_table_says() {
    // A stream with urgent data, room, and a peer that is gone shows them all.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let all = !(sys::EPOLLEXCLUSIVE | sys::EPOLLONESHOT | sys::EPOLLET);
    let queue = queue();
    add(&queue, &stream, all).unwrap();
    const MSG_OOB: i32 = 1;
    sys::sendto(peer.as_fd(), b"!", MSG_OOB, None).unwrap();
    peer.shutdown(std::net::Shutdown::Both).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let (broken, pipe_writer) = pipe();
    drop(broken);
    add(&queue, &pipe_writer, all).unwrap();

    let mut seen = 0;
    let complete = common::wait_until(Duration::from_secs(10), || {
        let mut room = [MaybeUninit::uninit(); 4];
        for event in sys::epoll_wait(queue.as_fd(), &mut room, 0).unwrap() {
            seen |= event.events();
        }
        (seen & (sys::EPOLLHUP | sys::EPOLLRDHUP | sys::EPOLLPRI)
            == sys::EPOLLHUP | sys::EPOLLRDHUP | sys::EPOLLPRI)
            .then_some(())
    });
    assert!(complete.is_some(), "saw {seen:#x}");
    for row in table("flag") {
        let bit = u32::from_str_radix(&row[1][2..], 16).unwrap();
        match (row[2].as_str(), row[3].as_str()) {
            ("mode", "never") | ("yes", "never") => assert_eq!(seen & bit, 0, "{row:?}"),
            // Nothing that a test can have at hand reports the bands of a STREAM.
            ("yes", "yes") if row[0].ends_with("BAND") => {}
            ("yes" | "always", "yes") => assert_ne!(seen & bit, 0, "{row:?}, saw {seen:#x}"),
            _ => panic!("{row:?}"),
        }
    }
}

#[test]
fn unknown_bits_and_no_bits_are_accepted() {
    let (queue, (_reader, writer)) = (queue(), pipe());
    add(&queue, &eventfd(0), 1 << 20).unwrap();
    add(&queue, &writer, 0).unwrap();
    assert_eq!(look(&queue), 0);
    drop(_reader);
    assert_eq!(
        look(&queue),
        1,
        "an error is reported to who asks for nothing"
    );
}

#[test]
fn epoll_ctl_refuses_what_the_table_says() {
    const O_PATH: i32 = 0o10000000;
    const ADD: i32 = sys::EPOLL_CTL_ADD;
    let opened = |path: &str| File::open(path).unwrap();
    let registered = |events| {
        let (queue, counter) = (queue(), eventfd(0));
        add(&queue, &counter, events).unwrap();
        (queue, counter)
    };
    check_rows("operation", |asked| {
        let op = match asked[0] {
            "ADD" => ADD,
            "MOD" => sys::EPOLL_CTL_MOD,
            "DEL" => sys::EPOLL_CTL_DEL,
            // Next to the three that there are.
            "0" => 0,
            "4" => 4,
            other => panic!("no such operation: {other}"),
        };
        let fresh = queue();
        outcome(match asked[1] {
            "a regular file" => ctl(&fresh, op, &opened("/proc/self/exe"), sys::EPOLLIN),
            "a directory" => ctl(&fresh, op, &opened("/"), sys::EPOLLIN),
            "/dev/null" => ctl(&fresh, op, &opened("/dev/null"), sys::EPOLLIN),
            "a descriptor opened with O_PATH" => {
                let path = File::options()
                    .read(true)
                    .custom_flags(O_PATH)
                    .open("/")
                    .unwrap();
                ctl(&fresh, op, &path, sys::EPOLLIN)
            }
            "a descriptor that is registered" => {
                let (queue, counter) = registered(sys::EPOLLIN);
                ctl(&queue, op, &counter, sys::EPOLLIN)
            }
            "a duplicate of a descriptor that is registered" => {
                let (queue, counter) = registered(sys::EPOLLIN);
                ctl(&queue, op, &counter.try_clone().unwrap(), sys::EPOLLIN)
            }
            "a descriptor that is not registered" | "any" => {
                ctl(&fresh, op, &eventfd(0), sys::EPOLLIN)
            }
            "the queue itself" => ctl(&fresh, op, &fresh, sys::EPOLLIN),
            "a duplicate of the queue" => {
                ctl(&fresh, op, &fresh.try_clone().unwrap(), sys::EPOLLIN)
            }
            "a queue that watches this one" => {
                let above = queue();
                add(&above, &fresh, sys::EPOLLIN).unwrap();
                ctl(&fresh, op, &above, sys::EPOLLIN)
            }
            "no event given" => {
                let (queue, counter) = registered(sys::EPOLLIN);
                let fd = if op == ADD { eventfd(0) } else { counter };
                sys::epoll_ctl(queue.as_fd(), op, fd.as_fd(), None)
            }
            "to something that is no queue" => ctl(&eventfd(0), op, &eventfd(0), sys::EPOLLIN),
            "EPOLLEXCLUSIVE of a queue" => {
                ctl(&fresh, op, &queue(), sys::EPOLLIN | sys::EPOLLEXCLUSIVE)
            }
            "to EPOLLEXCLUSIVE" => {
                let (queue, counter) = registered(sys::EPOLLIN);
                ctl(&queue, op, &counter, sys::EPOLLIN | sys::EPOLLEXCLUSIVE)
            }
            "from EPOLLEXCLUSIVE" => {
                let (queue, counter) = registered(sys::EPOLLIN | sys::EPOLLEXCLUSIVE);
                ctl(&queue, op, &counter, sys::EPOLLIN)
            }
            case => {
                let flag = match case.strip_prefix("EPOLLEXCLUSIVE and ") {
                    Some("EPOLLIN") => sys::EPOLLIN,
                    Some("EPOLLOUT") => sys::EPOLLOUT,
                    Some("EPOLLET") => sys::EPOLLET,
                    Some("EPOLLWAKEUP") => sys::EPOLLWAKEUP,
                    Some("EPOLLRDHUP") => sys::EPOLLRDHUP,
                    Some("EPOLLPRI") => sys::EPOLLPRI,
                    Some("EPOLLONESHOT") => sys::EPOLLONESHOT,
                    _ => panic!("no such case: {case}"),
                };
                ctl(&fresh, op, &eventfd(0), sys::EPOLLEXCLUSIVE | flag)
            }
        })
    });
}

/// A wait that passes on what no safe function would: any count, any mask size.
fn wait_raw(queue: BorrowedFd<'_>, max: usize, mask: Option<u64>, size: usize) -> String {
    let mut room = [MaybeUninit::<EpollEvent>::uninit(); 1];
    let mask = mask.as_ref().map_or(0, |mask| &raw const *mask as usize);
    let (fd, start) = (queue.as_raw_fd(), room.as_mut_ptr());
    // SAFETY: nothing is registered with the queue, so the kernel writes no event,
    // however many it is told there is room for.
    let count =
        unsafe { syscalls::syscall!(syscalls::Sysno::epoll_pwait, fd, start, max, 0, mask, size) };
    named(count)
}

/// A wait of `epoll_pwait2` on a queue that is ready, so that none really waits.
fn wait_precisely(tv_sec: i64, tv_nsec: i64) -> String {
    let (queue, ready) = (queue(), eventfd(1));
    add(&queue, &ready, sys::EPOLLIN).unwrap();
    let timeout = Timespec { tv_sec, tv_nsec };
    outcome(sys::epoll_pwait2(
        queue.as_fd(),
        &mut [MaybeUninit::uninit()],
        Some(&timeout),
        None,
    ))
}

#[test]
fn the_waits_refuse_what_the_table_says() {
    let empty = queue();
    let most = i32::MAX as usize / mem::size_of::<EpollEvent>();
    let unknown = wait_precisely(0, 0) == "ENOSYS";
    if unknown {
        common::left_out("the rows of epoll_pwait2 in arch-notes.md", "ENOSYS");
    }
    let looks_ahead = wait_raw(empty.as_fd(), most, None, 0) == "EFAULT";
    if looks_ahead {
        common::left_out(
            "the rows of the longest buffer in arch-notes.md",
            "this emulator wants all of the buffer to exist",
        );
    }
    for row in table_after("The waits:") {
        let [call, case, said] = &row[..] else {
            panic!("{row:?}")
        };
        let masked = |mask, size| wait_raw(empty.as_fd(), 1, mask, size);
        let found = match (call.as_str(), case.as_str()) {
            ("epoll_wait", "no room") => outcome(sys::epoll_wait(empty.as_fd(), &mut [], 0)),
            ("epoll_wait", _) if looks_ahead => continue,
            ("epoll_wait", "room for as many events as fit in INT_MAX bytes") => {
                wait_raw(empty.as_fd(), most, None, 0)
            }
            ("epoll_wait", "room for one event more") => wait_raw(empty.as_fd(), most + 1, None, 0),
            ("epoll_pwait", "no mask, size 0") => masked(None, 0),
            ("epoll_pwait", "no mask, size 128") => masked(None, 128),
            ("epoll_pwait", "a mask, size 8") => masked(Some(0), 8),
            ("epoll_pwait", "a mask, size 0") => masked(Some(0), 0),
            ("epoll_pwait", "a mask, size 16") => masked(Some(0), 16),
            ("epoll_pwait", "a mask, size 128") => masked(Some(0), 128),
            ("epoll_pwait2", _) if unknown => continue,
            ("epoll_pwait2", "tv_nsec of 999999999") => wait_precisely(0, 999_999_999),
            ("epoll_pwait2", "tv_nsec of 1000000000") => wait_precisely(0, 1_000_000_000),
            ("epoll_pwait2", "tv_nsec of -1") => wait_precisely(0, -1),
            ("epoll_pwait2", "tv_sec of -1") => wait_precisely(-1, 0),
            _ => panic!("no such case: {row:?}"),
        };
        assert_eq!(*said, found, "{call}, {case}");
    }
}

/// The first table below the line `heading`.
#[test]
fn the_parameters_of_a_queue_are_what_the_table_says() {
    kernel::alone(|| {
        let new = queue();
        if let Err(error) = sys::ioctl_epiocgparams(new.as_fd()) {
            assert_eq!(error.errno(), Errno::ENOTTY, "{error}");
            return common::left_out("the parameters of a queue", error);
        }
        kernel::become_nobody();
        let set = |params| outcome(sys::ioctl_epiocsparams(queue().as_fd(), &params));
        let params = EpollParams::default();
        check_rows("request", |asked| match (asked[0], asked[1]) {
            ("EPIOCGPARAMS", "a new queue") => {
                let params = sys::ioctl_epiocgparams(new.as_fd()).unwrap();
                let (usecs, budget) = (params.busy_poll_usecs, params.busy_poll_budget);
                format!("{usecs}, {budget}, {}", params.prefer_busy_poll)
            }
            ("EPIOCGPARAMS", "something that is no queue") => {
                outcome(sys::ioctl_epiocgparams(eventfd(0).as_fd()))
            }
            ("EPIOCSPARAMS", case) => set(match case {
                "2147483647 microseconds" => EpollParams {
                    busy_poll_usecs: 2_147_483_647,
                    ..params
                },
                "2147483648 microseconds" => EpollParams {
                    busy_poll_usecs: 2_147_483_648,
                    ..params
                },
                "a preference of 2" => EpollParams {
                    prefer_busy_poll: 2,
                    ..params
                },
                "a pad of 1" => EpollParams { pad: 1, ..params },
                "a budget of 64, without CAP_NET_ADMIN" => EpollParams {
                    busy_poll_budget: 64,
                    ..params
                },
                "a budget of 65, without CAP_NET_ADMIN" => EpollParams {
                    busy_poll_budget: 65,
                    ..params
                },
                other => panic!("no such case: {other}"),
            }),
            other => panic!("no such row: {other:?}"),
        });
    });
}

#[test]
fn a_request_tells_the_size_of_its_struct() {
    const WRITES: u32 = 1;
    const READS: u32 = 2;
    for (request, direction, count) in [
        (sys::EPIOCSPARAMS, WRITES, 1),
        (sys::EPIOCGPARAMS, READS, 2),
    ] {
        assert_eq!(request >> (14 + 16), direction);
        let size = request >> 16 & ((1 << 14) - 1);
        assert_eq!(size as usize, mem::size_of::<EpollParams>());
        assert_eq!((request >> 8 & 0xff, request & 0xff), (0x8a, count));
    }
}

fn table_after(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = NOTES
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading:?}"));
    let lines = below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .skip(2);
    lines
        .map_while(|line| line.starts_with('|').then(|| cells(line)))
        .collect()
}

#[test]
fn timeouts_are_counted_as_the_table_says() {
    for row in table_after("## Timeouts") {
        let (unit, none, longest) = match row[0].as_str() {
            // The type of the argument; that a negative one waits, see below.
            "epoll_wait" | "epoll_pwait" => {
                ("millisecond", "anything negative", i32::MAX.to_string())
            }
            "epoll_pwait2" => ("nanosecond", "a null pointer", "none".to_owned()),
            call => panic!("no such call: {call}"),
        };
        assert_eq!(row[1..], [unit, none, &longest]);
    }
    // Each value that waits without end is one that the kernel takes at its word.
    for negative in [-1, -2, i32::MIN] {
        let (queue, waking) = (queue(), eventfd(0));
        add(&queue, &waking, sys::EPOLLIN).unwrap();
        let count = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut room = [MaybeUninit::uninit(); 1];
                sys::epoll_wait(queue.as_fd(), &mut room, negative).map(|events| events.len())
            });
            std::thread::sleep(Duration::from_millis(20));
            sys::write(waking.as_fd(), &1u64.to_ne_bytes()).unwrap();
            waiting.join().unwrap()
        });
        assert_eq!(count, Ok(1), "timeout {negative}");
    }
}

#[test]
fn the_longest_timeout_is_a_little_under_25_days() {
    let longest = Duration::from_millis(i32::MAX as u64);
    let day = Duration::from_secs(24 * 60 * 60);
    assert!(
        longest < 25 * day && longest > 24 * day + day / 2,
        "{longest:?}"
    );
}

#[test]
fn a_registration_lives_as_the_steps_say() {
    let (queue, (reader, mut writer)) = (queue(), pipe());
    let mut first = Some(OwnedFd::from(reader));
    let mut duplicate = None;
    let mut closed = None;
    for row in table_after("## The life of a registration") {
        let found = match row[0].as_str() {
            "register a pipe's reading end, and duplicate it" => {
                let end = first.as_ref().unwrap();
                duplicate = Some(end.try_clone().unwrap());
                outcome(add(&queue, end, sys::EPOLLIN))
            }
            "close the first, write to the pipe, wait" => {
                closed = first.take().map(|end| end.as_raw_fd());
                writer.write_all(b"x").unwrap();
                events(look(&queue))
            }
            "deregister by the closed number" => {
                let number = closed.expect("closed in an earlier step");
                let (epfd, op) = (queue.as_raw_fd(), sys::EPOLL_CTL_DEL);
                // Other tests open descriptors meanwhile, and may get this number;
                // then it is not registered, which is as much of a refusal.
                // SAFETY: DEL reads no event.
                let refused =
                    unsafe { syscalls::syscall!(syscalls::Sysno::epoll_ctl, epfd, op, number, 0) };
                match refused {
                    Err(Errno::ENOENT | Errno::EPERM) => "EBADF".to_owned(),
                    Err(errno) => name(errno),
                    Ok(_) => "ok".to_owned(),
                }
            }
            "deregister the duplicate" => outcome(sys::epoll_ctl(
                queue.as_fd(),
                sys::EPOLL_CTL_DEL,
                duplicate.as_ref().unwrap().as_fd(),
                None,
            )),
            "register the duplicate, wait" => {
                add(&queue, duplicate.as_ref().unwrap(), sys::EPOLLIN).unwrap();
                events(look(&queue))
            }
            "close the duplicate, wait" => {
                duplicate = None;
                events(look(&queue))
            }
            step => panic!("no such step: {step}"),
        };
        assert_eq!(row[1], found, "{}", row[0]);
    }
}

fn events(count: usize) -> String {
    format!("{count} event{}", if count == 1 { "" } else { "s" })
}

#[test]
fn level_edge_and_oneshot_report_as_the_time_line_says() {
    let modes = [
        0,
        sys::EPOLLET,
        sys::EPOLLONESHOT,
        sys::EPOLLET | sys::EPOLLONESHOT,
    ];
    for (column, mode) in (1..).zip(modes) {
        let (queue, (mut reader, mut writer)) = (queue(), pipe());
        for row in table_after("## Level, edge, oneshot") {
            match row[0].as_str() {
                "register" => add(&queue, &reader, sys::EPOLLIN | mode).unwrap(),
                "write a byte" | "write another byte" => writer.write_all(b"x").unwrap(),
                "MOD" => ctl(&queue, sys::EPOLL_CTL_MOD, &reader, sys::EPOLLIN | mode).unwrap(),
                "read both bytes" => reader.read_exact(&mut [0; 2]).unwrap(),
                "wait again" => {}
                step => panic!("no such step: {step}"),
            }
            let found = if look(&queue) == 0 { "-" } else { "event" };
            assert_eq!(row[column], found, "{}, mode {mode:#x}", row[0]);
        }
    }
}

#[test]
fn queues_nest_as_deep_as_the_table_says() {
    check_rows("chain", |asked| {
        let length = match asked[0] {
            "2 queues, one in the other" => 2,
            "5 queues, each in the next" => 5,
            "6 queues, each in the next"
            | "6 queues, each in the next, the outermost link first" => 6,
            other => panic!("no such chain: {other}"),
        };
        let chain: Vec<_> = (0..length).map(|_| queue()).collect();
        let mut links: Vec<_> = chain.windows(2).collect();
        if asked[0].ends_with("the outermost link first") {
            links.reverse();
        }
        let (last, others) = links.split_last().expect("at least one link");
        for link in others {
            add(&link[1], &link[0], sys::EPOLLIN).unwrap();
        }
        outcome(add(&last[1], &last[0], sys::EPOLLIN))
    });
}

#[test]
fn counters_and_timers_answer_as_the_table_says() {
    let written = |fd: &OwnedFd, bytes: &[u8]| answer(sys::write(fd.as_fd(), bytes));
    let timer =
        || sys::timerfd_create(sys::CLOCK_MONOTONIC, sys::TFD_CLOEXEC | sys::TFD_NONBLOCK).unwrap();
    let set = |nanoseconds: i64| {
        let timer = timer();
        let it_value = Timespec {
            tv_sec: 0,
            tv_nsec: nanoseconds,
        };
        let setting = Itimerspec {
            it_interval: Timespec::default(),
            it_value,
        };
        sys::timerfd_settime(timer.as_fd(), 0, &setting).unwrap();
        if nanoseconds == 0 {
            let left = sys::timerfd_gettime(timer.as_fd()).unwrap();
            assert_eq!(left, Itimerspec::default());
            return "disarmed".to_owned();
        }
        let expired = common::wait_until(Duration::from_secs(10), || {
            sys::read(timer.as_fd(), &mut [0; 8]).ok()
        });
        assert_eq!(expired, Some(8));
        "expires".to_owned()
    };
    check_rows("case", |asked| match asked[0] {
        "write 8 bytes to an eventfd" => written(&eventfd(0), &1u64.to_ne_bytes()),
        "write 4 bytes to an eventfd" => written(&eventfd(0), &[0; 4]),
        "read an eventfd that stands at 0" => answer(sys::read(eventfd(0).as_fd(), &mut [0; 8])),
        "read 8 bytes from an eventfd" => answer(sys::read(eventfd(1).as_fd(), &mut [0; 8])),
        "read 4 bytes from an eventfd" => answer(sys::read(eventfd(1).as_fd(), &mut [0; 4])),
        "read a timerfd that has not expired" => answer(sys::read(timer().as_fd(), &mut [0; 8])),
        "set a timerfd to 0" => set(0),
        "set a timerfd to 1 nanosecond" => set(1),
        "write the value 18446744073709551615 to an eventfd" => {
            written(&eventfd(0), &u64::MAX.to_ne_bytes())
        }
        "write 1 to an eventfd that stands at 18446744073709551614" => {
            let full = eventfd(0);
            assert_eq!(
                written(&full, &18_446_744_073_709_551_614u64.to_ne_bytes()),
                "8"
            );
            written(&full, &1u64.to_ne_bytes())
        }
        "read 128 bytes from a signalfd with a signal pending" => {
            answer(sys::read(signalled(0).as_fd(), &mut [0; 128]))
        }
        "read 127 bytes from a signalfd with a signal pending" => {
            let signalfd = signalled(0);
            let short = answer(sys::read(signalfd.as_fd(), &mut [0; 127]));
            sys::read_signalfd(signalfd.as_fd()).unwrap();
            short
        }
        "read a signalfd with no signal pending" => {
            let signalfd = signalled(0);
            sys::read_signalfd(signalfd.as_fd()).unwrap();
            answer(sys::read(signalfd.as_fd(), &mut [0; 128]))
        }
        "open a signalfd with a set of 8 bytes" => signalfd_of(8),
        "open a signalfd with a set of 128 bytes" => match signalfd_of(128).as_str() {
            "ok" if common::is_emulated() => {
                common::left_out("the size of a signalfd's set", "this emulator takes any");
                name(Errno::EINVAL)
            }
            answer => answer.to_owned(),
        },
        // As it is in this program, by std's doing.
        "write to a pipe that nobody reads, with SIGPIPE ignored" => {
            let (_, writer) = pipe();
            answer(sys::write(writer.as_fd(), b"x"))
        }
        "read a pipe that nobody writes to" => {
            let (reader, _) = pipe();
            answer(sys::read(reader.as_fd(), &mut [0; 8]))
        }
        "read 16 bytes from an inotify with an event that has a name" => {
            let directory = std::env::temp_dir().join(format!("epore-case-{}", std::process::id()));
            let path = std::ffi::CString::new(directory.to_str().unwrap()).unwrap();
            std::fs::create_dir(&directory).unwrap();
            let inotify = sys::inotify_init1(sys::IN_CLOEXEC).unwrap();
            sys::inotify_add_watch(inotify.as_fd(), &path, sys::IN_CREATE).unwrap();
            File::create(directory.join("name")).unwrap();
            std::fs::remove_dir_all(&directory).unwrap();
            answer(sys::read(inotify.as_fd(), &mut [0; 16]))
        }
        "wait for a child that runs, by its pidfd, with WNOHANG" => {
            let mut child = child();
            let waited = by_pidfd(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            waited
        }
        "wait for a process that is no child, by its pidfd" => by_pidfd(std::process::id()),
        "wait for a pipe as if it were a pidfd" => {
            let (reader, _writer) = pipe();
            waited(reader.as_fd())
        }
        case => panic!("no such case: {case}"),
    });
}

fn signalfd_of(size: usize) -> String {
    let (set, call) = ([0u64; 16], syscalls::Sysno::signalfd4);
    let (new, start) = (-1, set.as_ptr());
    // SAFETY: the kernel reads no more than the 128 bytes of `set`.
    named(
        unsafe { syscalls::syscall!(call, new, start, size, 0) }.map(|number| {
            // SAFETY: the kernel has just opened it.
            drop(unsafe { OwnedFd::from_raw_fd(number as i32) });
        }),
    )
}

fn by_pidfd(process: u32) -> String {
    waited(sys::pidfd_open(process as i32).unwrap().as_fd())
}

fn waited(pidfd: BorrowedFd<'_>) -> String {
    match sys::waitid(sys::WaitId::Pidfd(pidfd), sys::WEXITED | sys::WNOHANG) {
        Ok(None) => "nothing".to_owned(),
        other => outcome(other),
    }
}

fn answer(result: Result<usize>) -> String {
    result.map_or_else(|error| name(error.errno()), |count| count.to_string())
}

/// A socket of one of the kinds of the table, without an address.
fn socket(kind: &str) -> OwnedFd {
    let (family, kind) = match kind {
        "TCP" => (sys::AF_INET, sys::SOCK_STREAM),
        "UDP" => (sys::AF_INET, sys::SOCK_DGRAM),
        "Unix stream" => (sys::AF_UNIX, sys::SOCK_STREAM),
        "Unix datagram" => (sys::AF_UNIX, sys::SOCK_DGRAM),
        other => panic!("no such kind: {other}"),
    };
    sys::socket(family, kind | sys::SOCK_NONBLOCK | sys::SOCK_CLOEXEC, 0).unwrap()
}

/// Binds to a path of so many bytes, and removes it.
fn bind_to_path(socket: &OwnedFd, length: usize, nul: bool) -> String {
    let directory = std::env::temp_dir();
    let start = format!(
        "{}/epore-notes-{}-",
        directory.display(),
        std::process::id()
    );
    let path = format!("{start:a<length$}");
    let mut bytes = sys::AF_UNIX.to_ne_bytes().to_vec();
    bytes.extend_from_slice(path.as_bytes());
    if nul {
        bytes.push(0);
    }
    let (number, start) = (socket.as_raw_fd(), bytes.as_ptr());
    // SAFETY: the kernel reads the bytes of the address.
    let bound = unsafe { syscalls::syscall!(syscalls::Sysno::bind, number, start, bytes.len()) };
    let made = std::fs::remove_file(path);
    assert_eq!(made.is_ok(), bound.is_ok());
    named(bound)
}

#[test]
fn sockets_answer_as_the_table_says() {
    let slices = [sys::IoSlice::new(b"x"); 1025];
    check_rows("kind", |asked| {
        let socket = socket(asked[0]);
        let path = Fresh::new();
        let connect = |addr: UnixAddr| outcome(UnixStream::connect_addr(&addr));
        let to_path = || outcome(UnixStream::connect(&path));
        let readv = |count: usize| {
            let (near, far) = UnixStream::pair().unwrap();
            let mut bytes = [0; 1025];
            let mut room: Vec<_> = bytes.chunks_mut(1).map(sys::IoSliceMut::new).collect();
            assert_eq!(near.write(&[7; 1025]).unwrap(), 1025);
            answer(sys::readv(far.as_fd(), &mut room[..count]))
        };
        // A connected pair that has ended reading, at the one end.
        let ended = |kind: i32| {
            let kind = kind | sys::SOCK_NONBLOCK | sys::SOCK_CLOEXEC;
            let (near, _far) = sys::socketpair(sys::AF_UNIX, kind, 0).unwrap();
            sys::shutdown(near.as_fd(), sys::SHUT_RD).unwrap();
            answer(sys::recvfrom(near.as_fd(), &mut [0; 8], 0).map(|(count, _)| count))
        };
        // A socket whose one datagram nobody received.
        let unheard = || {
            let gone = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            sys::connect(socket.as_fd(), &sys::getsockname(gone.as_fd()).unwrap()).unwrap();
            drop(gone);
            sys::sendto(socket.as_fd(), b"x", 0, None)
        };
        let receive = |flags: i32| {
            let to = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let addr = sys::getsockname(to.as_fd()).unwrap();
            sys::sendto(socket.as_fd(), &[7; 20], 0, Some(&addr)).unwrap();
            let received = common::wait_until(common::DEADLINE, || {
                sys::recvfrom(to.as_fd(), &mut [0; 4], flags).ok()
            });
            received.expect("a datagram").0.to_string()
        };
        match asked[1] {
            "bind to a path of 107 bytes and a NUL" => bind_to_path(&socket, 107, true),
            "bind to a path of 108 bytes" => bind_to_path(&socket, 108, false),
            "bind to a path of 109 bytes" => bind_to_path(&socket, 109, false),
            "bind to a path that exists" => {
                let _listener = UnixListener::bind(&path).unwrap();
                outcome(UnixListener::bind(&path))
            }
            "bind to no name" => {
                sys::bind(socket.as_fd(), &SockAddr::unix(b"").unwrap()).unwrap();
                let addr = UnixStream::from(socket).local_addr().unwrap();
                format!("a name of {} bytes", addr.as_abstract_name().unwrap().len())
            }
            "connect where as many wait as may" => {
                let listener = UnixListener::bind(&path).unwrap();
                sys::listen(listener.as_fd(), 0).unwrap();
                let _first = UnixStream::connect(&path).unwrap();
                to_path()
            }
            "connect to a path that is not there" => to_path(),
            "connect to the path of a listener that is gone" => {
                drop(UnixListener::bind(&path).unwrap());
                to_path()
            }
            "connect to the path of a datagram socket" => {
                let _datagrams = UnixDatagram::bind(&path).unwrap();
                to_path()
            }
            "connect to the name of a datagram socket" => {
                let datagrams = UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap();
                connect(datagrams.local_addr().unwrap())
            }
            "shut down, not connected" => outcome(sys::shutdown(socket.as_fd(), sys::SHUT_RDWR)),
            "read after shutting down reading" => ended(sys::SOCK_STREAM),
            "receive after shutting down reading" => ended(sys::SOCK_DGRAM),
            "send to a receiver without room" => {
                let (near, _far) = UnixDatagram::pair().unwrap();
                while near.send(b"x").is_ok() {}
                answer(near.send(b"x"))
            }
            "send to a path that is not there" => {
                answer(UnixDatagram::unbound().unwrap().send_to(b"x", &path))
            }
            "send to where nobody is" => answer(unheard()),
            "send there once more" => {
                unheard().unwrap();
                answer(sys::sendto(socket.as_fd(), b"x", 0, None))
            }
            "receive 20 bytes into 4" => receive(0),
            "receive 20 bytes into 4 with MSG_TRUNC" => receive(sys::MSG_TRUNC),
            "readv of 1024 slices" => readv(1024),
            "readv of 1025 slices" => readv(1025),
            "sendmsg of 1025 slices" => {
                let (near, _far) = UnixStream::pair().unwrap();
                answer(sys::sendmsg(near.as_fd(), &slices, 0))
            }
            case => panic!("no such case: {case}"),
        }
    });
}

#[test]
fn the_versions_are_those_of_the_man_pages() {
    check_rows("what", |asked| {
        let version = match asked[0] {
            "epoll" => "2.5.45",
            "EPOLLONESHOT" => "2.6.2",
            "EPOLLRDHUP" => "2.6.17",
            "epoll_pwait" => "2.6.19",
            "eventfd" => "2.6.22",
            "timerfd_create" => "2.6.25",
            "epoll_create1" | "eventfd2" => "2.6.27",
            "inotify_init1" | "pipe2" | "signalfd4" => "2.6.27",
            "accept4" => "2.6.28",
            "EPOLLWAKEUP" => "3.5",
            "aarch64" => "3.7",
            "SO_REUSEPORT" => "3.9",
            "EPOLLEXCLUSIVE" => "4.5",
            "pidfd_send_signal" => "5.1",
            "CLONE_PIDFD" => "5.2",
            "pidfd_open" => "5.3",
            "P_PIDFD" => "5.4",
            "epoll_pwait2" => "5.11",
            "EPIOCSPARAMS" => "6.9",
            other => panic!("no such row: {other}"),
        };
        version.to_owned()
    });
}

#[test]
fn the_hot_paths_use_the_numbers_and_layouts_of_the_tables() {
    use layout::{Packed, Plain};
    const ROOM: usize = 64;
    let [wait, _] = numbers("epoll_wait");
    let [_, pwait] = numbers("epoll_pwait");
    let (wait, pwait): (u32, u32) = (number(&wait), number(&pwait));
    let (packed, plain) = (mem::size_of::<Packed>(), mem::size_of::<Plain>());
    let (behind_packed, behind_plain) = (ROOM * packed, ROOM * plain);
    let sigset = mem::size_of::<sys::SigSet>();
    let exceptions = format!("errors, and counts above {ROOM}, are no less, unsigned");
    let lines = |heading: &str, lines: &[(String, String)]| {
        let count = lines.len();
        let mut listing = format!("{heading}: {count} instructions, the loop begins at 1\n\n");
        for (index, (instruction, comment)) in lines.iter().enumerate() {
            let label = [" 0:", "", " 1:"].get(index).unwrap_or(&"");
            let line = format!("{label:<5}{instruction:<39}{comment}");
            listing += line.trim_end();
            listing += "\n";
        }
        assert!(NOTES.contains(&listing), "not in the notes:\n{listing}");
    };
    let line = |instruction: &str, comment: &str| (instruction.to_owned(), comment.to_owned());
    lines(
        "x86_64",
        &[
            line(
                &format!("mov     qword ptr [rbx + {behind_packed:#x}], rax"),
                "so many events came",
            ),
            line("add     r14, rax", "what the caller does with them"),
            line(
                &format!("mov     qword ptr [rbx + {behind_packed:#x}], 0"),
                &format!("no events; their count is behind {ROOM} of {packed} bytes"),
            ),
            line(&format!("mov     eax, {wait:#x}"), "epoll_wait"),
            line(&format!("mov     edx, {ROOM:#x}"), "maxevents"),
            line("mov     rdi, r15", "epfd"),
            line("mov     rsi, rbx", "events"),
            line("mov     r10, -0x1", "timeout: none"),
            line("syscall", ""),
            line(&format!("cmp     rax, {:#x}", ROOM + 1), &exceptions),
            line("jb      0b", ""),
        ],
    );
    lines(
        "aarch64",
        &[
            line(
                &format!("str     x0, [x19, #{behind_plain:#x}]"),
                "so many events came",
            ),
            line("add     x20, x0, x20", "what the caller does with them"),
            line(
                &format!("str     xzr, [x19, #{behind_plain:#x}]"),
                &format!("no events; their count is behind {ROOM} of {plain} bytes"),
            ),
            line("mov     x0, x21", "epfd"),
            line(&format!("mov     w8, #{pwait:#x}"), "epoll_pwait"),
            line("mov     x1, x19", "events"),
            line(&format!("mov     w2, #{ROOM:#x}"), "maxevents"),
            line("mov     x3, #-0x1", "timeout: none"),
            line("mov     x4, xzr", "sigmask: none"),
            line(&format!("mov     w5, #{sigset:#x}"), "sigsetsize"),
            line("svc     #0", ""),
            line(&format!("cmp     x0, #{:#x}", ROOM + 1), &exceptions),
            line("b.lo    0b", ""),
        ],
    );
}

/// The notes without tables and drawings, one line, one space between words.
fn prose() -> String {
    let mut drawn = false;
    let kept = NOTES.lines().filter(|line| {
        let fence = line.starts_with("```");
        drawn ^= fence;
        !fence && !drawn && !line.starts_with('|')
    });
    kept.flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_number_in_prose_is_in_a_statement_that_names_its_proof() {
    let mut prose = prose();
    for (statement, proof) in STATEMENTS {
        assert!(
            prose.contains(statement),
            "the notes no longer say: {statement}"
        );
        assert!(!proof.is_empty());
        prose = prose.replace(statement, "");
    }
    let names = [
        "x86_64",
        "aarch64",
        "x32",
        "x86",
        "epoll_pwait2",
        "accept4",
        "epoll_create1",
        "eventfd2",
        "`r11`",
    ];
    for reference in references("test") {
        prose = prose.replace(&format!("[test: {reference}]"), "");
    }
    let rest = names
        .iter()
        .fold(prose, |rest, name| rest.replace(name, ""));
    let unproven: Vec<_> = rest
        .split(". ")
        .filter(|sentence| sentence.contains(|c: char| c.is_ascii_digit()))
        .collect();
    assert!(
        unproven.is_empty(),
        "numbers that no statement covers: {unproven:#?}"
    );
}

/// What stands between `[kind: ` and `]`, each time.
fn references(kind: &str) -> Vec<&'static str> {
    let opening = format!("[{kind}: ");
    let found: Vec<_> = NOTES
        .split(&opening)
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .collect();
    assert!(!found.is_empty(), "the notes name no {kind}");
    found
}

#[test]
fn every_test_that_the_notes_name_exists() {
    for reference in references("test") {
        let (file, function) = reference.split_once("::").expect("file::function");
        let source = SOURCES.iter().find(|(name, _)| *name == file);
        let (_, source) = source.unwrap_or_else(|| panic!("no such test file: {reference}"));
        let test = format!("#[test]\nfn {function}()");
        assert!(source.contains(&test), "no such test: {reference}");
    }
}

#[test]
fn every_assertion_that_the_notes_name_exists() {
    for reference in references("src") {
        let (source, assertion) = match reference {
            "lib.rs" => (include_str!("../../src/lib.rs"), "compile_error!("),
            "number.rs" => (include_str!("../../src/sys/number.rs"), "const_assert_eq!("),
            other => panic!("no such file: {other}"),
        };
        assert!(source.contains(assertion), "{reference} asserts nothing");
    }
}
