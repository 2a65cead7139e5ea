//! The fold: one agent's state, moved by observations, overrides and time, and by nothing else.

use crate::domain::{Timestamp, TrustTier};
use crate::scoring::tally::Tally;
use crate::scoring::tiering::{Evidence, dwell_s};
use crate::scoring::{Weight, Weights, explain};

/// One observation: what an attempt weighs, and when it happened and arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// When it happened, by the sidecar's clock. A moment after `received_at` counts as `received_at`.
    pub at: Timestamp,
    /// When it arrived, by the collector's clock.
    pub received_at: Timestamp,
    /// See [`crate::scoring::mark`].
    pub weight: Weight,
}

/// What made a tier change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The evidence.
    Evidence,
    /// Its age alone.
    Age,
    /// A person.
    Override,
}

/// One change of the tier that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When it took effect.
    pub at: Timestamp,
    /// The tier before.
    pub from: TrustTier,
    /// The tier after.
    pub to: TrustTier,
    /// What made it.
    pub cause: Cause,
    /// The sentence that explains it.
    pub why: String,
}

/// One agent's history, as far as its score needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The tier the evidence supports.
    pub(in crate::scoring) tier: TrustTier,
    /// Since when the tier that holds is what it is.
    pub(in crate::scoring) since: Timestamp,
    /// Since which review the evidence has supported the next higher tier without a break.
    pub(in crate::scoring) rising_since: Option<Timestamp>,
    /// An operator suspended the agent, and the sentence that says so; the evidence goes on being counted.
    pub(in crate::scoring) suspended: Option<String>,
    /// The latest moment that went in. Time never runs backwards here.
    pub(in crate::scoring) clock: Timestamp,
    pub(in crate::scoring) newest_good: Option<Timestamp>,
    pub(in crate::scoring) whole: Tally,
    pub(in crate::scoring) recent: Tally,
}

impl State {
    /// An agent first heard of at `at`: on probation, with no evidence.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            tier: TrustTier::Probation,
            since: at,
            rising_since: None,
            suspended: None,
            clock: at,
            newest_good: None,
            whole: Tally::default(),
            recent: Tally::default(),
        }
    }

    /// The tier that holds: `suspended` while an operator says so, else what the evidence supports.
    #[must_use]
    pub const fn tier(&self) -> TrustTier {
        if self.suspended.is_some() { TrustTier::Suspended } else { self.tier }
    }

    /// The latest moment that went in.
    #[must_use]
    pub const fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Whether an operator suspended the agent.
    #[must_use]
    pub const fn is_suspended_by_operator(&self) -> bool {
        self.suspended.is_some()
    }

    /// Takes one observation in. A fall happens here, at once; a rise never does.
    pub fn observe(&mut self, weights: &Weights, observation: &Observation) -> Vec<Change> {
        let mut changes = self.advance_to(weights, observation.received_at);
        if observation.weight == Weight::Nothing {
            return changes;
        }
        let at = observation.at.min(self.clock);
        self.whole.add(weights.half_life_s, at, self.clock, observation.weight);
        self.recent.add(weights.recent_half_life_s, at, self.clock, observation.weight);
        if observation.weight == Weight::Good {
            self.newest_good = self.newest_good.max(Some(at));
        }
        changes.extend(self.judge(weights, self.clock, false));
        changes
    }

    /// Lets time pass: holds every review between the last moment and `at`, then stands at `at`. Rises happen
    /// only in reviews, so that how often somebody looks, or how many failures came in, cannot hasten one.
    pub fn advance_to(&mut self, weights: &Weights, at: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        if at <= self.clock {
            return changes;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most a day of seconds")]
        let step = (weights.review_every_s as i64).max(1).saturating_mul(1_000_000);
        let first = self.clock.as_micros().div_euclid(step).saturating_add(1);
        let last = at.as_micros().div_euclid(step);
        for review in first..=last {
            let moment = Timestamp::from_micros(review.saturating_mul(step));
            changes.extend(self.judge(weights, moment, true));
        }
        self.clock = at;
        changes
    }

    /// An operator suspends the agent.
    pub fn suspend(&mut self, weights: &Weights, at: Timestamp, why: String) -> Vec<Change> {
        let mut changes = self.advance_to(weights, at);
        let from = self.tier();
        self.suspended = Some(why.clone());
        changes.extend(self.overridden(from, why));
        changes
    }

    /// An operator reinstates the agent: it is on probation, and what it did before is forgiven. Forgiving is
    /// part of it, as the old evidence would otherwise condemn it again with the next call.
    pub fn reinstate(&mut self, weights: &Weights, at: Timestamp, why: String) -> Vec<Change> {
        let mut changes = self.advance_to(weights, at);
        let from = self.tier();
        let clock = self.clock;
        *self = Self { since: self.since, ..Self::new(clock) };
        changes.extend(self.overridden(from, why));
        changes
    }

    fn overridden(&mut self, from: TrustTier, why: String) -> Option<Change> {
        let to = self.tier();
        if from == to {
            return None;
        }
        self.since = self.clock;
        Some(Change { at: self.clock, from, to, cause: Cause::Override, why })
    }

    pub(in crate::scoring) fn evidence(&self, weights: &Weights, at: Timestamp) -> Evidence {
        Evidence {
            whole: self.whole.sums(weights.half_life_s, at),
            recent: self.recent.sums(weights.recent_half_life_s, at),
            newest_good: self.newest_good,
            at,
        }
    }

    fn judge(&mut self, weights: &Weights, at: Timestamp, review: bool) -> Option<Change> {
        if self.whole.buckets.is_empty() && self.tier == TrustTier::Probation {
            return None;
        }
        let evidence = self.evidence(weights, at);
        let before = self.tier;
        let earned = evidence.earned(weights);
        if earned < before {
            self.tier = earned;
            self.rising_since = None;
        } else if !self.may_rise(weights, &evidence) {
            self.rising_since = None;
        } else if review {
            self.rise(weights, at);
        }
        if self.tier == before || self.suspended.is_some() {
            return None;
        }
        self.since = at;
        let stale = self.tier < before && !evidence.is_fresh_for(weights, before);
        let cause = if stale { Cause::Age } else { Cause::Evidence };
        let why = explain::change(weights, &evidence, before, self.tier, cause);
        Some(Change { at, from: before, to: self.tier, cause, why })
    }

    fn may_rise(&self, weights: &Weights, evidence: &Evidence) -> bool {
        self.tier < TrustTier::Trusted && evidence.supports_rise_to(weights, self.tier.above())
    }

    /// One step up, once the evidence has supported it long enough. The next step starts its own wait.
    fn rise(&mut self, weights: &Weights, at: Timestamp) {
        let next = self.tier.above();
        let since = *self.rising_since.get_or_insert(at);
        if at.since(since).as_secs_f64() >= dwell_s(weights, next) {
            self.tier = next;
            self.rising_since = None;
        }
    }
}
