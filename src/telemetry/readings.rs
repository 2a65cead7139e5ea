//! Readings: what other rooms count themselves, read at the moment of a scrape.

use std::time::Duration;

use prometheus::{GaugeVec, IntCounterVec};

use crate::domain::{AgentId, LimitId, PactName, TrustTier};
use crate::telemetry::metrics::FailOpen;
use crate::telemetry::table::Families;

/// The state of the other rooms at one moment.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// Pacts loaded.
    pub pacts: usize,
    /// Tiers.
    pub trust: TrustReading,
    /// Limits used lately.
    pub limits: Vec<LimitReading>,
    /// Calls refused because there was no room to count them.
    pub limit_overflows: u64,
    /// Questions to people.
    pub approvals: ApprovalReading,
    /// The spool.
    pub evidence: EvidenceReading,
}

/// The state of the tiers.
#[derive(Clone, Debug, Default)]
pub struct TrustReading {
    /// The tier that counts now, of each agent that config or collector names.
    pub tiers: Vec<(AgentId, TrustTier)>,
    /// Age of the collector's newest word.
    pub age: Option<Duration>,
    /// Statements taken.
    pub applied: u64,
    /// Statements refused.
    pub refused: u64,
    /// Failures to read or write the file of tiers.
    pub file_failures: u64,
}

/// What is left of one limit.
#[derive(Clone, Debug)]
pub struct LimitReading {
    /// Whose limit.
    pub agent: AgentId,
    /// The pact that holds it.
    pub pact: PactName,
    /// Its id there.
    pub limit: LimitId,
    /// Calls left.
    pub remaining: u32,
}

/// The state of the desk.
#[derive(Clone, Debug, Default)]
pub struct ApprovalReading {
    /// Questions on the desk.
    pub open: usize,
    /// Calls held.
    pub waiting: usize,
    /// Questions asked.
    pub asked: u64,
    /// Grants used.
    pub granted: u64,
    /// Questions that found no room.
    pub overflows: u64,
    /// Answers that changed nothing.
    pub not_taken: u64,
    /// Grants lost because their use could not be recorded.
    pub unrecorded: u64,
}

/// The state of the spool and its delivery.
#[derive(Clone, Debug, Default)]
pub struct EvidenceReading {
    /// Records sealed.
    pub records: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Calls refused because they could not be recorded.
    pub unavailable: u64,
    /// Bytes cut off at start.
    pub repaired_bytes: u64,
    /// Newest sequence number.
    pub sequence: u64,
    /// Newest sequence number that the collector has.
    pub acknowledged: u64,
    /// Records in memory only.
    pub queued: u64,
    /// Bytes on disk.
    pub spool_bytes: u64,
    /// Batches that the collector took.
    pub batches_accepted: u64,
    /// Batches that it refused.
    pub batches_refused: u64,
    /// Batches that did not reach it.
    pub batches_failed: u64,
    /// Answers that made no sense.
    pub nonsense: u64,
    /// Times the collector held another log than this one.
    pub conflicts: u64,
}

impl Readings {
    pub(super) fn write_to(&self, to: &Families) {
        set(&to.pacts, self.pacts as f64);
        self.trust.write_to(to);
        to.limit_remaining.reset();
        for LimitReading { agent, pact, limit, remaining } in &self.limits {
            let labels = [agent.as_str(), pact.as_str(), limit.as_str()];
            if let Ok(gauge) = to.limit_remaining.get_metric_with_label_values(&labels) {
                gauge.set(f64::from(*remaining));
            }
        }
        raise(&to.limit_overflows, &[], self.limit_overflows);
        self.approvals.write_to(to);
        self.evidence.write_to(to);
    }
}

impl TrustReading {
    fn write_to(&self, to: &Families) {
        to.trust_tier.reset();
        for (agent, tier) in &self.tiers {
            if let Ok(gauge) = to.trust_tier.get_metric_with_label_values(&[agent.as_str()]) {
                gauge.set(f64::from(tier.rank()));
            }
        }
        to.trust_age.reset();
        if let Some(age) = self.age {
            set(&to.trust_age, age.as_secs_f64());
        }
        raise(&to.trust_statements, &["applied"], self.applied);
        raise(&to.trust_statements, &["refused"], self.refused);
        raise(&to.trust_file_failures, &[], self.file_failures);
    }
}

impl ApprovalReading {
    fn write_to(&self, to: &Families) {
        set(&to.approvals_open, self.open as f64);
        set(&to.approvals_waiting, self.waiting as f64);
        raise(&to.approvals, &["asked"], self.asked);
        raise(&to.approvals, &["granted"], self.granted);
        raise(&to.approvals, &["overflow"], self.overflows);
        raise(&to.approvals, &["not-taken"], self.not_taken);
        raise(&to.approvals, &["unrecorded"], self.unrecorded);
    }
}

impl EvidenceReading {
    fn write_to(&self, to: &Families) {
        raise(&to.evidence_records, &[], self.records);
        raise(&to.evidence_dropped, &[], self.dropped);
        raise(&to.evidence_unavailable, &[], self.unavailable);
        raise(&to.evidence_repaired, &[], self.repaired_bytes);
        set(&to.evidence_sequence, self.sequence as f64);
        set(&to.evidence_acknowledged, self.acknowledged as f64);
        set(&to.evidence_queue, self.queued as f64);
        set(&to.evidence_spool_bytes, self.spool_bytes as f64);
        raise(&to.evidence_deliveries, &["accepted"], self.batches_accepted);
        raise(&to.evidence_deliveries, &["refused"], self.batches_refused);
        raise(&to.evidence_deliveries, &["failed"], self.batches_failed);
        raise(&to.evidence_deliveries, &["nonsense"], self.nonsense);
        raise(&to.evidence_deliveries, &["conflict"], self.conflicts);
        raise(&to.fail_open, &[FailOpen::Evidence.name()], self.dropped);
    }
}

fn set(family: &GaugeVec, value: f64) {
    if let Ok(gauge) = family.get_metric_with_label_values::<&str>(&[]) {
        gauge.set(value);
    }
}

/// Brings a counter up to what another room has counted. Counters of rooms never fall while the process lives.
fn raise(family: &IntCounterVec, labels: &[&str], to: u64) {
    if let Ok(counter) = family.get_metric_with_label_values(labels) {
        counter.inc_by(to.saturating_sub(counter.get()));
    }
}
