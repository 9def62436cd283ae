# The faults, each with the programs that have to notice it. Read by `run`.
# shellcheck shell=bash

# The layout is asserted at compile time; these take the assertions away as well, to
# see whether the tests notice without them.
unasserted=(
    src/sys/epoll.rs 'const_assert_eq!(
    mem::size_of::<EpollEvent>(),' 'const _: () = ();
macro_rules! never { ($($t:tt)*) => {} }
never!(
    mem::size_of::<EpollEvent>(),'
    src/sys/epoll.rs 'const_assert_eq!(
    mem::align_of::<EpollEvent>(),' 'never!(
    mem::align_of::<EpollEvent>(),'
    src/sys/epoll.rs 'const_assert_eq!(
    mem::offset_of!(EpollEvent, data),' 'never!(
    mem::offset_of!(EpollEvent, data),'
)

fault layout-asserted '!native' abi \
    src/sys/epoll.rs 'target_arch = "x86_64", repr(C, packed)' 'target_arch = "x86_64", repr(C)'
fault unpacked-on-x86_64 native 'abi notes' "${unasserted[@]}" \
    src/sys/epoll.rs 'target_arch = "x86_64", repr(C, packed)' 'target_arch = "x86_64", repr(C)'
fault packed-on-aarch64 arm64 'abi notes' "${unasserted[@]}" \
    src/sys/epoll.rs 'not(target_arch = "x86_64"), repr(C))' 'not(target_arch = "x86_64"), repr(C, packed))'
fault wrong-number-in-the-table '!native' abi \
    src/sys/number.rs 'epoll_ctl               4         233       21' 'epoll_ctl               4         234       21'
fault wrong-number-for-the-wait native 'poll abi' \
    src/sys/epoll.rs 'count!(epoll_wait, max, epfd' 'count!(epoll_create1, max, epfd'
fault wrong-number-for-the-pwait '!both' 'abi' \
    src/sys/epoll.rs '            epoll_pwait,' '            epoll_pwait2,'
fault sigsetsize-16 both 'abi' \
    src/sys/epoll.rs '            sigmask,
            mem::size_of::<SigSet>()
        )
    }?;
    // SAFETY: it wrote that many, and `count!` has clamped them to `max`.
    Ok(unsafe { filled(events, count) })
}

/// `epoll_pwait2' '            sigmask,
            2 * mem::size_of::<SigSet>()
        )
    }?;
    // SAFETY: it wrote that many, and `count!` has clamped them to `max`.
    Ok(unsafe { filled(events, count) })
}

/// `epoll_pwait2'
fault mod-for-add both registry \
    src/poll.rs 'self.control(EPOLL_CTL_ADD' 'self.control(EPOLL_CTL_MOD'
fault add-for-mod '!native' registry \
    src/poll.rs 'self.control(EPOLL_CTL_MOD' 'self.control(EPOLL_CTL_ADD'
fault edge-dropped native 'interest waker' \
    src/interest.rs 'self.with(EPOLLET)' 'self.with(0)'
fault oneshot-dropped '!native' interest \
    src/interest.rs 'self.with(EPOLLONESHOT)' 'self.with(0)'
fault rdhup-lost native 'interest events' \
    src/interest.rs 'bits | EPOLLRDHUP' 'bits'
fault rdhup-with-exclusive '!native' interest \
    src/interest.rs 'self.has(EPOLLIN) && !self.has(EPOLLEXCLUSIVE)' 'self.has(EPOLLIN)'
fault data-truncated both 'abi' \
    src/poll.rs 'token.0 as u64' 'token.0 as u32 as u64'
fault token-truncated '!native' 'abi' \
    src/event.rs 'self.data() as usize' 'self.data() as u32 as usize'
fault sign-of-errno both errors \
    src/sys/mod.rs 'Ok(value) => Ok(value),
            Err(errno) => Err($crate::Error::new($crate::sys::number::$name, errno))' 'Ok(value) => Ok(value),
            Err(errno) => Err($crate::Error::new($crate::sys::number::$name, syscalls::Errno::new(-errno.into_raw())))'
fault errno-lost-in-io-error '!native' errors \
    src/error.rs 'from_raw_os_error(error.errno.into_raw())' 'other("failed")'
fault count-off-by-one both 'poll buffer' \
    src/sys/epoll.rs 'buffer.set_len(len, Internal(()))' 'buffer.set_len(len.saturating_sub(1), Internal(()))'
fault accepted-names-connect '!native' errors \
    src/net/tcp.rs 'pending_error(&self.socket, Sysno::getsockopt)?' 'pending_error(&self.socket, Sysno::connect)?'
fault masks-explained-wrongly '!native' inotify \
    src/inotify.rs 'Errno::EINVAL if mask & IN_MASK_ADD != 0' 'Errno::EINVAL if mask & IN_MASK_ADD == 0'
fault zero-copy-not-refused native raw \
    src/sys/socket.rs 'if flags & !SEND_FLAGS == 0 {' 'if flags & !SEND_FLAGS & !MSG_ZEROCOPY == 0 {'
fault option-with-a-descriptor '!native' raw \
    src/sys/option.rs '    53, // SO_CNX_ADVICE' '    50, // SO_ATTACH_BPF
    53, // SO_CNX_ADVICE'
fault membership-of-any-option '!native' raw \
    src/sys/option.rs 'if options.contains(&optname) {' 'if options[0] == optname || optname >= 17 {'
fault clock-of-a-descriptor '!native' raw \
    src/sys/time.rs 'clockid < 0 && clockid & 7 == 3' 'clockid > 0 && clockid & 7 == 3'
fault signals-of-the-c-library-blocked native signal \
    src/signal.rs 'sys::rt_sigprocmask(SIG_BLOCK, set.without_reserved())' 'sys::rt_sigprocmask(SIG_BLOCK, set)'
fault signals-of-the-c-library-in-a-wait '!native' signal \
    src/poll.rs 'Some(&mask.without_reserved())' 'Some(&mask)'
fault count-not-clamped native raw \
    src/sys/mod.rs 'Ok(_) => Ok($crate::sys::clamped(most).min(most))' 'Ok(count) => Ok(count)'
fault hidden-method-can-be-called '!native' misuse \
    src/sys/epoll.rs 'fn clear_and_lend(&mut self, _: Internal) -> &mut [MaybeUninit<EpollEvent>];' 'fn clear_and_lend(&mut self) -> &mut [MaybeUninit<EpollEvent>];' \
    src/sys/epoll.rs 'buffer.clear_and_lend(Internal(()))' 'buffer.clear_and_lend()' \
    src/sys/epoll.rs 'fn clear_and_lend(&mut self, _: Internal) -> &mut [MaybeUninit<EpollEvent>] {
        self.clear();
        self.spare' 'fn clear_and_lend(&mut self) -> &mut [MaybeUninit<EpollEvent>] {
        self.clear();
        self.spare' \
    src/sys/epoll.rs 'fn clear_and_lend(&mut self, _: Internal) -> &mut [MaybeUninit<EpollEvent>] {
        self.clear();
        &mut' 'fn clear_and_lend(&mut self) -> &mut [MaybeUninit<EpollEvent>] {
        self.clear();
        &mut'
fault stale-events '!native' buffer \
    src/sys/epoll.rs '        self.clear();
        self.spare_capacity_mut()' '        // SAFETY: none.
        unsafe { core::slice::from_raw_parts_mut(self.as_mut_ptr().cast(), self.capacity()) }'
fault timeout-truncated native timeouts \
    src/poll.rs '&& nanos % 1_000_000 == 0' '&& nanos < 1_000_000_000'
fault fall-back-truncated '!native' timeouts \
    src/poll.rs '.div_ceil(1_000_000)' ' / 1_000_000'
fault overflow-negative '!native' timeouts \
    src/poll.rs 'secs <= MOST_SECONDS' 'secs <= u64::MAX - MOST_SECONDS' \
    src/poll.rs 'secs as i32 * 1000 +' '(secs as i32).wrapping_mul(1000) +'
fault long-timeout-cut-short '!native' timeouts \
    src/poll.rs '            None => self.wait_precisely(' \
    '            None if timeout.is_some_and(|it| it.as_secs() > 1_000_000) => self.wait(events, 1, mask)?,
            None => self.wait_precisely('
fault fall-back-forgotten native timeouts \
    src/poll.rs 'self.whole_milliseconds = !has_no_room' 'self.whole_milliseconds = false'
fault no-fall-back '!native' timeouts \
    src/poll.rs 'Errno::EINTR | Errno::EBADF' 'Errno::EINTR | Errno::ENOSYS | Errno::EBADF'
fault interruption-swallowed '!native' poll \
    src/poll.rs '        self.harvest(events, |epoll, room| match mask {
            None => sys::epoll_wait(epoll, room, millis),
            mask => sys::epoll_pwait(epoll, room, millis, mask),
        })' '        loop {
            match self.harvest(events, |epoll, room| sys::epoll_pwait(epoll, room, millis, mask)) {
                Err(error) if error.is_interrupted() => {}
                waited => break waited,
            }
        }'
fault mask-forgotten '!native' signal \
    src/poll.rs 'room, millis, mask)' 'room, millis, None)'
fault mask-forgotten-for-a-fraction '!native' signal \
    src/poll.rs 'Some(&timespec), mask)' 'Some(&timespec), None)'
fault signals-not-blocked native signal \
    src/signal.rs '        block(set)?;' ''
fault pipe-that-blocks '!native' pipe \
    src/pipe.rs 'O_CLOEXEC | O_NONBLOCK' 'O_CLOEXEC'
fault child-inherits-the-mask native process \
    src/sys/process.rs 'SIG_SETMASK, SigSet::EMPTY' 'SIG_SETMASK - 2, SigSet::EMPTY'
fault child-ignores-broken-pipes '!native' process \
    src/sys/process.rs 'SIGPIPE, Disposition::Default' 'SIGPIPE, Disposition::Ignore'
fault failed-child-is-a-zombie '!native' process \
    src/sys/process.rs 'while waitid(pidfd, WEXITED)' 'while waitid(pidfd, WEXITED | WNOHANG | WNOWAIT)'
fault child-fails-in-silence native process \
    src/sys/process.rs 'let _ = write(report, &bytes);' ''
fault reaps-one-that-runs '!native' process \
    src/process.rs 'sys::waitid(id, WEXITED | WNOHANG)' 'sys::waitid(id, WEXITED)'
fault file-event-without-its-padding '!native' inotify \
    src/inotify.rs 'field(12) as usize' 'field(12) as usize / 2'
fault queue-without-cloexec native 'net descriptors' \
    src/poll.rs 'epoll_create1(EPOLL_CLOEXEC)' 'epoll_create1(0)'
fault sockets-without-cloexec '!native' 'net descriptors' \
    src/net/mod.rs 'kind | SOCK_NONBLOCK | SOCK_CLOEXEC' 'kind | SOCK_NONBLOCK'
fault accepted-one-blocks '!native' net \
    src/net/tcp.rs 'accept4(self.socket.as_fd(), SOCK_NONBLOCK | SOCK_CLOEXEC)' 'accept4(self.socket.as_fd(), SOCK_CLOEXEC)'
fault sigpipe '!native' net \
    src/net/stream.rs 'buf, MSG_NOSIGNAL' 'buf, 0'
fault address-not-reused '!native' net \
    src/net/tcp.rs 'sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1)?;
        options' 'sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 0)?;
        options'
fault sigpipe-of-slices '!native' 'net unix' \
    src/net/stream.rs '&bufs[..count], MSG_NOSIGNAL' '&bufs[..count], 0'
fault port-not-shared '!native' 'net udp' \
    src/net/options.rs 'SO_REUSEPORT, 1)' 'SO_REUSEPORT, 0)'
fault backlog-ignored '!native' net \
    src/net/tcp.rs 'options.backlog)' 'BindOptions::new().backlog)'
fault ipv4-taken-along '!native' 'net udp' \
    src/net/options.rs 'IPV6_V6ONLY, only.into()' 'IPV6_V6ONLY, 0'
fault local-address-ignored '!native' net \
    src/net/tcp.rs '        bind(&socket, local)?;
' ''
fault seconds-cut-off '!native' net \
    src/net/tcp.rs 'u64::from(time.subsec_nanos() != 0)' '0'
fault hops-of-ipv4-alone '!native' 'udp socket_options' \
    src/net/mod.rs '    set(IPV6_HOP_LIMIT)' '    Ok(())'
fault hops-of-ipv6-alone '!native' socket_options \
    src/net/mod.rs '        set(IPV4_TTL)?;' ''
fault hops-of-a-mapped-peer-misread '!native' socket_options \
    src/net/mod.rs ' if addr.ip().to_ipv4_mapped().is_none()' ''
fault address-longer-than-the-kernel-takes '!native' unix_paths \
    src/sys/address.rs 'addr.len = addr.len.min(SOCKADDR_UN);' ''
fault address-not-shared '!native' socket_options \
    src/net/options.rs 'SO_REUSEADDR, 1)' 'SO_REUSEADDR, 0)'
fault too-many-slices '!native' unix \
    src/net/stream.rs 'let count = bufs.len().min(UIO_MAXIOV);
                sys::sendmsg' 'let count = bufs.len();
                sys::sendmsg'
fault abstract-name-without-nul '!native' unix \
    src/net/unix/addr.rs 'Self::with_nul(1,' 'Self::with_nul(0,'
fault one-end-of-a-pair-left-open '!native' descriptors \
    src/sys/socket.rs '    let other = unsafe { own(other) };
' '    let other = unsafe { own(other) };
    core::mem::forget(super::fcntl_dupfd_cloexec(super::fd::AsFd::as_fd(&other), 3));
'
fault destination-ignored '!native' 'abi udp unix' \
    src/sys/socket.rs 'dest_addr.map(SockAddr::as_bytes)' 'dest_addr.map(SockAddr::as_bytes).filter(|_| false)'
fault full-waker-fails '!native' waker \
    src/wake/fd.rs 'Err(error) if error.is_would_block() => self.reset_and_add_one(),' ''
fault full-waker-mute '!native' waker \
    src/wake/fd.rs 'is_would_block() => self.reset_and_add_one()' 'is_would_block() => Ok(())'
fault timer-zero-disarms '!native' timer \
    src/timer.rs 'after.max(Duration::from_nanos(1))' 'after'
fault timer-never-repeats native timer \
    src/timer.rs 'it_interval: period.into()' 'it_interval: (period * 0).into()'
fault closed-without-std '!native' no_std \
    src/sys/fd.rs 'let _ = sys::io::close_raw(self.fd);' ''

# For the random trials against libc, and nothing else.
fault trials-mod-for-add '!native' differential \
    src/poll.rs 'self.control(EPOLL_CTL_ADD' 'self.control(EPOLL_CTL_MOD'
fault trials-edge-dropped '!native' differential \
    src/interest.rs 'self.with(EPOLLET)' 'self.with(0)'
fault trials-oneshot-dropped '!native' differential \
    src/interest.rs 'self.with(EPOLLONESHOT)' 'self.with(0)'
fault trials-rdhup-lost '!native' differential \
    src/interest.rs 'bits | EPOLLRDHUP' 'bits'
fault trials-rdhup-with-exclusive '!native' differential \
    src/interest.rs 'self.has(EPOLLIN) && !self.has(EPOLLEXCLUSIVE)' 'self.has(EPOLLIN)'
fault trials-priority-lost '!native' differential \
    src/interest.rs 'Self::of(EPOLLPRI)' 'Self::of(0)'
fault trials-data-truncated '!native' differential \
    src/poll.rs 'token.0 as u64' 'token.0 as u32 as u64'
fault trials-token-truncated '!native' differential \
    src/event.rs 'self.data() as usize' 'self.data() as u32 as usize'
fault trials-count-off-by-one '!native' differential \
    src/sys/epoll.rs 'buffer.set_len(len, Internal(()))' 'buffer.set_len(len.saturating_sub(1), Internal(()))'
fault trials-room-short-by-one '!native' differential \
    src/sys/epoll.rs 'events.len().min(MAX_EVENTS)' '(events.len() - usize::from(events.len() > 1)).min(MAX_EVENTS)'
fault trials-read-closed '!native' differential \
    src/event.rs 'self.has(EPOLLHUP) || (self.has(EPOLLIN) && self.has(EPOLLRDHUP))' 'self.has(EPOLLHUP) || self.has(EPOLLRDHUP)'
fault trials-full-waker-mute '!native' differential \
    src/wake/fd.rs 'is_would_block() => self.reset_and_add_one()' 'is_would_block() => Ok(())'
fault trials-deregister-forgives '!native' differential \
    src/poll.rs 'self.control(EPOLL_CTL_DEL, source.as_fd(), None)' 'self.control(EPOLL_CTL_DEL, source.as_fd(), None)
            .or_else(|error| if error.errno() == Errno::ENOENT { Ok(()) } else { Err(error) })'

# For many threads at once.
fault threads-level-waker '!native' concurrency \
    src/wake/fd.rs 'Interest::READABLE.edge()' 'Interest::READABLE'
fault threads-waker-of-one-wake '!native' concurrency \
    src/wake/fd.rs 'Interest::READABLE.edge()' 'Interest::READABLE.edge().oneshot()'
fault threads-wake-saved '!native' concurrency \
    src/wake/fd.rs '        match self.add_one() {
            Err(error) if error.is_would_block() => self.reset' '        static WAKES: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
        if WAKES.fetch_add(1, core::sync::atomic::Ordering::Relaxed) % 1000 == 999 {
            return Ok(());
        }
        match self.add_one() {
            Err(error) if error.is_would_block() => self.reset'
fault threads-stale-events '!native' concurrency \
    src/sys/epoll.rs '        self.clear();
        &mut self.room' '        &mut self.room' \
    src/sys/epoll.rs '        self.len = len;' '        self.len = self.len.max(len);'
fault waker-leaks-half-way '!native' faults \
    src/wake/fd.rs 'registry.register(&eventfd, token, Interest::READABLE.edge())?;' \
    'if let Err(error) = registry.register(&eventfd, token, Interest::READABLE.edge()) {
            core::mem::forget(eventfd);
            return Err(error);
        }'
fault listener-leaks-half-way '!native' faults \
    src/net/tcp.rs 'sys::listen(socket.as_fd(), options.backlog).map_err(explain_address)?;' \
    'if let Err(error) = sys::listen(socket.as_fd(), options.backlog) {
            core::mem::forget(socket);
            return Err(error);
        }'
fault errno-swallowed '!native' faults \
    src/net/tcp.rs 'sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1)?;
        options' \
    'let _ = sys::setsockopt_int(socket.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1);
        options'
fault errno-replaced '!native' faults \
    src/timer.rs 'Err(error) => Err(error),' \
    'Err(error) if error.errno() == Errno::ECANCELED => Ok(0),
            Err(error) => Err(error),'
fault wrong-call-in-the-error '!native' faults \
    src/timer.rs 'Duration::from(sys::timerfd_gettime(self.timerfd.as_fd())?.it_value)' \
    'Duration::from(sys::timerfd_gettime(self.timerfd.as_fd()).map_err(|error| Error::new(Sysno::timerfd_settime, error.errno()))?.it_value)'
fault interrupted-connect-fails '!native' faults \
    src/net/tcp.rs 'Errno::EINPROGRESS | Errno::EINTR' 'Errno::EINPROGRESS'
fault no-fall-back-for-eperm '!native' faults \
    src/poll.rs 'Errno::EINTR | Errno::EBADF' 'Errno::EINTR | Errno::EPERM | Errno::EBADF'
fault any-errno-falls-back '!native' faults \
    src/poll.rs 'Errno::EINTR | Errno::EBADF | Errno::EFAULT' 'Errno::EINTR'
fault one-call-more-than-listed '!native' faults \
    src/sys/number.rs '    write                   3           1       64' \
    '    write                   3           1       64
    getpid                  0          39      172'
fault call-made-twice '!native' faults \
    src/timer.rs 'let timerfd = sys::timerfd_create' \
    'drop(sys::timerfd_create(CLOCK_MONOTONIC, 0));
        let timerfd = sys::timerfd_create'
fault few-events-at-a-time '!native' limits \
    src/sys/epoll.rs 'events.len().min(MAX_EVENTS)' 'events.len().min(4096)'
fault waker-takes-two-descriptors '!native' limits \
    src/wake/fd.rs 'let eventfd = Self(sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)?);' \
    'let spare = sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)?;
        let eventfd = Self(sys::eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK)?);
        drop(spare);'
fault demo-dies-of-a-signal '!native' demo_faults \
    src/demo/mod.rs 'Err(error) if !error.is_interrupted() => return' 'Err(error) => return'
fault demo-loses-who-found-no-descriptor '!native' demo_faults \
    src/demo/server.rs 'Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                        return self.pause(registry);' 'Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                        let _ = registry.deregister(&self.listener);
                        return;'
fault demo-closes-on-interruption '!native' demo_faults \
    src/demo/connection.rs 'Err(error) if error.is_interrupted() => return Continue(true),' ''
fault demo-takes-no-answer-for-an-answer '!native' demo_faults \
    src/demo/client.rs 'Err(error) => return Err(Failure::Stream(error)),' 'Err(_) => {}'
fault demo-looks-where-it-is-alone '!native' demo_faults \
    src/demo/mod.rs 'if rt::has_company()' 'if !rt::has_company()'
fault demo-panics-without-a-timer '!native' demo_faults \
    src/demo/connection.rs 'let timer = Timer::new()?;' 'let timer = Timer::new().unwrap();'

# For what a queue and its wakers share.
fault wake-without-a-fence '!native' wakes \
    src/wake/state.rs '        fence();
        if self.is_on_its_way' '        if self.is_on_its_way'
fault wake-written-in-another-sleep '!native' wakes \
    src/wake/state.rs '.load() == word & EPOCH_BITS' '.load() != NEVER'
fault wake-marks-nothing '!native' wakes \
    src/wake/state.rs '0 => word | WAKING' '0 => word'
fault wake-always-written '!native' faults \
    src/wake/state.rs 'word & AWAKE == 0 && !self.is_on_its_way(slot, word)' 'true'
fault sleep-ends-without-a-fence '!native' wakes \
    src/wake/state.rs 'queue was exposed during the wait, that thread has seen the word as it was before.
        fence();' 'queue was exposed during the wait, that thread has seen the word as it was before.'
fault pending-taken-without-a-fence '!native' wakes \
    src/wake/state.rs '        fence();
        taken' '        taken'
fault exposed-without-a-fence '!native' wakes \
    src/wake/state.rs 'for the threads that wait for the descriptor.
        fence();' 'for the threads that wait for the descriptor.'
fault exposed-during-a-wait '!native' wakes \
    src/wake/state.rs 'word & !AWAKE | EXPOSED,' 'word & !(AWAKE | WAKING) | EXPOSED,'
fault exposed-in-silence '!native' waker \
    src/wake/shared.rs 'if eventfd.notify().is_ok()' 'if true'
fault exposed-and-forgotten '!native' wakes \
    src/wake/shared.rs 'if eventfd.notify().is_ok() {' 'let _ = eventfd.notify(); {'
fault slot-reused-in-the-same-epoch '!native' wakes \
    src/wake/state.rs 'next_epoch(word).unwrap_or(word) & !bit(slot)' 'word & !bit(slot)'
fault slot-released-with-all-bits '!native' waker \
    src/wake/state.rs 'next_epoch(word).unwrap_or(word) & !bit(slot)' 'next_epoch(word).unwrap_or(word) & !PENDING_BITS'
fault slot-released-with-its-wake '!native' waker \
    src/wake/state.rs 'next_epoch(word).unwrap_or(word) & !bit(slot)' 'next_epoch(word).unwrap_or(word)'
fault waking-in-the-last-slot '!native' waker \
    src/wake/state.rs 'const WAKING: u64 = AWAKE << 1;' 'const WAKING: u64 = AWAKE >> 1;'
fault epoch-wraps '!native' wakes \
    src/wake/state.rs 'word.checked_add(FIRST_EPOCH)' 'Some(word.wrapping_add(FIRST_EPOCH))'
fault fence-too-weak '!native' wakes \
    src/sys/word.rs 'Ordering::SeqCst' 'Ordering::AcqRel'
fault word-relaxed '!native' wakes \
    src/sys/word.rs '(Ordering::AcqRel, Ordering::Acquire)' '(Ordering::Relaxed, Ordering::Relaxed)'
fault zero-timeout-falls-asleep '!native' faults \
    src/poll.rs 'timeout != Some(Duration::ZERO)' 'true'
fault wakers-share-a-token '!native' waker \
    src/wake/state.rs 'self.tokens[slot as usize].store(token)' 'self.tokens[slot as usize].store(0)'
fault wakers-not-in-turn '!native' waker \
    src/wake/shared.rs 'fairness.next_slot = (slot + 1) % SLOTS' 'fairness.next_slot = 0'
