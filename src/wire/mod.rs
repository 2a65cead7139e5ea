//! Messages between sidecar and collector: versioned, apart from the domain.
//!
//! Version 1 lives under `/v1`. Requests are read strictly: an unknown member is an error. Answers and signed
//! statements are read so that a newer collector may add members; whatever would narrow or widen the meaning of
//! an old member gets a new version instead.

mod agents;
mod approvals;
mod bearer;
mod events;
mod feed;
mod fields;
mod keys;
mod problem;
mod signals;
mod statement;
mod text;
mod trust;

pub use agents::{
    AgentPage, AgentSummary, Override, OverrideAction, OverrideEntry, Recent, RecordPage, RecordView, Share,
    TierChange, TrustView,
};
pub use approvals::{
    Answer, AnswerRequest, ApprovalPage, ApprovalState, ApprovalView, Approved, AskedAction, Question, Say,
};
pub use bearer::Roster;
pub use events::{Position, join_events, split_events};
pub use feed::{FeedEvent, FeedReader, write_comment, write_event};
pub use fields::Fields;
pub use keys::{KeyView, PublicKey, SigningKey};
pub use problem::{Problem, ProblemKind};
pub use signals::{GapNotice, Severity, SignalKind, SignalPage, SignalRequest, SignalView};
pub use statement::{Signed, StatementError, Topic};
pub use trust::{AgentTier, TrustStatement};

/// Why a message is not what it should be. The text names the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WireError(String);

impl WireError {
    pub(in crate::wire) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Reads one JSON message from its bytes, strictly: nothing may follow it.
///
/// # Errors
/// When the bytes are not JSON, or not this message.
pub fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, WireError> {
    // The error may quote what was sent: enough of it to find the place.
    serde_json::from_slice(bytes).map_err(|error| WireError(error.to_string().chars().take(300).collect()))
}

/// Writes one message as JSON.
#[must_use]
pub fn write<T: serde::Serialize>(message: &T) -> Vec<u8> {
    // No message has a map with keys that are not strings, or a value that refuses: writing cannot fail.
    serde_json::to_vec(message).unwrap_or_default()
}

/// Most events in one batch.
pub const EVENTS_MAX: usize = 1_000;
/// Longest single event, in bytes.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Longest batch of events, in bytes.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest request that is not a batch of events, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Longest payload of a signed statement, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 512 * 1024;
/// Longest line of the trust feed, in bytes: a payload in base64, its signature, and what is around them.
pub const FEED_LINE_BYTES_MAX: usize = 768 * 1024;
/// Most agents in one trust statement; more are told in further statements.
pub const AGENTS_MAX: usize = 400;
/// Longest sentence that says why, in bytes.
pub const WHY_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests;
