//! The figures, and the table they make.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::generator::Run;
use crate::subjects::Subject;
use crate::workload::Workload;
use crate::{Arguments, Outcome};

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    per_second: f64,
    /// Of the subject's processor time; zero for the direct path, which has no subject.
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
    pub fn new(run: Run, spent: Duration, latencies: Vec<Duration>) -> Self {
        let requests = run.requests.max(1) as f64;
        Self {
            per_second: requests / run.took.as_secs_f64(),
            cpu_us: spent.as_secs_f64() * 1e6 / requests,
            p50_us: quantile(&latencies, 50),
            p99_us: quantile(&latencies, 99),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, cpu_us, p50_us, p99_us } = self;
        write!(f, "{per_second:.0} requests/s, {cpu_us:.1} us CPU, p50 {p50_us:.0} us, p99 {p99_us:.0} us")
    }
}

/// The value that `percent` of these are not above; they are in order.
fn quantile(ordered: &[Duration], percent: usize) -> f64 {
    let at = (ordered.len() * percent / 100).min(ordered.len().saturating_sub(1));
    ordered.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
}

/// Everything measured so far.
pub struct Report {
    heading: String,
    order: Vec<&'static str>,
    figures: BTreeMap<(&'static str, &'static str), Vec<Figures>>,
    idle_kib: BTreeMap<&'static str, u64>,
    loaded_kib: BTreeMap<&'static str, u64>,
}

impl Report {
    pub fn new(arguments: &Arguments, is_pinned: bool, missing: &[String]) -> Self {
        let Arguments { rounds, seconds, connections, rate, .. } = arguments;
        let place = if is_pinned { "proxy on one core, load and upstream on another" } else { "not pinned" };
        let mut heading = format!(
            "{connections} keep-alive connections, {place}; medians of {rounds} rounds of {seconds} s; \
             latency at {rate} requests/s, added to the direct path's.\n"
        );
        heading.extend(missing.iter().map(|what| format!("\n**Not measured:** {what}\n")));
        Self {
            heading,
            order: Vec::new(),
            figures: BTreeMap::new(),
            idle_kib: BTreeMap::new(),
            loaded_kib: BTreeMap::new(),
        }
    }

    pub fn idle(&mut self, subject: &Subject) -> Outcome<()> {
        self.order.push(subject.name);
        if let Some(kib) = subject.memory_kib()? {
            self.idle_kib.insert(subject.name, kib);
        }
        Ok(())
    }

    pub fn loaded(&mut self, subject: &Subject) -> Outcome<()> {
        if let Some(kib) = subject.memory_kib()? {
            self.loaded_kib.insert(subject.name, kib);
        }
        Ok(())
    }

    pub fn add(&mut self, subject: &Subject, workload: Workload, figures: Figures) {
        self.figures.entry((subject.name, workload.name())).or_default().push(figures);
    }

    fn median(&self, subject: &'static str, workload: Workload, figure: fn(&Figures) -> f64) -> f64 {
        let rounds = self.figures.get(&(subject, workload.name())).map_or(&[][..], Vec::as_slice);
        let mut values: Vec<f64> = rounds.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading)?;
        for workload in Workload::ALL {
            writeln!(
                f,
                "| {} | requests/s | CPU µs/request | × floor | added p50 µs | added p99 µs |",
                workload.name()
            )?;
            writeln!(f, "|---|--:|--:|--:|--:|--:|")?;
            let floor = self.median("floor", workload, |figures| figures.cpu_us);
            for subject in &self.order {
                let of = |figure| self.median(subject, workload, figure);
                let added = |figure| of(figure) - self.median("direct", workload, figure);
                let per_second = of(|figures| figures.per_second);
                if *subject == "direct" {
                    let (p50, p99) = (of(|figures| figures.p50_us), of(|figures| figures.p99_us));
                    writeln!(f, "| direct | {per_second:.0} | – | – | (is {p50:.0}) | (is {p99:.0}) |")?;
                    continue;
                }
                let cpu = of(|figures| figures.cpu_us);
                let (p50, p99) = (added(|figures| figures.p50_us), added(|figures| figures.p99_us));
                let times = cpu / floor;
                writeln!(f, "| {subject} | {per_second:.0} | {cpu:.1} | {times:.2} | {p50:.0} | {p99:.0} |")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "| memory | idle MB | after load MB |\n|---|--:|--:|")?;
        let megabytes =
            |kib: Option<&u64>| kib.map_or_else(|| "–".to_owned(), |kib| format!("{}", kib / 1_024));
        for subject in self.order.iter().filter(|name| **name != "direct") {
            let (idle, loaded) = (self.idle_kib.get(subject), self.loaded_kib.get(subject));
            writeln!(f, "| {subject} | {} | {} |", megabytes(idle), megabytes(loaded))?;
        }
        Ok(())
    }
}
