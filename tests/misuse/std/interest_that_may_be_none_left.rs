use epore::{Interest, Poll, Timer, Token};

fn main() {
    let (queue, timer) = (Poll::new().unwrap(), Timer::new().unwrap());
    let nothing = Interest::READABLE.remove(Interest::READABLE);
    queue
        .registry()
        .register(&timer, Token(0), nothing)
        .unwrap();
    //~ ERROR error[E0308]: mismatched types
    //~ NOTE expected `Interest`, found `Option<Interest>`
}
