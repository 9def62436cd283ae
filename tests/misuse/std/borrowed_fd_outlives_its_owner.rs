use epore::fd::AsFd;
use std::net::TcpListener;

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let borrowed = listener.as_fd();
    drop(listener);
    //~ ERROR error[E0505]: cannot move out of `listener` because it is borrowed
    epore::sys::listen(borrowed, 1).unwrap();
}
