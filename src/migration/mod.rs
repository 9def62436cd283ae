//! Coming from another event queue: what each call is here, what differs, and why.
//!
//! - [`from_mio`]: mio 1.x. The names are the same, the default mode is not.
//! - [`from_polling`]: polling 3.x. The same kernel queue under other names.
//!
//! These modules hold text and nothing else. What they say of the other two libraries is
//! what these do on Linux.

pub mod from_mio;
pub mod from_polling;
