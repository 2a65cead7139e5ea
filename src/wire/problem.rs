//! What went wrong, as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};

/// Body of every answer of the collector that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `https://pactgate.dev/problems/<name>`; the name is a closed set, listed in the OpenAPI document.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// For a refused batch: sequence of the last record the collector holds of this source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accepted_through: Option<u64>,
}

impl Problem {
    /// What stands before the name in `type`.
    pub const PREFIX: &'static str = "https://pactgate.dev/problems/";

    /// The name in `type`, where it is one of ours.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.kind.strip_prefix(Self::PREFIX)
    }
}
