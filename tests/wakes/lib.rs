//! `src/wakes.rs`, in a world where every order of the threads' steps is tried.
#![cfg_attr(not(test), allow(dead_code))]

mod sys;
#[path = "../../src/wakes.rs"]
mod wakes;

#[cfg(test)]
mod interleavings;
