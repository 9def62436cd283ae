use epore::Timer;
use epore::fd::AsFd;

fn main() {
    let borrowed = Timer::new().unwrap().as_fd();
    //~ ERROR error[E0716]: temporary value dropped while borrowed
    epore::sys::timerfd_gettime(borrowed).unwrap();
}
