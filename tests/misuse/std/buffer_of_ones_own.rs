struct Buffer;

impl epore::EventBuffer for Buffer {}
//~ ERROR error[E0277]: … sealed::Sealed` is not satisfied
//~ NOTE `EventBuffer` is a "sealed trait"

fn main() {}
