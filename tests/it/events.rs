//! What an event says: mio's meanings, and the kernel's own events.

use crate::common;

use common::kernel;
use common::queue::{expect_bits, queue, watching};
use epore::sys::{
    self, EFD_CLOEXEC, EFD_NONBLOCK, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN,
    EPOLLMSG, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWAKEUP,
    EPOLLWRBAND, EPOLLWRNORM,
};
use epore::{Event, Interest, Poll, Timer, Token, Waker};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const ALL: Interest = Interest::READABLE
    .add(Interest::WRITABLE)
    .add(Interest::PRIORITY);

/// The answers of mio 1.x for the bits that a kernel reports, written down a
/// second time.
fn meaning(bits: u32) -> [bool; 6] {
    let [is_in, pri, out, err, hup, rdhup] =
        [EPOLLIN, EPOLLPRI, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP].map(|bit| bits & bit == bit);
    [
        is_in || pri,
        out,
        pri,
        err,
        hup || (is_in && rdhup),
        hup || (out && err) || bits == EPOLLERR,
    ]
}

fn answers(event: &Event) -> [bool; 6] {
    [
        event.is_readable(),
        event.is_writable(),
        event.is_priority(),
        event.is_error(),
        event.is_read_closed(),
        event.is_write_closed(),
    ]
}

#[test]
fn every_combination_of_bits_means_what_it_means_in_mio() {
    let bits = [
        EPOLLIN,
        EPOLLPRI,
        EPOLLOUT,
        EPOLLERR,
        EPOLLHUP,
        EPOLLRDNORM,
        EPOLLRDBAND,
        EPOLLWRNORM,
        EPOLLWRBAND,
        EPOLLMSG,
        EPOLLRDHUP,
    ];
    for chosen in 0..1u32 << bits.len() {
        let bits = (0..bits.len())
            .filter(|index| chosen & 1 << index != 0)
            .fold(0, |sum, index| sum | bits[index]);
        let event = Event::new(bits, 1);
        assert_eq!(answers(&event), meaning(bits), "{event:?}");
        assert_eq!(event.events(), bits);
    }
}

/// The six answers in words, for tests to spell out.
fn words(event: Event) -> String {
    let names = [
        "readable",
        "writable",
        "priority",
        "error",
        "read-closed",
        "write-closed",
    ];
    let said: Vec<_> = (names.iter().zip(answers(&event)))
        .filter_map(|(name, yes)| yes.then_some(*name))
        .collect();
    said.join(" ")
}

#[track_caller]
fn expect(queue: &mut Poll, bits: u32, meaning: &str) {
    assert_eq!(words(expect_bits(queue, bits)), meaning);
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

#[test]
fn a_tcp_connection_from_its_first_to_its_last_byte() {
    let (mut near, mut far) = tcp_pair();
    let queue = &mut watching(&near, ALL);
    expect(queue, EPOLLOUT, "writable");
    far.write_all(b"x").unwrap();
    expect(queue, EPOLLIN | EPOLLOUT, "readable writable");
    near.read_exact(&mut [0]).unwrap();
    expect(queue, EPOLLOUT, "writable");
    far.shutdown(Shutdown::Write).unwrap();
    expect(
        queue,
        EPOLLIN | EPOLLOUT | EPOLLRDHUP,
        "readable writable read-closed",
    );
    near.shutdown(Shutdown::Write).unwrap();
    expect(
        queue,
        EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP,
        "readable writable read-closed write-closed",
    );
}

#[test]
fn what_came_before_the_end_can_still_be_read() {
    let (mut near, mut far) = tcp_pair();
    let mut queue = watching(&near, ALL);
    far.write_all(b"the last words").unwrap();
    drop(far);
    let event = expect_bits(&mut queue, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    assert!(event.is_read_closed());
    let mut text = String::new();
    near.read_to_string(&mut text).unwrap();
    assert_eq!(text, "the last words");
    // The end is a state like any other: it stays.
    expect_bits(&mut queue, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

#[test]
fn a_reset_connection_is_an_error_and_closed_both_ways() {
    let (mut near, far) = tcp_pair();
    let mut queue = watching(&near, ALL);
    // Closed with something unread, it is reset.
    near.write_all(b"x").unwrap();
    let mut other_side = watching(&far, Interest::READABLE);
    expect_bits(&mut other_side, EPOLLIN);
    drop(far);
    expect(
        &mut queue,
        EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP,
        "readable writable error read-closed write-closed",
    );
    // Reading takes the error away, and the rest stays.
    let error = near.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    expect(
        &mut queue,
        EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP,
        "readable writable read-closed write-closed",
    );
}

#[test]
fn urgent_data_is_priority_and_readable() {
    const MSG_OOB: i32 = 1;
    let (near, far) = tcp_pair();
    let queue = &mut watching(&near, Interest::PRIORITY);
    assert_eq!(sys::sendto(far.as_fd(), b"!", MSG_OOB, None).unwrap(), 1);
    expect(queue, EPOLLPRI, "readable priority");
    expect(
        &mut watching(&near, ALL),
        EPOLLPRI | EPOLLOUT,
        "readable writable priority",
    );
}

#[test]
fn a_socket_that_was_never_connected_has_hung_up() {
    let socket = sys::socket(sys::AF_INET, sys::SOCK_STREAM | sys::SOCK_CLOEXEC, 0).unwrap();
    expect(
        &mut watching(&socket, ALL),
        EPOLLOUT | EPOLLHUP,
        "writable read-closed write-closed",
    );
}

#[test]
fn a_listener_is_readable_while_a_connection_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let queue = &mut watching(&listener, ALL);
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    expect(queue, EPOLLIN, "readable");
    let _server = listener.accept().unwrap();
    common::queue::expect_silence(queue);
}

#[test]
fn a_unix_stream_whose_peer_is_gone_is_closed_both_ways() {
    let (near, far) = UnixStream::pair().unwrap();
    let queue = &mut watching(&near, ALL);
    expect(queue, EPOLLOUT, "writable");
    drop(far);
    expect(
        queue,
        EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP,
        "readable writable read-closed write-closed",
    );
}

#[test]
fn a_pipe_without_a_writer_is_read_closed() {
    let (read, write) = kernel::pipe();
    let queue = &mut watching(&read, ALL);
    sys::write(write.as_fd(), b"x").unwrap();
    expect(queue, EPOLLIN, "readable");
    drop(write);
    expect(
        queue,
        EPOLLIN | EPOLLHUP,
        "readable read-closed write-closed",
    );
    assert_eq!(sys::read(read.as_fd(), &mut [0; 8]).unwrap(), 1);
    expect(queue, EPOLLHUP, "read-closed write-closed");
}

#[test]
fn a_pipe_without_a_reader_is_write_closed() {
    let (read, write) = kernel::pipe();
    let queue = &mut watching(&write, ALL);
    expect(queue, EPOLLOUT, "writable");
    drop(read);
    expect(queue, EPOLLOUT | EPOLLERR, "writable error write-closed");
}

#[test]
fn a_full_pipe_without_a_reader_has_the_error_alone() {
    let (read, write) = kernel::pipe();
    while sys::write(write.as_fd(), &[0; 4096]).is_ok() {}
    let queue = &mut watching(&write, ALL);
    common::queue::expect_silence(queue);
    drop(read);
    expect(queue, EPOLLERR, "error write-closed");
}

#[test]
fn an_eventfd_is_readable_above_zero_and_writable_below_the_brim() {
    let counter = sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK).unwrap();
    let queue = &mut watching(&counter, ALL);
    expect(queue, EPOLLOUT, "writable");
    sys::write(counter.as_fd(), &1u64.to_ne_bytes()).unwrap();
    expect(queue, EPOLLIN | EPOLLOUT, "readable writable");
    sys::write(counter.as_fd(), &(u64::MAX - 2).to_ne_bytes()).unwrap();
    expect(queue, EPOLLIN, "readable");
    sys::read(counter.as_fd(), &mut [0; 8]).unwrap();
    expect(queue, EPOLLOUT, "writable");
}

#[test]
fn a_timer_and_a_queue_are_readable_and_nothing_else() {
    let timer = Timer::new().unwrap();
    timer.set(Duration::ZERO).unwrap();
    let inner = watching(&timer, ALL);
    expect(&mut watching(&timer, ALL), EPOLLIN, "readable");
    expect(&mut watching(&inner, ALL), EPOLLIN, "readable");
}

#[test]
fn a_waker_is_reported_as_readable() {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(1)).unwrap();
    waker.wake().unwrap();
    expect(&mut queue, EPOLLIN, "readable");
}

#[test]
fn what_was_not_asked_for_is_not_reported() {
    let (near, mut far) = tcp_pair();
    far.write_all(b"x").unwrap();
    let queue = &mut watching(&near, Interest::WRITABLE);
    expect(queue, EPOLLOUT, "writable");
    far.shutdown(Shutdown::Write).unwrap();
    expect(queue, EPOLLOUT, "writable");
}

#[test]
fn debug_names_the_token_and_the_flags() {
    let event = Event::new(EPOLLIN | EPOLLOUT | EPOLLRDHUP, 7);
    assert_eq!(
        format!("{event:?}"),
        "Event { token: Token(7), events: EPOLLIN | EPOLLOUT | EPOLLRDHUP }"
    );
    let every = EPOLLIN
        | EPOLLPRI
        | EPOLLOUT
        | EPOLLERR
        | EPOLLHUP
        | EPOLLRDNORM
        | EPOLLRDBAND
        | EPOLLWRNORM
        | EPOLLWRBAND
        | EPOLLMSG
        | EPOLLRDHUP
        | EPOLLEXCLUSIVE
        | EPOLLWAKEUP
        | EPOLLONESHOT
        | EPOLLET;
    assert_eq!(
        format!("{:?}", Event::new(every, 0)),
        "Event { token: Token(0), events: EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | \
         EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP | \
         EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET }"
    );
}

#[test]
fn debug_shows_what_has_no_name_and_what_is_empty() {
    assert_eq!(
        format!("{:?}", Event::new(0, 1)),
        "Event { token: Token(1), events: 0x0 }"
    );
    assert_eq!(
        format!("{:?}", Event::new(EPOLLIN | 0x0010_0000, 1)),
        "Event { token: Token(1), events: EPOLLIN | 0x100000 }"
    );
}

#[test]
fn the_raw_bits_and_data_are_as_the_kernel_wrote_them() {
    let (read, write) = kernel::pipe();
    let mut queue = queue();
    let token = usize::MAX - 1;
    queue.registry().register(&read, Token(token), ALL).unwrap();
    drop(write);
    let event = common::queue::expect_event(&mut queue);
    assert_eq!(event.events(), EPOLLHUP);
    assert_eq!(event.data(), token as u64);
    assert_eq!(event, Event::new(EPOLLHUP, token as u64));
}
