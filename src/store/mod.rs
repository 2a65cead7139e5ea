//! What the collector keeps, as the collector asks for it.
//!
//! The records are the truth; agents' scores are a shortcut that folding the records again rebuilds. There is one
//! store for now, in SQLite; a trait comes with the second.

mod agents;
mod append;
mod approvals;
mod attempt;
mod error;
mod fold;
mod open;
mod overrides;
mod records;
mod review;
mod revision;
mod rows;
mod signals;

use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::broadcast;

use crate::domain::{AgentId, ApprovalId};
use crate::scoring::Weights;

pub use agents::{AgentNews, TierCount};
pub use append::{Appended, Incoming, Refused};
pub use approvals::{AnswerError, ApprovalNews, AskError};
pub use attempt::attempt_of;
pub use error::StoreError;
pub use overrides::OverrideError;
pub use records::RecordFilter;
pub use signals::{NewSignal, StoredSignal};

/// Something that others may want to look at. A hint, sent after the commit: whoever misses one finds the same
/// by asking for what changed since a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The tier of an agent.
    Tier(AgentId),
    /// A question was asked, answered, or lapsed.
    Approval(ApprovalId),
    /// A signal was raised.
    Signal,
}

/// The collector's memory. Cheap to clone: all clones are one store.
#[derive(Clone, Debug)]
pub struct Store {
    /// Owner of all writes: one connection, so that transactions follow each other.
    writer: SqlitePool,
    /// Readers see the last commit and never wait for the writer.
    reader: SqlitePool,
    weights: Arc<Weights>,
    changes: broadcast::Sender<Change>,
}

impl Store {
    /// The weights that scores here are made with.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Hears of changes from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn announce(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            // Nobody listening is no error.
            let _ = self.changes.send(change);
        }
    }
}

/// Most rows that one page of any query has.
pub const PAGE_MAX: u32 = 500;

#[cfg(test)]
mod tests;
