//! Prints its arguments, a line each, and exits with their number.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[cfg(not(feature = "std"))]
mod heap;
#[allow(dead_code, unused_imports)]
#[path = "../../src/rt/mod.rs"]
mod rt;

use core::fmt::Write;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

fn run(args: rt::Args) -> u8 {
    let mut stdout = rt::Out::stdout();
    let mut count: u8 = 0;
    for argument in args {
        let _ = writeln!(stdout, "{argument}");
        count = count.wrapping_add(1);
    }
    count
}
