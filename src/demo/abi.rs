//! The ABI of the machine that this runs on: what `arch-notes.md` says in general, in
//! particular.

use super::text::Text;
use crate::rt::{self, Bytes, Call, Machine, Out};
use core::mem;
use core::time::Duration;
use epore::fd::AsFd;
use epore::sys::{self, EpollEvent};
use epore::{Errno, Events, Interest, Poll, Timer, Token, Waker};

/// The registers of the arguments, in their order.
const REGISTERS: [&str; 6] = if cfg!(target_arch = "x86_64") {
    ["rdi", "rsi", "rdx", "r10", "r8", "r9"]
} else {
    ["x0", "x1", "x2", "x3", "x4", "x5"]
};

/// What a byte is before the kernel writes it.
const UNTOUCHED: u8 = 0xaa;

/// Prints all of it.
#[inline(never)]
pub fn show(out: &mut Out) {
    let machine = Machine::this();
    heading(out, b"machine");
    out.put(b"architecture  ");
    let architecture = if cfg!(target_arch = "x86_64") {
        "x86_64"
    } else {
        "aarch64"
    };
    out.put(architecture.as_bytes());
    out.put(b"\nkernel        ");
    out.harmless(machine.system());
    out.put(b" ");
    out.harmless(machine.release());
    out.put(b"\n");

    heading(out, b"numbers");
    for call in sys::SYSCALLS {
        name(out, call.name());
        match call.number() {
            Some(number) => out.padded(number.into()),
            None => out.put(b"absent"),
        }
        out.put(b"\n");
    }

    heading(out, b"struct epoll_event");
    for (text, value) in [
        ("size            ", mem::size_of::<EpollEvent>()),
        ("align           ", mem::align_of::<EpollEvent>()),
        // The last of its two fields.
        (
            "offset of data  ",
            mem::size_of::<EpollEvent>() - mem::size_of::<u64>(),
        ),
    ] {
        out.put(text.as_bytes());
        out.padded(value as u64);
        out.put(b"\n");
    }

    heading(
        out,
        b"two events, as the kernel wrote them (aa: not written)",
    );
    if two_events(out).is_none() {
        out.put(b"NOT SHOWN: a call has failed\n");
    }

    heading(out, b"a short session");
    out.flush();
    let mut program = || session().map_or(1, |()| 0);
    match rt::trace(&mut program, &mut |call| show_call(out, call)) {
        Ok(0) => {}
        Ok(_) => out.put(b"the session failed\n"),
        Err(errno) => {
            out.put(b"NOT SHOWN, because there is no ptrace here: ");
            out.errno(errno);
            out.put(b"\n");
        }
    }
}

fn heading(out: &mut Out, text: &[u8]) {
    out.put(b"\n");
    out.put(text);
    out.put(b"\n\n");
}

/// A name, in a column.
fn name(out: &mut Out, name: &str) {
    out.put(name.as_bytes());
    for _ in name.len()..18 {
        out.put(b" ");
    }
}

/// Has two counters reported in one wait, and prints what stands in memory then.
#[inline(never)]
fn two_events(out: &mut Out) -> Option<()> {
    let queue = sys::epoll_create1(sys::EPOLL_CLOEXEC).ok()?;
    let (first, second) = (
        sys::eventfd2(1, sys::EFD_CLOEXEC).ok()?,
        sys::eventfd2(1, sys::EFD_CLOEXEC).ok()?,
    );
    for (counter, data) in [
        (&first, 0x0123_4567_89ab_cdef),
        (&second, 0xfedc_ba98_7654_3210),
    ] {
        let event = EpollEvent::new(sys::EPOLLIN, data);
        sys::epoll_ctl(
            queue.as_fd(),
            sys::EPOLL_CTL_ADD,
            counter.as_fd(),
            Some(&event),
        )
        .ok()?;
    }
    let mut room = Bytes([UNTOUCHED; 40]);
    rt::wait_for_two(queue.as_fd(), &mut room).ok()?;
    for (line, bytes) in room.0.chunks(8).enumerate() {
        out.hexadecimal(line as u64 * 8, 2);
        out.put(b" ");
        for byte in bytes {
            out.put(b" ");
            out.hexadecimal((*byte).into(), 2);
        }
        out.put(b"\n");
    }
    Some(())
}

/// What a program does with a queue, once each. `None`: a call has failed, and is
/// shown as such.
#[inline(never)]
fn session() -> Option<()> {
    let mut queue = Poll::new().ok()?;
    let mut events = Events::<4>::new();
    let waker = Waker::new(queue.registry(), Token(1)).ok()?;
    waker.wake().ok()?;
    poll(&mut queue, &mut events, None)?;
    let timer = Timer::new().ok()?;
    super::register(
        queue.registry(),
        timer.as_fd(),
        Token(2),
        Interest::READABLE,
    )
    .ok()?;
    timer.set(Duration::from_millis(1)).ok()?;
    poll(&mut queue, &mut events, None)?;
    timer.read().ok()?;
    queue
        .registry()
        .reregister(&timer, Token(3), Interest::READABLE.oneshot())
        .ok()?;
    queue.registry().deregister(&timer).ok()?;
    poll(&mut queue, &mut events, Some(Duration::from_millis(1)))?;
    poll(&mut queue, &mut events, Some(Duration::from_micros(100)))
}

/// [`Poll::poll`], once: it is made to be inlined.
#[inline(never)]
fn poll(queue: &mut Poll, events: &mut Events<4>, timeout: Option<Duration>) -> Option<()> {
    queue.poll(events, timeout).ok()
}

/// A line: name, number, arguments in their registers, result.
pub fn show_call(out: &mut Out, call: &Call) {
    let known = sys::SYSCALLS
        .iter()
        .find(|known| known.number().map(u64::from) == Some(call.number));
    name(out, known.map_or("other", sys::Syscall::name));
    out.padded(call.number);
    // What is in the other registers has no meaning.
    let arguments = known.map_or(6, |known| known.arguments.into());
    for (register, argument) in REGISTERS.iter().zip(call.arguments).take(arguments) {
        out.put(b"  ");
        out.put(register.as_bytes());
        out.put(b"=0x");
        out.hexadecimal(argument, 1);
    }
    out.put(b"  = ");
    match u32::try_from(-call.result) {
        Ok(errno @ 1..=4095) => {
            out.put(b"-");
            out.number(errno.into());
            out.put(b" ");
            out.errno(Errno::new(errno as i32));
        }
        _ => out.number(call.result as u64),
    }
    out.put(b"\n");
}
