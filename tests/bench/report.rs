//! Tables, as Markdown.

use crate::measure::Line;
use std::time::Duration;

/// What is told of a comparison.
#[derive(Clone, Copy)]
pub enum Tell {
    /// The first one's time, and the others' ratio to it.
    Ratio,
    /// Also how often each has called `write`.
    RatioAndWrites,
    /// By how much it is later than it should be.
    Late(Duration),
}

/// One workload, and how each did.
#[derive(Clone)]
pub struct Row {
    pub label: String,
    pub tell: Tell,
    pub lines: Vec<Line>,
}

/// Prints the head of a table.
pub fn head(title: &str, unit: &str, names: &[&str]) {
    println!("\n### {title}\n\n| {unit} | {} |", names.join(" | "));
    println!("| --- |{}", " ---: |".repeat(names.len()));
}

pub fn row(label: &str, cells: impl Iterator<Item = String>) {
    println!("| {label} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

impl Row {
    pub fn print(&self) {
        let lines = || self.lines.iter();
        match self.tell {
            Tell::Late(timeout) => {
                row(&self.label, lines().map(|line| late(line, timeout)));
            }
            Tell::Ratio => row(&self.label, ratios(&self.lines)),
            Tell::RatioAndWrites => {
                row(&self.label, ratios(&self.lines));
                let label = format!("{}: writes", self.label);
                row(&label, lines().map(|line| format!("{:.4}", line.writes)));
            }
        }
    }
}

fn ratios(lines: &[Line]) -> impl Iterator<Item = String> {
    lines.iter().enumerate().map(|(index, line)| {
        if index == 0 {
            return time(line.time.median);
        }
        let ratio = line.ratio;
        let digits = if ratio.median < 0.1 { 4 } else { 2 };
        format!(
            "{:.digits$} ({:.digits$} to {:.digits$})",
            ratio.median, ratio.low, ratio.high
        )
    })
}

fn late(line: &Line, timeout: Duration) -> String {
    let late = line.time.median - timeout.as_nanos() as f64;
    format!("{:.1} µs", late / 1e3)
}

pub fn time(nanos: f64) -> String {
    match nanos {
        0.0..1e3 => format!("{nanos:.1} ns"),
        1e3..1e6 => format!("{:.2} µs", nanos / 1e3),
        _ => format!("{:.2} ms", nanos / 1e6),
    }
}
