//! The event queue: `Poll` waits, its `Registry` says what for.

use core::fmt;
use core::mem::MaybeUninit;
use core::time::Duration;

use static_assertions::assert_impl_all;
use syscalls::Sysno;

use crate::fd::{self, AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use crate::sys::{
    self, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EventBuffer, SigSet, Timespec,
};
#[cfg(feature = "alloc")]
use crate::wake::Fairness;
use crate::wake::QueueSide;
use crate::{Errno, Error, Event, Interest, Result, Token};

/// An event queue: sources are registered with its [`Registry`], and
/// [`poll`](Self::poll) waits for what happens to them.
///
/// One thread waits, hence `&mut self`; any number of others may meanwhile
/// register through a clone of the [registry](Self::registry), or end the wait
/// through a [`Waker`](crate::Waker).
///
/// A queue is itself a source, readable while it has events to report, so one
/// queue can be registered with another; five levels deep, and in no circle.
///
/// Dropping it closes the queue, unless a cloned registry still holds it open.
/// The sources themselves stay as they are.
///
/// See [epoll(7)](https://man7.org/linux/man-pages/man7/epoll.7.html).
pub struct Poll {
    registry: Registry,
    #[cfg(feature = "alloc")]
    fairness: Fairness,
    /// `epoll_pwait2` was refused once, so it is not called again.
    whole_milliseconds: bool,
}

assert_impl_all!(Poll: Send, Sync);

/// What a [`Poll`] watches: sources are added, changed and removed here, also by
/// other threads and while the queue waits.
///
/// # Lifetime of a registration
///
/// A registration belongs to the open file, not to the descriptor: it ends with
/// [`deregister`](Self::deregister), or when the last descriptor of the file is
/// closed. A source that was duplicated (`try_clone`, `dup`, `fork`) and then
/// closed goes on reporting, and nobody can deregister it any more; so deregister
/// before closing what has duplicates.
///
/// # While another thread waits
///
/// - What is registered or reregistered, and ready, ends a wait that has begun
///   already; so does what becomes ready later.
/// - After `deregister` has returned, no wait that starts later reports the source;
///   and after `reregister`, none reports it with the old token. On the thread that
///   waits, that is every wait after the call.
/// - A wait that started earlier may: it may have taken the events before, and then
///   they are in the buffer, where nothing removes them. Whoever reuses tokens, or
///   deregisters one source while handling the event of another, has to expect them.
/// - Clones may be dropped at any time. What they have registered stays, as long as
///   the [`Poll`] or another clone does.
pub struct Registry {
    epoll: OwnedFd,
    wakes: QueueSide,
}

assert_impl_all!(Registry: Send, Sync);

/// Where the kernel may write.
type Room = [MaybeUninit<Event>];

impl Poll {
    /// Opens a new queue, closed on `execve`.
    ///
    /// See [epoll_create(2)](https://man7.org/linux/man-pages/man2/epoll_create.2.html).
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`: the process, or the system, has no descriptor left.
    /// - `ENOMEM`: the kernel has no memory for it.
    #[doc(alias = "epoll_create1")]
    pub fn new() -> Result<Self> {
        let epoll = sys::epoll_create1(EPOLL_CLOEXEC)?;
        let wakes = QueueSide::new().ok_or_else(|| {
            Error::new(Sysno::epoll_create1, Errno::ENOMEM)
                .because("the heap has no memory for what a queue shares with its wakers")
        })?;
        Ok(Self {
            registry: Registry { epoll, wakes },
            #[cfg(feature = "alloc")]
            fairness: Fairness::default(),
            whole_milliseconds: false,
        })
    }

    /// Where sources are registered.
    #[inline]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The queue's descriptor, for calls that harvest nothing.
    pub(crate) fn queue(&self) -> BorrowedFd<'_> {
        self.registry.epoll.as_fd()
    }

    /// Waits until there is an event, or `timeout` has passed, and fills `events`
    /// up to its capacity.
    ///
    /// - `events` is cleared first, even on error. On timeout it stays empty.
    /// - `None` waits without a limit. Zero does not wait.
    /// - If more is ready than `events` has room for, the following polls report the rest. The
    ///   kernel reports its sources in turn. Pending wakes of a [`Waker`](crate::Waker) take turns
    ///   among themselves in what is left of the buffer after one event of the kernel, so a source
    ///   that is always ready is reported by each poll along with them.
    ///
    /// A timeout is never cut short. Whole milliseconds go through `epoll_wait`; a
    /// fraction of one, and more than 24 days, through `epoll_pwait2` (Linux 5.11).
    /// If the kernel lacks that call, or a filter refuses it, with whichever errno, the fraction
    /// is rounded up to a whole millisecond from then on.
    ///
    /// See [epoll_wait(2)](https://man7.org/linux/man-pages/man2/epoll_wait.2.html).
    ///
    /// # Errors
    ///
    /// - `EINTR`: a signal was handled, or the process was stopped and continued.
    ///   It is for the caller to wait again, or to look what the signal has changed.
    /// - `EINVAL`: `events` has no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use epore::{Events, Poll, Token, Waker};
    ///
    /// let mut queue = Poll::new()?;
    /// let mut events = Events::<8>::new();
    /// queue.poll(&mut events, Some(Duration::from_micros(100)))?;
    /// assert!(events.is_empty());
    ///
    /// let waker = Waker::new(queue.registry(), Token(7))?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| waker.wake());
    ///     loop {
    ///         match queue.poll(&mut events, None) {
    ///             Err(error) if error.is_interrupted() => continue,
    ///             other => break other,
    ///         }
    ///     }
    /// })?;
    /// assert_eq!(events[0].token(), Token(7));
    /// # Ok::<(), epore::Error>(())
    /// ```
    #[doc(alias = "epoll_wait")]
    #[inline(always)]
    pub fn poll<B: EventBuffer + ?Sized>(
        &mut self,
        events: &mut B,
        timeout: Option<Duration>,
    ) -> Result<()> {
        self.poll_masked(events, timeout, None)
    }

    /// [`poll`](Self::poll) with the thread's signal mask replaced by `mask` for the time
    /// of the wait, in one step: what is blocked otherwise and not in `mask` ends the wait
    /// with `EINTR`, also if it is pending already. Between unblocking a signal and
    /// waiting it would slip through.
    ///
    /// A signal ends only a wait that would block. A poll that finds something ready, or has a
    /// zero timeout, returns without `EINTR`, and the signal stays pending. In a loop that is
    /// always busy, look for it now and then: unblock it for a moment between two polls
    /// ([`rt_sigprocmask`](crate::sys::rt_sigprocmask)), or take it as an event
    /// ([`Signals`](crate::signal::Signals)).
    ///
    /// With the feature `std`, the signals that the C library keeps for itself are left out of
    /// `mask` ([`SigSet::ALL`]).
    ///
    /// For programs whose signals have handlers. For others there is
    /// [`Signals`](crate::signal::Signals), which is a source.
    ///
    /// See [epoll_pwait(2)](https://man7.org/linux/man-pages/man2/epoll_pwait.2.html).
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
    ///
    /// # Examples
    ///
    /// ```
    /// use epore::signal::{self, SIGHUP, SigSet};
    /// use epore::{Events, Poll, Token, Waker};
    ///
    /// // Whatever SIGHUP's handler does, it does it inside the wait.
    /// let before = signal::block(SigSet::of(&[SIGHUP]))?;
    /// let mut queue = Poll::new()?;
    /// let waker = Waker::new(queue.registry(), Token(0))?;
    /// waker.wake()?;
    ///
    /// let mut events = Events::<8>::new();
    /// queue.poll_with_mask(&mut events, None, before.without(SIGHUP))?;
    /// assert_eq!(events[0].token(), Token(0));
    /// # Ok::<(), epore::Error>(())
    /// ```
    #[doc(alias = "epoll_pwait")]
    #[inline]
    pub fn poll_with_mask<B: EventBuffer + ?Sized>(
        &mut self,
        events: &mut B,
        timeout: Option<Duration>,
        mask: SigSet,
    ) -> Result<()> {
        self.poll_masked(events, timeout, Some(&mask.without_reserved()))
    }

    // In the caller's loop whatever the compiler thinks of its size: what a call around the
    // system call costs is what libc's column in `tests/bench` shows.
    #[inline(always)]
    fn poll_masked<B: EventBuffer + ?Sized>(
        &mut self,
        events: &mut B,
        timeout: Option<Duration>,
        mask: Option<&SigSet>,
    ) -> Result<()> {
        #[cfg(feature = "alloc")]
        if self.registry.wakes.is_awake_or_pending() && self.report_or_sleep(events, timeout)? {
            return Ok(());
        }
        match timeout.map_or(Some(-1), whole_millis) {
            Some(millis) => self.wait(events, millis, mask)?,
            None => self.wait_precisely(events, timeout.unwrap_or_default(), mask)?,
        };
        Ok(())
    }

    /// Reports pending wakes, and what else is ready, without a wait. Returns `false` if nothing
    /// is, so that the queue has to wait.
    #[cfg(feature = "alloc")]
    #[cold]
    #[inline(never)]
    fn report_or_sleep<B: EventBuffer + ?Sized>(
        &mut self,
        events: &mut B,
        timeout: Option<Duration>,
    ) -> Result<bool> {
        let Registry { epoll, wakes } = &self.registry;
        let may_block = timeout != Some(Duration::ZERO);
        wakes
            .report_or_sleep(may_block, || {
                report_pending(epoll.as_fd(), wakes, &mut self.fairness, events)
            })
            .map_err(explain_wait)
    }

    /// Waits, and returns how many events it got.
    #[inline(always)]
    fn wait<B: EventBuffer + ?Sized>(
        &self,
        events: &mut B,
        millis: i32,
        mask: Option<&SigSet>,
    ) -> Result<usize> {
        self.harvest(events, |epoll, room| match mask {
            None => sys::epoll_wait(epoll, room, millis),
            mask => sys::epoll_pwait(epoll, room, millis, mask),
        })
    }

    #[inline]
    fn harvest<B: EventBuffer + ?Sized>(
        &self,
        events: &mut B,
        wait: impl for<'b> FnOnce(BorrowedFd<'_>, &'b mut Room) -> Result<&'b mut [Event]>,
    ) -> Result<usize> {
        let Registry { epoll, wakes } = &self.registry;
        sys::harvest(events, |room| {
            let events = wait(epoll.as_fd(), room)?;
            wakes.end_sleep(events.len());
            Ok(events)
        })
        .map_err(explain_wait)
    }

    /// [`wait`](Self::wait) to the nanosecond, or as near as the kernel lets it.
    fn wait_precisely<B: EventBuffer + ?Sized>(
        &mut self,
        events: &mut B,
        timeout: Duration,
        mask: Option<&SigSet>,
    ) -> Result<usize> {
        if !self.whole_milliseconds {
            let timespec = Timespec::from(timeout);
            let waited = self.harvest(events, |epoll, room| {
                sys::epoll_pwait2(epoll, room, Some(&timespec), mask)
            });
            match waited {
                Err(error) if is_no_refusal(error) => return Err(error),
                // The call is missing, or a filter refuses it, with whichever errno. `EINVAL` may
                // also be that of an empty buffer; then the wait below returns it as well.
                Err(_) => {
                    let waited = self.wait_rounded_up(events, timeout, mask);
                    let has_no_room = waited.is_err_and(|error| error.errno() == Errno::EINVAL);
                    self.whole_milliseconds = !has_no_room;
                    return waited;
                }
                waited => return waited,
            }
        }

        self.wait_rounded_up(events, timeout, mask)
    }

    /// [`wait`](Self::wait) for whole milliseconds, of which one call may not be
    /// able to count all.
    #[cold]
    #[inline(never)]
    fn wait_rounded_up<B: EventBuffer + ?Sized>(
        &self,
        events: &mut B,
        timeout: Duration,
        mask: Option<&SigSet>,
    ) -> Result<usize> {
        let millis = u64::from(timeout.subsec_nanos().div_ceil(1_000_000));
        let mut left = timeout
            .as_secs()
            .saturating_mul(1000)
            .saturating_add(millis);
        loop {
            let now = i32::try_from(left).unwrap_or(i32::MAX);
            left -= now as u64;
            let count = self.wait(events, now, mask)?;
            if left == 0 || count > 0 {
                return Ok(count);
            }
        }
    }
}

/// Fills `events` with what the kernel has ready and with pending wakes. Returns how many they
/// are.
#[cfg(feature = "alloc")]
fn report_pending<B: EventBuffer + ?Sized>(
    epoll: BorrowedFd<'_>,
    wakes: &QueueSide,
    fairness: &mut Fairness,
    events: &mut B,
) -> Result<usize> {
    // Call the kernel before taking the pending wakes, so that a failed call loses none.
    let mut left = 0;
    let mut count = sys::harvest(events, |room| {
        left = room.len();
        match left - wakes.reserved(left, fairness) {
            0 if left != 0 => Ok(&mut []),
            rest => sys::epoll_wait(epoll, &mut room[..rest], 0),
        }
    })?;
    left -= count;
    for (_, token) in wakes.take_pending(left, fairness).iter() {
        sys::add_event(events, Event::new(sys::EPOLLIN, token));
        count += 1;
    }
    Ok(count)
}

/// The timeout as `epoll_wait` takes it, if it is one: anything negative would be
/// without end, and a fraction cut off would be too early.
#[inline]
fn whole_millis(timeout: Duration) -> Option<i32> {
    const MOST_SECONDS: u64 = i32::MAX as u64 / 1000 - 1;
    let (secs, nanos) = (timeout.as_secs(), timeout.subsec_nanos());
    let whole = secs <= MOST_SECONDS && nanos % 1_000_000 == 0;
    whole.then(|| secs as i32 * 1000 + (nanos / 1_000_000) as i32)
}

/// Whether the kernel has accepted the call, so that another one is no remedy.
fn is_no_refusal(error: Error) -> bool {
    matches!(error.errno(), Errno::EINTR | Errno::EBADF | Errno::EFAULT)
}

#[cold]
#[inline(never)]
fn explain_wait(error: Error) -> Error {
    error.because(match error.errno() {
        Errno::EINVAL => Some("the event buffer has no room"),
        _ => None,
    })
}

impl Registry {
    /// Watches `source`: what happens to it is reported with `token`.
    ///
    /// What is ready already is reported too, in every mode.
    ///
    /// See [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html),
    /// `EPOLL_CTL_ADD`.
    ///
    /// # Errors
    ///
    /// - `EEXIST`: registered already; [`reregister`](Self::reregister) it.
    /// - `EPERM`: a file that cannot be polled: a regular file, a directory, `/dev/null` and
    ///   other devices without a `poll` operation.
    /// - `EBADF`: opened with `O_PATH`.
    /// - `EINVAL`: the queue itself, or an [exclusive](Interest::exclusive)
    ///   interest with what excludes it.
    /// - `ELOOP`: a queue that closes a circle, or nests more than five deep.
    /// - `ENOSPC`: the limit `/proc/sys/fs/epoll/max_user_watches`.
    /// - `ENOMEM`: the kernel has no memory for it.
    #[doc(alias = "epoll_ctl")]
    #[doc(alias = "EPOLL_CTL_ADD")]
    #[inline]
    pub fn register<S: AsFd + ?Sized>(
        &self,
        source: &S,
        token: Token,
        interest: Interest,
    ) -> Result<()> {
        self.control(EPOLL_CTL_ADD, source.as_fd(), Some(event(token, interest)))
            .map_err(|error| self.explain(error, EPOLL_CTL_ADD, source.as_fd(), Some(interest)))
    }

    /// Changes the token and the interest of a source that is registered.
    ///
    /// What is ready already is reported again, also edge-triggered and after a
    /// [oneshot](Interest::oneshot).
    ///
    /// See [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html),
    /// `EPOLL_CTL_MOD`.
    ///
    /// # Errors
    ///
    /// - `ENOENT`: not registered; [`register`](Self::register) it.
    /// - `EINVAL`: the old or the new interest is
    ///   [exclusive](Interest::exclusive); or the queue itself.
    /// - `EPERM`, `EBADF`: as for [`register`](Self::register).
    /// - `ENOMEM`: the kernel has no memory for it.
    #[doc(alias = "EPOLL_CTL_MOD")]
    #[inline]
    pub fn reregister<S: AsFd + ?Sized>(
        &self,
        source: &S,
        token: Token,
        interest: Interest,
    ) -> Result<()> {
        self.control(EPOLL_CTL_MOD, source.as_fd(), Some(event(token, interest)))
            .map_err(|error| self.explain(error, EPOLL_CTL_MOD, source.as_fd(), Some(interest)))
    }

    /// Watches `source` no more.
    ///
    /// Closing the last descriptor of a source has the same effect.
    ///
    /// See [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html),
    /// `EPOLL_CTL_DEL`.
    ///
    /// # Errors
    ///
    /// - `ENOENT`: not registered.
    /// - `EPERM`, `EBADF`, `EINVAL`: what could not have been registered either.
    #[doc(alias = "EPOLL_CTL_DEL")]
    #[inline]
    pub fn deregister<S: AsFd + ?Sized>(&self, source: &S) -> Result<()> {
        self.control(EPOLL_CTL_DEL, source.as_fd(), None)
            .map_err(|error| self.explain(error, EPOLL_CTL_DEL, source.as_fd(), None))
    }

    /// A second registry of the same queue, to be used elsewhere: by another
    /// thread while [`poll`](Poll::poll) waits, say.
    ///
    /// It is a descriptor of its own, closed on `execve`, and keeps the queue open.
    ///
    /// ```
    /// use std::thread;
    /// use epore::{Events, Interest, Poll, Timer, Token};
    ///
    /// let mut queue = Poll::new()?;
    /// let registry = queue.registry().try_clone()?;
    /// let registered = thread::spawn(move || {
    ///     let timer = Timer::new()?;
    ///     timer.set(std::time::Duration::from_millis(10))?;
    ///     registry.register(&timer, Token(3), Interest::READABLE)?;
    ///     Ok::<_, epore::Error>(timer)
    /// });
    ///
    /// let mut events = Events::<4>::new();
    /// queue.poll(&mut events, None)?;
    /// assert_eq!(events[0].token(), Token(3));
    /// # registered.join().unwrap()?;
    /// # Ok::<(), epore::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EMFILE`: the process has no descriptor left.
    pub fn try_clone(&self) -> Result<Self> {
        let epoll = fd::duplicate(&self.epoll)?;
        let wakes = self.wakes.clone();
        Ok(Self { epoll, wakes })
    }

    /// What the queue shares with its wakers.
    pub(crate) fn wakes(&self) -> &QueueSide {
        &self.wakes
    }

    #[inline]
    fn control(&self, op: i32, source: BorrowedFd<'_>, event: Option<Event>) -> Result<()> {
        sys::epoll_ctl(self.epoll.as_fd(), op, source, event.as_ref())
    }

    /// Says why the kernel refused.
    #[cold]
    #[inline(never)]
    fn explain(
        &self,
        error: Error,
        op: i32,
        source: BorrowedFd<'_>,
        interest: Option<Interest>,
    ) -> Error {
        error.because(match error.errno() {
            Errno::EEXIST => Some("the source is registered already: reregister it"),
            Errno::ENOENT => Some("the source is not registered with this queue"),
            Errno::EPERM => Some(
                "the file cannot be polled: \
                 a regular file, a directory or a device such as /dev/null is always ready",
            ),
            Errno::EBADF => Some("the source's descriptor is closed, or was opened with O_PATH"),
            Errno::ELOOP => Some("queues watch each other in a circle, or nest too deep"),
            Errno::ENOSPC => {
                Some("the user's limit is reached (/proc/sys/fs/epoll/max_user_watches)")
            }
            Errno::EINVAL if source.as_raw_fd() == self.epoll.as_raw_fd() => {
                Some("a queue cannot watch itself")
            }
            Errno::EINVAL if op == EPOLL_CTL_MOD => Some(
                "what is or becomes exclusive cannot be reregistered: \
                 deregister it, then register it",
            ),
            Errno::EINVAL => Some(match interest.filter(|it| it.is_exclusive()) {
                // By another descriptor: a clone of the registry.
                None => "a queue cannot watch itself",
                Some(it) if it.is_priority() || it.is_oneshot() => {
                    "an exclusive interest takes neither PRIORITY nor oneshot"
                }
                Some(_) => "a queue cannot be watched exclusively",
            }),
            _ => None,
        })
    }
}

#[inline]
fn event(token: Token, interest: Interest) -> Event {
    Event::new(interest.bits(), token.0 as u64)
}

/// With the feature `alloc`, taking the descriptor makes every later wake of this queue a `write`,
/// for ever: other code may wait for it. See [`Waker`](crate::Waker#what-a-wake-costs).
impl AsFd for Poll {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry.as_fd()
    }
}

/// With the feature `alloc`, taking the descriptor makes every later wake of this queue a `write`,
/// for ever: other code may wait for it. See [`Waker`](crate::Waker#what-a-wake-costs).
impl AsRawFd for Poll {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.registry.as_raw_fd()
    }
}

/// With the feature `alloc`, taking the descriptor makes every later wake of this queue a `write`,
/// for ever: other code may wait for it. See [`Waker`](crate::Waker#what-a-wake-costs).
impl AsFd for Registry {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakes.expose();
        self.epoll.as_fd()
    }
}

/// With the feature `alloc`, taking the descriptor makes every later wake of this queue a `write`,
/// for ever: other code may wait for it. See [`Waker`](crate::Waker#what-a-wake-costs).
impl AsRawFd for Registry {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Shows the descriptor, without the effect that [`AsFd`] has on wakes.
impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fd = self.registry.epoll.as_raw_fd();
        f.debug_struct("Poll").field("fd", &fd).finish()
    }
}

/// Shows the descriptor, without the effect that [`AsFd`] has on wakes.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fd = self.epoll.as_raw_fd();
        f.debug_struct("Registry").field("fd", &fd).finish()
    }
}
