//! The surroundings when there is nothing but the kernel.

use super::{Out, init};
use core::arch::global_asm;
use core::ffi::{CStr, c_char};
use core::fmt::Write;
use core::panic::PanicInfo;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};
use syscalls::{Sysno, syscall};

// The kernel enters here with the stack aligned and, from its top upwards, argc,
// argv, envp and auxv. There is no caller, so nothing to return to.
#[cfg(target_arch = "x86_64")]
global_asm!(
    r"
    .globl _start
_start:
    xor     ebp, ebp        // the outermost frame: backtraces end here
    mov     rdi, rsp        // the argument of `start`
    call    {start}         // not `jmp`: the ABI wants a return address on the stack
",
    start = sym start,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    r"
    .globl _start
_start:
    mov     x29, xzr        // the outermost frame: backtraces end here
    mov     x30, xzr        // and there is nowhere to return to
    mov     x0, sp          // the argument of `start`
    b       {start}
",
    start = sym start,
);

/// # Safety
///
/// `stack` is what the stack pointer was when the kernel started the program.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    reserve_standard_descriptors();
    ignore_broken_pipes();
    init::begin();
    // SAFETY: the first word of the initial stack is argc.
    let count = unsafe { stack.read() };
    // SAFETY: argv follows argc.
    let first = unsafe { stack.add(1) };
    // SAFETY: argv is `count` pointers on the initial stack, which stays as it is
    // for the life of the program.
    let all: &'static [*const c_char] = unsafe { slice::from_raw_parts(first.cast(), count) };
    // A caller may leave out even the program's name.
    let given = all.get(1..).unwrap_or_default().iter();
    // SAFETY: envp follows argv and the null pointer that ends it.
    let environment = unsafe { first.add(count + 1) }.cast();
    exit(crate::run(Args { given, environment }))
}

/// The arguments after the program's name.
pub struct Args {
    given: slice::Iter<'static, *const c_char>,
    environment: *const *const c_char,
}

impl Args {
    /// The next one, byte for byte.
    pub fn next_text(&mut self) -> Option<&'static CStr> {
        let argument = *self.given.next()?;
        // SAFETY: an element of argv points to a string that the kernel ended with
        // a zero and laid above the initial stack, for the life of the program.
        Some(unsafe { CStr::from_ptr(argument) })
    }

    /// The environment, to be given to another program.
    #[allow(dead_code, reason = "not every program starts others")]
    pub fn environment(&self) -> Environment {
        Environment(self.environment)
    }
}

impl Iterator for Args {
    type Item = &'static str;

    fn next(&mut self) -> Option<&'static str> {
        let argument = self.next_text()?;
        Some(argument.to_str().unwrap_or(super::NOT_UTF8))
    }
}

/// `NAME=value` each.
pub struct Environment(*const *const c_char);

impl Iterator for Environment {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: it points into envp, or to the null pointer that ends it: only past
        // what is not that one it moves on.
        let variable = unsafe { self.0.read() };
        if variable.is_null() {
            return None;
        }
        // SAFETY: behind a variable there is another pointer, the null at last.
        self.0 = unsafe { self.0.add(1) };
        // SAFETY: as with an element of argv.
        Some(unsafe { CStr::from_ptr(variable) })
    }
}

/// Occupies those of the descriptors 0, 1 and 2 that the caller closed: the next
/// socket would get such a number, and its peer our output. An `O_PATH` descriptor
/// answers `EBADF` to reads and writes, as a closed one does.
fn reserve_standard_descriptors() {
    const AT_FDCWD: isize = -100;
    const O_PATH: usize = 0o10_000_000;

    loop {
        // SAFETY: the kernel reads the path, a constant.
        match unsafe { syscall!(Sysno::openat, AT_FDCWD, c"/".as_ptr(), O_PATH) } {
            Ok(0..=2) => {}
            Ok(above) => {
                // SAFETY: no memory; the descriptor was opened above and is in no
                // one else's hands.
                let _ = unsafe { syscall!(Sysno::close, above) };
                return;
            }
            Err(_) => return,
        }
    }
}

/// A reader that went away is an error of the write, as it is in a hosted Rust
/// program, and not the death of the server.
fn ignore_broken_pipes() {
    const SIGPIPE: usize = 13;
    // A `struct sigaction`: handler, flags, restorer and mask, a word each.
    const IGNORE: [usize; 4] = [1, 0, 0, 0];
    const MASK_SIZE: usize = 8;

    // SAFETY: the kernel reads `IGNORE`, a constant; the old action is not wanted.
    let _ = unsafe { syscall!(Sysno::rt_sigaction, SIGPIPE, IGNORE.as_ptr(), 0, MASK_SIZE) };
}

fn exit(code: u8) -> ! {
    init::end(code);
    loop {
        // SAFETY: no memory; the call ends the program.
        let _ = unsafe { syscall!(Sysno::exit_group, code) };
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    static PANICKED: AtomicBool = AtomicBool::new(false);

    let mut stderr = Out::stderr();
    if claim(&PANICKED) {
        // Piece by piece: to format it whole takes the code for padding strings along.
        if let Some(place) = info.location() {
            stderr.put(b"panicked at ");
            stderr.put(place.file().as_bytes());
            // All numbers as one type: the code to print another is another 200 bytes.
            let [line, column] = [place.line(), place.column()].map(|it| it as usize);
            let _ = writeln!(stderr, ":{line}:{column}:");
        }
        let _ = writeln!(stderr, "{}", info.message());
    } else {
        // Formatting the message panicked, or would again.
        let _ = stderr.write_str("panicked while panicking\n");
    }
    stderr.flush();
    exit(101)
}

/// Named in core's unwind tables, which no one reads: a panic ends the program.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Sets `flag`, and says whether this call was the first to do so.
///
/// One thread and no signal handler: nothing comes between the load and the store.
/// On aarch64 a swap would be a call to a routine that looks for libc's `getauxval`.
pub fn claim(flag: &AtomicBool) -> bool {
    let first = !flag.load(Ordering::Relaxed);
    flag.store(true, Ordering::Relaxed);
    first
}
