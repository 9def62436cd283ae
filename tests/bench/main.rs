//! The benchmarks: prints tables, and draws charts.

use bench::chart::{Bar, Chart, Group};
use bench::count::{self, Instructions, OPERATIONS};
use bench::file::{self, End};
use bench::measure::{Pace, Run, compare};
use bench::report::{self, Row, Tell};
use bench::workload::{churn, echo, idle, look, modify, ping_pong, ring, storm, wait, wake};
use bench::{each_peer, file::connections};
use std::env;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a process has open besides what a workload waits for.
const OTHER_DESCRIPTORS: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let bench = env::current_exe().expect("the path of this program");
    if let ["counted", peer, operation, n] = arguments[..] {
        count::run(peer, operation, n.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let (smoke, wanted) = match arguments[..] {
        ["smoke", ref wanted @ ..] => (true, wanted),
        ref wanted => (false, wanted),
    };
    let sections: Vec<_> = (SECTIONS.iter())
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name))
        .collect();
    if sections.len() < wanted.len() {
        let names = SECTIONS.map(|(name, _)| name).join("] [");
        eprintln!("usage: bench [smoke] [{names}]");
        return ExitCode::from(2);
    }

    let (run, all, rounds) = if smoke {
        (200, 300, 5)
    } else {
        (500, 12_000, 21)
    };
    let pace = Pace {
        run: Duration::from_micros(run),
        all: Duration::from_millis(all),
        rounds,
    };
    // The charts of a full run are those of the repository.
    let charts = if smoke || !wanted.is_empty() {
        bench.with_file_name("charts")
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("charts")
    };
    fs::create_dir_all(&charts).expect("a place for the charts");
    let mut session = Session {
        pace,
        bench,
        charts,
        descriptors: file::raise_limit(),
        overview: Vec::new(),
    };
    let start = Instant::now();
    machine();
    for (_, section) in sections {
        section(&mut session);
    }
    session.draw("overview", "Time per operation", &session.overview);
    let took = start.elapsed().as_secs();
    println!("\nin {took} s; charts: {}", session.charts.display());
    ExitCode::SUCCESS
}

type Part = fn(&mut Session);

const SECTIONS: [(&str, Part); 8] = [
    ("instructions", Session::instructions),
    ("waiting", Session::waiting),
    ("changing", Session::changing),
    ("talking", Session::talking),
    ("ring", Session::ring),
    ("idling", Session::idling),
    ("waking", Session::waking),
    ("timing", Session::timing),
];

struct Session {
    pace: Pace,
    bench: PathBuf,
    charts: PathBuf,
    descriptors: usize,
    /// Of the chart that tells most.
    overview: Vec<Row>,
}

/// A table, and the chart of it.
struct Section<'a> {
    session: &'a mut Session,
    title: &'static str,
    rows: Vec<Row>,
}

impl Session {
    fn section(&mut self, title: &'static str) -> Section<'_> {
        report::head(title, "one", &count::peers());
        Section {
            session: self,
            title,
            rows: Vec::new(),
        }
    }

    fn instructions(&mut self) {
        report::head("Instructions", "one", &count::peers());
        match Instructions::of(&self.bench) {
            Err(why) => println!("LEFT OUT instructions: {why}"),
            Ok(instructions) => {
                for operation in OPERATIONS {
                    let cells = count::peers().map(|peer| {
                        let count = instructions.per_operation(peer, operation);
                        count.map_or("left out".into(), |count| format!("{count:.1}"))
                    });
                    report::row(operation, cells.into_iter());
                }
            }
        }
        report::head("System calls", "one", &count::peers());
        for operation in OPERATIONS.into_iter().chain([count::MICROS]) {
            let cells = count::peers().map(|peer| {
                let count = count::system_calls(&self.bench, peer, operation);
                count.map_or("left out".into(), |count| format!("{count:.2}"))
            });
            report::row(operation, cells.into_iter());
        }
    }

    fn waiting(&mut self) {
        let none: &[OwnedFd] = &[file::eventfd()];
        let all: Vec<_> = (0..1024).map(|_| file::ready()).collect();
        let zero = || Some(Duration::ZERO);
        let mut section = self.section("Waiting");
        section.shown("empty poll", each_peer!(|n| wait(n, none, zero, look)));
        section.shown("1 event", each_peer!(|n| wait(n, &all[..1], || None, look)));
        section.shown(
            "64 events",
            each_peer!(|n| wait(n, &all[..64], || None, look)),
        );
        section.shown("1,024 events", each_peer!(|n| wait(n, &all, || None, look)));
        section.finish("waiting");
    }

    fn changing(&mut self) {
        let mut section = self.section("Changing registrations");
        section.shown("modify", each_peer!(|n| modify(n)));
        section.shown("register and deregister", each_peer!(|n| churn(n)));
        section.finish("changing");
    }

    fn talking(&mut self) {
        let (sockets, pipes) = (file::sockets(), file::pipes());
        let mut section = self.section("Round trips");
        section.shown(
            "socket, two threads",
            each_peer!(|n| ping_pong(n, &sockets)),
        );
        section.add("pipe, two threads", each_peer!(|n| ping_pong(n, &pipes)));
        let some = connections(64);
        section.shown("TCP echo, 64 connections", each_peer!(|n| echo(n, &some)));
        let many = connections(1000);
        section.add("TCP echo, 1,000", each_peer!(|n| echo(n, &many)));
        section.finish("talking");
    }

    fn ring(&mut self) {
        let limit = self.descriptors;
        let mut section = self.section("Ring of pipes");
        for length in [100, 1000, 9900] {
            if 2 * length + OTHER_DESCRIPTORS > limit {
                left_out("pipes", length, limit);
                continue;
            }
            let pipes: Vec<End> = (0..length).map(|_| file::pipe()).collect();
            for active in [1, 100, 1000] {
                if active > length {
                    continue;
                }
                let label = format!("{length} pipes, {active} active");
                let runs = each_peer!(|n| ring(n, &pipes, active));
                if (length, active) == (9900, 1) {
                    section.shown(&label, runs);
                } else {
                    section.add(&label, runs);
                }
            }
        }
        section.finish("ring");
    }

    fn idling(&mut self) {
        let limit = self.descriptors;
        let mut section = self.section("One event among idle ones");
        for count in [100, 1000, 10_000, 100_000, 1_000_000] {
            if count + OTHER_DESCRIPTORS > limit {
                left_out("idle descriptors", count, limit);
                continue;
            }
            let first = file::eventfd();
            let more = (1..count).map(|_| first.try_clone().expect("a descriptor"));
            let files: Vec<_> = more.collect();
            section.add(&format!("{count} idle"), each_peer!(|n| idle(n, &files)));
        }
        section.finish("idling");
    }

    fn waking(&mut self) {
        let mut section = self.section("Waking");
        for threads in [1, 2, 8] {
            let label = format!("storm, {threads} threads");
            let runs = each_peer!(|n| storm(n, threads));
            section.compare(&label, Tell::RatioAndWrites, runs, None, threads == 2);
        }
        section.shown("wake to woken", each_peer!(|n| wake(n)));
        section.finish("waking");
    }

    fn timing(&mut self) {
        let none: &[OwnedFd] = &[file::eventfd()];
        let knows_nanoseconds = knows_pwait2();
        let mut section = self.section("Timeouts: how late");
        for micros in [50, 500, 1000, 1500, 10_000] {
            let timeout = Duration::from_micros(micros);
            if !knows_nanoseconds && micros % 1000 != 0 {
                println!("LEFT OUT a wait of {timeout:?}: there is no epoll_pwait2");
                continue;
            }
            let runs = each_peer!(|n| wait(n, none, || Some(timeout), look));
            section.compare(
                &format!("{timeout:?}"),
                Tell::Late(timeout),
                runs,
                Some(1),
                false,
            );
        }
        section.finish("timing");
    }

    fn draw(&self, name: &str, title: &str, rows: &[Row]) {
        let groups: Vec<_> = rows.iter().map(group).collect();
        let lateness = rows.iter().any(|row| matches!(row.tell, Tell::Late(_)));
        let chart = Chart {
            title,
            subtitle: if lateness {
                "in microseconds after the timeout; median"
            } else {
                "as a ratio to hand-written assembly in the same round; median; shorter is better"
            },
            end: if lateness { 200.0 } else { 2.0 },
            groups,
        };
        let path = self.charts.join(name).with_extension("svg");
        fs::write(path, chart.svg()).expect("a chart");
    }
}

fn group(row: &Row) -> Group {
    let bars = row.lines.iter().skip(1).map(|line| {
        let value = match row.tell {
            Tell::Late(timeout) => (line.time.median - timeout.as_nanos() as f64) / 1e3,
            _ => line.ratio.median,
        };
        Bar {
            name: line.name,
            value,
            text: format!("{value:.2}"),
        }
    });
    Group {
        label: row.label.clone(),
        bars: bars.collect(),
    }
}

type Runs<'a> = [(&'static str, Run<'a>); 6];

impl Section<'_> {
    fn add(&mut self, label: &str, runs: Runs<'_>) {
        self.compare(label, Tell::Ratio, runs, None, false);
    }

    /// As `add`, and into the chart that tells most.
    fn shown(&mut self, label: &str, runs: Runs<'_>) {
        self.compare(label, Tell::Ratio, runs, None, true);
    }

    fn compare(
        &mut self,
        label: &str,
        tell: Tell,
        runs: Runs<'_>,
        batch: Option<u32>,
        shown: bool,
    ) {
        let lines = compare(runs, self.session.pace, batch);
        let row = Row {
            label: label.into(),
            tell,
            lines,
        };
        row.print();
        if shown {
            self.session.overview.push(row.clone());
        }
        self.rows.push(row);
    }

    fn finish(self, name: &str) {
        self.session.draw(name, self.title, &self.rows);
    }
}

fn machine() {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{}, {cores} cores, Linux {}, load {}",
        model.unwrap_or(env::consts::ARCH),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    );
    if let Some(emulator) = count::emulator() {
        println!("IN AN EMULATOR ({emulator}): that it runs means something, the times do not.");
    }
}

fn left_out(what: &str, count: usize, limit: usize) {
    println!("LEFT OUT {count} {what}: RLIMIT_NOFILE is {limit}");
}

fn knows_pwait2() -> bool {
    use std::ptr::{null, null_mut};
    // SAFETY: the descriptor is none, so nothing is written.
    unsafe { libc::epoll_pwait2(-1, null_mut(), 1, null(), null()) };
    io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}
