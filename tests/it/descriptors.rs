//! Descriptors: none leaks, and what a duplicate means for a registration.

use crate::common;

use common::kernel;
use common::queue::{expect_silence, expect_tokens, queue, watching};
use common::tcp::{self, V4};
use epore::inotify::{IN_CREATE, Inotify};
use epore::net::{self, TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram};
use epore::process::Child;
use epore::signal::{SigSet, Signals};
use epore::{Errno, Interest, Poll, Timer, Token, Waker, pipe, sys};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::thread;
use syscalls::Sysno;

const READABLE: Interest = Interest::READABLE;

/// After `use_some`, as many descriptors are open as before.
fn balanced(what: &str, use_some: impl Fn()) {
    use_some();
    let before = kernel::open_descriptors();
    for _ in 0..3 {
        use_some();
    }
    assert_eq!(kernel::open_descriptors(), before, "{what}");
}

#[test]
fn what_is_dropped_is_closed() {
    kernel::alone(|| {
        let lasting = queue();
        balanced("a queue", || drop(queue()));
        balanced("a registry", || {
            drop(lasting.registry().try_clone().unwrap())
        });
        balanced("a clone alone", || {
            let registry = queue().registry().try_clone().unwrap();
            drop(registry.try_clone().unwrap());
        });
        balanced("a waker", || {
            Waker::new(lasting.registry(), Token(0))
                .unwrap()
                .wake()
                .unwrap();
        });
        balanced("a timer", || {
            Timer::new()
                .unwrap()
                .set(std::time::Duration::ZERO)
                .unwrap();
        });
        balanced("a pipe", || drop(pipe::new().unwrap()));
        balanced("one end of a pipe", || drop(pipe::new().unwrap().0));
        balanced("signals", || drop(Signals::new(SigSet::EMPTY).unwrap()));
        balanced("a child", || {
            drop(Child::open(std::process::id()).unwrap());
            Child::spawn(c"/nowhere", &[], &[]).unwrap_err();
        });
        balanced("watches", || {
            Inotify::new().unwrap().add(c"/", IN_CREATE).unwrap();
        });
        balanced("a listener", || drop(TcpListener::bind(V4).unwrap()));
        balanced("a connection", || drop(tcp::connected(V4)));
        balanced("a connect under way", || {
            let listener = TcpListener::bind(V4).unwrap();
            drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        });
        balanced("a UDP socket", || drop(UdpSocket::bind(V4).unwrap()));
        balanced("Unix sockets", || {
            let listener = net::UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
            let addr = listener.local_addr().unwrap();
            let _client = net::UnixStream::connect_addr(&addr).unwrap();
            drop(listener.accept().unwrap());
            drop(UnixDatagram::unbound().unwrap());
        });
        balanced("pairs", || {
            drop(net::UnixStream::pair().unwrap());
            drop(UnixDatagram::pair().unwrap());
        });
        balanced("conversions", || {
            let (client, server) = tcp::pair();
            let client = std::net::TcpStream::from(client);
            drop(TcpStream::try_from(client).unwrap());
            drop(TcpStream::from(OwnedFd::from(server)));
        });
        balanced("sys", || {
            let queue = sys::epoll_create1(sys::EPOLL_CLOEXEC).unwrap();
            let copy = sys::fcntl_dupfd_cloexec(queue.as_fd(), 3).unwrap();
            sys::close(queue).unwrap();
            drop(copy);
        });
    });
}

#[test]
fn what_fails_leaves_nothing_open() {
    kernel::alone(|| {
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let another = UdpSocket::bind(V4).unwrap();
        let addr_of_another = another.local_addr().unwrap();
        let directory = File::open("/").unwrap();
        let lasting = queue();
        balanced("an address in use", || {
            TcpListener::bind(addr).unwrap_err();
        });
        balanced("a foreign address", || {
            TcpListener::bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        });
        balanced("a refused connect", || {
            let quiet = "127.87.65.97:9".parse().unwrap();
            drop(TcpStream::connect(quiet));
        });
        balanced("a socket that cannot be bound", || {
            UdpSocket::bind(addr_of_another).unwrap_err();
            UnixDatagram::bind("/").unwrap_err();
            net::UnixListener::bind("/").unwrap_err();
            net::UnixStream::connect("/").unwrap_err();
            TcpStream::connect_from(addr, addr).unwrap_err();
        });
        balanced("nothing to accept", || {
            assert!(listener.accept().unwrap_err().is_would_block());
        });
        balanced("a refused source", || {
            lasting
                .registry()
                .register(&directory, Token(0), READABLE)
                .unwrap_err();
        });
        balanced("a buffer without room", || {
            queue().poll(&mut Vec::new(), None).unwrap_err();
        });
        balanced("a socket of another family", || {
            let (near, far) = UnixStream::pair().unwrap();
            let streams = [near, far].map(|it| TcpStream::from(OwnedFd::from(it)));
            assert!(streams.iter().all(|it| it.local_addr().is_err()));
        });
    });
}

#[test]
fn an_accepted_peer_of_another_family_leaves_nothing_open() {
    kernel::alone(|| {
        let name = format!("epore descriptors {}", std::process::id());
        let addr = SocketAddr::from_abstract_name(name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from(OwnedFd::from(listener));
        balanced("a Unix stream", || {
            let _client = UnixStream::connect_addr(&addr).unwrap();
            let error = listener.accept().unwrap_err();
            assert_eq!(error.errno(), Errno::EAFNOSUPPORT);
        });
    });
}

#[test]
fn a_waker_that_cannot_be_registered_leaves_nothing_open() {
    kernel::alone(|| {
        let queue = queue();
        thread::scope(|scope| {
            scope.spawn(|| match kernel::refuse(Sysno::epoll_ctl, Errno::ENOSPC) {
                Err(why) => common::left_out("a waker refused", format!("no filter: {why}")),
                Ok(()) => balanced("a waker refused", || {
                    Waker::new(queue.registry(), Token(0)).unwrap_err();
                }),
            });
        });
    });
}

#[test]
fn a_registration_ends_with_the_last_descriptor_of_the_file() {
    kernel::alone(|| {
        let source = sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap();
        let mut queue: Poll = watching(&source, READABLE);
        let duplicate = source.try_clone().unwrap();
        expect_tokens(&mut queue, &[1]);

        drop(source);
        // It goes on, and nobody can end it but by closing the rest.
        expect_tokens(&mut queue, &[1]);
        let error = queue.registry().deregister(&duplicate).unwrap_err();
        assert_eq!(error.errno(), Errno::ENOENT);
        sys::read(duplicate.as_fd(), &mut [0; 8]).unwrap();
        expect_silence(&mut queue);
        sys::write(duplicate.as_fd(), &1u64.to_ne_bytes()).unwrap();
        expect_tokens(&mut queue, &[1]);

        drop(duplicate);
        expect_silence(&mut queue);
    });
}

#[test]
fn a_duplicate_is_a_source_of_its_own() {
    let source = sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap();
    let duplicate = source.try_clone().unwrap();
    let mut queue = watching(&source, READABLE);
    queue
        .registry()
        .register(&duplicate, Token(2), READABLE)
        .unwrap();
    let mut tokens: Vec<_> = (common::queue::look(&mut queue).iter())
        .map(|event| event.token().0)
        .collect();
    tokens.sort();
    assert_eq!(tokens, [1, 2]);
    queue.registry().deregister(&source).unwrap();
    assert_eq!(common::queue::expect_event(&mut queue).token(), Token(2));
}

#[test]
fn deregistering_before_closing_silences_what_has_duplicates() {
    let source = sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap();
    let _duplicate = source.try_clone().unwrap();
    let mut queue = watching(&source, READABLE);
    queue.registry().deregister(&source).unwrap();
    drop(source);
    expect_silence(&mut queue);
}

#[test]
fn a_cloned_registry_keeps_clear_of_the_standard_streams() {
    kernel::alone(|| {
        let queue = queue();
        // A program may have closed them, and expect the next to be opened there.
        let clone = queue.registry().try_clone().unwrap();
        assert!(clone.as_raw_fd() > 2, "{clone:?}");
    });
}
