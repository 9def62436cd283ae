//! The tests that build packages of their own: `cargo test --test nested` runs them.
//! `cargo test` leaves them out, for the time and the room that they take.

#[path = "../common/mod.rs"]
mod common;

mod differential;
mod echo;
mod misuse;
mod mixed_features;
mod no_std;
mod rt;
mod supervisor;
mod wakes;
