//! A library without `std`, as a user of epore would write it.
#![no_std]

use core::time::Duration;
use epore::net::{TcpListener, TcpStream};
use epore::{Events, Interest, Poll, Result, Token};

const LISTENER: Token = Token(0);
const CLIENT: Token = Token(1);

/// Sends a byte to itself over TCP, and returns it.
pub fn to_itself(byte: u8) -> Result<u8> {
    let mut queue = Poll::new()?;
    let listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let registry = queue.registry();
    registry.register(&listener, LISTENER, Interest::READABLE)?;
    registry.register(&client, CLIENT, Interest::READABLE)?;

    let mut server = None;
    let mut events = Events::<4>::new();
    loop {
        queue.poll(&mut events, Some(Duration::from_secs(60)))?;
        assert!(!events.is_empty(), "nothing happened");
        for event in &events {
            match event.token() {
                LISTENER => {
                    let (stream, _) = listener.accept()?;
                    stream.write(&[byte])?;
                    server = Some(stream);
                }
                CLIENT => {
                    let mut buf = [0];
                    if client.read(&mut buf)? == 1 {
                        drop(server);
                        return Ok(buf[0]);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
