//! `/pacts`: which pacts are loaded, and whom they govern.

use serde::{Deserialize, Serialize};

use crate::admin::pages::Listed;
use crate::domain::Timestamp;
use crate::pact::{Pact, PactSet};

/// The pacts that are loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PactsPage {
    /// In the order they were loaded.
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
    /// Its steward, where one is named.
    pub owner: Option<String>,
    /// How many clauses it has.
    pub clauses: usize,
}

/// The page of the pacts in force. `not_loaded`: why newer files are not, for people.
#[must_use]
pub fn pacts(set: &PactSet, loaded_at: Timestamp, not_loaded: Option<String>) -> PactsPage {
    let pacts = Listed::of(set.iter().map(|pact| line(pact)));
    PactsPage { pacts, loaded_at: loaded_at.to_string(), not_loaded }
}

fn line(pact: &Pact) -> PactLine {
    PactLine {
        name: pact.name().to_string(),
        version: pact.version(),
        digest: pact.digest().hex(),
        mode: pact.mode().name().to_owned(),
        risk: pact.risk().name().to_owned(),
        file: pact.file().to_owned(),
        agents: pact.agents().map(str::to_owned).collect(),
        owner: pact.owner().map(str::to_owned),
        clauses: pact.clauses().len(),
    }
}
