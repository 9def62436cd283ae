//! Where the connections are kept, and in which order their turn comes.

use super::connection::Connection;

/// With a descriptor each, and another for a delay that runs, as many as the usual
/// limit of 20,000 descriptors has room for.
pub const CONNECTIONS: usize = 8 * 1024;

/// What a connection is doing, and so which list it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// None: a place for one.
    Vacant,
    /// Between two requests.
    Idle,
    /// Its delay runs, or the queue will report it without its peer's doing.
    Busy,
    /// Its peer is to send the rest of a request, or to read an answer, in time.
    Waiting,
    /// Its last answer is sent, and its peer is to end it too, in time.
    Draining,
}

const LISTS: usize = List::Draining as usize + 1;

/// Names a connection once and for all: the generation tells it from those that had
/// its place before, of which there may still be events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Id {
    pub place: u16,
    pub generation: u32,
}

pub struct Slot {
    pub connection: Connection,
    /// The tick that ends its patience, in the lists that have one.
    pub deadline: u32,
    generation: u32,
    list: List,
    before: u16,
    after: u16,
}

impl Slot {
    pub const FRESH: Self = Self {
        connection: Connection::NONE,
        deadline: 0,
        generation: 0,
        list: List::Vacant,
        before: 0,
        after: 0,
    };
}

impl Slot {
    pub fn list(&self) -> List {
        self.list
    }
}

/// Of a list; `NOWHERE` twice if it is empty.
#[derive(Clone, Copy)]
struct Ends {
    first: u16,
    last: u16,
}

const NOWHERE: u16 = u16::MAX;

pub struct Table {
    slots: &'static mut [Slot; CONNECTIONS],
    /// The places that were in use at some time come first. The others are in no
    /// list yet, and their memory is untouched.
    used: usize,
    lists: [Ends; LISTS],
}

impl Table {
    pub fn new(slots: &'static mut [Slot; CONNECTIONS]) -> Self {
        let empty = Ends {
            first: NOWHERE,
            last: NOWHERE,
        };
        Self {
            slots,
            used: 0,
            lists: [empty; LISTS],
        }
    }

    pub fn is_full(&self) -> bool {
        self.used == CONNECTIONS && self.first(List::Vacant).is_none()
    }

    /// A place for a connection, preferably one whose memory was in use lately.
    pub fn open(&mut self) -> Option<Id> {
        let last = self.lists[List::Vacant as usize].last;
        let place = if last != NOWHERE {
            self.unlink(last);
            last
        } else if self.used < CONNECTIONS {
            self.used += 1;
            (self.used - 1) as u16
        } else {
            return None;
        };
        self.link(place, List::Idle);
        Some(self.id(place))
    }

    /// Makes the place vacant. The connection in it must have been closed.
    pub fn close(&mut self, place: u16) {
        let slot = &mut self.slots[usize::from(place)];
        slot.generation = slot.generation.wrapping_add(1);
        self.move_to(place, List::Vacant);
    }

    /// The connection of that name, unless it is closed.
    pub fn find(&mut self, id: Id) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::from(id.place))?;
        (slot.list != List::Vacant && slot.generation == id.generation).then_some(slot)
    }

    pub fn id(&self, place: u16) -> Id {
        Id {
            place,
            generation: self.slots[usize::from(place)].generation,
        }
    }

    /// The one that has been in the list for the longest time.
    pub fn first(&self, list: List) -> Option<u16> {
        let first = self.lists[list as usize].first;
        (first != NOWHERE).then_some(first)
    }

    /// Puts it last in the list.
    pub fn move_to(&mut self, place: u16, list: List) {
        self.unlink(place);
        self.link(place, list);
    }

    fn link(&mut self, place: u16, list: List) {
        let ends = &mut self.lists[list as usize];
        let before = ends.last;
        ends.last = place;
        match self.slots.get_mut(usize::from(before)) {
            Some(slot) => slot.after = place,
            None => ends.first = place,
        }
        let slot = &mut self.slots[usize::from(place)];
        (slot.list, slot.before, slot.after) = (list, before, NOWHERE);
    }

    fn unlink(&mut self, place: u16) {
        let Slot {
            list,
            before,
            after,
            ..
        } = self.slots[usize::from(place)];
        let ends = &mut self.lists[list as usize];
        match self.slots.get_mut(usize::from(before)) {
            Some(slot) => slot.after = after,
            None => ends.first = after,
        }
        match self.slots.get_mut(usize::from(after)) {
            Some(slot) => slot.before = before,
            None => ends.last = before,
        }
    }
}
