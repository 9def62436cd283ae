//! Every interleaving of a queue and its wakers.
//!
//! A lost wake is a wait without end, which loom reports as a deadlock.
//!
//! # What is covered
//!
//! Each model tries every order of its threads' steps, up to a number of preemptions (in
//! [`explore`]), and every value that the memory model lets a load see. A step is an atomic
//! operation of `word.rs`, a fence, or a system call. The models have
//!
//! - one and two waking threads, which share a waker or have one each, and wake up to three times;
//! - a queue that is asleep, awake, or exposed, and all ways from one to the other;
//! - `expose` at every step of a wait in progress and of a wake, by one thread and by two, with
//!   one waker and with two, in a queue that was woken before and in one that was not;
//! - a waker that is dropped, and whose slot is claimed by another, at every step of a poll, of
//!   a wake of another waker, and of `expose`;
//! - writes that fail, and threads that stop before their write;
//! - the last epochs.
//!
//! # What is not
//!
//! - More than three threads beside the one that polls, and more than the preemptions that each
//!   model names. `tests/concurrency.rs` runs more threads on the processor at hand.
//! - `Poll::poll` and `Waker` themselves: [`Poller::poll`] follows `src/poll.rs`.
//! - The instructions of aarch64 in `src/sys/atomic.rs`, which acquire and release whatever the
//!   orders say.
//! - Signal handlers, which are like a thread that holds up the one they interrupt.

use crate::Token;
use crate::kernel::{Kernel, WriteFailed};
use crate::wake::{Fairness, QueueSide, SLOTS, WakeFd, WakeState, WakerSide};
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// Runs `model` in every interleaving that has at most `preemptions` switches from a thread that
/// could have gone on.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// What the threads of a model share, by std's `Arc`, whose steps are not tried.
struct Shared {
    side: QueueSide,
    kernel: Arc<Kernel>,
    /// How far each thread had come before its last wake.
    progress: [AtomicUsize; 3],
}

/// Dropped with its last owner: a wake that was not reported by then is gone.
type Waker = Arc<WakerSide>;

/// The thread that polls, as `Poll`.
struct Poller {
    shared: Arc<Shared>,
    fairness: Fairness,
}

#[derive(Clone, Copy, PartialEq)]
enum Timeout {
    None,
    Zero,
}

impl Poller {
    fn new() -> Self {
        Self::with_state(WakeState::new())
    }

    fn with_state(state: WakeState) -> Self {
        Self {
            shared: Arc::new(Shared {
                side: QueueSide::with_state(state).unwrap(),
                kernel: Kernel::new(),
                progress: [0; 3].map(AtomicUsize::new),
            }),
            fairness: Fairness::default(),
        }
    }

    /// A queue that is asleep, with a waker of token 0.
    fn asleep() -> (Self, Waker) {
        let poller = Self::new();
        let waker = poller.shared.waker(0);
        (poller, waker)
    }

    /// A queue that is awake, with a waker of token 0.
    fn awake() -> (Self, Waker) {
        let (mut poller, waker) = Self::asleep();
        waker.wake().unwrap();
        assert_eq!(poller.poll(4, Timeout::None), [0]);
        (poller, waker)
    }

    /// As `Poll::poll`. Returns the tokens that it reports.
    fn poll(&mut self, room: usize, timeout: Timeout) -> Vec<usize> {
        let Shared { side, kernel, .. } = &*self.shared;
        let mut tokens = Vec::new();
        if side.is_awake_or_pending() {
            let fairness = &mut self.fairness;
            let reported = side.report_or_sleep(timeout != Timeout::Zero, || {
                tokens = kernel.look(room - side.reserved(room, fairness));
                let taken = side.take_pending(room - tokens.len(), fairness);
                tokens.extend(taken.iter().map(|(_, token)| token as usize));
                Ok::<_, WriteFailed>(tokens.len())
            });
            if reported.unwrap() {
                return tokens;
            }
        }
        tokens = match timeout {
            Timeout::None => kernel.wait(room),
            Timeout::Zero => kernel.look(room),
        };
        side.end_sleep(tokens.len());
        tokens
    }

    /// Polls until each thread has come as far as its goal. What it never sees, it waits for
    /// without end. Returns the tokens that were reported.
    fn poll_until(&mut self, room: usize, goals: &[usize]) -> Vec<usize> {
        let mut reported = Vec::new();
        while !self.shared.have_come_to(goals) {
            reported.extend(self.poll(room, Timeout::None));
        }
        reported
    }

    /// Runs `act` in a thread of its own.
    fn spawn(&self, act: impl FnOnce(&Shared) + 'static) -> JoinHandle<()> {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || act(&shared))
    }

    /// Runs [`Shared::wake_in_steps`] in a thread of its own.
    fn spawn_waking(&self, thread: usize, waker: &Waker, steps: usize) -> JoinHandle<()> {
        let waker = Arc::clone(waker);
        self.spawn(move |shared| shared.wake_in_steps(thread, &waker, steps))
    }
}

impl Shared {
    /// As `Waker::new`.
    fn waker(&self, token: usize) -> Waker {
        self.waker_on(Kernel::eventfd(&self.kernel, token), token)
    }

    fn waker_on(&self, eventfd: WakeFd, token: usize) -> Waker {
        Arc::new(self.side.add_waker(eventfd, Token(token)).unwrap())
    }

    /// Makes progress `steps` times, and wakes each time.
    fn wake_in_steps(&self, thread: usize, waker: &WakerSide, steps: usize) {
        for step in 1..=steps {
            self.proceed(thread, step);
            waker.wake().unwrap();
        }
    }

    fn proceed(&self, thread: usize, to: usize) {
        self.progress[thread].store(to, Ordering::Relaxed);
    }

    fn have_come_to(&self, goals: &[usize]) -> bool {
        (self.progress.iter().zip(goals))
            .all(|(progress, goal)| progress.load(Ordering::Relaxed) >= *goal)
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    (threads.into_iter()).for_each(|thread| thread.join().unwrap());
}

/// Has threads wake, each `steps` times, while the main thread polls with a buffer for `room`
/// events; and other threads do what `others` has them do.
struct Scene {
    preemptions: usize,
    room: usize,
    steps: &'static [usize],
    /// One waker for all waking threads, or one each.
    one_waker: bool,
    is_awake: bool,
    others: &'static [fn(&Shared)],
}

const SCENE: Scene = Scene {
    preemptions: 2,
    room: 4,
    steps: &[1],
    one_waker: true,
    is_awake: false,
    others: &[],
};

impl Scene {
    /// Fails if a wake is lost, or an eventfd left open.
    fn loses_nothing(&'static self) {
        explore(self.preemptions, || {
            let (mut poller, first) = if self.is_awake {
                Poller::awake()
            } else {
                Poller::asleep()
            };
            let mut wakers = vec![first];
            for at in 1..self.steps.len() {
                wakers.push(match self.one_waker {
                    true => Arc::clone(&wakers[0]),
                    false => poller.shared.waker(at),
                });
            }
            let kernel = Arc::clone(&poller.shared.kernel);
            let waking: Vec<_> = (wakers.iter().zip(self.steps).enumerate())
                .map(|(thread, (waker, steps))| poller.spawn_waking(thread, waker, *steps))
                .collect();
            let others: Vec<_> = self.others.iter().map(|act| poller.spawn(*act)).collect();
            poller.poll_until(self.room, self.steps);
            join(waking);
            join(others);
            drop((poller, wakers));
            assert_eq!(kernel.open_files(), 0);
        });
    }
}

fn expose(shared: &Shared) {
    shared.side.expose();
}

fn drop_a_waker(shared: &Shared) {
    drop(shared.waker(9));
}

fn wake_and_drop_a_waker(shared: &Shared) {
    shared.waker(9).wake().unwrap();
}

/// Two wakers one after the other, in the same slot, neither of which is ever used.
fn reuse_a_slot(shared: &Shared) {
    drop(shared.waker(8));
    drop(shared.waker(9));
}

macro_rules! scenes {
    ($($name:ident: $scene:expr;)*) => {
        $(
            #[test]
            fn $name() {
                const HERE: &Scene = &$scene;
                HERE.loses_nothing();
            }
        )*
    };
}

#[rustfmt::skip]
scenes! {
    the_last_of_three_wakes_is_reported:
        Scene { steps: &[3], ..SCENE };
    two_threads_share_a_waker:
        Scene { steps: &[2, 2], preemptions: 1, ..SCENE };
    two_threads_wake_an_awake_queue:
        Scene { steps: &[1, 1], is_awake: true, ..SCENE };
    two_wakers_reach_a_buffer_of_one:
        Scene { steps: &[2, 2], one_waker: false, room: 1, ..SCENE };
    two_wakers_reach_a_buffer_of_one_of_an_awake_queue:
        Scene { steps: &[1, 1], one_waker: false, room: 1, is_awake: true, ..SCENE };

    exposing_a_sleeping_queue_loses_no_wake:
        Scene { steps: &[2], others: &[expose], ..SCENE };
    exposing_a_sleeping_queue_loses_no_third_wake:
        Scene { steps: &[3], others: &[expose], ..SCENE };
    exposing_an_awake_queue_loses_no_wake:
        Scene { steps: &[2], is_awake: true, others: &[expose], ..SCENE };
    exposing_a_sleeping_queue_loses_no_wake_of_two_threads:
        Scene { steps: &[2, 1], others: &[expose], preemptions: 1, ..SCENE };
    exposing_a_sleeping_queue_loses_no_wake_of_two_wakers:
        Scene { steps: &[2, 1], one_waker: false, others: &[expose], preemptions: 1, ..SCENE };
    exposing_an_awake_queue_loses_no_wake_of_two_wakers:
        Scene { steps: &[1, 1], one_waker: false, is_awake: true, others: &[expose], preemptions: 1, ..SCENE };
    exposing_with_a_buffer_of_one_loses_no_wake_of_two_wakers:
        Scene { steps: &[1, 1], one_waker: false, room: 1, is_awake: true, others: &[expose], preemptions: 1, ..SCENE };
    two_threads_that_expose_lose_no_wake:
        Scene { steps: &[2], is_awake: true, others: &[expose, expose], preemptions: 1, ..SCENE };

    dropping_another_waker_loses_no_wake:
        Scene { steps: &[2], is_awake: true, others: &[drop_a_waker], ..SCENE };
    dropping_a_woken_waker_loses_no_wake_of_another:
        Scene { steps: &[2], others: &[wake_and_drop_a_waker], ..SCENE };
    dropping_a_woken_waker_loses_no_wake_of_an_awake_queue:
        Scene { steps: &[1], is_awake: true, others: &[wake_and_drop_a_waker], ..SCENE };
    reusing_a_slot_loses_no_wake_of_another:
        Scene { steps: &[2], others: &[reuse_a_slot], ..SCENE };
    exposing_while_a_woken_waker_is_dropped_loses_no_wake:
        Scene { steps: &[1], is_awake: true, others: &[expose, wake_and_drop_a_waker], preemptions: 1, ..SCENE };
    exposing_while_a_slot_is_reused_loses_no_wake:
        Scene { steps: &[1], is_awake: true, others: &[expose, reuse_a_slot], preemptions: 1, ..SCENE };
}

#[test]
fn a_write_that_fails_keeps_no_other_wake_from_writing() {
    explore(2, || {
        let mut poller = Poller::new();
        let shared = &poller.shared;
        let waker = shared.waker_on(Kernel::eventfd(&shared.kernel, 0).fail(1), 0);
        let threads = [0, 1].map(|thread| {
            let waker = Arc::clone(&waker);
            // The thread whose write fails makes the wake again; the other never does.
            poller.spawn(move |shared| {
                shared.proceed(thread, 1);
                while waker.wake().is_err() {}
            })
        });
        poller.poll_until(4, &[1, 1]);
        join(threads);
    });
}

#[test]
fn a_thread_that_stops_before_its_write_holds_up_no_other() {
    explore(2, || {
        let mut poller = Poller::new();
        let shared = &poller.shared;
        // A write that fails is one that never comes.
        let waker = shared.waker_on(Kernel::eventfd(&shared.kernel, 0).fail(1), 0);
        assert_eq!(waker.wake(), Err(WriteFailed));
        let thread = poller.spawn_waking(0, &waker, 2);
        poller.poll_until(4, &[2]);
        join([thread]);
    });
}

/// Exposes a queue while another thread wakes it, and other code waits for its descriptor, for
/// which a pending bit means nothing.
fn exposing_writes_every_wake(queue: fn() -> (Poller, Waker)) {
    explore(3, move || {
        let (poller, waker) = queue();
        let thread = poller.spawn_waking(0, &waker, 2);
        poller.shared.side.expose();
        while !poller.shared.have_come_to(&[2]) {
            poller.shared.kernel.wait(4);
        }
        join([thread]);
    });
}

#[test]
fn exposing_writes_the_pending_wakes_and_all_later_ones() {
    exposing_writes_every_wake(Poller::awake);
}

#[test]
fn exposing_a_sleeping_queue_writes_all_later_wakes() {
    exposing_writes_every_wake(Poller::asleep);
}

#[test]
fn a_pending_wake_whose_write_fails_is_reported_by_the_next_poll() {
    explore(3, || {
        let (mut poller, first) = Poller::awake();
        let shared = &poller.shared;
        let waker = shared.waker_on(Kernel::eventfd(&shared.kernel, 1).fail(1), 1);
        waker.wake().unwrap();
        let exposing = poller.spawn(expose);
        assert_eq!(poller.poll(4, Timeout::None), [1]);
        join([exposing]);
        drop(first);
    });
}

/// Drops a waker whose wake is pending, and makes another one in its slot, of token 2.
fn succeed(shared: &Shared, woken: Waker) -> Waker {
    drop(woken);
    shared.waker(2)
}

#[test]
fn a_waker_that_was_not_woken_is_not_reported_for_the_one_before() {
    for others in [&[][..], &[expose as fn(&Shared)]] {
        explore(2, move || {
            let (mut poller, first) = Poller::awake();
            let woken = poller.shared.waker(1);
            woken.wake().unwrap();
            let thread = poller.spawn(move |shared| {
                let successor = succeed(shared, woken);
                first.wake().unwrap();
                std::mem::forget((successor, first));
            });
            let others: Vec<_> = others.iter().map(|act| poller.spawn(*act)).collect();
            let mut reported = poller.poll(4, Timeout::None);
            join([thread]);
            join(others);
            reported.extend(poller.poll(4, Timeout::Zero));
            assert!(!reported.contains(&2), "reported {reported:?}");
        });
    }
}

#[test]
fn a_waker_is_reported_after_a_wake_if_its_slot_was_used_before() {
    for others in [&[][..], &[expose as fn(&Shared)]] {
        explore(2, move || {
            let (mut poller, _first) = Poller::awake();
            let woken = poller.shared.waker(1);
            woken.wake().unwrap();
            let thread = poller.spawn(move |shared| {
                let successor = succeed(shared, woken);
                successor.wake().unwrap();
                std::mem::forget(successor);
            });
            let others: Vec<_> = others.iter().map(|act| poller.spawn(*act)).collect();
            // Without end if it never is.
            while !poller.poll(4, Timeout::None).contains(&2) {}
            join([thread]);
            join(others);
        });
    }
}

#[test]
fn after_the_last_epoch_every_wake_writes() {
    explore(2, || {
        let mut poller = Poller::with_state(WakeState::near_the_last_epoch());
        let kernel = Arc::clone(&poller.shared.kernel);
        let waker = poller.shared.waker(0);
        let thread = poller.spawn_waking(0, &waker, 3);
        poller.poll_until(4, &[3]);
        join([thread]);
        // More sleeps, if it has not come to the last epoch yet.
        for _ in 0..3 {
            while !poller.poll(4, Timeout::Zero).is_empty() {}
            poller
                .shared
                .side
                .report_or_sleep(true, || Ok::<_, ()>(0))
                .unwrap();
            waker.wake().unwrap();
            poller.poll(4, Timeout::None);
        }
        let writes = kernel.writes();
        waker.wake().unwrap();
        waker.wake().unwrap();
        assert_eq!(kernel.writes(), writes + 2);
    });
}

#[test]
fn in_the_last_epoch_no_slot_is_used_again() {
    explore(1, || {
        let poller = Poller::with_state(WakeState::near_the_last_epoch());
        let (shared, kernel) = (&poller.shared, &poller.shared.kernel);
        // The first that leaves begins the last epoch.
        drop(shared.waker(0));
        let all = (0..SLOTS as usize).map(|token| shared.waker(token));
        drop(all.collect::<Vec<_>>());
        let waker = shared.waker(1);
        for writes in 1..=3 {
            waker.wake().unwrap();
            assert_eq!(kernel.writes(), writes);
        }
    });
}

#[test]
fn an_awake_queue_is_woken_without_a_write() {
    explore(1, || {
        let (mut poller, first) = Poller::awake();
        let second = poller.shared.waker(1);
        let kernel = Arc::clone(&poller.shared.kernel);
        let writes = kernel.writes();
        for waker in [&first, &second, &first] {
            waker.wake().unwrap();
        }
        assert_eq!(poller.poll(4, Timeout::None), [0, 1]);
        // A poll without any time leaves it awake.
        assert_eq!(poller.poll(4, Timeout::Zero), []);
        second.wake().unwrap();
        assert_eq!(poller.poll(4, Timeout::Zero), [1]);
        assert_eq!(kernel.writes(), writes);
    });
}

#[test]
fn polls_without_any_time_lose_no_wake() {
    explore(2, || {
        let (mut poller, waker) = Poller::awake();
        let thread = poller.spawn_waking(0, &waker, 2);
        for _ in 0..2 {
            poller.poll(4, Timeout::Zero);
        }
        poller.poll_until(4, &[2]);
        join([thread]);
    });
}

#[test]
fn each_of_sixteen_slots_is_claimed_once_and_the_last_waker_is_woken() {
    explore(2, || {
        let mut poller = Poller::new();
        let mut wakers: Vec<_> = (1..SLOTS as usize)
            .map(|token| poller.shared.waker(token))
            .collect();
        let threads = [0, 1].map(|thread| {
            poller.spawn(move |shared| {
                let waker = shared.waker(20 + thread);
                shared.wake_in_steps(thread, &waker, 1);
                std::mem::forget(waker);
            })
        });
        poller.poll_until(32, &[1, 1]);
        join(threads);
        // Without the last of those that have a slot, the others are as before.
        drop(wakers.pop());
        for waker in &wakers {
            waker.wake().unwrap();
        }
        let count = wakers.len();
        let mut reported = poller.poll(32, Timeout::Zero);
        reported.retain(|token| *token < 20);
        reported.sort();
        assert_eq!(reported, (1..=count).collect::<Vec<_>>());
    });
}

#[test]
fn the_eventfd_of_a_dropped_waker_is_closed() {
    for awake in [false, true] {
        explore(2, move || {
            let (poller, waker) = Poller::awake();
            let other = poller.shared.waker(1);
            let kernel = Arc::clone(&poller.shared.kernel);
            if awake {
                other.wake().unwrap();
            }
            let threads = [poller.spawn(expose), poller.spawn(move |_| drop(other))];
            drop(waker);
            join(threads);
            assert_eq!(kernel.open_files(), 0);
            drop(poller);
        });
    }
}
