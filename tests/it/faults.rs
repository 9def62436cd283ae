//! The kernel says no: to each system call, with each errno, at each place where
//! the library makes it.

use crate::common;

use common::fault::{Call, Faults, Plan, with_faults};
use common::kernel::{self, PWAIT2_REFUSALS, SIGALRM};
use common::path::Fresh;
use common::queue::{
    AT_ONCE, DEADLINE, Watchdog, expect_silence, expect_tokens, look, poll, queue, watching,
};
use common::tcp::{self, V4};
use epore::fd::{self, AsFd, OwnedFd};
use epore::inotify::{IN_CREATE, Inotify};
use epore::net::{
    BindOptions, Keepalive, Shutdown, TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram,
    UnixListener, UnixStream,
};
use epore::pipe::{Receiver, Sender};
use epore::process::{self, Child, ExitStatus};
use epore::signal::{SIGUSR1, SIGUSR2, SigSet, Signals};
use epore::sys::{self, SYSCALLS, SockAddr, Timespec, WaitId};
use epore::{
    BusyPoll, Errno, Error, Event, Events, Interest, Poll, Result, Timer, Token, Waker, pipe,
    signal,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use syscalls::{Sysno, syscall};

const READABLE: Interest = Interest::READABLE;

/// What `poll` waits with.
const WAIT: &str = if cfg!(target_arch = "x86_64") {
    "epoll_wait"
} else {
    "epoll_pwait"
};

/// A timeout that `epoll_pwait2` alone can take.
const FRACTION: Option<Duration> = Some(Duration::from_micros(100));

/// What each call may answer: the errors of its man page, and for calls on sockets
/// what the network may add.
#[rustfmt::skip]
const ERRNOS: &[(&str, &[Errno])] = {
    use Errno as E;
    &[
        ("accept4", &[
            E::EAGAIN, E::EBADF, E::ECONNABORTED, E::EFAULT, E::EINTR, E::EINVAL, E::EMFILE,
            E::ENFILE, E::ENOBUFS, E::ENOMEM, E::ENOTSOCK, E::EOPNOTSUPP, E::EPERM, E::EPROTO,
            E::ENOSR, E::ESOCKTNOSUPPORT, E::EPROTONOSUPPORT, E::ETIMEDOUT, E::ENETDOWN,
            E::ENOPROTOOPT, E::EHOSTDOWN, E::ENONET, E::EHOSTUNREACH, E::ENETUNREACH, E::ENOSYS,
        ]),
        ("bind", &[
            E::EACCES, E::EADDRINUSE, E::EADDRNOTAVAIL, E::EBADF, E::EFAULT, E::EINVAL, E::ELOOP,
            E::ENAMETOOLONG, E::ENOENT, E::ENOMEM, E::ENOTDIR, E::ENOTSOCK, E::EROFS, E::EPERM,
            E::EAFNOSUPPORT,
        ]),
        ("clock_gettime", &[
            E::EACCES, E::EFAULT, E::EINVAL, E::ENODEV, E::EOPNOTSUPP, E::EOVERFLOW, E::EPERM,
        ]),
        ("clone", &[
            E::EAGAIN, E::EINVAL, E::ENOMEM, E::ENOSPC, E::EPERM, E::EUSERS, E::ENOSYS,
        ]),
        ("close", &[E::EBADF, E::EDQUOT, E::EINTR, E::EIO, E::ENOSPC]),
        ("connect", &[
            E::EACCES, E::EADDRINUSE, E::EADDRNOTAVAIL, E::EAFNOSUPPORT, E::EAGAIN, E::EALREADY,
            E::EBADF, E::ECONNREFUSED, E::EFAULT, E::EHOSTUNREACH, E::EINPROGRESS, E::EINTR,
            E::EISCONN, E::ENETUNREACH, E::ENOTSOCK, E::EPERM, E::EPROTOTYPE, E::ETIMEDOUT,
            E::EINVAL, E::ENETDOWN, E::EHOSTDOWN, E::ENOBUFS, E::ENOMEM, E::ECONNABORTED,
            E::ECONNRESET, E::ENOENT,
        ]),
        ("epoll_create1", &[E::EINVAL, E::EMFILE, E::ENFILE, E::ENOMEM, E::ENOSYS]),
        ("epoll_ctl", &[
            E::EBADF, E::EEXIST, E::EINVAL, E::ELOOP, E::ENOENT, E::ENOMEM, E::ENOSPC, E::EPERM,
            E::EFAULT,
        ]),
        ("epoll_pwait", &[E::EBADF, E::EFAULT, E::EINTR, E::EINVAL]),
        ("epoll_pwait2", &[
            E::EBADF, E::EFAULT, E::EINTR, E::EINVAL, E::ENOSYS, E::EPERM,
        ]),
        ("epoll_wait", &[E::EBADF, E::EFAULT, E::EINTR, E::EINVAL]),
        ("eventfd2", &[E::EINVAL, E::EMFILE, E::ENFILE, E::ENODEV, E::ENOMEM, E::ENOSYS]),
        ("execve", &[
            E::EACCES, E::E2BIG, E::EAGAIN, E::EFAULT, E::EINVAL, E::EIO, E::EISDIR, E::ELIBBAD,
            E::ELOOP, E::EMFILE, E::ENAMETOOLONG, E::ENFILE, E::ENOENT, E::ENOEXEC, E::ENOMEM,
            E::ENOTDIR, E::EPERM, E::ETXTBSY,
        ]),
        // It has none; a filter may.
        ("exit_group", &[E::ENOSYS, E::EPERM, E::EINTR]),
        // Most are for other commands.
        ("fcntl", &[
            E::EACCES, E::EAGAIN, E::EBADF, E::EBUSY, E::EDEADLK, E::EFAULT, E::EINTR, E::EINVAL,
            E::EMFILE, E::ENOLCK, E::ENOTDIR, E::EPERM,
        ]),
        ("getpeername", &[
            E::EBADF, E::EFAULT, E::EINVAL, E::ENOBUFS, E::ENOTCONN, E::ENOTSOCK,
        ]),
        ("getsockname", &[E::EBADF, E::EFAULT, E::EINVAL, E::ENOBUFS, E::ENOTSOCK]),
        ("getsockopt", &[E::EBADF, E::EFAULT, E::EINVAL, E::ENOPROTOOPT, E::ENOTSOCK]),
        ("inotify_add_watch", &[
            E::EACCES, E::EBADF, E::EEXIST, E::EFAULT, E::EINVAL, E::ENAMETOOLONG, E::ENOENT,
            E::ENOMEM, E::ENOSPC, E::ENOTDIR, E::ELOOP,
        ]),
        ("inotify_init1", &[E::EINVAL, E::EMFILE, E::ENFILE, E::ENOMEM, E::ENOSYS]),
        ("inotify_rm_watch", &[E::EBADF, E::EINVAL, E::ENOSYS]),
        // For the parameters of a queue.
        ("ioctl", &[
            E::EBADF, E::EFAULT, E::EINVAL, E::ENOTTY, E::EOPNOTSUPP, E::EPERM,
        ]),
        ("listen", &[
            E::EADDRINUSE, E::EBADF, E::ENOTSOCK, E::EOPNOTSUPP, E::EACCES, E::EINVAL,
        ]),
        ("pidfd_open", &[
            E::EINVAL, E::EMFILE, E::ENFILE, E::ENODEV, E::ENOMEM, E::ESRCH, E::ENOSYS, E::EPERM,
        ]),
        ("pidfd_send_signal", &[
            E::EBADF, E::EINVAL, E::EPERM, E::ESRCH, E::ENOSYS, E::EAGAIN,
        ]),
        ("pipe2", &[E::EFAULT, E::EINVAL, E::EMFILE, E::ENFILE, E::ENOMEM]),
        ("read", &[
            E::EAGAIN, E::EBADF, E::EFAULT, E::EINTR, E::EINVAL, E::EIO, E::EISDIR,
            E::ECONNRESET, E::ENOTCONN, E::ETIMEDOUT, E::ECANCELED, E::EHOSTUNREACH,
            // And of `recv`.
            E::ECONNREFUSED, E::ENOMEM, E::ENOTSOCK, E::ENETUNREACH, E::ECONNABORTED,
        ]),
        ("readv", &[
            E::EAGAIN, E::EBADF, E::EFAULT, E::EINTR, E::EINVAL, E::EIO, E::EISDIR,
            E::ECONNRESET, E::ENOTCONN, E::ETIMEDOUT,
        ]),
        ("recvfrom", &[
            E::EAGAIN, E::EBADF, E::ECONNREFUSED, E::EFAULT, E::EINTR, E::EINVAL, E::ENOMEM,
            E::ENOTCONN, E::ENOTSOCK, E::ECONNRESET, E::ETIMEDOUT, E::EHOSTUNREACH,
        ]),
        ("rt_sigaction", &[E::EFAULT, E::EINVAL, E::ENOSYS]),
        ("rt_sigprocmask", &[E::EFAULT, E::EINVAL, E::ENOSYS]),
        ("sendmsg", &[
            E::EACCES, E::EAGAIN, E::EALREADY, E::EBADF, E::ECONNRESET, E::EDESTADDRREQ,
            E::EFAULT, E::EINTR, E::EINVAL, E::EISCONN, E::EMSGSIZE, E::ENOBUFS, E::ENOMEM,
            E::ENOTCONN, E::ENOTSOCK, E::EOPNOTSUPP, E::EPIPE, E::ETIMEDOUT, E::EHOSTUNREACH,
        ]),
        ("sendto", &[
            E::EACCES, E::EAGAIN, E::EALREADY, E::EBADF, E::ECONNRESET, E::EDESTADDRREQ,
            E::EFAULT, E::EINTR, E::EINVAL, E::EISCONN, E::EMSGSIZE, E::ENOBUFS, E::ENOMEM,
            E::ENOTCONN, E::ENOTSOCK, E::EOPNOTSUPP, E::EPIPE, E::ETIMEDOUT, E::EHOSTUNREACH,
            E::EPERM, E::ENETDOWN, E::ENETUNREACH, E::ECONNREFUSED, E::ECONNABORTED,
            E::ENOENT, E::EPROTOTYPE,
        ]),
        ("setsockopt", &[
            E::EBADF, E::EFAULT, E::EINVAL, E::ENOPROTOOPT, E::ENOTSOCK, E::EPERM, E::EACCES,
            E::ENOMEM,
        ]),
        ("shutdown", &[E::EBADF, E::EINVAL, E::ENOTCONN, E::ENOTSOCK, E::ENOBUFS]),
        ("signalfd4", &[
            E::EBADF, E::EFAULT, E::EINVAL, E::EMFILE, E::ENFILE, E::ENODEV, E::ENOMEM,
        ]),
        ("socket", &[
            E::EACCES, E::EAFNOSUPPORT, E::EINVAL, E::EMFILE, E::ENFILE, E::ENOBUFS, E::ENOMEM,
            E::EPROTONOSUPPORT, E::EPERM, E::ESOCKTNOSUPPORT, E::EPROTOTYPE,
        ]),
        ("socketpair", &[
            E::EAFNOSUPPORT, E::EFAULT, E::EMFILE, E::ENFILE, E::EOPNOTSUPP, E::EPROTONOSUPPORT,
            E::EINVAL, E::ENOBUFS, E::ENOMEM,
        ]),
        ("timerfd_create", &[
            E::EINVAL, E::EMFILE, E::ENFILE, E::ENODEV, E::ENOMEM, E::EPERM, E::ENOSYS,
        ]),
        ("timerfd_gettime", &[E::EBADF, E::EFAULT, E::EINVAL]),
        ("timerfd_settime", &[E::EBADF, E::ECANCELED, E::EFAULT, E::EINVAL]),
        ("waitid", &[
            E::EBADF, E::ECHILD, E::EFAULT, E::EINTR, E::EINVAL, E::ESRCH, E::EAGAIN,
        ]),
        ("write", &[
            E::EAGAIN, E::EBADF, E::EDESTADDRREQ, E::EDQUOT, E::EFAULT, E::EFBIG, E::EINTR,
            E::EINVAL, E::EIO, E::ENOSPC, E::EPERM, E::EPIPE,
        ]),
    ]
};

/// What no man page lists, and a kernel, a module or a filter may answer all the
/// same; the last is the greatest that an errno can be.
fn unlisted() -> [Errno; 3] {
    [121, 41, 4095].map(Errno::new)
}

fn listed(call: &str) -> &'static [Errno] {
    let row = ERRNOS.iter().find(|(name, _)| *name == call);
    row.unwrap_or_else(|| panic!("{call} has no row")).1
}

/// Something the library is asked to do, and the calls it makes for it.
struct Site<E: 'static = Error> {
    name: &'static str,
    calls: &'static [&'static str],
    /// Of which call, and of which place, which error is not the caller's.
    forgives: &'static [(usize, &'static [Errno])],
    /// From which place on, if it fails there or later, what follows: more than the
    /// closing of what was opened.
    cleans_up: Option<(usize, &'static [&'static str])>,
    /// Does it, says what came of it, and asserts that what it was done with is as
    /// good as before.
    act: fn(&Faults) -> std::result::Result<u64, E>,
}

const fn site<E>(
    name: &'static str,
    calls: &'static [&'static str],
    act: fn(&Faults) -> std::result::Result<u64, E>,
) -> Site<E> {
    Site {
        name,
        calls,
        forgives: &[],
        cleans_up: None,
        act,
    }
}

impl Site {
    const fn forgives(self, forgives: &'static [(usize, &'static [Errno])]) -> Self {
        Self { forgives, ..self }
    }

    const fn cleans_up(self, from: usize, calls: &'static [&'static str]) -> Self {
        Self {
            cleans_up: Some((from, calls)),
            ..self
        }
    }

    fn is_forgiven(&self, place: usize, errno: Errno) -> bool {
        // Nobody could do anything about it.
        self.name.starts_with("drop of")
            || (self.forgives.iter()).any(|(at, errnos)| {
                let any_but_its_own = *errnos == PWAIT2_REFUSALS && unlisted().contains(&errno);
                *at == place && (errnos.is_empty() || errnos.contains(&errno) || any_but_its_own)
            })
    }
}

/// Whichever it is.
const ANY: &[Errno] = &[];
const NONE_THERE: &[Errno] = &[Errno::EAGAIN];
const GOES_ON: &[Errno] = &[Errno::EINPROGRESS, Errno::EINTR];

const SITES: &[Site] = &[
    site("Poll::new", &["epoll_create1"], |faults| {
        let made = faults.during(Poll::new);
        works(&mut queue());
        works(&mut made?);
        Ok(0)
    }),
    site("Registry::try_clone", &["fcntl"], |faults| {
        let mut queue = queue();
        let made = faults.during(|| queue.registry().try_clone());
        works(&mut queue);
        let waker = Waker::new(&made?, Token(5)).unwrap();
        waker.wake().unwrap();
        expect_tokens(&mut queue, &[5]);
        Ok(0)
    }),
    site("Registry::register", &["epoll_ctl"], |faults| {
        let (mut queue, source) = (queue(), ready());
        let registry = queue.registry();
        let done = faults.during(|| registry.register(&source, Token(2), READABLE));
        if done.is_err() {
            assert!(registry.deregister(&source).is_err(), "half registered");
            registry.register(&source, Token(2), READABLE).unwrap();
        }
        expect_tokens(&mut queue, &[2]);
        done.map(|()| 0)
    }),
    site("Registry::reregister", &["epoll_ctl"], |faults| {
        let source = ready();
        let mut queue = watching(&source, READABLE);
        let registry = queue.registry();
        let done = faults.during(|| registry.reregister(&source, Token(2), READABLE.oneshot()));
        // All of the change, or nothing.
        expect_tokens(&mut queue, &[if done.is_ok() { 2 } else { 1 }]);
        assert_eq!(look(&mut queue).is_empty(), done.is_ok());
        let registry = queue.registry();
        registry.reregister(&source, Token(3), READABLE).unwrap();
        expect_tokens(&mut queue, &[3]);
        done.map(|()| 0)
    }),
    site("Registry::deregister", &["epoll_ctl"], |faults| {
        let source = ready();
        let mut queue = watching(&source, READABLE);
        let done = faults.during(|| queue.registry().deregister(&source));
        if done.is_err() {
            expect_tokens(&mut queue, &[1]);
            queue.registry().deregister(&source).unwrap();
        }
        expect_silence(&mut queue);
        done.map(|()| 0)
    }),
    site("Poll::poll without a timeout", &[WAIT], |faults| {
        waits(faults, None)
    }),
    site("Poll::poll that only looks", &[WAIT], |faults| {
        waits(faults, AT_ONCE)
    }),
    site("Poll::poll for milliseconds", &[WAIT], |faults| {
        waits(faults, Some(Duration::from_millis(20)))
    }),
    site("Poll::poll for a fraction", &["epoll_pwait2"], |faults| {
        waits(faults, FRACTION)
    })
    .forgives(&[(0, PWAIT2_REFUSALS)]),
    site("Poll::poll for months", &["epoll_pwait2"], |faults| {
        waits(faults, Some(Duration::from_secs(1 << 40)))
    })
    .forgives(&[(0, PWAIT2_REFUSALS)]),
    site(
        "Poll::poll for a fraction, later",
        &["epoll_pwait2"],
        |faults| {
            let mut queue = queue();
            for _ in 0..3 {
                poll(&mut queue, &mut Events::<1>::new(), FRACTION).unwrap();
            }
            waits_with(&mut queue, faults, FRACTION)
        },
    )
    .forgives(&[(0, PWAIT2_REFUSALS)]),
    site("Poll::poll_with_mask", &["epoll_pwait"], |faults| {
        let mut queue = queue();
        waits_by(&mut queue, faults, |queue, events| {
            queue.poll_with_mask(events, None, SigSet::EMPTY)
        })
    }),
    site(
        "Poll::poll_with_mask for a fraction",
        &["epoll_pwait2"],
        |faults| {
            let mut queue = queue();
            waits_by(&mut queue, faults, |queue, events| {
                queue.poll_with_mask(events, FRACTION, SigSet::EMPTY)
            })
        },
    )
    .forgives(&[(0, PWAIT2_REFUSALS)]),
    site("Poll::poll of a Vec", &[WAIT], |faults| {
        let source = ready();
        let mut queue = watching(&source, READABLE);
        let mut events = vec![Event::new(1, 1)];
        events.reserve(3);
        let done = faults.during(|| queue.poll(&mut events, None));
        assert_eq!(events.len(), usize::from(done.is_ok()));
        expect_tokens(&mut queue, &[1]);
        done.map(|()| 1)
    }),
    site("Poll::set_busy_poll", &["ioctl"], |faults| {
        let mut queue = queue();
        let time = Duration::from_micros(7);
        let wanted = BusyPoll {
            time,
            ..BusyPoll::default()
        };
        let done = faults.during(|| queue.set_busy_poll(wanted));
        let found = queue.busy_poll().unwrap();
        assert_eq!(found.time == time, done.is_ok());
        works(&mut queue);
        done.map(|()| 0)
    }),
    site("Poll::busy_poll", &["ioctl"], |faults| {
        let mut queue = queue();
        let found = faults.during(|| queue.busy_poll());
        works(&mut queue);
        found.map(|found| found.budget.into())
    }),
    site("Waker::new", &["eventfd2", "epoll_ctl"], |faults| {
        let mut queue = queue();
        let made = faults.during(|| Waker::new(queue.registry(), Token(4)));
        works(&mut queue);
        let waker = made?;
        waker.wake().unwrap();
        expect_tokens(&mut queue, &[4]);
        Ok(0)
    }),
    site("Waker::wake", &["write"], |faults| {
        let mut queue = queue();
        let waker = Waker::new(queue.registry(), Token(4)).unwrap();
        let done = faults.during(|| waker.wake());
        if done.is_ok() {
            expect_tokens(&mut queue, &[4]);
        }
        expect_silence(&mut queue);
        waker.wake().unwrap();
        expect_tokens(&mut queue, &[4]);
        done.map(|()| 0)
    })
    .forgives(&[(0, NONE_THERE)]),
    site("Waker::wake between two waits", &[], |faults| {
        let (mut queue, waker) = awake();
        faults.during(|| waker.wake())?;
        expect_tokens(&mut queue, &[4]);
        expect_silence(&mut queue);
        Ok(0)
    }),
    site("Poll::poll with a pending wake", &[WAIT], |faults| {
        let (mut queue, waker) = awake();
        let source = ready();
        let registry = queue.registry();
        registry
            .register(&source, Token(1), READABLE.edge())
            .unwrap();
        waker.wake().unwrap();
        let mut events = Events::<4>::new();
        let done = faults.during(|| queue.poll(&mut events, None));
        assert_eq!(events.len(), if done.is_ok() { 2 } else { 0 }, "{done:?}");
        if done.is_err() {
            expect_tokens(&mut queue, &[1, 4]);
        }
        expect_silence(&mut queue);
        done.map(|()| 0)
    }),
    site("Poll::as_fd with a pending wake", &["write"], |faults| {
        let (mut queue, waker) = awake();
        waker.wake().unwrap();
        // It cannot fail. If the write does, the next poll reports the wake all the same.
        faults.during(|| _ = queue.as_fd());
        expect_tokens(&mut queue, &[4]);
        expect_silence(&mut queue);
        waker.wake().unwrap();
        expect_tokens(&mut queue, &[4]);
        Ok(0)
    })
    .forgives(&[(0, ANY)]),
    site(
        "Poll::poll that does not block, and a wake",
        &[WAIT, WAIT],
        |faults| {
            let (mut queue, waker) = awake();
            // Polls that do not block leave the queue awake: its wakes write nothing.
            let done = faults.during(|| {
                queue.poll(&mut Events::<4>::new(), AT_ONCE)?;
                waker.wake()?;
                queue.poll(&mut Events::<4>::new(), AT_ONCE)
            });
            if done.is_err() {
                waker.wake().unwrap();
                expect_tokens(&mut queue, &[4]);
            }
            expect_silence(&mut queue);
            done.map(|()| 0)
        },
    ),
    site(
        "Waker::wake with the counter at its maximum",
        &["write", "read", "write"],
        |faults| {
            let mut queue = queue();
            let waker = Waker::new(queue.registry(), Token(4)).unwrap();
            sys::write(waker.as_fd(), &(u64::MAX - 1).to_ne_bytes()).unwrap();
            expect_tokens(&mut queue, &[4]);
            let done = faults.during(|| waker.wake());
            if done.is_ok() {
                expect_tokens(&mut queue, &[4]);
            }
            expect_silence(&mut queue);
            waker.wake().unwrap();
            expect_tokens(&mut queue, &[4]);
            done.map(|()| 0)
        },
    )
    .forgives(&[(0, NONE_THERE), (1, NONE_THERE), (2, NONE_THERE)]),
    site("Timer::new", &["timerfd_create"], |faults| {
        let made = faults.during(Timer::new);
        Timer::new().unwrap();
        assert_eq!(made?.read(), Ok(0));
        Ok(0)
    }),
    site("Timer::set", &["timerfd_settime"], |faults| {
        let timer = Timer::new().unwrap();
        let done = faults.during(|| timer.set(Duration::from_secs(1000)));
        assert_eq!(timer.remaining().unwrap().is_some(), done.is_ok());
        expires(&timer);
        done.map(|()| 0)
    }),
    site("Timer::set_periodic", &["timerfd_settime"], |faults| {
        let timer = Timer::new().unwrap();
        let long = Duration::from_secs(1000);
        let done = faults.during(|| timer.set_periodic(long, long));
        assert_eq!(timer.remaining().unwrap().is_some(), done.is_ok());
        expires(&timer);
        done.map(|()| 0)
    }),
    site("Timer::cancel", &["timerfd_settime"], |faults| {
        let timer = Timer::new().unwrap();
        timer.set(Duration::from_secs(1000)).unwrap();
        let done = faults.during(|| timer.cancel());
        assert_eq!(timer.remaining().unwrap().is_some(), done.is_err());
        expires(&timer);
        done.map(|()| 0)
    }),
    site("Timer::remaining", &["timerfd_gettime"], |faults| {
        let timer = Timer::new().unwrap();
        timer.set(Duration::from_secs(1000)).unwrap();
        let left = faults.during(|| timer.remaining());
        assert!(timer.remaining().unwrap().is_some());
        left.map(|left| left.unwrap().as_secs().div_ceil(1000))
    }),
    site("Timer::read", &["read"], |faults| {
        let timer = Timer::new().unwrap();
        timer.set(Duration::ZERO).unwrap();
        tcp::readable(&timer);
        let count = faults.during(|| timer.read());
        // What was not read is not lost.
        assert_eq!(timer.read().unwrap(), 1 - count.unwrap_or(0));
        count
    })
    .forgives(&[(0, NONE_THERE)]),
    site(
        "TcpListener::bind",
        &["socket", "setsockopt", "bind", "listen"],
        |faults| {
            let addr = free_address();
            let made = faults.during(|| TcpListener::bind(addr));
            let made = match made {
                Ok(listener) => listener,
                Err(error) => {
                    TcpListener::bind(addr).expect("no half of it is left");
                    return Err(error);
                }
            };
            accepts(&made);
            Ok(0)
        },
    ),
    site("TcpListener::accept", &["accept4"], |faults| {
        let listener = TcpListener::bind(V4).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tcp::readable(&listener);
        let accepted = faults.during(|| listener.accept());
        let (error, server) = match accepted {
            Ok((server, _)) => (None, server),
            // The call was not made: the connection is still there.
            Err(error) => (Some(error), tcp::accept(&listener)),
        };
        talk(&client, &server);
        accepts(&listener);
        error.map_or(Ok(0), Err)
    }),
    site("TcpListener::local_addr", &["getsockname"], |faults| {
        let listener = TcpListener::bind(V4).unwrap();
        let addr = faults.during(|| listener.local_addr());
        accepts(&listener);
        assert_ne!(addr?.port(), 0);
        Ok(0)
    }),
    site("TcpListener::take_error", &["getsockopt"], |faults| {
        let listener = TcpListener::bind(V4).unwrap();
        let error = faults.during(|| listener.take_error());
        accepts(&listener);
        assert_eq!(error?, None);
        Ok(0)
    }),
    site("TcpStream::connect", &["socket", "connect"], |faults| {
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        let made = faults.during(|| TcpStream::connect(addr));
        assert_eq!(made?.take_error().unwrap(), None);
        Ok(0)
    })
    .forgives(&[(1, GOES_ON)]),
    site("TcpStream::take_error", &["getsockopt"], |faults| {
        let (near, far) = tcp::pair();
        let error = faults.during(|| near.take_error());
        talk(&near, &far);
        assert_eq!(error?, None);
        Ok(0)
    }),
    site("TcpStream::read", &["read"], |faults| {
        reads(faults, tcp::pair(), |near, bytes| {
            TcpStream::read(near, bytes)
        })
    }),
    site("TcpStream::write", &["sendto"], |faults| {
        writes(faults, tcp::pair(), |near, bytes| {
            TcpStream::write(near, bytes)
        })
    }),
    site("TcpStream::shutdown of reading", &["shutdown"], |faults| {
        ends(faults, Shutdown::Read)
    }),
    site("TcpStream::shutdown of writing", &["shutdown"], |faults| {
        ends(faults, Shutdown::Write)
    }),
    site("TcpStream::shutdown of both", &["shutdown"], |faults| {
        ends(faults, Shutdown::Both)
    }),
    site("TcpStream::local_addr", &["getsockname"], |faults| {
        let (near, far) = tcp::pair();
        let addr = faults.during(|| near.local_addr());
        talk(&near, &far);
        assert_eq!(addr?, far.peer_addr().unwrap());
        Ok(0)
    }),
    site("TcpStream::peer_addr", &["getpeername"], |faults| {
        let (near, far) = tcp::pair();
        let addr = faults.during(|| near.peer_addr());
        talk(&near, &far);
        assert_eq!(addr?, far.local_addr().unwrap());
        Ok(0)
    }),
    site("TcpStream::set_nodelay", &["setsockopt"], |faults| {
        let (near, far) = tcp::pair();
        let done = faults.during(|| near.set_nodelay(true));
        assert_eq!(near.nodelay().unwrap(), done.is_ok());
        talk(&near, &far);
        done.map(|()| 0)
    }),
    site("TcpStream::nodelay", &["getsockopt"], |faults| {
        let (near, far) = tcp::pair();
        let nodelay = faults.during(|| near.nodelay());
        talk(&near, &far);
        nodelay.map(u64::from)
    }),
    site(
        "TcpListener::bind_with",
        &["socket", "setsockopt", "setsockopt", "bind", "listen"],
        |faults| {
            let (addr, options) = (free_address(), BindOptions::new().reuse_port(true));
            let made = faults.during(|| TcpListener::bind_with(addr, &options));
            if made.is_err() {
                TcpListener::bind(addr).expect("no half of it is left");
            }
            accepts(&made?);
            Ok(0)
        },
    ),
    site(
        "TcpListener::set_ttl",
        &["getsockname", "setsockopt"],
        |faults| {
            let listener = TcpListener::bind(V4).unwrap();
            let done = faults.during(|| listener.set_ttl(7));
            assert_eq!(listener.ttl().unwrap() == 7, done.is_ok());
            accepts(&listener);
            done.map(|()| 0)
        },
    ),
    site(
        "TcpStream::connect_from",
        &["socket", "setsockopt", "bind", "connect"],
        |faults| {
            let listener = TcpListener::bind(V4).unwrap();
            let addr = listener.local_addr().unwrap();
            let made = faults.during(|| TcpStream::connect_from(V4, addr));
            assert_eq!(made?.take_error().unwrap(), None);
            Ok(0)
        },
    )
    .forgives(&[(3, GOES_ON)]),
    site("TcpStream::read_vectored", &["readv"], |faults| {
        reads(faults, tcp::pair(), |near, bytes| {
            TcpStream::read_vectored(near, &mut [IoSliceMut::new(bytes)])
        })
    }),
    site("TcpStream::peek", &["recvfrom"], |faults| {
        peeks(faults, tcp::pair(), TcpStream::peek)
    }),
    site("TcpStream::write_vectored", &["sendmsg"], |faults| {
        writes(faults, tcp::pair(), |near, bytes| {
            TcpStream::write_vectored(near, &[IoSlice::new(bytes)])
        })
    }),
    site("TcpStream::set_keepalive", &["setsockopt"; 4], |faults| {
        let (near, far) = tcp::pair();
        let done = faults.during(|| near.set_keepalive(Some(KEEPALIVE)));
        // What is asked for as a whole is not had in part.
        let expected = done.is_ok().then_some(KEEPALIVE);
        assert_eq!(near.keepalive().unwrap(), expected);
        talk(&near, &far);
        done.map(|()| 0)
    }),
    site("TcpStream::keepalive", &["getsockopt"; 4], |faults| {
        let (near, far) = tcp::pair();
        near.set_keepalive(Some(KEEPALIVE)).unwrap();
        let found = faults.during(|| near.keepalive());
        talk(&near, &far);
        assert_eq!(found?, Some(KEEPALIVE));
        Ok(0)
    }),
    site("TcpStream::set_linger", &["setsockopt"], |faults| {
        let (near, far) = tcp::pair();
        let done = faults.during(|| near.set_linger(Some(Duration::ZERO)));
        assert_eq!(near.linger().unwrap().is_some(), done.is_ok());
        talk(&near, &far);
        done.map(|()| 0)
    }),
    site("TcpStream::linger", &["getsockopt"], |faults| {
        let (near, far) = tcp::pair();
        let linger = faults.during(|| near.linger());
        talk(&near, &far);
        assert_eq!(linger?, None);
        Ok(0)
    }),
    site("TcpStream::ttl", &["getsockname", "getsockopt"], |faults| {
        let (near, far) = tcp::pair();
        near.set_ttl(7).unwrap();
        let ttl = faults.during(|| near.ttl());
        talk(&near, &far);
        ttl.map(u64::from)
    }),
    site("UdpSocket::bind", &["socket", "bind"], |faults| {
        let addr = udp().local_addr().unwrap();
        let made = faults.during(|| UdpSocket::bind(addr));
        if made.is_err() {
            UdpSocket::bind(addr).expect("no half of it is left");
        }
        hears(&made?);
        Ok(0)
    }),
    site(
        "UdpSocket::bind_with",
        &["socket", "setsockopt", "bind"],
        |faults| {
            let options = BindOptions::new().reuse_port(true);
            hears(&faults.during(|| UdpSocket::bind_with(V4, &options))?);
            Ok(0)
        },
    ),
    site("UdpSocket::connect", &["connect"], |faults| {
        let (near, far) = (udp(), udp());
        let addr = far.local_addr().unwrap();
        let done = faults.during(|| near.connect(addr));
        hears(&far);
        done.map(|()| 0)
    }),
    site("UdpSocket::send", &["sendto"], |faults| {
        let (near, far) = (udp(), udp());
        near.connect(far.local_addr().unwrap()).unwrap();
        sends(faults, &far, || near.send(b"four"))
    }),
    site("UdpSocket::send_to", &["sendto"], |faults| {
        let (near, far) = (udp(), udp());
        let addr = far.local_addr().unwrap();
        sends(faults, &far, || near.send_to(b"four", addr))
    }),
    site("UdpSocket::recv", &["recvfrom"], |faults| {
        receives(faults, 0, |socket, bytes| socket.recv(bytes))
    }),
    site("UdpSocket::recv_from", &["recvfrom"], |faults| {
        receives(faults, 0, |socket, bytes| {
            socket.recv_from(bytes).map(|(count, _)| count)
        })
    }),
    site("UdpSocket::peek", &["recvfrom"], |faults| {
        receives(faults, 1, |socket, bytes| socket.peek(bytes))
    }),
    site("UdpSocket::peek_from", &["recvfrom"], |faults| {
        receives(faults, 1, |socket, bytes| {
            socket.peek_from(bytes).map(|(count, _)| count)
        })
    }),
    site("UdpSocket::local_addr", &["getsockname"], |faults| {
        udp_is_asked(faults, |socket| socket.local_addr().map(|_| 0))
    }),
    site("UdpSocket::peer_addr", &["getpeername"], |faults| {
        let socket = udp();
        socket.connect(udp().local_addr().unwrap()).unwrap();
        told(faults, || socket.peer_addr())
    }),
    site("UdpSocket::take_error", &["getsockopt"], |faults| {
        udp_is_asked(faults, |socket| socket.take_error().map(|_| 0))
    }),
    site("UdpSocket::set_broadcast", &["setsockopt"], |faults| {
        let socket = udp();
        let done = faults.during(|| socket.set_broadcast(true));
        assert_eq!(socket.broadcast().unwrap(), done.is_ok());
        done.map(|()| 0)
    }),
    site("UdpSocket::broadcast", &["getsockopt"], |faults| {
        udp_is_asked(faults, |socket| socket.broadcast().map(u64::from))
    }),
    site(
        "UdpSocket::set_ttl",
        &["getsockname", "setsockopt"],
        |faults| {
            udp_keeps(
                faults,
                |socket| socket.set_ttl(7),
                |socket| socket.ttl().map(|ttl| ttl == 7),
            )
        },
    ),
    site("UdpSocket::ttl", &["getsockname", "getsockopt"], |faults| {
        udp_is_asked(faults, |socket| socket.ttl().map(|_| 0))
    }),
    site(
        "UdpSocket::set_multicast_ttl_v4",
        &["setsockopt"],
        |faults| {
            let is_set = |socket: &UdpSocket| socket.multicast_ttl_v4().map(|ttl| ttl == 7);
            udp_keeps(faults, |socket| socket.set_multicast_ttl_v4(7), is_set)
        },
    ),
    site("UdpSocket::multicast_ttl_v4", &["getsockopt"], |faults| {
        udp_is_asked(faults, |socket| {
            socket.multicast_ttl_v4().map(|ttl| ttl as u64 - 1)
        })
    }),
    site(
        "UdpSocket::set_multicast_loop_v4",
        &["setsockopt"],
        |faults| {
            let is_set = |socket: &UdpSocket| socket.multicast_loop_v4().map(|looped| !looped);
            udp_keeps(faults, |socket| socket.set_multicast_loop_v4(false), is_set)
        },
    ),
    site("UdpSocket::multicast_loop_v4", &["getsockopt"], |faults| {
        udp_is_asked(faults, |socket| {
            socket.multicast_loop_v4().map(|looped| u64::from(!looped))
        })
    }),
    site("UdpSocket::join_multicast_v4", &["setsockopt"], |faults| {
        let socket = udp();
        let done = faults.during(|| socket.join_multicast_v4(&GROUP, &LOOPBACK));
        let left = socket.leave_multicast_v4(&GROUP, &LOOPBACK);
        assert_eq!(left.is_ok(), done.is_ok());
        done.map(|()| 0)
    }),
    site("UdpSocket::leave_multicast_v4", &["setsockopt"], |faults| {
        let socket = udp();
        socket.join_multicast_v4(&GROUP, &LOOPBACK).unwrap();
        let done = faults.during(|| socket.leave_multicast_v4(&GROUP, &LOOPBACK));
        let again = socket.leave_multicast_v4(&GROUP, &LOOPBACK);
        assert_eq!(again.is_ok(), done.is_err());
        done.map(|()| 0)
    }),
    site(
        "UnixListener::bind",
        &["socket", "bind", "listen"],
        |faults| {
            let path = Fresh::new();
            let made = faults.during(|| UnixListener::bind(&path));
            let made = match made {
                Ok(listener) => listener,
                Err(error) => {
                    // A file there may be, and nobody behind it.
                    assert!(UnixStream::connect(&path).is_err());
                    return Err(error);
                }
            };
            unix_accepts(&made);
            Ok(0)
        },
    ),
    site(
        "UnixListener::bind_addr",
        &["socket", "bind", "listen"],
        |faults| {
            unix_accepts(&faults.during(|| UnixListener::bind_addr(&UnixAddr::unnamed()))?);
            Ok(0)
        },
    ),
    site("UnixListener::accept", &["accept4"], |faults| {
        let listener = UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
        let client = UnixStream::connect_addr(&listener.local_addr().unwrap()).unwrap();
        let accepted = faults.during(|| listener.accept());
        let (error, server) = match accepted {
            Ok((server, _)) => (None, server),
            // The call was not made: the connection is still there.
            Err(error) => (Some(error), listener.accept().unwrap().0),
        };
        talk(&client, &server);
        unix_accepts(&listener);
        error.map_or(Ok(0), Err)
    }),
    site("UnixListener::local_addr", &["getsockname"], |faults| {
        let listener = UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
        let addr = faults.during(|| listener.local_addr());
        unix_accepts(&listener);
        assert!(!addr?.is_unnamed());
        Ok(0)
    }),
    site("UnixListener::take_error", &["getsockopt"], |faults| {
        let listener = UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
        told(faults, || listener.take_error())
    }),
    site("UnixStream::connect", &["socket", "connect"], |faults| {
        let path = Fresh::new();
        let listener = UnixListener::bind(&path).unwrap();
        unix_connects(faults, &listener, || UnixStream::connect(&path))
    }),
    site(
        "UnixStream::connect_addr",
        &["socket", "connect"],
        |faults| {
            let listener = UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
            let addr = listener.local_addr().unwrap();
            unix_connects(faults, &listener, || UnixStream::connect_addr(&addr))
        },
    ),
    site("UnixStream::pair", &["socketpair"], |faults| {
        let (near, far) = faults.during(UnixStream::pair)?;
        talk(&near, &far);
        Ok(0)
    }),
    site("UnixStream::read", &["read"], |faults| {
        reads(faults, UnixStream::pair().unwrap(), |near, bytes| {
            UnixStream::read(near, bytes)
        })
    }),
    site("UnixStream::read_vectored", &["readv"], |faults| {
        reads(faults, UnixStream::pair().unwrap(), |near, bytes| {
            UnixStream::read_vectored(near, &mut [IoSliceMut::new(bytes)])
        })
    }),
    site("UnixStream::peek", &["recvfrom"], |faults| {
        peeks(faults, UnixStream::pair().unwrap(), UnixStream::peek)
    }),
    site("UnixStream::write", &["sendto"], |faults| {
        writes(faults, UnixStream::pair().unwrap(), |near, bytes| {
            UnixStream::write(near, bytes)
        })
    }),
    site("UnixStream::write_vectored", &["sendmsg"], |faults| {
        writes(faults, UnixStream::pair().unwrap(), |near, bytes| {
            UnixStream::write_vectored(near, &[IoSlice::new(bytes)])
        })
    }),
    site("UnixStream::shutdown", &["shutdown"], |faults| {
        let (near, far) = UnixStream::pair().unwrap();
        let done = faults.during(|| near.shutdown(Shutdown::Write));
        assert_eq!(near.write(b"x").is_ok(), done.is_err());
        assert_eq!(far.write(b"x").unwrap(), 1);
        done.map(|()| 0)
    }),
    site("UnixStream::peer_addr", &["getpeername"], |faults| {
        let (near, far) = UnixStream::pair().unwrap();
        let addr = faults.during(|| near.peer_addr());
        talk(&near, &far);
        addr.map(|_| 0)
    }),
    site("UnixStream::take_error", &["getsockopt"], |faults| {
        let (near, far) = UnixStream::pair().unwrap();
        let error = faults.during(|| near.take_error());
        talk(&near, &far);
        error.map(|_| 0)
    }),
    site("UnixDatagram::bind", &["socket", "bind"], |faults| {
        let path = Fresh::new();
        let socket = faults.during(|| UnixDatagram::bind(&path))?;
        unix_hears(&socket);
        Ok(0)
    }),
    site("UnixDatagram::bind_addr", &["socket", "bind"], |faults| {
        unix_hears(&faults.during(|| UnixDatagram::bind_addr(&UnixAddr::unnamed()))?);
        Ok(0)
    }),
    site("UnixDatagram::unbound", &["socket"], |faults| {
        told(faults, UnixDatagram::unbound)
    }),
    site("UnixDatagram::pair", &["socketpair"], |faults| {
        let (near, far) = faults.during(UnixDatagram::pair)?;
        assert_eq!(near.send(b"x").unwrap(), 1);
        assert_eq!(far.recv(&mut [0; 8]).unwrap(), 1);
        Ok(0)
    }),
    site("UnixDatagram::connect", &["connect"], |faults| {
        let path = Fresh::new();
        let far = UnixDatagram::bind(&path).unwrap();
        unix_gets_a_peer(faults, &far, |near| near.connect(&path))
    }),
    site("UnixDatagram::connect_addr", &["connect"], |faults| {
        let far = UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap();
        let addr = far.local_addr().unwrap();
        unix_gets_a_peer(faults, &far, |near| near.connect_addr(&addr))
    }),
    site("UnixDatagram::send", &["sendto"], |faults| {
        let (near, far) = UnixDatagram::pair().unwrap();
        unix_sends(faults, &far, || near.send(b"four"))
    }),
    site("UnixDatagram::send_to", &["sendto"], |faults| {
        let (path, near) = (Fresh::new(), UnixDatagram::unbound().unwrap());
        let far = UnixDatagram::bind(&path).unwrap();
        unix_sends(faults, &far, || near.send_to(b"four", &path))
    }),
    site("UnixDatagram::send_to_addr", &["sendto"], |faults| {
        let near = UnixDatagram::unbound().unwrap();
        let far = UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap();
        let addr = far.local_addr().unwrap();
        unix_sends(faults, &far, || near.send_to_addr(b"four", &addr))
    }),
    site("UnixDatagram::recv", &["recvfrom"], |faults| {
        unix_receives(faults, 0, |socket, bytes| socket.recv(bytes))
    }),
    site("UnixDatagram::recv_from", &["recvfrom"], |faults| {
        unix_receives(faults, 0, |socket, bytes| {
            socket.recv_from(bytes).map(|(count, _)| count)
        })
    }),
    site("UnixDatagram::peek", &["recvfrom"], |faults| {
        unix_receives(faults, 1, |socket, bytes| socket.peek(bytes))
    }),
    site("UnixDatagram::shutdown", &["shutdown"], |faults| {
        let (near, far) = UnixDatagram::pair().unwrap();
        let done = faults.during(|| near.shutdown(Shutdown::Write));
        assert_eq!(near.send(b"x").is_ok(), done.is_err());
        assert_eq!(far.send(b"x").unwrap(), 1);
        done.map(|()| 0)
    }),
    site("UnixDatagram::take_error", &["getsockopt"], |faults| {
        let (near, _far) = UnixDatagram::pair().unwrap();
        told(faults, || near.take_error())
    }),
    site("drop of a UdpSocket", &["close"], |faults| {
        drops(faults, udp())
    }),
    site("drop of a pair", &["close", "close"], |faults| {
        drops(faults, UnixStream::pair().unwrap())
    }),
    site("pipe::new", &["pipe2"], |faults| {
        let made = faults.during(pipe::new);
        passes(pipe::new().unwrap());
        passes(made?);
        Ok(0)
    }),
    site("Sender::write", &["write"], |faults| {
        let (sender, receiver) = pipe::new().unwrap();
        let count = faults.during(|| sender.write(b"four"));
        let read = receiver.read(&mut [0; 8]);
        assert_eq!(read.is_ok(), count.is_ok());
        passes((sender, receiver));
        count.map(|count| count as u64 - 4)
    }),
    site("Receiver::read", &["read"], |faults| {
        let (sender, receiver) = pipe::new().unwrap();
        sender.write(b"four").unwrap();
        let count = faults.during(|| receiver.read(&mut [0; 8]));
        if count.is_err() {
            assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 4);
        }
        passes((sender, receiver));
        count.map(|count| count as u64 - 4)
    }),
    site("Sender::set_nonblocking", &["fcntl", "fcntl"], |faults| {
        let (sender, receiver) = pipe::new().unwrap();
        let done = faults.during(|| sender.set_nonblocking(false));
        assert_eq!(kernel::is_nonblocking(&sender), done.is_err());
        passes((sender, receiver));
        done.map(|()| 0)
    }),
    site("Receiver::set_nonblocking", &["fcntl", "fcntl"], |faults| {
        let (sender, receiver) = pipe::new().unwrap();
        let done = faults.during(|| receiver.set_nonblocking(false));
        assert_eq!(kernel::is_nonblocking(&receiver), done.is_err());
        passes((sender, receiver));
        done.map(|()| 0)
    }),
    site("Signals::new", &["signalfd4", "rt_sigprocmask"], |faults| {
        signal::set_mask(SigSet::EMPTY).unwrap();
        let made = faults.during(|| Signals::new(USR1));
        let blocked = signal::block(SigSet::EMPTY).unwrap();
        assert_eq!(blocked.contains(SIGUSR1), made.is_ok());
        arrives(&Signals::new(USR1).unwrap());
        arrives(&made?);
        Ok(0)
    }),
    site("Signals::read", &["read"], |faults| {
        let signals = Signals::new(USR1).unwrap();
        kernel::signal_thread(kernel::thread_id(), SIGUSR1);
        let signal = faults.during(|| signals.read());
        // What was not read is still there.
        let later = signals.read().unwrap();
        assert_ne!(later.is_some(), matches!(signal, Ok(Some(_))));
        arrives(&signals);
        signal.map(|_| 0)
    })
    .forgives(&[(0, NONE_THERE)]),
    site("signal::block", &["rt_sigprocmask"], |faults| {
        signal::set_mask(SigSet::EMPTY).unwrap();
        let done = faults.during(|| signal::block(USR1));
        let blocked = signal::block(SigSet::EMPTY).unwrap();
        assert_eq!(blocked.contains(SIGUSR1), done.is_ok());
        done.map(|before| before.0)
    }),
    site("signal::set_mask", &["rt_sigprocmask"], |faults| {
        signal::set_mask(USR1).unwrap();
        let done = faults.during(|| signal::set_mask(SigSet::EMPTY));
        let blocked = signal::block(SigSet::EMPTY).unwrap();
        assert_eq!(blocked.contains(SIGUSR1), done.is_err());
        done.map(|before| before.0)
    }),
    site("signal::ignore", &["rt_sigaction"], |faults| {
        faults.during(|| signal::ignore(SIGUSR2)).map(|()| 0)
    }),
    site(
        "Child::spawn",
        &[
            "pipe2",
            "waitid",
            "clone",
            "rt_sigaction",
            "rt_sigprocmask",
            "execve",
            "close",
            "read",
            "close",
        ],
        |faults| {
            let argv = [c"faults", c"--exact", c"no such test"];
            let child = faults.during(|| Child::spawn(c"/proc/self/exe", &argv, &[]));
            let ended = child.map(ended);
            assert_eq!(process::reap().unwrap(), None, "another child");
            assert_eq!(ended?.code(), Some(0));
            Ok(0)
        },
    )
    // The second asks whether there are pidfds, and this is the answer.
    .forgives(&[(1, &[Errno::EBADF]), (7, ANY)])
    .cleans_up(3, NOT_STARTED),
    site("Child::open", &["pidfd_open"], |faults| {
        let child = faults.during(|| Child::open(std::process::id()));
        child?.kill(0).unwrap();
        Ok(0)
    }),
    site("Child::try_wait", &["waitid"], |faults| {
        let mut child = short_lived();
        tcp::readable(&child);
        let status = faults.during(|| child.try_wait());
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(0));
        status.map(|status| status.unwrap().code().unwrap() as u64)
    }),
    site("Child::kill", &["pidfd_send_signal"], |faults| {
        let child = short_lived();
        let done = faults.during(|| child.kill(0));
        ended(child);
        done.map(|()| 0)
    }),
    site("process::reap", &["waitid"], |faults| {
        let child = short_lived();
        tcp::readable(&child);
        let reaped = faults.during(process::reap);
        let later = process::reap().unwrap();
        assert_ne!(later.is_some(), matches!(reaped, Ok(Some(_))));
        reaped.map(|_| 0)
    })
    .forgives(&[(0, &[Errno::ECHILD])]),
    site("Inotify::new", &["inotify_init1"], |faults| {
        let made = faults.during(Inotify::new);
        made?.add(c"/", IN_CREATE).unwrap();
        Ok(0)
    }),
    site("Inotify::add", &["inotify_add_watch"], |faults| {
        let inotify = Inotify::new().unwrap();
        let watch = faults.during(|| inotify.add(c"/", IN_CREATE));
        let there = inotify.add(c"/", IN_CREATE).unwrap();
        inotify.remove(there).unwrap();
        watch.map(|watch| assert_eq!(watch, there)).map(|()| 0)
    }),
    site("Inotify::remove", &["inotify_rm_watch"], |faults| {
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add(c"/", IN_CREATE).unwrap();
        let done = faults.during(|| inotify.remove(watch));
        assert_eq!(inotify.remove(watch).is_ok(), done.is_err());
        done.map(|()| 0)
    }),
    site("Inotify::read", &["read"], |faults| {
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add(c"/", IN_CREATE).unwrap();
        inotify.remove(watch).unwrap();
        let mut buf = [0; 64];
        let count = faults
            .during(|| inotify.read(&mut buf))
            .map(Iterator::count);
        // What was not read is still there.
        let later = inotify.read(&mut buf).unwrap().count();
        assert_eq!(later, 1 - count.unwrap_or(0));
        count.map(|_| 0)
    })
    .forgives(&[(0, NONE_THERE)]),
    site("drop of a Poll", &["close"], |faults| {
        drops(faults, queue())
    }),
    site("drop of a Waker", &["close"], |faults| {
        drops(faults, Waker::new(queue().registry(), Token(0)).unwrap())
    }),
    site("drop of a Timer", &["close"], |faults| {
        drops(faults, Timer::new().unwrap())
    }),
    site("drop of a TcpListener", &["close"], |faults| {
        drops(faults, TcpListener::bind(V4).unwrap())
    }),
    site("drop of a TcpStream", &["close"], |faults| {
        drops(faults, tcp::pair().0)
    }),
    site("drop of a Sender", &["close"], |faults| {
        drops(faults, pipe::new().unwrap().0)
    }),
    site("drop of a Receiver", &["close"], |faults| {
        drops(faults, pipe::new().unwrap().1)
    }),
    site("drop of Signals", &["close"], |faults| {
        drops(faults, Signals::new(USR1).unwrap())
    }),
    site("drop of a Child", &["close"], |faults| {
        drops(faults, Child::open(std::process::id()).unwrap())
    }),
    site("drop of an Inotify", &["close"], |faults| {
        drops(faults, Inotify::new().unwrap())
    }),
    // The raw layer: each function of `sys`.
    site("sys::accept4", &["accept4"], |faults| {
        let listener = TcpListener::bind(V4).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tcp::readable(&listener);
        told(faults, || sys::accept4(listener.as_fd(), 0))
    }),
    site("sys::bind", &["bind"], |faults| {
        let (socket, addr) = (socket(), SockAddr::from(V4));
        let done = faults.during(|| sys::bind(socket.as_fd(), &addr));
        assert_eq!(sys::bind(socket.as_fd(), &addr).is_ok(), done.is_err());
        done.map(|()| 0)
    }),
    site("sys::clock_gettime", &["clock_gettime"], |faults| {
        told(faults, || sys::clock_gettime(sys::CLOCK_MONOTONIC))
    }),
    site("sys::close", &["close"], |faults| {
        let counter = ready();
        told(faults, || sys::close(counter))
    }),
    site("sys::connect", &["connect"], |faults| {
        let listener = TcpListener::bind(V4).unwrap();
        let addr = SockAddr::from(listener.local_addr().unwrap());
        let socket = sys::socket(sys::AF_INET, sys::SOCK_STREAM, 0).unwrap();
        let done = faults.during(|| sys::connect(socket.as_fd(), &addr));
        if done.is_err() {
            sys::connect(socket.as_fd(), &addr).unwrap();
        }
        done.map(|()| 0)
    }),
    site("sys::epoll_create1", &["epoll_create1"], |faults| {
        told(faults, || sys::epoll_create1(0))
    }),
    site("sys::epoll_ctl", &["epoll_ctl"], |faults| {
        let (queue, source, event) = (queue(), ready(), Event::new(1, 1));
        let add = || {
            let op = sys::EPOLL_CTL_ADD;
            sys::epoll_ctl(queue.as_fd(), op, source.as_fd(), Some(&event))
        };
        let done = faults.during(add);
        assert_eq!(add().is_ok(), done.is_err());
        done.map(|()| 0)
    }),
    site("sys::epoll_wait", &[WAIT], |faults| {
        let queue = queue();
        let room = &mut [MaybeUninit::uninit(); 2];
        let events = faults.during(|| sys::epoll_wait(queue.as_fd(), room, 0));
        events.map(|events| events.len() as u64)
    }),
    site("sys::epoll_pwait", &["epoll_pwait"], |faults| {
        let queue = queue();
        let room = &mut [MaybeUninit::uninit(); 2];
        let events = faults.during(|| sys::epoll_pwait(queue.as_fd(), room, 0, None));
        events.map(|events| events.len() as u64)
    }),
    // It has nothing to fall back on.
    site("sys::epoll_pwait2", &["epoll_pwait2"], |faults| {
        let (queue, now) = (queue(), Timespec::default());
        let room = &mut [MaybeUninit::uninit(); 2];
        let events = faults.during(|| sys::epoll_pwait2(queue.as_fd(), room, Some(&now), None));
        events.map(|events| events.len() as u64)
    }),
    site("sys::eventfd2", &["eventfd2"], |faults| {
        told(faults, || sys::eventfd2(0, 0))
    }),
    site("sys::fcntl_dupfd_cloexec", &["fcntl"], |faults| {
        let counter = ready();
        told(faults, || sys::fcntl_dupfd_cloexec(counter.as_fd(), 0))
    }),
    site("fd::duplicate", &["fcntl"], |faults| {
        let counter = ready();
        told(faults, || fd::duplicate(&counter))
    }),
    site("sys::getpeername", &["getpeername"], |faults| {
        let (near, _far) = tcp::pair();
        told(faults, || sys::getpeername(near.as_fd()))
    }),
    site("sys::getsockname", &["getsockname"], |faults| {
        let socket = socket();
        told(faults, || sys::getsockname(socket.as_fd()))
    }),
    site("sys::getsockopt_int", &["getsockopt"], |faults| {
        let socket = socket();
        faults
            .during(|| sys::getsockopt_int(socket.as_fd(), sys::SOL_SOCKET, sys::SO_ERROR))
            .map(|value| value as u64)
    }),
    site("sys::ioctl_epiocgparams", &["ioctl"], |faults| {
        let queue = queue();
        faults
            .during(|| sys::ioctl_epiocgparams(queue.as_fd()))
            .map(|params| params.busy_poll_usecs.into())
    }),
    site("sys::ioctl_epiocsparams", &["ioctl"], |faults| {
        let (queue, params) = (queue(), sys::EpollParams::default());
        told(faults, || sys::ioctl_epiocsparams(queue.as_fd(), &params))
    }),
    site("sys::listen", &["listen"], |faults| {
        let socket = socket();
        told(faults, || sys::listen(socket.as_fd(), 1))
    }),
    site("sys::read", &["read"], |faults| {
        let counter = ready();
        let count = faults.during(|| sys::read(counter.as_fd(), &mut [0; 8]));
        count.map(|count| count as u64 - 8)
    }),
    site("sys::read_uninit", &["read"], |faults| {
        let counter = ready();
        let room = &mut [MaybeUninit::uninit(); 8];
        let bytes = faults.during(|| sys::read_uninit(counter.as_fd(), room));
        bytes.map(|bytes| bytes.len() as u64 - 8)
    }),
    site("sys::getsockopt_linger", &["getsockopt"], |faults| {
        let socket = socket();
        told(faults, || sys::getsockopt_linger(socket.as_fd()))
    }),
    site("sys::readv", &["readv"], |faults| {
        let (counter, mut bytes) = (ready(), [0; 8]);
        let room = &mut [IoSliceMut::new(&mut bytes)];
        let count = faults.during(|| sys::readv(counter.as_fd(), room));
        count.map(|count| count as u64 - 8)
    }),
    site("sys::recvfrom", &["recvfrom"], |faults| {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.send(b"x").unwrap();
        let received = faults.during(|| sys::recvfrom(far.as_fd(), &mut [0; 8], 0));
        received.map(|(count, _)| count as u64 - 1)
    }),
    site("sys::sendmsg", &["sendmsg"], |faults| {
        let (near, _far) = UnixDatagram::pair().unwrap();
        let parts = [IoSlice::new(b"x")];
        let count = faults.during(|| sys::sendmsg(near.as_fd(), &parts, sys::MSG_NOSIGNAL));
        count.map(|count| count as u64 - 1)
    }),
    site("sys::sendto", &["sendto"], |faults| {
        let (near, _far) = tcp::pair();
        let count = faults.during(|| sys::sendto(near.as_fd(), b"x", sys::MSG_NOSIGNAL, None));
        count.map(|count| count as u64 - 1)
    }),
    site("sys::setsockopt_int", &["setsockopt"], |faults| {
        let socket = socket();
        let set = || sys::setsockopt_int(socket.as_fd(), sys::SOL_SOCKET, sys::SO_REUSEADDR, 1);
        told(faults, set)
    }),
    site("sys::setsockopt_ip_mreq", &["setsockopt"], |faults| {
        let (socket, add) = (udp(), sys::IP_ADD_MEMBERSHIP);
        told(faults, || {
            sys::setsockopt_ip_mreq(socket.as_fd(), add, GROUP, LOOPBACK)
        })
    }),
    site("sys::setsockopt_ipv6_mreq", &["setsockopt"], |faults| {
        let group = "ff02::8765:4".parse().unwrap();
        let (v4, add) = (udp(), sys::IPV6_ADD_MEMBERSHIP);
        let done = match sys::socket(sys::AF_INET6, sys::SOCK_DGRAM, 0) {
            Ok(socket) => {
                faults.during(|| sys::setsockopt_ipv6_mreq(socket.as_fd(), add, group, 1))
            }
            // IPv6 is switched off.
            Err(_) => faults.during(|| v4.set_broadcast(true)),
        };
        done.map(|()| 0)
    }),
    site("sys::setsockopt_linger", &["setsockopt"], |faults| {
        let (socket, off) = (socket(), sys::Linger::default());
        told(faults, || sys::setsockopt_linger(socket.as_fd(), &off))
    }),
    site("sys::shutdown", &["shutdown"], |faults| {
        let (near, _far) = tcp::pair();
        let done = faults.during(|| sys::shutdown(near.as_fd(), sys::SHUT_WR));
        done.map(|()| 0)
    }),
    site("sys::socket", &["socket"], |faults| {
        told(faults, || sys::socket(sys::AF_INET, sys::SOCK_STREAM, 0))
    }),
    site("sys::socketpair", &["socketpair"], |faults| {
        told(faults, || {
            sys::socketpair(sys::AF_UNIX, sys::SOCK_STREAM, 0)
        })
    }),
    site("sys::timerfd_create", &["timerfd_create"], |faults| {
        told(faults, || sys::timerfd_create(sys::CLOCK_MONOTONIC, 0))
    }),
    site("sys::timerfd_gettime", &["timerfd_gettime"], |faults| {
        let timer = Timer::new().unwrap();
        let left = faults.during(|| sys::timerfd_gettime(timer.as_fd()));
        left.map(|left| left.it_value.tv_sec as u64)
    }),
    site("sys::timerfd_settime", &["timerfd_settime"], |faults| {
        let (timer, off) = (Timer::new().unwrap(), sys::Itimerspec::default());
        told(faults, || sys::timerfd_settime(timer.as_fd(), 0, &off))
    }),
    site(
        "sys::clone_execve",
        &[
            "pipe2",
            "waitid",
            "clone",
            "rt_sigaction",
            "rt_sigprocmask",
            "execve",
            "write",
            "exit_group",
            "close",
            "read",
            "waitid",
            "close",
            "close",
        ],
        |faults| {
            let outcome = faults.during(|| sys::clone_execve(c"/nowhere", &[], &[]));
            // Of a child that could not even tell why it did not start.
            if let Ok((_, pidfd)) = &outcome {
                tcp::readable(pidfd);
            }
            while let Some((_, status)) = process::reap().unwrap() {
                assert_eq!(status.code(), Some(127));
            }
            not_there(outcome.map(drop))
        },
    )
    .forgives(&[
        (1, &[Errno::EBADF]),
        (5, &[Errno::ENOENT]),
        (6, ANY),
        (7, ANY),
        (9, ANY),
        (10, ANY),
    ])
    .cleans_up(3, NOT_STARTED),
    site("sys::execve", &["execve"], |faults| {
        not_there(faults.during(|| sys::execve(c"/nowhere", &[], &[]).map(|never| match never {})))
    })
    .forgives(&[(0, &[Errno::ENOENT])]),
    site("sys::fcntl_getfl", &["fcntl"], |faults| {
        let counter = ready();
        let flags = faults.during(|| sys::fcntl_getfl(counter.as_fd()));
        flags.map(|flags| u64::from(flags & sys::O_NONBLOCK == 0))
    }),
    site("sys::fcntl_setfl", &["fcntl"], |faults| {
        let counter = ready();
        let done = faults.during(|| sys::fcntl_setfl(counter.as_fd(), 0));
        done.map(|()| 0)
    }),
    site("sys::inotify_init1", &["inotify_init1"], |faults| {
        faults.during(|| sys::inotify_init1(0)).map(|_| 0)
    }),
    site("sys::inotify_add_watch", &["inotify_add_watch"], |faults| {
        let queue = sys::inotify_init1(0).unwrap();
        let add = || sys::inotify_add_watch(queue.as_fd(), c"/", IN_CREATE);
        faults.during(add).map(|watch| watch as u64 - 1)
    }),
    site("sys::inotify_rm_watch", &["inotify_rm_watch"], |faults| {
        let queue = sys::inotify_init1(0).unwrap();
        let watch = sys::inotify_add_watch(queue.as_fd(), c"/", IN_CREATE).unwrap();
        let done = faults.during(|| sys::inotify_rm_watch(queue.as_fd(), watch));
        done.map(|()| 0)
    }),
    site("sys::pidfd_open", &["pidfd_open"], |faults| {
        let id = std::process::id() as i32;
        faults.during(|| sys::pidfd_open(id)).map(|_| 0)
    }),
    site("sys::pidfd_send_signal", &["pidfd_send_signal"], |faults| {
        let pidfd = sys::pidfd_open(std::process::id() as i32).unwrap();
        let done = faults.during(|| sys::pidfd_send_signal(pidfd.as_fd(), 0));
        done.map(|()| 0)
    }),
    site("sys::pipe2", &["pipe2"], |faults| {
        faults.during(|| sys::pipe2(0)).map(|_| 0)
    }),
    site("sys::read_signalfd", &["read"], |faults| {
        let counter = ready();
        let info = faults.during(|| sys::read_signalfd(counter.as_fd()));
        info.map(|info| u64::from(info.ssi_signo) - 1)
    }),
    site("sys::rt_sigaction", &["rt_sigaction"], |faults| {
        let default = || sys::rt_sigaction(SIGUSR2, sys::Disposition::Default);
        faults.during(default).map(|()| 0)
    }),
    site("sys::rt_sigprocmask", &["rt_sigprocmask"], |faults| {
        let nothing = || sys::rt_sigprocmask(sys::SIG_BLOCK, SigSet::EMPTY);
        faults.during(nothing).map(|_| 0)
    }),
    site("sys::signalfd4", &["signalfd4"], |faults| {
        faults.during(|| sys::signalfd4(USR1, 0)).map(|_| 0)
    }),
    site("sys::waitid", &["waitid"], |faults| {
        let child = short_lived();
        let options = sys::WEXITED | sys::WNOWAIT;
        let info = faults.during(|| sys::waitid(WaitId::All, options));
        ended(child);
        info.map(|info| info.unwrap().si_status as u64)
    }),
    site("sys::write", &["write"], |faults| {
        let counter = ready();
        let count = faults.during(|| sys::write(counter.as_fd(), &1u64.to_ne_bytes()));
        count.map(|count| count as u64 - 8)
    }),
];

/// What std asks of the library, and is told in its own way.
const SITES_OF_STD: &[Site<io::Error>] = &[
    site("Read for TcpStream", &["read"], |faults| {
        reads(faults, tcp::pair(), Read::read)
    }),
    site("Read for &TcpStream", &["read"], |faults| {
        reads(faults, tcp::pair(), |near, bytes| {
            Read::read(&mut &*near, bytes)
        })
    }),
    site("Read of slices for TcpStream", &["readv"], |faults| {
        reads(faults, tcp::pair(), |near, bytes| {
            Read::read_vectored(near, &mut [IoSliceMut::new(bytes)])
        })
    }),
    site("Read of slices for &TcpStream", &["readv"], |faults| {
        reads(faults, tcp::pair(), |near, bytes| {
            Read::read_vectored(&mut &*near, &mut [IoSliceMut::new(bytes)])
        })
    }),
    site("Read for UnixStream", &["read"], |faults| {
        reads(faults, UnixStream::pair().unwrap(), Read::read)
    }),
    site("Write for TcpStream", &["sendto"], |faults| {
        writes(faults, tcp::pair(), Write::write)
    }),
    site("Write for &TcpStream", &["sendto"], |faults| {
        writes(faults, tcp::pair(), |near, bytes| {
            Write::write(&mut &*near, bytes)
        })
    }),
    site("Write of slices for TcpStream", &["sendmsg"], |faults| {
        writes(faults, tcp::pair(), |near, bytes| {
            Write::write_vectored(near, &[IoSlice::new(bytes)])
        })
    }),
    site("Write of slices for &TcpStream", &["sendmsg"], |faults| {
        writes(faults, tcp::pair(), |near, bytes| {
            Write::write_vectored(&mut &*near, &[IoSlice::new(bytes)])
        })
    }),
    site("Write for UnixStream", &["sendto"], |faults| {
        writes(faults, UnixStream::pair().unwrap(), Write::write)
    }),
];

/// Does it, and says no more than whether it was done.
fn told<T>(faults: &Faults, act: impl FnOnce() -> Result<T>) -> Result<u64> {
    faults.during(act).map(|_| 0)
}

const USR1: SigSet = SigSet::of(&[SIGUSR1]);

/// What follows where the child that is to become a program fails: it says so and ends,
/// and the parent hears it, reaps it, and closes what it has opened.
const NOT_STARTED: &[&str] = &[
    "write",
    "exit_group",
    "close",
    "read",
    "waitid",
    "close",
    "close",
];

/// A program that was started, ends soon, and with code 0.
fn short_lived() -> Child {
    let argv = [c"faults", c"--exact", c"no such test"];
    Child::spawn(c"/proc/self/exe", &argv, &[]).unwrap()
}

fn ended(mut child: Child) -> ExitStatus {
    tcp::readable(&child);
    child.try_wait().unwrap().expect("it has ended")
}

/// There is no such program: that is what should come of it.
fn not_there(outcome: Result<()>) -> Result<u64> {
    match outcome {
        Err(error) if (error.syscall(), error.errno()) != ("execve", Errno::ENOENT) => Err(error),
        _ => Ok(0),
    }
}

/// What is sent is received.
fn passes((sender, receiver): (Sender, Receiver)) {
    assert_eq!(sender.write(b"word").unwrap(), 4);
    assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 4);
}

/// A signal that is raised is read.
fn arrives(signals: &Signals) {
    kernel::signal_thread(kernel::thread_id(), SIGUSR1);
    assert_eq!(signals.read().unwrap().unwrap().number(), SIGUSR1);
}

/// A counter that is readable.
fn ready() -> OwnedFd {
    sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK).unwrap()
}

fn socket() -> OwnedFd {
    sys::socket(sys::AF_INET, sys::SOCK_STREAM, 0).unwrap()
}

/// An address at which nobody listens.
fn free_address() -> SocketAddr {
    let any = SocketAddr::from(([127, 87, 65, 70], 0));
    let listener = TcpListener::bind(any).unwrap();
    listener.local_addr().unwrap()
}

/// The queue reports what happens.
fn works(queue: &mut Poll) {
    let waker = Waker::new(queue.registry(), Token(9)).unwrap();
    waker.wake().unwrap();
    expect_tokens(queue, &[9]);
    drop(waker);
    expect_silence(queue);
}

/// A queue that has reported its waker, so that wakes before its next wait write nothing.
fn awake() -> (Poll, Waker) {
    let mut queue = queue();
    let waker = Waker::new(queue.registry(), Token(4)).unwrap();
    waker.wake().unwrap();
    expect_tokens(&mut queue, &[4]);
    (queue, waker)
}

fn waits(faults: &Faults, timeout: Option<Duration>) -> Result<u64> {
    waits_with(&mut queue(), faults, timeout)
}

/// Waits for an event that is there, reported once: what no wait has reported is
/// there for the next.
fn waits_with(queue: &mut Poll, faults: &Faults, timeout: Option<Duration>) -> Result<u64> {
    waits_by(queue, faults, |queue, events| queue.poll(events, timeout))
}

fn waits_by(
    queue: &mut Poll,
    faults: &Faults,
    wait: impl FnOnce(&mut Poll, &mut Events<4>) -> Result<()>,
) -> Result<u64> {
    let source = ready();
    let registry = queue.registry();
    registry
        .register(&source, Token(6), READABLE.edge())
        .unwrap();
    let mut events = Events::<4>::new();
    poll(queue, &mut events, None).unwrap();
    assert_eq!(events.len(), 1);

    sys::write(source.as_fd(), &1u64.to_ne_bytes()).unwrap();
    let done = faults.during(|| wait(queue, &mut events));
    assert_eq!(events.len(), usize::from(done.is_ok()), "{done:?}");
    if done.is_err() {
        expect_tokens(queue, &[6]);
    }
    expect_silence(queue);
    poll(queue, &mut events, FRACTION).unwrap();
    assert!(events.is_empty());
    drop(source);
    works(queue);
    done.map(|()| 0)
}

/// The timer can be set, and expires.
fn expires(timer: &Timer) {
    timer.set(Duration::ZERO).unwrap();
    tcp::readable(timer);
    assert_eq!(timer.read().unwrap(), 1);
}

/// The listener takes a new connection.
fn accepts(listener: &TcpListener) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    talk(&client, &tcp::accept(listener));
}

/// What one end says the other hears.
fn talk<S: AsFd>(near: &S, far: &S)
where
    for<'a> &'a S: Read + Write,
{
    for (mut from, mut to) in [(near, far), (far, near)] {
        assert_eq!(from.write(b"word").unwrap(), 4);
        tcp::readable(to);
        let mut bytes = [0; 8];
        assert_eq!(to.read(&mut bytes).unwrap(), 4);
        assert_eq!(&bytes[..4], b"word");
    }
}

/// What was not read is still there.
fn reads<S: AsFd, E>(
    faults: &Faults,
    (mut near, far): (S, S),
    read: fn(&mut S, &mut [u8]) -> std::result::Result<usize, E>,
) -> std::result::Result<u64, E>
where
    for<'a> &'a S: Read + Write,
{
    assert_eq!((&far).write(b"four").unwrap(), 4);
    tcp::readable(&near);
    let mut bytes = [0; 8];
    let count = faults.during(|| read(&mut near, &mut bytes));
    if count.is_err() {
        assert_eq!(bytes, [0; 8]);
        assert_eq!((&near).read(&mut bytes).unwrap(), 4);
    }
    assert_eq!(&bytes, b"four\0\0\0\0");
    talk(&near, &far);
    count.map(|count| count as u64 - 4)
}

/// What was not written never arrives.
fn writes<S: AsFd, E>(
    faults: &Faults,
    (mut near, far): (S, S),
    write: fn(&mut S, &[u8]) -> std::result::Result<usize, E>,
) -> std::result::Result<u64, E>
where
    for<'a> &'a S: Read + Write,
{
    let count = faults.during(|| write(&mut near, b"four"));
    if count.is_err() {
        assert_eq!((&near).write(b"FOUR").unwrap(), 4);
    }
    tcp::readable(&far);
    let mut bytes = [0; 8];
    assert_eq!((&far).read(&mut bytes).unwrap(), 4);
    let expected = if count.is_ok() { b"four" } else { b"FOUR" };
    assert_eq!(&bytes[..4], expected);
    talk(&near, &far);
    count.map(|count| count as u64 - 4)
}

/// What is looked at is still there, whatever came of it.
fn peeks<S: AsFd>(
    faults: &Faults,
    (near, far): (S, S),
    peek: fn(&S, &mut [u8]) -> Result<usize>,
) -> Result<u64>
where
    for<'a> &'a S: Read + Write,
{
    assert_eq!((&far).write(b"four").unwrap(), 4);
    tcp::readable(&near);
    let count = faults.during(|| peek(&near, &mut [0; 8]));
    assert_eq!((&near).read(&mut [0; 8]).unwrap(), 4);
    talk(&near, &far);
    count.map(|count| count as u64 - 4)
}

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 87, 65, 4);
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

const KEEPALIVE: Keepalive = Keepalive {
    idle: Duration::from_secs(70),
    interval: Duration::from_secs(8),
    probes: 3,
};

fn udp() -> UdpSocket {
    UdpSocket::bind(V4).unwrap()
}

/// The socket receives a datagram, and nothing before it.
fn hears(socket: &UdpSocket) {
    udp()
        .send_to(b"word", socket.local_addr().unwrap())
        .unwrap();
    tcp::readable(socket);
    let mut bytes = [0; 8];
    assert_eq!(socket.recv(&mut bytes).unwrap(), 4);
    assert_eq!(&bytes[..4], b"word");
}

/// As [`hears`].
fn unix_hears(socket: &UnixDatagram) {
    let addr = socket.local_addr().unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to_addr(b"word", &addr).unwrap();
    let mut bytes = [0; 8];
    assert_eq!(socket.recv(&mut bytes).unwrap(), 4);
    assert_eq!(&bytes[..4], b"word");
}

/// What was not sent never arrives.
fn sends(faults: &Faults, to: &UdpSocket, send: impl Fn() -> Result<usize>) -> Result<u64> {
    let count = faults.during(send);
    if count.is_ok() {
        tcp::readable(to);
        assert_eq!(to.recv(&mut [0; 8]).unwrap(), 4);
    }
    hears(to);
    count.map(|count| count as u64 - 4)
}

/// As [`sends`].
fn unix_sends(faults: &Faults, to: &UnixDatagram, send: impl Fn() -> Result<usize>) -> Result<u64> {
    let count = faults.during(send);
    let received = to.recv(&mut [0; 8]).map_err(|error| error.is_would_block());
    let expected = if count.is_ok() { Ok(4) } else { Err(true) };
    assert_eq!(received, expected);
    count.map(|count| count as u64 - 4)
}

/// Unlike over TCP, no connecting goes on after an error.
fn unix_connects(
    faults: &Faults,
    to: &UnixListener,
    connect: impl FnOnce() -> Result<UnixStream>,
) -> Result<u64> {
    let made = faults.during(connect);
    if made.is_err() {
        assert!(to.accept().unwrap_err().is_would_block());
        unix_accepts(to);
    }
    talk(&made?, &to.accept().unwrap().0);
    Ok(0)
}

/// There is a peer afterwards, or there is none.
fn unix_gets_a_peer(
    faults: &Faults,
    far: &UnixDatagram,
    connect: impl FnOnce(&UnixDatagram) -> Result<()>,
) -> Result<u64> {
    let near = UnixDatagram::unbound().unwrap();
    let done = faults.during(|| connect(&near));
    assert_eq!(near.peer_addr().is_ok(), done.is_ok());
    unix_hears(far);
    done.map(|()| 0)
}

/// What was not received is still there, and what was is so only `left` times.
fn receives(
    faults: &Faults,
    left: usize,
    receive: impl Fn(&UdpSocket, &mut [u8]) -> Result<usize>,
) -> Result<u64> {
    let (near, far) = (udp(), udp());
    far.connect(near.local_addr().unwrap()).unwrap();
    near.send_to(b"four", far.local_addr().unwrap()).unwrap();
    tcp::readable(&far);
    let count = faults.during(|| receive(&far, &mut [0; 8]));
    for _ in 0..if count.is_ok() { left } else { 1 } {
        assert_eq!(far.recv(&mut [0; 8]).unwrap(), 4);
    }
    expect_silence(&mut watching(&far, READABLE));
    count.map(|count| count as u64 - 4)
}

/// As [`receives`].
fn unix_receives(
    faults: &Faults,
    left: usize,
    receive: impl Fn(&UnixDatagram, &mut [u8]) -> Result<usize>,
) -> Result<u64> {
    let (near, far) = UnixDatagram::pair().unwrap();
    near.send(b"four").unwrap();
    let count = faults.during(|| receive(&far, &mut [0; 8]));
    for _ in 0..if count.is_ok() { left } else { 1 } {
        assert_eq!(far.recv(&mut [0; 8]).unwrap(), 4);
    }
    assert!(far.recv(&mut [0; 8]).unwrap_err().is_would_block());
    count.map(|count| count as u64 - 4)
}

/// An option that is set, or else as it was.
fn udp_keeps(
    faults: &Faults,
    set: impl FnOnce(&UdpSocket) -> Result<()>,
    is_set: impl Fn(&UdpSocket) -> Result<bool>,
) -> Result<u64> {
    let socket = udp();
    let done = faults.during(|| set(&socket));
    assert_eq!(is_set(&socket).unwrap(), done.is_ok());
    hears(&socket);
    done.map(|()| 0)
}

/// The socket is as good as before, whatever it answers.
fn udp_is_asked(faults: &Faults, ask: impl Fn(&UdpSocket) -> Result<u64>) -> Result<u64> {
    let socket = udp();
    let answer = faults.during(|| ask(&socket));
    hears(&socket);
    answer
}

/// The listener takes a new connection.
fn unix_accepts(listener: &UnixListener) {
    let client = UnixStream::connect_addr(&listener.local_addr().unwrap()).unwrap();
    talk(&client, &listener.accept().unwrap().0);
}

fn ends(faults: &Faults, how: Shutdown) -> Result<u64> {
    let (near, far) = tcp::pair();
    let done = faults.during(|| near.shutdown(how));
    if done.is_err() {
        talk(&near, &far);
        near.shutdown(how).unwrap();
    }
    let write = near.write(b"x").map_err(|error| error.errno());
    let writes = how == Shutdown::Read;
    assert_eq!(write, if writes { Ok(1) } else { Err(Errno::EPIPE) });
    done.map(|()| 0)
}

fn drops(faults: &Faults, object: impl Sized) -> Result<u64> {
    faults.during(|| drop(object));
    Ok(0)
}

/// The descriptors that this process has open; the one that lists them, too.
fn descriptors() -> BTreeSet<OsString> {
    let listed = fs::read_dir("/proc/self/fd").unwrap();
    listed.map(|entry| entry.unwrap().file_name()).collect()
}

/// What happened at a site.
struct Run<E> {
    outcome: std::result::Result<u64, E>,
    calls: Vec<Call>,
}

/// Has `site` go by `plan`, and asserts that it leaves nothing open.
fn run<E>(site: &Site<E>, faults: &Faults, plan: Plan) -> Run<E> {
    let before = descriptors();
    faults.plan(plan);
    let outcome = (site.act)(faults);
    let calls = faults.calls();
    for call in &calls {
        if call.name == "close" && call.failed.is_some() {
            // It was not made, and the library has rightly let go.
            let descriptor = call.first_argument;
            // SAFETY: no memory; nobody else knows the descriptor any more.
            unsafe { syscall!(Sysno::close, descriptor) }.expect("still open");
        }
    }
    let after = descriptors();
    let opened = after.difference(&before).map(|number| {
        let path = Path::new("/proc/self/fd").join(number);
        (number, fs::read_link(path))
    });
    let opened = Vec::from_iter(opened);
    let what = site.name;
    assert!(opened.is_empty(), "{what}: {opened:?} of {calls:?}");
    assert_eq!(after, before, "{what}: {calls:?}");
    Run { outcome, calls }
}

/// That one call fails.
fn fails_at(place: usize, errno: Errno) -> Plan {
    Plan {
        places: BTreeMap::from([(place, errno)]),
        ..Plan::default()
    }
}

fn names(calls: &[Call]) -> Vec<&'static str> {
    calls.iter().map(|call| call.name).collect()
}

/// How many descriptors a call that succeeded has opened.
fn opens(call: &Call) -> usize {
    match call.name {
        _ if call.failed.is_some() => 0,
        "socket" | "eventfd2" | "signalfd4" => 1,
        "pipe2" => 2,
        _ => 0,
    }
}

/// The sentence begins with the call and the errno, whichever it is.
fn assert_says(error: &Error, call: &str, errno: Errno) {
    let sentence = error.to_string();
    let start = match errno.name() {
        Some(name) => format!("{call}: {name} ("),
        None => format!("{call}: errno {}", errno.into_raw()),
    };
    assert!(sentence.starts_with(&start), "{sentence:?}, not {start:?}");
}

/// Runs `test` with faults in a process of its own, where no other test opens
/// descriptors.
fn alone_with_faults(check: &str, test: impl Fn(&Faults) + Sync) {
    if let Err(why) = with_faults(|faults| test(faults)) {
        common::left_out(check, format!("no filter that asks: {why}"));
    }
}

#[test]
fn every_syscall_of_the_table_has_its_errnos_and_a_site() {
    let calls: BTreeSet<_> = SYSCALLS.iter().map(sys::Syscall::name).collect();
    let rows: BTreeSet<_> = ERRNOS.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, calls, "a row for each call");
    assert_eq!(ERRNOS.len(), SYSCALLS.len());
    for (name, errnos) in ERRNOS {
        assert!(errnos.len() >= 3, "{name}: {errnos:?}");
    }
    let made: BTreeSet<_> = SITES.iter().flat_map(|site| site.calls).copied().collect();
    let here: BTreeSet<_> = SYSCALLS
        .iter()
        .filter(|call| call.number().is_some())
        .map(sys::Syscall::name)
        .collect();
    assert_eq!(made, here, "a site for each call");
}

/// Where the sites are that a test goes through: several share the work.
const PARTS: [&[&str]; 6] = [
    &["Poll::", "Registry::", "Waker::", "Timer::"],
    &["TcpListener::"],
    &["TcpStream::"],
    &["drop of", "sys::"],
    &[
        "UdpSocket::",
        "UnixListener::",
        "UnixStream::",
        "UnixDatagram::",
    ],
    &[
        "fd::",
        "pipe::",
        "Sender::",
        "Receiver::",
        "Signals::",
        "signal::",
        "Child::",
        "process::",
        "Inotify::",
    ],
];

fn is_of(part: &[&str], site: &Site) -> bool {
    part.iter().any(|start| site.name.starts_with(start))
}

#[test]
fn every_site_is_gone_through_once() {
    for site in SITES {
        let parts = PARTS.iter().filter(|part| is_of(part, site)).count();
        assert_eq!(parts, 1, "{}", site.name);
    }
}

#[test]
fn every_call_of_queues_wakers_and_timers_fails_once_with_every_errno() {
    kernel::alone(|| fail_at_each_of(PARTS[0]));
}

#[test]
fn every_call_of_listeners_fails_once_with_every_errno() {
    kernel::alone(|| fail_at_each_of(PARTS[1]));
}

#[test]
fn every_call_of_streams_fails_once_with_every_errno() {
    kernel::alone(|| fail_at_each_of(PARTS[2]));
}

#[test]
fn every_call_of_the_raw_layer_fails_once_with_every_errno() {
    kernel::alone(|| fail_at_each_of(PARTS[3]));
}

#[test]
fn every_call_of_datagram_and_unix_sockets_fails_once_with_every_errno() {
    kernel::alone(|| fail_at_each_of(PARTS[4]));
}

#[test]
fn every_call_of_pipes_signals_children_and_files_fails_once_with_every_errno() {
    kernel::alone(|| fail_at_each_of(PARTS[5]));
}

fn fail_at_each_of(part: &[&str]) {
    alone_with_faults(&format!("each call of {part:?} failing once"), |faults| {
        let mut injected = 0;
        for site in SITES.iter().filter(|site| is_of(part, site)) {
            let _watchdog = Watchdog::new();
            let healthy = run(site, faults, Plan::default());
            assert_eq!(names(&healthy.calls), site.calls, "{}", site.name);
            let result = healthy.outcome;
            let result = result.unwrap_or_else(|error| panic!("{}: {error}", site.name));
            for (place, &call) in site.calls.iter().enumerate() {
                // A close that fails has closed all the same. Where another end is to
                // see it, one that is not made at all would be waited for without end.
                if call == "close" && site.calls.len() > 1 {
                    continue;
                }
                for &errno in listed(call).iter().chain(&unlisted()) {
                    fails_once(site, faults, place, errno, result);
                    injected += 1;
                }
            }
        }
        eprintln!("{injected} faults in {part:?}");
    });
}

fn fails_once(site: &Site, faults: &Faults, place: usize, errno: Errno, healthy: u64) {
    let call = site.calls[place];
    let what = format!("{}: {errno:?} from {call}, call {place}", site.name);
    let plan = fails_at(place, errno);
    let first = run(site, faults, plan.clone());
    assert_eq!(first.calls[place].failed, Some(errno), "{what}");
    assert_eq!(
        names(&first.calls[..=place]),
        site.calls[..=place],
        "{what}"
    );
    let later = &first.calls[place + 1..];
    if site.is_forgiven(place, errno) {
        let outcome = first
            .outcome
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let nothing_read = site.name == "Timer::read";
        assert_eq!(outcome, if nothing_read { 0 } else { healthy }, "{what}");
        return;
    }
    let error = first.outcome.expect_err(&what);
    assert_eq!((error.syscall(), error.errno()), (call, errno), "{what}");
    assert_says(&error, call, errno);
    if let Some((_, calls)) = site.cleans_up.filter(|(from, _)| place >= *from) {
        assert_eq!(names(later), calls, "{what}");
        return;
    }
    // Nothing follows but the closing of what was opened.
    let opened = first.calls[..place].iter().map(opens).sum();
    assert_eq!(names(later), vec!["close"; opened], "{what}");
    if opened > 0 {
        // It stays the first error that is told, though the closing fails as well.
        let plan = Plan {
            later: Some(("close", Errno::EIO)),
            ..plan
        };
        let second = run(site, faults, plan);
        assert_eq!(second.outcome, Err(error), "{what}");
    }
}

#[test]
fn every_call_for_std_fails_once_with_every_errno() {
    kernel::alone(|| {
        alone_with_faults("each call for std failing once", |faults| {
            let _watchdog = Watchdog::new();
            for site in SITES_OF_STD {
                let healthy = run(site, faults, Plan::default());
                assert_eq!(names(&healthy.calls), site.calls, "{}", site.name);
                assert_eq!(healthy.outcome.unwrap(), 0, "{}", site.name);
                for &errno in listed(site.calls[0]).iter().chain(&unlisted()) {
                    let failed = run(site, faults, fails_at(0, errno));
                    let what = format!("{}: {errno:?}", site.name);
                    assert_eq!(names(&failed.calls), site.calls, "{what}");
                    let error = failed.outcome.expect_err(&what);
                    assert_eq!(error.raw_os_error(), Some(errno.into_raw()), "{what}");
                }
            }
        });
    });
}

/// By the kind of the error: std makes the call again.
#[test]
fn std_goes_on_after_a_signal() {
    kernel::alone(|| {
        alone_with_faults("std going on after a signal", |faults| {
            let (mut near, mut far) = tcp::pair();
            faults.plan(fails_at(0, Errno::EINTR));
            faults
                .during(|| io::Write::write_all(&mut near, b"four"))
                .unwrap();
            assert_eq!(names(&faults.calls()), ["sendto", "sendto"]);
            tcp::readable(&far);
            let mut bytes = [0; 4];
            faults
                .during(|| io::Read::read_exact(&mut far, &mut bytes))
                .unwrap();
            assert_eq!(names(&faults.calls()), ["read", "read"]);
            assert_eq!(&bytes, b"four");
        });
    });
}

/// std makes it non-blocking with an `ioctl`, whose errnos are its own affair; what is
/// ours is that one that cannot be made so is not taken.
#[test]
fn a_socket_of_std_that_would_block_is_closed_and_not_taken() {
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        let listener = std::net::TcpListener::bind(V4).unwrap();
        for errno in [Errno::EBADF, Errno::EFAULT, Errno::EINVAL, Errno::ENOTTY] {
            let before = descriptors();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap());
                    let (stream, copy) = (stream.unwrap(), listener.try_clone().unwrap());
                    if let Err(why) = kernel::refuse(Sysno::ioctl, errno) {
                        return common::left_out("a socket that stays blocking", why);
                    }
                    let raw = Some(errno.into_raw());
                    let refused = TcpStream::try_from(stream).unwrap_err();
                    assert_eq!(refused.raw_os_error(), raw);
                    let refused = TcpListener::try_from(copy).unwrap_err();
                    assert_eq!(refused.raw_os_error(), raw);
                });
            });
            assert_eq!(descriptors(), before, "{errno:?}");
        }
        // Its copies were closed, and it goes on with those that have connected.
        let listener = TcpListener::try_from(listener).unwrap();
        while listener.accept().is_ok() {}
        accepts(&listener);
    });
}

/// Every function of `sys`, by the list that the documentation has of them.
#[test]
fn every_function_of_sys_is_a_site() {
    let exported = include_str!("../../src/sys/mod.rs");
    let functions = exported
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split([' ', ',', '{', '}', ';', ':']))
        .filter(|word| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c == '_' || c.is_ascii_digit() || c.is_ascii_lowercase())
        })
        .filter(|word| SYSCALLS.iter().any(|call| word.starts_with(call.name())));
    let functions: BTreeSet<_> = functions.collect();
    assert!(functions.len() >= SYSCALLS.len(), "{functions:?}");
    let sites: BTreeSet<_> = (SITES.iter())
        .filter_map(|site| site.name.strip_prefix("sys::"))
        .collect();
    assert_eq!(sites, functions);
}

/// Asserts that `queue` waits for fractions with what is always there, and does not
/// ask for `epoll_pwait2` again.
fn has_fallen_back(queue: &mut Poll, faults: &Faults) {
    for _ in 0..3 {
        let start = Instant::now();
        faults
            .during(|| queue.poll(&mut Events::<1>::new(), FRACTION))
            .unwrap();
        assert!(start.elapsed() >= Duration::from_millis(1), "rounded down");
        assert_eq!(names(&faults.calls()), [WAIT]);
    }
    works(queue);
}

#[test]
fn pwait2_refused_at_the_first_call_or_a_later_one_is_never_asked_for_again() {
    kernel::alone(|| {
        alone_with_faults("epoll_pwait2 refused later", |faults| {
            for &errno in PWAIT2_REFUSALS {
                for healthy in [0, 1, 50] {
                    let mut queue = queue();
                    for _ in 0..healthy {
                        faults
                            .during(|| queue.poll(&mut Events::<1>::new(), FRACTION))
                            .unwrap();
                        assert_eq!(names(&faults.calls()), ["epoll_pwait2"]);
                    }
                    faults.plan(fails_at(0, errno));
                    let start = Instant::now();
                    faults
                        .during(|| queue.poll(&mut Events::<1>::new(), FRACTION))
                        .unwrap();
                    assert!(start.elapsed() >= Duration::from_millis(1), "rounded down");
                    assert_eq!(names(&faults.calls()), ["epoll_pwait2", WAIT]);
                    faults.plan(Plan::default());
                    has_fallen_back(&mut queue, faults);
                }
            }
        });
    });
}

#[test]
fn pwait2_is_not_asked_for_again_after_an_interruption_either() {
    kernel::alone(|| {
        alone_with_faults("epoll_pwait2 refused, and a signal", |faults| {
            for &errno in PWAIT2_REFUSALS {
                let mut queue = queue();
                faults.plan(Plan {
                    places: BTreeMap::from([(0, errno), (1, Errno::EINTR)]),
                    ..Plan::default()
                });
                let waited = faults.during(|| queue.poll(&mut Events::<1>::new(), FRACTION));
                assert!(waited.unwrap_err().is_interrupted(), "{errno:?}");
                assert_eq!(names(&faults.calls()), ["epoll_pwait2", WAIT]);
                faults.plan(Plan::default());
                has_fallen_back(&mut queue, faults);
            }
        });
    });
}

#[test]
fn an_errno_of_the_wait_itself_is_no_reason_to_fall_back() {
    kernel::alone(|| {
        alone_with_faults("epoll_pwait2 failing otherwise", |faults| {
            for errno in [Errno::EINTR, Errno::EBADF, Errno::EFAULT] {
                let mut queue = queue();
                for plan in [fails_at(0, errno), Plan::default()] {
                    let fails = !plan.places.is_empty();
                    faults.plan(plan);
                    let done = faults.during(|| queue.poll(&mut Events::<1>::new(), FRACTION));
                    assert_eq!(done.is_err(), fails);
                    assert_eq!(names(&faults.calls()), ["epoll_pwait2"], "{errno:?}");
                }
            }
        });
    });
}

#[test]
fn pwait2_refused_in_two_threads_at_once_loses_no_wake() {
    const WAKES: usize = 200;
    let _watchdog = Watchdog::new();
    for errno in [Errno::ENOSYS, Errno::EPERM] {
        let mut queues = [queue(), queue()];
        let wakers = [0, 1].map(|at| Waker::new(queues[at].registry(), Token(at)).unwrap());
        let heard = [const { AtomicUsize::new(0) }; 2];
        let (start, tokens) = (Barrier::new(2), Barrier::new(2));
        let (wakers, heard, start) = (&wakers, &heard, &start);
        let tokens = &tokens;
        thread::scope(|scope| {
            for (at, queue) in queues.iter_mut().enumerate() {
                scope.spawn(move || {
                    let mut events = Events::<4>::new();
                    // One has been allowed before.
                    if at == 1 {
                        poll(queue, &mut events, FRACTION).unwrap();
                    }
                    let refused = kernel::refuse(Sysno::epoll_pwait2, errno);
                    if let (0, Err(why)) = (at, refused) {
                        common::left_out(
                            &format!("a filter that answers {errno:?} to epoll_pwait2"),
                            format!("{why}; it may be missing altogether"),
                        );
                    }
                    start.wait();
                    let mut waits = 0;
                    while heard[at].load(Ordering::Acquire) < WAKES {
                        // Each wakes the other when it has heard the last one.
                        if heard[1 - at].load(Ordering::Acquire) >= waits {
                            wakers[1 - at].wake().unwrap();
                            waits += 1;
                        }
                        loop {
                            poll(queue, &mut events, Some(Duration::from_nanos(1))).unwrap();
                            if !events.is_empty() {
                                break;
                            }
                        }
                        assert_eq!(events[0].token(), Token(at));
                        heard[at].fetch_add(1, Ordering::AcqRel);
                    }
                    // The other may have one to hear still.
                    wakers[1 - at].wake().unwrap();
                    tokens.wait();
                });
            }
        });
    }
}

/// How many interruptions a storm is to bring at least, before it is over.
const ENOUGH: usize = 200;

/// As often as it is interrupted: `act` again, counted.
fn insist<T>(interruptions: &AtomicUsize, mut act: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match act() {
            Err(error) if error.is_interrupted() => {
                interruptions.fetch_add(1, Ordering::Relaxed);
            }
            outcome => return outcome,
        }
    }
}

/// Waits in a storm for the next event.
fn next(queue: &mut Poll, interruptions: &AtomicUsize, timeout: Option<Duration>) -> Events<16> {
    let mut events = Events::<16>::new();
    // Not again at once: with a signal each millisecond, no longer timeout would end.
    match queue.poll(&mut events, timeout) {
        Err(error) if error.is_interrupted() => {
            interruptions.fetch_add(1, Ordering::Relaxed);
        }
        outcome => outcome.unwrap(),
    }
    events
}

#[test]
fn a_storm_of_signals_loses_no_wake() {
    const WAKERS: usize = 3;
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        kernel::count_signal(SIGALRM);
        let interruptions = &AtomicUsize::new(0);
        let mut queue = queue();
        let wakers: Vec<_> = (0..WAKERS)
            .map(|token| Waker::new(queue.registry(), Token(token)).unwrap())
            .collect();
        let asked = &[const { AtomicUsize::new(0) }; WAKERS];
        let heard = &[const { AtomicUsize::new(0) }; WAKERS];
        let over = &AtomicBool::new(false);
        thread::scope(|scope| {
            for (at, waker) in wakers.iter().enumerate() {
                scope.spawn(move || {
                    kernel::start_storm(SIGALRM);
                    while !over.load(Ordering::SeqCst) {
                        let count = asked[at].load(Ordering::SeqCst);
                        waker.wake().unwrap();
                        // No wake before the last one was heard: each is an event.
                        while heard[at].load(Ordering::SeqCst) == count {
                            if over.load(Ordering::SeqCst) {
                                return;
                            }
                            thread::sleep(Duration::from_micros(700));
                        }
                        asked[at].store(count + 1, Ordering::SeqCst);
                    }
                });
            }
            kernel::start_storm(SIGALRM);
            // A machine that is slow, an emulated one say, gets as far as it gets.
            let most = Instant::now() + DEADLINE / 4;
            let mut events = 0;
            // Waits of every kind.
            let timeouts = [
                None,
                Some(DEADLINE),
                Some(DEADLINE + Duration::from_nanos(1)),
            ];
            while (interruptions.load(Ordering::Relaxed) < ENOUGH || events < ENOUGH)
                && Instant::now() < most
            {
                for event in &next(&mut queue, interruptions, timeouts[events % 3]) {
                    let Token(at) = event.token();
                    let count = heard[at].load(Ordering::SeqCst);
                    assert_eq!(asked[at].load(Ordering::SeqCst), count, "heard twice");
                    heard[at].store(count + 1, Ordering::SeqCst);
                    events += 1;
                }
            }
            over.store(true, Ordering::SeqCst);
            assert_ne!(events, 0);
            assert_ne!(interruptions.load(Ordering::Relaxed), 0);
            eprintln!("{events} wakes in {interruptions:?} interruptions");
        });
    });
}

/// What a client sends on its connection, and what the server sends back.
const LOAD: usize = 20_000;

#[test]
fn a_storm_of_signals_loses_no_connection_and_no_byte() {
    const CLIENTS: usize = 3;
    kernel::alone(|| {
        let _watchdog = Watchdog::new();
        kernel::count_signal(SIGALRM);
        let interruptions = &AtomicUsize::new(0);
        let listener = TcpListener::bind(V4).unwrap();
        let addr = listener.local_addr().unwrap();
        // A machine that is slow, an emulated one say, gets as far as it gets.
        let most = Instant::now() + DEADLINE / 4;
        let enough =
            move || interruptions.load(Ordering::Relaxed) >= ENOUGH || Instant::now() >= most;
        let (connected, accepted) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let clients = &AtomicUsize::new(CLIENTS);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(move || {
                    kernel::start_storm(SIGALRM);
                    while !enough() {
                        connected.fetch_add(1, Ordering::SeqCst);
                        converse(addr, interruptions);
                    }
                    clients.fetch_sub(1, Ordering::SeqCst);
                });
            }
            kernel::start_storm(SIGALRM);
            serve(&listener, interruptions, accepted, clients);
        });
        assert_eq!(
            accepted.load(Ordering::SeqCst),
            connected.load(Ordering::SeqCst)
        );
        assert_ne!(interruptions.load(Ordering::Relaxed), 0);
        eprintln!("{accepted:?} connections in {interruptions:?} interruptions");
    });
}

/// Sends [`LOAD`] bytes and asserts that the same come back.
fn converse(addr: SocketAddr, interruptions: &AtomicUsize) {
    let stream = TcpStream::connect(addr).unwrap();
    let mut queue = queue();
    let registry = queue.registry();
    registry
        .register(&stream, Token(0), (READABLE | Interest::WRITABLE).edge())
        .unwrap();
    let sent: Vec<u8> = (0..LOAD).map(|index| (index * 7 / 3) as u8).collect();
    let (mut rest, mut back) = (&sent[..], Vec::new());
    let mut piece = [0; 997];
    'waiting: loop {
        let _ = next(
            &mut queue,
            interruptions,
            Some(Duration::from_micros(10_700)),
        );
        assert_eq!(stream.take_error().unwrap(), None);
        while !rest.is_empty() {
            let now = &rest[..rest.len().min(piece.len())];
            match insist(interruptions, || stream.write(now)) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.is_would_block() => break,
                Err(error) => panic!("{error}"),
            }
            if rest.is_empty() {
                stream.shutdown(Shutdown::Write).unwrap();
            }
        }
        loop {
            match insist(interruptions, || stream.read(&mut piece)) {
                Ok(0) => break 'waiting,
                Ok(count) => back.extend_from_slice(&piece[..count]),
                Err(error) if error.is_would_block() => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(back == sent, "{} bytes of {LOAD}", back.len());
}

/// Sends back what comes, to everyone, until the last client has gone.
fn serve(
    listener: &TcpListener,
    interruptions: &AtomicUsize,
    accepted: &AtomicUsize,
    clients: &AtomicUsize,
) {
    const LISTENER: Token = Token(usize::MAX);
    let mut queue = queue();
    let registry = queue.registry().try_clone().unwrap();
    registry.register(listener, LISTENER, READABLE).unwrap();
    let mut streams: BTreeMap<usize, (TcpStream, Vec<u8>, bool)> = BTreeMap::new();
    while clients.load(Ordering::SeqCst) > 0 || !streams.is_empty() {
        let events = next(
            &mut queue,
            interruptions,
            Some(Duration::from_micros(10_300)),
        );
        for event in &events {
            if event.token() == LISTENER {
                let Ok((stream, _)) = insist(interruptions, || listener.accept()) else {
                    continue;
                };
                let token = accepted.fetch_add(1, Ordering::SeqCst);
                let interest = READABLE | Interest::WRITABLE;
                registry.register(&stream, Token(token), interest).unwrap();
                streams.insert(token, (stream, Vec::new(), false));
                continue;
            }
            let Token(token) = event.token();
            let (stream, pending, ended) = streams.get_mut(&token).expect("a stream of ours");
            let stream = &*stream;
            let mut piece = [0; 1009];
            match insist(interruptions, || stream.read(&mut piece)) {
                Ok(0) => *ended = true,
                Ok(count) => pending.extend_from_slice(&piece[..count]),
                Err(error) if error.is_would_block() => {}
                Err(error) => panic!("{error}"),
            }
            match insist(interruptions, || stream.write(pending)) {
                Ok(count) => drop(pending.drain(..count)),
                Err(error) if error.is_would_block() => {}
                Err(error) => panic!("{error}"),
            }
            if *ended && pending.is_empty() {
                streams.remove(&token);
            }
        }
    }
}
