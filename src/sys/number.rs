//! The number of every system call this crate makes, on both architectures.

use static_assertions::const_assert_eq;
use syscalls::Sysno;

/// A system call that this crate makes, and its number per architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// Where the name begins in [`NAMES`]. A reference of its own for each would be two
    /// thirds of the table, which small programs have whole for the names in errors.
    name_start: u16,
    name_length: u8,
    /// How many arguments it takes.
    pub arguments: u8,
    x86_64: u16,
    aarch64: u16,
}

/// Instead of a number, in half the room of an `Option`.
const ABSENT: u16 = u16::MAX;

impl Syscall {
    /// The name, as in section 2 of the man pages and in the kernel's tables.
    pub fn name(&self) -> &'static str {
        let start = usize::from(self.name_start);
        let name = NAMES.get(start..start + usize::from(self.name_length));
        name.unwrap_or("?")
    }

    /// The number on x86_64, or `None` where that architecture lacks the call.
    pub const fn x86_64(&self) -> Option<u32> {
        present(self.x86_64)
    }

    /// The number on aarch64, or `None` where that architecture lacks the call.
    pub const fn aarch64(&self) -> Option<u32> {
        present(self.aarch64)
    }

    /// The number on the architecture this is compiled for.
    ///
    /// ```
    /// let pwait = epore::sys::SYSCALLS.iter().find(|call| call.name() == "epoll_pwait").unwrap();
    /// let expected = if cfg!(target_arch = "x86_64") { 281 } else { 22 };
    /// assert_eq!(pwait.number(), Some(expected));
    /// ```
    pub const fn number(&self) -> Option<u32> {
        if cfg!(target_arch = "x86_64") {
            self.x86_64()
        } else {
            self.aarch64()
        }
    }
}

const fn present(number: u16) -> Option<u32> {
    if number == ABSENT {
        None
    } else {
        Some(number as u32)
    }
}

/// A name that `call!` can use, if the call exists here.
macro_rules! number {
    ($name:ident absent) => {};
    ($name:ident $number:literal) => {
        #[allow(non_upper_case_globals)]
        pub(super) const $name: Sysno = Sysno::$name;
        const_assert_eq!(Sysno::$name as u32, $number);
    };
}

macro_rules! or_absent {
    (absent) => {
        ABSENT
    };
    ($number:literal) => {
        $number
    };
}

macro_rules! table {
    ($($name:ident $arguments:literal $x86_64:tt $aarch64:tt)*) => {
        $(
            #[cfg(target_arch = "x86_64")]
            number!($name $x86_64);
            #[cfg(target_arch = "aarch64")]
            number!($name $aarch64);
        )*

        /// The names, one after the other.
        const NAMES: &str = concat!($(stringify!($name)),*);

        const TABLE: [Syscall; [$(stringify!($name)),*].len()] = with_starts([$(
            Syscall {
                name_start: 0,
                name_length: stringify!($name).len() as u8,
                arguments: $arguments,
                x86_64: or_absent!($x86_64),
                aarch64: or_absent!($aarch64),
            },
        )*]);
    };
}

table! {
    // name           arguments    x86_64  aarch64
    accept4                 4         288      242
    bind                    3          49      200
    clock_gettime           2         228      113
    clone                   5          56      220
    close                   1           3       57
    connect                 3          42      203
    epoll_create1           1         291       20
    epoll_ctl               4         233       21
    epoll_pwait             6         281       22
    epoll_pwait2            6         441      441
    epoll_wait              4         232   absent
    eventfd2                2         290       19
    execve                  3          59      221
    exit_group              1         231       94
    fcntl                   3          72       25
    getpeername             3          52      205
    getsockname             3          51      204
    getsockopt              5          55      209
    inotify_add_watch       3         254       27
    inotify_init1           1         294       26
    inotify_rm_watch        2         255       28
    ioctl                   3          16       29
    listen                  2          50      201
    pidfd_open              2         434      434
    pidfd_send_signal       4         424      424
    pipe2                   2         293       59
    read                    3           0       63
    readv                   3          19       65
    recvfrom                6          45      207
    rt_sigaction            4          13      134
    rt_sigprocmask          4          14      135
    sendmsg                 3          46      211
    sendto                  6          44      206
    setsockopt              5          54      208
    shutdown                2          48      210
    signalfd4               4         289       74
    socket                  3          41      198
    socketpair              4          53      199
    timerfd_create          2         283       85
    timerfd_gettime         2         287       87
    timerfd_settime         4         286       86
    waitid                  5         247       95
    write                   3           1       64
}

/// Every system call this crate makes. A call that is not listed here cannot be issued:
/// the table is where the raw layer takes its numbers from, checked at compile time
/// against those of the `syscalls` crate.
pub const SYSCALLS: &[Syscall] = &TABLE;

const fn with_starts<const N: usize>(mut table: [Syscall; N]) -> [Syscall; N] {
    let (mut at, mut start) = (0, 0);
    while at < N {
        table[at].name_start = start;
        start += table[at].name_length as u16;
        at += 1;
    }
    table
}

/// The name of a call of the table. `Sysno::name` knows it too, at the price of
/// every system call's name in the executable.
pub(crate) fn name(sysno: Sysno) -> &'static str {
    let listed = SYSCALLS
        .iter()
        .find(|call| call.number() == Some(sysno as u32));
    listed.map_or("?", Syscall::name)
}
