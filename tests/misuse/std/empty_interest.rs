use epore::Interest;

fn main() {
    let _ = Interest::default();
    //~ ERROR error[E0599]: … named `default` found for struct `Interest`
    let _: Interest = 0u32.into();
    //~ ERROR error[E0277]: the trait bound `Interest: From<u32>` is not satisfied
    let _ = Interest(0);
    //~ ERROR error[E0423]: cannot initialize a tuple struct which contains private fields
    let _ = Interest::READABLE & Interest::WRITABLE;
    //~ ERROR error[E0369]: no implementation for `Interest & Interest`
    let _ = !Interest::READABLE;
    //~ ERROR error[E0600]: cannot apply unary operator `!` to type `Interest`
}
