use epore::{Event, Events};

fn main() {
    let events = Events::<8>::new();
    for event in events {
        //~ ERROR error[E0277]: `Events<8>` is not an iterator
        drop::<Event>(event);
    }
}
