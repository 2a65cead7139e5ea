//! Standing: what can be said of an agent at one moment.

use std::time::Duration;

use crate::domain::{Timestamp, TrustTier};
use crate::scoring::tally::Sums;
use crate::scoring::{State, Weights, explain};

/// Everything a score says of an agent at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The tier that holds.
    pub tier: TrustTier,
    /// Since when.
    pub since: Timestamp,
    /// The tier the evidence alone supports.
    pub evidence_tier: TrustTier,
    /// Over the whole history.
    pub score: Score,
    /// Over the recent window.
    pub recent: Score,
    /// Why the tier is what it is: the first sentence explains it, the others say what it stands on.
    pub reasons: Vec<String>,
}

/// A posterior in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean.
    pub mean: f64,
    /// Lower bound (5 %).
    pub lower: f64,
    /// Upper bound (95 %).
    pub upper: f64,
    /// Effective number of observations.
    pub effective: f64,
    /// Actions in scope, unweighted.
    pub good: u64,
    /// Attempts out of scope, unweighted.
    pub bad: u64,
    /// Age of the newest action in scope.
    pub freshness: Option<Duration>,
    /// Whether that is young enough for the tier.
    pub fresh: bool,
}

impl Score {
    /// One minus the width between the bounds: 0 knows nothing, 1 knows all.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        1.0 - (self.upper - self.lower)
    }
}

impl State {
    /// What can be said of the agent as of the latest moment that went in.
    #[must_use]
    pub fn standing(&self, weights: &Weights) -> Standing {
        let evidence = self.evidence(weights, self.clock);
        let freshness = self.newest_good.map(|newest| self.clock.since(newest));
        // On probation and below nothing needs to be fresh; the question is then whether it would do for more.
        let asked = self.tier.max(TrustTier::Standard);
        let fresh = evidence.is_fresh_for(weights, asked);
        Standing {
            tier: self.tier(),
            since: self.since,
            evidence_tier: self.tier,
            score: score(weights, &evidence.whole, freshness, fresh),
            recent: score(weights, &evidence.recent, freshness, fresh),
            reasons: explain::reasons(weights, self, &evidence),
        }
    }
}

fn score(weights: &Weights, sums: &Sums, freshness: Option<Duration>, fresh: bool) -> Score {
    let posterior = sums.posterior(weights);
    Score {
        mean: posterior.mean(),
        lower: posterior.lower(),
        upper: posterior.upper(),
        effective: sums.effective,
        good: sums.good_count,
        bad: sums.bad_count,
        freshness,
        fresh,
    }
}
