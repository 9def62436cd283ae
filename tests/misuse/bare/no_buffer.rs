use epore::{Event, Poll};

fn main() {
    let mut queue = Poll::new().unwrap();
    queue.poll(&mut [0u64; 8], None).unwrap();
    //~ ERROR error[E0277]: `[u64; 8]` cannot hold events
    //~ NOTE `Events<N>` holds up to N of them inline; `Vec<Event>` does with the feature `alloc` of epore
    queue
        .poll(&mut Vec::<Event>::with_capacity(8), None)
        .unwrap();
    //~ ERROR error[E0277]: `Vec<EpollEvent>` cannot hold events
}
