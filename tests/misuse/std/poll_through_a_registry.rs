use epore::{Events, Poll};

fn main() {
    let queue = Poll::new().unwrap();
    queue
        .registry()
        .poll(&mut Events::<8>::new(), None)
        .unwrap();
    //~ ERROR error[E0599]: no method named `poll` found for reference `&Registry`
}
