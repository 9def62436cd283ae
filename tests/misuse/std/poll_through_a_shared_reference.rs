use epore::{Events, Poll};

fn wait(queue: &Poll) {
    queue.poll(&mut Events::<8>::new(), None).unwrap();
    //~ ERROR error[E0596]: cannot borrow `*queue` as mutable, as it is behind a `&` reference
}

fn main() {
    wait(&Poll::new().unwrap());
}
