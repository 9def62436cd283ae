use epore::{Interest, Poll, Token};

fn main() {
    let queue = Poll::new().unwrap();
    queue
        .registry()
        .register(&3i32, Token(0), Interest::READABLE)
        .unwrap();
    //~ ERROR error[E0277]: `i32` has no descriptor that epore can borrow
}
