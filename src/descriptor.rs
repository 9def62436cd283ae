/// Lends the descriptor that the type owns.
macro_rules! descriptor {
    ($name:ident, $field:ident) => {
        impl crate::fd::AsFd for $name {
            #[inline]
            fn as_fd(&self) -> crate::fd::BorrowedFd<'_> {
                crate::fd::AsFd::as_fd(&self.$field)
            }
        }

        impl crate::fd::AsRawFd for $name {
            #[inline]
            fn as_raw_fd(&self) -> crate::fd::RawFd {
                crate::fd::AsRawFd::as_raw_fd(&self.$field)
            }
        }
    };
}
