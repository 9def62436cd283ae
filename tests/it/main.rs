//! The tests of the library and of the demo: one program, and a module for each property.
//!
//! `cargo test --test it MODULE::` runs the tests of one module. Tests run in parallel
//! threads of one process. A test that changes the process (signals, limits, filters,
//! the count of descriptors) runs in a process of its own, by [`common::kernel::alone`].

#[path = "../common/mod.rs"]
mod common;

mod abi;
mod buffer;
mod busy_poll;
mod concurrency;
mod demo;
mod demo_faults;
mod descriptors;
mod errors;
mod events;
mod faults;
mod first_process;
mod fuzz;
mod hostile;
mod http;
mod inotify;
mod interest;
mod kernel;
mod libc_free;
mod limits;
mod lock_file;
mod nesting;
mod net;
mod notes;
mod pipe;
mod poll;
mod process;
mod raw;
mod readme;
mod registration_while_blocked;
mod registry;
mod send_sync;
mod server;
mod signal;
mod soak;
mod socket_options;
mod soundness;
mod timeouts;
mod timer;
mod trace;
mod udp;
mod unix;
mod unix_paths;
mod waker;
