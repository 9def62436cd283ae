use core::time::Duration;

use crate::sys::{self, EpollParams};
use crate::{Errno, Error, Poll, Result};

/// How long a wait asks the network card itself for packets, before it sleeps.
///
/// A wait that finds nothing ready sleeps until the card interrupts, which takes some
/// microseconds from the packet to the event. Busy polling spends a processor to save
/// them: it buys latency on a machine whose card supports it (NAPI), for a queue whose
/// sockets all get their packets from one receive queue of one card. There is nothing to
/// be had on the loopback, nor from sources that are no sockets.
///
/// ```no_run
/// use core::time::Duration;
/// use epore::{BusyPoll, Poll};
///
/// let queue = Poll::new()?;
/// queue.set_busy_poll(BusyPoll {
///     time: Duration::from_micros(50),
///     budget: 8,
///     prefer: true,
/// })?;
/// assert_eq!(queue.busy_poll()?.budget, 8);
/// # Ok::<(), epore::Error>(())
/// ```
///
/// The whole of it is in the kernel's
/// [NAPI](https://docs.kernel.org/networking/napi.html#busy-polling) documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyPoll {
    /// For how long, in whole microseconds, a fraction counted as one; zero, as it is
    /// at first: not at all. At most 2147483647 microseconds.
    pub time: Duration,
    /// The most packets that one look at the card takes; zero: the kernel's default, 8.
    /// More than 64 need `CAP_NET_ADMIN`.
    pub budget: u16,
    /// Keep the card's interrupts masked as long as the queue looks often enough. It
    /// takes the device's settings `gro_flush_timeout` and `napi_defer_hard_irqs`.
    pub prefer: bool,
}

impl Poll {
    /// Has every wait of this queue poll the network card first (Linux 6.9).
    ///
    /// See [ioctl_eventpoll(2)](https://man7.org/linux/man-pages/man2/ioctl_eventpoll.2.html),
    /// `EPIOCSPARAMS`.
    ///
    /// # Errors
    ///
    /// - `ENOTTY`: the kernel is older than Linux 6.9, or an emulator does not know it.
    /// - `EOPNOTSUPP`: the kernel was built without `CONFIG_NET_RX_BUSY_POLL`.
    /// - `EINVAL`: the time is too long.
    /// - `EPERM`: a budget of more than 64 without `CAP_NET_ADMIN`.
    #[doc(alias = "EPIOCSPARAMS")]
    pub fn set_busy_poll(&self, busy_poll: BusyPoll) -> Result<()> {
        let micros = busy_poll.time.as_nanos().div_ceil(1000);
        let params = EpollParams {
            busy_poll_usecs: u32::try_from(micros).unwrap_or(u32::MAX),
            busy_poll_budget: busy_poll.budget,
            prefer_busy_poll: busy_poll.prefer.into(),
            ..EpollParams::default()
        };
        sys::ioctl_epiocsparams(self.queue(), &params).map_err(explain)
    }

    /// What was [set](Self::set_busy_poll), or the default: not at all.
    ///
    /// See [ioctl_eventpoll(2)](https://man7.org/linux/man-pages/man2/ioctl_eventpoll.2.html),
    /// `EPIOCGPARAMS`.
    ///
    /// # Errors
    ///
    /// - `ENOTTY`, `EOPNOTSUPP`: as [`set_busy_poll`](Self::set_busy_poll).
    #[doc(alias = "EPIOCGPARAMS")]
    pub fn busy_poll(&self) -> Result<BusyPoll> {
        let params = sys::ioctl_epiocgparams(self.queue()).map_err(explain)?;
        Ok(BusyPoll {
            time: Duration::from_micros(params.busy_poll_usecs.into()),
            budget: params.busy_poll_budget,
            prefer: params.prefer_busy_poll != 0,
        })
    }
}

fn explain(error: Error) -> Error {
    error.because(match error.errno() {
        Errno::ENOTTY => Some("busy polling per queue needs Linux 6.9"),
        Errno::EOPNOTSUPP => Some("the kernel was built without CONFIG_NET_RX_BUSY_POLL"),
        Errno::EINVAL => Some("the time is longer than 2147483647 microseconds"),
        Errno::EPERM => Some("a budget of more than 64 needs CAP_NET_ADMIN"),
        _ => None,
    })
}
