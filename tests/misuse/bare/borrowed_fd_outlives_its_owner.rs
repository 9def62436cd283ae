use epore::fd::AsFd;
use epore::sys;

fn main() {
    let counter = sys::eventfd2(0, 0).unwrap();
    let borrowed = counter.as_fd();
    drop(counter);
    //~ ERROR error[E0505]: cannot move out of `counter` because it is borrowed
    sys::write(borrowed, &[0; 8]).unwrap();

    let borrowed = sys::eventfd2(0, 0).unwrap().as_fd();
    //~ ERROR error[E0716]: temporary value dropped while borrowed
    sys::write(borrowed, &[0; 8]).unwrap();
}
