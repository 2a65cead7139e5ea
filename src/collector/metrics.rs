//! Every metric of the collector, in one table.

use std::sync::Arc;

use prometheus::{Encoder as _, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::domain::TrustTier;
use crate::store::{Appended, TierCount};
use crate::wire::Topic;

/// One metric, for documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its labels: closed sets, never text from traffic.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

const BATCHES: Row = Row {
    name: "pactgate_collector_batches_total",
    labels: &["result"],
    help: "Batches of records, by what became of them: `accepted`, or the name of the problem.",
};
const RECORDS: Row = Row {
    name: "pactgate_collector_records_total",
    labels: &["result"],
    help: "Records received: `kept`, or `duplicate` of one that was kept before.",
};
const HELD: Row = Row { name: "pactgate_collector_records_held", labels: &[], help: "Records in the store." };
const AGENTS: Row =
    Row { name: "pactgate_collector_agents", labels: &["tier"], help: "Agents that have each tier." };
const PENDING: Row = Row {
    name: "pactgate_collector_approvals_pending",
    labels: &[],
    help: "Questions that nobody answered yet.",
};
const FEEDS: Row = Row { name: "pactgate_collector_feeds", labels: &[], help: "Trust feeds open now." };
const STATEMENTS: Row = Row {
    name: "pactgate_collector_statements_total",
    labels: &["topic"],
    help: "Signed statements sent on trust feeds, heartbeats included.",
};
const UPKEEP_FAILURES: Row = Row {
    name: "pactgate_collector_upkeep_failures_total",
    labels: &["task"],
    help: "Times that reviewing tiers or closing lapsed questions failed.",
};

/// Every metric, in order.
pub const TABLE: &[Row] = &[BATCHES, RECORDS, HELD, AGENTS, PENDING, FEEDS, STATEMENTS, UPKEEP_FAILURES];

/// The metrics, counted by name.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    batches: IntCounterVec,
    records: IntCounterVec,
    held: IntGauge,
    agents: IntGaugeVec,
    pending: IntGauge,
    feeds: IntGauge,
    statements: IntCounterVec,
    upkeep_failures: IntCounterVec,
}

/// What is read from the store when metrics are asked for.
pub(in crate::collector) struct Reading {
    pub held: u64,
    pub agents: Vec<TierCount>,
    pub pending: u64,
}

/// A feed that is open: counted until dropped.
#[derive(Debug)]
pub(in crate::collector) struct Seated(Arc<IntGauge>);

impl Drop for Seated {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Metrics that are all zero.
    ///
    /// # Errors
    /// When two have one name, which is a defect of the table.
    pub fn new() -> prometheus::Result<Self> {
        let opts = |row: Row| Opts::new(row.name, row.help);
        let counter = |row: Row| IntCounterVec::new(opts(row), row.labels);
        let metrics = Self {
            registry: Registry::new(),
            batches: counter(BATCHES)?,
            records: counter(RECORDS)?,
            held: IntGauge::with_opts(opts(HELD))?,
            agents: IntGaugeVec::new(opts(AGENTS), AGENTS.labels)?,
            pending: IntGauge::with_opts(opts(PENDING))?,
            feeds: IntGauge::with_opts(opts(FEEDS))?,
            statements: counter(STATEMENTS)?,
            upkeep_failures: counter(UPKEEP_FAILURES)?,
        };
        metrics.registry.register(Box::new(metrics.batches.clone()))?;
        metrics.registry.register(Box::new(metrics.records.clone()))?;
        metrics.registry.register(Box::new(metrics.held.clone()))?;
        metrics.registry.register(Box::new(metrics.agents.clone()))?;
        metrics.registry.register(Box::new(metrics.pending.clone()))?;
        metrics.registry.register(Box::new(metrics.feeds.clone()))?;
        metrics.registry.register(Box::new(metrics.statements.clone()))?;
        metrics.registry.register(Box::new(metrics.upkeep_failures.clone()))?;
        Ok(metrics)
    }

    pub(in crate::collector) fn batch(&self, result: &'static str) {
        self.batches.with_label_values(&[result]).inc();
    }

    pub(in crate::collector) fn events(&self, appended: &Appended) {
        self.records.with_label_values(&["kept"]).inc_by(appended.fresh);
        self.records.with_label_values(&["duplicate"]).inc_by(appended.duplicates);
    }

    pub(in crate::collector) fn said(&self, topic: Topic) {
        self.statements.with_label_values(&[topic.name()]).inc();
    }

    pub(in crate::collector) fn upkeep_failed(&self, task: &'static str) {
        self.upkeep_failures.with_label_values(&[task]).inc();
    }

    pub(in crate::collector) fn seated(&self) -> Seated {
        self.feeds.inc();
        Seated(Arc::new(self.feeds.clone()))
    }

    /// All metrics in Prometheus' text format.
    pub(in crate::collector) fn render(&self, reading: &Reading) -> prometheus::Result<Vec<u8>> {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.held.set(gauge(reading.held));
        self.pending.set(gauge(reading.pending));
        for tier in TrustTier::ALL {
            let count = reading.agents.iter().find(|(of, _)| *of == tier).map_or(0, |(_, count)| *count);
            self.agents.with_label_values(&[tier.name()]).set(gauge(count));
        }
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(out)
    }
}
