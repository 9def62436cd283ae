//! Watching a part of the program make its system calls, as the kernel sees them.
//!
//! The part runs in a process of its own, and `ptrace` stops it at each call. What is
//! watched is the same code that runs unwatched: nothing in it knows, and nothing in
//! it costs.

use core::mem;
use syscalls::{Errno, Sysno, syscall};

/// A system call that was made: its number and arguments, and what came back.
pub struct Call {
    pub number: u64,
    pub arguments: [u64; 6],
    pub result: i64,
}

const SIGTRAP: i32 = 5;
const SIGCHLD: usize = 17;
const SIGSTOP: usize = 19;

const PTRACE_TRACEME: usize = 0;
const PTRACE_SYSCALL: usize = 24;
const PTRACE_SETOPTIONS: usize = 0x4200;
const PTRACE_GET_SYSCALL_INFO: usize = 0x420e;

/// Marks the stops at system calls, to tell them from a real `SIGTRAP`.
const PTRACE_O_TRACESYSGOOD: usize = 0x01;
/// The watched process ends with the one that watches.
const PTRACE_O_EXITKILL: usize = 0x10_0000;
const SYSCALL_STOP: i32 = SIGTRAP | 0x80;

/// `struct ptrace_syscall_info`, the same on every architecture.
#[derive(Default)]
#[repr(C)]
struct Info {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    /// At the entry the number and the arguments, at the exit the result.
    words: [u64; 7],
}

const ENTRY: u8 = 1;
const EXIT: u8 = 2;

/// Runs `program` in a process of its own, and shows each system call it makes.
/// Returns its exit code. The call that ends it never comes back, so it is not shown.
///
/// `ENOSYS` or `EPERM`: there is no watching here, because an emulator does not know
/// how, or a filter forbids it; `EIO`: the kernel is older than Linux 5.3.
pub fn trace(program: &mut dyn FnMut() -> u8, seen: &mut dyn FnMut(&Call)) -> Result<u8, Errno> {
    let child = Child::start(program)?;
    if let Status::Exited(errno) = child.wait()? {
        return Err(Errno::new(errno.into()));
    }
    child.ask(PTRACE_SETOPTIONS, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)?;

    let mut entered: Option<[u64; 7]> = None;
    let mut signal = 0;
    loop {
        child.ask(PTRACE_SYSCALL, signal)?;
        signal = 0;
        match child.wait()? {
            Status::Exited(code) => return Ok(code),
            Status::Stopped(SYSCALL_STOP) => {
                let info = child.info()?;
                match (info.op, entered.take()) {
                    (ENTRY, _) => entered = Some(info.words),
                    (EXIT, Some([number, arguments @ ..])) => {
                        let [result, ..] = info.words;
                        let result = result as i64;
                        seen(&Call {
                            number,
                            arguments,
                            result,
                        });
                    }
                    _ => {}
                }
            }
            // Anything else is a signal of its own, which it is to have.
            Status::Stopped(number) => signal = number as usize,
        }
    }
}

/// A watched process.
struct Child {
    id: usize,
}

enum Status {
    Exited(u8),
    Stopped(i32),
}

impl Child {
    /// Starts one, which stops before it runs `program`, or else ends with the errno
    /// that kept it from that.
    fn start(program: &mut dyn FnMut() -> u8) -> Result<Self, Errno> {
        // SAFETY: no memory is shared: the new process goes on with a copy of this
        // one's, and this program has one thread, so nothing is missing in it.
        let id = unsafe { syscall!(Sysno::clone, SIGCHLD, 0, 0, 0, 0) }?;
        if id != 0 {
            return Ok(Self { id });
        }
        let code = match stop_for_the_watcher() {
            Ok(()) => program(),
            Err(errno) => errno.into_raw() as u8,
        };
        loop {
            // SAFETY: no memory; the call ends the process.
            let _ = unsafe { syscall!(Sysno::exit_group, code) };
        }
    }

    /// Waits until it stops or ends.
    fn wait(&self) -> Result<Status, Errno> {
        let mut status = 0i32;
        loop {
            // SAFETY: the kernel writes the one `i32` at `status`, during the call.
            match unsafe { syscall!(Sysno::wait4, self.id, &raw mut status, 0, 0) } {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(match (status & 0x7f, status >> 8 & 0xff) {
            (0x7f, signal) => Status::Stopped(signal),
            (0, code) => Status::Exited(code as u8),
            // As a shell has it for a program that a signal ended.
            (signal, _) => Status::Exited(128 + signal as u8),
        })
    }

    /// A request that takes no memory.
    fn ask(&self, request: usize, data: usize) -> Result<(), Errno> {
        // SAFETY: neither of the two requests reads or writes memory of ours.
        unsafe { syscall!(Sysno::ptrace, request, self.id, 0, data) }?;
        Ok(())
    }

    /// The call that it has stopped at.
    fn info(&self) -> Result<Info, Errno> {
        let mut info = Info::default();
        let size = mem::size_of::<Info>();
        let at = &raw mut info;
        // SAFETY: the kernel writes at most `size` bytes at `info`, during the call;
        // all of its fields are integers.
        unsafe { syscall!(Sysno::ptrace, PTRACE_GET_SYSCALL_INFO, self.id, size, at) }?;
        Ok(info)
    }
}

fn stop_for_the_watcher() -> Result<(), Errno> {
    // SAFETY: no memory.
    unsafe { syscall!(Sysno::ptrace, PTRACE_TRACEME, 0, 0, 0) }?;
    // SAFETY: no memory.
    let id = unsafe { syscall!(Sysno::getpid) }?;
    // SAFETY: no memory; the process stops here until the watcher lets it go on.
    unsafe { syscall!(Sysno::kill, id, SIGSTOP) }?;
    Ok(())
}
