//! What the machine is, and what its kernel writes, as bytes.

use epore::fd::{AsRawFd, BorrowedFd};
use syscalls::{Errno, Sysno, syscall};

/// `struct new_utsname`: six texts of the same length, each ended by a zero.
pub struct Machine([[u8; 65]; 6]);

impl Machine {
    /// Asks the kernel.
    pub fn this() -> Self {
        let mut texts = [[0; 65]; 6];
        // SAFETY: the kernel writes one `new_utsname`, which is these six texts, during
        // the call. It cannot fail; were it to, the texts would be empty.
        let _ = unsafe { syscall!(Sysno::uname, texts.as_mut_ptr()) };
        Self(texts)
    }

    /// `Linux`.
    pub fn system(&self) -> &[u8] {
        self.text(0)
    }

    /// `6.12.0` and what its builder has added.
    pub fn release(&self) -> &[u8] {
        self.text(2)
    }

    fn text(&self, index: usize) -> &[u8] {
        let text = self.0.get(index).map_or(&[][..], |text| text);
        text.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

/// Room for two events and more, with every byte the kernel does not write still as
/// it was.
#[repr(C, align(8))]
pub struct Bytes(pub [u8; 40]);

/// Waits on `queue` for at most two events, into `room`. Returns how many came.
pub fn wait_for_two(queue: BorrowedFd<'_>, room: &mut Bytes) -> Result<usize, Errno> {
    const TWO: usize = 2;
    const NO_MASK: usize = 0;

    let (queue, start) = (queue.as_raw_fd(), room.0.as_mut_ptr());
    // SAFETY: the kernel writes two events of 12 or 16 bytes at most, all inside
    // `room`, during the call; any byte is a valid `u8`.
    unsafe { syscall!(Sysno::epoll_pwait, queue, start, TWO, 0, NO_MASK, 0) }
}
