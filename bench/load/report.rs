//! The tables that all figures make.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::crowd::STREAM;
use crate::figures::{Crowd, Figures, Rounds, number};
use crate::subjects::{Delivered, Subject};
use crate::workload::{Streamed, Workload};
use crate::{Arguments, FIRST_CHUNK, Outcome, TEXT_LIKE_TOOL_CALL, TOOL_CALL, What};

/// Everything measured so far.
pub struct Report {
    heading: String,
    what: Vec<What>,
    chunks: u32,
    order: Vec<&'static str>,
    figures: Rounds<(&'static str, Workload), Figures>,
    crowds: Rounds<(u32, &'static str), Crowd>,
    idle_kib: BTreeMap<&'static str, u64>,
    loaded_kib: BTreeMap<&'static str, u64>,
    delivered: Vec<Delivered>,
    evidence: Option<String>,
}

impl Report {
    pub fn new(arguments: &Arguments, is_pinned: bool, missing: &[String]) -> Self {
        let Arguments { rounds, seconds, connections, rate, chunks, .. } = arguments;
        let place = if is_pinned { "proxy on one core, everything else on another" } else { "not pinned" };
        let mut heading = format!(
            "{connections} keep-alive connections, {place}; medians of {rounds} rounds of {seconds} s; \
             latency at {rate} requests/s, added to the direct path's.\n"
        );
        heading.extend(missing.iter().map(|what| format!("\n**Not measured:** {what}\n")));
        Self {
            heading,
            what: arguments.what(),
            chunks: *chunks,
            order: Vec::new(),
            figures: Rounds::default(),
            crowds: Rounds::default(),
            idle_kib: BTreeMap::new(),
            loaded_kib: BTreeMap::new(),
            delivered: Vec::new(),
            evidence: None,
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
        if let Some(plane) = &subject.plane {
            self.loaded_kib.insert("collector", plane.memory_kib()?);
        }
        Ok(())
    }

    pub fn add(&mut self, subject: &Subject, workload: Workload, figures: Figures) {
        self.figures.add((subject.name, workload), figures);
    }

    pub fn add_crowd(&mut self, subject: &Subject, streams: u32, crowd: Crowd) {
        self.crowds.add((streams, subject.name), crowd);
    }

    pub fn add_delivered(&mut self, delivered: Delivered) {
        self.delivered.push(delivered);
    }

    /// What became of all evidence, in words.
    pub fn evidence(&mut self, account: String) {
        self.evidence = Some(account);
    }

    fn median(&self, subject: &'static str, workload: Workload, figure: fn(&Figures) -> f64) -> f64 {
        self.figures.median(&(subject, workload), figure)
    }

    /// A latency and what it adds to the direct path's, which shows its own in parentheses.
    fn latency(&self, subject: &'static str, workload: Workload, figure: fn(&Figures) -> f64) -> String {
        let (own, direct) = (self.median(subject, workload, figure), self.median("direct", workload, figure));
        if subject == "direct" { format!("(is {own:.0})") } else { format!("{:.0}", own - direct) }
    }

    fn unary(&self, f: &mut fmt::Formatter<'_>, workload: Workload) -> fmt::Result {
        head(
            f,
            &workload.to_string(),
            "requests/s | CPU µs/request | × floor | added p50 µs | added p99 µs",
        )?;
        let floor = self.median("floor", workload, |figures| figures.cpu_us);
        for subject in &self.order {
            let per_second = self.median(subject, workload, |figures| figures.per_second);
            let cpu = self.median(subject, workload, |figures| figures.cpu_us);
            let (cpu, times) = against(cpu, floor, subject);
            let p50 = self.latency(subject, workload, |figures| figures.p50_us);
            let p99 = self.latency(subject, workload, |figures| figures.p99_us);
            writeln!(f, "| {subject} | {per_second:.0} | {cpu} | {times} | {p50} | {p99} |")?;
        }
        writeln!(f)
    }

    fn streams(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = (text(1), text(self.chunks));
        let columns = format!(
            "first chunk: added p50 µs | added p99 µs | CPU µs, 1 chunk | CPU µs, {} chunks | CPU µs/chunk | × floor",
            self.chunks
        );
        head(f, "streamed chat", &columns)?;
        let cpu_us = |subject, workload| self.median(subject, workload, |figures| figures.cpu_us);
        let each = |subject| {
            (cpu_us(subject, many) - cpu_us(subject, one)) / number(u64::from(self.chunks.saturating_sub(1)))
        };
        for subject in &self.order {
            let first = Workload::Streamed(FIRST_CHUNK);
            let p50 = self.latency(subject, first, |figures| figures.p50_us);
            let p99 = self.latency(subject, first, |figures| figures.p99_us);
            let (small, _) = against(cpu_us(subject, one), f64::NAN, subject);
            let (large, _) = against(cpu_us(subject, many), f64::NAN, subject);
            let (chunk, times) = against(each(subject), each("floor"), subject);
            writeln!(f, "| {subject} | {p50} | {p99} | {small} | {large} | {chunk} | {times} |")?;
        }
        writeln!(f)
    }

    fn tool_calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, call) = (Workload::Streamed(TEXT_LIKE_TOOL_CALL), Workload::Streamed(TOOL_CALL));
        let columns = "CPU µs/call, text | CPU µs/call, tool call | cost of holding µs";
        head(f, &format!("streamed in {} chunks", TOOL_CALL.chunks + 1), columns)?;
        for subject in self.order.iter().filter(|name| **name != "direct") {
            let text = self.median(subject, text, |figures| figures.cpu_us);
            let call = self.median(subject, call, |figures| figures.cpu_us);
            writeln!(f, "| {subject} | {text:.1} | {call:.1} | {:.1} |", call - text)?;
        }
        writeln!(f)
    }

    fn crowds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sizes: Vec<u32> = self.crowds.keys().map(|(streams, _)| *streams).collect();
        sizes.dedup();
        for streams in sizes {
            let title = format!("{streams} streams, a chunk each {} ms", STREAM.pause.as_millis());
            head(f, &title, "chunks/s | CPU % of a core | CPU µs/chunk | memory MB")?;
            for subject in &self.order {
                let of = |figure: fn(&Crowd) -> f64| self.crowds.median(&(streams, *subject), figure);
                let chunks = of(|crowd| crowd.chunks_per_second);
                if *subject == "direct" {
                    writeln!(f, "| direct | {chunks:.0} | – | – | – |")?;
                    continue;
                }
                let (percent, each) = (of(|crowd| crowd.cpu_percent), of(|crowd| crowd.cpu_us_per_chunk));
                let memory = of(|crowd| crowd.memory_mib);
                writeln!(f, "| {subject} | {chunks:.0} | {percent:.1} | {each:.1} | {memory:.0} |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "memory", "idle MB | after load MB")?;
        let mib = |kib: Option<&u64>| kib.map_or_else(|| "–".to_owned(), |kib| format!("{}", kib / 1_024));
        for (subject, loaded) in &self.loaded_kib {
            writeln!(f, "| {subject} | {} | {} |", mib(self.idle_kib.get(subject)), mib(Some(loaded)))?;
        }
        writeln!(f)
    }

    fn plane(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(account) = &self.evidence else { return Ok(()) };
        writeln!(f, "Evidence: {account}.")?;
        let records = self.delivered.iter().map(|delivered| delivered.records).sum::<u64>();
        if records > 0 {
            let early = self.delivered.iter().map(|delivered| delivered.under_load).sum::<u64>();
            let cpu = self.delivered.iter().map(|delivered| delivered.cpu).sum::<Duration>();
            let each = cpu.as_secs_f64() * 1e6 / number(records);
            let share = number(early) * 100.0 / number(records);
            writeln!(
                f,
                "Collector: {each:.1} µs CPU for a record; {share:.0} % arrived while the load ran."
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading)?;
        for what in &self.what {
            match what {
                What::Unary => {
                    Workload::UNARY.into_iter().try_for_each(|workload| self.unary(f, workload))?
                }
                What::Stream => self.streams(f)?,
                What::Tools => self.tool_calls(f)?,
                What::Many => self.crowds(f)?,
            }
        }
        self.memory(f)?;
        self.plane(f)
    }
}

fn text(chunks: u32) -> Workload {
    Workload::Streamed(Streamed::text(chunks))
}

fn head(f: &mut fmt::Formatter<'_>, title: &str, columns: &str) -> fmt::Result {
    writeln!(f, "| {title} | {columns} |")?;
    writeln!(f, "|---|{}", "--:|".repeat(columns.split(" | ").count()))
}

/// Processor time, and how many times the floor's it is; neither is known of the direct path.
fn against(cpu_us: f64, floor: f64, subject: &str) -> (String, String) {
    if subject == "direct" {
        return ("–".to_owned(), "–".to_owned());
    }
    (format!("{cpu_us:.1}"), format!("{:.2}", cpu_us / floor))
}
