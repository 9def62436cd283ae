//! Which wakes need a system call: what a queue and its wakers tell each other.
//!
//! One word says how the queue is:
//!
//! - *Asleep*: its thread may be in a wait. A wake is a `write`, unless the waker was
//!   told of already: such a write has been made, and its event was not harvested since.
//! - *Awake*: its thread is between two waits. A wake is only noted; the next wait does
//!   not sleep, and reports it.
//! - *Lent*: somebody else knows the queue's descriptor, or a waker's, and may wait by
//!   it. Every wake is a `write`, and will always be.
//!
//! The word is changed in single steps, each of which sees all earlier ones:
//!
//! 1. A wake [asks](Wakes::ask). Awake, it sets its waker's bit, and goes without a
//!    write; so does the next one, which finds it set. Asleep, it marks that somebody
//!    asked, writes, and then notes for its waker that this sleep's thread was
//!    [told](Wakes::told); a wake that finds this note goes without a write. So no wake
//!    relies on a thread that was held up before it wrote, or whose write fails.
//! 2. A wait that has harvested something sees whether somebody asked. If so, the queue
//!    is [awake](Wakes::harvested) and all bits are off: a new period begins, in which
//!    the notes of earlier ones mean nothing.
//! 3. The next wait [takes](Wakes::take) what was noted; if that is nothing, the queue
//!    falls [asleep](Wakes::noted_or_asleep) in one step.
//!
//! A queue whose wakers are not used stays asleep, and its waits change nothing.
//!
//! A wake that finds its event on its way changes nothing either; it only looks, so that
//! many threads can wake at once without taking the word from each other. What its thread
//! did before the wake is seen after the wait nevertheless: the look comes after a
//! sequentially consistent fence, and so does what follows the step that begins a period,
//! clears the bit or lends the queue. Either the former fence comes first, and all that
//! was done before it is seen; or the latter does, and the look sees what that step has
//! changed.
//!
//! The notes stand apart from the word, because whoever writes them has just woken a
//! thread that now needs the word.
//!
//! `tests/wakes` has every interleaving of this tried.

use crate::sys::{Word, fence};

/// How many wakers of a queue take part. Any others write each time.
pub(crate) const PLACES: u32 = 16;

/// A bit for each place: the wake of its waker is noted.
const ALL_PLACES: u64 = (1 << PLACES) - 1;

// Low bits, which an instruction can test in memory.
const AWAKE: u64 = 1 << PLACES;
/// Somebody has asked in this sleep.
const ASKED: u64 = AWAKE << 1;
const LENT: u64 = AWAKE << 2;

/// Counts the awakenings, of which there will not be as many as it has values.
const PERIOD: u64 = !(ONE_PERIOD - 1);
const ONE_PERIOD: u64 = AWAKE << 3;

/// The sleep in which a wake has asked.
pub(crate) struct Period(u64);

#[derive(Debug)]
pub(crate) struct Wakes {
    state: Apart<Word>,
    /// A bit for each place that has a waker.
    taken: Word,
    /// The last period in which a write of the place's waker was made.
    told: [Word; PLACES as usize],
}

/// Of a waker that has not written.
const NEVER: u64 = 1;

/// In a line of the processor's cache of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Apart<T>(T);

impl Wakes {
    pub(crate) fn new() -> Self {
        Self {
            state: Apart(Word::new(0)),
            taken: Word::new(0),
            told: [NEVER; PLACES as usize].map(Word::new),
        }
    }

    /// A place for a waker, unless there is none left.
    pub(crate) fn take_place(&self) -> Option<u32> {
        let first_free = |taken: u64| taken.trailing_ones();
        let before = self.taken.update(|taken| match first_free(taken) {
            PLACES.. => taken,
            place => taken | 1 << place,
        });
        Some(first_free(before)).filter(|place| *place < PLACES)
    }

    /// Of the waker that had the place, nothing is left to the next one.
    pub(crate) fn leave_place(&self, place: u32) {
        self.state.0.update(|state| state & !(1 << place));
        self.told[place as usize].store(NEVER);
        self.taken.update(|taken| taken & !(1 << place));
    }

    /// `None`: the wake goes without a write.
    #[inline]
    pub(crate) fn ask(&self, place: u32) -> Option<Period> {
        let told = &self.told[place as usize];
        let coming = |state: u64| match state & (LENT | AWAKE) {
            0 => told.load() == state & PERIOD,
            AWAKE => state & 1 << place != 0,
            _ => false,
        };

        fence();
        if coming(self.state.0.load()) {
            return None;
        }
        let state = self.state.0.update(|state| match state & (LENT | AWAKE) {
            0 => state | ASKED,
            AWAKE => state | 1 << place,
            _ => state,
        });
        let noted = state & (LENT | AWAKE) == AWAKE;
        (!noted && !coming(state)).then_some(Period(state & PERIOD))
    }

    /// The write was made.
    #[inline]
    pub(crate) fn told(&self, place: u32, asked_in: Period) {
        self.told[place as usize].store(asked_in.0);
    }

    /// A wait has harvested something. If that is the event of a waker, the kernel has
    /// seen to it that what the waker marked before it wrote is seen here.
    #[inline]
    pub(crate) fn harvested(&self) {
        if self.state.0.load() & ASKED != 0 {
            let state = self.state.0.load();
            if self.state.0.compare_exchange(state, awoken(state)) != state {
                self.awake();
            }
            fence();
        }
    }

    #[cold]
    fn awake(&self) {
        self.state.0.update(awoken);
    }

    /// Whether wakes are noted. If not, the queue is asleep now, or lent.
    #[inline]
    pub(crate) fn noted_or_asleep(&self) -> bool {
        // Only the waiting thread makes it awake, or otherwise, unless the queue is lent.
        if self.state.0.load() & AWAKE == 0 {
            return false;
        }
        let state = self.state.0.load();
        noted(state) != 0
            || self.state.0.compare_exchange(state, asleep(state)) != state
                && self.noted_meanwhile_or_asleep()
    }

    #[cold]
    fn noted_meanwhile_or_asleep(&self) -> bool {
        noted(self.state.0.update(asleep)) != 0
    }

    /// How many wakes are noted.
    pub(crate) fn noted(&self) -> u32 {
        noted(self.state.0.load()).count_ones()
    }

    /// Takes up to `most` of the wakes that are noted, that of the place `first` and
    /// those after it before any others. Tells whose they are.
    pub(crate) fn take(&self, most: usize, first: u32) -> impl Iterator<Item = u32> {
        let chosen = |state: u64| in_turn(noted(state), first).take(most);
        let state = self.state.0.update(|state| state & !bits(chosen(state)));
        fence();
        chosen(state)
    }

    /// From now on, somebody else may harvest. The wakes that were noted have to be
    /// written now. Tells whose they are.
    pub(crate) fn lend(&self) -> impl Iterator<Item = u32> {
        let state = self.state.0.update(|_| LENT);
        fence();
        in_turn(noted(state), 0)
    }

    #[inline]
    pub(crate) fn is_lent(&self) -> bool {
        self.state.0.load() & LENT != 0
    }
}

/// The state after that in which something was harvested.
fn awoken(state: u64) -> u64 {
    match state & LENT {
        0 => AWAKE | (state & PERIOD).wrapping_add(ONE_PERIOD),
        _ => LENT,
    }
}

/// The state in which a wait begins, unless wakes are noted.
fn asleep(state: u64) -> u64 {
    match noted(state) {
        0 => state & !AWAKE,
        _ => state,
    }
}

/// A bit for each place whose wake is for the next wait to report.
fn noted(state: u64) -> u64 {
    match state & AWAKE {
        0 => 0,
        _ => state & ALL_PLACES,
    }
}

/// The places that these are the bits of, from `first` on and round.
fn in_turn(places: u64, first: u32) -> impl Iterator<Item = u32> {
    (first..PLACES)
        .chain(0..first)
        .filter(move |place| places & 1 << place != 0)
}

fn bits(places: impl Iterator<Item = u32>) -> u64 {
    places.map(|place| 1 << place).sum()
}
