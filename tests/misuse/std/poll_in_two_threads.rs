use epore::{Events, Poll};
use std::thread;

fn main() {
    let mut queue = Poll::new().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| queue.poll(&mut Events::<8>::new(), None));
        scope.spawn(|| queue.poll(&mut Events::<8>::new(), None));
        //~ ERROR error[E0499]: cannot borrow `queue` as mutable more than once at a time
    });
}
