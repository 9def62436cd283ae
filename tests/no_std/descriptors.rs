//! The crate's own descriptor types.

use epore::fd::{self, AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use epore::{Errno, Interest, Poll, Result, Token, sys};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

fn counter() -> OwnedFd {
    sys::eventfd2(7, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap()
}

fn value(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut value = [0; 8];
    sys::read(fd, &mut value)?;
    Ok(u64::from_ne_bytes(value))
}

/// What the counter of this number has counted. Another thread may use the number again,
/// and the kernel its own number for the counter; but not for one that counts the same.
fn count(number: RawFd) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    let count = info
        .lines()
        .find(|line| line.starts_with("eventfd-count:"))?;
    Some(count.to_owned())
}

/// A counter, its number, and how far it has counted, which is as far as no other has.
fn told_apart() -> (OwnedFd, RawFd, String) {
    static NEXT: AtomicU32 = AtomicU32::new(1000);

    let start = NEXT.fetch_add(1, Ordering::Relaxed);
    let counter = sys::eventfd2(start, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap();
    let number = counter.as_raw_fd();
    let own = count(number).expect("eventfds tell how far they have counted");
    (counter, number, own)
}

#[track_caller]
fn is_closed(number: RawFd, own: String) {
    assert_ne!(count(number), Some(own), "{number} is still open");
}

#[test]
fn a_descriptor_is_closed_when_dropped() {
    let (counter, number, own) = told_apart();
    assert_eq!(count(number).as_ref(), Some(&own));
    drop(counter);
    is_closed(number, own);
}

#[test]
fn closing_tells_the_outcome() {
    let (counter, number, own) = told_apart();
    sys::close(counter).unwrap();
    is_closed(number, own);
}

#[test]
fn a_clone_is_another_descriptor_of_the_same_file() {
    let original = counter();
    let clone = fd::duplicate(&original).unwrap();
    assert_ne!(original.as_raw_fd(), clone.as_raw_fd());
    assert!(clone.as_raw_fd() > 2);
    let of_borrowed = fd::duplicate(&original.as_fd()).unwrap();
    drop(original);
    assert_eq!(value(clone.as_fd()).unwrap(), 7);
    let error = value(of_borrowed.as_fd()).unwrap_err();
    assert_eq!(error.errno(), Errno::EAGAIN);
}

#[test]
fn into_raw_fd_gives_up_and_from_raw_fd_takes_over() {
    let (counter, number, own) = told_apart();
    assert_eq!(counter.into_raw_fd(), number);
    assert_eq!(count(number).as_ref(), Some(&own), "still open");
    // SAFETY: it was given up above.
    let counter = unsafe { OwnedFd::from_raw_fd(number) };
    assert_eq!(count(counter.as_raw_fd()).as_ref(), Some(&own));
    drop(counter);
    is_closed(number, own);
}

#[test]
fn borrowing_closes_nothing() {
    let counter = counter();
    let number = counter.as_raw_fd();
    let borrowed = counter.as_fd();
    let copy = borrowed;
    assert_eq!((borrowed.as_raw_fd(), copy.as_raw_fd()), (number, number));
    assert_eq!(copy.as_fd().as_raw_fd(), number);
    assert_eq!(AsRawFd::as_raw_fd(&number), number);
    // SAFETY: `counter` keeps it open.
    let raw = unsafe { BorrowedFd::borrow_raw(number) };
    assert_eq!(value(raw).unwrap(), 7);
}

#[test]
fn debug_shows_the_number() {
    let counter = counter();
    let number = counter.as_raw_fd();
    assert_eq!(
        format!("{counter:?}"),
        format!("OwnedFd {{ fd: {number} }}")
    );
    assert_eq!(
        format!("{:?}", counter.as_fd()),
        format!("BorrowedFd {{ fd: {number} }}")
    );
}

fn accepted(source: &(impl AsFd + ?Sized)) {
    let queue = Poll::new().unwrap();
    let registry = queue.registry();
    registry
        .register(source, Token(1), Interest::READABLE)
        .unwrap();
    registry
        .reregister(source, Token(2), Interest::WRITABLE)
        .unwrap();
    registry.deregister(source).unwrap();
}

#[test]
fn what_refers_to_a_descriptor_lends_it() {
    let mut counter = counter();
    accepted(&counter);
    accepted(&counter.as_fd());
    accepted(&&counter);
    accepted(&&mut counter);
    accepted(&&&counter);
    accepted(&counter as &dyn AsFd);
}

#[cfg(feature = "alloc")]
#[test]
fn what_owns_a_descriptor_on_the_heap_lends_it() {
    use std::rc::Rc;
    use std::sync::Arc;

    accepted(&Box::new(counter()));
    accepted(&Rc::new(counter()));
    accepted(&Arc::new(counter()));
    let boxed: Box<dyn AsFd> = Box::new(counter());
    accepted(&boxed);
}

#[test]
fn descriptors_cross_threads() {
    fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<OwnedFd>();
    crosses_threads::<BorrowedFd<'static>>();
    let counter = counter();
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(value(counter.as_fd()).unwrap(), 7));
    });
}

#[test]
fn a_descriptor_is_as_small_as_its_number() {
    assert_eq!(size_of::<OwnedFd>(), size_of::<RawFd>());
    assert_eq!(size_of::<BorrowedFd<'_>>(), size_of::<RawFd>());
}
