//! Mistakes whose error messages are to help, one at a time.

use epore::Poll;

fn main() {
    let mut queue = Poll::new().unwrap();

    #[cfg(mistake = "source")]
    {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let readable = epore::Interest::READABLE;
        queue
            .registry()
            .register(&socket, epore::Token(0), readable)
            .unwrap();
    }

    #[cfg(mistake = "buffer")]
    queue.poll(&mut [0u64; 8], None).unwrap();

    queue.poll(&mut epore::Events::<1>::new(), None).unwrap();
}
