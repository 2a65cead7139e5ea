//! Signals: trust-significant events, raised by the collector, a sidecar or an operator.

use serde::{Deserialize, Serialize};

use crate::domain::{AgentId, Digest, Timestamp};
use crate::wire::text::{bounded, optional, word};

/// What a signal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// An agent attempted what its pact forbids.
    PactBreach,
    /// An agent's tier fell.
    ScoreDrop,
    /// An agent's tier fell because its evidence grew old.
    FreshnessGap,
    /// Somebody reports an incident.
    IncidentFlag,
    /// A settlement is disputed.
    SettlementDispute,
    /// Records of a source are gone.
    EvidenceGap,
    /// A source sent two different records under one sequence, or a record that does not follow the one before.
    EvidenceFork,
    /// A person suspended an agent or reinstated it.
    Override,
    /// The definition of a tool that an agent may use is another one than when it was first seen.
    ToolChanged,
}

impl SignalKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::PactBreach,
        Self::ScoreDrop,
        Self::FreshnessGap,
        Self::IncidentFlag,
        Self::SettlementDispute,
        Self::EvidenceGap,
        Self::EvidenceFork,
        Self::Override,
        Self::ToolChanged,
    ];

    /// The name on the wire, in the store and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PactBreach => "pact-breach",
            Self::ScoreDrop => "score-drop",
            Self::FreshnessGap => "freshness-gap",
            Self::IncidentFlag => "incident-flag",
            Self::SettlementDispute => "settlement-dispute",
            Self::EvidenceGap => "evidence-gap",
            Self::EvidenceFork => "evidence-fork",
            Self::Override => "override",
            Self::ToolChanged => "tool-changed",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look today.
    Warning,
    /// Worth waking somebody.
    Critical,
}

impl Severity {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Critical].into_iter().find(|severity| severity.name() == name)
    }
}

/// Body of `POST /v1/signals`. Sidecars and operators may send `pact-breach`, `incident-flag` and
/// `settlement-dispute`; a sidecar also `tool-changed`, and `evidence-gap` with `gap`. The others are the
/// collector's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// What it is about.
    pub kind: SignalKind,
    /// How much it matters.
    pub severity: Severity,
    /// The agent, where it is about one.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What happened, as a sentence.
    #[serde(deserialize_with = "bounded::<_, 1024>")]
    pub detail: String,
    /// With `evidence-gap` only: which records are gone for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<GapNotice>,
}

/// A sidecar declares that it no longer has some of its records. The collector raises a signal that stays, and
/// then accepts the record after the gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapNotice {
    /// The log: the `source` of its records.
    #[serde(deserialize_with = "bounded::<_, 255>")]
    pub source: String,
    /// Sequence of the first record that is gone: one more than the collector holds.
    pub from: u64,
    /// Sequence of the last record that is gone.
    pub through: u64,
    /// Hash of that last record, which the next one names as its predecessor.
    #[serde(with = "word")]
    pub head: Digest,
}

/// One signal, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalView {
    /// Its number, rising.
    pub id: u64,
    /// What it is about.
    pub kind: SignalKind,
    /// How much it matters.
    pub severity: Severity,
    /// The agent, where it is about one.
    #[serde(with = "optional")]
    pub agent: Option<AgentId>,
    /// The source of records, where it is about one.
    pub source: Option<String>,
    /// What happened.
    pub detail: String,
    /// Who raised it: `collector`, `sidecar <id>`, `operator <name>`.
    pub by: String,
    /// When it was first raised.
    #[serde(with = "word")]
    pub raised_at: Timestamp,
    /// When it was last raised again.
    #[serde(with = "word")]
    pub last_at: Timestamp,
    /// How often: the same thing within an hour is one signal.
    pub count: u64,
}

/// Answer of `GET /v1/signals`: newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalPage {
    /// The signals.
    pub signals: Vec<SignalView>,
    /// Pass it as `before` for the next page; absent on the last.
    pub next: Option<u64>,
}
