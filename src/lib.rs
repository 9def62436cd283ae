//! [migration]: crate::migration
//!
#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "epore makes Linux system calls by number, and knows the numbers and layouts of x86_64 and \
     aarch64 with 64-bit pointers alone; x32 has numbers of its own, and other systems have no epoll"
);

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod descriptor;

mod busy_poll;
mod error;
mod event;
pub mod inotify;
mod interest;
pub mod migration;
pub mod net;
pub mod pipe;
mod poll;
pub mod process;
pub mod signal;
#[allow(unsafe_code)]
pub mod sys;
mod timer;
mod token;
mod wake;
mod waker;

pub use busy_poll::BusyPoll;
pub use error::{Error, Result};
pub use event::Event;
pub use interest::Interest;
pub use poll::{Poll, Registry};
pub use sys::fd;
pub use sys::{EventBuffer, Events};
pub use syscalls::Errno;
pub use timer::Timer;
pub use token::Token;
pub use waker::Waker;
