//! What operators read of agents and records, and how they overrule a score.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::{AgentId, Digest, Timestamp, TrustTier};
use crate::wire::text::{bounded, rounded, word};

/// One agent, as listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentSummary {
    /// The agent.
    #[serde(with = "word")]
    pub agent: AgentId,
    /// Its tier.
    #[serde(with = "word")]
    pub tier: TrustTier,
    /// Since when.
    #[serde(with = "word")]
    pub since: Timestamp,
    /// Mean of the posterior.
    #[serde(serialize_with = "rounded")]
    pub score: f64,
    /// Its lower bound.
    #[serde(serialize_with = "rounded")]
    pub lower: f64,
    /// Whether an operator suspended it.
    pub overridden: bool,
    /// When the last of its records arrived.
    #[serde(with = "word")]
    pub seen_at: Timestamp,
}

/// Answer of `GET /v1/agents`, by id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentPage {
    /// The agents.
    pub agents: Vec<AgentSummary>,
    /// Pass it as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

/// Answer of `GET /v1/agents/{id}/trust`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustView {
    /// The agent.
    #[serde(with = "word")]
    pub agent: AgentId,
    /// The tier that holds, overrides included.
    #[serde(with = "word")]
    pub tier: TrustTier,
    /// Since when.
    #[serde(with = "word")]
    pub since: Timestamp,
    /// What the evidence alone supports.
    #[serde(with = "word")]
    pub evidence_tier: TrustTier,
    /// Mean of the posterior over its whole history.
    #[serde(serialize_with = "rounded")]
    pub score: f64,
    /// Its lower bound (5 %), which decides on tiers from probation up.
    #[serde(serialize_with = "rounded")]
    pub lower: f64,
    /// Its upper bound (95 %), which decides on tiers below probation.
    #[serde(serialize_with = "rounded")]
    pub upper: f64,
    /// One minus the width between the bounds.
    #[serde(serialize_with = "rounded")]
    pub confidence: f64,
    /// Effective number of observations (Kish), after their weights faded.
    #[serde(serialize_with = "rounded")]
    pub effective: f64,
    /// In-scope actions out of all that count, unweighted.
    pub in_scope: Share,
    /// Age of the newest in-scope action, in seconds; null when there is none.
    pub freshness_seconds: Option<u64>,
    /// Whether that is young enough for the tier, or for `standard` where the tier is lower.
    pub fresh: bool,
    /// The same over the last minutes, which can only lower a tier.
    pub recent: Recent,
    /// Why the tier is what it is, as sentences.
    pub reasons: Vec<String>,
    /// A person's word that overrules the score.
    #[serde(rename = "override")]
    pub overridden: Option<OverrideEntry>,
    /// Tier changes, newest first, at most a hundred.
    pub history: Vec<TierChange>,
    /// Algorithm id, version, and digest of all its weights.
    pub algorithm: String,
    /// Position of the last of the agent's records that the score contains: with it a stranger can recompute.
    pub position: u64,
    /// When this was computed.
    #[serde(with = "word")]
    pub computed_at: Timestamp,
}

/// The posterior over the recent window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// Mean.
    #[serde(serialize_with = "rounded")]
    pub score: f64,
    /// Lower bound (5 %).
    #[serde(serialize_with = "rounded")]
    pub lower: f64,
    /// Upper bound (95 %).
    #[serde(serialize_with = "rounded")]
    pub upper: f64,
    /// In-scope actions out of all that count, unweighted.
    pub in_scope: Share,
}

/// `k` of `n`. With `n` zero there is no data, which is neither 0 nor 100 percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// So many,
    pub k: u64,
    /// of so many.
    pub n: u64,
}

/// One change of tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChange {
    /// When it took effect.
    #[serde(with = "word")]
    pub at: Timestamp,
    /// The tier before.
    #[serde(with = "word")]
    pub from: TrustTier,
    /// The tier after.
    #[serde(with = "word")]
    pub to: TrustTier,
    /// The sentence that explains it.
    pub why: String,
}

/// What an operator does to a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideAction {
    /// The agent may do nothing until it is reinstated.
    Suspend,
    /// The agent starts again on probation, its past forgiven.
    Reinstate,
}

impl OverrideAction {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Reinstate => "reinstate",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Suspend, Self::Reinstate].into_iter().find(|action| action.name() == name)
    }
}

/// Body of `POST /v1/agents/{id}/override`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// What to do.
    pub action: OverrideAction,
    /// Why; it must not be empty.
    #[serde(deserialize_with = "bounded::<_, 1024>")]
    pub why: String,
}

/// An override as kept: who, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideEntry {
    /// What was done.
    pub action: OverrideAction,
    /// The operator, by the name of the token used.
    pub by: String,
    /// The operator's reason.
    pub why: String,
    /// When.
    #[serde(with = "word")]
    pub at: Timestamp,
}

/// One record, as kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecordView {
    /// Its place in the store, rising over all sources.
    pub position: u64,
    /// When it arrived, by the collector's clock; never earlier than the record before.
    #[serde(with = "word")]
    pub received_at: Timestamp,
    /// SHA-256 of the event's exact bytes.
    #[serde(with = "word")]
    pub hash: Digest,
    /// The event, byte for byte as the sidecar sealed it.
    pub event: Box<RawValue>,
}

/// Answer of `GET /v1/records`: oldest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<RecordView>,
    /// Pass it as `after` for the next page; absent on the last.
    #[serde(default)]
    pub next: Option<u64>,
}
