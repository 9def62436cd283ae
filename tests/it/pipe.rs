//! Pipes: what one end writes the other reads, and what happens when one is gone.

use crate::common;

use common::kernel::{self, SIGPIPE};
use common::queue::{
    Watchdog, expect_bits, expect_event, expect_silence, expect_tokens, queue, watching,
};
use epore::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use epore::pipe::{self, Receiver, Sender};
use epore::signal::{SigSet, Signals};
use epore::{Errno, Interest, Token, signal, sys};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::thread;

const READABLE: Interest = Interest::READABLE;
const WRITABLE: Interest = Interest::WRITABLE;

/// A page: what a pipe has to have room for before it says that it has any.
const PIPE_BUF: usize = 4096;

fn fill(sender: &Sender) -> usize {
    let mut sum = 0;
    loop {
        match sender.write(&[b'x'; 10_000]) {
            Ok(count) => sum += count,
            Err(error) if error.is_would_block() => return sum,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_is_sent_is_received_and_reported_at_both_ends() {
    let (sender, receiver) = pipe::new().unwrap();
    let mut queue = queue();
    let registry = queue.registry();
    registry.register(&receiver, Token(0), READABLE).unwrap();
    registry.register(&sender, Token(1), WRITABLE).unwrap();
    assert!(expect_event(&mut queue).is_writable());
    assert_eq!(sender.write(b"hello").unwrap(), 5);
    expect_tokens(&mut queue, &[0, 1]);
    let mut buf = [0; 3];
    assert_eq!(receiver.read(&mut buf).unwrap(), 3);
    assert_eq!(&buf, b"hel");
    assert_eq!(receiver.read(&mut buf).unwrap(), 2);
    assert_eq!(&buf, b"lol");
    let error = receiver.read(&mut buf).unwrap_err();
    assert!(error.is_would_block(), "{error}");
    assert_eq!(error.syscall(), "read");
}

#[test]
fn both_ends_are_non_blocking_and_closed_on_exec() {
    let (sender, receiver) = pipe::new().unwrap();
    assert!(kernel::is_nonblocking(&sender) && kernel::is_nonblocking(&receiver));
    assert!(kernel::is_closed_on_exec(&sender) && kernel::is_closed_on_exec(&receiver));
}

#[test]
fn a_full_pipe_would_block_until_there_is_room_for_a_page() {
    let (sender, receiver) = pipe::new().unwrap();
    let mut queue = watching(&sender, WRITABLE);
    let capacity = fill(&sender);
    expect_silence(&mut queue);
    let mut buf = vec![0; PIPE_BUF];
    assert_eq!(receiver.read(&mut buf).unwrap(), PIPE_BUF);
    assert!(expect_event(&mut queue).is_writable());
    assert_eq!(fill(&sender), PIPE_BUF);
    let mut sum = 0;
    while let Ok(count) = receiver.read(&mut buf) {
        sum += count;
    }
    assert_eq!(sum, capacity);
}

#[test]
fn a_receiver_reads_the_rest_and_then_the_end_when_the_last_sender_is_gone() {
    let (sender, receiver) = pipe::new().unwrap();
    let second = Sender::from(sender.as_fd().try_clone_to_owned().unwrap());
    let mut queue = watching(&receiver, READABLE);
    second.write(b"rest").unwrap();
    drop(sender);
    expect_bits(&mut queue, sys::EPOLLIN);
    drop(second);
    let event = expect_bits(&mut queue, sys::EPOLLIN | sys::EPOLLHUP);
    assert!(event.is_read_closed(), "{event:?}");
    let mut buf = [0; 8];
    assert_eq!(receiver.read(&mut buf).unwrap(), 4);
    assert_eq!(receiver.read(&mut buf).unwrap(), 0);
    assert!(expect_event(&mut queue).is_read_closed());
}

#[test]
fn a_sender_is_told_that_the_last_receiver_is_gone() {
    let (sender, receiver) = pipe::new().unwrap();
    let mut queue = watching(&sender, WRITABLE);
    assert!(!expect_event(&mut queue).is_write_closed());
    drop(receiver);
    let event = expect_bits(&mut queue, sys::EPOLLOUT | sys::EPOLLERR);
    assert!(event.is_write_closed(), "{event:?}");
    // std's runtime ignores the signal.
    let error = sender.write(b"x").unwrap_err();
    assert_eq!((error.syscall(), error.errno()), ("write", Errno::EPIPE));
}

fn broken_pipe() -> Sender {
    pipe::new().unwrap().0
}

#[test]
fn a_write_that_nobody_can_read_ends_a_process_that_has_not_said_otherwise() {
    kernel::ends_by(SIGPIPE, || {
        kernel::default_action(SIGPIPE);
        let _ = broken_pipe().write(b"x");
        panic!("still there");
    });
}

#[test]
fn where_the_signal_is_ignored_the_write_answers() {
    kernel::alone(|| {
        kernel::default_action(SIGPIPE);
        signal::ignore(SIGPIPE).unwrap();
        assert_eq!(broken_pipe().write(b"x").unwrap_err().errno(), Errno::EPIPE);
    });
}

#[test]
fn where_the_signal_is_read_the_write_answers_too() {
    kernel::alone(|| {
        kernel::default_action(SIGPIPE);
        let signals = Signals::new(SigSet::of(&[SIGPIPE])).unwrap();
        assert_eq!(broken_pipe().write(b"x").unwrap_err().errno(), Errno::EPIPE);
        assert_eq!(signals.read().unwrap().unwrap().number(), SIGPIPE);
    });
}

#[test]
fn blocking_is_a_matter_of_each_end() {
    let (sender, receiver) = pipe::new().unwrap();
    receiver.set_nonblocking(false).unwrap();
    assert!(!kernel::is_nonblocking(&receiver));
    assert!(kernel::is_nonblocking(&sender));
    let _watchdog = Watchdog::new();
    thread::scope(|scope| {
        let reading = scope.spawn(|| receiver.read(&mut [0; 8]).unwrap());
        sender.write(b"four").unwrap();
        assert_eq!(reading.join().unwrap(), 4);
    });
    receiver.set_nonblocking(true).unwrap();
    assert!(receiver.read(&mut [0; 8]).unwrap_err().is_would_block());
    sender.set_nonblocking(false).unwrap();
    assert!(!kernel::is_nonblocking(&sender));
}

#[test]
fn std_reads_and_writes_through_them() {
    let (mut sender, mut receiver) = pipe::new().unwrap();
    sender.write_all(b"one ").unwrap();
    (&sender).write_all(b"two").unwrap();
    sender.flush().unwrap();
    (&sender).flush().unwrap();
    let mut buf = [0; 4];
    (&receiver).read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"one ");
    drop(sender);
    let mut rest = String::new();
    receiver.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "two");

    let (_sender, mut receiver) = pipe::new().unwrap();
    let error = Read::read(&mut receiver, &mut buf).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let error = broken_pipe().write_all(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn ends_convert_to_and_from_stds() {
    let (reader, writer) = io::pipe().unwrap();
    let sender = Sender::try_from(writer).unwrap();
    let receiver = Receiver::try_from(reader).unwrap();
    assert!(kernel::is_nonblocking(&sender) && kernel::is_nonblocking(&receiver));
    sender.write(b"x").unwrap();
    let mut writer = PipeWriter::from(sender);
    writer.write_all(b"y").unwrap();
    let mut reader = PipeReader::from(receiver);
    reader.read_exact(&mut [0; 2]).unwrap();
    assert!(kernel::is_nonblocking(&writer) && kernel::is_nonblocking(&reader));
}

#[test]
fn the_ends_that_std_has_of_a_child_become_non_blocking() {
    let (reader, writer) = io::pipe().unwrap();
    let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
    let stderr = ChildStderr::from(reader.try_clone().unwrap());
    assert!(!kernel::is_nonblocking(&reader) && !kernel::is_nonblocking(&writer));
    let receiver = Receiver::try_from(ChildStdout::from(reader)).unwrap();
    let sender = Sender::try_from(ChildStdin::from(writer)).unwrap();
    sender.write(b"from stdin").unwrap();
    assert!(kernel::is_nonblocking(&sender) && kernel::is_nonblocking(&receiver));
    let stderr = Receiver::try_from(stderr).unwrap();
    let mut buf = [0; 16];
    assert_eq!(stderr.read(&mut buf).unwrap(), 10);
    assert!(receiver.read(&mut buf).unwrap_err().is_would_block());
}

#[test]
fn ends_are_descriptors_of_their_owner() {
    let (sender, receiver) = pipe::new().unwrap();
    let number = sender.as_raw_fd();
    assert_eq!(sender.as_fd().as_raw_fd(), number);
    assert_eq!(sender.into_raw_fd(), number);
    // SAFETY: the sender has just given it up.
    let sender = Sender::from(unsafe { OwnedFd::from_raw_fd(number) });
    sender.write(b"x").unwrap();
    let owned = OwnedFd::from(receiver);
    assert_eq!(Receiver::from(owned).read(&mut [0; 8]).unwrap(), 1);
    assert!(kernel::is_nonblocking(&sender));
}
