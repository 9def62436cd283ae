//! The delay demo.
#![cfg_attr(not(feature = "std"), no_std, no_main)]
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod rt;

use core::fmt::Write;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

fn run(mut args: rt::Args) -> u8 {
    static WORDS: rt::Singleton<[u8; 8]> = rt::Singleton::new(*b"FINISHED");

    match args.next() {
        None => {
            let word = WORDS
                .take()
                .map_or("", |word| core::str::from_utf8(word).unwrap_or(""));
            let _ = writeln!(rt::Out::stdout(), "{word}");
            0
        }
        Some("panic") => panic!("asked to"),
        Some(argument) => {
            let _ = writeln!(rt::Out::stderr(), "usage: epore; not {argument}");
            2
        }
    }
}
