//! A library without `std`: every item whose definition depends on a feature, used as its
//! documentation says.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;
use epore::fd::{self, AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use epore::net::{IoSlice, IoSliceMut, TcpStream, UnixStream};
use epore::signal::{self, SigSet};
use epore::{Error, EventBuffer, Events, Interest, Poll, Result, Timer, Token, Waker, sys};

/// A second descriptor: the same signature with and without `std`.
pub fn second(descriptor: &OwnedFd) -> Result<OwnedFd> {
    fd::duplicate(descriptor)
}

/// The same of a descriptor that is borrowed, and of whatever has one.
pub fn others<T: AsFd + ?Sized>(borrowed: BorrowedFd<'_>, source: &T) -> Result<[OwnedFd; 2]> {
    Ok([fd::duplicate(&borrowed)?, fd::duplicate(source)?])
}

/// Gives a descriptor up, and returns its number.
pub fn number(descriptor: OwnedFd) -> RawFd {
    let number = descriptor.as_fd().as_raw_fd();
    assert_eq!(number, descriptor.as_raw_fd());
    descriptor.into_raw_fd()
}

/// Sends two slices, and receives them in two others.
pub fn slices(near: &UnixStream, far: &UnixStream) -> Result<([u8; 2], [u8; 3])> {
    near.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")])?;
    let (mut head, mut tail) = ([0; 2], [0; 3]);
    far.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])?;
    Ok((head, tail))
}

/// A type of its own as a source.
pub struct Source(pub TcpStream);

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Polls with any buffer, and returns an error of the crate.
pub fn poll<B: EventBuffer + ?Sized>(queue: &mut Poll, buffer: &mut B) -> Result<()> {
    queue.poll(buffer, Some(Duration::ZERO))
}

/// What a wake and a timer report.
pub fn tokens() -> Result<[Token; 1]> {
    let mut queue = Poll::new()?;
    let timer = Timer::new()?;
    queue
        .registry()
        .register(&timer, Token(1), Interest::READABLE)?;
    Waker::new(queue.registry(), Token(2))?.wake()?;
    let waker = Waker::new(queue.registry(), Token(3))?;
    waker.wake()?;
    let mut events = Events::<1>::new();
    poll(&mut queue, &mut events)?;
    Ok([events[0].token()])
}

/// What this thread blocks.
pub fn mask() -> Result<SigSet> {
    signal::block(SigSet::EMPTY)
}

/// The error of a call that fails.
pub fn error() -> Error {
    sys::epoll_create1(1).expect_err("an unknown flag")
}
