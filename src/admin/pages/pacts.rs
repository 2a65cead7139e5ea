//! `/pacts`: which pacts are loaded, and whom they govern.

use serde::{Deserialize, Serialize};

use crate::admin::pages::Listed;
use crate::domain::Timestamp;

/// The pacts that are loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PactsPage {
    /// In the order of their files.
    pub pacts: Listed<PactLine>,
    /// When the set was last replaced; RFC 3339, UTC.
    pub loaded_at: String,
    /// Why the newest set of files is not the one in force; `None` when it is.
    pub not_loaded: Option<String>,
}

/// One pact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PactLine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its text, in hex.
    pub digest: String,
    /// `enforce` or `observe`.
    pub mode: String,
    /// Its risk, `low` to `critical`.
    pub risk: String,
    /// The file it was read from.
    pub file: String,
    /// Whom it governs, as written there.
    pub agents: Vec<String>,
}

/// The page of these pacts.
#[must_use]
pub fn pacts(
    lines: impl IntoIterator<Item = PactLine>,
    loaded_at: Timestamp,
    not_loaded: Option<String>,
) -> PactsPage {
    PactsPage { pacts: Listed::of(lines), loaded_at: loaded_at.to_string(), not_loaded }
}
