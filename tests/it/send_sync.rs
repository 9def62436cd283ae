//! What may cross threads, checked as this compiles.

use epore::inotify::Inotify;
use epore::net::{
    BindOptions, Keepalive, TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram,
    UnixListener, UnixStream,
};
use epore::pipe::{Receiver, Sender};
use epore::process::{Child, ExitStatus};
use epore::signal::{SignalInfo, Signals};
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
    crosses_threads::<UdpSocket>();
    crosses_threads::<UnixListener>();
    crosses_threads::<UnixStream>();
    crosses_threads::<UnixDatagram>();
    crosses_threads::<UnixAddr>();
    crosses_threads::<BindOptions>();
    crosses_threads::<Keepalive>();
    crosses_threads::<Sender>();
    crosses_threads::<Receiver>();
    crosses_threads::<Signals>();
    crosses_threads::<SignalInfo>();
    crosses_threads::<Child>();
    crosses_threads::<ExitStatus>();
    crosses_threads::<Inotify>();
    crosses_threads::<Event>();
    crosses_threads::<Events<8>>();
    crosses_threads::<Interest>();
    crosses_threads::<Token>();
    crosses_threads::<Error>();
    crosses_threads::<fd::OwnedFd>();
    crosses_threads::<fd::BorrowedFd<'static>>();
    crosses_threads::<sys::SockAddr>();
    crosses_threads::<sys::SigSet>();
    crosses_threads::<sys::Linger>();
    crosses_threads::<sys::Itimerspec>();
}
