use std::os::fd::AsFd;

fn main() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    epore::sys::listen(socket.as_fd(), 1).unwrap();
    //~ ERROR error[E0308]: mismatched types
    //~ NOTE expected `epore::fd::BorrowedFd<'_>`, found `std::os::fd::BorrowedFd<'_>`
}
