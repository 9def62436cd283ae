//! What a queue and its wakers have in common: with a heap, memory by which a wake can
//! go without a system call; without one, nothing, and each wake is a write.

#[cfg(feature = "alloc")]
mod shared {
    use core::sync::atomic::{AtomicU64, Ordering};

    use syscalls::Sysno;

    use crate::bell::Bell;
    use crate::fd::BorrowedFd;
    use crate::sys::{self, EPOLLIN, EpollEvent, EventBuffer, Shared, Slot};
    use crate::wakes::{PLACES, Wakes};
    use crate::{Errno, Error, Result, Token};

    /// The queue's side, as each of its registries has it.
    #[derive(Clone, Debug)]
    pub(crate) struct Gates(Shared<Desk>);

    #[derive(Debug)]
    struct Desk {
        wakes: Wakes,
        places: [Place; PLACES as usize],
    }

    /// What it takes to report a waker, or to write for it.
    #[derive(Debug)]
    struct Place {
        token: AtomicU64,
        bell: Slot<Bell>,
    }

    /// A waker's side.
    #[derive(Debug)]
    pub(crate) struct Gate {
        bell: Shared<Bell>,
        gates: Gates,
        /// `None`: all places were taken, so this waker writes each time.
        place: Option<u32>,
    }

    /// Whose turn it is where not all that is ready finds room.
    #[derive(Debug, Default)]
    pub(crate) struct Turn {
        place: u32,
        /// The kernel's events have left no room for a wake.
        is_owed: bool,
    }

    impl Gates {
        pub(crate) fn new() -> Result<Self> {
            let desk = Desk {
                wakes: Wakes::new(),
                places: [const { Place::new() }; PLACES as usize],
            };
            Ok(Self(share(desk, Sysno::epoll_create1)?))
        }

        /// The gate of a bell that is registered with this token.
        pub(crate) fn gate(&self, bell: Bell, token: Token) -> Result<Gate> {
            let bell = share(bell, Sysno::eventfd2)?;
            let desk = &self.0;
            let place = desk.wakes.take_place();
            if let Some(place) = place {
                let place = &desk.places[place as usize];
                place.token.store(token.0 as u64, Ordering::Relaxed);
                // Once lent, there is nothing to write for anyone.
                if !desk.wakes.is_lent() {
                    place.bell.put(bell.clone());
                }
            }
            Ok(Gate {
                bell,
                gates: self.clone(),
                place,
            })
        }

        /// A wait has got this many events.
        #[inline]
        pub(crate) fn harvested(&self, count: usize) {
            if count != 0 {
                self.0.wakes.harvested();
            }
        }

        /// Whether wakes were noted since the last wait. If not, each is written from now on.
        #[inline]
        pub(crate) fn has_noted(&self) -> bool {
            self.0.wakes.noted_or_asleep()
        }

        /// Reports the wakes that were noted, and what else is ready. `false`: nothing,
        /// because the queue was lent just now.
        pub(crate) fn report_noted<B: EventBuffer + ?Sized>(
            &self,
            epoll: BorrowedFd<'_>,
            events: &mut B,
            turn: &mut Turn,
        ) -> Result<bool> {
            let Desk { wakes, places } = &*self.0;
            // The kernel comes first: where it fails, the wakes are still noted.
            let mut left = 0;
            let mut count = sys::harvest(events, |room| {
                left = room.len();
                let kept = turn.keep(wakes.noted(), room.len());
                match left - kept {
                    0 if kept != 0 => Ok(&mut []),
                    rest => sys::epoll_wait(epoll, &mut room[..rest], 0),
                }
            })?;
            left -= count;

            turn.is_owed = left == 0;
            for place in wakes.take(left, turn.place) {
                let token = places[place as usize].token.load(Ordering::Relaxed);
                sys::add_event(events, EpollEvent::new(EPOLLIN, token));
                turn.place = (place + 1) % PLACES;
                count += 1;
            }
            Ok(count != 0)
        }

        /// Somebody else gets to know a descriptor, and may wait by it.
        #[inline]
        pub(crate) fn lend(&self) {
            if !self.0.wakes.is_lent() {
                self.lend_first();
            }
        }

        #[cold]
        fn lend_first(&self) {
            for place in self.0.wakes.lend() {
                if let Some(bell) = self.0.places[place as usize].bell.take() {
                    // Nobody is there whom a failure could be told.
                    _ = bell.ring();
                }
            }
        }
    }

    impl Place {
        const fn new() -> Self {
            Self {
                token: AtomicU64::new(0),
                bell: Slot::new(),
            }
        }
    }

    impl Turn {
        /// How much of the room is kept for so many wakes.
        fn keep(&self, noted: u32, room: usize) -> usize {
            let most = match room {
                1 => self.is_owed.into(),
                _ => room.saturating_sub(1),
            };
            most.min(noted as usize)
        }
    }

    impl Gate {
        /// Rings, unless the wake is sure to be reported without.
        #[inline]
        pub(crate) fn wake(&self) -> Result<()> {
            let Some(place) = self.place else {
                return self.bell.ring();
            };
            let wakes = &self.gates.0.wakes;
            let Some(sleep) = wakes.ask(place) else {
                return Ok(());
            };
            self.bell.ring()?;
            wakes.told(place, sleep);
            Ok(())
        }

        #[inline]
        pub(crate) fn lend(&self) -> &Bell {
            self.gates.lend();
            &self.bell
        }
    }

    impl Drop for Gate {
        fn drop(&mut self) {
            if let Some(place) = self.place {
                let desk = &self.gates.0;
                drop(desk.places[place as usize].bell.take());
                desk.wakes.leave_place(place);
            }
        }
    }

    fn share<T>(content: T, call: Sysno) -> Result<Shared<T>> {
        Shared::new(content).ok_or_else(|| {
            Error::new(call, Errno::ENOMEM)
                .because("no memory for what a queue shares with its wakers")
        })
    }
}

#[cfg(not(feature = "alloc"))]
mod nothing {
    use crate::bell::Bell;
    use crate::fd::BorrowedFd;
    use crate::sys::EventBuffer;
    use crate::{Result, Token};

    #[derive(Clone, Debug)]
    pub(crate) struct Gates;

    #[derive(Debug)]
    pub(crate) struct Gate(Bell);

    #[derive(Debug, Default)]
    pub(crate) struct Turn {}

    impl Gates {
        #[inline]
        pub(crate) fn new() -> Result<Self> {
            Ok(Self)
        }

        #[inline]
        pub(crate) fn gate(&self, bell: Bell, _token: Token) -> Result<Gate> {
            Ok(Gate(bell))
        }

        #[inline]
        pub(crate) fn harvested(&self, _count: usize) {}

        #[inline]
        pub(crate) fn has_noted(&self) -> bool {
            false
        }

        #[inline]
        pub(crate) fn report_noted<B: EventBuffer + ?Sized>(
            &self,
            _epoll: BorrowedFd<'_>,
            _events: &mut B,
            _turn: &mut Turn,
        ) -> Result<bool> {
            Ok(false)
        }

        #[inline]
        pub(crate) fn lend(&self) {}
    }

    impl Gate {
        #[inline]
        pub(crate) fn wake(&self) -> Result<()> {
            self.0.ring()
        }

        #[inline]
        pub(crate) fn lend(&self) -> &Bell {
            &self.0
        }
    }
}

#[cfg(not(feature = "alloc"))]
pub(crate) use nothing::{Gate, Gates, Turn};
#[cfg(feature = "alloc")]
pub(crate) use shared::{Gate, Gates, Turn};
