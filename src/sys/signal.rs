use core::mem;
use core::ptr;

use static_assertions::const_assert_eq;

use super::fd::{AsRawFd, BorrowedFd, OwnedFd};
use super::{Result, own};

/// The terminal is gone; to many services: read your settings again.
pub const SIGHUP: i32 = 1;
/// Ctrl-C.
pub const SIGINT: i32 = 2;
/// Ctrl-\.
pub const SIGQUIT: i32 = 3;
/// An instruction that does not exist.
pub const SIGILL: i32 = 4;
/// A breakpoint.
pub const SIGTRAP: i32 = 5;
/// `abort`.
pub const SIGABRT: i32 = 6;
/// Memory that does not exist behind its address.
pub const SIGBUS: i32 = 7;
/// A division by zero, and the like.
pub const SIGFPE: i32 = 8;
/// Ends the process; cannot be blocked, ignored or waited for.
pub const SIGKILL: i32 = 9;
/// For the program's own use.
pub const SIGUSR1: i32 = 10;
/// An address that is not the process's.
pub const SIGSEGV: i32 = 11;
/// For the program's own use.
pub const SIGUSR2: i32 = 12;
/// A write to a pipe or socket that nobody reads any more.
pub const SIGPIPE: i32 = 13;
/// A timer of `alarm`.
pub const SIGALRM: i32 = 14;
/// Please end.
pub const SIGTERM: i32 = 15;
/// A child has ended, stopped or continued.
pub const SIGCHLD: i32 = 17;
/// Go on.
pub const SIGCONT: i32 = 18;
/// Stops the process; cannot be blocked, ignored or waited for.
pub const SIGSTOP: i32 = 19;
/// Ctrl-Z.
pub const SIGTSTP: i32 = 20;
/// The terminal was read from the background.
pub const SIGTTIN: i32 = 21;
/// The terminal was written to from the background.
pub const SIGTTOU: i32 = 22;
/// A socket has urgent data.
pub const SIGURG: i32 = 23;
/// The limit on processor time is reached.
pub const SIGXCPU: i32 = 24;
/// The limit on the size of files is reached.
pub const SIGXFSZ: i32 = 25;
/// A timer of processor time.
pub const SIGVTALRM: i32 = 26;
/// A timer of processor time, for profilers.
pub const SIGPROF: i32 = 27;
/// The terminal has another size.
pub const SIGWINCH: i32 = 28;
/// A descriptor is ready, where `F_SETOWN` asked for that.
pub const SIGIO: i32 = 29;
/// The power is failing; containers: power off.
pub const SIGPWR: i32 = 30;
/// A system call that does not exist, or that a filter refuses.
pub const SIGSYS: i32 = 31;

/// For [`rt_sigprocmask`]: block these too.
pub const SIG_BLOCK: i32 = 0;
/// For [`rt_sigprocmask`]: block these no more.
pub const SIG_UNBLOCK: i32 = 1;
/// For [`rt_sigprocmask`]: block these, and no others.
pub const SIG_SETMASK: i32 = 2;

/// For [`signalfd4`]: close it on `execve`.
pub const SFD_CLOEXEC: i32 = 0o2000000;
/// For [`signalfd4`]: answer `EAGAIN` where a read would block.
pub const SFD_NONBLOCK: i32 = 0o4000;

/// A set of signals as the kernel takes it: 64 bits, signal `n` at bit `n - 1`.
///
/// libc's `sigset_t` is 128 bytes, of which the kernel reads these eight.
///
/// ```
/// use epore::sys::{SIGINT, SIGKILL, SIGTERM, SigSet};
///
/// const ENDING: SigSet = SigSet::of(&[SIGINT, SIGTERM]);
/// assert!(ENDING.contains(SIGTERM));
/// assert!(!ENDING.contains(SIGKILL));
/// assert_eq!(ENDING.without(SIGTERM), SigSet(0b10));
/// ```
#[doc(alias = "sigset_t")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct SigSet(pub u64);

const_assert_eq!(mem::size_of::<SigSet>(), 8);

/// The kernel's `struct signalfd_siginfo`: a signal that was read.
///
/// Each kind of signal fills some of the fields; the others are 0.
#[doc(alias = "signalfd_siginfo")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SignalfdSiginfo {
    /// Which signal.
    pub ssi_signo: u32,
    /// Unused.
    pub ssi_errno: i32,
    /// Why: a `SI_…`, negative or 0 if a process has sent it; of a `SIGCHLD` a `CLD_…`.
    pub ssi_code: i32,
    /// The sender, or the child.
    pub ssi_pid: u32,
    /// Its user.
    pub ssi_uid: u32,
    /// Of a `SIGIO`: the descriptor.
    pub ssi_fd: i32,
    /// Of a timer: which.
    pub ssi_tid: u32,
    /// Of a `SIGIO`: what is ready.
    pub ssi_band: u32,
    /// Of a timer: how many expirations have no signal of their own.
    pub ssi_overrun: u32,
    /// Of a fault: the processor's number for it.
    pub ssi_trapno: u32,
    /// Of a `SIGCHLD`: the exit code or the signal.
    pub ssi_status: i32,
    /// Of `sigqueue` or a timer: what was sent along, as an `int`.
    pub ssi_int: i32,
    /// The same as a pointer, of which the `int` is the first half.
    pub ssi_ptr: u64,
    /// Of a `SIGCHLD`: processor time in user space, in ticks.
    pub ssi_utime: u64,
    /// Of a `SIGCHLD`: processor time in the kernel, in ticks.
    pub ssi_stime: u64,
    /// Of a fault: the address.
    pub ssi_addr: u64,
    /// Of a `SIGBUS`: how many of the address's bits do not count.
    pub ssi_addr_lsb: u16,
    padding: u16,
    /// Of a `SIGSYS`: the system call.
    pub ssi_syscall: i32,
    /// Of a `SIGSYS`: where it was made.
    pub ssi_call_addr: u64,
    /// Of a `SIGSYS`: the architecture of the call.
    pub ssi_arch: u32,
    rest: [u32; 7],
}

const_assert_eq!(mem::size_of::<SignalfdSiginfo>(), 128);
const_assert_eq!(mem::offset_of!(SignalfdSiginfo, ssi_pid), 12);
const_assert_eq!(mem::offset_of!(SignalfdSiginfo, ssi_status), 40);
const_assert_eq!(mem::offset_of!(SignalfdSiginfo, ssi_ptr), 48);
const_assert_eq!(mem::offset_of!(SignalfdSiginfo, ssi_syscall), 84);
const_assert_eq!(mem::offset_of!(SignalfdSiginfo, ssi_arch), 96);

impl SigSet {
    /// No signal.
    #[doc(alias = "sigemptyset")]
    pub const EMPTY: Self = Self(0);

    /// Every signal that a program may use.
    ///
    /// - The kernel leaves out `SIGKILL` and `SIGSTOP` by itself, wherever a set is used.
    /// - With the feature `std`, 32 and 33 are left out, and with musl 34 too. The C library
    ///   keeps them for itself: `setgid` waits for each thread to handle one, and would hang.
    #[doc(alias = "sigfillset")]
    pub const ALL: Self = Self(u64::MAX).without_reserved();

    /// The signals that the C library keeps for itself, if there is one.
    const RESERVED: &[i32] = match (cfg!(feature = "std"), cfg!(target_env = "musl")) {
        (true, true) => &[32, 33, 34],
        (true, false) => &[32, 33],
        (false, _) => &[],
    };

    /// These but the signals that the C library keeps for itself.
    #[inline]
    pub(crate) const fn without_reserved(self) -> Self {
        Self(self.0 & !Self::of(Self::RESERVED).0)
    }

    /// Whether the C library keeps `signal` for itself.
    pub(crate) const fn is_reserved(signal: i32) -> bool {
        Self::of(Self::RESERVED).contains(signal)
    }

    /// These signals.
    pub const fn of(signals: &[i32]) -> Self {
        let (mut set, mut index) = (Self::EMPTY, 0);
        while index < signals.len() {
            set = set.with(signals[index]);
            index += 1;
        }
        set
    }

    /// These and `signal`. Signals are 1 to 64: other numbers add none.
    #[doc(alias = "sigaddset")]
    #[must_use]
    pub const fn with(self, signal: i32) -> Self {
        Self(self.0 | bit(signal))
    }

    /// These but `signal`.
    #[doc(alias = "sigdelset")]
    #[must_use]
    pub const fn without(self, signal: i32) -> Self {
        Self(self.0 & !bit(signal))
    }

    /// Whether `signal` is one of them.
    #[doc(alias = "sigismember")]
    pub const fn contains(self, signal: i32) -> bool {
        self.0 & bit(signal) != 0
    }
}

const fn bit(signal: i32) -> u64 {
    match signal {
        1..=64 => 1 << (signal - 1),
        _ => 0,
    }
}

/// What a signal does to the process, as far as it needs no code of the program.
#[doc(alias = "sigaction")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html) says:
    /// most signals end the process.
    #[doc(alias = "SIG_DFL")]
    Default = 0,
    /// Nothing. Programs that are started inherit that.
    #[doc(alias = "SIG_IGN")]
    Ignore = 1,
}

/// `rt_sigaction(signum, act, NULL, 8)` with one of the two dispositions that are
/// no function.
///
/// Where there is a C library, leave 32 and 33 to it, and 34 to musl: see [`SigSet::ALL`]. This
/// call does not.
///
/// See [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html).
///
/// # Errors
///
/// - `EINVAL`: no such signal, or `SIGKILL` or `SIGSTOP`.
pub fn rt_sigaction(signum: i32, disposition: Disposition) -> Result<()> {
    // The kernel's `struct sigaction`: handler, flags, restorer and mask.
    let action = [disposition as usize, 0, 0, 0];
    let (action, size) = (ptr::from_ref(&action), mem::size_of::<SigSet>());
    // SAFETY: the kernel reads the four words of `action` before it returns, none of
    // them an address, and a null pointer tells it to write no old action.
    unsafe { call!(rt_sigaction, signum, action, 0, size) }?;
    Ok(())
}

/// `rt_sigprocmask(how, set, oldset, 8)`: changes which signals the calling thread
/// blocks, and returns those it blocked before. A blocked signal stays pending.
///
/// Where there is a C library, leave 32 and 33 to it, and 34 to musl: see [`SigSet::ALL`]. This
/// call does not.
///
/// See [sigprocmask(2)](https://man7.org/linux/man-pages/man2/sigprocmask.2.html).
///
/// # Errors
///
/// - `EINVAL`: `how` is none of the three.
#[doc(alias = "sigprocmask")]
#[doc(alias = "pthread_sigmask")]
pub fn rt_sigprocmask(how: i32, set: SigSet) -> Result<SigSet> {
    let mut old = SigSet::EMPTY;
    let (set, before) = (ptr::from_ref(&set), ptr::from_mut(&mut old));
    // SAFETY: the kernel reads the eight bytes of `set` and writes those of `old`,
    // before it returns.
    unsafe { call!(rt_sigprocmask, how, set, before, mem::size_of::<SigSet>()) }?;
    Ok(old)
}

/// `signalfd4(-1, mask, 8, flags)`: opens what reads the pending signals of a set.
///
/// They have to be [blocked](rt_sigprocmask), or they do what they do instead of
/// waiting to be [read](read_signalfd).
///
/// See [signalfd(2)](https://man7.org/linux/man-pages/man2/signalfd.2.html).
/// Linux 2.6.27.
///
/// # Errors
///
/// - `EINVAL`: an unknown bit in `flags`.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENODEV`, `ENOMEM`: the kernel cannot provide it.
#[doc(alias = "signalfd")]
pub fn signalfd4(mask: SigSet, flags: i32) -> Result<OwnedFd> {
    const NEW: i32 = -1;
    let mask = ptr::from_ref(&mask);
    // SAFETY: the kernel reads the eight bytes of `mask` before it returns.
    let ret = unsafe { call!(signalfd4, NEW, mask, mem::size_of::<SigSet>(), flags) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// [`read`](super::read) of one signal from a `signalfd`.
///
/// See [signalfd(2)](https://man7.org/linux/man-pages/man2/signalfd.2.html).
///
/// # Errors
///
/// - `EAGAIN`: a non-blocking descriptor has none to read now.
/// - `EINTR`: another signal was handled.
/// - Those of what else `fd` may be.
pub fn read_signalfd(fd: BorrowedFd<'_>) -> Result<SignalfdSiginfo> {
    let mut info = SignalfdSiginfo::default();
    let buf = ptr::from_mut(&mut info);
    // SAFETY: the kernel writes at most the 128 bytes of `info` before it returns; any
    // bytes are valid there.
    unsafe { call!(read, fd.as_raw_fd(), buf, mem::size_of::<SignalfdSiginfo>()) }?;
    Ok(info)
}
