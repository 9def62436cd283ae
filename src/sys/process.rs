use core::convert::Infallible;
use core::ffi::{CStr, c_char};
use core::mem;
use core::ptr;

use static_assertions::const_assert_eq;

use super::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use super::signal::{Disposition, SIG_SETMASK, SIGCHLD, SIGPIPE, SigSet};
use super::{O_CLOEXEC, Result, number, own, pipe2, read, rt_sigaction, rt_sigprocmask, write};
use crate::{Errno, Error};

/// For [`waitid`]: answer at once, with `None` if there is nothing to tell.
pub const WNOHANG: i32 = 1;
/// For [`waitid`]: children that a signal has stopped.
pub const WSTOPPED: i32 = 2;
/// For [`waitid`]: children that have ended.
pub const WEXITED: i32 = 4;
/// For [`waitid`]: children that have continued.
pub const WCONTINUED: i32 = 8;
/// For [`waitid`]: only look, and leave the child to be waited for.
pub const WNOWAIT: i32 = 0x0100_0000;

/// The child has exited, with a code.
pub const CLD_EXITED: i32 = 1;
/// A signal has ended the child.
pub const CLD_KILLED: i32 = 2;
/// A signal has ended the child, and the kernel has written a core.
pub const CLD_DUMPED: i32 = 3;
/// The child stops for its tracer.
pub const CLD_TRAPPED: i32 = 4;
/// The child was stopped.
pub const CLD_STOPPED: i32 = 5;
/// The child goes on.
pub const CLD_CONTINUED: i32 = 6;

/// How many arguments, or variables of the environment, a program can be started
/// with here. They are gathered where there is no heap.
pub const MAX_ARGUMENTS: usize = 255;

/// Of which children [`waitid`] is to tell.
#[derive(Clone, Copy, Debug)]
pub enum WaitId<'fd> {
    /// Of any.
    #[doc(alias = "P_ALL")]
    All,
    /// Of the one with this number.
    #[doc(alias = "P_PID")]
    Pid(i32),
    /// Of those in this process group; 0: in that of the caller (Linux 5.4).
    #[doc(alias = "P_PGID")]
    Pgid(i32),
    /// Of the one that the descriptor refers to (Linux 5.4).
    #[doc(alias = "P_PIDFD")]
    Pidfd(BorrowedFd<'fd>),
}

/// The kernel's `siginfo_t`, as far as [`waitid`] fills it.
#[doc(alias = "siginfo_t")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Siginfo {
    /// [`SIGCHLD`].
    pub si_signo: i32,
    /// 0.
    pub si_errno: i32,
    /// What has happened: one of the `CLD_…`.
    pub si_code: i32,
    padding: i32,
    /// The child.
    pub si_pid: i32,
    /// Its user.
    pub si_uid: u32,
    /// The exit code, or the signal.
    pub si_status: i32,
    rest: [[u32; 5]; 5],
}

const_assert_eq!(mem::size_of::<Siginfo>(), 128);
const_assert_eq!(mem::align_of::<Siginfo>(), 8);
const_assert_eq!(mem::offset_of!(Siginfo, si_code), 8);
const_assert_eq!(mem::offset_of!(Siginfo, si_pid), 16);
const_assert_eq!(mem::offset_of!(Siginfo, si_uid), 20);
const_assert_eq!(mem::offset_of!(Siginfo, si_status), 24);

/// `waitid(idtype, id, infop, options, NULL)`: what has become of a child. One that
/// has ended is reaped, unless [`WNOWAIT`] asks not to.
///
/// See [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html).
///
/// # Errors
///
/// - `ECHILD`: no such child, or it was reaped before, or `SIGCHLD` is ignored.
/// - `EINVAL`: no event among `options`, an unknown one, or
///   [`Pidfd`](WaitId::Pidfd) before Linux 5.4.
/// - `EBADF`: not a pidfd.
/// - `EINTR`: a signal was handled.
pub fn waitid(id: WaitId<'_>, options: i32) -> Result<Option<Siginfo>> {
    let (idtype, id) = match id {
        WaitId::All => (0, 0),
        WaitId::Pid(pid) => (1, pid),
        WaitId::Pgid(group) => (2, group),
        WaitId::Pidfd(pidfd) => (3, pidfd.as_raw_fd()),
    };
    let mut info = Siginfo::default();
    let infop = ptr::from_mut(&mut info);
    // SAFETY: the kernel writes at most the 128 bytes of `info`, before it returns;
    // any bytes are valid there, and a null pointer tells it to write no usage.
    unsafe { call!(waitid, idtype, id, infop, options, 0) }?;
    Ok((info.si_pid != 0).then_some(info))
}

/// `pidfd_open(pid, 0)`: a descriptor of a process, readable when that has ended;
/// closed on `execve`.
///
/// See [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html).
/// Linux 5.3.
///
/// # Errors
///
/// - `ESRCH`: no such process.
/// - `EINVAL`: `pid` is not positive.
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENODEV`, `ENOMEM`: the kernel cannot provide it.
pub fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let ret = unsafe { call!(pidfd_open, pid, 0) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// `pidfd_send_signal(pidfd, sig, NULL, 0)`: sends a signal to the process that the
/// descriptor refers to, and never to another one that has got its number. Signal 0
/// only asks whether it could be sent.
///
/// See [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html).
/// Linux 5.1.
///
/// # Errors
///
/// - `ESRCH`: it has ended and was waited for.
/// - `EPERM`: not allowed.
/// - `EINVAL`: no such signal.
/// - `EBADF`: not a pidfd.
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, sig: i32) -> Result<()> {
    // SAFETY: a null pointer tells the kernel to fill in the information itself.
    unsafe { call!(pidfd_send_signal, pidfd.as_raw_fd(), sig, 0, 0) }?;
    Ok(())
}

/// `execve(pathname, argv, envp)`: becomes another program, with at most
/// [`MAX_ARGUMENTS`] arguments and as many variables; comes back only if that fails.
///
/// `argv` begins with the program's own name, and `envp` consists of `NAME=value`.
///
/// See [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html).
///
/// # Errors
///
/// - `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`: nothing is there, or its
///   interpreter is missing.
/// - `EACCES`, `EPERM`: it may not be executed.
/// - `ENOEXEC`: not a program.
/// - `E2BIG`: too many arguments and variables, or too long ones.
/// - `ETXTBSY`: it is open for writing.
/// - `ENOMEM`, `EMFILE`, `ENFILE`, `EIO`, `EINVAL`, `EAGAIN`: the kernel cannot load it.
pub fn execve(pathname: &CStr, argv: &[&CStr], envp: &[&CStr]) -> Result<Infallible> {
    let (argv, envp) = (pointers(argv)?, pointers(envp)?);
    let (argv, envp) = (argv.as_ptr(), envp.as_ptr());
    // SAFETY: each is a text that ends with a zero, or an array of pointers to such
    // texts that ends with a null pointer, and the kernel reads them before it returns.
    Err(
        match unsafe { call!(execve, pathname.as_ptr(), argv, envp) } {
            Err(error) => error,
            // It does not return from a success.
            Ok(_) => Error::new(number::execve, Errno::ENOSYS),
        },
    )
}

/// An array of pointers as the kernel takes it: the first null pointer ends it.
fn pointers(texts: &[&CStr]) -> Result<[*const c_char; MAX_ARGUMENTS + 1]> {
    let mut pointers = [ptr::null(); MAX_ARGUMENTS + 1];
    if texts.len() > MAX_ARGUMENTS {
        return Err(Error::new(number::execve, Errno::E2BIG));
    }
    for (pointer, text) in pointers.iter_mut().zip(texts) {
        *pointer = text.as_ptr();
    }
    Ok(pointers)
}

/// `clone(CLONE_PIDFD | CLONE_VFORK | SIGCHLD)` and, in the child, [`execve`]: starts
/// a program, and returns its number and its pidfd.
///
/// The child has a copy of the memory, as after `fork`, and runs nothing of the
/// caller's: it gives `SIGPIPE` its [default](Disposition::Default) back, blocks no
/// signal, and becomes the program. What the caller ignores otherwise, and every
/// descriptor that is not closed on `execve`, it inherits. The calling thread waits
/// until it is known whether the program could be loaded; if not, the error is that of
/// the child, and the child is gone.
///
/// See [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html). Linux 5.4.
///
/// # Errors
///
/// Those of [`execve`], [`pipe2`], and
///
/// - `EINVAL`, of `waitid`: the kernel is older than Linux 5.4.
/// - `EAGAIN`, of `clone`: the limit on processes (`RLIMIT_NPROC`, or that of the
///   cgroup).
/// - `ENOMEM`, of `clone`: the kernel has no memory for it.
#[doc(alias = "fork")]
#[doc(alias = "posix_spawn")]
pub fn clone_execve(pathname: &CStr, argv: &[&CStr], envp: &[&CStr]) -> Result<(i32, OwnedFd)> {
    const CLONE_PIDFD: i32 = 0x1000;
    const CLONE_VFORK: i32 = 0x4000;

    let (reader, writer) = pipe2(O_CLOEXEC)?;
    can_wait_for_pidfds(reader.as_fd())?;
    let mut pidfd = -1i32;
    let (flags, opened) = (
        CLONE_PIDFD | CLONE_VFORK | SIGCHLD,
        ptr::from_mut(&mut pidfd),
    );
    // SAFETY: the kernel writes the one `int` before it returns. Without `CLONE_VM`
    // nothing of the child's is the caller's memory, so the child may run on this
    // stack; and it never leaves this function.
    let pid = unsafe { call!(clone, flags, 0, opened, 0, 0) }?;
    if pid == 0 {
        become_program(pathname, argv, envp, writer.as_fd());
    }
    if pidfd < 0 {
        return Err(Error::new(number::clone, Errno::ENOSYS));
    }
    // SAFETY: the kernel has just opened it.
    let pidfd = unsafe { own(pidfd as usize) };
    drop(writer);
    match failure(reader.as_fd()) {
        None => Ok((pid as i32, pidfd)),
        Some(error) => {
            let pidfd = WaitId::Pidfd(pidfd.as_fd());
            while waitid(pidfd, WEXITED).is_err_and(|error| error.is_interrupted()) {}
            Err(error)
        }
    }
}

/// An older kernel would take the flag for a pidfd as no flag at all, and start a
/// child that nothing can be done about.
fn can_wait_for_pidfds(other: BorrowedFd<'_>) -> Result<()> {
    match waitid(WaitId::Pidfd(other), WEXITED | WNOHANG) {
        Err(error) if error.errno() != Errno::EBADF => Err(error.because(match error.errno() {
            Errno::EINVAL => Some("pidfds can be waited for since Linux 5.4"),
            _ => None,
        })),
        _ => Ok(()),
    }
}

/// What the child does: it becomes the program, or tells why not and ends.
fn become_program(pathname: &CStr, argv: &[&CStr], envp: &[&CStr], report: BorrowedFd<'_>) -> ! {
    let Err(error) = rt_sigaction(SIGPIPE, Disposition::Default)
        .and_then(|()| rt_sigprocmask(SIG_SETMASK, SigSet::EMPTY))
        .and_then(|_| execve(pathname, argv, envp));
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&(error.sysno() as u32).to_ne_bytes());
    bytes[4..].copy_from_slice(&error.errno().into_raw().to_ne_bytes());
    // If it cannot even tell, the exit code is what shells have for it.
    let _ = write(report, &bytes);
    exit_group(127)
}

/// What the child has told: nothing, because `execve` has closed its end of the pipe.
fn failure(report: BorrowedFd<'_>) -> Option<Error> {
    let mut bytes = [0; 8];
    let length = loop {
        match read(report, &mut bytes) {
            Err(error) if error.is_interrupted() => {}
            outcome => break outcome,
        }
    };
    let (call, errno) = bytes.split_at(4);
    if length != Ok(bytes.len()) {
        return None;
    }
    let steps = [number::rt_sigaction, number::rt_sigprocmask];
    let step = steps
        .into_iter()
        .find(|step| call == (*step as u32).to_ne_bytes());
    let errno = errno
        .first_chunk()
        .map_or(0, |errno| i32::from_ne_bytes(*errno));
    Some(Error::new(
        step.unwrap_or(number::execve),
        Errno::new(errno),
    ))
}

fn exit_group(code: i32) -> ! {
    loop {
        // SAFETY: the call takes no pointer.
        let _ = unsafe { call!(exit_group, code) };
    }
}
