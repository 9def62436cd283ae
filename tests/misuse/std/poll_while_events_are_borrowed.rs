use epore::{Events, Poll};

fn main() {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::<8>::new();
    for _event in &events {
        queue.poll(&mut events, None).unwrap();
        //~ ERROR error[E0502]: cannot borrow `events` as mutable because it is also borrowed as immutable
    }

    let mut events = Vec::with_capacity(8);
    let first = events.first();
    queue.poll(&mut events, None).unwrap();
    //~ ERROR error[E0502]: cannot borrow `events` as mutable because it is also borrowed as immutable
    println!("{first:?}");
}
