//! `epore abi` and `get --trace`: what the kernel sees, shown.

use epore::sys;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

use crate::common;

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("text")
}

/// What stands below the line `heading`, up to the next blank line.
fn section<'a>(output: &'a str, heading: &str) -> Vec<&'a str> {
    let start = format!("\n{heading}\n\n");
    let (_, below) = output
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {heading:?} in {output}"));
    below.lines().take_while(|line| !line.is_empty()).collect()
}

/// Runs `epore abi`. `None`, said aloud: there is no `ptrace`.
fn abi() -> (Output, bool) {
    let output = common::run(common::demo().arg("abi"));
    assert!(output.status.success(), "{output:#?}");
    let traced = !text(&output.stdout).contains("NOT SHOWN");
    if !traced {
        common::left_out("the traced session", "this emulator has no ptrace");
    }
    (output, traced)
}

/// An address is another one each time.
fn without_addresses(line: &str) -> String {
    let words = line.split("0x").enumerate().map(|(index, word)| {
        let digits = word
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(word.len());
        match (index, &word[..digits]) {
            (0, _) => word.to_owned(),
            (_, value) if value.len() >= 9 && value != "ffffffffffffffff" => {
                format!("0x…{}", &word[digits..])
            }
            _ => format!("0x{word}"),
        }
    });
    words.collect()
}

/// What the notes show of the architecture with this heading.
fn shown(heading: &str) -> Vec<&'static str> {
    let notes = include_str!("../../arch-notes.md");
    let (_, below) = notes.split_once(heading).expect("the notes show both");
    let block = below.split("```").nth(1).expect("a block");
    block.lines().skip(1).collect()
}

#[test]
fn abi_prints_what_the_notes_show() {
    let (output, traced) = abi();
    let output = text(&output.stdout);
    let shown = shown(HERE.heading);
    let from = output.find("struct epoll_event").expect("the layout");
    let printed: Vec<_> = output[from..].lines().map(without_addresses).collect();
    let session = shown.iter().position(|line| *line == SESSION);
    let compared = if traced {
        shown.len()
    } else {
        session.expect("the session")
    };
    assert_eq!(printed[..compared], shown[..compared]);
    if traced {
        assert_eq!(printed.len(), shown.len());
    }
}

const SESSION: &str = "a short session";

/// What the two architectures differ in.
struct Architecture {
    heading: &'static str,
    registers: [&'static str; 6],
    number: fn(&sys::Syscall) -> Option<u32>,
    wait: &'static str,
    /// Of `struct epoll_event`: size, alignment, offset of the data.
    layout: [usize; 3],
}

const X86_64: Architecture = Architecture {
    heading: "\nOn x86_64:\n",
    registers: ["rdi", "rsi", "rdx", "r10", "r8", "r9"],
    number: sys::Syscall::x86_64,
    wait: "epoll_wait",
    layout: [12, 1, 4],
};

const AARCH64: Architecture = Architecture {
    heading: "\nOn aarch64:\n",
    registers: ["x0", "x1", "x2", "x3", "x4", "x5"],
    number: sys::Syscall::aarch64,
    wait: "epoll_pwait",
    layout: [16, 8, 8],
};

const HERE: &Architecture = if cfg!(target_arch = "x86_64") {
    &X86_64
} else {
    &AARCH64
};

/// What an architecture would print, made from nothing but what the two differ in: so
/// each host can check what the notes show of both.
fn expected(architecture: &Architecture) -> Vec<String> {
    let [size, align, data] = architecture.layout;
    let mut memory = [0xaa; 40];
    for (place, token) in [
        (0, 0x0123_4567_89ab_cdef_u64),
        (size, 0xfedc_ba98_7654_3210),
    ] {
        memory[place..place + 4].copy_from_slice(&sys::EPOLLIN.to_le_bytes());
        memory[place + data..place + data + 8].copy_from_slice(&token.to_le_bytes());
    }
    let mut lines = vec![
        "struct epoll_event".to_owned(),
        String::new(),
        format!("size            {size:>3}"),
        format!("align           {align:>3}"),
        format!("offset of data  {data:>3}"),
        String::new(),
        "two events, as the kernel wrote them (aa: not written)".to_owned(),
        String::new(),
    ];
    for (line, bytes) in memory.chunks(8).enumerate() {
        let bytes: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        lines.push(format!("{:02x} {bytes}", line * 8));
    }
    lines.extend([String::new(), SESSION.to_owned(), String::new()]);

    // An address is anything; so is the register of one.
    const FLAGS: &str = "0x80800";
    const NONE: &str = "0xffffffffffffffff";
    const AT: &str = "0x…";
    let wait = architecture.wait;
    let calls: [(&str, &[&str], u32); 17] = [
        ("epoll_create1", &["0x80000"], 3),
        ("eventfd2", &["0x0", FLAGS], 4),
        ("epoll_ctl", &["0x3", "0x1", "0x4", AT], 0),
        ("write", &["0x4", AT, "0x8"], 8),
        (wait, &["0x3", AT, "0x4", NONE, "0x0", "0x8"], 1),
        ("timerfd_create", &["0x1", FLAGS], 5),
        ("epoll_ctl", &["0x3", "0x1", "0x5", AT], 0),
        ("timerfd_settime", &["0x5", "0x0", AT, "0x0"], 0),
        (wait, &["0x3", AT, "0x4", NONE, "0x0", "0x8"], 1),
        ("read", &["0x5", AT, "0x8"], 8),
        ("epoll_ctl", &["0x3", "0x3", "0x5", AT], 0),
        ("epoll_ctl", &["0x3", "0x2", "0x5", "0x0"], 0),
        (wait, &["0x3", AT, "0x4", "0x1", "0x0", "0x8"], 0),
        ("epoll_pwait2", &["0x3", AT, "0x4", AT, "0x0", "0x8"], 0),
        ("close", &["0x5"], 0),
        ("close", &["0x4"], 0),
        ("close", &["0x3"], 0),
    ];
    for (name, arguments, result) in calls {
        let call = sys::SYSCALLS.iter().find(|call| call.name() == name);
        let call = call.expect("a call that the library makes");
        let number = (architecture.number)(call).expect("a call that exists there");
        let arguments: String = architecture
            .registers
            .iter()
            .zip(arguments)
            .take(call.arguments.into())
            .map(|(register, argument)| format!("  {register}={argument}"))
            .collect();
        lines.push(format!("{name:<18}{number:>3}{arguments}  = {result}"));
    }
    lines
}

#[test]
fn the_notes_show_both_architectures_as_they_are() {
    for architecture in [&X86_64, &AARCH64] {
        assert_eq!(shown(architecture.heading), expected(architecture));
    }
}

#[test]
fn abi_names_the_machine_and_every_number() {
    let (output, _) = abi();
    let output = text(&output.stdout);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("proc");
    let machine = section(output, "machine");
    assert_eq!(
        machine[0],
        format!("architecture  {}", std::env::consts::ARCH)
    );
    assert_eq!(
        machine[1],
        format!("kernel        Linux {}", release.trim_end())
    );
    let numbers = section(output, "numbers");
    assert_eq!(numbers.len(), sys::SYSCALLS.len());
    for (line, call) in numbers.iter().zip(sys::SYSCALLS) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = call
            .number()
            .map_or_else(|| "absent".to_owned(), |number| number.to_string());
        assert_eq!(words, [call.name(), &number]);
    }
}

#[test]
fn a_traced_client_does_its_job_and_shows_its_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || {
        for _ in 0..5 {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                .expect("a reader");
        }
    });
    if abi().1 {
        let output = common::run(common::demo().args(["get", &address, "--trace"]));
        server.join().expect("the server");
        assert!(output.status.success(), "{output:#?}");
        assert!(text(&output.stdout).ends_with("FINISHED\n"), "{output:#?}");
        let trace: Vec<&str> = text(&output.stderr).lines().collect();
        let calls = |name: &str| {
            trace
                .iter()
                .filter(|line| line.starts_with(&format!("{name} ")))
                .count()
        };
        assert_eq!(calls("socket"), 5, "{trace:#?}");
        assert_eq!(calls("connect"), 5, "{trace:#?}");
        assert!(calls("sendto") >= 5, "{trace:#?}");
        assert!(calls("read") >= 5, "{trace:#?}");
        for line in trace {
            let registers = line
                .split_whitespace()
                .filter_map(|word| word.split_once('='))
                .filter(|(name, _)| !name.is_empty());
            let names: Vec<&str> = registers.map(|(name, _)| name).collect();
            assert_eq!(names, HERE.registers[..names.len()], "{line}");
            let call = sys::SYSCALLS
                .iter()
                .find(|call| line.starts_with(&format!("{} ", call.name())));
            let call =
                call.unwrap_or_else(|| panic!("a call that the library does not make: {line}"));
            assert_eq!(names.len(), usize::from(call.arguments), "{line}");
        }
    } else {
        let output = common::run(common::demo().args(["get", &address, "--trace"]));
        assert_eq!(output.status.code(), Some(1), "{output:#?}");
        assert!(
            text(&output.stderr).contains("cannot trace: ENOSYS"),
            "{output:#?}"
        );
    }
}
