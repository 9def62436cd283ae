use epore::{Event, Events};

fn main() {
    let mut events = Events::<8>::new();
    events[0] = Event::new(1, 0);
    //~ ERROR error[E0594]: cannot assign to data in dereference of `Events<8>`
}
