//! Stats: what the line has carried, as a snapshot for metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the line has carried since the start of the process, and its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches that the collector took.
    pub batches_accepted: u64,
    /// Batches that it refused.
    pub batches_refused: u64,
    /// Batches that did not reach it, or whose answer did not reach us.
    pub batches_failed: u64,
    /// Records that it took; one that was sent twice counts once.
    pub records_delivered: u64,
    /// Answers that made no sense.
    pub nonsense: u64,
    /// Times the collector held another log than this one: it was ahead, or had another record.
    pub conflicts: u64,
    /// Times records were declared gone because the collector had lost what it had acknowledged.
    pub gaps_declared: u64,
    /// Whether the last exchange about records went well.
    pub delivering: bool,
    /// Whether the feed is open and has said something believable.
    pub feed_open: bool,
    /// Times the feed was opened.
    pub feed_opened: u64,
    /// Statements of tiers taken, heartbeats included.
    pub statements_applied: u64,
    /// Statements not believed, or not taken.
    pub statements_refused: u64,
    /// Answers of people taken.
    pub answers_taken: u64,
    /// Answers not believed, or that answered nothing.
    pub answers_refused: u64,
    /// Questions that the collector has.
    pub questions_delivered: u64,
    /// Questions that it refused for good.
    pub questions_refused: u64,
    /// Attempts to deliver a question that failed.
    pub questions_failed: u64,
}

/// The same, as it is counted. Each number is raised by one task.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) batches_accepted: AtomicU64,
    pub(super) batches_refused: AtomicU64,
    pub(super) batches_failed: AtomicU64,
    pub(super) records_delivered: AtomicU64,
    pub(super) nonsense: AtomicU64,
    pub(super) conflicts: AtomicU64,
    pub(super) gaps_declared: AtomicU64,
    pub(super) delivering: AtomicBool,
    pub(super) feed_open: AtomicBool,
    pub(super) feed_opened: AtomicU64,
    pub(super) statements_applied: AtomicU64,
    pub(super) statements_refused: AtomicU64,
    pub(super) answers_taken: AtomicU64,
    pub(super) answers_refused: AtomicU64,
    pub(super) questions_delivered: AtomicU64,
    pub(super) questions_refused: AtomicU64,
    pub(super) questions_failed: AtomicU64,
}

/// Raises a counter by one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            batches_accepted: read(&self.batches_accepted),
            batches_refused: read(&self.batches_refused),
            batches_failed: read(&self.batches_failed),
            records_delivered: read(&self.records_delivered),
            nonsense: read(&self.nonsense),
            conflicts: read(&self.conflicts),
            gaps_declared: read(&self.gaps_declared),
            delivering: self.delivering.load(Ordering::Relaxed),
            feed_open: self.feed_open.load(Ordering::Relaxed),
            feed_opened: read(&self.feed_opened),
            statements_applied: read(&self.statements_applied),
            statements_refused: read(&self.statements_refused),
            answers_taken: read(&self.answers_taken),
            answers_refused: read(&self.answers_refused),
            questions_delivered: read(&self.questions_delivered),
            questions_refused: read(&self.questions_refused),
            questions_failed: read(&self.questions_failed),
        }
    }
}
