//! From polling 3.x, call by call. Written beside polling 3.11.
//!
//! # First of all
//!
//! - **polling is oneshot unless told otherwise; here an interest is level-triggered.**
//!   Either drop the `modify` that follows each event, or say [`oneshot`] and keep it as a
//!   [`reregister`].
//! - **`readable` and `writable` of polling are also true of an error and of a hang-up.**
//!   Here each has a question of its own. An empty pipe whose writers are gone is not
//!   readable, only [closed][`is_read_closed`]: who looks for [`is_readable`] alone never
//!   reads the end, and a level-triggered wait reports it again and again. See
//!   [below](#what-is-readable).
//! - **`wait` makes the call again after a signal; [`Poll::poll`] answers `EINTR`.**
//!   Whether to wait on, and how much longer, the caller knows.
//!
//! # Before and after
//!
//! ```text
//! use polling::{Event, Events, Poller};
//! use std::net::TcpListener;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! listener.set_nonblocking(true)?;
//! let poller = Poller::new()?;
//! unsafe { poller.add(&listener, Event::readable(7))? };
//!
//! let mut events = Events::new();
//! loop {
//!     events.clear();
//!     poller.wait(&mut events, None)?;
//!     for event in events.iter() {
//!         if event.key == 7 {
//!             listener.accept()?;
//!             poller.modify(&listener, Event::readable(7))?;
//!         }
//!     }
//! }
//! ```
//!
//! ```
//! use epore::{Events, Interest, Poll, Token};
//! use std::net::TcpListener;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! listener.set_nonblocking(true)?;
//! let mut queue = Poll::new()?;
//! queue.registry().register(&listener, Token(7), Interest::READABLE)?;
//! # let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
//!
//! let mut events = Events::<1024>::new();
//! loop {
//!     match queue.poll(&mut events, None) {
//!         Err(error) if error.is_interrupted() => continue,
//!         outcome => outcome?,
//!     }
//!     for event in &events {
//!         if event.token() == Token(7) {
//!             listener.accept()?;
//!         }
//!     }
//! #   break;
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The queue
//!
//! | polling | epore | what differs, and why |
//! | --- | --- | --- |
//! | `Poller::new` | [`Poll::new`] | Opens the queue alone; polling an `eventfd` and a `timerfd` as well. |
//! | `Poller::add` | [`Registry::register`] | Safe. polling wants the source deleted before it is dropped, and takes it by its number; epoll ends the registration itself when the last descriptor is closed, and the source is borrowed only for the call. |
//! | `AsRawSource`, `AsSource` | [`AsFd`] | A mere number is no source; [`BorrowedFd::borrow_raw`] makes it one, and is `unsafe`. With the feature `std`, `AsFd` is std's. |
//! | `Poller::modify` | [`Registry::reregister`] | It need not follow an event, except after [`oneshot`]. |
//! | `Poller::delete` | [`Registry::deregister`] | Not demanded before a source is dropped. What was duplicated still needs it. |
//! | `Poller::wait` | [`Poll::poll`] | Fills the buffer from its start; `wait` appends to what is in it. It answers `()`: the number is the buffer's `len`. `wait` is five system calls (its timer set and armed, the wait, its `eventfd` read and armed), `poll` is one. |
//! | `Poller::wait_deadline` | [`Poll::poll`] | `deadline.saturating_duration_since(Instant::now())` is the timeout; `core` has no `Instant`. |
//! | the timeout | | To the nanosecond in both. Where the kernel has no `epoll_pwait2` (before Linux 5.11), this one is rounded up to whole milliseconds. |
//! | `Poller: Sync` | [`Registry::try_clone`] | `wait` takes `&self`, and a second thread in it gets no event at once. [`Poll::poll`] takes `&mut self`, so that this does not compile. Other threads register through a clone of the registry, also during a wait. To have any thread wait, put the queue into a `Mutex` and `try_lock` it: polling does just that inside. |
//! | `Poller::notify` | [`Waker::wake`] | A [`Waker`] is made once for the queue, or several are, and reported with its token; `notify` ends the wait with no event at all. Several wakes may be one event in both. |
//! | `Poller::supports_level`, `supports_edge` | none | epoll does both. |
//!
//! # Interests and events
//!
//! | polling | epore | what differs, and why |
//! | --- | --- | --- |
//! | the key, a `usize` | [`Token`] | Every number is free; polling keeps `usize::MAX` to itself. |
//! | `Event::readable(key)` to add | [`Token`] and [`READABLE`] | What is asked for and what has happened are two types. It asks for `EPOLLRDHUP` too, and for `EPOLLPRI` only with [`PRIORITY`]; polling never asks for the former, and always for the latter. |
//! | `Event::writable(key)` | [`WRITABLE`] | nothing |
//! | `Event::all(key)` | [`READABLE`] `\|` [`WRITABLE`] | nothing else |
//! | `Event::none(key)` | [`Registry::deregister`] | An interest is never empty. epoll would report errors and hang-ups even so. |
//! | `Event::with_priority` | `\|` [`PRIORITY`] | |
//! | `Event::with_interrupt` | none | epoll reports hang-ups always. |
//! | `PollMode::Oneshot` (the default) | [`oneshot`] | |
//! | `PollMode::Level` | the default | |
//! | `PollMode::Edge` | [`edge`] | |
//! | `PollMode::EdgeOneshot` | [`edge`] and [`oneshot`] | |
//! | `add_with_mode`, `modify_with_mode` | [`Registry::register`], [`Registry::reregister`] | The mode is a part of the interest. |
//! | `Events::new`, `with_capacity` | [`Events::<N>::new()`], or `Vec::with_capacity(n)` with the feature `alloc` | `Events` holds its `N` events inline, so that it needs no heap. |
//! | `Events::iter`, `len`, `is_empty`, `clear` | the same, [`clear`] | Both buffers are slices of [`Event`]. |
//! | `event.key` | [`token`] | |
//! | `event.readable`, `event.writable` | [`is_readable`], [`is_writable`], [`is_read_closed`], [`is_write_closed`], [`is_error`] | See below. |
//! | `Event::is_interrupt` | [`events`] `&` [`EPOLLHUP`] `!= 0` | [`is_read_closed`] holds for it too. |
//! | `Event::is_priority` | [`is_priority`] | nothing |
//! | `Event::is_err` | [`is_error`] | A `bool`: Linux always knows. |
//! | `Event::is_connect_failed` | [`take_error`] | Tells which error. |
//!
//! ## What is readable
//!
//! | | polling | epore |
//! | --- | --- | --- |
//! | readable | `EPOLLIN`, `EPOLLPRI`, `EPOLLHUP` or `EPOLLERR` | [`is_readable`]: `EPOLLIN` or `EPOLLPRI` |
//! | writable | `EPOLLOUT`, `EPOLLHUP` or `EPOLLERR` | [`is_writable`]: `EPOLLOUT` |
//!
//! ```
//! use epore::{Event, Events, Interest, Poll, Token, pipe};
//!
//! /// What polling calls readable.
//! fn can_read(event: &Event) -> bool {
//!     event.is_readable() || event.is_read_closed() || event.is_error()
//! }
//!
//! let (sender, receiver) = pipe::new()?;
//! let mut queue = Poll::new()?;
//! queue.registry().register(&receiver, Token(0), Interest::READABLE)?;
//! drop(sender);
//!
//! let mut events = Events::<1>::new();
//! queue.poll(&mut events, None)?;
//! assert!(!events[0].is_readable() && can_read(&events[0]));
//! assert_eq!(receiver.read(&mut [0; 8])?, 0);
//! # Ok::<(), epore::Error>(())
//! ```
//!
//! # All around
//!
//! | polling | epore | what differs, and why |
//! | --- | --- | --- |
//! | `io::Error` | [`Error`] | Names the [system call], the [errno], and the [reason] where it is known. With `std` it converts by `?` into an `io::Error` of the same errno. |
//! | `os::kqueue::Signal` | [`Signals`] | A source like any other. |
//! | `os::kqueue::Process` | [`Child`] | A source like any other. |
//! | `os::kqueue::Timer` | [`Timer`] | A source like any other. |
//! | `os::iocp` | none | There is no Windows here. |
//! | std | not needed | Without std, [`net`] and [`pipe`] have the sources that std has otherwise. |
//! | feature `tracing` | none | Nothing is traced. |
//! | Unix, Windows | Linux 4.5 or later, x86_64 and aarch64 | Anything else does not compile. |
//! | Rust 1.71 | Rust 1.87 | |
//!
//! [`AsFd`]: crate::fd::AsFd
//! [`BorrowedFd::borrow_raw`]: crate::fd::BorrowedFd::borrow_raw
//! [`Child`]: crate::process::Child
//! [`EPOLLHUP`]: crate::sys::EPOLLHUP
//! [`Error`]: crate::Error
//! [`Event`]: crate::Event
//! [`Events::<N>::new()`]: crate::Events::new
//! [`PRIORITY`]: crate::Interest::PRIORITY
//! [`Poll::new`]: crate::Poll::new
//! [`Poll::poll`]: crate::Poll::poll
//! [`READABLE`]: crate::Interest::READABLE
//! [`Registry::deregister`]: crate::Registry::deregister
//! [`Registry::register`]: crate::Registry::register
//! [`Registry::reregister`]: crate::Registry::reregister
//! [`Registry::try_clone`]: crate::Registry::try_clone
//! [`Signals`]: crate::signal::Signals
//! [`Timer`]: crate::Timer
//! [`Token`]: crate::Token
//! [`WRITABLE`]: crate::Interest::WRITABLE
//! [`Waker`]: crate::Waker
//! [`Waker::wake`]: crate::Waker::wake
//! [`clear`]: crate::Events::clear
//! [`edge`]: crate::Interest::edge
//! [`events`]: crate::Event::events
//! [`is_error`]: crate::Event::is_error
//! [`is_priority`]: crate::Event::is_priority
//! [`is_read_closed`]: crate::Event::is_read_closed
//! [`is_readable`]: crate::Event::is_readable
//! [`is_writable`]: crate::Event::is_writable
//! [`is_write_closed`]: crate::Event::is_write_closed
//! [`net`]: crate::net
//! [`oneshot`]: crate::Interest::oneshot
//! [`pipe`]: crate::pipe
//! [`reregister`]: crate::Registry::reregister
//! [`take_error`]: crate::net::TcpStream::take_error
//! [`token`]: crate::Event::token
//! [errno]: crate::Error::errno
//! [reason]: crate::Error::reason
//! [system call]: crate::Error::syscall
