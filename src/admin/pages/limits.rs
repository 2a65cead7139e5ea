//! `/limits`: what is left of every limit that was used lately.

use serde::{Deserialize, Serialize};

use crate::admin::pages::Listed;
use crate::limits::{Limits, Remaining};

/// The limits of all agents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsPage {
    /// In the order of agents, pacts and limits.
    pub limits: Listed<LimitLine>,
    /// Calls refused for want of a place to count them in, since the start.
    pub overflows: u64,
}

/// One limit of one agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitLine {
    /// The agent.
    pub agent: String,
    /// The pact that holds the limit.
    pub pact: String,
    /// Its id.
    pub limit: String,
    /// Calls that may be made now.
    pub remaining: u32,
    /// Calls that may be made at once after a pause.
    pub burst: u32,
    /// The time one call takes to come back, in milliseconds.
    pub spacing_ms: u64,
}

/// The page as it is now.
#[must_use]
pub fn limits(limits: &Limits) -> LimitsPage {
    LimitsPage {
        limits: Listed::of(limits.remaining().into_iter().map(line)),
        overflows: limits.stats().overflows,
    }
}

fn line(left: Remaining) -> LimitLine {
    LimitLine {
        agent: left.agent.to_string(),
        pact: left.pact.to_string(),
        limit: left.limit.to_string(),
        remaining: left.remaining,
        burst: left.burst,
        spacing_ms: u64::try_from(left.spacing.as_millis()).unwrap_or(u64::MAX),
    }
}
