//! By hand: the instruction, and what has to be around it. The measure of the others.

use crate::file::eventfd;
use crate::queue::{CAPACITY, Queue, Trigger, Wake};
use std::arch::asm;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub struct Asm {
    epoll: OwnedFd,
    events: Box<[MaybeUninit<Event>; CAPACITY]>,
}

#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
struct Event {
    events: u32,
    data: u64,
}

const EPOLLIN: u32 = 1;
const EPOLLRDHUP: u32 = 0x2000;
const EPOLLET: u32 = 1 << 31;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const EPOLL_WAIT: usize = 232;
    pub const EPOLL_CTL: usize = 233;
    pub const EPOLL_CREATE1: usize = 291;
    pub const EPOLL_PWAIT2: usize = 441;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const WRITE: usize = 64;
    /// `epoll_pwait`, with no mask.
    pub const EPOLL_WAIT: usize = 22;
    pub const EPOLL_CTL: usize = 21;
    pub const EPOLL_CREATE1: usize = 20;
    pub const EPOLL_PWAIT2: usize = 441;
}

/// # Safety
///
/// The arguments are right for the call, and point to what stays as long as it takes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn call<const N: usize>(number: usize, arguments: [usize; N]) -> isize {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let result;
    if N <= 4 {
        // SAFETY: by the caller's word.
        unsafe {
            asm!("syscall", inlateout("rax") number as isize => result,
                in("rdi") argument(0), in("rsi") argument(1), in("rdx") argument(2),
                in("r10") argument(3), lateout("rcx") _, lateout("r11") _,
                options(nostack, preserves_flags));
        }
    } else {
        // SAFETY: by the caller's word.
        unsafe {
            asm!("syscall", inlateout("rax") number as isize => result,
                in("rdi") argument(0), in("rsi") argument(1), in("rdx") argument(2),
                in("r10") argument(3), in("r8") argument(4), in("r9") argument(5),
                lateout("rcx") _, lateout("r11") _, options(nostack, preserves_flags));
        }
    }
    result
}

/// # Safety
///
/// The arguments are right for the call, and point to what stays as long as it takes.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn call<const N: usize>(number: usize, arguments: [usize; N]) -> isize {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let result;
    // SAFETY: by the caller's word.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") argument(0) as isize => result,
            in("x1") argument(1), in("x2") argument(2), in("x3") argument(3),
            in("x4") argument(4), in("x5") argument(5),
            options(nostack, preserves_flags));
    }
    result
}

/// The errors are the last 4095 numbers. Success goes straight on, whatever comes after
/// it: the compiler would make one branch of this and the end of a loop, and a branch that
/// is taken right after a system call is dear, because the processor does not foresee it.
#[inline(always)]
fn checked(result: isize) -> usize {
    // SAFETY: these instructions compare, and go where the program goes on.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("cmp {}, -4095", "jae {}", in(reg) result, label { refused() },
            options(nomem, nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("cmn {}, 4095", "b.hs {}", in(reg) result, label { refused() },
            options(nomem, nostack));
    }
    result as usize
}

#[cold]
fn refused() -> ! {
    panic!("the kernel has refused a call");
}

impl Asm {
    #[inline(always)]
    fn control(&self, operation: usize, source: BorrowedFd<'_>, event: Option<&Event>) {
        let (epoll, source) = (self.epoll.as_raw_fd(), source.as_raw_fd());
        let event = event.map_or(0, |event| &raw const *event as usize);
        // SAFETY: the event is null, or read before the call returns.
        let result = unsafe {
            call(
                number::EPOLL_CTL,
                [epoll as usize, operation, source as usize, event],
            )
        };
        checked(result);
    }
}

impl Queue for Asm {
    const NAME: &'static str = "asm";

    type Waker = Eventfd;

    fn new() -> Self {
        const EPOLL_CLOEXEC: usize = 0x80000;
        // SAFETY: the call takes no pointer.
        let epoll = unsafe { call(number::EPOLL_CREATE1, [EPOLL_CLOEXEC]) };
        checked(epoll);
        Self {
            // SAFETY: it was opened just now.
            epoll: unsafe { OwnedFd::from_raw_fd(epoll as i32) },
            events: Box::new([const { MaybeUninit::uninit() }; CAPACITY]),
        }
    }

    #[inline(always)]
    fn register(&self, source: BorrowedFd<'_>, token: usize, trigger: Trigger) {
        let events = match trigger {
            Trigger::Level => EPOLLIN | EPOLLRDHUP,
            Trigger::Edge => EPOLLIN | EPOLLRDHUP | EPOLLET,
        };
        let data = token as u64;
        self.control(1, source, Some(&Event { events, data }));
    }

    #[inline(always)]
    fn reregister(&self, source: BorrowedFd<'_>, token: usize) {
        let (events, data) = (EPOLLIN | EPOLLRDHUP | EPOLLET, token as u64);
        self.control(3, source, Some(&Event { events, data }));
    }

    #[inline(always)]
    fn deregister(&self, source: BorrowedFd<'_>) {
        self.control(2, source, None);
    }

    fn waker(&self, token: usize) -> Eventfd {
        let eventfd = eventfd();
        self.register(eventfd.as_fd(), token, Trigger::Edge);
        Eventfd(eventfd)
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Option<Duration>, mut each: impl FnMut(usize)) {
        let epoll = self.epoll.as_raw_fd() as usize;
        let events = self.events.as_mut_ptr() as usize;
        let nanos = timeout.map_or(0, |timeout| timeout.subsec_nanos());
        let count = if nanos.is_multiple_of(1_000_000) {
            let millis = timeout.map_or(-1, |timeout| timeout.as_millis() as i32);
            // SAFETY: the kernel writes up to `CAPACITY` events. (aarch64 reads two
            // arguments more: no mask.)
            unsafe {
                call(
                    number::EPOLL_WAIT,
                    [epoll, events, CAPACITY, millis as usize],
                )
            }
        } else {
            let seconds = timeout.map_or(0, |timeout| timeout.as_secs());
            let timespec = [seconds, nanos.into()];
            let timespec = &raw const timespec as usize;
            // SAFETY: as above, and the `timespec` is read before the call returns.
            unsafe {
                call(
                    number::EPOLL_PWAIT2,
                    [epoll, events, CAPACITY, timespec, 0, 8],
                )
            }
        };
        for event in &self.events[..checked(count)] {
            // SAFETY: the kernel wrote so many.
            let event = unsafe { event.assume_init() };
            each(event.data as usize);
        }
    }
}

pub struct Eventfd(OwnedFd);

impl Wake for Eventfd {
    #[inline(always)]
    fn wake(&self) {
        let one = 1u64;
        let (fd, one) = (self.0.as_raw_fd(), &raw const one as usize);
        // SAFETY: eight bytes are read before the call returns.
        let result = unsafe { call(number::WRITE, [fd as usize, one, 8]) };
        checked(result);
    }
}
