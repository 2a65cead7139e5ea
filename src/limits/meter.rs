//! Meter: one limit of one agent, under every quota it has lately had.

use std::time::Duration;

use governor::Quota;

use crate::domain::{LimitId, PactName};
use crate::limits::bucket::{Before, Bucket, nanos};

/// Quotas of one limit kept side by side: one per tier, and some of earlier versions of the pact.
const QUOTAS_MAX: usize = 8;

/// One limit of one agent.
///
/// A limit has another quota at another tier, and after a reload that changes it. Each keeps its own bucket,
/// and every call is taken from all of them, so that a tier that falls and rises again, or a pact that is
/// changed and changed back, gives nobody a fresh budget. A quota seen for the first time starts with as many
/// calls spent as the one before it, at most all.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) pact: PactName,
    pub(super) id: LimitId,
    /// The one in force stands first.
    buckets: Vec<Bucket>,
    /// Reservations that are neither spent nor given back.
    open: u32,
}

/// What a meter was before a call was taken from it.
#[derive(Debug)]
pub(super) struct Undo(Vec<Before>);

impl Meter {
    pub(super) fn new(pact: PactName, id: LimitId, quota: Quota) -> Self {
        Self { pact, id, buckets: vec![Bucket::new(quota)], open: 0 }
    }

    /// Puts a quota in force.
    pub(super) fn adopt(&mut self, quota: Quota, now: u64) {
        match self.buckets.iter().position(|bucket| bucket.quota() == quota) {
            Some(0) => {}
            Some(place) => {
                let bucket = self.buckets.remove(place);
                self.buckets.insert(0, bucket);
            }
            None => {
                let mut bucket = Bucket::new(quota);
                if let Some(current) = self.buckets.first() {
                    bucket.copy_from(current, now);
                }
                self.buckets.insert(0, bucket);
                self.buckets.truncate(QUOTAS_MAX);
            }
        }
    }

    /// Takes one call, or tells how long until there is one.
    pub(super) fn take(&mut self, now: u64) -> Result<Undo, Duration> {
        let undo = Undo(self.buckets.iter().map(Bucket::before).collect());
        let others_open = self.open > 0;
        let mut buckets = self.buckets.iter_mut();
        if let Some(current) = buckets.next() {
            current.take(now, others_open)?;
        }
        buckets.for_each(|bucket| bucket.charge(now, others_open));
        self.open = self.open.saturating_add(1);
        Ok(undo)
    }

    /// Sets the meter back to what it was before [`Meter::take`], with nothing in between.
    pub(super) fn undo(&mut self, undo: Undo) {
        for (bucket, before) in self.buckets.iter_mut().zip(undo.0) {
            bucket.restore(before);
        }
        self.open = self.open.saturating_sub(1);
    }

    /// Closes a reservation.
    pub(super) fn close(&mut self, is_spent: bool) {
        if !is_spent {
            self.buckets.iter_mut().for_each(Bucket::refund);
        }
        self.open = self.open.saturating_sub(1);
    }

    /// Whether forgetting this meter would change nothing.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.open == 0 && self.buckets.iter().all(|bucket| bucket.is_full(now))
    }

    /// Calls left now, calls that may be made at once, and the time one call takes to come back.
    pub(super) fn reading(&self, now: u64) -> (u32, u32, Duration) {
        self.buckets.first().map_or((0, 0, Duration::ZERO), |bucket| {
            let quota = bucket.quota();
            (bucket.remaining(now), quota.burst_size().get(), quota.replenish_interval())
        })
    }
}

/// A reading of the monotonic clock, in nanoseconds.
pub(super) fn reading_of(clock: &crate::domain::SharedClock) -> u64 {
    nanos(clock.monotonic())
}
