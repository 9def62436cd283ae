//! What the program needs from its surroundings, the same with and without
//! `std`: arguments, output, one-off statics.
//!
//! Without `std` there is nothing underneath: this room also holds the entry
//! point, the panic handler and the memory functions that the compiler calls.
//! Such a program has one thread and never another.

mod machine;
mod out;
mod processor;
mod singleton;
mod trace;

#[cfg(feature = "std")]
mod hosted;
#[cfg(feature = "std")]
use hosted as world;

#[cfg(not(feature = "std"))]
mod bare;
#[cfg(not(feature = "std"))]
mod init;
#[cfg(not(feature = "std"))]
mod memory;
#[cfg(not(feature = "std"))]
use bare as world;

pub use machine::{Bytes, Machine, wait_for_two};
pub use out::Out;
pub use processor::{give_way, has_company};
pub use singleton::Singleton;
pub use trace::{Call, trace};
pub use world::Args;
#[cfg(feature = "std")]
pub use world::args;

/// Stands for an argument that is not UTF-8, and matches no option.
const NOT_UTF8: &str = "\u{fffd}";
