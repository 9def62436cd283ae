//! One file each.

mod asm;
mod epore;
mod libc;
mod mio;
mod polling;
mod rustix;

pub use self::asm::Asm;
pub use self::epore::Epore;
pub use self::libc::Libc;
pub use self::mio::Mio;
pub use self::polling::Polling;
pub use self::rustix::Rustix;

/// Calls a generic function for each peer, as a closure of its own type: what is
/// measured is compiled for the one peer, with all that can be inlined.
///
/// `each_peer!(|n| ready(n, &sources))` is an array of `(name, closure)`, of which
/// each calls `ready::<…>(n, &sources)`.
#[macro_export]
macro_rules! each_peer {
    (|$n:ident| $function:ident $arguments:tt) => {
        $crate::each_peer!(@ $n $function $arguments Asm Epore Rustix Libc Mio Polling)
    };
    (@ $n:ident $function:ident $arguments:tt $($peer:ident)*) => {
        [$($crate::each_peer!(@@ $n $function $arguments $peer)),*]
    };
    (@@ $n:ident $function:ident ($($argument:expr),*) $peer:ident) => {
        (
            <$crate::peer::$peer as $crate::queue::Queue>::NAME,
            Box::new(|$n| $function::<$crate::peer::$peer>($($argument),*))
                as $crate::measure::Run<'_>,
        )
    };
}
