//! Counts of observations by time, exact and in any order; weights are applied when they are read.

use std::collections::BTreeMap;

use crate::domain::Timestamp;
use crate::scoring::{Posterior, Weight, Weights};

/// Counts in buckets of a thirtieth of the half-life. Integers only: the order in which observations arrive
/// cannot matter, nor can rounding add up. At most some three hundred buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::scoring) struct Tally {
    pub(in crate::scoring) buckets: BTreeMap<i64, Bucket>,
}

/// One stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::scoring) struct Bucket {
    pub(in crate::scoring) good: u64,
    pub(in crate::scoring) bad: u64,
    /// Sum of severities, in thousandths.
    pub(in crate::scoring) severity: u64,
}

/// What a tally amounts to at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::scoring) struct Sums {
    /// Weighted good observations.
    pub good: f64,
    /// Weighted bad observations, each as one.
    pub bad: f64,
    /// Weighted bad observations, each by its severity.
    pub severity: f64,
    /// Effective number (Kish) of good observations.
    pub good_effective: f64,
    /// Effective number (Kish) of all observations.
    pub effective: f64,
    /// Good observations, unweighted.
    pub good_count: u64,
    /// Bad observations, unweighted.
    pub bad_count: u64,
}

const BUCKETS_PER_HALF_LIFE: f64 = 30.0;
/// An observation older than this weighs less than a thousandth and is dropped.
const HALF_LIVES_KEPT: i64 = 10;

fn bucket_seconds(half_life_s: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a half-life is at most a year of seconds")]
    let seconds = (half_life_s / BUCKETS_PER_HALF_LIFE) as i64;
    seconds.max(1)
}

#[expect(clippy::cast_possible_truncation, reason = "thirty buckets for each of ten half-lives")]
const BUCKETS_KEPT: i64 = HALF_LIVES_KEPT * BUCKETS_PER_HALF_LIFE as i64;

impl Tally {
    /// Counts one observation of the moment `at`, and drops what is too old at `now`.
    pub(in crate::scoring) fn add(
        &mut self,
        half_life_s: f64,
        at: Timestamp,
        now: Timestamp,
        weight: Weight,
    ) {
        let seconds = bucket_seconds(half_life_s);
        let oldest = now.as_seconds().div_euclid(seconds) - BUCKETS_KEPT;
        self.buckets = self.buckets.split_off(&oldest);
        let index = at.as_seconds().div_euclid(seconds);
        if index < oldest {
            return;
        }
        let bucket = self.buckets.entry(index).or_default();
        match weight {
            Weight::Good => bucket.good = bucket.good.saturating_add(1),
            Weight::Bad(severity) => {
                bucket.bad = bucket.bad.saturating_add(1);
                bucket.severity = bucket.severity.saturating_add(u64::from(severity));
            }
            Weight::Nothing => {}
        }
    }

    /// Adds up with the weights of the moment `now`: 2^(−age / half-life), age from the start of the bucket.
    #[expect(clippy::cast_precision_loss, reason = "counts and ages stay far below 2^52")]
    pub(in crate::scoring) fn sums(&self, half_life_s: f64, now: Timestamp) -> Sums {
        let seconds = bucket_seconds(half_life_s);
        let oldest = now.as_seconds().div_euclid(seconds) - BUCKETS_KEPT;
        let mut sums = Sums::default();
        let (mut good_squares, mut squares) = (0.0, 0.0);
        for (index, bucket) in self.buckets.range(oldest..) {
            let age_s = (now.as_seconds() - index.saturating_mul(seconds)).max(0) as f64;
            let weight = (-age_s / half_life_s).exp2();
            sums.good += weight * bucket.good as f64;
            sums.bad += weight * bucket.bad as f64;
            sums.severity += weight * bucket.severity as f64 / 1_000.0;
            good_squares += weight * weight * bucket.good as f64;
            squares += weight * weight * (bucket.good + bucket.bad) as f64;
            sums.good_count += bucket.good;
            sums.bad_count += bucket.bad;
        }
        sums.good_effective = kish(sums.good, good_squares);
        sums.effective = kish(sums.good + sums.bad, squares);
        sums
    }
}

/// Kish's effective sample size: (Σw)² / Σw².
fn kish(sum: f64, squares: f64) -> f64 {
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

impl Sums {
    /// The posterior: prior plus weighted counts, failures times severity and loss aversion.
    pub(in crate::scoring) fn posterior(&self, weights: &Weights) -> Posterior {
        let bad = self.severity * weights.loss_aversion;
        let scale = (weights.mass_max / (self.good + bad)).min(1.0);
        Posterior { alpha: weights.prior_good + self.good * scale, beta: weights.prior_bad + bad * scale }
    }
}
