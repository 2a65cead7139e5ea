//! Pages: what the admin socket shows, as plain types that `pactgate status` reads back.
//!
//! Every field has a default, so that a program of another version can read what it knows of a page.

mod approvals;
mod limits;
mod pacts;
mod spool;
mod status;
mod tools;
mod trust;

pub use approvals::{ApprovalLine, ApprovalsPage, approvals};
pub use limits::{LimitLine, LimitsPage, limits};
pub use pacts::{PactLine, PactsPage, pacts};
pub use spool::{SpoolPart, spool};
pub use status::{CollectorPart, ListenerLine, Status};
pub use tools::{ToolLine, ToolsPage, tool_line, tools};
pub use trust::{AgentLine, NewsPart, TrustPage, trust};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most entries of a list on its own page.
pub const ENTRIES_MAX: usize = 1_000;

/// A list with a bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listed<T> {
    /// The first entries.
    pub entries: Vec<T>,
    /// How many more there are.
    pub left_out: usize,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), left_out: 0 }
    }
}

impl<T> Listed<T> {
    /// The first [`ENTRIES_MAX`].
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = T>) -> Self {
        let mut all = entries.into_iter();
        let entries = all.by_ref().take(ENTRIES_MAX).collect();
        Self { entries, left_out: all.count() }
    }

    /// Leaves out what stands after the first `most`.
    pub fn shorten(&mut self, most: usize) {
        self.left_out += self.entries.len().saturating_sub(most);
        self.entries.truncate(most);
    }

    /// How many there are, shown or not.
    #[must_use]
    pub fn total(&self) -> usize {
        self.entries.len() + self.left_out
    }
}

/// A page in the form that the socket sends.
#[must_use]
pub fn json<T: Serialize>(page: &T) -> Value {
    // No page has keys that are not text, the one thing that cannot be written.
    serde_json::to_value(page).unwrap_or_default()
}

#[cfg(test)]
mod tests;
