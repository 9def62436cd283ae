//! The number of every system call this crate makes, on both architectures.

use static_assertions::const_assert_eq;
use syscalls::Sysno;

/// A system call that this crate makes, and its number per architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// The name, as in section 2 of the man pages and in the kernel's tables.
    pub name: &'static str,
    /// The number on x86_64, or `None` where that architecture lacks the call.
    pub x86_64: Option<u32>,
    /// The number on aarch64, or `None` where that architecture lacks the call.
    pub aarch64: Option<u32>,
}

impl Syscall {
    /// The number on the architecture this is compiled for.
    ///
    /// ```
    /// let pwait = epore::sys::SYSCALLS.iter().find(|call| call.name == "epoll_pwait").unwrap();
    /// let expected = if cfg!(target_arch = "x86_64") { 281 } else { 22 };
    /// assert_eq!(pwait.number(), Some(expected));
    /// ```
    pub const fn number(&self) -> Option<u32> {
        if cfg!(target_arch = "x86_64") {
            self.x86_64
        } else {
            self.aarch64
        }
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

macro_rules! or_none {
    (absent) => {
        None
    };
    ($number:literal) => {
        Some($number)
    };
}

macro_rules! table {
    ($($name:ident $x86_64:tt $aarch64:tt)*) => {
        $(
            #[cfg(target_arch = "x86_64")]
            number!($name $x86_64);
            #[cfg(target_arch = "aarch64")]
            number!($name $aarch64);
        )*

        /// Every system call this crate makes. A call that is not listed here
        /// cannot be issued: the table is where the raw layer takes its numbers
        /// from, checked at compile time against those of the `syscalls` crate.
        pub const SYSCALLS: &[Syscall] = &[$(
            Syscall {
                name: stringify!($name),
                x86_64: or_none!($x86_64),
                aarch64: or_none!($aarch64),
            },
        )*];
    };
}

table! {
    // name          x86_64  aarch64
    accept4             288      242
    bind                 49      200
    clock_gettime       228      113
    close                 3       57
    connect              42      203
    epoll_create1       291       20
    epoll_ctl           233       21
    epoll_pwait         281       22
    epoll_pwait2        441      441
    epoll_wait          232   absent
    eventfd2            290       19
    fcntl                72       25
    getpeername          52      205
    getsockname          51      204
    getsockopt           55      209
    listen               50      201
    read                  0       63
    sendto               44      206
    setsockopt           54      208
    shutdown             48      210
    socket               41      198
    timerfd_create      283       85
    timerfd_gettime     287       87
    timerfd_settime     286       86
    write                 1       64
}

/// The name of a call of the table. `Sysno::name` knows it too, at the price of
/// every system call's name in the executable.
pub(crate) fn name(sysno: Sysno) -> &'static str {
    let listed = SYSCALLS
        .iter()
        .find(|call| call.number() == Some(sysno as u32));
    listed.map_or("?", |call| call.name)
}
