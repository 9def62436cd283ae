//! Which wakes need a system call: the protocol between a queue and its wakers.
//!
//! One thread polls the queue (the *poller*), any threads wake it. They share a [`WakeState`]. It
//! does no I/O: its users write to the wakers' eventfds and wait for the kernel's events.
//!
//! # The word
//!
//! ```text
//!  63                19     18        17       16    15           0
//! +--------------------+---------+--------+-------+----------------+
//! |       epoch        | EXPOSED | WAKING | AWAKE | a pending bit  |
//! |                    |         |        |       | for each slot  |
//! +--------------------+---------+--------+-------+----------------+
//! ```
//!
//! The queue is in one of three states:
//!
//! - *asleep* (neither AWAKE nor EXPOSED): the poller may be in a blocking wait. A wake writes to
//!   its eventfd, unless such a write has been made in this sleep already.
//! - *awake* (AWAKE): the poller is between two waits, or in a non-blocking poll. A wake sets the
//!   pending bit of its slot and writes nothing. The next poll reports it.
//! - *exposed* (EXPOSED): other code knows a descriptor of the queue or of a waker, and may wait
//!   for it. Every wake writes, for ever.
//!
//! Wakers that are not used leave the queue asleep, and its polls only load the word.
//!
//! # The algorithm
//!
//! ```text
//! wake(slot):
//! W1    fence;  if on_its_way(slot, word):  return
//! W2    w = word, and in the same step:  awake: set bit(slot)   asleep: set WAKING
//!       if w was awake, or on_its_way(slot, w):  return
//! W3    write to the eventfd of the slot
//! W4    written_in[slot] = epoch of w
//!
//! on_its_way(slot, w):
//!       awake: bit(slot) is set in w     asleep: written_in[slot] == epoch of w     exposed: no
//!
//! poll(timeout):
//! P1    if word has neither AWAKE nor a pending bit:  go to P4
//! P2    if no bit is pending:  if timeout != 0 { clear AWAKE };  go to P4
//! P3    non-blocking epoll_wait;  clear pending bits;  fence;  report both;  return
//! P4    epoll_wait(timeout)
//! P5    if it returned events, and word has WAKING:
//!           asleep: AWAKE with the next epoch     exposed: clear WAKING;     then fence
//!
//! expose():
//! E1    word: clear AWAKE, set EXPOSED, leave WAKING;  fence
//! E2    for each pending bit: write to the eventfd of the slot, then clear the bit
//!
//! release(slot):
//! R1    word: clear bit(slot), next epoch
//! R2    the slot is free
//! ```
//!
//! Every change of the word is one compare-exchange (acquire and release), so they all have one
//! order, and each sees what happened before the earlier ones.
//!
//! # Why it is right
//!
//! 1. *A wake that changes the word loses nothing.* If W2 comes before P2, P2 sees the bit. If it
//!    comes after P2, it sees the queue asleep, and writes. If it comes before P5, P5 acquires all
//!    that the waking thread did before.
//! 2. *A wake that only loads the word (W1) loses nothing.* Two fences pair. The waking thread:
//!    its data, fence, load of the word. The poller: P3 or P5 changes the word, fence, load of the
//!    data. If the fence of W1 comes first, the poller sees the data. If the poller's comes first,
//!    the load in W1 sees the changed word, in which the wake is no longer on its way.
//! 3. *Exposing counts as such a change* (E1), and a thread that only loads cannot tell who made
//!    it. E1 has a fence for the threads that get the descriptor from it. The poller, which may be
//!    in a wait that began before, has its own: E1 leaves the WAKING of a wake that has written, so
//!    that P5 fences once more.
//! 4. *No wake depends on a thread that was held up.* W4 comes after the write. A thread that is
//!    stopped between W2 and W3, or whose write fails, keeps no other wake from writing.
//! 5. *What one sleep has noted means nothing in the next.* Each P5 and R1 begins a new epoch, and
//!    `written_in` holds the epoch of W2. A W4 that comes late stores an old epoch, and costs at
//!    most one write that was not needed.
//! 6. *No waker is reported for another one.* P3 reads the tokens before it clears the bits, and
//!    clears them only if the word is unchanged. A slot that was released in between has changed
//!    the epoch, so that P3 starts again.
//! 7. *The epoch does not wrap.* After the last one the queue is exposed at the next P5, and R1
//!    leaves the slot unused.
//! 8. *A wake that is pending when the queue is exposed is not lost if its write fails*: the bit
//!    stays, and P1 sees it. If the poller and E2 meet, the wake is reported twice.
//! 9. *A non-blocking poll leaves the queue awake* (P2): its thread does not sleep, so the next
//!    wake need not write.
//!
//! What was tried and dropped: a bit that a wake sets *before* its write, for the others to rely
//! on. It needs no epoch, but a thread that is held up before its write would hold up all others.
//!
//! `written_in` stands apart from the word, because the thread that stores it has just woken one
//! that loads the word.
//!
//! `tests/wakes` tries every interleaving of this file, `shared.rs` and the atomics below them.

use core::array;
use core::ops::Deref;

use crate::sys::{AtomicWord, fence};

/// How many wakers of a queue take part. Any others write for every wake.
pub(crate) const SLOTS: u32 = 16;

/// A bit for each slot whose wake the next poll reports.
const PENDING_BITS: u64 = (1 << SLOTS) - 1;

// The state is in low bits, which one instruction can test in memory.
const AWAKE: u64 = 1 << SLOTS;
/// A wake has written, or is about to, and no wait has returned events since.
const WAKING: u64 = AWAKE << 1;
const EXPOSED: u64 = AWAKE << 2;

const FIRST_EPOCH: u64 = AWAKE << 3;
const EPOCH_BITS: u64 = !(FIRST_EPOCH - 1);

/// In `written_in`: no write was made. An epoch has no low bits.
const NEVER: u64 = 1;

/// What a queue and its wakers share to spare system calls; see the head of this file.
#[derive(Debug)]
pub(crate) struct WakeState {
    word: CacheLine,
    /// A bit for each slot that has a waker.
    claimed: AtomicWord,
    /// The epoch in which the slot's waker last wrote.
    written_in: [AtomicWord; SLOTS as usize],
    tokens: [AtomicWord; SLOTS as usize],
}

/// The epoch in which a waker writes.
#[derive(Debug, PartialEq)]
pub(crate) struct Epoch(u64);

/// An [`AtomicWord`] in a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct CacheLine(AtomicWord);

impl Deref for CacheLine {
    type Target = AtomicWord;

    #[inline]
    fn deref(&self) -> &AtomicWord {
        &self.0
    }
}

/// Slots whose pending wakes the poller has taken, and the tokens of their wakers.
#[derive(Debug)]
pub(crate) struct Taken {
    slots: u64,
    first: u32,
    tokens: [u64; SLOTS as usize],
}

impl WakeState {
    pub(crate) fn new() -> Self {
        Self::in_epoch(FIRST_EPOCH)
    }

    /// A queue that is asleep and has only one epoch left.
    #[cfg(test)]
    #[allow(dead_code, reason = "the models of tests/wakes use it")]
    pub(crate) fn near_the_last_epoch() -> Self {
        Self::in_epoch(EPOCH_BITS - FIRST_EPOCH)
    }

    fn in_epoch(epoch: u64) -> Self {
        Self {
            word: CacheLine(AtomicWord::new(epoch)),
            claimed: AtomicWord::new(0),
            written_in: array::from_fn(|_| AtomicWord::new(NEVER)),
            tokens: array::from_fn(|_| AtomicWord::new(0)),
        }
    }

    /// Claims a slot for a waker that is reported with `token`, if one is free.
    pub(crate) fn claim_slot(&self, token: u64) -> Option<u32> {
        let claimed = self
            .claimed
            .update(|claimed| match claimed.trailing_ones() {
                SLOTS.. => claimed,
                slot => claimed | bit(slot),
            });
        let slot = claimed.trailing_ones();
        if slot >= SLOTS {
            return None;
        }
        // Published by the waker's first W2, which releases, to P3, which acquires.
        self.tokens[slot as usize].store(token);
        Some(slot)
    }

    /// Frees the slot of a waker that is dropped. Its pending wake is gone.
    pub(crate) fn release_slot(&self, slot: u32) {
        // R1. The new epoch tells a P3 under way that the token it has read may be another's.
        let before = self
            .word
            .update(|word| next_epoch(word).unwrap_or(word) & !bit(slot));
        if next_epoch(before).is_none() {
            return;
        }
        // R2. `written_in` keeps an epoch that has passed, so it means nothing to the next waker.
        self.claimed.update(|claimed| claimed & !bit(slot));
    }

    /// Marks a wake. Returns the epoch to give to [`record_write`](Self::record_write) if it needs
    /// a write, and `None` if it is reported without one.
    #[inline]
    pub(crate) fn begin_wake(&self, slot: u32) -> Option<Epoch> {
        // W1. A wake whose event is on its way only loads the word, so many threads can wake at
        // once without contending for its cache line. Pairs with the fences in `take_pending`,
        // `begin_epoch` and `expose`: either they come later, and their thread sees what this
        // one did before; or this load sees what they have changed.
        fence();
        if self.is_on_its_way(slot, self.word.load()) {
            return None;
        }
        // W2. Pairs with P2, which sees the bit, or makes this see the queue asleep; and with P5,
        // which sees WAKING if it has got the event of this wake.
        let word = self.word.update(|word| match word & (AWAKE | EXPOSED) {
            0 => word | WAKING,
            AWAKE => word | bit(slot),
            _ => word,
        });
        let needs_write = word & AWAKE == 0 && !self.is_on_its_way(slot, word);
        needs_write.then_some(Epoch(word & EPOCH_BITS))
    }

    /// Records that the write of a wake was made (W4), for later ones of the same sleep.
    #[inline]
    pub(crate) fn record_write(&self, slot: u32, epoch: Epoch) {
        self.written_in[slot as usize].store(epoch.0);
    }

    /// Whether an event that the poller has not got yet will report a wake of this slot.
    #[inline]
    fn is_on_its_way(&self, slot: u32, word: u64) -> bool {
        let is_asleep = word & (AWAKE | EXPOSED) == 0;
        if is_asleep {
            self.written_in[slot as usize].load() == word & EPOCH_BITS
        } else {
            // In an exposed queue AWAKE is clear, and no wake is on its way.
            let pending = AWAKE | bit(slot);
            word & pending == pending
        }
    }

    /// Whether there is anything to do before the poller may wait (P1).
    #[inline]
    pub(crate) fn is_awake_or_pending(&self) -> bool {
        // A relaxed load suffices: only the poller sets AWAKE, bits are only set in an awake
        // queue, and P2 looks again.
        self.word.load() & (AWAKE | PENDING_BITS) != 0
    }

    /// Whether wakes are pending.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending_count() != 0
    }

    /// How many wakes are pending.
    pub(crate) fn pending_count(&self) -> u32 {
        (self.word.load() & PENDING_BITS).count_ones()
    }

    /// Puts the queue to sleep (P2), unless wakes are pending. Returns whether it may wait.
    pub(crate) fn try_sleep(&self) -> bool {
        // Pairs with W2: a wake that comes before leaves its bit, one that comes later writes.
        let word = self.word.update(|word| match word & PENDING_BITS {
            0 => word & !AWAKE,
            _ => word,
        });
        word & PENDING_BITS == 0
    }

    /// Takes up to `most` pending wakes (P3), that of slot `first` and those after it before any
    /// others.
    pub(crate) fn take_pending(&self, most: usize, first: u32) -> Taken {
        let mut taken = Taken {
            slots: 0,
            first,
            tokens: [0; SLOTS as usize],
        };
        let mut word = self.word.load_acquire();
        loop {
            taken.slots = 0;
            for slot in in_turn(word & PENDING_BITS, first).take(most) {
                taken.slots |= bit(slot);
                taken.tokens[slot as usize] = self.tokens[slot as usize].load();
            }
            // Fails if a slot was released since the word was loaded, so that the tokens are
            // those of the wakers whose bits it clears.
            match self.word.compare_exchange(word, word & !taken.slots) {
                found if found == word => break,
                found => word = found,
            }
        }
        // Pairs with the fence in `begin_wake`: a thread that saw its bit set, and went without
        // a write, has done before what the caller reads from here on.
        fence();
        taken
    }

    /// Makes the queue awake if a wake is among what ended its wait (P5). To be called after
    /// each wait that returned events.
    #[inline]
    pub(crate) fn end_sleep(&self) {
        // A relaxed load suffices. W2 happens before W3, and that before the wait that got the
        // event, so this sees the WAKING of every event that the wait has returned.
        if self.word.load() & WAKING != 0 {
            self.begin_epoch();
        }
    }

    #[cold]
    fn begin_epoch(&self) {
        self.word.update(|word| match word & EXPOSED {
            0 => next_epoch(word).map_or(EXPOSED, |word| word & EPOCH_BITS | AWAKE),
            _ => word & !WAKING,
        });
        // Pairs with the fence in `begin_wake`: a thread that saw the sleep that has just ended,
        // and went without a write, has done before what the caller reads from here on. If the
        // queue was exposed during the wait, that thread has seen the word as it was before.
        fence();
    }

    /// Makes every wake write from now on (E1), because other code gets to know a descriptor.
    /// Returns the slots whose wakes are pending: their eventfds have to be written to, and then
    /// [`clear_pending`](Self::clear_pending) called.
    pub(crate) fn expose(&self) -> impl Iterator<Item = u32> {
        let word = self.word.update(|word| match word & EXPOSED {
            0 => word & !AWAKE | EXPOSED,
            _ => word,
        });
        // Pairs with the fence in `begin_wake`, for the threads that wait for the descriptor.
        fence();
        let pending = match word & EXPOSED {
            0 => word & PENDING_BITS,
            _ => 0,
        };
        in_turn(pending, 0)
    }

    /// Clears the bit of a wake that was written after all.
    pub(crate) fn clear_pending(&self, slot: u32) {
        self.word.update(|word| word & !bit(slot));
    }

    #[inline]
    pub(crate) fn is_exposed(&self) -> bool {
        self.word.load() & EXPOSED != 0
    }
}

impl Taken {
    /// The slots and the tokens, in the order in which they are to be reported.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        in_turn(self.slots, self.first).map(|slot| (slot, self.tokens[slot as usize]))
    }
}

/// The word in its next epoch. `None` if it is in the last one.
fn next_epoch(word: u64) -> Option<u64> {
    word.checked_add(FIRST_EPOCH)
}

/// The slots of these bits: `first`, those after it, then those before it.
fn in_turn(bits: u64, first: u32) -> impl Iterator<Item = u32> {
    let before = bits & (bit(first) - 1);
    let mut parts = [bits & !before, before];
    core::iter::from_fn(move || {
        let part = parts.iter_mut().find(|part| **part != 0)?;
        let slot = part.trailing_zeros();
        *part &= *part - 1;
        Some(slot)
    })
}

const fn bit(slot: u32) -> u64 {
    1 << slot
}
