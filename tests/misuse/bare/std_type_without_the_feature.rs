use epore::{Interest, Poll, Token};

fn main() {
    let queue = Poll::new().unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    queue
        .registry()
        .register(&socket, Token(0), Interest::READABLE)
        .unwrap();
    //~ ERROR error[E0277]: `std::net::TcpListener` has no descriptor that epore can borrow
    //~ NOTE std's sockets, files and descriptors are `AsFd` here with the feature `std` of epore
    //~ NOTE `epore = { version = "…", features = ["std"] }`
    //~ NOTE without std, epore brings the sockets of `net`, the ends of a `pipe`, `Timer`, `signal::Signals`, `process::Child`, `inotify::Inotify`, and `fd::OwnedFd` for the rest
}
