//! Stats: a snapshot for metrics, read when they are scraped.

use std::time::Duration;

/// The state of a spool, and what it has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records in memory, not yet taken by the writing thread.
    pub queued: usize,
    /// Places given out: for calls under way, queued records, and records being written.
    pub outstanding: usize,
    /// Records made durable.
    pub written: u64,
    /// Records dropped by the choice `when_full: drop`. Anything but 0 is a hole in the evidence.
    pub dropped: u64,
    /// Places refused by the choice `when_full: deny`.
    pub refused: u64,
    /// The last durable sequence.
    pub durable: u64,
    /// The last sequence that the collector has acknowledged.
    pub acknowledged: u64,
    /// Age of the oldest record that the collector has not; `None` when it has them all.
    pub oldest_unacknowledged: Option<Duration>,
    /// Bytes of all segments.
    pub disk_bytes: u64,
    /// Number of segments.
    pub segments: usize,
    /// Syncs of segments.
    pub syncs: u64,
    /// Time spent in them.
    pub sync_time: Duration,
    /// Writes and syncs that failed.
    pub disk_errors: u64,
    /// Bytes of an unfinished write cut off when the spool was opened.
    pub repaired_bytes: u64,
    /// Whether a place could be had now.
    pub healthy: bool,
}
