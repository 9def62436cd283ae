//! What a queue and its wakers share, in a program with a heap: its two sides.

use core::array;

use super::WakeFd;
use super::state::{SLOTS, Taken, WakeState};
use crate::sys::{Arc, ArcCell};
use crate::{Result, Token};

/// The queue's side, of which each of its registries has a clone.
#[derive(Clone, Debug)]
pub(crate) struct QueueSide(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: WakeState,
    /// The eventfds of the wakers that have a slot, for [`QueueSide::expose`].
    eventfds: [ArcCell<WakeFd>; SLOTS as usize],
}

/// A waker's side.
#[derive(Debug)]
pub(crate) struct WakerSide {
    eventfd: Arc<WakeFd>,
    queue: QueueSide,
    /// `None`: all slots were claimed, so this waker writes for every wake.
    slot: Option<u32>,
}

/// What a queue remembers, so that nothing that is ready waits for ever where the event buffer
/// has not enough room.
#[derive(Debug, Default)]
pub(crate) struct Fairness {
    /// The slot whose pending wake is reported before any others.
    next_slot: u32,
    /// The kernel's events have filled a buffer while wakes were pending.
    wakes_were_left: bool,
}

impl QueueSide {
    /// `None`: the heap has no memory.
    pub(crate) fn new() -> Option<Self> {
        Self::with_state(WakeState::new())
    }

    pub(crate) fn with_state(state: WakeState) -> Option<Self> {
        let shared = Shared {
            state,
            eventfds: array::from_fn(|_| ArcCell::new()),
        };
        Some(Self(Arc::try_new(shared)?))
    }

    /// Makes the side of a waker whose eventfd is registered with `token`, and claims a slot for
    /// it if one is free. `None`: the heap has no memory.
    pub(crate) fn add_waker(&self, eventfd: WakeFd, token: Token) -> Option<WakerSide> {
        let eventfd = Arc::try_new(eventfd)?;
        let Shared { state, eventfds } = &*self.0;
        let slot = state.claim_slot(token.0 as u64);
        if let Some(slot) = slot {
            // Only the wakes that are pending at the first `expose` need it.
            if !state.is_exposed() {
                eventfds[slot as usize].put(eventfd.clone());
            }
        }
        Some(WakerSide {
            eventfd,
            queue: self.clone(),
            slot,
        })
    }

    /// Whether [`report_or_sleep`](Self::report_or_sleep) has anything to do.
    #[inline]
    pub(crate) fn is_awake_or_pending(&self) -> bool {
        self.0.state.is_awake_or_pending()
    }

    /// Has pending wakes reported by `report`, which returns how many events it has got. If there
    /// is none, returns `false`: the queue may wait, and if the wait `may_block`, wakes write from
    /// now on.
    pub(crate) fn report_or_sleep<E>(
        &self,
        may_block: bool,
        mut report: impl FnMut() -> core::result::Result<usize, E>,
    ) -> core::result::Result<bool, E> {
        loop {
            let is_pending = if may_block {
                !self.0.state.try_sleep()
            } else {
                self.0.state.has_pending()
            };
            if !is_pending {
                return Ok(false);
            }
            // Otherwise the wake was dropped with its waker, or written to be exposed.
            if report()? != 0 {
                return Ok(true);
            }
        }
    }

    /// How much of a buffer with room for `room` events is reserved for pending wakes.
    pub(crate) fn reserved(&self, room: usize, fairness: &Fairness) -> usize {
        let most = match room {
            1 => usize::from(fairness.wakes_were_left),
            _ => room.saturating_sub(1),
        };
        most.min(self.0.state.pending_count() as usize)
    }

    /// Takes pending wakes, as many as there is `room` for.
    pub(crate) fn take_pending(&self, room: usize, fairness: &mut Fairness) -> Taken {
        let taken = self.0.state.take_pending(room, fairness.next_slot);
        fairness.wakes_were_left = room == 0;
        if let Some((slot, _)) = taken.iter().last() {
            fairness.next_slot = (slot + 1) % SLOTS;
        }
        taken
    }

    /// To be called when a wait has returned `count` events.
    #[inline]
    pub(crate) fn end_sleep(&self, count: usize) {
        if count != 0 {
            self.0.state.end_sleep();
        }
    }

    /// Makes every wake write from now on, because other code gets to know a descriptor of the
    /// queue or of a waker, and may wait for it.
    #[inline]
    pub(crate) fn expose(&self) {
        if !self.0.state.is_exposed() {
            self.expose_first();
        }
    }

    #[cold]
    fn expose_first(&self) {
        let Shared { state, eventfds } = &*self.0;
        for slot in state.expose() {
            // `None`: the waker is being dropped, and its wake goes with it.
            if let Some(eventfd) = eventfds[slot as usize].take() {
                // If the write fails, the next poll of the queue reports the wake.
                if eventfd.notify().is_ok() {
                    state.clear_pending(slot);
                }
            }
        }
    }
}

impl WakerSide {
    /// Writes to the eventfd, unless the wake is reported without.
    #[inline]
    pub(crate) fn wake(&self) -> Result<()> {
        let Some(slot) = self.slot else {
            return self.eventfd.notify();
        };
        let state = &self.queue.0.state;
        let Some(epoch) = state.begin_wake(slot) else {
            return Ok(());
        };
        self.eventfd.notify()?;
        state.record_write(slot, epoch);
        Ok(())
    }

    /// The eventfd, for code that may wait for it.
    #[inline]
    pub(crate) fn expose(&self) -> &WakeFd {
        self.queue.expose();
        &self.eventfd
    }

    /// The eventfd, for code that does not wait for it.
    pub(crate) fn eventfd(&self) -> &WakeFd {
        &self.eventfd
    }
}

impl Drop for WakerSide {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            let Shared { state, eventfds } = &*self.queue.0;
            // Before the slot is free, so that the next waker's eventfd is not taken instead.
            drop(eventfds[slot as usize].take());
            state.release_slot(slot);
        }
    }
}
