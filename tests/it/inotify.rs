//! What happens to files, as events.

use crate::common;

use common::kernel;
use common::queue::{expect_event, expect_silence, watching};
use epore::fd::AsFd;
use epore::inotify::{
    FileEvent, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_IGNORED, IN_ISDIR, IN_MOVED_FROM,
    IN_MOVED_TO, IN_ONLYDIR, Inotify, Watch,
};
use epore::{Errno, Interest, sys};
use std::env;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;

/// A directory that is removed when the test is over.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("epore-{}-{test}", process::id()));
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    fn path(&self) -> CString {
        text(&self.0)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no zero in it")
}

/// What has happened: where, what, and the name.
fn happened(inotify: &Inotify) -> Vec<(Watch, u32, String)> {
    let mut buf = [0; 4096];
    let all = inotify.read(&mut buf).unwrap();
    let plain = |event: FileEvent<'_>| {
        let name = event.name.to_str().expect("a name of ours");
        (event.watch, event.mask, name.to_owned())
    };
    all.map(plain).collect()
}

#[test]
fn what_happens_in_a_directory_is_reported_with_its_name() {
    let directory = Directory::new("names");
    let inotify = Inotify::new().unwrap();
    let watch = inotify
        .add(&directory.path(), IN_CREATE | IN_DELETE | IN_CLOSE_WRITE)
        .unwrap();
    let mut queue = watching(&inotify, Interest::READABLE);
    expect_silence(&mut queue);
    assert_eq!(happened(&inotify), []);

    // With padding of every length.
    for length in 1..=33 {
        let name = "n".repeat(length);
        fs::write(directory.file(&name), "text").unwrap();
        assert!(expect_event(&mut queue).is_readable());
        let expected = [
            (watch, IN_CREATE, name.clone()),
            (watch, IN_CLOSE_WRITE, name),
        ];
        assert_eq!(happened(&inotify), expected);
        expect_silence(&mut queue);
    }
    fs::create_dir(directory.file("inner")).unwrap();
    fs::remove_dir(directory.file("inner")).unwrap();
    let of_inner = |mask| (watch, mask | IN_ISDIR, "inner".to_owned());
    assert_eq!(happened(&inotify), [IN_CREATE, IN_DELETE].map(of_inner));
}

#[test]
fn a_file_that_is_watched_itself_has_no_name() {
    let directory = Directory::new("itself");
    let file = directory.file("file");
    fs::write(&file, "").unwrap();
    let inotify = Inotify::new().unwrap();
    let watch = inotify.add(&text(&file), IN_CLOSE_WRITE).unwrap();
    fs::write(&file, "text").unwrap();
    assert_eq!(happened(&inotify), [(watch, IN_CLOSE_WRITE, String::new())]);
}

#[test]
fn a_move_is_two_events_of_one_cookie() {
    let (from, to) = (Directory::new("from"), Directory::new("to"));
    let inotify = Inotify::new().unwrap();
    let mask = IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
    let watches = [&from, &to].map(|it| inotify.add(&it.path(), mask).unwrap());
    fs::write(from.file("old"), "").unwrap();
    fs::rename(from.file("old"), to.file("new")).unwrap();
    let mut buf = [0; 4096];
    let events = Vec::from_iter(inotify.read(&mut buf).unwrap());
    let [left, came] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (left.watch, left.mask, left.name),
        (watches[0], IN_MOVED_FROM, c"old")
    );
    assert_eq!(
        (came.watch, came.mask, came.name),
        (watches[1], IN_MOVED_TO, c"new")
    );
    assert_eq!(left.cookie, came.cookie);
    assert_ne!(left.cookie, 0);
}

#[test]
fn a_watch_ends_when_it_is_removed_and_with_what_it_watches() {
    let (kept, gone) = (Directory::new("kept"), Directory::new("gone"));
    let inotify = Inotify::new().unwrap();
    let watch = inotify.add(&kept.path(), IN_CREATE).unwrap();
    let other = inotify.add(&gone.path(), IN_CREATE).unwrap();
    assert_ne!(watch, other);
    inotify.remove(watch).unwrap();
    drop(gone);
    let ends = |watch| (watch, IN_IGNORED, String::new());
    assert_eq!(happened(&inotify), [watch, other].map(ends));
    fs::write(kept.file("unseen"), "").unwrap();
    assert_eq!(happened(&inotify), []);
    for watch in [watch, other] {
        let error = inotify.remove(watch).unwrap_err();
        assert_eq!(
            (error.syscall(), error.errno()),
            ("inotify_rm_watch", Errno::EINVAL)
        );
    }
}

#[test]
fn what_is_watched_again_is_the_same_watch_with_another_mask() {
    let directory = Directory::new("again");
    let inotify = Inotify::new().unwrap();
    let first = inotify.add(&directory.path(), IN_CREATE).unwrap();
    let mut longer = directory.path().into_bytes();
    longer.extend(b"/.");
    let second = inotify
        .add(&CString::new(longer).unwrap(), IN_DELETE)
        .unwrap();
    assert_eq!(first, second);
    fs::write(directory.file("it"), "").unwrap();
    fs::remove_file(directory.file("it")).unwrap();
    assert_eq!(happened(&inotify), [(first, IN_DELETE, "it".to_owned())]);
}

#[test]
fn a_short_buffer_gets_what_fits_and_loses_nothing() {
    let directory = Directory::new("short");
    let inotify = Inotify::new().unwrap();
    inotify.add(&directory.path(), IN_CREATE).unwrap();
    for name in ["first", "second"] {
        fs::write(directory.file(name), "").unwrap();
    }
    for too_short in 0..32 {
        let error = inotify.read(&mut vec![0; too_short]).unwrap_err();
        assert_eq!((error.syscall(), error.errno()), ("read", Errno::EINVAL));
        assert!(error.to_string().contains("too short"), "{error}");
    }
    for name in [c"first", c"second"] {
        // One that begins anywhere in memory, with room for less than two.
        let mut buf = [0xaa; 64];
        let mut events = inotify.read(&mut buf[1..64]).unwrap();
        assert_eq!(events.next().unwrap().name, name);
        assert_eq!(events.next(), None);
    }
    assert!(
        inotify
            .read(&mut [])
            .is_ok_and(|mut none| none.next().is_none())
    );
}

#[test]
fn what_cannot_be_watched_says_why() {
    let inotify = Inotify::new().unwrap();
    let errno = |path: &CStr, mask| inotify.add(path, mask).unwrap_err().errno();
    assert_eq!(errno(c"/nowhere/to/be/found", IN_CREATE), Errno::ENOENT);
    assert_eq!(
        errno(c"/proc/self/exe", IN_CREATE | IN_ONLYDIR),
        Errno::ENOTDIR
    );
    let says = |mask, errno, reason| {
        let error = inotify.add(c"/", mask).unwrap_err();
        assert_eq!((error.errno(), error.reason()), (errno, Some(reason)));
    };
    let unknown = 1 << 27;
    for mask in [0, unknown] {
        says(
            mask,
            Errno::EINVAL,
            "the mask has no bit that inotify knows",
        );
    }
    let both = sys::IN_MASK_ADD | sys::IN_MASK_CREATE;
    let reason = "IN_MASK_ADD and IN_MASK_CREATE exclude each other";
    for mask in [both, both | IN_CREATE] {
        says(mask, Errno::EINVAL, reason);
    }
    inotify.add(c"/", IN_CREATE).unwrap();
    let reason = "the file is watched already, and IN_MASK_CREATE is set";
    says(IN_CREATE | sys::IN_MASK_CREATE, Errno::EEXIST, reason);
    let flags = sys::inotify_init1(1).unwrap_err();
    assert_eq!(
        (flags.syscall(), flags.errno()),
        ("inotify_init1", Errno::EINVAL)
    );
    let counter = sys::eventfd2(0, 0).unwrap();
    let other = sys::inotify_add_watch(counter.as_fd(), c"/", IN_CREATE).unwrap_err();
    assert_eq!(other.errno(), Errno::EINVAL);
}

#[test]
fn it_is_non_blocking_and_closed_on_exec() {
    let inotify = Inotify::new().unwrap();
    assert!(kernel::is_nonblocking(&inotify) && kernel::is_closed_on_exec(&inotify));
}
