use core::fmt;
use core::mem::{self, MaybeUninit};
use core::ptr;
use core::slice;

use static_assertions::{const_assert, const_assert_eq};

use super::fd::{AsRawFd, BorrowedFd, OwnedFd};
use super::{Result, SigSet, Timespec, own};
use sealed::Internal;

/// Reading will not block.
pub const EPOLLIN: u32 = 0x001;
/// There is urgent data, or another exceptional condition.
pub const EPOLLPRI: u32 = 0x002;
/// Writing will not block.
pub const EPOLLOUT: u32 = 0x004;
/// An error is pending. Reported whether asked for or not.
pub const EPOLLERR: u32 = 0x008;
/// Both directions are shut down. Reported whether asked for or not.
pub const EPOLLHUP: u32 = 0x010;
/// Normal data can be read: [`EPOLLIN`], by its STREAMS name.
pub const EPOLLRDNORM: u32 = 0x040;
/// Priority data can be read.
pub const EPOLLRDBAND: u32 = 0x080;
/// Normal data can be written: [`EPOLLOUT`], by its STREAMS name.
pub const EPOLLWRNORM: u32 = 0x100;
/// Priority data can be written.
pub const EPOLLWRBAND: u32 = 0x200;
/// Never reported.
pub const EPOLLMSG: u32 = 0x400;
/// The peer has shut down its writing direction (Linux 2.6.17).
pub const EPOLLRDHUP: u32 = 0x2000;
/// Wake one of several queues that watch the same file (Linux 4.5).
pub const EPOLLEXCLUSIVE: u32 = 1 << 28;
/// Keep the system awake while the event is being handled (Linux 3.5).
pub const EPOLLWAKEUP: u32 = 1 << 29;
/// Fall silent after one event, until the next `EPOLL_CTL_MOD` (Linux 2.6.2).
pub const EPOLLONESHOT: u32 = 1 << 30;
/// Report changes, not states.
pub const EPOLLET: u32 = 1 << 31;

/// For [`epoll_create1`]: close the queue on `execve`.
pub const EPOLL_CLOEXEC: i32 = 0o2000000;

/// For [`epoll_ctl`]: add a descriptor to the queue.
pub const EPOLL_CTL_ADD: i32 = 1;
/// For [`epoll_ctl`]: remove a descriptor from the queue.
pub const EPOLL_CTL_DEL: i32 = 2;
/// For [`epoll_ctl`]: change the events and the data of a registered descriptor.
pub const EPOLL_CTL_MOD: i32 = 3;

/// The kernel's `struct epoll_event`: what to watch for on the way in, what was
/// seen on the way out. Under the name [`Event`](crate::Event) it is also what
/// the queue hands to its user: no copy, no conversion.
///
/// Packed on x86_64, so that 32-bit and 64-bit programs agree on its layout, and
/// plain everywhere else. The fields are read by value: a reference into a packed
/// struct may be misaligned.
///
/// | | size | align | `events` at | `data` at |
/// | --- | --- | --- | --- | --- |
/// | x86_64 | 12 | 1 | 0 | 4 |
/// | aarch64 | 16 | 8 | 0 | 8 |
#[doc(alias = "epoll_event")]
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub struct EpollEvent {
    events: u32,
    data: u64,
}

const_assert_eq!(
    mem::size_of::<EpollEvent>(),
    if cfg!(target_arch = "x86_64") { 12 } else { 16 }
);
const_assert_eq!(
    mem::align_of::<EpollEvent>(),
    if cfg!(target_arch = "x86_64") { 1 } else { 8 }
);
const_assert_eq!(mem::offset_of!(EpollEvent, events), 0);
const_assert_eq!(
    mem::offset_of!(EpollEvent, data),
    if cfg!(target_arch = "x86_64") { 4 } else { 8 }
);

impl EpollEvent {
    /// Flags and data, as [`epoll_ctl`] takes them.
    #[inline]
    pub const fn new(events: u32, data: u64) -> Self {
        Self { events, data }
    }

    /// The `EPOLL…` bits, as the kernel wrote them.
    #[inline]
    pub const fn events(&self) -> u32 {
        self.events
    }

    /// The 64 bits given at registration, on every architecture.
    #[inline]
    pub const fn data(&self) -> u64 {
        self.data
    }
}

/// For [`ioctl_epiocsparams`].
pub const EPIOCSPARAMS: u32 = 0x4008_8a01;
/// For [`ioctl_epiocgparams`].
pub const EPIOCGPARAMS: u32 = 0x8008_8a02;

/// The kernel's `struct epoll_params`: how a queue polls a network card.
#[doc(alias = "epoll_params")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct EpollParams {
    /// For how many microseconds a wait polls before it sleeps.
    pub busy_poll_usecs: u32,
    /// The most packets per look.
    pub busy_poll_budget: u16,
    /// Whether to keep interrupts masked: 0 or 1.
    pub prefer_busy_poll: u8,
    /// Has to be zero.
    pub pad: u8,
}

const_assert_eq!(mem::size_of::<EpollParams>(), 8);
const_assert_eq!(mem::align_of::<EpollParams>(), 4);
const_assert_eq!(mem::offset_of!(EpollParams, busy_poll_usecs), 0);
const_assert_eq!(mem::offset_of!(EpollParams, busy_poll_budget), 4);
const_assert_eq!(mem::offset_of!(EpollParams, prefer_busy_poll), 6);
const_assert_eq!(mem::offset_of!(EpollParams, pad), 7);

/// The most events one wait can return; a longer buffer is used up to here.
pub const MAX_EVENTS: usize = i32::MAX as usize / mem::size_of::<EpollEvent>();
const_assert!(MAX_EVENTS <= i32::MAX as usize);

/// `epoll_create1(flags)`: opens a new queue.
///
/// See [epoll_create(2)](https://man7.org/linux/man-pages/man2/epoll_create.2.html).
/// Linux 2.6.27.
///
/// # Errors
///
/// - `EINVAL`: `flags` holds anything but [`EPOLL_CLOEXEC`].
/// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
/// - `ENOMEM`: the kernel has no memory for it.
#[inline]
pub fn epoll_create1(flags: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let ret = unsafe { call!(epoll_create1, flags) }?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { own(ret) })
}

/// `epoll_ctl(epfd, op, fd, event)`: adds, changes or removes a registration.
///
/// `event` is read before the call returns; [`EPOLL_CTL_DEL`] needs none.
///
/// See [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html).
///
/// # Errors
///
/// - `EBADF`: `fd` was opened with `O_PATH`.
/// - `EEXIST`: [`EPOLL_CTL_ADD`] of a descriptor that is registered already.
/// - `ENOENT`: [`EPOLL_CTL_MOD`] or [`EPOLL_CTL_DEL`] of one that is not.
/// - `EPERM`: the file has no `poll` operation: a regular file, a directory, `/dev/null` and
///   some other devices. It is always ready.
/// - `EINVAL`: `epfd` is not a queue, or is `fd`; `op` is none of the three; or
///   [`EPOLLEXCLUSIVE`] together with a flag, an operation or a target that
///   excludes it.
/// - `ELOOP`: `fd` is a queue, and adding it closes a circle or nests too deep.
/// - `EFAULT`: no `event` where `op` needs one.
/// - `ENOSPC`: the user's limit, `/proc/sys/fs/epoll/max_user_watches`.
/// - `ENOMEM`: the kernel has no memory for it.
#[inline]
pub fn epoll_ctl(
    epfd: BorrowedFd<'_>,
    op: i32,
    fd: BorrowedFd<'_>,
    event: Option<&EpollEvent>,
) -> Result<()> {
    let event = event.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `event` is null or points to an `epoll_event`, which the kernel
    // reads before it returns.
    unsafe { call!(epoll_ctl, epfd.as_raw_fd(), op, fd.as_raw_fd(), event) }?;
    Ok(())
}

/// `epoll_wait(epfd, events, maxevents, timeout)`: waits until an event, the
/// timeout in milliseconds (`-1`, or anything negative: none) or a signal.
///
/// Returns the part of `events` that the kernel filled; of more than
/// [`MAX_EVENTS`] the rest stays untouched. aarch64 has no such call: there this
/// is [`epoll_pwait`] without a mask, and errors name that.
///
/// See [epoll_wait(2)](https://man7.org/linux/man-pages/man2/epoll_wait.2.html).
///
/// # Errors
///
/// - `EINTR`: a signal was handled, or the process was stopped and continued.
/// - `EINVAL`: `events` is empty, or `epfd` is not a queue.
#[inline]
pub fn epoll_wait<'b>(
    epfd: BorrowedFd<'_>,
    events: &'b mut [MaybeUninit<EpollEvent>],
    timeout: i32,
) -> Result<&'b mut [EpollEvent]> {
    #[cfg(target_arch = "aarch64")]
    return epoll_pwait(epfd, events, timeout, None);

    #[cfg(target_arch = "x86_64")]
    {
        let (start, max) = room(events);
        // SAFETY: the kernel writes at most `max` events from `start` on, all
        // inside `events`, and all before it returns.
        let count = unsafe { count!(epoll_wait, max, epfd.as_raw_fd(), start, max, timeout) }?;
        // SAFETY: it wrote that many, and `count!` has clamped them to `max`.
        Ok(unsafe { filled(events, count) })
    }
}

/// `epoll_pwait(epfd, events, maxevents, timeout, sigmask)`: [`epoll_wait`] with
/// the thread's signal mask replaced by `sigmask`, if any, for the time of the
/// wait.
///
/// See [epoll_wait(2)](https://man7.org/linux/man-pages/man2/epoll_wait.2.html).
/// Linux 2.6.19.
///
/// # Errors
///
/// As [`epoll_wait`].
#[inline]
pub fn epoll_pwait<'b>(
    epfd: BorrowedFd<'_>,
    events: &'b mut [MaybeUninit<EpollEvent>],
    timeout: i32,
    sigmask: Option<&SigSet>,
) -> Result<&'b mut [EpollEvent]> {
    let (start, max) = room(events);
    let (epfd, sigmask) = (epfd.as_raw_fd(), sigmask.map_or(ptr::null(), ptr::from_ref));
    // SAFETY: the kernel writes at most `max` events from `start` on, all inside
    // `events`, and reads the eight bytes of `sigmask` unless it is null, all
    // before it returns.
    let count = unsafe {
        count!(
            epoll_pwait,
            max,
            epfd,
            start,
            max,
            timeout,
            sigmask,
            mem::size_of::<SigSet>()
        )
    }?;
    // SAFETY: it wrote that many, and `count!` has clamped them to `max`.
    Ok(unsafe { filled(events, count) })
}

/// `epoll_pwait2(epfd, events, maxevents, timeout, sigmask)`: [`epoll_pwait`]
/// with a timeout in nanoseconds (`None`: wait without end).
///
/// See [epoll_wait(2)](https://man7.org/linux/man-pages/man2/epoll_wait.2.html).
/// Linux 5.11.
///
/// # Errors
///
/// As [`epoll_wait`], and
///
/// - `EINVAL`: `timeout` is negative, or its `tv_nsec` is a second or more.
/// - `ENOSYS`: the kernel is older, or an emulator does not know the call.
/// - `EPERM`: a seccomp filter refuses it.
#[inline]
pub fn epoll_pwait2<'b>(
    epfd: BorrowedFd<'_>,
    events: &'b mut [MaybeUninit<EpollEvent>],
    timeout: Option<&Timespec>,
    sigmask: Option<&SigSet>,
) -> Result<&'b mut [EpollEvent]> {
    let (start, max) = room(events);
    let timeout = timeout.map_or(ptr::null(), ptr::from_ref);
    let (epfd, sigmask) = (epfd.as_raw_fd(), sigmask.map_or(ptr::null(), ptr::from_ref));
    // SAFETY: the kernel writes at most `max` events from `start` on, all inside
    // `events`, and reads `timeout` and the eight bytes of `sigmask` unless they
    // are null, all before it returns.
    let count = unsafe {
        count!(
            epoll_pwait2,
            max,
            epfd,
            start,
            max,
            timeout,
            sigmask,
            mem::size_of::<SigSet>()
        )
    }?;
    // SAFETY: it wrote that many, and `count!` has clamped them to `max`.
    Ok(unsafe { filled(events, count) })
}

/// `ioctl(epfd, EPIOCSPARAMS, params)`: sets how the queue polls a network card.
///
/// See [ioctl_eventpoll(2)](https://man7.org/linux/man-pages/man2/ioctl_eventpoll.2.html).
/// Linux 6.9.
///
/// # Errors
///
/// - `EINVAL`: more than 2147483647 microseconds, a preference that is neither 0 nor 1,
///   or a `pad` that is not 0.
/// - `EPERM`: a budget of more than 64 without `CAP_NET_ADMIN`.
/// - `ENOTTY`: the kernel is older, or `epfd` is not a queue.
/// - `EOPNOTSUPP`: the kernel was built without `CONFIG_NET_RX_BUSY_POLL`.
pub fn ioctl_epiocsparams(epfd: BorrowedFd<'_>, params: &EpollParams) -> Result<()> {
    let params = ptr::from_ref(params);
    // SAFETY: the kernel reads one `epoll_params` before it returns. A file that is no
    // queue might read it otherwise, but no other kind of file has this request.
    unsafe { call!(ioctl, epfd.as_raw_fd(), EPIOCSPARAMS, params) }?;
    Ok(())
}

/// `ioctl(epfd, EPIOCGPARAMS, params)`: tells how the queue polls a network card.
///
/// See [ioctl_eventpoll(2)](https://man7.org/linux/man-pages/man2/ioctl_eventpoll.2.html).
/// Linux 6.9.
///
/// # Errors
///
/// - `ENOTTY`, `EOPNOTSUPP`: as [`ioctl_epiocsparams`].
pub fn ioctl_epiocgparams(epfd: BorrowedFd<'_>) -> Result<EpollParams> {
    let mut params = EpollParams::default();
    let at = ptr::from_mut(&mut params);
    // SAFETY: the kernel writes at most one `epoll_params`, whose fields may have any
    // value, before it returns. No other kind of file has this request.
    unsafe { call!(ioctl, epfd.as_raw_fd(), EPIOCGPARAMS, at) }?;
    Ok(params)
}

/// Where the kernel may write, and how many events at most.
#[inline]
fn room(events: &mut [MaybeUninit<EpollEvent>]) -> (*mut MaybeUninit<EpollEvent>, usize) {
    (events.as_mut_ptr(), events.len().min(MAX_EVENTS))
}

/// The first `count` events.
///
/// # Safety
///
/// They exist, and the kernel has written them.
#[inline]
unsafe fn filled(events: &mut [MaybeUninit<EpollEvent>], count: usize) -> &mut [EpollEvent] {
    // SAFETY: the same memory for the same lifetime, initialised by the caller's
    // word.
    unsafe { slice::from_raw_parts_mut(events.as_mut_ptr().cast(), count) }
}

/// Room for events: `Vec<Event>` (feature `alloc`), filled up to its capacity, or
/// [`Events`], which holds them inline.
///
/// Waiting forgets what the buffer held, also when the wait fails, so an old
/// event cannot be taken for a new one.
///
/// Other crates can name this trait as a bound. They cannot implement it, and cannot call
/// its hidden methods: each takes a value that only this crate can make.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold events",
    note = "`Events<N>` holds up to N of them inline; `Vec<Event>` does with the feature `alloc` of epore"
)]
pub trait EventBuffer: sealed::Sealed {}

mod sealed {
    use super::{EpollEvent, MaybeUninit};

    /// An argument of each method of [`Sealed`]. Code with an `EventBuffer` bound sees these
    /// methods, since the trait is a supertrait, but cannot make this argument.
    pub struct Internal(pub(super) ());

    pub trait Sealed {
        /// Forgets the events and returns the whole capacity.
        fn clear_and_lend(&mut self, _: Internal) -> &mut [MaybeUninit<EpollEvent>];

        /// Makes the first `len` events of the capacity the content.
        ///
        /// # Safety
        ///
        /// - `len` is at most the length of the slice that `clear_and_lend` returned.
        /// - The first `len` events of that slice were written since.
        unsafe fn set_len(&mut self, len: usize, _: Internal);

        /// Appends an event. The caller has checked that there is room.
        #[cfg(feature = "alloc")]
        fn add(&mut self, event: EpollEvent, _: Internal);
    }
}

/// Lets `wait` fill the buffer from its start, and returns how many events it got.
#[inline]
pub(crate) fn harvest<B: EventBuffer + ?Sized>(
    buffer: &mut B,
    wait: impl for<'b> FnOnce(&'b mut [MaybeUninit<EpollEvent>]) -> Result<&'b mut [EpollEvent]>,
) -> Result<usize> {
    let room = buffer.clear_and_lend(Internal(()));
    let start = room.as_ptr();
    let events = wait(room)?;
    let len = if ptr::addr_eq(start, events.as_ptr()) {
        events.len()
    } else {
        0
    };
    // SAFETY:
    // - `wait` is one of this crate's, and returns a part of the room: the waits clamp what
    //   the kernel returned. So `len` is at most the length of the room.
    // - `events` is a slice of initialised events that starts where the room does, so the
    //   first `len` of the room are these.
    unsafe { buffer.set_len(len, Internal(())) };
    Ok(len)
}

/// Adds an event to those that were harvested; the caller has seen that there is room.
#[cfg(feature = "alloc")]
pub(crate) fn add_event<B: EventBuffer + ?Sized>(buffer: &mut B, event: EpollEvent) {
    buffer.add(event, Internal(()));
}

#[cfg(feature = "alloc")]
impl EventBuffer for alloc::vec::Vec<EpollEvent> {}

#[cfg(feature = "alloc")]
impl sealed::Sealed for alloc::vec::Vec<EpollEvent> {
    #[inline]
    fn clear_and_lend(&mut self, _: Internal) -> &mut [MaybeUninit<EpollEvent>] {
        self.clear();
        self.spare_capacity_mut()
    }

    #[inline]
    unsafe fn set_len(&mut self, len: usize, _: Internal) {
        // SAFETY: by the caller's word,
        // - `len` is at most the capacity, which `clear_and_lend` returned whole.
        // - The first `len` events were written.
        unsafe { self.set_len(len) }
    }

    fn add(&mut self, event: EpollEvent, _: Internal) {
        self.push(event);
    }
}

/// Up to `N` events, stored inline: the buffer of a program without an allocator.
///
/// It dereferences to a slice of the events that the last wait returned.
///
/// ```
/// use epore::Events;
///
/// let events = Events::<64>::new();
/// assert!(events.is_empty());
/// assert_eq!(events.capacity(), 64);
/// ```
#[derive(Clone)]
pub struct Events<const N: usize> {
    room: [MaybeUninit<EpollEvent>; N],
    len: usize,
}

impl<const N: usize> Events<N> {
    /// An empty buffer. Nothing is zeroed.
    #[inline]
    pub const fn new() -> Self {
        Self {
            room: [const { MaybeUninit::uninit() }; N],
            len: 0,
        }
    }

    /// How many events one wait can return: `N`.
    #[inline]
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Forgets the events.
    #[inline]
    pub const fn clear(&mut self) {
        self.len = 0;
    }
}

impl<const N: usize> EventBuffer for Events<N> {}

impl<const N: usize> sealed::Sealed for Events<N> {
    #[inline]
    fn clear_and_lend(&mut self, _: Internal) -> &mut [MaybeUninit<EpollEvent>] {
        self.clear();
        &mut self.room
    }

    #[inline]
    unsafe fn set_len(&mut self, len: usize, _: Internal) {
        self.len = len;
    }

    #[cfg(feature = "alloc")]
    fn add(&mut self, event: EpollEvent, _: Internal) {
        self.room[self.len].write(event);
        self.len += 1;
    }
}

impl<const N: usize> core::ops::Deref for Events<N> {
    type Target = [EpollEvent];

    #[inline]
    fn deref(&self) -> &[EpollEvent] {
        // SAFETY: `len` is at most `N`, and the first `len` events were written. Two methods
        // raise it, and only this file can call them (`Internal`):
        // - `set_len`, whose caller vouches for both.
        // - `add`, which writes the event at `len` inside the array before it counts it.
        unsafe { slice::from_raw_parts(self.room.as_ptr().cast(), self.len) }
    }
}

impl<const N: usize> Default for Events<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, const N: usize> IntoIterator for &'a Events<N> {
    type Item = &'a EpollEvent;
    type IntoIter = slice::Iter<'a, EpollEvent>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<const N: usize> fmt::Debug for Events<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
