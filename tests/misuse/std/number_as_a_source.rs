use epore::{Interest, Poll, Token};

fn main() {
    let queue = Poll::new().unwrap();
    queue
        .registry()
        .register(&3, Token(0), Interest::READABLE)
        .unwrap();
    //~ ERROR error[E0277]: the trait bound `{integer}: AsFd` is not satisfied
}
