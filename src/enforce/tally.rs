//! Counting: what a record says, as metrics.

use std::time::Duration;

use crate::domain::Ruling;
use crate::evidence::{Effect as Done, Outcome, Record, Seen};
use crate::telemetry::{Direction, Effect, FailOpen, Metrics};

/// Counts a decision, right when it is made.
pub(super) fn decided(metrics: &Metrics, record: &Record) {
    let pact = record.pact.as_ref().map(|pact| &pact.name);
    let effect = effect(record);
    metrics.decided(pact, record.clauses.first(), record.action.dialect, record.verdict, effect);
    match (effect, record.reason) {
        (Effect::Refused, Some(reason)) => metrics.refused(reason),
        (Effect::Sent, Some(_)) if record.verdict != Ruling::Ask => metrics.failed_open(FailOpen::Observe),
        _ => {}
    }
    for clause in &record.faults {
        if let Some(pact) = pact {
            metrics.clause_fault(pact, clause);
        }
    }
}

/// Counts the end of a call. `head`: how long the upstream took to begin its answer, where it did.
pub(super) fn settled(metrics: &Metrics, record: &Record, head: Option<Duration>) {
    let took = record.latency.total.unwrap_or(Duration::ZERO);
    metrics.request_took(record.action.dialect, effect(record), took);
    let upstream = record.upstream.as_ref();
    if let Some(Outcome::UpstreamFailed { what }) = record.outcome {
        metrics.upstream_failed(upstream, what.name());
    }
    if let Some(time) = head {
        metrics.upstream_took(upstream, time);
    }
    let Some(usage) = &record.usage else { return };
    metrics.used(upstream, usage);
    if record.coverage.request == Seen::Unread {
        metrics.opaque_connected();
        metrics.opaque_passed(Direction::Out, usage.bytes_sent);
        metrics.opaque_passed(Direction::In, usage.bytes_received);
    }
}

fn effect(record: &Record) -> Effect {
    match record.effect {
        Done::Sent => Effect::Sent,
        Done::Refused => Effect::Refused,
    }
}
