//! The demo's server against its twin: how many requests each answers, how much memory
//! it takes, how soon it listens, how large it is and how long it takes to build.
//!
//!     cargo run --release --manifest-path tests/bench/Cargo.toml --bin program [smoke]
//!
//! It wants wrk, and cargo with both packages' dependencies at hand.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

const TARGET: &str = "/0/hello";

struct Effort {
    pairs: usize,
    starts: usize,
    seconds: u32,
    clean: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let effort = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Effort {
            pairs: 9,
            starts: 200,
            seconds: 3,
            clean: true,
        },
        ["smoke"] => Effort {
            pairs: 1,
            starts: 20,
            seconds: 1,
            clean: false,
        },
        _ => {
            eprintln!("usage: program [smoke]");
            return ExitCode::from(2);
        }
    };
    bench::file::raise_limit();

    let built = [Package::DEMO, Package::TWIN].map(|package| package.build(effort.clean));
    let both = built.each_ref().map(|it| it.program.as_path());
    println!("| | epore | mio | ratio |\n| --- | ---: | ---: | ---: |");
    same_answers(both);
    println!("| the same answers, byte for byte | yes | yes | |");
    for connections in [1, 64, 1000] {
        let mut requests = [Vec::new(), Vec::new()];
        let mut slowest = [Vec::new(), Vec::new()];
        for pair in 0..effort.pairs {
            for which in [pair % 2, (pair + 1) % 2] {
                let (rate, p99) = wrk(both[which], connections, effort.seconds);
                requests[which].push(rate);
                slowest[which].push(p99);
            }
        }
        row(
            &format!("requests/s, {connections} connections"),
            &requests,
            |rate| format!("{rate:.0}"),
        );
        row(
            &format!("p99, {connections} connections"),
            &slowest,
            |micros| format!("{micros:.0} µs"),
        );
    }
    let memory = both.map(|program| vec![resident_kilobytes(program, 1000)]);
    row("resident, 1,000 connections", &memory, |kilobytes| {
        format!("{kilobytes:.0} kB")
    });
    let mut starts = [Vec::new(), Vec::new()];
    for turn in 0..effort.starts {
        for which in [turn % 2, (turn + 1) % 2] {
            starts[which].push(start(both[which]).as_secs_f64() * 1e6);
        }
    }
    row("from exec to listening", &starts, |micros| {
        format!("{micros:.0} µs")
    });
    let sizes = both.map(|program| vec![fs::metadata(program).expect("a program").len() as f64]);
    row("size of the executable", &sizes, |bytes| {
        format!("{bytes:.0} bytes")
    });
    if effort.clean {
        for (what, pick) in [
            ("clean build, library", (|it| it.library) as fn(&Built) -> _),
            ("clean build, executable", |it| it.executable),
        ] {
            let times = [&built[0], &built[1]].map(|it| vec![pick(it).as_secs_f64()]);
            row(what, &times, |seconds| format!("{seconds:.1} s"));
        }
    }
    ExitCode::SUCCESS
}

/// Medians, and the median of the ratios of those that ran one after the other.
fn row(what: &str, values: &[Vec<f64>; 2], show: impl Fn(f64) -> String) {
    let pairs = values[0].iter().zip(&values[1]);
    let ratio = median(pairs.map(|(epore, mio)| epore / mio).collect());
    let [epore, mio] = values.each_ref().map(|values| show(median(values.clone())));
    println!("| {what} | {epore} | {mio} | {ratio:.2} |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Package {
    folder: &'static str,
    library: &'static str,
    program: &'static str,
}

struct Built {
    program: PathBuf,
    library: Duration,
    executable: Duration,
}

impl Package {
    const DEMO: Self = Self {
        folder: "../..",
        library: "epore",
        program: "epore",
    };
    const TWIN: Self = Self {
        folder: "twin",
        library: "mio",
        program: "twin",
    };

    fn build(&self, clean: bool) -> Built {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder);
        let target = env::current_exe().expect("this program");
        let target = target.with_file_name(format!("program-{}", self.program));
        let cargo = |arguments: &[&str]| {
            let start = Instant::now();
            let status = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
                .current_dir(&folder)
                .args(arguments)
                .args(["--locked", "--quiet"])
                .env("CARGO_TARGET_DIR", &target)
                .status();
            assert!(status.expect("cargo").success());
            start.elapsed()
        };
        let remove = || match fs::remove_dir_all(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        };
        cargo(&["fetch"]);
        let mut library = Duration::ZERO;
        if clean {
            remove();
            library = cargo(&["build", "--release", "--package", self.library, "--lib"]);
            remove();
        }
        let executable = cargo(&["build", "--release", "--bin", self.program]);
        Built {
            program: target.join("release").join(self.program),
            library,
            executable,
        }
    }
}

/// One that runs, and ends with its owner.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(program: &Path) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let process = Command::new(program)
        .args(["serve", &address.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("a server");
    let server = Server { process, address };
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "{program:?} does not listen");
        thread::yield_now();
    }
    server
}

/// From just before `execve` to the line that says it listens.
fn start(program: &Path) -> Duration {
    let (mut began, begins) = io::pipe().expect("a pipe");
    let mut command = Command::new(program);
    command
        .args(["serve", "127.0.0.1:0"])
        .stdout(Stdio::piped());
    // SAFETY: between fork and exec it reads a clock and writes to a pipe, no more.
    unsafe {
        command.pre_exec(move || {
            let now = monotonic().as_nanos() as u64;
            (&begins).write_all(&now.to_ne_bytes())
        });
    }
    let mut process = command.spawn().expect("a server");
    let mut line = String::new();
    let mut output = BufReader::new(process.stdout.take().expect("its output"));
    output.read_line(&mut line).expect("a line");
    let now = monotonic();
    assert!(line.contains("listening"), "{line}");
    let mut then = [0; 8];
    began.read_exact(&mut then).expect("a time");
    let _ = process.kill();
    let _ = process.wait();
    now - Duration::from_nanos(u64::from_ne_bytes(then))
}

fn monotonic() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: one `timespec` is written before the call returns.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Requests per second, and the time in which all but one percent are answered, in
/// microseconds.
fn wrk(program: &Path, connections: usize, seconds: u32) -> (f64, f64) {
    let server = serve(program);
    let output = Command::new("wrk")
        .args(["--latency", "-t1", &format!("-c{connections}")])
        .arg(format!("-d{seconds}s"))
        .arg(format!("http://{}{TARGET}", server.address))
        .output()
        .expect("wrk, of the Debian package of that name");
    let said = String::from_utf8_lossy(&output.stdout);
    for trouble in ["Non-2xx", "Socket errors"] {
        assert!(!said.contains(trouble), "{said}");
    }
    // At the beginning of a line: there are percentages elsewhere.
    let after = |what: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(what));
        line.unwrap_or_else(|| panic!("{said}")).trim().to_owned()
    };
    let rate = after("Requests/sec:").parse().expect("a number");
    let p99 = after("99%");
    let split = p99.find(char::is_alphabetic).expect("a unit");
    let (number, unit) = p99.split_at(split);
    let micros = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => panic!("{p99}"),
    };
    (rate, number.parse::<f64>().expect("a number") * micros)
}

fn request(stream: &mut TcpStream) {
    let request = format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a server");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhello") {
        let mut piece = [0; 512];
        let count = stream.read(&mut piece).expect("an answer");
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..count]);
    }
}

/// While so many connections are open, each of which has been used.
fn resident_kilobytes(program: &Path, connections: usize) -> f64 {
    let server = serve(program);
    let mut streams: Vec<_> = (0..connections)
        .map(|_| TcpStream::connect(server.address).expect("a server"))
        .collect();
    for _ in 0..3 {
        streams.iter_mut().for_each(request);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.id()));
    let status = status.expect("a process");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|it| it.trim().strip_suffix(" kB"));
    kilobytes.and_then(|it| it.parse().ok()).expect("VmRSS")
}

/// What both are asked, and have to answer alike.
const REQUESTS: [&str; 12] = [
    "GET /0/hello HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /20/later HTTP/1.1\r\nHost: a\r\n\r\nGET /0/next HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /0/hello HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /0/hello HTTP/1.0\r\n\r\n",
    "GET /0/hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /0/a%20b?query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /0/hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    "GET /0/hello HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET /0/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    "what is this?\r\n\r\n",
    "GET /0/hal",
];

fn same_answers(programs: [&Path; 2]) {
    let servers = programs.map(serve);
    for request in REQUESTS {
        let [epore, mio] = servers.each_ref().map(|server| {
            let mut stream = TcpStream::connect(server.address).expect("a server");
            stream.write_all(request.as_bytes()).expect("a server");
            stream.shutdown(Shutdown::Write).expect("a connection");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        assert_eq!(epore, mio, "to {request:?}");
        assert!(epore.starts_with("HTTP/1.1 "), "to {request:?}: {epore:?}");
    }
}
