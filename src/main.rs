//! The delay demo.
fn main() {}
