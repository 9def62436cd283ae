//! The system calls that supervising programs needs beyond those of `epore`, one safe
//! function each.

use core::ffi::{CStr, c_char};
use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use epore::Errno;
use epore::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

pub type Result<T> = core::result::Result<T, Failure>;

/// A system call that failed, and with which errno.
pub struct Failure(&'static str, Errno);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0, self.1.name().unwrap_or("?"))
    }
}

impl From<epore::Error> for Failure {
    fn from(error: epore::Error) -> Self {
        Self(error.syscall(), error.errno())
    }
}

macro_rules! call {
    ($name:ident $(, $argument:expr)*) => {
        syscalls::syscall!(syscalls::Sysno::$name $(, $argument)*)
            .map_err(|errno| Failure(stringify!($name), errno))
    };
}

const AT_FDCWD: isize = -100;
const O_CLOEXEC: usize = 0o2_000_000;
const SIGKILL: usize = 9;
const SIGPIPE: usize = 13;
const SIGCHLD: usize = 17;

/// Mounts a file system of the kernel's own, `kind`, at `target`.
pub fn mount(kind: &CStr, target: &CStr) -> Result<()> {
    let (kind, target) = (kind.as_ptr(), target.as_ptr());
    // SAFETY: three strings that end with a zero, read during the call only; there
    // are no flags and, null, no options.
    unsafe { call!(mount, kind, target, kind, 0, ptr::null::<u8>()) }?;
    Ok(())
}

/// Sets how many descriptors a process may have, for this one and all it starts.
pub fn limit_descriptors(count: u64) -> Result<()> {
    const SELF: usize = 0;
    const RLIMIT_NOFILE: usize = 7;

    let limits = [count; 2];
    let limits = limits.as_ptr();
    // SAFETY: the kernel reads two words, what is allowed and the most that may be
    // asked for, during the call only; the old ones are not wanted, hence null.
    unsafe { call!(prlimit64, SELF, RLIMIT_NOFILE, limits, ptr::null::<u8>()) }?;
    Ok(())
}

/// Opens a file for reading.
pub fn open(path: &CStr) -> Result<OwnedFd> {
    // SAFETY: a string that ends with a zero, read during the call only.
    let fd = unsafe { call!(openat, AT_FDCWD, path.as_ptr(), O_CLOEXEC) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A pipe: the end to read from, and the end to write to.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors, during the call only.
    unsafe { call!(pipe2, ends.as_mut_ptr(), O_CLOEXEC) }?;
    // SAFETY: the kernel has just opened it.
    let reader = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: the kernel has just opened it.
    let writer = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    Ok((reader, writer))
}

/// The console, which the kernel opened as the standard streams.
pub fn console() -> BorrowedFd<'static> {
    // SAFETY: the runtime sees to it that descriptor 1 is open, and nobody closes it.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// A process that this one has started. Its descriptor is readable once it has ended.
pub struct Child {
    id: usize,
    process: OwnedFd,
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

/// Returns twice: with the child, and in the child with `None`.
pub fn fork() -> Result<Option<Child>> {
    const CLONE_PIDFD: usize = 0x1000;
    const NO_STACK: usize = 0;

    let mut process: RawFd = -1;
    // SAFETY: the child goes on with a copy of all memory, this stack included, and
    // there is one thread, so the copy is all of the program. In the parent the
    // kernel writes the descriptor, during the call only.
    match unsafe { call!(clone, CLONE_PIDFD | SIGCHLD, NO_STACK, &raw mut process) }? {
        0 => Ok(None),
        id => {
            // SAFETY: the kernel has just opened it.
            let process = unsafe { OwnedFd::from_raw_fd(process) };
            Ok(Some(Child { id, process }))
        }
    }
}

/// Makes this process the leader of a session of its own, without a terminal.
pub fn setsid() -> Result<()> {
    // SAFETY: no memory.
    unsafe { call!(setsid) }?;
    Ok(())
}

/// Goes to `directory`.
pub fn chdir(directory: &CStr) -> Result<()> {
    // SAFETY: a string that ends with a zero, read during the call only.
    unsafe { call!(chdir, directory.as_ptr()) }?;
    Ok(())
}

/// Has the standard stream `number` be `fd`, also in the program that follows.
pub fn redirect(fd: BorrowedFd<'_>, number: RawFd) -> Result<()> {
    // SAFETY: no memory. The standard streams stay open, if as something else.
    unsafe { call!(dup3, fd.as_raw_fd(), number, 0) }?;
    Ok(())
}

/// Undoes that the runtime ignores `SIGPIPE`, which the next program would inherit.
pub fn notice_broken_pipes() -> Result<()> {
    // A `struct sigaction`: handler, flags, restorer and mask, a word each.
    const DEFAULT: [usize; 4] = [0; 4];
    const MASK_SIZE: usize = 8;

    // SAFETY: the kernel reads `DEFAULT`, a constant; the old action is not wanted.
    unsafe { call!(rt_sigaction, SIGPIPE, DEFAULT.as_ptr(), 0, MASK_SIZE) }?;
    Ok(())
}

/// The most strings that `Strings` holds.
const MOST: usize = 31;

/// What `execve` takes for arguments and environment: pointers to strings, and a null
/// after the last.
pub struct Strings<'s> {
    pointers: [*const c_char; MOST + 1],
    count: usize,
    strings: PhantomData<&'s CStr>,
}

impl<'s> Strings<'s> {
    pub const fn new() -> Self {
        Self {
            pointers: [ptr::null(); MOST + 1],
            count: 0,
            strings: PhantomData,
        }
    }

    /// `None`: there is no room for it.
    pub fn push(&mut self, string: &'s CStr) -> Option<()> {
        let (_the_null, room) = self.pointers.split_last_mut()?;
        *room.get_mut(self.count)? = string.as_ptr();
        self.count += 1;
        Some(())
    }

    pub fn first(&self) -> Option<&'s CStr> {
        let first = self.pointers[..self.count].first()?;
        // SAFETY: the pointer of a string that outlives `self`.
        Some(unsafe { CStr::from_ptr(*first) })
    }
}

/// Becomes the program `path`. Returns only if that fails.
pub fn execve(path: &CStr, arguments: &Strings<'_>, environment: &Strings<'_>) -> Failure {
    let (argv, envp) = (arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    // SAFETY: a string that ends with a zero and two lists of such strings that end
    // with a null, read before this memory makes room for the program's.
    match unsafe { call!(execve, path.as_ptr(), argv, envp) } {
        Ok(_) => unreachable!("there is nobody left to return to"),
        Err(failure) => failure,
    }
}

/// Ends this process.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: no memory; the call ends the process.
        let _ = unsafe { call!(exit_group, code) };
    }
}

/// Kills every process but the first, which is the one that may call this.
pub fn kill_all_others() {
    const EVERYBODY: isize = -1;

    // It fails if there is no other process, and that is fine too.
    // SAFETY: no memory.
    let _ = unsafe { call!(kill, EVERYBODY, SIGKILL) };
}

/// How a process ended.
pub enum End {
    Exited(u8),
    Killed(u8),
}

/// Waits until `child` and every orphan that came to this process has ended.
pub fn reap(child: &Child) -> Result<End> {
    const ANY: isize = -1;

    let mut end = None;
    loop {
        let mut status: u32 = 0;
        // SAFETY: the kernel writes the status, during the call only, and no usage of
        // resources, hence null.
        match unsafe { call!(wait4, ANY, &raw mut status, 0, ptr::null::<u8>()) } {
            Ok(id) if id == child.id => end = Some(status),
            Ok(_orphan) => {}
            Err(failure) => {
                // There is nobody left to wait for.
                let status = end.ok_or(failure)?;
                return Ok(match status as u8 & 0x7f {
                    0 => End::Exited((status >> 8) as u8),
                    signal => End::Killed(signal),
                });
            }
        }
    }
}
