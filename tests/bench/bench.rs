//! Has the benchmarks run, prints tables, and draws charts.

use bench::chart::{Bar, Chart, Group};
use bench::count::{self, Instructions, OPERATIONS};
use bench::measure::Pace;
use bench::report::{self, Finding, Row, Tell};
use bench::sections::{SECTIONS, Section};
use bench::workload::LAYOUTS;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How much care is taken with each section.
struct Effort {
    processes: usize,
    /// Of a run, in microseconds.
    run: u64,
    /// Of a workload in one process, in milliseconds.
    all: u64,
    rounds: usize,
}

const FULL: Effort = Effort {
    processes: 3 * LAYOUTS,
    run: 300,
    all: 600,
    rounds: 7,
};

const SMOKE: Effort = Effort {
    processes: LAYOUTS,
    run: 100,
    all: 30,
    rounds: 3,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().expect("a number");
    let (effort, smoke, wanted) = match arguments[..] {
        ["counted", peer, operation, n] => {
            count::run(peer, operation, number(n));
            return ExitCode::SUCCESS;
        }
        ["measured", name, layout, run, all, rounds] => {
            let section = SECTIONS.iter().find(|section| section.name == name);
            (section.expect("a section").measure)(Pace {
                layout: number(layout) as usize,
                run: Duration::from_micros(number(run).into()),
                all: Duration::from_millis(number(all).into()),
                rounds: number(rounds) as usize,
            });
            return ExitCode::SUCCESS;
        }
        ["smoke", ref wanted @ ..] => (SMOKE, true, wanted),
        ref wanted => (FULL, false, wanted),
    };
    let names = || {
        SECTIONS
            .iter()
            .map(|section| section.name)
            .chain(["counts"])
    };
    if !wanted
        .iter()
        .all(|wanted| names().any(|name| name == *wanted))
    {
        let names = names().collect::<Vec<_>>().join("] [");
        eprintln!("usage: bench [smoke] [{names}]");
        return ExitCode::from(2);
    }
    let is_wanted = |name| wanted.is_empty() || wanted.contains(&name);

    let bench = env::current_exe().expect("the path of this program");
    // The charts of a full run are those of the repository.
    let charts = if smoke || !wanted.is_empty() {
        bench.with_file_name("charts")
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("charts")
    };
    fs::create_dir_all(&charts).expect("a place for the charts");
    let session = Session {
        effort,
        bench,
        charts,
    };
    let start = Instant::now();
    session.machine();
    if is_wanted("counts") {
        session.counts();
    }
    let mut overview = Vec::new();
    for section in SECTIONS.iter().filter(|section| is_wanted(section.name)) {
        let rows = session.measure(section);
        overview.extend(rows.into_iter().filter(|row| row.shown));
    }
    session.draw("overview", "Time per operation", &overview);
    let took = start.elapsed().as_secs();
    println!("\nin {took} s; charts: {}", session.charts.display());
    ExitCode::SUCCESS
}

struct Session {
    effort: Effort,
    bench: PathBuf,
    charts: PathBuf,
}

impl Session {
    fn machine(&self) {
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
        println!(
            "{} processes; asm in time, the others as its multiple: median (quartiles)",
            self.effort.processes
        );
        if let Some(emulator) = count::emulator() {
            println!("IN AN EMULATOR ({emulator}): that it runs means something, times do not");
        }
    }

    fn counts(&self) {
        match Instructions::of(&self.bench) {
            Err(why) => println!("LEFT OUT instructions: {why}"),
            Ok(instructions) => {
                report::head("Instructions", &count::peers());
                for operation in OPERATIONS {
                    let cells = count::peers().map(|peer| {
                        let count = instructions.per_operation(peer, operation);
                        count.map_or("left out".into(), |count| format!("{count:.1}"))
                    });
                    report::line(operation, cells.into_iter());
                }
            }
        }
        if count::emulator().is_some() {
            return println!("LEFT OUT system calls: strace sees those of the emulator");
        }
        report::head("System calls", &count::peers());
        for operation in OPERATIONS.into_iter().chain([count::MICROS]) {
            let cells = count::peers().map(|peer| {
                let count = count::system_calls(&self.bench, peer, operation);
                count.map_or("left out".into(), |count| format!("{count:.2}"))
            });
            report::line(operation, cells.into_iter());
        }
    }

    /// Each process has its code and its data elsewhere, and what the kernel keeps for it.
    fn measure(&self, section: &Section) -> Vec<Row> {
        let Effort {
            processes,
            run,
            all,
            rounds,
        } = self.effort;
        let (mut findings, mut left_out) = (Vec::new(), BTreeSet::new());
        for process in 0..processes {
            let output = count::program(&self.bench)
                .args(["measured", section.name, &(process % LAYOUTS).to_string()])
                .args([run.to_string(), all.to_string(), rounds.to_string()])
                .stderr(Stdio::inherit())
                .output()
                .expect("this program");
            assert!(
                output.status.success(),
                "{}: {}",
                section.name,
                output.status
            );
            for line in String::from_utf8(output.stdout).expect("text").lines() {
                match line.parse::<Finding>() {
                    Ok(finding) => findings.push(finding),
                    Err(()) => _ = left_out.insert(line.to_owned()),
                }
            }
        }
        report::head(section.title, &count::peers());
        let rows = report::rows(&findings);
        rows.iter().for_each(Row::print);
        if !left_out.is_empty() {
            println!();
        }
        left_out.iter().for_each(|line| println!("{line}"));
        self.draw(section.name, section.title, &rows);
        rows
    }

    fn draw(&self, name: &str, title: &str, rows: &[Row]) {
        let late = rows.iter().any(|row| matches!(row.tell, Tell::Late(_)));
        let chart = Chart {
            title,
            subtitle: if late {
                "in microseconds; shorter is better"
            } else {
                "as a multiple of hand-written assembly; shorter is better"
            },
            end: if late { 200.0 } else { 2.0 },
            groups: rows.iter().map(group).collect(),
        };
        let path = self.charts.join(name).with_extension("svg");
        fs::write(path, chart.svg()).expect("a chart");
    }
}

fn group(row: &Row) -> Group {
    let skipped = usize::from(!matches!(row.tell, Tell::Late(_)));
    let bars = row.cells.iter().skip(skipped).map(|cell| {
        let value = match row.tell {
            Tell::Late(timeout) => cell.micros_after(timeout),
            _ => row.ratio(cell).median,
        };
        let digits = if value < 0.1 { 4 } else { 2 };
        Bar {
            name: cell.name.clone(),
            value,
            text: format!("{value:.digits$}"),
        }
    });
    Group {
        label: row.label.clone(),
        bars: bars.collect(),
    }
}
