//! A model of the kernel: edge-triggered eventfds, and the one queue that watches them.

use crate::Result;
use loom::sync::{Condvar, Mutex};
use std::cell::Cell;
use std::sync::Arc;

/// What a write is refused with, where a model asks for that.
#[derive(Debug, PartialEq)]
pub(crate) struct WriteFailed;

/// Every operation takes one lock, as the kernel does, so a thread that gets an event sees what
/// was done before the write.
#[derive(Debug)]
pub(crate) struct Kernel {
    files: Mutex<Files>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Files {
    opened: usize,
    closed: usize,
    writes: usize,
    /// The eventfds whose events the next wait returns, and their tokens, in order.
    ready: Vec<(usize, usize)>,
}

impl Kernel {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            files: Mutex::new(Files::default()),
            written: Condvar::new(),
        })
    }

    pub(crate) fn eventfd(kernel: &Arc<Self>, token: usize) -> WakeFd {
        let mut files = kernel.files.lock().unwrap();
        files.opened += 1;
        WakeFd {
            kernel: Arc::clone(kernel),
            id: files.opened,
            token,
            failures: Cell::new(0),
        }
    }

    /// Blocks until there are events, and takes up to `room` of them.
    pub(crate) fn wait(&self, room: usize) -> Vec<usize> {
        let mut files = self.files.lock().unwrap();
        while files.ready.is_empty() {
            files = self.written.wait(files).unwrap();
        }
        files.take(room)
    }

    /// Takes up to `room` events that are there.
    pub(crate) fn look(&self, room: usize) -> Vec<usize> {
        self.files.lock().unwrap().take(room)
    }

    pub(crate) fn writes(&self) -> usize {
        self.files.lock().unwrap().writes
    }

    pub(crate) fn open_files(&self) -> usize {
        let files = self.files.lock().unwrap();
        files.opened - files.closed
    }
}

impl Files {
    fn take(&mut self, room: usize) -> Vec<usize> {
        let count = room.min(self.ready.len());
        self.ready.drain(..count).map(|(_, token)| token).collect()
    }
}

/// In place of the library's `WakeFd`.
#[derive(Debug)]
pub(crate) struct WakeFd {
    kernel: Arc<Kernel>,
    id: usize,
    token: usize,
    failures: Cell<usize>,
}

impl WakeFd {
    /// Has the next writes fail.
    pub(crate) fn fail(self, times: usize) -> Self {
        self.failures.set(times);
        self
    }

    pub(crate) fn notify(&self) -> Result<()> {
        let mut files = self.kernel.files.lock().unwrap();
        if let Some(left) = self.failures.get().checked_sub(1) {
            self.failures.set(left);
            return Err(WriteFailed);
        }
        files.writes += 1;
        if !files.ready.iter().any(|(id, _)| *id == self.id) {
            files.ready.push((self.id, self.token));
        }
        self.kernel.written.notify_all();
        Ok(())
    }
}

/// Closing it ends its registration.
impl Drop for WakeFd {
    fn drop(&mut self) {
        // A model that has failed ends without another step.
        if std::thread::panicking() {
            return;
        }
        let mut files = self.kernel.files.lock().unwrap();
        files.ready.retain(|(id, _)| *id != self.id);
        files.closed += 1;
    }
}
