//! Paths that no other test uses.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A path at which nothing is yet. What is there in the end is removed.
pub struct Fresh(PathBuf);

impl Fresh {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("epore-test-{}-{count}", process::id())))
    }
}

impl AsRef<Path> for Fresh {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<[u8]> for Fresh {
    fn as_ref(&self) -> &[u8] {
        OsStr::as_bytes(self.0.as_os_str())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
