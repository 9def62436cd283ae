use epore::fd::{BorrowedFd, FromRawFd, OwnedFd};

fn main() {
    let _owned = OwnedFd::from_raw_fd(3);
    //~ ERROR error[E0133]: call to unsafe function … from_raw_fd` is unsafe
    let _borrowed = BorrowedFd::borrow_raw(3);
    //~ ERROR error[E0133]: call to unsafe function … borrow_raw` is unsafe
}
