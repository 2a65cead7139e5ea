//! Why a tier is what it is, in sentences.

use crate::domain::TrustTier;
use crate::scoring::tiering::{Evidence, dwell_s};
use crate::scoring::{Cause, State, Weights};

/// The sentence for one change.
pub(in crate::scoring) fn change(
    weights: &Weights,
    evidence: &Evidence,
    from: TrustTier,
    to: TrustTier,
    cause: Cause,
) -> String {
    if cause == Cause::Age {
        return format!("{from} needs fresher evidence: no action in scope within its time");
    }
    if to > from {
        return format!("the evidence supported {to} for {}", duration(dwell_s(weights, to)));
    }
    tier(weights, evidence, to)
}

/// All sentences for a standing.
pub(in crate::scoring) fn reasons(weights: &Weights, state: &State, evidence: &Evidence) -> Vec<String> {
    let mut reasons: Vec<String> = state.suspended.iter().cloned().collect();
    reasons.push(tier(weights, evidence, state.tier));
    let whole = evidence.whole;
    let seen = whole.good_count + whole.bad_count;
    if seen == 0 {
        reasons.push("no data: nothing that counts has been seen of it".to_owned());
    } else {
        let posterior = whole.posterior(weights);
        reasons.push(format!(
            "{} of {seen} actions that count were in scope; with failures weighted, the share lies between {} and {}",
            whole.good_count,
            percent(posterior.lower()),
            percent(posterior.upper()),
        ));
    }
    reasons.extend(next(weights, state, evidence));
    reasons
}

/// Why this tier and no higher one.
fn tier(weights: &Weights, evidence: &Evidence, tier: TrustTier) -> String {
    let condemned = |cut: f64| {
        let (sums, posterior) = evidence.worse(weights);
        format!(
            "{tier} after {} out-of-pact attempts among {} actions: at most {} in scope, and below {} means {tier}",
            sums.bad_count,
            sums.good_count + sums.bad_count,
            percent(posterior.upper()),
            percent(cut),
        )
    };
    let lower = evidence.whole.posterior(weights).lower();
    match tier {
        TrustTier::Suspended => condemned(weights.suspended_upper),
        TrustTier::Restricted => condemned(weights.restricted_upper),
        TrustTier::Probation => "on probation until enough good evidence supports more".to_owned(),
        TrustTier::Standard | TrustTier::Trusted => {
            format!("{tier}: at least {} of what it does is in scope", percent(lower))
        }
    }
}

/// What the next tier up asks for.
fn next(weights: &Weights, state: &State, evidence: &Evidence) -> Option<String> {
    let (cut, samples) = match state.tier {
        TrustTier::Probation => (weights.standard_lower, weights.standard_samples),
        TrustTier::Standard => (weights.trusted_lower, weights.trusted_samples),
        TrustTier::Suspended | TrustTier::Restricted | TrustTier::Trusted => return None,
    };
    let next = state.tier.above();
    if let Some(since) = state.rising_since {
        let waited = evidence.at.since(since).as_secs_f64();
        let left = (dwell_s(weights, next) - waited).max(0.0);
        return Some(format!("the evidence supports {next}; it rises in {} if that lasts", duration(left)));
    }
    Some(format!(
        "{next} needs a lower bound of {} and {samples:.0} actions in scope: it has {} and {:.0}",
        percent(cut + weights.margin),
        percent(evidence.whole.posterior(weights).lower()),
        evidence.whole.good_effective,
    ))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The two largest units, which is as exact as a sentence needs to be.
fn duration(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
    let seconds = seconds.ceil() as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
