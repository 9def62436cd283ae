//! What the processes have found, put together, and shown as tables in Markdown.
//!
//! Each peer counts in the layout of its code in which it is fastest: where a linker puts
//! a loop is not a merit, and not a fault, of what is compared. Where threads wait for each
//! other, which varies more than that, each process has a ratio of its own.

use crate::measure::Line;
use crate::workload::LAYOUTS;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is told of a workload.
#[derive(Clone, Copy, PartialEq)]
pub enum Tell {
    /// The first one's time, and the others' ratio to it.
    Ratio,
    /// The same of threads that wait for each other.
    RatioOfThreads,
    /// Also how often each has called `write`.
    RatioAndWrites,
    /// By how much it is later than it should be.
    Late(Duration),
}

impl Tell {
    /// Of threads that wait for each other, whatever the layout of their code.
    fn is_of_threads(self) -> bool {
        matches!(self, Self::RatioOfThreads | Self::RatioAndWrites)
    }
}

/// What one process has found out about one peer.
pub struct Finding {
    pub label: String,
    pub tell: Tell,
    /// It belongs into the chart that tells most.
    pub shown: bool,
    pub layout: usize,
    pub line: Line,
}

/// A line of text, for the process that puts them together.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, shown, layout) = (&self.label, self.shown, self.layout);
        let tell = match self.tell {
            Tell::Ratio => "ratio".into(),
            Tell::RatioOfThreads => "threads".into(),
            Tell::RatioAndWrites => "writes".into(),
            Tell::Late(timeout) => timeout.as_nanos().to_string(),
        };
        let Line { name, time, writes } = &self.line;
        write!(
            f,
            "{label}\t{tell}\t{shown}\t{layout}\t{name}\t{time}\t{writes}"
        )
    }
}

impl FromStr for Finding {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let fields: Vec<_> = line.split('\t').collect();
        let &[label, tell, shown, layout, name, time, writes] = &fields[..] else {
            return Err(());
        };
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self {
            label: label.into(),
            tell: match tell {
                "ratio" => Tell::Ratio,
                "threads" => Tell::RatioOfThreads,
                "writes" => Tell::RatioAndWrites,
                nanos => Tell::Late(Duration::from_nanos(nanos.parse().map_err(|_| ())?)),
            },
            shown: shown == "true",
            layout: layout.parse().map_err(|_| ())?,
            line: Line {
                name: name.into(),
                time: number(time)?,
                writes: number(writes)?,
            },
        })
    }
}

/// The median and the quartiles of what the processes found.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

/// How one peer did.
#[derive(Clone)]
pub struct Cell {
    pub name: String,
    /// In nanoseconds.
    pub time: Spread,
    /// Of each process, in an order that all cells of a row have.
    pub times: Vec<f64>,
    pub writes: f64,
}

/// How all did with one workload.
#[derive(Clone)]
pub struct Row {
    pub label: String,
    pub tell: Tell,
    pub shown: bool,
    pub cells: Vec<Cell>,
}

/// Puts together what belongs together, in the order in which it came.
pub fn rows(findings: &[Finding]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for finding in findings {
        let at = rows.iter().position(|row| row.label == finding.label);
        let at = at.unwrap_or_else(|| {
            rows.push(Row {
                label: finding.label.clone(),
                tell: finding.tell,
                shown: finding.shown,
                cells: Vec::new(),
            });
            rows.len() - 1
        });
        let row = &mut rows[at];
        let name = &finding.line.name;
        if row.cells.iter().all(|cell| cell.name != *name) {
            let lines = |layout| {
                let same = move |it: &&Finding| {
                    it.label == finding.label && it.layout == layout && it.line.name == *name
                };
                findings.iter().filter(same).map(|it| &it.line)
            };
            let all = || (0..LAYOUTS).flat_map(lines);
            let time = if finding.tell.is_of_threads() {
                Spread::of(all().map(|line| line.time))
            } else {
                (0..LAYOUTS)
                    .filter(|layout| lines(*layout).next().is_some())
                    .map(|layout| Spread::of(lines(layout).map(|line| line.time)))
                    .min_by(|one, other| one.median.total_cmp(&other.median))
                    .expect("a layout")
            };
            row.cells.push(Cell {
                name: name.clone(),
                time,
                times: all().map(|line| line.time).collect(),
                writes: Spread::of(all().map(|line| line.writes)).median,
            });
        }
    }
    rows
}

/// Prints the head of a table.
pub fn head(title: &str, names: &[&str]) {
    println!("\n### {title}\n\n| | {} |", names.join(" | "));
    println!("| --- |{}", " ---: |".repeat(names.len()));
}

pub fn line(label: &str, cells: impl Iterator<Item = String>) {
    println!("| {label} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

impl Row {
    /// Of the cell to the first one.
    pub fn ratio(&self, cell: &Cell) -> Spread {
        let first = &self.cells[0];
        if self.tell.is_of_threads() {
            let pairs = cell.times.iter().zip(&first.times);
            return Spread::of(pairs.map(|(time, first)| time / first));
        }
        let first = first.time.median;
        let Spread { low, median, high } = cell.time;
        Spread {
            low: low / first,
            median: median / first,
            high: high / first,
        }
    }

    pub fn print(&self) {
        let cells = || self.cells.iter();
        if let Tell::Late(timeout) = self.tell {
            let late = |cell: &Cell| format!("{:.1} µs", cell.micros_after(timeout));
            return line(&self.label, cells().map(late));
        }
        line(
            &self.label,
            cells().enumerate().map(|(index, cell)| {
                if index == 0 {
                    return time(cell.time.median);
                }
                let Spread { low, median, high } = self.ratio(cell);
                let digits = if median < 0.1 { 4 } else { 2 };
                format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
            }),
        );
        if self.tell == Tell::RatioAndWrites {
            let label = format!("{}: writes each", self.label);
            line(&label, cells().map(|cell| format!("{:.4}", cell.writes)));
        }
    }
}

impl Cell {
    pub fn micros_after(&self, timeout: Duration) -> f64 {
        (self.time.median - timeout.as_nanos() as f64) / 1e3
    }
}

fn time(nanos: f64) -> String {
    match nanos {
        0.0..1e3 => format!("{nanos:.1} ns"),
        1e3..1e6 => format!("{:.2} µs", nanos / 1e3),
        _ => format!("{:.2} ms", nanos / 1e6),
    }
}
