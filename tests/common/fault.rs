//! System calls that fail as a test says: once, at the call it means.
//!
//! A filter alone cannot count. So it asks: the kernel holds the call until another
//! thread has said whether it is to fail, or to be made as if nothing were.

use super::kernel;
use epore::fd::{AsRawFd, OwnedFd};
use epore::sys::SYSCALLS;
use std::collections::BTreeMap;
use std::fs;
use std::panic;
use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::thread;
use syscalls::{Errno, Sysno, syscall};

/// A system call that was made, and what it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: &'static str,
    /// Where the call takes a descriptor, this is it.
    pub first_argument: i32,
    /// The call was not made: it returned this errno instead.
    pub failed: Option<Errno>,
}

/// What is to fail of the calls made [`during`](Faults::during) something.
#[derive(Clone, Default)]
pub struct Plan {
    /// By their place, beginning with 0.
    pub places: BTreeMap<usize, Errno>,
    /// All of that name, from then on.
    pub later: Option<(&'static str, Errno)>,
    /// All of that name are not made, and return this value.
    pub returned: Option<(&'static str, i64)>,
}

#[derive(Default)]
struct State {
    /// The thread.
    tested: u32,
    watching: bool,
    plan: Plan,
    calls: Vec<Call>,
}

/// What fails in the thread that was given this.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
}

impl Faults {
    /// Has the next [`during`](Self::during) go by `plan`.
    pub fn plan(&self, plan: Plan) {
        self.state.lock().expect("no panic").plan = plan;
    }

    /// Does `act`, with its system calls failing by the plan.
    pub fn during<T>(&self, act: impl FnOnce() -> T) -> T {
        let thread = kernel::thread_id() as u32;
        let mut state = self.state.lock().expect("no panic");
        (state.tested, state.watching) = (thread, true);
        drop(state);
        let outcome = act();
        self.state.lock().expect("no panic").watching = false;
        outcome
    }

    /// The calls made since this was asked last.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.lock().expect("no panic").calls)
    }

    /// The errno or the value that the call returns instead of being made.
    fn answer(&self, asked: &Notification) -> Option<Result<i64, Errno>> {
        const F_GETFD: i32 = 1;

        let mut state = self.state.lock().expect("no panic");
        let number = Some(asked.number as u32);
        let listed = SYSCALLS.iter().find(|call| call.number() == number);
        let name = listed.expect("a call that was asked about").name();
        let [first_argument, second_argument, ..] = asked.arguments.map(|it| it as i32);
        // Before it closes a descriptor, std asks whether it is open.
        let stds = name == "fcntl" && second_argument == F_GETFD;
        // It is looked at only while it is watched: who counts descriptors then has none
        // of ours among them.
        let tested = || asked.thread == state.tested || is_tested_ones_child(asked.thread);
        if !state.watching || stds || !tested() {
            return None;
        }
        let place = state.calls.len();
        let of_name = || {
            let later = state.plan.later.filter(|&(other, _)| other == name);
            later.map(|(_, errno)| errno)
        };
        let failed = state.plan.places.get(&place).copied().or_else(of_name);
        state.calls.push(Call {
            name,
            first_argument,
            failed,
        });
        let returned = state.plan.returned.filter(|&(other, _)| other == name);
        failed.map(Err).or(returned.map(|(_, value)| Ok(value)))
    }
}

/// The name of the thread that is tested. A child process has it until it becomes
/// another program, whose calls are its own business.
const TESTED: &str = "tested";

fn is_tested_ones_child(thread: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{thread}/comm"));
    let ours = Path::new("/proc/self/task").join(thread.to_string());
    name.is_ok_and(|name| name.trim_end() == TESTED) && !ours.exists()
}

/// Runs `test` in a thread of its own whose system calls can fail: those that the
/// library makes. For a process that is [`alone`](kernel::alone).
///
/// # Errors
///
/// There are no such filters: in an emulator, or in a container that forbids them.
pub fn with_faults(test: impl FnOnce(&Faults) + Send) -> Result<(), Errno> {
    let faults = Faults::default();
    kernel::stay_on_one_processor();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let faults = &faults;
        let test_it = move || {
            let numbers: Vec<u32> = SYSCALLS.iter().filter_map(|call| call.number()).collect();
            let listener = kernel::ask_about(&numbers);
            let refused = listener.as_ref().err().copied();
            sender.send(listener).expect("who asked");
            match refused {
                Some(errno) => Err(errno),
                None => {
                    let _end = End;
                    test(faults);
                    Ok(())
                }
            }
        };
        let tested = thread::Builder::new().name(TESTED.to_owned());
        let tested = tested.spawn_scoped(scope, test_it).expect("a thread");
        if let Ok(listener) = receiver.recv().expect("an answer") {
            supervise(&listener, faults);
        }
        tested
            .join()
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}

/// A call that waits for an answer, as the kernel tells of it.
#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    thread: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// A descriptor that there never is: to read from it is to say that no more calls come.
const NO_MORE: i32 = -4321;

/// Says so when the test is over, however it ends.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: no memory.
        let _ = unsafe { syscall!(Sysno::read, NO_MORE, 0, 0) };
    }
}

/// Answers until the test is over.
fn supervise(listener: &OwnedFd, faults: &Faults) {
    const RECEIVE: usize = 0xc050_2100;
    const SEND: usize = 0xc018_2101;
    const MAKE_THE_CALL: u32 = 1;

    let mut over = false;
    while !over {
        let mut asked = Notification::default();
        let pointer = &raw mut asked;
        // SAFETY: the kernel writes the 80 bytes of `asked`, which are zero.
        let received = unsafe { syscall!(Sysno::ioctl, listener.as_raw_fd(), RECEIVE, pointer) };
        match received {
            Ok(_) => {}
            // A signal came in between, here or there.
            Err(Errno::EINTR | Errno::ENOENT) => continue,
            Err(errno) => panic!("{errno}"),
        }
        over = asked.number == Sysno::read as i32 && asked.arguments[0] as i32 == NO_MORE;
        let instead = faults.answer(&asked);
        let (value, error) = match instead {
            Some(Ok(value)) => (value, 0),
            Some(Err(errno)) => (0, -errno.into_raw()),
            None => (0, 0),
        };
        let answer = Answer {
            id: asked.id,
            value,
            error,
            flags: instead.map_or(MAKE_THE_CALL, |_| 0),
        };
        let pointer = &raw const answer;
        // SAFETY: the kernel reads the 24 bytes of `answer`.
        match unsafe { syscall!(Sysno::ioctl, listener.as_raw_fd(), SEND, pointer) } {
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}
