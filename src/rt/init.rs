//! What falls to the program that the kernel starts itself, on a machine that has
//! no other: nobody has brought the network up, and nobody will switch it off.
//!
//! `rdinit=/init` on the kernel's command line and this executable as `/init` of the
//! initial file system make such a machine.

use super::Out;
use core::fmt::Write;
use syscalls::{Sysno, syscall};

const RB_ENABLE_CAD: usize = 0x89ab_cdef;
const RB_POWER_OFF: usize = 0x4321_fedc;

const STDOUT: usize = 1;

/// Before the program runs.
pub fn begin() {
    if is_first() {
        raise_loopback();
    }
}

/// After it has ended with `code`: does not come back if the machine is ours.
pub fn end(code: u8) {
    const TCSBRK: usize = 0x5409;
    /// For `TCSBRK`: no break, only wait until everything is written.
    const DRAIN: usize = 1;

    if !is_first() {
        return;
    }
    let code = usize::from(code);
    let _ = writeln!(Out::stdout(), "exit code {code}, power off");
    // SAFETY: no memory.
    let _ = unsafe { syscall!(Sysno::ioctl, STDOUT, TCSBRK, DRAIN) };
    // SAFETY: no memory.
    let _ = unsafe { syscall!(Sysno::sync) };
    let _ = reboot(RB_POWER_OFF);
}

/// Whether this is the machine's first process. A container has a process 1 as
/// well, but to that one the kernel grants neither Ctrl-Alt-Delete nor the switch;
/// on a machine that has just started, the former is enabled already.
fn is_first() -> bool {
    // SAFETY: no memory.
    let id = unsafe { syscall!(Sysno::getpid) };
    id == Ok(1) && reboot(RB_ENABLE_CAD).is_ok()
}

fn reboot(command: usize) -> Result<usize, syscalls::Errno> {
    const MAGIC: usize = 0xfee1_dead;
    const MAGIC2: usize = 672_274_793;

    // SAFETY: neither command reads the fourth argument, the only pointer.
    unsafe { syscall!(Sysno::reboot, MAGIC, MAGIC2, command) }
}

/// Sets the interface `lo` up, which gives it its addresses too. If that fails, the
/// first use of the network says so.
fn raise_loopback() {
    const AF_INET: usize = 2;
    const SOCK_DGRAM: usize = 2;
    const SIOCSIFFLAGS: usize = 0x8914;
    const IFF_UP: u16 = 1;

    /// `struct ifreq`, as far as this command reads it.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }
    let mut request = Request {
        name: [0; 16],
        flags: IFF_UP,
        rest: [0; 22],
    };
    request.name[..2].copy_from_slice(b"lo");

    // SAFETY: no memory.
    let Ok(socket) = (unsafe { syscall!(Sysno::socket, AF_INET, SOCK_DGRAM, 0) }) else {
        return;
    };
    // SAFETY: the kernel reads the `ifreq` at `request`, during the call only.
    let _ = unsafe { syscall!(Sysno::ioctl, socket, SIOCSIFFLAGS, &raw const request) };
    // SAFETY: no memory; the descriptor was opened above and is in no one else's hands.
    let _ = unsafe { syscall!(Sysno::close, socket) };
}
