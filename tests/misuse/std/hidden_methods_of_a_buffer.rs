// What a bound shows of its supertrait, without the argument that only epore can make.
fn room<B: epore::EventBuffer>(buffer: &mut B) -> usize {
    buffer.clear_and_lend().len()
    //~ ERROR error[E0061]: this method takes 1 argument but 0 arguments were supplied
}

fn made_up<B: epore::EventBuffer>(buffer: &mut B) {
    buffer.add(epore::Event::new(1, 2));
    //~ ERROR error[E0061]: this method takes 2 arguments but 1 argument was supplied
}

fn never_written<B: epore::EventBuffer>(buffer: &mut B) {
    unsafe { buffer.set_len(1) };
    //~ ERROR error[E0061]: this method takes 2 arguments but 1 argument was supplied
}

fn main() {
    let mut events = epore::Events::<4>::new();
    room(&mut events);
    made_up(&mut events);
    never_written(&mut events);
}
