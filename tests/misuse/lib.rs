//! Nothing: what counts is what does not compile.
