//! An epoll event queue with no libc at all.
#![no_std]
