//! Verdict: what a pact says of an action, with the clauses that decided.

use std::fmt;
use std::sync::Arc;

use crate::domain::{ClauseId, TrustTier};

/// The three things a pact can say. Ordered by precedence: deny beats ask, ask beats allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// The action may go through, within its limits.
    Allow,
    /// A person must say yes first.
    Ask,
    /// The action must not happen.
    Deny,
}

impl Ruling {
    /// The name used in pact tests, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an action did not simply go through: a closed set, the same in refusals, records and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A deny clause matched.
    Denied,
    /// No clause speaks of it.
    NoClause,
    /// No pact governs the agent, or nobody knows who the agent is.
    NoPact,
    /// A clause would allow it at a higher tier.
    TierTooLow,
    /// The agent is suspended.
    Suspended,
    /// A person must say yes first.
    ApprovalRequired,
    /// Too many calls in too short a time.
    RateLimited,
    /// A budget is used up.
    BudgetExhausted,
    /// The request could not be read.
    Unreadable,
    /// The bytes are not read by Pactgate, and no clause allows that.
    Opaque,
    /// A data rule forbids what the text contains.
    DataRule,
    /// The names in one request (CONNECT authority, SNI, Host) disagree.
    NameMismatch,
    /// The address must not be reached.
    AddressForbidden,
    /// The action could not be recorded, so it must not happen.
    EvidenceUnavailable,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Denied,
        Self::NoClause,
        Self::NoPact,
        Self::TierTooLow,
        Self::Suspended,
        Self::ApprovalRequired,
        Self::RateLimited,
        Self::BudgetExhausted,
        Self::Unreadable,
        Self::Opaque,
        Self::DataRule,
        Self::NameMismatch,
        Self::AddressForbidden,
        Self::EvidenceUnavailable,
    ];

    /// The name used everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NoClause => "no-clause",
            Self::NoPact => "no-pact",
            Self::TierTooLow => "tier-too-low",
            Self::Suspended => "suspended",
            Self::ApprovalRequired => "approval-required",
            Self::RateLimited => "rate-limited",
            Self::BudgetExhausted => "budget-exhausted",
            Self::Unreadable => "unreadable",
            Self::Opaque => "opaque",
            Self::DataRule => "data-rule",
            Self::NameMismatch => "name-mismatch",
            Self::AddressForbidden => "address-forbidden",
            Self::EvidenceUnavailable => "evidence-unavailable",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a pact says of one action. Not the effect: under an observing pact a denied action goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Allow, ask or deny.
    pub ruling: Ruling,
    /// Every clause that decided, in the pact's order; empty when none speaks of the action.
    pub clauses: Vec<ClauseId>,
    /// Why it does not simply go through; `None` exactly when the ruling is allow.
    pub reason: Option<Reason>,
    /// The pact's name for the tool, where the action is one: `payments.refund`.
    pub capability: Option<Arc<str>>,
    /// Whether another tier could have changed the ruling.
    pub tier_mattered: bool,
    /// The lowest tier at which the action would be allowed, where that is what it lacks.
    pub needs_tier: Option<TrustTier>,
    /// Who may say yes, where the ruling is ask and the clauses name somebody.
    pub approvers: Vec<String>,
    /// Conditions that could not be evaluated, and why. Each counted against the agent.
    pub faults: Vec<(ClauseId, String)>,
}
