//! From mio 1.x, call by call. Written beside mio 1.2.
//!
//! # First of all: level-triggered
//!
//! **mio registers everything edge-triggered. Here an interest is level-triggered unless
//! it says [`edge`].** So of code that comes from mio,
//!
//! - either put `.edge()` at every interest: then the kernel is given the very bits that
//!   mio gives it, and all that was true of the code still is;
//! - or leave it out, and change two things. Ask for [`WRITABLE`] only while there is
//!   something left to write, because a socket with room for more is reported by every
//!   wait. And close or deregister what has ended or failed, because that is reported by
//!   every wait too.
//!
//! Reading and accepting until `EAGAIN`, as mio demands, is right in both modes. Level is
//! the default because there it is not demanded: what is left is reported again.
//!
//! # Before and after
//!
//! ```text
//! use std::io;
//! use mio::net::TcpListener;
//! use mio::{Events, Interest, Poll, Token};
//!
//! let mut poll = Poll::new()?;
//! let mut events = Events::with_capacity(128);
//! let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
//! poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
//!
//! poll.poll(&mut events, None)?;
//! for event in &events {
//!     assert_eq!(event.token(), Token(0));
//!     loop {
//!         match listener.accept() {
//!             Ok((stream, _)) => drop(stream),
//!             Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
//!             Err(error) => return Err(error),
//!         }
//!     }
//! }
//! ```
//!
//! ```
//! use epore::net::TcpListener;
//! use epore::{Events, Interest, Poll, Token};
//!
//! let mut poll = Poll::new()?;
//! let mut events = Events::<128>::new();
//! let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
//! poll.registry().register(&listener, Token(0), Interest::READABLE.edge())?;
//! # let _client = epore::net::TcpStream::connect(listener.local_addr()?)?;
//!
//! poll.poll(&mut events, None)?;
//! for event in &events {
//!     assert_eq!(event.token(), Token(0));
//!     loop {
//!         match listener.accept() {
//!             Ok((stream, _)) => drop(stream),
//!             Err(error) if error.is_would_block() => break,
//!             Err(error) => return Err(error),
//!         }
//!     }
//! }
//! # use epore::sys::{EPOLLET, EPOLLIN, EPOLLRDHUP};
//! # assert_eq!(Interest::READABLE.edge().bits(), EPOLLIN | EPOLLRDHUP | EPOLLET);
//! # Ok::<(), epore::Error>(())
//! ```
//!
//! # The queue
//!
//! | mio | epore | what differs, and why |
//! | --- | --- | --- |
//! | `Poll::new` | [`Poll::new`] | nothing |
//! | `Poll::poll` | [`Poll::poll`] | Like mio's it takes `&mut self`, empties the buffer first, and answers a signal with `EINTR` ([`is_interrupted`]); it is for the caller to wait again. |
//! | its timeout | | mio rounds it up to whole milliseconds and waits 24.8 days at most. Here it is kept to the nanosecond and never cut short; where the kernel has no `epoll_pwait2` (before Linux 5.11), it is rounded up to whole milliseconds. |
//! | `Poll::registry` | [`Poll::registry`] | nothing |
//! | `Registry::register` | [`Registry::register`] | Takes `&source`. The second time it is `EEXIST`; in mio that is unspecified. One source may be registered with several queues; mio's own types, in debug builds, refuse that. |
//! | `Registry::reregister` | [`Registry::reregister`] | Takes `&source`. |
//! | `Registry::deregister` | [`Registry::deregister`] | Takes `&source`. It is not demanded before a source is dropped: closing the last descriptor does the same. What was duplicated still needs it. |
//! | `Registry::try_clone` | [`Registry::try_clone`] | nothing |
//! | `Token` | [`Token`] | nothing; every `usize` is free, as in mio |
//! | `event::Source` | [`AsFd`] | There is no trait to implement: whatever lends its descriptor is a source. A type of your own implements [`AsFd`] in one line. |
//! | `unix::SourceFd(&raw)` | [`AsFd`] | A source of std or of another crate is registered as it is (feature `std`). For a mere number there is [`BorrowedFd::borrow_raw`], which is `unsafe`, because the number may be closed. |
//!
//! # Interests and events
//!
//! | mio | epore | what differs, and why |
//! | --- | --- | --- |
//! | `Interest::READABLE`, `WRITABLE`, `PRIORITY` | [`READABLE`], [`WRITABLE`], [`PRIORITY`] | Level-triggered, see above. `Interest` is `Hash` and not `Ord`. |
//! | `Interest::add`, `\|` | [`add`], `\|` | Modes add up as well: one edge makes both edge. |
//! | `Interest::remove` | [`remove`] | Removes readiness and leaves the modes. |
//! | `Interest::AIO`, `LIO` | none | Linux has neither. |
//! | none | [`oneshot`], [`exclusive`], [`wakeup`] | What else epoll can do. |
//! | `Events::with_capacity(n)` | [`Events::<N>::new()`], or `Vec::with_capacity(n)` with the feature `alloc` | `Events` holds its `N` events inline, so that it needs no heap. A buffer without room is `EINVAL` in both. |
//! | `Events::iter`, `&events` | the same | Both buffers are slices of [`Event`]: there are `len` and `events[0]` too. |
//! | `Events::is_empty`, `clear`, `capacity` | the same, [`clear`], [`capacity`] | nothing |
//! | `Event::token` | [`token`] | nothing |
//! | `Event::is_readable`, `is_writable`, `is_priority`, `is_error`, `is_read_closed`, `is_write_closed` | [`is_readable`], [`is_writable`], [`is_priority`], [`is_error`], [`is_read_closed`], [`is_write_closed`] | The same bits. An event is `Copy`, and [`events`] shows what the kernel wrote. |
//! | `Event::is_aio`, `is_lio` | none | They are always `false` on Linux. |
//! | `Waker::new` | [`Waker::new`] | A queue may have several, each with a token of its own. mio allows one, and panics in debug builds at a second. |
//! | `Waker::wake` | [`Waker::wake`] | In mio each is a `write`. Here, with the feature `alloc`, it needs no system call while one is on its way already or the queue's thread is awake; see [`Waker`] for when that holds. Taking a descriptor of the queue, a registry or a waker (`AsFd`, `AsRawFd`) makes every later wake a `write`. |
//! | `fork` | the same | In mio a wake crosses a `fork`. Here, with the feature `alloc`, it does not, in either direction, unless a descriptor of the queue or of a waker was taken before forking; see [`Waker`]. |
//!
//! # Sockets and pipes
//!
//! They are all non-blocking and closed on `execve`, as mio's are.
//!
//! | mio | epore | what differs, and why |
//! | --- | --- | --- |
//! | `net::TcpListener` | [`TcpListener`] | `bind` lets 4096 connections wait, mio 128. [`bind_with`] sets that, and `SO_REUSEPORT`. |
//! | `net::TcpStream` | [`TcpStream`] | After a writable event, [`take_error`] alone tells the outcome of `connect`. A signal during `connect` is no error: the connecting goes on. |
//! | `net::UdpSocket` | [`UdpSocket`] | `set_ttl` of an IPv6 socket, of TCP too, sets its hop limit; mio's sets an option of IPv4. |
//! | `net::UnixStream`, `UnixListener`, `UnixDatagram` | [`UnixStream`], [`UnixListener`], [`UnixDatagram`] | A path is bytes, because `core` has no `Path`, and an address is a [`UnixAddr`]. With `std` that converts from `&Path` and from std's address. |
//! | `Read`, `Write` | [`read`], [`write`] | Methods that take `&self` and need no trait. With `std` the traits are there too, but a call `stream.read(…)` on the stream itself means the method, and gives an [`Error`]. |
//! | `from_std` | `TryFrom`, with `std` | Makes it non-blocking, which mio leaves to you. A std socket need not be converted to be registered. |
//! | `FromRawFd` | `From<OwnedFd>` | An owned descriptor is safe to take over. |
//! | `try_io` | none | Any call on the descriptor will do: the queue keeps no state that it could upset. |
//! | `unix::pipe::new` | [`pipe::new`] | [`Sender`] and [`Receiver`], as in mio. The pipes of a std child convert by `TryFrom`, which makes them non-blocking. Without std nobody has ignored `SIGPIPE`: see [`pipe`]. |
//!
//! # All around
//!
//! | mio | epore | what differs, and why |
//! | --- | --- | --- |
//! | `io::Error` | [`Error`] | Names the [system call], the [errno], and the [reason] where it is known. With `std` it converts by `?` into an `io::Error` of the same errno; the other two are lost then. |
//! | `error.kind() == WouldBlock` | [`is_would_block`] | `Interrupted` is [`is_interrupted`]; anything else, compare the [errno]. |
//! | features `os-poll`, `os-ext`, `net` | none | All of it is always there. `alloc` and `std` add what needs a heap, and std. |
//! | feature `log` | none | Nothing is logged. |
//! | std, libc | neither | Only with the feature `std` is there std, and with it libc. |
//! | Unix, Windows, WASI | Linux 4.5 or later, x86_64 and aarch64 | Anything else does not compile. |
//! | Rust 1.71 | Rust 1.87 | |
//!
//! mio has no [`Timer`], no [`Signals`], no [`Child`] and no [`Inotify`]; these are sources
//! here. Nor has it [`poll_with_mask`] and [`set_busy_poll`].
//!
//! [`AsFd`]: crate::fd::AsFd
//! [`BorrowedFd::borrow_raw`]: crate::fd::BorrowedFd::borrow_raw
//! [`Child`]: crate::process::Child
//! [`Error`]: crate::Error
//! [`Event`]: crate::Event
//! [`Events::<N>::new()`]: crate::Events::new
//! [`Inotify`]: crate::inotify::Inotify
//! [`PRIORITY`]: crate::Interest::PRIORITY
//! [`Poll::new`]: crate::Poll::new
//! [`Poll::poll`]: crate::Poll::poll
//! [`Poll::registry`]: crate::Poll::registry
//! [`READABLE`]: crate::Interest::READABLE
//! [`Receiver`]: crate::pipe::Receiver
//! [`Registry::deregister`]: crate::Registry::deregister
//! [`Registry::register`]: crate::Registry::register
//! [`Registry::reregister`]: crate::Registry::reregister
//! [`Registry::try_clone`]: crate::Registry::try_clone
//! [`Sender`]: crate::pipe::Sender
//! [`Signals`]: crate::signal::Signals
//! [`TcpListener`]: crate::net::TcpListener
//! [`TcpStream`]: crate::net::TcpStream
//! [`Timer`]: crate::Timer
//! [`Token`]: crate::Token
//! [`UdpSocket`]: crate::net::UdpSocket
//! [`UnixAddr`]: crate::net::UnixAddr
//! [`UnixDatagram`]: crate::net::UnixDatagram
//! [`UnixListener`]: crate::net::UnixListener
//! [`UnixStream`]: crate::net::UnixStream
//! [`WRITABLE`]: crate::Interest::WRITABLE
//! [`Waker`]: crate::Waker
//! [`Waker::new`]: crate::Waker::new
//! [`Waker::wake`]: crate::Waker::wake
//! [`add`]: crate::Interest::add
//! [`bind_with`]: crate::net::TcpListener::bind_with
//! [`capacity`]: crate::Events::capacity
//! [`clear`]: crate::Events::clear
//! [`edge`]: crate::Interest::edge
//! [`events`]: crate::Event::events
//! [`exclusive`]: crate::Interest::exclusive
//! [`is_error`]: crate::Event::is_error
//! [`is_interrupted`]: crate::Error::is_interrupted
//! [`is_priority`]: crate::Event::is_priority
//! [`is_read_closed`]: crate::Event::is_read_closed
//! [`is_readable`]: crate::Event::is_readable
//! [`is_would_block`]: crate::Error::is_would_block
//! [`is_writable`]: crate::Event::is_writable
//! [`is_write_closed`]: crate::Event::is_write_closed
//! [`oneshot`]: crate::Interest::oneshot
//! [`pipe`]: crate::pipe
//! [`pipe::new`]: crate::pipe::new
//! [`poll_with_mask`]: crate::Poll::poll_with_mask
//! [`read`]: crate::net::TcpStream::read
//! [`remove`]: crate::Interest::remove
//! [`set_busy_poll`]: crate::Poll::set_busy_poll
//! [`take_error`]: crate::net::TcpStream::take_error
//! [`token`]: crate::Event::token
//! [`wakeup`]: crate::Interest::wakeup
//! [`write`]: crate::net::TcpStream::write
//! [errno]: crate::Error::errno
//! [reason]: crate::Error::reason
//! [system call]: crate::Error::syscall
