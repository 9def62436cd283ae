//! The surroundings that `std` provides.

use std::env::{self, ArgsOs};
use std::sync::atomic::{AtomicBool, Ordering};

/// The arguments after the program's name.
pub struct Args(ArgsOs);

pub fn args() -> Args {
    let mut all = env::args_os();
    all.next();
    Args(all)
}

impl Iterator for Args {
    type Item = &'static str;

    fn next(&mut self) -> Option<&'static str> {
        let argument = self.0.next()?.into_string();
        Some(argument.map_or(super::NOT_UTF8, |text| text.leak()))
    }
}

/// Sets `flag`, and says whether this call was the first to do so.
pub fn claim(flag: &AtomicBool) -> bool {
    !flag.swap(true, Ordering::Relaxed)
}
