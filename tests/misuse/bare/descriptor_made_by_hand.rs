fn main() {
    let _made = epore::fd::OwnedFd { fd: 3 };
    //~ ERROR error[E0451]: field `fd` of struct … OwnedFd` is private
}
