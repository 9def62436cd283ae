//! The surroundings that `std` provides.

use std::env::{self, ArgsOs, VarsOs};
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The arguments after the program's name.
pub struct Args(ArgsOs);

pub fn args() -> Args {
    let mut all = env::args_os();
    all.next();
    Args(all)
}

#[allow(dead_code, reason = "not every program starts others")]
impl Args {
    /// The next one, byte for byte.
    pub fn next_text(&mut self) -> Option<&'static CStr> {
        self.0.next().map(text)
    }

    /// The environment, to be given to another program.
    pub fn environment(&self) -> Environment {
        Environment(env::vars_os())
    }
}

impl Iterator for Args {
    type Item = &'static str;

    fn next(&mut self) -> Option<&'static str> {
        let argument = self.0.next()?.into_string();
        Some(argument.map_or(super::NOT_UTF8, |text| text.leak()))
    }
}

/// `NAME=value` each.
#[allow(dead_code, reason = "not every program starts others")]
pub struct Environment(VarsOs);

impl Iterator for Environment {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        let (mut variable, value) = self.0.next()?;
        variable.push("=");
        variable.push(value);
        Some(text(variable))
    }
}

/// For as long as the program runs.
#[allow(dead_code, reason = "not every program starts others")]
fn text(text: OsString) -> &'static CStr {
    let text = CString::new(text.into_vec()).expect("the kernel ended it with its first zero");
    Box::leak(text.into_boxed_c_str())
}

/// Sets `flag`, and says whether this call was the first to do so.
pub fn claim(flag: &AtomicBool) -> bool {
    !flag.swap(true, Ordering::Relaxed)
}
