//! What may cross threads, checked as this compiles.

use epore::net::{TcpListener, TcpStream};
use epore::{Error, Event, Events, Interest, Poll, Registry, Timer, Token, Waker, fd, sys};
use std::panic::{RefUnwindSafe, UnwindSafe};

fn crosses_threads<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

#[test]
fn everything_crosses_threads() {
    crosses_threads::<Poll>();
    crosses_threads::<Registry>();
    crosses_threads::<Waker>();
    crosses_threads::<Timer>();
    crosses_threads::<TcpListener>();
    crosses_threads::<TcpStream>();
    crosses_threads::<Event>();
    crosses_threads::<Events<8>>();
    crosses_threads::<Interest>();
    crosses_threads::<Token>();
    crosses_threads::<Error>();
    crosses_threads::<fd::OwnedFd>();
    crosses_threads::<fd::BorrowedFd<'static>>();
    crosses_threads::<sys::SockAddr>();
    crosses_threads::<sys::SigSet>();
    crosses_threads::<sys::Itimerspec>();
}
