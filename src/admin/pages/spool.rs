//! The spool's part of `/status`.

use serde::{Deserialize, Serialize};

use crate::spool::Recorder;

/// The spool of records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpoolPart {
    /// Why no record can be taken; `None` when it can.
    pub problem: Option<String>,
    /// The last record that is safe on this disk.
    pub durable: u64,
    /// The last record that the collector has.
    pub acknowledged: u64,
    /// How long the oldest record that it has not has been waiting, in seconds.
    pub oldest_waiting_s: Option<u64>,
    /// Records not yet written.
    pub queued: usize,
    /// Records dropped since the start: holes in the evidence.
    pub dropped: u64,
    /// Calls refused since the start because no record could be taken.
    pub refused: u64,
    /// Writes and syncs that failed since the start.
    pub disk_errors: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Files on disk.
    pub segments: usize,
}

/// The spool as it is now. Reads one record from disk when the collector lags.
#[must_use]
pub fn spool(recorder: &Recorder) -> SpoolPart {
    let stats = recorder.stats();
    SpoolPart {
        problem: recorder.healthy().err().map(|why| why.to_string()),
        durable: stats.durable,
        acknowledged: stats.acknowledged,
        oldest_waiting_s: stats.oldest_unacknowledged.map(|age| age.as_secs()),
        queued: stats.queued,
        dropped: stats.dropped,
        refused: stats.refused,
        disk_errors: stats.disk_errors,
        disk_bytes: stats.disk_bytes,
        segments: stats.segments,
    }
}
