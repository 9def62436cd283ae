//! A program with std's types, whose library `plain` asks for none of them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

fn main() -> io::Result<()> {
    let (near, _far) = std::os::unix::net::UnixStream::pair()?;
    let descriptor: OwnedFd = near.try_clone()?.into();
    let second = plain::second(&descriptor)?;
    let others = plain::others(near.as_fd(), &near)?;
    println!("{} duplicates", [second].len() + others.len());

    let (near, far) = epore::net::UnixStream::pair()?;
    let (head, tail) = plain::slices(&near, &far)?;
    assert_eq!((&head, &tail), (b"ab", b"cde"));
    assert_eq!(plain::tokens()?.len(), 1);
    assert_eq!(io::Error::from(plain::error()).raw_os_error(), Some(22));
    Ok(())
}
