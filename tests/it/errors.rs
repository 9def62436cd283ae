//! What each wrong call is told, word for word.

use crate::common;

use common::kernel;
use common::queue::{queue, watching};
use common::tcp::V4;
use epore::net::{TcpListener, TcpStream};
use epore::{Errno, Error, Events, Interest, Poll, Timer, Token, Waker, sys};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;
use syscalls::Sysno;

const READABLE: Interest = Interest::READABLE;

#[track_caller]
fn says<T: std::fmt::Debug>(outcome: epore::Result<T>, sentence: &str) {
    assert_eq!(outcome.expect_err("an error").to_string(), sentence);
}

fn register(source: &impl AsFd, interest: Interest) -> epore::Result<()> {
    queue().registry().register(source, Token(1), interest)
}

#[test]
fn registering_what_cannot_be_polled_is_refused_with_the_reason() {
    for path in ["/proc/self/exe", "/", "/dev/null", "/dev/zero"] {
        says(
            register(&File::open(path).unwrap(), READABLE),
            "epoll_ctl: EPERM (Operation not permitted): the file cannot be polled: \
             a regular file, a directory or a device such as /dev/null is always ready",
        );
    }
}

#[test]
fn o_path_cannot_be_polled() {
    const O_PATH: i32 = 0o10000000;
    let mut options = OpenOptions::new();
    let path = options.read(true).custom_flags(O_PATH).open("/").unwrap();
    says(
        register(&path, READABLE),
        "epoll_ctl: EBADF (Bad file number): \
         the source's descriptor is closed, or was opened with O_PATH",
    );
}

#[test]
fn a_closed_stream_cannot_be_registered() {
    // Nothing else may take the number meanwhile.
    kernel::alone(|| {
        let queue = queue();
        let (near, _far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        drop(near);
        // SAFETY: it is closed, and stays so: what is shown is that the kernel says so.
        let closed = unsafe { BorrowedFd::borrow_raw(number) };
        let sentence = "epoll_ctl: EBADF (Bad file number): \
                        the source's descriptor is closed, or was opened with O_PATH";
        let registry = queue.registry();
        says(registry.register(&closed, Token(1), READABLE), sentence);
        says(registry.reregister(&closed, Token(1), READABLE), sentence);
        says(registry.deregister(&closed), sentence);
    });
}

#[test]
fn a_stream_that_is_shut_down_cannot_be_written_to() {
    let (near, _far) = common::tcp::pair();
    near.shutdown(std::net::Shutdown::Both.into()).unwrap();
    says(near.write(b"late"), "sendto: EPIPE (Broken pipe)");
    assert_eq!(near.read(&mut [0]).unwrap(), 0);
}

#[test]
fn register_twice() {
    let (near, _far) = UnixStream::pair().unwrap();
    says(
        watching(&near, READABLE)
            .registry()
            .register(&near, Token(2), READABLE),
        "epoll_ctl: EEXIST (File exists): the source is registered already: reregister it",
    );
}

#[test]
fn reregister_or_deregister_before_register() {
    let (near, _far) = UnixStream::pair().unwrap();
    let sentence = "epoll_ctl: ENOENT (No such file or directory): \
                    the source is not registered with this queue";
    let queue = queue();
    says(
        queue.registry().reregister(&near, Token(1), READABLE),
        sentence,
    );
    says(queue.registry().deregister(&near), sentence);
}

#[test]
fn exclusive_with_what_it_excludes() {
    let (near, _far) = UnixStream::pair().unwrap();
    let exclusive = READABLE.exclusive();
    for interest in [
        exclusive.oneshot(),
        exclusive | Interest::PRIORITY,
        (Interest::PRIORITY | Interest::WRITABLE)
            .exclusive()
            .oneshot(),
    ] {
        says(
            register(&near, interest),
            "epoll_ctl: EINVAL (Invalid argument): \
             an exclusive interest takes neither PRIORITY nor oneshot",
        );
    }
    says(
        register(&queue(), exclusive),
        "epoll_ctl: EINVAL (Invalid argument): a queue cannot be watched exclusively",
    );
    let sentence = "epoll_ctl: EINVAL (Invalid argument): \
                    what is or becomes exclusive cannot be reregistered: \
                    deregister it, then register it";
    let to = |from: Interest, to: Interest| {
        let queue = watching(&near, from);
        queue.registry().reregister(&near, Token(1), to)
    };
    says(to(READABLE, exclusive), sentence);
    says(to(exclusive, READABLE), sentence);
    says(to(exclusive, exclusive), sentence);
}

#[test]
fn what_is_exclusive_can_be_deregistered_and_registered() {
    let (near, _far) = UnixStream::pair().unwrap();
    let queue = watching(&near, READABLE.exclusive());
    queue.registry().deregister(&near).unwrap();
    queue
        .registry()
        .register(&near, Token(1), READABLE)
        .unwrap();
}

#[test]
fn a_queue_in_itself_or_in_a_circle() {
    let (first, second) = (queue(), queue());
    says(
        first.registry().register(&first, Token(1), READABLE),
        "epoll_ctl: EINVAL (Invalid argument): a queue cannot watch itself",
    );
    first
        .registry()
        .register(&second, Token(1), READABLE)
        .unwrap();
    says(
        second.registry().register(&first, Token(1), READABLE),
        "epoll_ctl: ELOOP (Too many symbolic links encountered): \
         queues watch each other in a circle, or nest too deep",
    );
}

#[test]
fn a_buffer_without_room() {
    // aarch64 has no epoll_wait.
    let wait = if cfg!(target_arch = "x86_64") {
        "epoll_wait"
    } else {
        "epoll_pwait"
    };
    let says_so = |outcome, call| {
        says(
            outcome,
            &format!("{call}: EINVAL (Invalid argument): the event buffer has no room"),
        )
    };
    let mut queue = queue();
    says_so(queue.poll(&mut Vec::new(), None), wait);
    says_so(queue.poll(&mut Events::<0>::new(), None), wait);
}

#[test]
fn nobody_listens() {
    let quiet = SocketAddr::from((Ipv4Addr::new(127, 87, 65, 99), 9));
    let outcome = TcpStream::connect(quiet).and_then(|stream| {
        common::queue::expect_event(&mut watching(&stream, Interest::WRITABLE));
        stream.take_error().map(|error| error.map_or(Ok(()), Err))?
    });
    says(
        outcome,
        "connect: ECONNREFUSED (Connection refused): nobody listens at that address",
    );
}

/// Closing with data that was not read resets the connection.
fn resets(far: impl Sized, near: &impl AsFd) {
    drop(far);
    common::queue::expect_event(&mut watching(near, Interest::PRIORITY));
}

#[test]
fn the_pending_error_of_a_stream_that_never_connected_does_not_name_connect() {
    const RESET: &str = "getsockopt: ECONNRESET (Connection reset by peer)";
    let pending = |error: epore::Result<Option<epore::Error>>| {
        let error = error.unwrap().expect("a pending error");
        assert_eq!(error.errno(), Errno::ECONNRESET);
        says::<()>(Err(error), RESET);
    };
    for accepted_is_reset in [true, false] {
        let (client, server) = common::tcp::pair();
        let (near, far) = match accepted_is_reset {
            true => (server, client),
            false => (client, server),
        };
        near.write(b"never read").unwrap();
        common::tcp::readable(&far);
        resets(far, &near);
        pending(near.take_error());
    }
    let (near, far) = epore::net::UnixStream::pair().unwrap();
    near.write(b"never read").unwrap();
    resets(far, &near);
    pending(near.take_error());
}

#[test]
fn an_address_in_use() {
    let listener = TcpListener::bind(V4).unwrap();
    says(
        TcpListener::bind(listener.local_addr().unwrap()),
        "bind: EADDRINUSE (Address already in use): another socket has that address",
    );
}

#[test]
fn a_foreign_address() {
    says(
        TcpListener::bind("192.0.2.1:80".parse().unwrap()),
        "bind: EADDRNOTAVAIL (Cannot assign requested address): \
         no interface of this machine has that address",
    );
}

#[test]
fn a_port_for_root_alone() {
    kernel::alone(|| {
        kernel::become_nobody();
        let port_one = SocketAddr::from((Ipv4Addr::new(127, 87, 65, 98), 1));
        match TcpListener::bind(port_one) {
            Ok(_) => common::left_out("binding a port below 1024", "anyone may, here"),
            error => says(
                error,
                "bind: EACCES (Permission denied): ports below 1024 need CAP_NET_BIND_SERVICE",
            ),
        }
    });
}

#[test]
fn no_descriptor_is_left() {
    kernel::alone(|| {
        let queue = queue();
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect(addr).unwrap();
        common::tcp::readable(&listener);

        let says_so = |outcome: epore::Result<()>, call: &str| {
            let sentence = "EMFILE (Too many open files): \
                            the process has no descriptor left (RLIMIT_NOFILE)";
            says(outcome, &format!("{call}: {sentence}"));
        };
        common::limit_own_descriptors(3);
        says_so(Poll::new().map(drop), "epoll_create1");
        says_so(Timer::new().map(drop), "timerfd_create");
        says_so(Waker::new(queue.registry(), Token(0)).map(drop), "eventfd2");
        says_so(TcpListener::bind(V4).map(drop), "socket");
        says_so(TcpStream::connect(addr).map(drop), "socket");
        says_so(listener.accept().map(drop), "accept4");

        // A clone is numbered three or higher, which the limit must allow at all.
        common::limit_own_descriptors(4);
        says_so(queue.registry().try_clone().map(drop), "fcntl");
        drop(client);
    });
}

#[test]
fn too_many_watches() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // The limit is the user's, not the process's, so it is only played.
            if let Err(why) = kernel::refuse(Sysno::epoll_ctl, Errno::ENOSPC) {
                return common::left_out("too many watches", format!("no filter: {why}"));
            }
            let sentence = "epoll_ctl: ENOSPC (No space left on device): \
                            the user's limit is reached (/proc/sys/fs/epoll/max_user_watches)";
            says(register(&queue(), READABLE), sentence);
            says(Waker::new(queue().registry(), Token(0)).map(drop), sentence);
        });
    });
}

#[test]
fn the_connection_that_found_no_descriptor_goes_on_waiting() {
    kernel::alone(|| {
        let listener = TcpListener::bind(V4).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut queue = watching(&listener, READABLE);
        common::queue::expect_event(&mut queue);
        let (spare, _) = UnixStream::pair().unwrap();
        common::limit_own_descriptors(kernel::open_descriptors() as u64 - 1);
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/") {
            hoard.push(file);
        }
        assert_eq!(listener.accept().unwrap_err().errno(), Errno::EMFILE);
        common::queue::expect_event(&mut queue);
        drop(spare);
        listener.accept().unwrap();
    });
}

#[test]
fn would_block_and_interrupted_are_asked_by_name() {
    let listener = TcpListener::bind(V4).unwrap();
    let error = listener.accept().unwrap_err();
    assert!(error.is_would_block() && !error.is_interrupted());
    assert_eq!(error.errno(), Errno::EAGAIN);
    assert_eq!(error.errno(), Errno::EWOULDBLOCK);
    assert_eq!(error.to_string(), "accept4: EAGAIN (Try again)");
}

fn an_error() -> Error {
    queue().poll(&mut Vec::new(), None).unwrap_err()
}

#[test]
fn an_error_answers_what_and_why() {
    let error = an_error();
    assert!(["epoll_wait", "epoll_pwait"].contains(&error.syscall()));
    assert_eq!(error.errno(), Errno::EINVAL);
    assert_eq!(error.errno().into_raw(), 22);
    assert_eq!(error.reason(), Some("the event buffer has no room"));
}

#[test]
fn debug_is_the_sentence_too() {
    let error = an_error();
    assert_eq!(format!("{error:?}"), format!("Error({error})"));
}

#[test]
fn an_error_is_small_and_plain() {
    let error = an_error();
    let copy = error;
    assert_eq!(copy, error);
    assert_ne!(error, register(&queue(), READABLE.exclusive()).unwrap_err());
    assert!(size_of::<epore::Result<()>>() <= 32);
}

#[test]
fn an_error_is_a_core_error() {
    let error: Box<dyn core::error::Error + Send + Sync> = Box::new(an_error());
    assert!(error.source().is_none());
    assert_eq!(error.downcast_ref::<Error>(), Some(&an_error()));
}

#[test]
fn the_question_mark_keeps_the_errno() {
    fn fails() -> io::Result<()> {
        register(&File::open("/")?, READABLE)?;
        Ok(())
    }
    let error = fails().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::EPERM.into_raw()));
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn every_errno_survives_the_conversion() {
    let (near, _far) = UnixStream::pair().unwrap();
    let queue = queue();
    let errors = [
        sys::epoll_create1(1).map(drop),
        queue.registry().deregister(&near),
        sys::listen(queue.as_fd(), 1),
        sys::timerfd_gettime(near.as_fd()).map(drop),
        TcpListener::bind(V4).unwrap().accept().map(drop),
        register(&queue, READABLE.exclusive()),
    ];
    for error in errors.map(Result::unwrap_err) {
        let converted = io::Error::from(error);
        assert_eq!(converted.raw_os_error(), Some(error.errno().into_raw()));
    }
}

#[test]
fn an_error_names_the_call_that_failed() {
    let (near, _far) = UnixStream::pair().unwrap();
    let timer = Timer::new().unwrap();
    timer.set(Duration::ZERO).unwrap();
    for (error, call) in [
        (sys::epoll_create1(1).map(drop), "epoll_create1"),
        (sys::eventfd2(0, 1 << 20).map(drop), "eventfd2"),
        (sys::timerfd_create(99, 0).map(drop), "timerfd_create"),
        (
            sys::timerfd_gettime(near.as_fd()).map(drop),
            "timerfd_gettime",
        ),
        (sys::read(queue().as_fd(), &mut [0]).map(drop), "read"),
        (sys::write(timer.as_fd(), &[0]).map(drop), "write"),
        (sys::clock_gettime(99).map(drop), "clock_gettime"),
        (sys::shutdown(timer.as_fd(), 0), "shutdown"),
    ] {
        assert_eq!(error.unwrap_err().syscall(), call);
    }
}
