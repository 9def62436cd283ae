//! The wakes of the library in a world where every order of the threads' steps is tried.
//!
//! What is compiled here is the source of the library, from the atomics up to what a queue and its
//! wakers share; loom's atomics take the place of the processor's, and a model that of the kernel.
#![allow(dead_code, unused_imports)]

extern crate alloc;

mod kernel;
mod sys;
mod wake;

#[cfg(test)]
mod interleavings;

pub(crate) type Result<T> = core::result::Result<T, kernel::WriteFailed>;

/// As the library's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token(pub(crate) usize);
