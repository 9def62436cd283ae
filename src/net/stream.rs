//! What streams of both kinds do alike.

/// Reading, writing and ending, and std's traits for them.
macro_rules! stream {
    ($name:ident) => {
        impl $name {
            /// Reads what is there, up to the length of `buf`; 0 is the end of the stream.
            ///
            /// # Errors
            ///
            /// - `EAGAIN`: nothing is there yet.
            /// - `ECONNRESET`: the peer has reset the connection.
            /// - `ENOTCONN`: not connected.
            /// - `EINTR`: a signal was handled.
            #[inline]
            pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
                sys::read(self.socket.as_fd(), buf)
            }

            /// Reads into several slices with one call, each filled before the next. Of
            /// more than 1024, the first 1024.
            ///
            /// # Errors
            ///
            /// As [`read`](Self::read).
            #[doc(alias = "readv")]
            #[inline]
            pub fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
                let count = bufs.len().min(UIO_MAXIOV);
                sys::readv(self.socket.as_fd(), &mut bufs[..count])
            }

            /// Reads what is there, and leaves it there to be read.
            ///
            /// # Errors
            ///
            /// As [`read`](Self::read).
            #[doc(alias = "MSG_PEEK")]
            #[inline]
            pub fn peek(&self, buf: &mut [u8]) -> Result<usize> {
                let (count, _) = sys::recvfrom(self.socket.as_fd(), buf, MSG_PEEK)?;
                Ok(count)
            }

            /// Writes what there is room for, and returns how much of `buf` that was.
            ///
            /// A peer that is gone is an error and never a `SIGPIPE`.
            ///
            /// # Errors
            ///
            /// - `EAGAIN`: there is no room, or the connect is still under way.
            /// - `EPIPE`: shut down, or closed by the peer.
            /// - `ECONNRESET`: the peer has reset the connection.
            /// - `ENOTCONN`: not connected.
            /// - `EINTR`: a signal was handled.
            #[inline]
            pub fn write(&self, buf: &[u8]) -> Result<usize> {
                sys::sendto(self.socket.as_fd(), buf, MSG_NOSIGNAL, None)
            }

            /// Writes several slices with one call, one after the other, and returns how
            /// many bytes of them there was room for. Of more than 1024, the first 1024.
            ///
            /// # Errors
            ///
            /// As [`write`](Self::write).
            #[doc(alias = "writev")]
            #[inline]
            pub fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> Result<usize> {
                let count = bufs.len().min(UIO_MAXIOV);
                sys::sendmsg(self.socket.as_fd(), &bufs[..count], MSG_NOSIGNAL)
            }

            /// Ends reading, writing, or both.
            ///
            /// # Errors
            ///
            /// - `ENOTCONN`: over TCP, not connected, or no more.
            pub fn shutdown(&self, how: Shutdown) -> Result<()> {
                how.apply(&self.socket)
            }
        }

        with_std!($name, $name);
        with_std!($name, &$name);
    };
}

macro_rules! with_std {
    ($name:ident, $($this:tt)+) => {
        #[cfg(feature = "std")]
        impl std::io::Read for $($this)+ {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                Ok($name::read(self, buf)?)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> std::io::Result<usize> {
                Ok($name::read_vectored(self, bufs)?)
            }
        }

        #[cfg(feature = "std")]
        impl std::io::Write for $($this)+ {
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                Ok($name::write(self, buf)?)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> std::io::Result<usize> {
                Ok($name::write_vectored(self, bufs)?)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}
