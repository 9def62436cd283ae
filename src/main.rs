//! The delay demo: a server that answers late, and a client that asks it five
//! times at once, in one thread and on one queue.
#![cfg_attr(not(feature = "std"), no_std, no_main)]
#![deny(unsafe_code)]

mod demo;
#[allow(unsafe_code)]
mod rt;

use demo::run;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}
