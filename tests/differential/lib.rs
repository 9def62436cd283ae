//! Two queues watch the same files: one is the library's, the other is made and asked
//! through libc. What happens to the files happens once, what is asked of a queue is
//! asked of both, and each answer has to be the same: the errno, the events, and their
//! order.
//!
//! The order, because it is the kernel's alone: a queue lists what becomes ready in the
//! order in which it does, and each of the two hears the same, in the same order. With a
//! buffer too small for all, it decides what is reported now and what later.

mod files;
mod operation;
mod reference;
mod trial;

pub use operation::{How, Modes, Open, Operation, Room, Setting, operations};
pub use trial::{Difference, Seen, run};
