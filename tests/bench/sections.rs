//! What is measured, by a process of its own: it prints what it found, line by line.

use crate::each_peer;
use crate::file::{self, End, connections};
use crate::measure::{Pace, Run, compare};
use crate::report::{Finding, Tell};
use crate::workload::{churn, echo, idle, look, modify, ping_pong, ring, storm, wait, wake};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

pub struct Section {
    pub name: &'static str,
    pub title: &'static str,
    pub measure: fn(Pace),
}

pub const SECTIONS: [Section; 7] = [
    Section {
        name: "waiting",
        title: "Waiting",
        measure: waiting,
    },
    Section {
        name: "changing",
        title: "Changing registrations",
        measure: changing,
    },
    Section {
        name: "talking",
        title: "Round trips",
        measure: talking,
    },
    Section {
        name: "ring",
        title: "A ring of pipes",
        measure: pipes,
    },
    Section {
        name: "idling",
        title: "One event among idle ones",
        measure: idling,
    },
    Section {
        name: "waking",
        title: "Waking",
        measure: waking,
    },
    Section {
        name: "timing",
        title: "How late a timeout is",
        measure: timing,
    },
];

/// What a process has open besides what a workload waits for.
const OTHER_DESCRIPTORS: usize = 64;

fn waiting(pace: Pace) {
    let none: &[OwnedFd] = &[file::eventfd()];
    let all: Vec<_> = (0..1024).map(|_| file::ready()).collect();
    let zero = || Some(Duration::ZERO);
    shown(
        pace,
        "empty poll",
        each_peer!(pace.layout, |n| wait(n, none, zero, look)),
    );
    shown(
        pace,
        "1 event",
        each_peer!(pace.layout, |n| wait(n, &all[..1], || None, look)),
    );
    shown(
        pace,
        "64 events",
        each_peer!(pace.layout, |n| wait(n, &all[..64], || None, look)),
    );
    shown(
        pace,
        "1,024 events",
        each_peer!(pace.layout, |n| wait(n, &all, || None, look)),
    );
}

fn changing(pace: Pace) {
    shown(pace, "modify", each_peer!(pace.layout, |n| modify(n)));
    shown(
        pace,
        "register and deregister",
        each_peer!(pace.layout, |n| churn(n)),
    );
}

fn talking(pace: Pace) {
    let (sockets, pipes) = (file::sockets(), file::pipes());
    met(
        pace,
        true,
        "socket, two threads",
        each_peer!(pace.layout, |n| ping_pong(n, &sockets)),
    );
    met(
        pace,
        false,
        "pipe, two threads",
        each_peer!(pace.layout, |n| ping_pong(n, &pipes)),
    );
    let some = connections(64);
    met(
        pace,
        true,
        "TCP echo, 64 connections",
        each_peer!(pace.layout, |n| echo(n, &some)),
    );
    let many = connections(1000);
    met(
        pace,
        false,
        "TCP echo, 1,000",
        each_peer!(pace.layout, |n| echo(n, &many)),
    );
}

fn pipes(pace: Pace) {
    let limit = file::raise_limit();
    for length in [100, 1000, 9900] {
        if 2 * length + OTHER_DESCRIPTORS > limit {
            left_out("pipes", length, limit);
            continue;
        }
        let pipes: Vec<End> = (0..length).map(|_| file::pipe()).collect();
        for active in [1, 100, 1000] {
            if active >= length {
                continue;
            }
            let label = format!("{length} pipes, {active} active");
            let runs = each_peer!(pace.layout, |n| ring(n, &pipes, active));
            if (length, active) == (9900, 1) {
                shown(pace, &label, runs);
            } else {
                add(pace, &label, runs);
            }
        }
    }
}

fn idling(pace: Pace) {
    let limit = file::raise_limit();
    for count in [100, 1000, 10_000, 100_000, 1_000_000] {
        if count + OTHER_DESCRIPTORS > limit {
            left_out("idle descriptors", count, limit);
            continue;
        }
        let first = file::eventfd();
        let more = (1..count).map(|_| first.try_clone().expect("a descriptor"));
        let files: Vec<_> = more.collect();
        add(
            pace,
            &format!("{count} idle"),
            each_peer!(pace.layout, |n| idle(n, &files)),
        );
    }
}

fn waking(pace: Pace) {
    for threads in [1, 2, 8] {
        // It begins with all threads starting, of which it is not to tell.
        let storms = pace.run.as_micros() as u32 * 100 * threads;
        let label = format!("storm, {threads} threads");
        let runs = each_peer!(pace.layout, |n| storm(n, threads));
        let shown = threads == 2;
        told(
            pace,
            &label,
            Tell::RatioAndWrites,
            shown,
            runs,
            Some(storms),
        );
    }
    met(
        pace,
        true,
        "wake to woken",
        each_peer!(pace.layout, |n| wake(n)),
    );
}

fn timing(pace: Pace) {
    let none: &[OwnedFd] = &[file::eventfd()];
    let knows_nanoseconds = knows_pwait2();
    for micros in [50, 500, 1000, 1500, 10_000] {
        let timeout = Duration::from_micros(micros);
        if !knows_nanoseconds && micros % 1000 != 0 {
            println!("LEFT OUT a wait of {timeout:?}: there is no epoll_pwait2");
            continue;
        }
        let runs = each_peer!(pace.layout, |n| wait(n, none, || Some(timeout), look));
        told(
            pace,
            &format!("{timeout:?}"),
            Tell::Late(timeout),
            false,
            runs,
            Some(1),
        );
    }
}

type Runs<'a> = [(&'static str, Run<'a>); 6];

fn add(pace: Pace, label: &str, runs: Runs<'_>) {
    told(pace, label, Tell::Ratio, false, runs, None);
}

/// As `add`, and into the chart that tells most.
fn shown(pace: Pace, label: &str, runs: Runs<'_>) {
    told(pace, label, Tell::Ratio, true, runs, None);
}

/// As either, of threads that wait for each other.
fn met(pace: Pace, shown: bool, label: &str, runs: Runs<'_>) {
    told(pace, label, Tell::RatioOfThreads, shown, runs, None);
}

fn told(pace: Pace, label: &str, tell: Tell, shown: bool, runs: Runs<'_>, batch: Option<u32>) {
    for line in compare(runs, pace, batch) {
        let finding = Finding {
            label: label.into(),
            tell,
            shown,
            layout: pace.layout,
            line,
        };
        println!("{finding}");
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
