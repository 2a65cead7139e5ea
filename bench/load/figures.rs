//! What measurements find, and the middle of several.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::generator::Run;

/// What one workload found on one subject. A figure that was not measured is no number.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub per_second: f64,
    /// Of the subject's processor time; zero for the direct path, which has no subject.
    pub cpu_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// What many streams at once found. Chunks are events: those that end a stream count as well.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub chunks_per_second: f64,
    /// Of one core, in percent.
    pub cpu_percent: f64,
    pub cpu_us_per_chunk: f64,
    /// While the streams were open.
    pub memory_mib: f64,
}

/// The figures of several rounds.
pub struct Rounds<K, F>(BTreeMap<K, Vec<F>>);

impl Figures {
    /// Of sending as fast as it goes, where that was done, and of the latencies.
    pub fn new(run: Option<(Run, Duration)>, latencies: &[Duration]) -> Self {
        let (per_second, cpu_us) = run.map_or((f64::NAN, f64::NAN), |(run, spent)| {
            let requests = number(run.requests.max(1));
            (requests / run.took.as_secs_f64(), spent.as_secs_f64() * 1e6 / requests)
        });
        Self { per_second, cpu_us, p50_us: quantile(latencies, 50), p99_us: quantile(latencies, 99) }
    }
}

impl Crowd {
    pub fn new(chunks: u64, took: Duration, spent: Duration, memory_kib: Option<u64>) -> Self {
        let (took, spent) = (took.as_secs_f64(), spent.as_secs_f64());
        Self {
            chunks_per_second: number(chunks) / took,
            cpu_percent: spent * 100.0 / took,
            cpu_us_per_chunk: spent * 1e6 / number(chunks.max(1)),
            memory_mib: memory_kib.map_or(f64::NAN, |kib| number(kib) / 1_024.0),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, cpu_us, p50_us, p99_us } = self;
        if !per_second.is_nan() {
            write!(f, "{per_second:.0} requests/s, {cpu_us:.1} us CPU; ")?;
        }
        if !p50_us.is_nan() {
            write!(f, "p50 {p50_us:.0} us, p99 {p99_us:.0} us")?;
        }
        Ok(())
    }
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chunks_per_second, cpu_percent, cpu_us_per_chunk, memory_mib } = self;
        write!(f, "{chunks_per_second:.0} chunks/s, {cpu_percent:.1} % CPU, {cpu_us_per_chunk:.1} us/chunk")?;
        if !memory_mib.is_nan() {
            write!(f, ", {memory_mib:.0} MB")?;
        }
        Ok(())
    }
}

impl<K, F> Default for Rounds<K, F> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, F> Rounds<K, F> {
    pub fn add(&mut self, of: K, figures: F) {
        self.0.entry(of).or_default().push(figures);
    }

    pub fn median(&self, of: &K, figure: impl Fn(&F) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.get(of).into_iter().flatten().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }
}

/// The value that `percent` of these are not above; they are in order.
fn quantile(ordered: &[Duration], percent: usize) -> f64 {
    let at = (ordered.len() * percent / 100).min(ordered.len().saturating_sub(1));
    ordered.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub const fn number(count: u64) -> f64 {
    count as f64
}
