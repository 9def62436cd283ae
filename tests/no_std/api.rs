//! The whole API, without the feature `std`.

use epore::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use epore::inotify::{IN_CREATE, Inotify};
use epore::net::{
    BindOptions, IoSlice, IoSliceMut, Shutdown, TcpListener, TcpStream, UdpSocket, UnixAddr,
    UnixDatagram, UnixListener, UnixStream,
};
use epore::pipe::{self, Receiver, Sender};
use epore::process::{self, Child};
use epore::signal::{self, SigSet, Signals};
use epore::sys::SIGURG;
use epore::{Errno, Event, Events, Interest, Poll, Result, Timer, Token, Waker, sys};
use std::thread;
use std::time::Duration;

const DEADLINE: Option<Duration> = Some(Duration::from_secs(60));

fn tokens<const N: usize>(queue: &mut Poll, events: &mut Events<N>) -> Vec<usize> {
    queue.poll(events, DEADLINE).unwrap();
    events.iter().map(|event| event.token().0).collect()
}

#[test]
fn a_library_without_std_talks_to_itself() {
    assert_eq!(no_std::to_itself(42).unwrap(), 42);
}

#[test]
fn a_queue_a_timer_and_an_inline_buffer() {
    let mut queue = Poll::new().unwrap();
    let timer = Timer::new().unwrap();
    queue
        .registry()
        .register(&timer, Token(3), Interest::READABLE)
        .unwrap();
    timer.set(Duration::from_micros(10)).unwrap();
    let mut events = Events::<4>::new();
    assert_eq!(tokens(&mut queue, &mut events), [3]);
    assert_eq!(timer.read().unwrap(), 1);
    queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());

    queue
        .registry()
        .reregister(&timer, Token(4), Interest::READABLE.edge())
        .unwrap();
    timer
        .set_periodic(Duration::ZERO, Duration::from_millis(1))
        .unwrap();
    assert_eq!(tokens(&mut queue, &mut events), [4]);
    timer.cancel().unwrap();
    assert_eq!(timer.remaining().unwrap(), None);
    queue.registry().deregister(&timer).unwrap();
}

#[test]
fn a_waker_from_another_thread() {
    let mut queue = Poll::new().unwrap();
    let waker = Waker::new(queue.registry(), Token(5)).unwrap();
    let registry = queue.registry().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| waker.wake().unwrap());
        assert_eq!(tokens(&mut queue, &mut Events::<4>::new()), [5]);
    });
    registry.deregister(&waker).unwrap();
}

#[test]
fn a_queue_in_a_queue() {
    let inner = Poll::new().unwrap();
    let waker = Waker::new(inner.registry(), Token(1)).unwrap();
    let mut outer = Poll::new().unwrap();
    outer
        .registry()
        .register(&inner, Token(6), Interest::READABLE)
        .unwrap();
    waker.wake().unwrap();
    assert_eq!(tokens(&mut outer, &mut Events::<4>::new()), [6]);
}

fn readable(source: &impl AsFd) {
    let mut queue = Poll::new().unwrap();
    queue
        .registry()
        .register(source, Token(0), Interest::READABLE)
        .unwrap();
    assert_eq!(tokens(&mut queue, &mut Events::<1>::new()), [0]);
}

#[test]
fn a_connection() {
    let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    readable(&listener);
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(client.take_error().unwrap(), None);
    client.set_nodelay(true).unwrap();
    assert!(client.nodelay().unwrap());
    client.write(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    readable(&server);
    let mut buf = [0; 8];
    assert_eq!(server.read(&mut buf).unwrap(), 5);
    readable(&server);
    assert_eq!(server.read(&mut buf).unwrap(), 0);
    assert!(client.read(&mut buf).unwrap_err().is_would_block());

    let number = client.into_raw_fd();
    // SAFETY: the stream has just given it up.
    let client = TcpStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    assert_eq!(client.as_raw_fd(), number);
    assert_eq!(OwnedFd::from(client).as_raw_fd(), number);
}

#[test]
fn datagrams() {
    let any = ([127, 0, 0, 1], 0).into();
    let (one, other) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
    let addr = other.local_addr().unwrap();
    one.connect(addr).unwrap();
    one.send(b"first").unwrap();
    one.send_to(b"second", addr).unwrap();
    let mut buf = [0; 8];
    readable(&other);
    assert_eq!(other.peek(&mut buf).unwrap(), 5);
    assert_eq!(other.recv(&mut buf).unwrap(), 5);
    let (count, from) = other.recv_from(&mut buf).unwrap();
    assert_eq!((count, from), (6, one.local_addr().unwrap()));
    assert!(other.recv(&mut buf).unwrap_err().is_would_block());
    let shared = BindOptions::new().reuse_port(true);
    let one = UdpSocket::bind_with(any, &shared).unwrap();
    UdpSocket::bind_with(one.local_addr().unwrap(), &shared).unwrap();
}

#[test]
fn unix_sockets() {
    let name = format!("epore no_std {}", std::process::id());
    let addr = UnixAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&addr).unwrap();
    let client = UnixStream::connect_addr(&addr).unwrap();
    readable(&listener);
    let (server, peer) = listener.accept().unwrap();
    assert!(peer.is_unnamed());
    assert_eq!(client.peer_addr().unwrap(), addr);
    client.write(b"x").unwrap();
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);

    let (one, other) = UnixDatagram::pair().unwrap();
    one.send(b"word").unwrap();
    assert_eq!(other.recv(&mut [0; 8]).unwrap(), 4);
    let error = UnixStream::connect("/nowhere at all").unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
}

#[test]
fn slices_of_its_own_are_written_and_read_in_one_call() {
    fn crosses_threads<T: Send + Sync>(_: &T) {}
    let (near, far) = UnixStream::pair().unwrap();
    let parts = [
        IoSlice::new(b"one, "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    crosses_threads(&parts);
    assert_eq!(near.write_vectored(&parts).unwrap(), 8);
    let (mut head, mut tail) = ([1; 5], [2; 4]);
    let mut room = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    crosses_threads(&room);
    assert_eq!(far.read_vectored(&mut room).unwrap(), 8);
    assert_eq!((&head, &tail), (b"one, ", b"two\x02"));
    near.write_vectored(&[parts[2]; 3]).unwrap();
    assert_eq!(far.read(&mut [0; 16]).unwrap(), 9);
}

#[test]
fn a_pipe() {
    let (sender, receiver) = pipe::new().unwrap();
    sender.write(b"four").unwrap();
    readable(&receiver);
    let mut buf = [0; 8];
    assert_eq!(receiver.read(&mut buf).unwrap(), 4);
    assert!(receiver.read(&mut buf).unwrap_err().is_would_block());
    receiver.set_nonblocking(false).unwrap();
    let sender = Sender::from(OwnedFd::from(sender));
    drop(sender);
    let receiver = Receiver::from(OwnedFd::from(receiver));
    assert_eq!(receiver.read(&mut buf).unwrap(), 0);
}

#[test]
fn a_signal_and_a_child() {
    let signals = Signals::new(SigSet::of(&[SIGURG])).unwrap();
    assert_eq!(signals.read().unwrap(), None);
    assert!(signal::block(SigSet::EMPTY).unwrap().contains(SIGURG));
    let mut queue = Poll::new().unwrap();
    let mut events = Events::<1>::new();
    let now = Some(Duration::ZERO);
    queue.poll_with_mask(&mut events, now, SigSet::ALL).unwrap();
    assert!(events.is_empty());

    // In an emulator, this program is none that the kernel could start.
    let there = std::path::Path::new("/bin/true").exists();
    let path = if there {
        c"/bin/true"
    } else {
        c"/proc/self/exe"
    };
    // Without a word, which would be taken for this program's.
    let argv = [
        c"api",
        c"--list",
        c"--format=terse",
        c"--exact",
        c"no such test",
    ];
    let mut child = Child::spawn(path, &argv, &[]).unwrap();
    assert_ne!(child.id(), Child::open(std::process::id()).unwrap().id());
    child.kill(0).unwrap();
    readable(&child);
    assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(0));
    let error = Child::spawn(c"/nowhere", &[], &[]).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
    assert_eq!(process::reap().unwrap(), None);
}

#[test]
fn what_happens_to_files() {
    let inotify = Inotify::new().unwrap();
    let watch = inotify.add(c"/", IN_CREATE).unwrap();
    inotify.remove(watch).unwrap();
    readable(&inotify);
    let mut buf = [0; 64];
    let mut events = inotify.read(&mut buf).unwrap();
    assert_eq!(events.next().unwrap().watch, watch);
    assert_eq!(events.next(), None);
}

#[test]
fn errors_are_core_errors() {
    fn wrong() -> core::result::Result<(), Box<dyn core::error::Error>> {
        sys::epoll_create1(1)?;
        Ok(())
    }
    assert_eq!(
        wrong().unwrap_err().to_string(),
        "epoll_create1: EINVAL (Invalid argument)"
    );
    let without_room: Result<()> = Poll::new().unwrap().poll(&mut Events::<0>::new(), None);
    assert_eq!(without_room.unwrap_err().errno(), Errno::EINVAL);
}

#[test]
fn an_event_is_plain_data() {
    let event = Event::new(sys::EPOLLIN, u64::MAX);
    assert!(event.is_readable());
    assert_eq!(event.token(), Token(usize::MAX));
}

#[cfg(feature = "alloc")]
#[test]
fn a_vec_holds_events_with_alloc() {
    let mut queue = Poll::new().unwrap();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    waker.wake().unwrap();
    let mut events = Vec::with_capacity(2);
    queue.poll(&mut events, DEADLINE).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].token(), Token(7));
}

/// Whether `Vec<Event>` is a buffer, without the error that it would be to say so.
#[cfg(not(feature = "alloc"))]
#[test]
fn a_vec_holds_no_events_without_alloc() {
    use epore::EventBuffer;
    use std::marker::PhantomData;

    struct Is<T>(PhantomData<T>);
    trait NotABuffer {
        const BUFFER: bool = false;
    }
    impl<T> NotABuffer for Is<T> {}
    impl<T: EventBuffer> Is<T> {
        const BUFFER: bool = true;
    }
    assert!(Is::<Events<1>>::BUFFER);
    assert!(!Is::<Vec<Event>>::BUFFER);
}
