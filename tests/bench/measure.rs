//! Who is how fast. Each runs for a moment, in an order that chance changes all the time,
//! so that whatever else happens on the machine happens to all, and nobody always comes
//! after the same one, whose traces it would find; what is reported is the median.
//!
//! That is in one process. `bench.rs` starts many, which differ in how their code and
//! data are laid out.

use std::fs;
use std::time::{Duration, Instant};

/// Does so many operations, and returns the time they took.
pub type Run<'a> = Box<dyn FnMut(u32) -> Duration + 'a>;

/// How much care is taken.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Which of the layouts of the code is taken.
    pub layout: usize,
    /// What one run should take.
    pub run: Duration,
    /// What all should take.
    pub all: Duration,
    /// How many rounds there are in any case.
    pub rounds: usize,
}

/// What one of them has achieved, in one process.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    /// Nanoseconds per operation.
    pub time: f64,
    /// Of the process, per operation: calls of `write` and its like.
    pub writes: f64,
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures them all. `batch` is how many operations make a run, where that
/// is not for the clock to say.
pub fn compare<'a>(
    mut runs: impl AsMut<[(&'static str, Run<'a>)]>,
    pace: Pace,
    batch: Option<u32>,
) -> Vec<Line> {
    let runs = runs.as_mut();
    let batch = batch.unwrap_or_else(|| fitting_batch(&mut runs[0].1, pace.run));
    let mut times = vec![Vec::new(); runs.len()];
    let mut writes = vec![0; runs.len()];
    let mut order: Vec<_> = (0..runs.len()).collect();
    let start = Instant::now();
    let mut round = 0;
    while round < pace.rounds || start.elapsed() < pace.all {
        fastrand::shuffle(&mut order);
        for &index in &order {
            // The first round only warms up.
            let before = writes_so_far();
            let took = runs[index].1(batch);
            if round > 0 {
                writes[index] += writes_so_far() - before;
                times[index].push(took.as_nanos() as f64 / f64::from(batch));
            }
        }
        round += 1;
    }

    let operations = (round - 1) as f64 * f64::from(batch);
    (0..runs.len())
        .map(|index| Line {
            name: runs[index].0.into(),
            time: median(times[index].clone()),
            writes: writes[index] as f64 / operations,
        })
        .collect()
}

fn fitting_batch(run: &mut Run<'_>, wanted: Duration) -> u32 {
    let mut batch = 64;
    while run(batch) < wanted && batch < 1 << 24 {
        batch *= 2;
    }
    batch
}

/// See proc_pid_io(5). Zero where the kernel does not count.
fn writes_so_far() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let count = io.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.map_or(0, |count| count.parse().expect("a number"))
}
