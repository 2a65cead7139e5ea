//! `/status`: everything in one screen.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::pages::{ApprovalsPage, LimitsPage, PactsPage, SpoolPart, TrustPage, json};
use crate::admin::readiness::Readiness;

/// The most entries of a list in the summary; each list has a page of its own.
const ENTRIES_MAX: usize = 40;

/// The summary of a sidecar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The sidecar's id.
    pub id: String,
    /// The program's version.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether it can serve calls.
    pub readiness: Readiness,
    /// Where agents reach it.
    pub listeners: Vec<ListenerLine>,
    /// Why the newest config is not the one in force; `None` when it is.
    pub config_not_loaded: Option<String>,
    /// Its pacts.
    pub pacts: PactsPage,
    /// Its agents' tiers.
    pub trust: TrustPage,
    /// Their limits.
    pub limits: LimitsPage,
    /// Its records.
    pub spool: SpoolPart,
    /// Its line to the collector; `None` when the configuration names none.
    pub collector: Option<CollectorPart>,
    /// Its open questions.
    pub approvals: ApprovalsPage,
}

/// One address that agents reach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenerLine {
    /// `reverse` or `forward`.
    pub mode: String,
    /// The address.
    pub address: String,
    /// The agent that all its calls are made by; `None` where a credential tells.
    pub agent: Option<String>,
}

/// The line to the collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectorPart {
    /// Its address, without credentials.
    pub url: String,
    /// Whether the last exchange about records went well.
    pub delivering: bool,
    /// Whether its feed of tiers and answers is open and believable.
    pub feed_open: bool,
}

impl Status {
    /// The page in the form that the socket sends, its lists cut to what fits a summary.
    #[must_use]
    pub fn into_json(mut self) -> Value {
        self.pacts.pacts.shorten(ENTRIES_MAX);
        self.trust.agents.shorten(ENTRIES_MAX);
        self.limits.limits.shorten(ENTRIES_MAX);
        self.approvals.open.shorten(ENTRIES_MAX);
        json(&self)
    }
}
