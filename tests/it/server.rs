//! The delay server: HTTP as clients expect it, and clients as nobody likes them.

use crate::common;

use common::server::{Client, Response, Server, interrupt, while_stopped};
use common::{DEADLINE, wait_until};
use epore::signal::{SIGHUP, SIGINT, SIGTERM};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

/// A connection that ends with the answer.
fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

/// One that stays.
fn get_and_stay(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")
}

// What it answers.

#[test]
fn the_answer_is_the_message() {
    let server = Server::start();
    let response = server.ask(get("/0/hello"));
    assert_eq!(
        response.head,
        "HTTP/1.1 200 OK\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 5\r\n\
         Connection: close\r\n\r\n"
    );
    assert_eq!(response.text(), "hello");
}

#[test]
fn the_answer_comes_when_the_delay_is_over() {
    let server = Server::start();
    let mut client = server.connect();
    for milliseconds in [1, 30, 300] {
        let started = Instant::now();
        client.send(get_and_stay(&format!("/{milliseconds}/late")));
        client.response().assert_is("late");
        let elapsed = started.elapsed();
        assert!(
            elapsed >= Duration::from_millis(milliseconds),
            "{elapsed:?}"
        );
    }
}

#[test]
fn delays_run_at_the_same_time() {
    if common::lacks_descriptors(400) {
        return;
    }
    const CLIENTS: u32 = 100;
    const DELAY: Duration = Duration::from_millis(300);

    let server = Server::start();
    let started = Instant::now();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for (client, number) in clients.iter_mut().zip(0..) {
        client.send(get(&format!("/{}/{number}", DELAY.as_millis())));
    }
    for (client, number) in clients.iter_mut().zip(0..) {
        client.response().assert_is(&number.to_string());
    }
    let elapsed = started.elapsed();
    assert!(elapsed >= DELAY, "{elapsed:?}");
    assert!(elapsed < DELAY * CLIENTS / 4, "{elapsed:?}");
}

#[test]
fn the_shortest_delay_is_answered_first() {
    let server = Server::start();
    let delays = [900, 600, 300, 0];
    let (sender, answers) = std::sync::mpsc::channel();
    for delay in delays {
        let mut client = server.connect();
        let sender = sender.clone();
        client.send(get(&format!("/{delay}/x")));
        thread::spawn(move || {
            client.response().assert_is("x");
            sender.send(delay).expect("a test that waits");
        });
    }
    let order: Vec<u64> = delays
        .iter()
        .map(|_| answers.recv_timeout(DEADLINE).expect("an answer"))
        .collect();
    assert_eq!(order, [0, 300, 600, 900]);
}

#[test]
fn messages_are_unescaped() {
    let server = Server::start();
    let mut client = server.connect();
    for (target, message) in [
        ("/0/", ""),
        ("/0/two%20words", "two words"),
        ("/0/%c3%A9t%C3%a9", "\u{e9}t\u{e9}"),
        ("/0/%25%2F%3f%23%00", "%/?#\0"),
        ("/0/a%0D%0Ab", "a\r\nb"),
        ("/0/a/b//c/", "a/b//c/"),
        ("/0/a+b", "a+b"),
        ("/0/plain?question=%zz", "plain"),
        ("/0/?x", ""),
        ("/0000/zeros", "zeros"),
        ("http://example.com/0/absolute", "absolute"),
        ("HTTP://[::1]:80/0/absolute?x", "absolute"),
    ] {
        client.send(get_and_stay(target));
        client.response().assert_is(message);
    }
}

#[test]
fn long_messages_come_back_whole() {
    let server = Server::start();
    let mut client = server.connect();
    let longest = 8 * 1024 - "GET /0/ HTTP/1.1\r\n\r\n".len();
    for length in [1, 1_000, 4_096, 8_000, longest] {
        let message: String = ('a'..='z').cycle().take(length).collect();
        client.send(format!("GET /0/{message} HTTP/1.1\r\n\r\n"));
        client.response().assert_is(&message);
    }
}

#[test]
fn head_is_answered_without_a_body() {
    let server = Server::start();
    let mut client = server.connect();
    for target in ["/0/hello", "/20/hello"] {
        client.send(format!("HEAD {target} HTTP/1.1\r\n\r\n"));
        let response = client.response_to_head();
        assert_eq!(response.status(), 200);
        assert_eq!(response.field("Content-Length"), Some("5"));
    }
    client.send("HEAD /nowhere HTTP/1.1\r\n\r\n");
    assert_eq!(client.response_to_head().status(), 404);
    client.send(get("/0/next"));
    client.response().assert_is("next");
    client.assert_closed();
}

#[test]
fn what_it_does_not_have_is_404() {
    let server = Server::start();
    let mut client = server.connect();
    for target in [
        "/",
        "//",
        "/5",
        "/hello",
        "/hello/0",
        "/-1/x",
        "/+1/x",
        "/1.5/x",
        "/0x10/x",
        "//x",
        "/%30/x",
        "/4294967296/x",
        "/99999999999999999999999999/x",
        "/?/0/x",
        "http://example.com",
        "http://example.com?/0/x",
    ] {
        client.send(get_and_stay(target));
        let response = client.response();
        assert_eq!(response.status(), 404, "{target}: {response:?}");
        assert!(response.text().contains("/<milliseconds>/<message>"));
    }
    client.send(get_and_stay("/0/still-here"));
    client.response().assert_is("still-here");
}

#[test]
fn other_methods_are_405_and_told_which_are_not() {
    let server = Server::start();
    let mut client = server.connect();
    for method in [
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "PATCH",
        "get",
        "BREW",
        "!#$%&'*+-.^_`|~",
    ] {
        client.send(format!("{method} /0/hello HTTP/1.1\r\n\r\n"));
        let response = client.response();
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.field("Allow"), Some("GET, HEAD"));
    }
    client.send("OPTIONS * HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().status(), 405);
    client.send(get("/0/still-here"));
    client.response().assert_is("still-here");
}

/// Asserts that `request` gets `status`, and then the end.
#[track_caller]
fn assert_refused(server: &Server, request: &[u8], status: u16) {
    let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
    let mut client = server.connect();
    client.send(request);
    let response = client.response();
    assert_eq!(response.status(), status, "{shown:?}: {response:?}");
    assert_eq!(response.field("Connection"), Some("close"), "{shown:?}");
    client.assert_closed();
}

#[test]
fn what_is_no_request_is_400() {
    let server = Server::start();
    for request in [
        "\r\n\r\n",
        " GET /0/x HTTP/1.1\r\n\r\n",
        "GET  /0/x HTTP/1.1\r\n\r\n",
        "GET /0/x  HTTP/1.1\r\n\r\n",
        "GET /0/x HTTP/1.1 \r\n\r\n",
        "GET\t/0/x\tHTTP/1.1\r\n\r\n",
        "GET\r\n\r\n",
        "GET /0/x\r\n\r\n",
        "GET /0/x \r\n\r\n",
        "GET /0/x http/1.1\r\n\r\n",
        "GET /0/x HTTP/1\r\n\r\n",
        "GET /0/x HTTP/1.10\r\n\r\n",
        "GET /0/x HTTPS/1.1\r\n\r\n",
        "GET /0/x HTTP/1.1 or so\r\n\r\n",
        "G(T /0/x HTTP/1.1\r\n\r\n",
        "G\u{e9}T /0/x HTTP/1.1\r\n\r\n",
        "GET /0/\u{e9} HTTP/1.1\r\n\r\n",
        "GET /0/\x07 HTTP/1.1\r\n\r\n",
        "GET /0/x\0 HTTP/1.1\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /0/x HTTP/1.1\r\n: no name\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nName : blank before the colon\r\n\r\n",
        "GET /0/x HTTP/1.1\r\n Name: blank in front\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nName: one\r\n two\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nName: a\0b\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nName: a\rb\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nName: \x1b[31m\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET /0/x HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
    ] {
        assert_refused(&server, request.as_bytes(), 400);
    }
}

#[test]
fn what_is_no_target_is_400() {
    let server = Server::start();
    let mut client = server.connect();
    for target in [
        "hello",
        "0/hello",
        "*",
        "example.com:80",
        "ftp://example.com/0/x",
        "http:///0/x",
        "/0/x#fragment",
        "/0/%",
        "/0/%4",
        "/0/%4g",
        "/0/%%20",
        "/0/x%",
    ] {
        client.send(get_and_stay(target));
        let response = client.response();
        assert_eq!(response.status(), 400, "{target}: {response:?}");
    }
    client.send(get("/0/still-here"));
    client.response().assert_is("still-here");
}

#[test]
fn garbage_is_refused_before_it_ends() {
    let server = Server::start();
    let tls_hello: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let no_method = [b'A'; 100];
    for garbage in [
        tls_hello,
        b"\0",
        b"\xff\xfe",
        b"\x1b[2J",
        b"<html>",
        b"GET /0/x\x7f",
        b"GET /0/x HTTQ",
        b"GET /0/x HTTP/1.1x",
        b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
        &no_method,
    ] {
        assert_refused(&server, garbage, 400);
    }
}

#[test]
fn other_versions_are_505() {
    let server = Server::start();
    for version in ["0.9", "2.0", "3.0", "9.9"] {
        let request = format!("GET /0/x HTTP/{version}\r\n\r\n");
        assert_refused(&server, request.as_bytes(), 505);
    }
    assert_refused(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    server
        .ask("GET /0/later-than-1.1 HTTP/1.2\r\n\r\n")
        .assert_is("later-than-1.1");
}

#[test]
fn a_request_line_without_end_is_414() {
    let server = Server::start();
    let mut request = b"GET /0/".to_vec();
    request.resize(8 * 1024, b'x');
    assert_refused(&server, &request, 414);
    request.resize(1024 * 1024, b'x');
    request.extend_from_slice(b" HTTP/1.1\r\n\r\n");
    assert_refused(&server, &request, 414);
}

#[test]
fn a_head_of_a_megabyte_is_431_and_its_sender_can_read_that() {
    let server = Server::start();
    let one_line = format!(
        "GET /0/x HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(1024 * 1024)
    );
    let many_lines = format!(
        "GET /0/x HTTP/1.1\r\n{}\r\n",
        "X-Header: x\r\n".repeat(80_000)
    );
    for _ in 0..20 {
        assert_refused(&server, one_line.as_bytes(), 431);
        assert_refused(&server, many_lines.as_bytes(), 431);
    }
    server.assert_alive();
}

#[test]
fn a_head_as_long_as_allowed_is_read() {
    let server = Server::start();
    let start = "GET /0/fits HTTP/1.1\r\nX: ";
    let room = 8 * 1024 - start.len() - "\r\n\r\n".len();
    let request = |length| format!("{start}{}\r\n\r\n", "x".repeat(length));
    server.ask(request(room)).assert_is("fits");
    assert_refused(&server, request(room + 1).as_bytes(), 431);
}

// How long a connection lives.

#[test]
fn a_connection_stays_and_serves_again() {
    let server = Server::start();
    let mut client = server.connect();
    for number in 0..200 {
        let delay = number % 3;
        client.send(get_and_stay(&format!("/{delay}/{number}")));
        let response = client.response();
        response.assert_is(&number.to_string());
        assert_eq!(response.field("Connection"), None);
    }
}

#[test]
fn the_client_may_ask_for_the_end() {
    let server = Server::start();
    for options in [
        "close",
        "Close",
        "CLOSE",
        "keep-alive, close",
        "x,close ,y",
        "close\r\nConnection: keep-alive",
    ] {
        let mut client = server.connect();
        client.send(format!(
            "GET /0/bye HTTP/1.1\r\nConnection: {options}\r\n\r\n"
        ));
        let response = client.response();
        response.assert_is("bye");
        assert_eq!(response.field("Connection"), Some("close"), "{options}");
        client.assert_closed();
    }
}

#[test]
fn http_1_0_ends_unless_asked_to_stay() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("GET /0/once HTTP/1.0\r\n\r\n");
    let response = client.response();
    response.assert_is("once");
    assert_eq!(response.field("Connection"), Some("close"));
    client.assert_closed();

    let mut client = server.connect();
    for _ in 0..3 {
        client.send("GET /0/again HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n");
        let response = client.response();
        response.assert_is("again");
        assert_eq!(response.field("Connection"), Some("keep-alive"));
    }
    client.send("GET /0/last HTTP/1.0\r\n\r\n");
    client.response().assert_is("last");
    client.assert_closed();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let targets = ["/200/slow", "/0/fast", "/50/medium", "/nowhere", "/0/last"];
    client.send(targets.map(get_and_stay).concat());
    client.response().assert_is("slow");
    client.response().assert_is("fast");
    client.response().assert_is("medium");
    assert_eq!(client.response().status(), 404);
    client.response().assert_is("last");
}

/// Nothing more comes from the client that could wake a server which has set the rest
/// aside.
#[test]
fn many_requests_at_once_are_all_answered() {
    let server = Server::start();
    let mut client = server.connect();
    for many in [50, 100, 150, 1_000] {
        let requests: String = (0..many)
            .map(|number| format!("GET /0/{number} HTTP/1.1\r\n\r\n"))
            .collect();
        client.send(requests);
        for number in 0..many {
            client.response().assert_is(&number.to_string());
        }
    }
}

#[test]
fn what_is_pipelined_behind_the_last_request_is_not_answered() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(get("/0/last") + &get("/0/never"));
    client.response().assert_is("last");
    client.assert_closed();
    assert!(!server.lines().iter().any(|line| line.contains("never")));
}

/// More answers than the buffers between the two ends hold, before the first is
/// read: the server has to stop and to go on.
#[test]
fn a_client_that_reads_late_gets_everything() {
    const REQUESTS: usize = 4_000;
    let server = Server::start();
    let mut client = server.connect();
    let mut sender = client.stream.try_clone().expect("a socket");
    let padding = "x".repeat(3_000);
    let message = |number: usize| format!("{number}-{padding}");
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..REQUESTS {
                let request = get_and_stay(&format!("/0/{}", message(number)));
                sender
                    .write_all(request.as_bytes())
                    .expect("a server that reads");
            }
        });
        // Until both directions are full and nothing moves any more.
        let mut before = 0;
        wait_until(DEADLINE, || {
            thread::sleep(Duration::from_millis(100));
            let answered = server.lines().len();
            let stuck = answered == before && answered > 1;
            before = answered;
            stuck.then_some(())
        })
        .expect("a full connection");
        assert!(server.lines().len() < REQUESTS, "not enough to fill it");
        server.assert_alive();
        for number in 0..REQUESTS {
            client.response().assert_is(&message(number));
        }
    });
}

#[test]
fn a_body_is_not_taken_for_a_request() {
    let server = Server::start();
    let body = get_and_stay("/0/smuggled");
    for fields in [
        format!("Content-Length: {}", body.len()),
        "Transfer-Encoding: chunked".to_owned(),
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked",
            body.len()
        ),
        format!("Content-Length: {0}\r\nContent-Length: {0}", body.len()),
    ] {
        for (method, status) in [("GET", 200), ("POST", 405)] {
            let mut client = server.connect();
            client.send(format!("{method} /0/x HTTP/1.1\r\n{fields}\r\n\r\n{body}"));
            let response = client.response();
            assert_eq!(response.status(), status, "{fields}");
            assert_eq!(response.field("Connection"), Some("close"));
            client.assert_closed();
        }
    }
    assert!(!server.lines().iter().any(|line| line.contains("smuggled")));

    let mut client = server.connect();
    client.send("GET /0/first HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    client.response().assert_is("first");
    client.send(get("/0/second"));
    client.response().assert_is("second");
}

#[test]
fn lines_may_end_without_a_carriage_return_and_an_empty_one_come_first() {
    let server = Server::start();
    let mut client = server.connect();
    for request in [
        "GET /0/x HTTP/1.1\n\n",
        "GET /0/x HTTP/1.1\nHost: x\r\n\n",
        "\r\nGET /0/x HTTP/1.1\r\n\r\n",
        "\nGET /0/x HTTP/1.1\n\n",
    ] {
        client.send(request);
        client.response().assert_is("x");
    }
}

// Clients that are slow, or leave.

#[test]
fn a_request_may_come_a_byte_at_a_time() {
    let server = Server::start();
    let mut client = server.connect();
    for byte in get("/10/patience").as_bytes() {
        client.send([*byte]);
        thread::yield_now();
    }
    client.response().assert_is("patience");
    client.assert_closed();
}

#[test]
fn a_request_may_be_cut_anywhere() {
    let server = Server::start();
    let request = get_and_stay("/0/cut") + &get_and_stay("/0/twice");
    let mut client = server.connect();
    for at in 1..request.len() {
        client.send(&request[..at]);
        if at < request.len() / 2 {
            server.assert_alive();
        }
        client.send(&request[at..]);
        client.response().assert_is("cut");
        client.response().assert_is("twice");
    }
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answer() {
    let server = Server::start();
    for target in ["/0/heard", "/200/heard"] {
        for request in [get(target), get_and_stay(target)] {
            let mut client = server.connect();
            client.send(request);
            client.stream.shutdown(Shutdown::Write).expect("a socket");
            client.response().assert_is("heard");
            client.assert_closed();
        }
    }
    let mut client = server.connect();
    client.send(get_and_stay("/100/one") + &get_and_stay("/0/two"));
    client.stream.shutdown(Shutdown::Write).expect("a socket");
    client.response().assert_is("one");
    client.response().assert_is("two");
    client.assert_closed();
}

#[test]
fn half_a_request_and_then_the_end_is_400() {
    let server = Server::start();
    for request in [
        "G",
        "GET /0/x",
        "GET /0/x HTTP/1.1",
        "GET /0/x HTTP/1.1\r\nHost: x\r\n",
    ] {
        let mut client = server.connect();
        client.send(request);
        client.stream.shutdown(Shutdown::Write).expect("a socket");
        assert_eq!(client.response().status(), 400);
        client.assert_closed();
    }
    let mut client = server.connect();
    client.stream.shutdown(Shutdown::Write).expect("a socket");
    client.assert_closed();
}

#[test]
fn half_a_request_and_then_silence_is_408_after_a_while() {
    const PATIENCE: Duration = Duration::from_millis(1_500);
    let server = Server::with_patience(PATIENCE);
    let mut silent = server.connect();
    let mut slow = server.connect();
    let mut idle = server.connect();
    idle.send(get_and_stay("/0/idle"));
    idle.response().assert_is("idle");
    let started = Instant::now();
    silent.send("GET /0/si");
    let mut bytes = b"GET /0/".iter().chain([b'x'].iter().cycle());
    slow.stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a socket");
    // A byte now and then does not buy time.
    let answer = wait_until(DEADLINE, || {
        let _ = slow.stream.write_all(&[*bytes.next()?]);
        let mut answer = [0; 12];
        slow.stream.read_exact(&mut answer).ok().map(|()| answer)
    });
    assert_eq!(
        answer.as_ref().map(|answer| &answer[..]),
        Some(&b"HTTP/1.1 408"[..])
    );
    assert_eq!(silent.response().status(), 408);
    silent.assert_closed();
    let elapsed = started.elapsed();
    // One tick, a 30th, is the most by which it is early.
    let soonest = PATIENCE - PATIENCE / 30;
    assert!((soonest..PATIENCE * 10).contains(&elapsed), "{elapsed:?}");
    idle.send(get("/0/still-here"));
    idle.response().assert_is("still-here");
}

#[test]
fn descriptors_come_back_when_a_client_resets_during_its_delay() {
    let server = Server::start();
    let before = server.descriptors();
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(get("/600000/never"));
    }
    // A socket and a timer each.
    server.wait_for_descriptors(before + 2 * clients.len());
    clients.into_iter().for_each(Client::reset);
    server.wait_for_descriptors(before);
    server.assert_alive();
}

#[test]
fn descriptors_come_back_when_a_client_leaves_during_its_delay() {
    let server = Server::start();
    let before = server.descriptors();
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(get_and_stay("/500/unheard"));
    }
    server.wait_for_descriptors(before + 2 * clients.len());
    drop(clients);
    server.wait_for_descriptors(before);
    server.assert_alive();
}

#[test]
fn a_reset_at_any_stage_is_survived() {
    let server = Server::start();
    let before = server.descriptors();
    let large = "x".repeat(8_000);
    let stages = [
        String::new(),
        "GET /0/x HT".to_owned(),
        get("/0/x"),
        get_and_stay("/0/x"),
        get("/100/x"),
        get_and_stay("/0/x") + "GET /0/",
        get_and_stay("/50/x") + &get_and_stay("/50/y"),
        get_and_stay(&format!("/0/{large}")).repeat(50),
        "\0garbage".to_owned(),
        format!("GET /0/x HTTP/1.1\r\nX: {}", large.repeat(10)),
    ];
    for round in 0..20 {
        for stage in &stages {
            let client = server.connect();
            // The server may already have refused it.
            let _ = (&client.stream).write_all(stage.as_bytes());
            if round % 2 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            client.reset();
        }
        server.assert_alive();
    }
    server.wait_for_descriptors(before);
}

#[test]
fn a_client_that_closes_before_it_reads_is_survived() {
    let server = Server::start();
    let before = server.descriptors();
    for _ in 0..50 {
        let mut client = server.connect();
        client.send(get_and_stay("/0/unread").repeat(20));
        drop(client);
        let mut client = server.connect();
        client.send(get_and_stay("/5/unread").repeat(3));
        drop(client);
    }
    server.wait_for_descriptors(before);
    server.assert_alive();
}

#[test]
fn garbage_without_end_is_cut_off_and_others_are_served_meanwhile() {
    let server = Server::start();
    let flood = |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).expect("a server that listens");
        let block = vec![0; 1024 * 1024];
        let mut sent = 0;
        loop {
            match stream.write(&block) {
                Ok(count) => sent += count,
                Err(error) => {
                    let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                    assert!(kinds.contains(&error.kind()), "{error}");
                    return sent;
                }
            }
        }
    };
    let address = server.address;
    let floods: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || flood(address)))
        .collect();
    for _ in 0..100 {
        server.assert_alive();
    }
    for flood in floods {
        let sent = flood.join().expect("a flood that ends");
        assert!(sent < 64 * 1024 * 1024, "{sent}");
    }
    server.assert_alive();
}

#[test]
fn a_flood_of_requests_leaves_time_for_others() {
    let server = Server::start();
    let address = server.address;
    let flood = || {
        let mut stream = TcpStream::connect(address).expect("a server that listens");
        let mut reader = stream.try_clone().expect("a socket");
        let requests = get_and_stay("/0/x").repeat(200);
        thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while reader.read(&mut bytes).is_ok_and(|count| count > 0) {}
        });
        thread::spawn(move || while stream.write_all(requests.as_bytes()).is_ok() {});
    };
    (0..3).for_each(|_| flood());
    let mut client = server.connect();
    for _ in 0..20 {
        client.send(get_and_stay("/10/through"));
        client.response().assert_is("through");
    }
}

/// Both lie there when the server comes back from standing still, the many first.
#[test]
fn one_request_does_not_wait_for_many_of_another() {
    const MANY: usize = 500;

    let server = Server::start();
    let [mut many, mut one] = [server.connect(), server.connect()];
    for client in [&mut many, &mut one] {
        client.send(get_and_stay("/0/known"));
        client.response().assert_is("known");
    }
    let requests: String = (1..=MANY)
        .map(|number| format!("GET /0/{number} HTTP/1.1\r\n\r\n"))
        .collect();
    while_stopped(server.pid(), || {
        many.send(requests);
        one.send(get_and_stay("/0/one"));
    });
    one.response().assert_is("one");
    (1..=MANY).for_each(|number| many.response().assert_is(&number.to_string()));
    // An answer may come before its line.
    server.wait_for_line(|line| line == format!("GET /0/{MANY}"));
    let lines = server.lines();
    let place = |line: &str| lines.iter().position(|other| other == line);
    assert!(place("GET /0/one") < place("GET /0/200"), "{lines:#?}");
}

#[test]
fn a_thousand_half_requests_do_not_keep_others_out() {
    if common::lacks_descriptors(2_100) {
        return;
    }
    let server = Server::start();
    let mut slow: Vec<Client> = (0..1_000).map(|_| server.connect()).collect();
    for byte in b"GET /0/slow" {
        for client in &mut slow {
            client.send([*byte]);
        }
        server.assert_alive();
    }
    for client in &mut slow {
        client.send(" HTTP/1.1\r\n\r\n");
    }
    for client in &mut slow {
        client.response().assert_is("slow");
    }
}

// What it costs, and what happens when that is too much.

#[test]
fn idle_connections_take_next_to_no_memory() {
    if common::lacks_descriptors(2_100) {
        return;
    }
    if common::is_emulated() {
        return common::left_out("the memory of idle connections", "it is the emulator's");
    }
    let server = Server::start();
    let mut clients: Vec<Client> = (0..1_000).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(get_and_stay("/0/idle"));
        client.response().assert_is("idle");
    }
    let resident = server.resident();
    assert!(resident < 1_000, "{resident} KiB");
}

#[test]
fn memory_does_not_grow_with_the_requests() {
    let server = Server::start();
    let ask = || {
        let mut client = server.connect();
        for number in 0..50 {
            client.send(get_and_stay(&format!(
                "/{}/{}",
                number % 2,
                "x".repeat(number * 100)
            )));
            client.response();
        }
    };
    let descriptors = server.descriptors();
    ask();
    server.wait_for_descriptors(descriptors);
    let memory = server.resident();
    (0..20).for_each(|_| ask());
    server.wait_for_descriptors(descriptors);
    let growth = server.resident().saturating_sub(memory);
    // The kernel counts pages in batches, and an emulator has caches of its own.
    let most = if common::is_emulated() { 8_192 } else { 1_024 };
    assert!(growth < most, "{growth} KiB");
}

#[test]
fn a_server_without_requests_sleeps() {
    if common::is_emulated() {
        return common::left_out("the sleep of the server", "the emulator does not sleep");
    }
    let server = Server::with_patience(Duration::from_secs(3));
    let mut client = server.connect();
    client.send("GET /0/ha");
    // Its clock, with ticks of 100 ms, has to run for this, and may stop afterwards.
    thread::sleep(Duration::from_millis(110));
    client.send("lf HTTP/1.1\r\n\r\n");
    client.response().assert_is("half");
    let wakes = || server.status("voluntary_ctxt_switches");
    let asleep = wait_until(DEADLINE, || {
        let before = wakes();
        thread::sleep(Duration::from_millis(250));
        (wakes() == before).then_some(())
    });
    asleep.expect("a server that sleeps");
}

/// How many clients are served when there is room for so many descriptors.
const FEW: u64 = 64;

#[test]
fn without_descriptors_it_serves_those_it_has_and_takes_more_later() {
    if common::lacks_descriptors(400) {
        return;
    }
    let server = Server::start_at("127.0.0.1:0", |command| {
        common::limit_descriptors(command, FEW)
    });
    // Few enough that those who wait find room in the end, whatever the server's parent
    // has left open for it.
    let mut clients: Vec<Client> = (0..FEW + 4).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(get_and_stay("/0/hello"));
    }
    let (served, waiting) = clients.split_at_mut(24);
    for client in served.iter_mut() {
        client.response().assert_is("hello");
    }
    // The last one cannot have been accepted.
    let last = waiting.last_mut().expect("many");
    last.stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a socket");
    let nothing = last.stream.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(nothing, Err(ErrorKind::WouldBlock)), "{nothing:?}");
    last.stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket");
    // The first ones go on as if nothing were.
    for _ in 0..10 {
        for client in served.iter_mut() {
            client.send(get_and_stay("/0/again"));
            client.response().assert_is("again");
        }
    }
    // It does not burn the processor over those that wait.
    let before = processor_time(&server);
    thread::sleep(Duration::from_secs(2));
    let burnt = processor_time(&server) - before;
    assert!(burnt < 50, "{burnt} hundredths of a second in two");

    for client in served {
        client.stream.shutdown(Shutdown::Both).expect("a socket");
    }
    for client in waiting {
        client.response().assert_is("hello");
    }
    drop(clients);
    server.assert_alive();
}

/// What it has used of the processor, in hundredths of a second.
fn processor_time(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("proc");
    let (_, fields) = stat.rsplit_once(") ").expect("fields");
    let fields: Vec<&str> = fields.split(' ').collect();
    let field = |at: usize| fields[at].parse::<u64>().expect("a number");
    field(11) + field(12)
}

#[test]
fn without_a_descriptor_for_the_delay_it_is_503() {
    if common::lacks_descriptors(400) {
        return;
    }
    let server = Server::start_at("127.0.0.1:0", |command| {
        common::limit_descriptors(command, FEW)
    });
    let mut clients: Vec<Client> = (0..FEW).map(|_| server.connect()).collect();
    clients[0].send(get_and_stay("/0/hello"));
    clients[0].response().assert_is("hello");
    // The clients have taken all descriptors there are.
    wait_until(DEADLINE, || {
        (server.descriptors() as u64 >= FEW).then_some(())
    })
    .expect("no descriptor left");
    clients[0].send(get("/100/late"));
    let response = clients[0].response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.field("Connection"), Some("close"));
    clients[0].assert_closed();
    drop(clients);
    server.ask(get("/10/late")).assert_is("late");
}

/// The table of connections has 8,192 places.
#[test]
fn when_it_is_full_the_longest_idle_makes_room() {
    const PLACES: u64 = 8 * 1024;

    let most = common::raise_descriptor_limit();
    if most < PLACES + 1_000 {
        return common::left_out("the full table", format!("only {most} descriptors"));
    }
    let server = Server::start();
    let mut first = server.connect();
    first.send(get_and_stay("/0/first"));
    first.response().assert_is("first");
    let mut delayed = server.connect();
    delayed.send(get_and_stay("/5000/delayed"));
    let mut second = server.connect();
    second.send(get_and_stay("/0/second"));
    second.response().assert_is("second");
    let mut others = Vec::new();
    for _ in 3..PLACES {
        others.push(TcpStream::connect(server.address).expect("a server that listens"));
    }
    // It is used later than the others were opened, so it is not the one to go.
    let mut last = server.connect();
    last.send(get_and_stay("/0/last"));
    last.response().assert_is("last");
    first.assert_closed();
    second.send(get_and_stay("/0/second"));
    second.response().assert_is("second");
    server.assert_alive();
    delayed.response().assert_is("delayed");
    second.send(get_and_stay("/0/second"));
    second.response().assert_is("second");
}

#[test]
fn stopping_and_continuing_loses_nothing() {
    let server = Server::start();
    let mut waiting = server.connect();
    waiting.send(get_and_stay("/500/delayed"));
    for _ in 0..20 {
        interrupt(server.pid());
        server.assert_alive();
    }
    waiting.response().assert_is("delayed");
}

/// While the server stands still, three things happen that it will hear of at once: a
/// delay ends, a client comes, and the client that waited for the delay resets. Having
/// lost the one and given its place to the other, it must not take the reset for the
/// other's.
#[test]
fn what_happened_to_one_that_is_gone_does_not_hit_the_next() {
    const DELAY: Duration = Duration::from_millis(500);

    let server = Server::start();
    for round in 0..3 {
        let mut old = server.connect();
        let target = format!("/{}/{round}", DELAY.as_millis());
        old.send(get_and_stay(&target));
        server.wait_for_line(|line| line == format!("GET {target}"));
        let mut new = None;
        while_stopped(server.pid(), || {
            thread::sleep(DELAY);
            new = Some(server.connect());
            old.reset();
        });
        let mut new = new.expect("a client");
        new.send(get("/0/unharmed"));
        new.response().assert_is("unharmed");
    }
}

// What it says.

#[test]
fn requests_are_printed_as_they_come_in() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(get_and_stay("/60000/later"));
    server.wait_for_line(|line| line == "GET /60000/later");
    server.ask(get("/0/a%20b?c"));
    server.ask(get("/missing"));
    server.ask("POST /0/x HTTP/1.1\r\n\r\n");
    server.ask("\x1b[31mred\r\n\r\n");
    server.ask(get(&format!("/0/{}", "x".repeat(1_000))));
    server.wait_for_line(|line| line.ends_with("xxx..."));
    assert_eq!(
        server.lines()[1..5],
        [
            "GET /60000/later",
            "GET /0/a%20b?c",
            "GET /missing  404 Not Found",
            "POST /0/x  405 Method Not Allowed",
        ]
    );
    assert_eq!(server.lines()[5], "400 Bad Request");
    for line in server.lines() {
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{line:?}"
        );
        assert!(line.len() < 160, "{line}");
    }
}

#[test]
fn it_goes_on_when_nobody_reads_what_it_prints() {
    let (reader, writer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut child = common::demo()
        .args(["serve", "127.0.0.1:0"])
        .stdout(std::os::fd::OwnedFd::from(writer))
        .spawn()
        .expect("the demo");
    let mut reader = std::io::BufReader::new(reader);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).expect("a line");
    drop(reader);
    let address = line
        .trim_end()
        .strip_prefix("listening on ")
        .expect("an address");
    let mut client = Client::connect(address.parse().expect("an address"));
    for _ in 0..3 {
        client.send(get_and_stay("/0/unheard"));
        client.response().assert_is("unheard");
    }
    child.kill().expect("still there");
    child.wait().expect("a child of ours");
}

// Where it listens.

#[test]
fn who_asks_it_to_end_ends_it_cleanly() {
    for signal in [SIGINT, SIGTERM] {
        let server = Server::start();
        server.assert_alive();
        let mut waiting = server.connect();
        waiting.send(get("/100000/never"));
        server.wait_for_line(|line| line.contains("never"));
        let address = server.address;
        let (status, lines) = server.end_by(signal);
        assert_eq!(status.code(), Some(0), "{status}");
        assert_eq!(lines.last().map(String::as_str), Some("ended by a signal"));
        waiting.assert_closed();
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn another_signal_ends_it_as_it_ends_others() {
    let (status, lines) = Server::start().end_by(SIGHUP);
    assert_eq!(status.signal(), Some(SIGHUP), "{lines:#?}");
}

#[test]
fn localhost_is_127_0_0_1() {
    let server = Server::start_at("localhost:0", |_| {});
    assert_eq!(server.address.ip().to_string(), "127.0.0.1");
    assert_ne!(server.address.port(), 0);
    server.assert_alive();
}

#[test]
fn it_listens_on_ipv6_too() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        return common::left_out("IPv6", error);
    }
    let server = Server::start_at("[::1]:0", |_| {});
    assert_eq!(server.address.ip().to_string(), "::1");
    server.assert_alive();
}

#[test]
fn an_address_in_use_is_an_error_that_says_so() {
    let server = Server::start();
    let address = server.address.to_string();
    let output = common::run(common::demo().args(["serve", &address]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("text");
    let expected =
        format!("epore: cannot listen on {address}: bind: EADDRINUSE (Address already in use)");
    assert!(
        text.starts_with(&expected) || text.contains("EADDRINUSE"),
        "{text}"
    );
    assert!(text.contains(&address), "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn the_address_can_be_used_again_at_once() {
    let first = Server::start();
    let address = first.address.to_string();
    let mut client = first.connect();
    client.send(get_and_stay("/0/x"));
    client.response().assert_is("x");
    drop(first);
    let second = Server::start_at(&address, |_| {});
    assert_eq!(second.address.to_string(), address);
    second.assert_alive();
}

#[test]
fn an_answer_says_nothing_that_it_should_not() {
    let server = Server::start();
    let Response { head, .. } = server.ask(get("/0/a%0d%0aSet-Cookie:x"));
    assert!(!head.contains("Set-Cookie"), "{head}");
}
