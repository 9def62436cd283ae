//! `epore abi` and `get --trace`: what the kernel sees, shown.

use epore::sys;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

mod common;

/// The registers of the arguments, as the traces name them.
const REGISTERS: [&str; 6] = if cfg!(target_arch = "x86_64") {
    ["rdi", "rsi", "rdx", "r10", "r8", "r9"]
} else {
    ["x0", "x1", "x2", "x3", "x4", "x5"]
};

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

#[test]
fn abi_prints_what_the_notes_show() {
    let (output, traced) = abi();
    let output = text(&output.stdout);
    let (_, shown) = include_str!("../arch-notes.md")
        .split_once(if cfg!(target_arch = "x86_64") {
            "On x86_64:\n"
        } else {
            "On aarch64:\n"
        })
        .expect("the notes show both");
    let shown: Vec<&str> = shown
        .lines()
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .collect();
    let from = output.find("struct epoll_event").expect("the layout");
    let printed: Vec<_> = output[from..].lines().map(without_addresses).collect();
    let session = shown
        .iter()
        .position(|line| *line == "a short session")
        .expect("the session");
    let compared = if traced { shown.len() } else { session };
    assert_eq!(printed[..compared], shown[..compared]);
    if traced {
        assert_eq!(printed.len(), shown.len());
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
        assert_eq!(words, [call.name, &number]);
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
            assert_eq!(names, REGISTERS[..names.len()], "{line}");
            let call = sys::SYSCALLS
                .iter()
                .find(|call| line.starts_with(&format!("{} ", call.name)));
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
