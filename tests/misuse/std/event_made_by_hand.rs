fn main() {
    let _ = epore::Event { events: 1, data: 0 };
    //~ ERROR error[E0451]: fields `events` and `data` of struct … are private
}
