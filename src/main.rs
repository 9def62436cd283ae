//! The delay demo.
#![cfg_attr(not(feature = "std"), no_std, no_main)]
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod rt;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

fn run(_: rt::Args) -> u8 {
    0
}
