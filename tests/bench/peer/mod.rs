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
/// `each_peer!(layout, |n| ready(n, &sources))` is an array of `(name, closure)`, of which
/// each calls `ready::<…, layout>(n, &sources)`.
#[macro_export]
macro_rules! each_peer {
    ($layout:expr, |$n:ident| $function:ident $arguments:tt) => {
        $crate::each_peer!(@ $layout, $n $function $arguments Asm Epore Rustix Libc Mio Polling)
    };
    (@ $layout:expr, $n:ident $function:ident $arguments:tt $($peer:ident)*) => {
        [$((
            <$crate::peer::$peer as $crate::queue::Queue>::NAME,
            match $layout {
                0 => $crate::each_peer!(@@ 0, $n $function $arguments $peer),
                1 => $crate::each_peer!(@@ 1, $n $function $arguments $peer),
                2 => $crate::each_peer!(@@ 2, $n $function $arguments $peer),
                3 => $crate::each_peer!(@@ 3, $n $function $arguments $peer),
                4 => $crate::each_peer!(@@ 4, $n $function $arguments $peer),
                5 => $crate::each_peer!(@@ 5, $n $function $arguments $peer),
                6 => $crate::each_peer!(@@ 6, $n $function $arguments $peer),
                _ => $crate::each_peer!(@@ 7, $n $function $arguments $peer),
            },
        )),*]
    };
    (@@ $layout:literal, $n:ident $function:ident ($($argument:expr),*) $peer:ident) => {
        Box::new(|$n| $function::<$crate::peer::$peer, $layout>($($argument),*))
            as $crate::measure::Run<'_>
    };
}
