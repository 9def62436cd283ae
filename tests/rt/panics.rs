//! Panics; with an argument, the message panics too.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[cfg(not(feature = "std"))]
mod heap;
#[allow(dead_code, unused_imports)]
#[path = "../../src/rt/mod.rs"]
mod rt;

use core::fmt;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("again")
    }
}

fn run(mut args: rt::Args) -> u8 {
    if args.next().is_some() {
        panic!("{Unprintable}");
    }
    panic!("of {} arguments, none", args.count());
}
