//! The processors that the kernel lets the program run on.

use core::mem::size_of_val;
use syscalls::{Sysno, syscall};

/// Whether there are several: while this program looks out on one, others can do on the
/// next what it looks out for.
pub fn has_company() -> bool {
    /// A bit for each processor, and more bits than any kernel has processors.
    const WORDS: usize = 128;
    const SELF: usize = 0;

    let mut mask = [0u64; WORDS];
    // SAFETY: the kernel writes no more than the mask has room for, during the call; any
    // bits are a valid `u64`.
    let known = unsafe {
        syscall!(
            Sysno::sched_getaffinity,
            SELF,
            size_of_val(&mask),
            mask.as_mut_ptr()
        )
    };
    // In each word, the first bit and whether there is another: smaller than to count them.
    let bits = |word: u64| u32::from(word != 0) + u32::from(word & word.wrapping_sub(1) != 0);
    known.is_ok() && mask.into_iter().map(bits).sum::<u32>() > 1
}

/// Lets others go first who wait for this processor. It cannot fail.
pub fn give_way() {
    // SAFETY: the call takes no argument.
    let _ = unsafe { syscall!(Sysno::sched_yield) };
}
