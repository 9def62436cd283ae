//! The whole program: the demonstration, the client, and what the command line takes.

use crate::common;

use common::server::{Server, interrupt};
use common::{DEADLINE, Profile};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// One line of the client about one response.
#[derive(Debug)]
struct Told {
    token: u32,
    seconds: f64,
    /// Status and message, or what went wrong.
    text: String,
}

/// What `text` says of responses, in its order.
fn told(text: &str) -> Vec<Told> {
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix("client  ").unwrap_or(line);
            let (token, rest) = line.strip_prefix("token ")?.split_once("  ")?;
            let (seconds, text) = rest.split_once(" s  ")?;
            Some(Told {
                token: token.parse().expect("a token"),
                seconds: seconds.parse().expect("seconds"),
                text: text.to_owned(),
            })
        })
        .collect()
}

/// Asserts that all five came, in reverse, each after its delay.
fn assert_reversed(text: &str) {
    let told = told(text);
    let tokens: Vec<u32> = told.iter().map(|told| told.token).collect();
    assert_eq!(tokens, [5, 4, 3, 2, 1], "{text}");
    for one in &told {
        let delay = f64::from(6 - one.token);
        // A second may pass between two on a machine that has other things to do.
        assert!((delay..delay + 3.0).contains(&one.seconds), "{one:?}");
        assert_eq!(one.text, format!("200 OK  request-{}", one.token));
    }
}

#[test]
fn five_answers_come_in_reverse_order_and_it_takes_five_seconds() {
    let (output, elapsed) = common::demonstration();
    let text = stdout(output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_reversed(text);
    assert!((5..8).contains(&elapsed.as_secs()), "{elapsed:?}");

    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("server  listening on 127.0.0.1:"),
        "{text}"
    );
    assert_eq!(lines.last(), Some(&"FINISHED"));
    for token in 1..=5 {
        let target = format!("/{}/request-{token}", 1000 * (6 - token));
        let asked = format!("client  token {token}  GET {target}");
        assert!(lines.contains(&&*asked), "{asked}: {text}");
        let heard = format!("server  GET {target}");
        assert!(lines.contains(&&*heard), "{heard}: {text}");
    }
    assert_eq!(lines.len(), 1 + 3 * 5 + 1, "{text}");
}

/// Lines come out as they come about, not at the end.
#[test]
fn every_answer_is_printed_when_it_is_there() {
    let mut child = common::demo()
        .stdout(Stdio::piped())
        .spawn()
        .expect("the demo");
    let started = Instant::now();
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while told(&text).is_empty() {
        let count = stdout.read(&mut bytes).expect("a pipe of ours");
        assert_ne!(count, 0, "{text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).expect("text"));
    }
    assert_eq!(told(&text)[0].token, 5);
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    stdout.read_to_string(&mut text).expect("a pipe of ours");
    assert_reversed(&text);
    assert_eq!(common::finish(child).status.code(), Some(0));
}

#[test]
fn stopping_and_continuing_loses_nothing() {
    let child = common::demo()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the demo");
    for _ in 0..40 {
        thread::sleep(Duration::from_millis(100));
        interrupt(child.id());
    }
    let output = common::finish(child);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_reversed(stdout(&output));
    assert!(stdout(&output).ends_with("\nFINISHED\n"));
}

// The client alone.

fn get(address: SocketAddr) -> Output {
    common::run(common::demo().args(["get", &address.to_string()]))
}

#[test]
fn the_client_gets_its_answers_from_the_server() {
    let server = Server::start();
    let output = get(server.address);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_reversed(stdout(&output));
    assert!(stdout(&output).starts_with("token 1  GET /5000/request-1\n"));
    assert!(stdout(&output).ends_with("\nFINISHED\n"));
    for token in 1..=5 {
        let target = format!("/{}/request-{token}", 1000 * (6 - token));
        server.wait_for_line(|line| line == format!("GET {target}"));
    }
}

#[test]
fn the_client_gets_its_answers_over_ipv6() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        return common::left_out("IPv6", error);
    }
    let server = Server::start_at("[::1]:0", |_| {});
    let output = get(server.address);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_reversed(stdout(&output));
}

/// Starts a server that lets `answer` do what it likes with each connection, once the
/// request is read. Returns the requests that were read, too.
fn simulate(
    answer: impl Fn(TcpStream) + Copy + Send + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let heard = Arc::clone(&heard);
            thread::spawn(move || {
                stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("a whole request");
                    request.push(byte[0]);
                }
                let request = String::from_utf8(request).expect("text");
                heard.lock().expect("no panic").push(request);
                answer(stream);
            });
        }
    });
    (address, requests)
}

/// Asserts that each of the five responses is told as `text`.
#[track_caller]
fn assert_told(text: &str, answer: impl Fn(TcpStream) + Copy + Send + 'static) -> Output {
    let (address, _) = simulate(answer);
    let output = get(address);
    let told = told(stdout(&output));
    let mut tokens: Vec<u32> = told.iter().map(|told| told.token).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 2, 3, 4, 5], "{output:?}");
    for told in &told {
        assert_eq!(told.text, text, "{output:?}");
    }
    output
}

/// Asserts that `response` is understood as `text`.
#[track_caller]
fn assert_understood(response: &'static str, text: &str) {
    let output = assert_told(text, move |mut stream| {
        stream
            .write_all(response.as_bytes())
            .expect("a client that reads");
    });
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).ends_with("\nFINISHED\n"));
}

/// Asserts that with `response` the client fails, and says `text`.
#[track_caller]
fn assert_failed(response: &'static str, text: &str) {
    let output = assert_told(text, move |mut stream| {
        stream
            .write_all(response.as_bytes())
            .expect("a client that reads");
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stderr(&output), "epore: 5 of 5 requests failed\n");
    assert!(!stdout(&output).contains("FINISHED"));
}

#[test]
fn the_request_is_what_http_1_1_wants() {
    let (address, requests) = simulate(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    get(address);
    let mut requests = requests.lock().expect("no panic").clone();
    requests.sort();
    let expected: Vec<String> = (1..=5)
        .map(|second| {
            let token = 6 - second;
            format!(
                "GET /{second}000/request-{token} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
            )
        })
        .collect();
    assert_eq!(requests, expected);
}

#[test]
fn a_response_may_have_a_length() {
    assert_understood(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "200 OK  hello",
    );
    assert_understood(
        "HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello, not read",
        "200 OK  hello",
    );
    assert_understood("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK");
    assert_understood(
        "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        "200 OK  hello",
    );
}

/// The connection stays open: the length alone says where the response ends. And what
/// happens to it afterwards does not count again.
#[test]
fn a_response_ends_where_its_length_says() {
    let output = assert_told("200 OK  hello", |mut stream| {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        stream.write_all(response).expect("a client that reads");
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(5));
            let _ = stream.write_all(b"more");
        }
        thread::sleep(DEADLINE);
    });
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_response_may_end_with_the_connection() {
    assert_understood("HTTP/1.1 200 OK\r\n\r\nhello", "200 OK  hello");
    assert_understood(
        "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello",
        "200 OK  hello",
    );
    assert_understood("HTTP/1.0 200 OK\r\n\r\n", "200 OK");
    assert_understood(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        "200 OK  hello",
    );
}

#[test]
fn a_response_may_come_in_chunks() {
    assert_understood(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "200 OK  hello",
    );
    assert_understood(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
         00A;extension=\"x\"\r\nten bytes!\r\n0\r\nTrailer: x\r\n\r\n",
        "200 OK  ten bytes!",
    );
    assert_understood(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        "200 OK",
    );
}

#[test]
fn interim_responses_are_passed_over() {
    assert_understood(
        "HTTP/1.1 100 Continue\r\n\r\n\
         HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 3\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "200 OK  hello",
    );
}

#[test]
fn a_response_may_come_a_byte_at_a_time() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let output = assert_told("200 OK  hello", move |mut stream| {
            stream.set_nodelay(true).expect("a socket");
            for byte in response.bytes() {
                stream.write_all(&[byte]).expect("a client that reads");
                thread::sleep(Duration::from_millis(1));
            }
        });
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn a_large_response_is_shortened_for_the_eye_only() {
    let output = assert_told(
        &format!("200 OK  {}... (3000000 bytes)", "x".repeat(64)),
        |mut stream| {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
            stream
                .write_all(head.as_bytes())
                .expect("a client that reads");
            stream
                .write_all(&vec![b'x'; 3_000_000])
                .expect("a client that reads");
        },
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_response_cannot_move_the_cursor() {
    assert_understood(
        "HTTP/1.1 200 O\x1bK\r\nContent-Length: 11\r\n\r\n\x1b[2J\x07\u{9b}2\r\nx",
        "200 O.K  .[2J...2..x",
    );
}

#[test]
fn a_status_other_than_200_is_printed_and_is_a_failure() {
    assert_failed(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
        "500 Internal Server Error  oops",
    );
    assert_failed("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "404");
    assert_failed("HTTP/1.1 204 No Content\r\n\r\n", "204 No Content");
    assert_failed(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "304 Not Modified",
    );
    assert_failed("HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n", "302 Found");
}

#[test]
fn a_response_cut_short_is_a_failure() {
    for response in [
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        assert_failed(response, "the response was cut short");
    }
    assert_failed("", "the connection was closed without a response");
}

#[test]
fn what_is_no_response_is_a_failure() {
    for response in [
        "SSH-2.0-OpenSSH\r\n",
        "\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "hello",
    ] {
        assert_failed(response, "what came is not an HTTP/1 response");
    }
    for length in [
        "x",
        "-1",
        "",
        "5, 5",
        "5\r\nContent-Length: 6",
        "99999999999999999999",
    ] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
        assert_failed(
            response.leak(),
            "the response's Content-Length makes no sense",
        );
    }
    for chunks in [
        "x\r\n",
        "\r\n",
        "-1\r\n",
        "5\r\nhello5\r\n",
        "10000000000000000\r\n",
    ] {
        let response = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_failed(response.leak(), "the response's chunks make no sense");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(70_000));
    assert_failed(endless.leak(), "the response's head does not end");
}

#[test]
fn a_reset_is_a_failure_with_a_reason() {
    let output = assert_told("read: ECONNRESET (Connection reset by peer)", |stream| {
        // What is written here is not read there before the reset.
        common::server::reset(stream);
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stderr(&output), "epore: 5 of 5 requests failed\n");
}

#[test]
fn one_failure_of_five_is_a_failure() {
    let (address, _) = simulate(|mut stream| {
        static ONE: Mutex<bool> = Mutex::new(true);
        let first = std::mem::take(&mut *ONE.lock().expect("no panic"));
        let length = if first { 6 } else { 5 };
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
        stream
            .write_all(response.as_bytes())
            .expect("a client that reads");
    });
    let output = get(address);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stderr(&output), "epore: 1 of 5 requests failed\n");
    let good = told(stdout(&output))
        .iter()
        .filter(|told| told.text == "200 OK  hello")
        .count();
    assert_eq!(good, 4, "{output:?}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (address, _) = simulate(|stream| {
        thread::sleep(DEADLINE);
        drop(stream);
    });
    let started = Instant::now();
    let output = common::run(common::demo().args(["get", &address.to_string(), "--patience=0.7"]));
    let elapsed = started.elapsed();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!((700..15_000).contains(&elapsed.as_millis()), "{elapsed:?}");
    assert_eq!(
        stdout(&output).matches("no answer within 700 ms").count(),
        5,
        "{output:?}"
    );
    assert_eq!(stderr(&output), "epore: 5 of 5 requests failed\n");
}

#[test]
fn nobody_listening_is_an_error_that_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let output = get(address);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = format!(
        "epore: cannot connect to {address}: connect: \
         ECONNREFUSED (Connection refused): nobody listens at that address\n"
    );
    assert_eq!(stderr(&output), expected);
    assert!(!stdout(&output).contains("FINISHED"));

    let output =
        common::run(common::demo().args(["get", &format!("localhost:{}", address.port())]));
    assert_eq!(stderr(&output), expected);
}

// The command line.

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    const NOT_A_TIME: &str = "it is a number of seconds such as 30, 30s or 1.5s, or 200ms";
    let mut long = vec!["x"; 500];
    long[0] = "serve";
    for (arguments, reason) in [
        (
            &["--no-such-option"][..],
            "unknown option: --no-such-option",
        ),
        (&["-"], "unknown option: -"),
        (&["serve", "--help=x"], "unknown option: --help=x"),
        (&[""], "unknown command: "),
        (&["Serve", "127.0.0.1:0"], "unknown command: Serve"),
        (&["127.0.0.1:0", "serve"], "unknown command: 127.0.0.1:0"),
        (&["serve"], "an address is missing after: serve"),
        (
            &["--patience", "1", "get"],
            "an address is missing after: get",
        ),
        (
            &["serve", "127.0.0.1:0", "more"],
            "unexpected argument: more",
        ),
        (
            &["get", "127.0.0.1:80", "more"],
            "unexpected argument: more",
        ),
        (&["abi", "more"], "unexpected argument: more"),
        (&["--help", "more"], "unknown command: more"),
        (&["--trace"], "only get has the option: --trace"),
        (
            &["serve", "--trace", "[::1]:0"],
            "only get has the option: --trace",
        ),
        (
            &["abi", "--patience=1"],
            "only serve and get have the option: --patience",
        ),
        (
            &["serve", "[::1]:0", "--patience"],
            "a time is missing after: --patience",
        ),
        (
            &["serve", "--patience=-1"],
            &format!("not a time to wait: -1: {NOT_A_TIME}"),
        ),
        (
            &["serve", "--patience", "1m"],
            &format!("not a time to wait: 1m: {NOT_A_TIME}"),
        ),
        (
            &["get", "--patience", "1."],
            &format!("not a time to wait: 1.: {NOT_A_TIME}"),
        ),
        (
            &["get", "--patience", "99999999999999999999"],
            &format!("not a time to wait: 99999999999999999999: {NOT_A_TIME}"),
        ),
        (
            &["get", "--patience=0"],
            "not a time to wait: 0: the shortest is 1ms",
        ),
        (
            &["get", "--patience=86400.001s"],
            "not a time to wait: 86400.001s: the longest is 1 day, 86400s",
        ),
        (&long, "not an address with a port: x: there is no :PORT"),
    ] {
        let output = common::run(common::demo().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let expected = format!("epore: {reason}\n\nusage: epore ");
        assert!(
            stderr(&output).starts_with(&expected),
            "{arguments:?}: {output:?}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// `(before, after)`: the same with its options elsewhere.
#[test]
fn options_may_stand_anywhere() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let run = |arguments: &[&str]| {
        let output = common::run(common::demo().args(arguments));
        let trace = stderr(&output).lines().next().map(str::to_owned);
        (output.status.code(), trace)
    };
    let last = run(&["get", &nobody, "--patience", "2s", "--trace"]);
    assert_eq!(last.0, Some(1));
    for arguments in [
        &["--trace", "--patience", "2s", "get", &nobody][..],
        &["get", "--trace", "--patience=2", &nobody],
        &["--patience=2000ms", "get", &nobody, "--trace"],
    ] {
        assert_eq!(run(arguments), last, "{arguments:?}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    for argument in ["--version", "-V"] {
        let output = common::run(common::demo().arg(argument));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let expected = format!("epore {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(stdout(&output), expected);
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn printing_to_a_full_device_fails() {
    let Ok(_) = std::fs::metadata("/dev/full") else {
        return common::left_out("output that cannot be written", "no /dev/full here");
    };
    for argument in ["abi", "--help", "--version"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = common::demo();
        command.arg(argument).stderr(Stdio::piped());
        let child = command.stdout(full.expect("a device")).spawn();
        let output = common::finish(child.expect("the demo"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(
            stderr(&output),
            "epore: cannot print: write: ENOSPC (No space left on device)\n"
        );
    }
}

#[test]
fn get_sends_the_host_as_it_was_typed() {
    let (address, requests) = simulate(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let typed = format!("localhost:{}", address.port());
    let output = common::run(common::demo().args(["get", &typed]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let requests = requests.lock().expect("no panic");
    assert_eq!(requests.len(), 5, "{requests:?}");
    for request in requests.iter() {
        assert!(
            request.contains(&format!("\r\nHost: {typed}\r\n")),
            "{request}"
        );
    }
}

#[test]
fn help_is_the_usage_on_standard_output() {
    for argument in ["--help", "-h"] {
        let output = common::run(common::demo().arg(argument));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        for words in [
            "usage: epore",
            "epore serve ADDR:PORT",
            "epore get ADDR:PORT",
        ] {
            assert!(stdout(&output).contains(words), "{output:?}");
        }
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn an_address_that_cannot_be_read_is_named() {
    for address in [
        "",
        ":",
        "8080",
        ":8080",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "LOCALHOST:80",
        "example.com:80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0:80",
        "127.0.0.1.1:80",
        "127.0.0.256:80",
        "127.0.0.01:80",
        "127..0.1:80",
        "127.0.0.1 :80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[]:80",
        "[:]:80",
        "[:::]:80",
        "[::1::]:80",
        "[1:2:3:4:5:6:7]:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "[1:2:3:4::5:6:7:8]:80",
        "[12345::]:80",
        "[g::]:80",
        "[::1:]:80",
        "[:1::]:80",
        "[::1]:80:80",
        "\u{1b}[2J:80",
    ] {
        for job in ["serve", "get"] {
            let output = common::run(common::demo().args([job, address]));
            assert_eq!(output.status.code(), Some(2), "{address:?}: {output:?}");
            let named = address.replace('\u{1b}', ".");
            let start = format!("epore: not an address with a port: {named}: ");
            assert!(stderr(&output).starts_with(&start), "{output:?}");
            assert!(output.stdout.is_empty());
        }
    }
}

/// Addresses that no interface has: what is printed is what was understood.
#[test]
fn addresses_are_read_and_written_as_everywhere() {
    for address in [
        "192.0.2.1:8080",
        "203.0.113.255:1",
        "[2001:db8::1]:8080",
        "[2001:DB8:0:0:0:0:0:1]:8080",
        "[2001:db8:0:1:0:0:0:1]:80",
        "[2001:db8:0:0:1:0:0:1]:80",
        "[2001:db8:0:1:1:1:1:1]:80",
        "[2001:db8::]:80",
        "[2001:0db8:00ff:0a00::]:80",
        "[1:2:3:4:5:6:7:8]:65535",
        "[1:2:3:4:5:6:7::]:80",
        "[::2:3:4:5:6:7:8]:80",
        "[100::]:80",
    ] {
        let output = common::run(common::demo().args(["serve", address]));
        let meant: SocketAddr = address.parse().expect(address);
        assert_eq!(output.status.code(), Some(1), "{address}: {output:?}");
        let start = format!("epore: cannot listen on {meant}: ");
        assert!(stderr(&output).starts_with(&start), "{output:?}");
    }
}

/// What may differ between two runs: ports and times.
fn without_ports_and_times(output: &Output) -> String {
    let mut text = format!("{:?}\n", output.status.code());
    for line in stdout(output).lines().chain(stderr(output).lines()) {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for word in &mut words {
            let is_time = word.parse::<f64>().is_ok() && word.contains('.');
            let address = word.trim_end_matches(':').parse::<SocketAddr>();
            if is_time {
                *word = "T".to_owned();
            } else if let Ok(address) = address {
                *word = format!("{}:P", address.ip());
            }
        }
        writeln!(text, "{}", words.join(" ")).expect("a string");
    }
    text
}

#[test]
fn the_hosted_program_prints_the_same() {
    let Some(path) = common::build_hosted_demo(Profile::Dev) else {
        return common::left_out("the hosted program", "no cargo to build it");
    };
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let server = Server::start();
    let address = server.address.to_string();
    for arguments in [
        &["--help"][..],
        &["--nonsense"],
        &["serve"],
        &["serve", "nowhere"],
        &["get", "\u{1b}[0m:1"],
        &["serve", "192.0.2.1:80"],
        &["serve", &address],
        &["get", &nobody],
        &["get", &address],
        &[],
    ] {
        let mut programs = [common::demo(), common::through_runner(&path)];
        let [bare, hosted] = thread::scope(|scope| {
            programs
                .each_mut()
                .map(|program| scope.spawn(|| common::run(program.args(arguments))))
                .map(|run| without_ports_and_times(&run.join().expect("an output")))
        });
        assert_eq!(bare, hosted, "{arguments:?}");
    }
}
