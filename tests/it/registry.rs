//! Registering, changing and ending a registration.

use crate::common;

use common::kernel;
use common::queue::{
    expect_event, expect_forgotten, expect_silence, expect_tokens, look, queue, watching,
};
use epore::net::{TcpListener, TcpStream};
use epore::{Errno, Interest, Timer, Token};
use std::fs::File;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::rc::Rc;
use std::sync::Arc;

#[test]
fn register_twice_says_already_registered() {
    let queue = queue();
    let (near, _far) = UnixStream::pair().unwrap();
    let registry = queue.registry();
    registry
        .register(&near, Token(1), Interest::READABLE)
        .unwrap();
    let error = registry
        .register(&near, Token(2), Interest::READABLE)
        .unwrap_err();
    assert_eq!(error.errno(), Errno::EEXIST);
}

#[test]
fn reregister_without_register_says_not_registered() {
    let (near, _far) = UnixStream::pair().unwrap();
    let error = queue()
        .registry()
        .reregister(&near, Token(1), Interest::READABLE)
        .unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
}

#[test]
fn deregister_without_register_says_not_registered() {
    let (near, _far) = UnixStream::pair().unwrap();
    let error = queue().registry().deregister(&near).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
}

#[test]
fn reregister_changes_the_token_and_the_interest() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, Interest::READABLE);
    far.write_all(b"x").unwrap();
    let event = expect_event(&mut queue);
    assert!(event.is_readable() && !event.is_writable(), "{event:?}");

    queue
        .registry()
        .reregister(&near, Token(usize::MAX), Interest::WRITABLE)
        .unwrap();
    let event = expect_event(&mut queue);
    assert_eq!(event.token(), Token(usize::MAX));
    assert!(event.is_writable() && !event.is_readable(), "{event:?}");
}

#[test]
fn a_deregistered_source_is_silent_until_it_is_registered_again() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, Interest::READABLE);
    far.write_all(b"x").unwrap();
    expect_tokens(&mut queue, &[1]);

    queue.registry().deregister(&near).unwrap();
    expect_silence(&mut queue);
    far.write_all(b"x").unwrap();
    expect_silence(&mut queue);
    let error = queue.registry().deregister(&near).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);

    queue
        .registry()
        .register(&near, Token(2), Interest::READABLE)
        .unwrap();
    expect_tokens(&mut queue, &[2]);
}

#[test]
fn deregistering_one_source_leaves_the_others() {
    let mut queue = queue();
    let pairs: Vec<_> = (0..3).map(|_| UnixStream::pair().unwrap()).collect();
    for (index, (near, _)) in pairs.iter().enumerate() {
        let registry = queue.registry();
        registry
            .register(near, Token(index), Interest::WRITABLE)
            .unwrap();
    }
    queue.registry().deregister(&pairs[1].0).unwrap();
    let mut tokens: Vec<_> = look(&mut queue).iter().map(|it| it.token().0).collect();
    tokens.sort();
    assert_eq!(tokens, [0, 2]);
}

#[test]
fn a_failed_call_changes_nothing() {
    let (near, _far) = UnixStream::pair().unwrap();
    let mut queue = watching(&near, Interest::WRITABLE);
    let registry = queue.registry();
    registry
        .register(&near, Token(2), Interest::READABLE)
        .unwrap_err();
    registry
        .reregister(&near, Token(3), Interest::READABLE.exclusive())
        .unwrap_err();
    let event = expect_event(&mut queue);
    assert_eq!(event.token(), Token(1));
    assert!(event.is_writable(), "{event:?}");
}

#[test]
fn one_source_can_be_in_two_queues() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let mut first = watching(&near, Interest::READABLE);
    let mut second = watching(&near, Interest::READABLE.edge());
    far.write_all(b"x").unwrap();
    expect_tokens(&mut first, &[1]);
    expect_tokens(&mut second, &[1]);

    first.registry().deregister(&near).unwrap();
    near.read_exact(&mut [0]).unwrap();
    far.write_all(b"x").unwrap();
    expect_silence(&mut first);
    expect_tokens(&mut second, &[1]);
}

#[test]
fn a_clone_is_the_same_registry() {
    let mut queue = queue();
    let clone = queue.registry().try_clone().unwrap();
    let clone_of_clone = clone.try_clone().unwrap();
    assert_ne!(clone.as_raw_fd(), queue.as_raw_fd());

    let (near, _far) = UnixStream::pair().unwrap();
    clone.register(&near, Token(1), Interest::WRITABLE).unwrap();
    let error = queue
        .registry()
        .register(&near, Token(2), Interest::WRITABLE)
        .unwrap_err();
    assert_eq!(error.errno(), Errno::EEXIST);
    expect_tokens(&mut queue, &[1]);
    clone_of_clone.deregister(&near).unwrap();
    expect_silence(&mut queue);
}

#[test]
fn every_token_comes_back_as_it_was() {
    for token in [0, 1, usize::MAX, 1 << 63, 0x0123_4567_89ab_cdef] {
        let mut queue = queue();
        let (near, _far) = UnixStream::pair().unwrap();
        queue
            .registry()
            .register(&near, Token(token), Interest::WRITABLE)
            .unwrap();
        assert_eq!(expect_event(&mut queue).token(), Token(token));
        assert_eq!(usize::from(Token(token)), token);
    }
}

#[test]
fn two_sources_may_share_a_token() {
    let mut queue = queue();
    let (near, far) = UnixStream::pair().unwrap();
    for source in [&near, &far] {
        queue
            .registry()
            .register(source, Token(5), Interest::WRITABLE)
            .unwrap();
    }
    let events = look(&mut queue);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.token() == Token(5)));
}

#[test]
fn whatever_lends_a_descriptor_can_be_registered() {
    fn accepted(source: &(impl AsFd + ?Sized)) {
        let queue = queue();
        let registry = queue.registry();
        registry
            .register(source, Token(1), Interest::READABLE)
            .unwrap();
        registry
            .reregister(source, Token(2), Interest::WRITABLE)
            .unwrap();
        registry.deregister(source).unwrap();
    }

    let any = "127.0.0.1:0".parse().unwrap();
    let listener = TcpListener::bind(any).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let timer = Timer::new().unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let (read, write) = kernel::pipe();

    accepted(&listener);
    accepted(&stream);
    accepted(&timer);
    accepted(&queue());
    accepted(queue().registry());
    accepted(&near);
    accepted(&read);
    accepted(&write);
    accepted(&std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    accepted(&UdpSocket::bind("127.0.0.1:0").unwrap());
    accepted(&UnixDatagram::unbound().unwrap());
    // However it is held:
    accepted(&near.as_fd());
    accepted(&&near);
    accepted(&&mut &far);
    accepted(&Box::new(timer.as_fd()));
    accepted(&Rc::new(near));
    accepted(&Arc::new(far));
    accepted(&stream as &dyn AsFd);
}

#[test]
fn what_cannot_be_polled_is_refused() {
    let queue = queue();
    for path in ["/proc/self/exe", "/", "/dev/null"] {
        let Ok(file) = File::open(path) else {
            common::left_out("registering a file", path);
            continue;
        };
        let registry = queue.registry();
        let errors = [
            registry.register(&file, Token(1), Interest::READABLE),
            registry.reregister(&file, Token(1), Interest::READABLE),
            registry.deregister(&file),
        ];
        for error in errors.map(|it| it.expect_err(path)) {
            assert_eq!(error.errno(), Errno::EPERM, "{path}");
        }
    }
}

#[test]
fn a_number_that_is_used_again_is_a_new_source() {
    kernel::alone(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let mut queue = watching(&near, Interest::WRITABLE);
        expect_tokens(&mut queue, &[1]);
        drop(near);

        let (other, _far) = UnixStream::pair().unwrap();
        assert_eq!(other.as_raw_fd(), number, "the lowest number that is free");
        expect_forgotten(&mut queue);
        queue
            .registry()
            .register(&other, Token(2), Interest::WRITABLE)
            .unwrap();
        expect_tokens(&mut queue, &[2]);
    });
}
