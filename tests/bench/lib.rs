//! The library against its peers: the same work, done by each in turn and many times.
//!
//! [`queue`] says what a peer has to be able to do, [`peer`] is how each does it, and
//! [`workload`] what they are given to do, [`sections`] in which order. [`measure`] takes the time, [`count`] counts
//! instructions and system calls, [`report`] and [`chart`] show it all.

pub mod chart;
pub mod count;
pub mod file;
pub mod measure;
pub mod peer;
pub mod queue;
pub mod report;
pub mod sections;
pub mod workload;
