use epore::{Interest, Poll, Timer, Token};

fn main() {
    let timer = Timer::new().unwrap();
    let queue = Poll::new().unwrap();
    let registry = queue.registry();
    drop(queue);
    //~ ERROR error[E0505]: cannot move out of `queue` because it is borrowed
    registry
        .register(&timer, Token(0), Interest::READABLE)
        .unwrap();
}
