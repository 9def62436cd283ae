//! A lost wake is a wait without end, which loom reports as a deadlock.

use crate::wakes::{PLACES, Wakes};
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// Edge-triggered eventfds and a queue that watches them. Whoever waits sees what was
/// done before the write; so it is in the kernel, which takes a lock for either.
struct Kernel {
    /// Reported by the next wait, the first one first.
    ready: Mutex<Vec<u32>>,
    written: Condvar,
}

impl Kernel {
    fn write(&self, place: u32) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&place) {
            ready.push(place);
        }
        self.written.notify_all();
    }

    /// A wait without end, for so many events at most.
    fn wait(&self, room: usize) -> Vec<u32> {
        let mut ready = self.ready.lock().unwrap();
        while ready.is_empty() {
            ready = self.written.wait(ready).unwrap();
        }
        first(room, &mut ready)
    }

    /// A wait without any time.
    fn look(&self, room: usize) -> Vec<u32> {
        first(room, &mut self.ready.lock().unwrap())
    }
}

fn first(room: usize, ready: &mut Vec<u32>) -> Vec<u32> {
    let count = room.min(ready.len());
    ready.drain(..count).collect()
}

struct Queue {
    wakes: Wakes,
    kernel: Kernel,
    /// How far each thread has come, as it was told before it woke.
    progress: [AtomicUsize; 3],
}

impl Queue {
    fn new() -> Arc<Self> {
        let kernel = Kernel {
            ready: Mutex::new(Vec::new()),
            written: Condvar::new(),
        };
        Arc::new(Self {
            wakes: Wakes::new(),
            kernel,
            progress: [0; 3].map(AtomicUsize::new),
        })
    }

    /// As `Waker::wake`.
    fn wake(&self, place: u32) {
        if let Some(period) = self.wakes.ask(place) {
            self.kernel.write(place);
            self.wakes.told(place, period);
        }
    }

    /// Proceeds so many times, and wakes each time.
    fn wake_in_steps(&self, thread: usize, place: u32, steps: usize) {
        for step in 1..=steps {
            self.proceed(thread, step);
            self.wake(place);
        }
    }

    /// As `Poll::poll`.
    fn poll(&self, room: usize) -> Vec<u32> {
        while self.wakes.noted_or_asleep() {
            let mut events = self.kernel.look(room - 1);
            events.extend(self.wakes.take(room - events.len(), 0));
            if !events.is_empty() {
                return events;
            }
        }
        let events = self.kernel.wait(room);
        self.wakes.harvested();
        events
    }

    /// As `Registry::as_fd`.
    fn lend(&self) {
        if !self.wakes.is_lent() {
            for place in self.wakes.lend() {
                self.kernel.write(place);
            }
        }
    }

    fn progress(&self, thread: usize) -> usize {
        self.progress[thread].load(Ordering::Relaxed)
    }

    fn proceed(&self, thread: usize, to: usize) {
        self.progress[thread].store(to, Ordering::Relaxed);
    }

    /// Waits until all threads have come this far. What it never sees, it waits for
    /// without end.
    fn see(&self, room: usize, all: &[usize]) {
        while (all.iter().enumerate()).any(|(thread, goal)| self.progress(thread) < *goal) {
            self.poll(room);
        }
    }
}

/// Tries every order, but for those in which threads take turns more than `turns` times
/// where they need not.
fn explore(turns: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(turns);
    builder.check(model);
}

fn spawn(queue: &Arc<Queue>, act: impl FnOnce(&Queue) + 'static) -> thread::JoinHandle<()> {
    let queue = Arc::clone(queue);
    thread::spawn(move || act(&queue))
}

fn join(thread: thread::JoinHandle<()>) {
    thread.join().unwrap();
}

#[test]
fn a_shared_waker_loses_no_wake_of_two_threads() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        let threads = [0, 1].map(|thread| {
            spawn(&queue, move |queue| {
                queue.wake_in_steps(thread, place, 1);
            })
        });
        queue.see(4, &[1, 1]);
        threads.into_iter().for_each(join);
    });
}

#[test]
fn the_last_of_several_wakes_is_reported() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        let thread = spawn(&queue, move |queue| {
            queue.wake_in_steps(0, place, 3);
        });
        queue.see(4, &[3]);
        join(thread);
    });
}

#[test]
fn threads_that_wake_again_and_again_lose_nothing() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        let threads = [0, 1].map(|thread| {
            spawn(&queue, move |queue| {
                queue.wake_in_steps(thread, place, 2);
            })
        });
        queue.see(4, &[2, 2]);
        threads.into_iter().for_each(join);
    });
}

#[test]
fn a_buffer_of_one_reaches_each_of_two_wakers() {
    explore(2, || {
        let queue = Queue::new();
        let threads = [0, 1].map(|thread| {
            let place = queue.wakes.take_place().unwrap();
            spawn(&queue, move |queue| {
                queue.wake_in_steps(thread, place, 2);
            })
        });
        queue.see(1, &[2, 2]);
        threads.into_iter().for_each(join);
    });
}

#[test]
fn no_wake_relies_on_a_thread_that_is_held_up() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        let held_up = spawn(&queue, move |queue| {
            // It never comes to write; or its write fails.
            queue.wakes.ask(place);
        });
        let thread = spawn(&queue, move |queue| {
            queue.wake_in_steps(0, place, 2);
        });
        queue.see(4, &[2]);
        join(held_up);
        join(thread);
    });
}

#[test]
fn whoever_noted_a_write_too_late_misleads_nobody() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        // Its note may come after the awakening, when another has begun to wake.
        let late = spawn(&queue, move |queue| queue.wake(place));
        let thread = spawn(&queue, move |queue| {
            queue.wake_in_steps(0, place, 1);
        });
        // One whose write failed.
        queue.wakes.ask(place);
        queue.see(4, &[1]);
        join(late);
        join(thread);
    });
}

#[test]
fn what_is_lent_is_told_of_every_time() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        let thread = spawn(&queue, move |queue| {
            queue.wake_in_steps(0, place, 2);
        });
        queue.lend();
        // Somebody else waits, for whom nothing is noted.
        while queue.progress(0) < 2 {
            queue.kernel.wait(4);
        }
        join(thread);
    });
}

#[test]
fn what_was_noted_before_the_lending_is_written() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        queue.wake(place);
        queue.poll(4);
        let thread = spawn(&queue, move |queue| {
            queue.wake_in_steps(0, place, 2);
        });
        queue.lend();
        while queue.progress(0) < 2 {
            queue.kernel.wait(4);
        }
        join(thread);
    });
}

#[test]
fn a_lending_by_another_thread_loses_nothing_of_the_queue() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        queue.wake(place);
        queue.poll(4);
        let thread = spawn(&queue, move |queue| {
            queue.wake_in_steps(0, place, 1);
        });
        let lender = spawn(&queue, Queue::lend);
        queue.see(4, &[1]);
        join(thread);
        join(lender);
    });
}

#[test]
fn a_queue_that_is_awake_hears_of_wakes_without_a_write() {
    explore(2, || {
        let queue = Queue::new();
        let places = [0; 2].map(|_| queue.wakes.take_place().unwrap());
        queue.wake(places[0]);
        assert_eq!(queue.poll(4), [places[0]]);

        for place in places {
            queue.wake(place);
        }
        assert!(queue.kernel.ready.lock().unwrap().is_empty());
        assert_eq!(queue.poll(4), places);
        assert!(!queue.wakes.noted_or_asleep());
    });
}

#[test]
fn a_queue_that_falls_asleep_hears_of_both_who_wake_it() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        queue.wake(place);
        queue.poll(4);
        let threads = [0, 1].map(|thread| {
            spawn(&queue, move |queue| {
                queue.wake_in_steps(thread, place, 1);
            })
        });
        queue.see(4, &[1, 1]);
        threads.into_iter().for_each(join);
    });
}

#[test]
fn the_next_waker_of_a_place_is_told_of() {
    explore(2, || {
        let queue = Queue::new();
        let place = queue.wakes.take_place().unwrap();
        queue.wake(place);
        let thread = spawn(&queue, move |queue| {
            queue.wakes.leave_place(place);
            // With the waker goes what was not yet reported of it.
            queue.kernel.ready.lock().unwrap().clear();
            let place = queue.wakes.take_place().unwrap();
            queue.wake_in_steps(0, place, 1);
        });
        queue.see(4, &[1]);
        join(thread);
    });
}

#[test]
fn no_two_wakers_have_one_place() {
    explore(2, || {
        let queue = Queue::new();
        for _ in 1..PLACES {
            queue.wakes.take_place().unwrap();
        }
        let threads = [0, 1].map(|thread| {
            spawn(&queue, move |queue| {
                if let Some(place) = queue.wakes.take_place() {
                    assert_eq!(place, PLACES - 1);
                    queue.proceed(thread, 1);
                }
            })
        });
        threads.into_iter().for_each(join);
        assert_eq!(queue.progress(0) + queue.progress(1), 1);
        assert_eq!(queue.wakes.take_place(), None);
    });
}
