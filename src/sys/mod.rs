//! The raw layer: one function per system call, safe to call.
//!
//! Each function issues its call by number through inline assembly, takes
//! borrowed descriptors and slices, and answers with the kernel's result or an
//! [`Error`](crate::Error) that names the call and the errno. Names, flags and argument order
//! are the man pages'. This is the only module of the library that holds
//! `unsafe`; `poll.rs` and its neighbours are safe code over it, and so can
//! yours be:
//!
//! ```
//! use core::mem::MaybeUninit;
//! use epore::fd::AsFd;
//! use epore::sys;
//!
//! let queue = sys::epoll_create1(sys::EPOLL_CLOEXEC)?;
//! let counter = sys::eventfd2(1, sys::EFD_CLOEXEC | sys::EFD_NONBLOCK)?;
//! let interest = sys::EpollEvent::new(sys::EPOLLIN, 0xfeed_face_cafe_beef);
//! sys::epoll_ctl(queue.as_fd(), sys::EPOLL_CTL_ADD, counter.as_fd(), Some(&interest))?;
//!
//! let mut room = [MaybeUninit::uninit(); 8];
//! let events = sys::epoll_wait(queue.as_fd(), &mut room, -1)?;
//! assert_eq!(events.len(), 1);
//! assert_eq!(events[0].data(), 0xfeed_face_cafe_beef);
//! # Ok::<(), epore::Error>(())
//! ```
//!
//! Flags, options and requests are plain integers, as in the man pages. The kernel refuses
//! what it does not know. The few values with which a call could use memory after it has
//! returned, or a descriptor that was not lent, are refused here: see
//! [Integers](#integers).
//!
//! # Soundness
//!
//! What is `unsafe` here: 77 blocks and 8 functions, no `impl` and no trait. Every
//! pointer that a call gets is valid until the call returns, and no call but `close` and
//! those that open touches a descriptor that it does not borrow. (`execve` closes the
//! descriptors that are marked close-on-exec, and replaces the program.) The kernel, a seccomp
//! supervisor and a debugger are trusted to have written what a call says that it has
//! written, and to return descriptors that nobody else owns. A count that exceeds the buffer
//! is clamped to it.
//!
//! The table lists every `unsafe` block and function, what has to hold, and the test that
//! would notice if it did not: `abi::` is `tests/it/abi.rs` or `tests/nested/abi.rs`. A test of
//! the repository compares the table with the source.
//!
//! | where | | what has to hold | noticed by |
//! | --- | --- | --- | --- |
//! | `address::as_bytes` | block | the first `len` bytes were written | `abi::addresses_keep_every_part` |
//! | `epoll::epoll_create1` | block | the call takes no pointer | `abi::epoll_create1_and_its_flag` |
//! | `epoll::epoll_create1` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `epoll::epoll_ctl` | block | the event is null, or one that is read before the call returns | `abi::epoll_ctl_and_its_operations` |
//! | `epoll::epoll_wait` | block | at most as many events are written as the room has | `abi::a_room_is_filled_and_not_exceeded` |
//! | `epoll::epoll_wait` | block | as many were written as the call returned | `abi::a_room_is_filled_and_not_exceeded` |
//! | `epoll::epoll_pwait` | block | as for `epoll_wait`; the mask is null or has eight bytes | `abi::the_kernel_wants_a_mask_of_eight_bytes` |
//! | `epoll::epoll_pwait` | block | as many were written as the call returned | `abi::a_room_is_filled_and_not_exceeded` |
//! | `epoll::epoll_pwait2` | block | as for `epoll_pwait`; the timeout is null or a `timespec` | `abi::timeouts_are_in_milliseconds_and_in_nanoseconds` |
//! | `epoll::epoll_pwait2` | block | as many were written as the call returned | `abi::a_room_is_filled_and_not_exceeded` |
//! | `epoll::ioctl_epiocsparams` | block | one `epoll_params` is read | `abi::a_queue_tells_the_parameters_it_was_given` |
//! | `epoll::ioctl_epiocgparams` | block | one `epoll_params` is written, of any content | `abi::a_queue_tells_the_parameters_it_was_given` |
//! | `epoll::filled` | fn | the first `count` events exist and were written | `abi::two_data_of_64_bits_come_back_from_every_wait` |
//! | `epoll::filled` | block | the same, by the caller's word; `count!` clamps what the call returned | `abi::two_data_of_64_bits_come_back_from_every_wait` |
//! | `epoll::harvest` | block | the events begin where the room does | `buffer::the_events_of_the_last_wait_are_gone_after_an_error` |
//! | `epoll::set_len` | fn | the first `len` events exist and were written: the trait, whose methods only this crate can call | `buffer::a_buffer_of_one_reaches_every_source_in_turn` |
//! | `epoll::set_len` | fn | the first `len` events were written: `Vec` | `buffer::a_vec_is_filled_up_to_its_capacity` |
//! | `epoll::set_len` | fn | the first `len` events were written: `Events` | `buffer::an_inline_buffer_is_filled_up_to_its_capacity` |
//! | `epoll::set_len` | block | they lie within the capacity of the `Vec` | `buffer::what_a_vec_held_makes_room` |
//! | `epoll::deref` | block | the first `len` events were written | `buffer::an_inline_buffer_is_read_like_a_slice` |
//! | `eventfd::eventfd2` | block | the call takes no pointer | `abi::eventfd2_and_its_flags` |
//! | `eventfd::eventfd2` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `fd::from_raw_fd` | fn | the number is open, and nobody else closes it: the trait | `no_std/descriptors::into_raw_fd_gives_up_and_from_raw_fd_takes_over` |
//! | `fd::from_raw_fd` | fn | the same: `OwnedFd` | `no_std/descriptors::into_raw_fd_gives_up_and_from_raw_fd_takes_over` |
//! | `fd::borrow_raw` | fn | the number stays open as long as it is borrowed | `no_std/descriptors::borrowing_closes_nothing` |
//! | `fd::as_fd` | block | the owner is borrowed as long | `no_std/descriptors::what_refers_to_a_descriptor_lends_it` |
//! | `inotify::inotify_init1` | block | the call takes no pointer | `inotify::what_cannot_be_watched_says_why` |
//! | `inotify::inotify_init1` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `inotify::inotify_add_watch` | block | the path is read up to its zero | `inotify::what_happens_in_a_directory_is_reported_with_its_name` |
//! | `inotify::inotify_rm_watch` | block | the call takes no pointer | `inotify::a_watch_ends_when_it_is_removed_and_with_what_it_watches` |
//! | `io::read` | block | at most `len` bytes are written, all inside the slice | `abi::read_and_write_move_bytes` |
//! | `io::read_uninit` | block | the same | `abi::read_and_write_move_bytes` |
//! | `io::read_uninit` | block | as many were written as the call returned, which is clamped to the buffer | `abi::read_and_write_move_bytes` |
//! | `io::write` | block | at most `len` bytes are read, all inside the slice | `abi::read_and_write_move_bytes` |
//! | `io::close_raw` | block | the number's one owner has given it up | `no_std/descriptors::a_descriptor_is_closed_when_dropped` |
//! | `io::fcntl_dupfd_cloexec` | block | this command takes no pointer | `abi::fcntl_dupfd_cloexec_duplicates` |
//! | `io::fcntl_dupfd_cloexec` | block | the descriptor is new, and nobody else's | `abi::fcntl_dupfd_cloexec_duplicates` |
//! | `io::fcntl_getfl` | block | this command takes no argument | `pipe::blocking_is_a_matter_of_each_end` |
//! | `io::fcntl_setfl` | block | this command takes no pointer | `pipe::blocking_is_a_matter_of_each_end` |
//! | `mod::own` | fn | the call has opened the descriptor for the caller | `descriptors::what_is_dropped_is_closed` |
//! | `mod::own` | block | the same, by the caller's word | `descriptors::what_is_dropped_is_closed` |
//! | `option::get` | block | no more bytes than `T` has are written, and the length; any bytes make a `T` | `abi::options_of_every_length_come_back` |
//! | `option::set` | block | the bytes of a `T` are read, and none is a pointer | `abi::options_of_every_length_come_back` |
//! | `pipe::pipe2` | block | two `int`s are written | `pipe::what_is_sent_is_received_and_reported_at_both_ends` |
//! | `pipe::pipe2` | block | both descriptors are new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `process::waitid` | block | at most one `siginfo_t` is written, and no usage | `process::waitid_looks_stops_and_reaps` |
//! | `process::pidfd_open` | block | the call takes no pointer | `process::what_is_no_process_cannot_be_opened` |
//! | `process::pidfd_open` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `process::pidfd_send_signal` | block | no information is read | `process::the_signal_that_ended_a_child_is_told` |
//! | `process::execve` | block | texts that end with a zero, and arrays of such that end with a null pointer, are read | `process::arguments_and_variables_arrive_as_they_were_given` |
//! | `process::clone_execve` | block | one `int` is written; the child shares no memory and never returns | `process::the_error_of_what_cannot_be_started_is_told` |
//! | `process::clone_execve` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `process::exit_group` | block | the call takes no pointer | `process::the_error_of_what_cannot_be_started_is_told` |
//! | `signal::rt_sigaction` | block | four words are read, of which none is a handler; no old action is written | `signal::dispositions_take_effect_and_are_refused_by_name` |
//! | `signal::rt_sigprocmask` | block | eight bytes are read, and eight written | `signal::a_mask_is_the_threads_own_and_inherited_by_those_it_starts` |
//! | `signal::signalfd4` | block | eight bytes are read | `signal::a_signal_of_another_set_is_left_to_others` |
//! | `signal::signalfd4` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `signal::read_signalfd` | block | at most 128 bytes are written, and any are valid | `signal::a_descriptor_that_is_no_signalfd_makes_no_signal` |
//! | `arc::counted` | block | each owner is counted, and the last one frees the memory | `waker::queues_registries_and_wakers_go_in_any_order_and_leave_nothing_open` |
//! | `arc::drop` | block | this was the last owner | `waker::queues_registries_and_wakers_go_in_any_order_and_leave_nothing_open` |
//! | `socket::socket` | block | the call takes no pointer | `abi::sockets_and_their_errors` |
//! | `socket::socket` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `socket::socketpair` | block | two `int`s are written | `abi::a_pair_by_hand` |
//! | `socket::socketpair` | block | the one descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `socket::socketpair` | block | the same: the other one | `descriptors::what_is_dropped_is_closed` |
//! | `socket::bind` | block | `len` bytes of the address are read | `abi::a_connection_by_hand` |
//! | `socket::listen` | block | the call takes no pointer | `abi::a_connection_by_hand` |
//! | `socket::accept4` | block | no more than the length in is written, and the length | `descriptors::an_accepted_peer_of_another_family_leaves_nothing_open` |
//! | `socket::accept4` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `socket::connect` | block | `len` bytes of the address are read | `abi::a_connection_by_hand` |
//! | `socket::getsockname` | block | as for `accept4` | `abi::an_address_of_another_family_is_bytes` |
//! | `socket::getpeername` | block | as for `accept4` | `net::both_ends_agree_on_their_addresses` |
//! | `socket::sendto` | block | at most `len` bytes are read, and the address, if any | `abi::datagrams_by_hand` |
//! | `socket::recvfrom` | block | at most `len` bytes are written; of the address as for `accept4` | `abi::datagrams_by_hand` |
//! | `socket::shutdown` | block | the call takes no pointer | `abi::sockets_and_their_errors` |
//! | `time::clock_gettime` | block | one `timespec` is written | `abi::clocks_run_forwards` |
//! | `time::clock_gettime` | block | all of it was, since the call succeeded | `abi::clocks_run_forwards` |
//! | `timerfd::timerfd_create` | block | the call takes no pointer | `abi::timerfd_runs_on_every_clock` |
//! | `timerfd::timerfd_create` | block | the descriptor is new, and nobody else's | `descriptors::what_is_dropped_is_closed` |
//! | `timerfd::timerfd_settime` | block | one `itimerspec` is read, and no old value written | `abi::timerfd_tells_what_it_was_set_to` |
//! | `timerfd::timerfd_gettime` | block | one `itimerspec` is written | `abi::timerfd_tells_what_it_was_set_to` |
//! | `timerfd::timerfd_gettime` | block | all of it was, since the call succeeded | `abi::timerfd_tells_what_it_was_set_to` |
//! | `vectored::readv` | block | each slice is a `struct iovec`, and no more is written than it says | `abi::slices_are_filled_and_sent_in_order` |
//! | `vectored::sendmsg` | block | the same, read; and the `msghdr`, which names nothing else | `abi::slices_are_filled_and_sent_in_order` |
//! | `atomic::compare_exchange` | block | aarch64: the word alone is read and written | `waker::no_wake_of_many_threads_is_lost` |
//!
//! ## Integers
//!
//! An integer could break two promises. A flag could let the kernel use memory after the call
//! has returned, and an option, a request or an id could name a descriptor that was not lent.
//! The table has every integer argument of this module, and the reason why it does neither.
//! `sys` has no call that takes a request of the caller's (`ioctl` and `fcntl` are bound to one
//! request for each function). An address ([`SockAddr`]) is one of IPv4, IPv6 or Unix, or was
//! written by the kernel. Control data is never sent or received.
//!
//! Memory of the program is also a file, `/proc/self/mem`, which can be written to through any
//! safe interface to files; std says the same of its own.
//!
//! | function | integers | why it is safe |
//! | --- | --- | --- |
//! | `epoll::epoll_create1` | `flags` | They are about the descriptor that is opened. |
//! | `epoll::epoll_ctl` | `op` | Each operation copies the event, and refers to the open file of `fd`, not to its number. |
//! | `epoll::epoll_wait` | `timeout` | A time. |
//! | `epoll::epoll_pwait` | `timeout` | A time. |
//! | `eventfd::eventfd2` | `initval`, `flags` | The value of the counter; they are about the descriptor that is opened. |
//! | `inotify::inotify_init1` | `flags` | They are about the descriptor that is opened. |
//! | `inotify::inotify_add_watch` | `mask` | Which events are reported. The path is read before the call returns. |
//! | `inotify::inotify_rm_watch` | `wd` | A watch of the lent instance. |
//! | `io::fcntl_dupfd_cloexec` | `min` | The new number is free, whatever `min` is: nothing is replaced. |
//! | `io::fcntl_setfl` | `flags` | They are about the lent open file. `O_DIRECT` reads and writes end before their call returns. |
//! | `option::getsockopt_int` | `level`, `optname` | The options whose value is a number, and no others: a list. |
//! | `option::setsockopt_int` | `level`, `optname`, `value` | The options whose value is a number, and no others: the same list. |
//! | `option::setsockopt_ip_mreq` | `optname` | One of two. |
//! | `option::setsockopt_ipv6_mreq` | `optname`, `ifindex` | One of two; the index of an interface. |
//! | `pipe::pipe2` | `flags` | They are about the descriptors that are opened. |
//! | `process::waitid` | `id`, `options` | A PID or a group; a descriptor is borrowed. The result is written before the call returns. |
//! | `process::pidfd_open` | `pid` | A process. The descriptor is a new one. |
//! | `process::pidfd_send_signal` | `sig` | A signal. |
//! | `signal::rt_sigaction` | `signum` | A signal. A disposition is never a function, so none can be left behind. |
//! | `signal::rt_sigprocmask` | `how` | How the two masks are combined. They are copied. |
//! | `signal::signalfd4` | `flags` | They are about the descriptor that is opened. The mask is copied. |
//! | `socket::socket` | `domain`, `type`, `protocol` | They are about the descriptor that is opened. |
//! | `socket::socketpair` | `domain`, `type`, `protocol` | They are about the descriptors that are opened. |
//! | `socket::listen` | `backlog` | A count. |
//! | `socket::accept4` | `flags` | They are about the descriptor that is opened. |
//! | `socket::sendto` | `flags` | A list of flags with which the kernel copies the data. `MSG_ZEROCOPY` is refused, and so is what is not known. |
//! | `socket::recvfrom` | `flags` | Received bytes are copied to the buffer before the call returns, or not at all. |
//! | `socket::shutdown` | `how` | A direction. |
//! | `time::clock_gettime` | `clockid` | A clock. The ids that hold the number of a descriptor are refused. |
//! | `timerfd::timerfd_create` | `clockid`, `flags` | A clock; the kernel refuses those that are descriptors. They are about the descriptor that is opened. |
//! | `timerfd::timerfd_settime` | `flags` | They are about the lent timer. |
//! | `vectored::sendmsg` | `flags` | As for `sendto`. |

use crate::Result;

/// Issues the system call `number::$name` and names it in the error.
///
/// The caller owns the safety argument: every pointer among the arguments is
/// valid for what the kernel does with it until the call returns.
macro_rules! call {
    ($name:ident $(, $arg:expr)* $(,)?) => {
        match syscalls::syscall!($crate::sys::number::$name $(, $arg)*) {
            Ok(value) => Ok(value),
            Err(errno) => Err($crate::Error::new($crate::sys::number::$name, errno)),
        }
    };
}

/// Issues a system call that returns a count, as `call!` does. A count above `$most`
/// becomes `$most`: the kernel returns none, but a seccomp supervisor may.
///
/// `$most` is the length of some memory, so it is at most `isize::MAX`.
macro_rules! count {
    ($name:ident, $most:expr $(, $arg:expr)* $(,)?) => {{
        let most: usize = $most;
        // One comparison finds both exceptions: as an unsigned number, an error is greater
        // than any count.
        match syscalls::raw_syscall!($crate::sys::number::$name $(, $arg)*) {
            count if count <= most => Ok(count),
            result => match $crate::Errno::from_ret(result) {
                Ok(_) => Ok($crate::sys::clamped(most).min(most)),
                Err(errno) => Err($crate::Error::new($crate::sys::number::$name, errno)),
            },
        }
    }};
}

mod address;
#[cfg(feature = "alloc")]
mod arc;
#[cfg(feature = "alloc")]
mod atomic;
mod epoll;
mod eventfd;
pub mod fd;
mod inotify;
mod io;
mod number;
mod option;
mod pipe;
mod process;
mod signal;
mod socket;
mod time;
mod timerfd;
mod vectored;
#[cfg(feature = "alloc")]
mod word;

pub use address::{AF_INET, AF_INET6, AF_UNIX, SUN_PATH, SockAddr};
#[cfg(feature = "alloc")]
pub(crate) use arc::{Arc, ArcCell};
#[cfg(feature = "alloc")]
pub(crate) use epoll::add_event;
pub(crate) use epoll::harvest;
pub use epoll::{
    EPIOCGPARAMS, EPIOCSPARAMS, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD,
    EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLMSG, EPOLLONESHOT, EPOLLOUT,
    EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWAKEUP, EPOLLWRBAND, EPOLLWRNORM,
    EpollEvent, EpollParams, EventBuffer, Events, MAX_EVENTS, epoll_create1, epoll_ctl,
    epoll_pwait, epoll_pwait2, epoll_wait, ioctl_epiocgparams, ioctl_epiocsparams,
};
pub use eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, eventfd2};
pub use inotify::{
    IN_ACCESS, IN_ATTRIB, IN_CLOEXEC, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE,
    IN_DELETE_SELF, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_MASK_ADD,
    IN_MASK_CREATE, IN_MODIFY, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_NONBLOCK, IN_ONESHOT,
    IN_ONLYDIR, IN_OPEN, IN_Q_OVERFLOW, IN_UNMOUNT, inotify_add_watch, inotify_init1,
    inotify_rm_watch,
};
pub use io::{close, fcntl_dupfd_cloexec, fcntl_getfl, fcntl_setfl, read, read_uninit, write};
pub(crate) use number::name;
pub use number::{SYSCALLS, Syscall};
pub use option::{
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF, IP_MULTICAST_LOOP, IP_MULTICAST_TTL,
    IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP,
    IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, IPV6_UNICAST_HOPS, IPV6_V6ONLY,
    Linger, SO_BROADCAST, SO_ERROR, SO_KEEPALIVE, SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET,
    TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY, getsockopt_int, getsockopt_linger,
    setsockopt_int, setsockopt_ip_mreq, setsockopt_ipv6_mreq, setsockopt_linger,
};
pub use pipe::{O_CLOEXEC, O_NONBLOCK, pipe2};
pub use process::{
    CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, CLD_TRAPPED, MAX_ARGUMENTS,
    Siginfo, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WaitId, clone_execve, execve,
    pidfd_open, pidfd_send_signal, waitid,
};
pub use signal::{
    Disposition, SFD_CLOEXEC, SFD_NONBLOCK, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGABRT, SIGALRM,
    SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGIO, SIGKILL, SIGPIPE, SIGPROF,
    SIGPWR, SIGQUIT, SIGSEGV, SIGSTOP, SIGSYS, SIGTERM, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,
    SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ, SigSet, SignalfdSiginfo,
    read_signalfd, rt_sigaction, rt_sigprocmask, signalfd4,
};
pub use socket::{
    MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_CLOEXEC, SOCK_DGRAM,
    SOCK_NONBLOCK, SOCK_STREAM, accept4, bind, connect, getpeername, getsockname, listen, recvfrom,
    sendto, shutdown, socket, socketpair,
};
pub use time::{CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, Timespec, clock_gettime};
pub use timerfd::{
    Itimerspec, TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, timerfd_create, timerfd_gettime,
    timerfd_settime,
};
pub use vectored::{IoSlice, IoSliceMut, UIO_MAXIOV, readv, sendmsg};
#[cfg(feature = "alloc")]
pub(crate) use word::{AtomicWord, fence};

use fd::{FromRawFd, OwnedFd, RawFd};

/// Returns `most`, as the result of a system call would be returned: in the same register,
/// which saves an instruction around each call of `count!`.
#[cold]
#[inline(never)]
fn clamped(most: usize) -> usize {
    most
}

/// Takes ownership of the descriptor that a successful call returned.
///
/// # Safety
///
/// `ret` is a descriptor that the kernel has just opened for the caller.
#[inline]
unsafe fn own(ret: usize) -> OwnedFd {
    // SAFETY: nobody else knows the new descriptor, by the caller's word.
    unsafe { OwnedFd::from_raw_fd(ret as RawFd) }
}
