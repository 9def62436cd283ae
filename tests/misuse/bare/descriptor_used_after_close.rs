use epore::fd::{AsFd, IntoRawFd};
use epore::sys;

fn main() {
    let counter = sys::eventfd2(0, 0).unwrap();
    sys::close(counter).unwrap();
    sys::write(counter.as_fd(), &[0; 8]).unwrap();
    //~ ERROR error[E0382]: borrow of moved value: `counter`

    let counter = sys::eventfd2(0, 0).unwrap();
    let _number = counter.into_raw_fd();
    drop(counter);
    //~ ERROR error[E0382]: use of moved value: `counter`
}
