//! What one record says about an agent: in scope, out of scope, or nothing.

use crate::domain::{Reason, Ruling};
use crate::scoring::Weights;

/// What a record tells of one attempt to act. Whoever reads records fills it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What the pact said.
    pub ruling: Ruling,
    /// Whether the call went out.
    pub sent: bool,
    /// Why it did not simply go through.
    pub reason: Option<Reason>,
    /// How it ended.
    pub ending: Ending,
    /// Whether it only served the protocol: `initialize`, a listing, a notification.
    pub housekeeping: bool,
}

/// How an attempt ended, as far as scoring cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The admission of a call that is still under way; its end is a record of its own.
    Open,
    /// The upstream answered with this status.
    Completed(u16),
    /// It was refused.
    Refused,
    /// The upstream failed, the agent hung up, or the call was cut or abandoned.
    Broken,
}

/// How much an attempt weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weight {
    /// An action within scope.
    Good,
    /// An attempt out of scope, with its severity in thousandths: never zero.
    Bad(u32),
    /// Says nothing about the agent.
    Nothing,
}

/// An attempt, judged: its weight, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// The weight.
    pub weight: Weight,
    /// Why, in a few words.
    pub why: &'static str,
}

/// Judges one attempt. Attempts count, not successes: a refused call is evidence of what the agent tried.
#[must_use]
pub fn mark(weights: &Weights, attempt: &Attempt) -> Mark {
    let nothing = |why| Mark { weight: Weight::Nothing, why };
    match attempt.ending {
        Ending::Open => return nothing("the call is still under way"),
        Ending::Broken if attempt.sent => {
            return nothing("a call that broke off shows nothing about the agent");
        }
        Ending::Completed(_) | Ending::Refused | Ending::Broken => {}
    }
    match (attempt.reason, attempt.sent) {
        (Some(reason), false) => refused(weights, reason),
        (_, true) if attempt.ruling == Ruling::Deny => nothing("a pact on trial does not judge"),
        (None, false) => nothing("the call was not sent, for no reason of the agent's"),
        (_, true) if attempt.housekeeping => nothing("housekeeping of a protocol earns nothing"),
        (_, true) => match attempt.ending {
            Ending::Completed(status) if status >= 500 => nothing("the upstream failed, not the agent"),
            _ => Mark { weight: Weight::Good, why: "in scope" },
        },
    }
}

fn refused(weights: &Weights, reason: Reason) -> Mark {
    let (severity, why) = match reason {
        Reason::Denied => (weights.severity_denied, "a clause forbids it"),
        Reason::NoClause => (weights.severity_no_clause, "no clause speaks of it"),
        Reason::NoPact => (weights.severity_no_pact, "no pact governs the agent"),
        Reason::TierTooLow => (weights.severity_tier_too_low, "the tier was too low"),
        Reason::Suspended => (weights.severity_suspended, "the agent was suspended"),
        Reason::ApprovalRequired => (weights.severity_approval_required, "nobody approved it"),
        Reason::RateLimited => (weights.severity_rate_limited, "too many calls"),
        Reason::BudgetExhausted => (weights.severity_budget_exhausted, "a budget was used up"),
        Reason::Unreadable => (weights.severity_unreadable, "it could not be read"),
        Reason::Opaque => (weights.severity_opaque, "it was opaque"),
        Reason::DataRule => (weights.severity_data_rule, "a data rule forbids it"),
        Reason::NameMismatch => (weights.severity_name_mismatch, "its names disagree"),
        Reason::AddressForbidden => (weights.severity_address_forbidden, "its address is forbidden"),
        Reason::EvidenceUnavailable => (weights.severity_evidence_unavailable, "it could not be recorded"),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a severity lies between 0 and 10; a cast of anything else saturates"
    )]
    let thousandths = (severity * 1_000.0).round() as u32;
    let weight = if thousandths == 0 { Weight::Nothing } else { Weight::Bad(thousandths) };
    Mark { weight, why }
}
