//! Which tier the evidence supports at one moment.

use crate::domain::{Timestamp, TrustTier};
use crate::scoring::tally::Sums;
use crate::scoring::{Posterior, Weights};

/// The evidence at one moment: the whole history and the recent window.
#[derive(Clone, Copy, Debug)]
pub(in crate::scoring) struct Evidence {
    pub whole: Sums,
    pub recent: Sums,
    pub newest_good: Option<Timestamp>,
    pub at: Timestamp,
}

/// What must hold for a tier above probation.
struct Rung {
    lower: f64,
    samples: f64,
    fresh_s: f64,
}

/// What condemns an agent to a tier below probation.
struct Floor {
    upper: f64,
    failures: f64,
    observations: f64,
}

impl Evidence {
    /// The highest tier the evidence supports. More failures never raise it: every condition below either does
    /// not look at failures or is harder to meet with more of them.
    pub(in crate::scoring) fn earned(&self, weights: &Weights) -> TrustTier {
        if self.condemned(weights, TrustTier::Suspended, false) {
            TrustTier::Suspended
        } else if self.condemned(weights, TrustTier::Restricted, false) {
            TrustTier::Restricted
        } else if self.reaches(weights, TrustTier::Trusted, 0.0) {
            TrustTier::Trusted
        } else if self.reaches(weights, TrustTier::Standard, 0.0) {
            TrustTier::Standard
        } else {
            TrustTier::Probation
        }
    }

    /// Whether the evidence supports rising to `tier` from the one below, with the margin beyond the cut that
    /// keeps an agent from fluttering around it.
    pub(in crate::scoring) fn supports_rise_to(&self, weights: &Weights, tier: TrustTier) -> bool {
        match tier {
            TrustTier::Suspended => false,
            TrustTier::Restricted => !self.condemned(weights, TrustTier::Suspended, true),
            TrustTier::Probation => !self.condemned(weights, TrustTier::Restricted, true),
            TrustTier::Standard | TrustTier::Trusted => {
                !self.condemned(weights, TrustTier::Restricted, true)
                    && self.reaches(weights, tier, weights.margin)
            }
        }
    }

    /// Whether a lower tier would follow from age alone, with the same posterior.
    pub(in crate::scoring) fn is_fresh_for(&self, weights: &Weights, tier: TrustTier) -> bool {
        let Some(rung) = rung(weights, tier) else { return true };
        self.newest_good.is_some_and(|newest| self.at.since(newest).as_secs_f64() <= rung.fresh_s)
    }

    fn reaches(&self, weights: &Weights, tier: TrustTier, margin: f64) -> bool {
        let Some(rung) = rung(weights, tier) else { return true };
        self.whole.good_effective >= rung.samples
            && self.is_fresh_for(weights, tier)
            && self.whole.posterior(weights).lower_reaches((rung.lower + margin).min(1.0))
    }

    /// Whether the whole history or the recent window condemns the agent to `tier`. When it already is there,
    /// half the failures and observations keep it there, so that it does not leave by a little fading.
    fn condemned(&self, weights: &Weights, tier: TrustTier, to_stay: bool) -> bool {
        let Some(floor) = floor(weights, tier) else { return false };
        let (share, margin) = if to_stay { (0.5, weights.margin) } else { (1.0, 0.0) };
        [self.whole, self.recent].into_iter().any(|sums| {
            sums.bad >= floor.failures * share
                && sums.good + sums.bad >= floor.observations * share
                && !sums.posterior(weights).upper_reaches((floor.upper + margin).min(1.0))
        })
    }

    /// The window that speaks more strongly against the agent.
    pub(in crate::scoring) fn worse(&self, weights: &Weights) -> (Sums, Posterior) {
        let (whole, recent) = (self.whole.posterior(weights), self.recent.posterior(weights));
        if recent.upper() < whole.upper() { (self.recent, recent) } else { (self.whole, whole) }
    }
}

fn rung(weights: &Weights, tier: TrustTier) -> Option<Rung> {
    match tier {
        TrustTier::Standard => Some(Rung {
            lower: weights.standard_lower,
            samples: weights.standard_samples,
            fresh_s: weights.standard_fresh_s,
        }),
        TrustTier::Trusted => Some(Rung {
            lower: weights.trusted_lower,
            samples: weights.trusted_samples,
            fresh_s: weights.trusted_fresh_s,
        }),
        TrustTier::Suspended | TrustTier::Restricted | TrustTier::Probation => None,
    }
}

fn floor(weights: &Weights, tier: TrustTier) -> Option<Floor> {
    match tier {
        TrustTier::Suspended => Some(Floor {
            upper: weights.suspended_upper,
            failures: weights.suspended_failures,
            observations: weights.suspended_observations,
        }),
        TrustTier::Restricted => Some(Floor {
            upper: weights.restricted_upper,
            failures: weights.restricted_failures,
            observations: weights.restricted_observations,
        }),
        TrustTier::Probation | TrustTier::Standard | TrustTier::Trusted => None,
    }
}

/// How long, in seconds, the evidence must support `tier` before an agent one below gets it.
pub(in crate::scoring) fn dwell_s(weights: &Weights, tier: TrustTier) -> f64 {
    match tier {
        TrustTier::Suspended => 0.0,
        TrustTier::Restricted => weights.suspended_dwell_s,
        TrustTier::Probation => weights.restricted_dwell_s,
        TrustTier::Standard => weights.standard_dwell_s,
        TrustTier::Trusted => weights.trusted_dwell_s,
    }
}
