//! What the runtime does for a machine as its first process, it does for nobody else.
//! That it does it there, `tests/kernel/pid1` shows.

use crate::common;

use std::thread;
use syscalls::{Sysno, syscall};

/// Has the processes that this thread starts be the first of namespaces of their own.
fn enter_new_namespace() -> Result<(), syscalls::Errno> {
    const CLONE_NEWPID: usize = 0x2000_0000;

    // SAFETY: no memory; it changes nothing for this thread itself.
    unsafe { syscall!(Sysno::unshare, CLONE_NEWPID) }?;
    Ok(())
}

#[test]
fn the_first_process_of_a_container_ends_like_any_other() {
    let mut demo = common::demo();
    demo.stdout(std::process::Stdio::piped());
    // In a thread that ends with it: in such a thread no other can be started.
    let child = thread::spawn(move || {
        enter_new_namespace()?;
        Ok::<_, syscalls::Errno>(demo.spawn().expect("the demo"))
    });
    let output = match child.join().expect("the thread") {
        Ok(child) => common::finish(child),
        Err(errno) => return common::left_out("the demo as a container's first process", errno),
    };
    // Switched off, it would end by a signal.
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains("power off"), "{text}");
}
