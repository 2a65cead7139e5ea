//! How a spool is kept, and what each choice can lose.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::SidecarId;
use crate::evidence::RECORD_BYTES_MAX;
use crate::spool::SpoolError;

/// How a spool is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder; made when absent. Whoever can write there can destroy evidence not yet delivered.
    pub dir: PathBuf,
    /// The sidecar that writes it.
    pub source: SidecarId,
    /// A segment that has grown to this size is followed by a new one. Space is freed by whole segments.
    pub segment_bytes: u64,
    /// The most bytes on disk.
    pub bytes_max: u64,
    /// The most records under way: reserved, queued or being written. Bounds the memory of the queue.
    pub queue_max: usize,
    /// When records are synced to the disk.
    pub sync: Sync,
    /// What happens when a record cannot be taken.
    pub when_full: WhenFull,
}

/// When records are synced to the disk. Whatever is chosen, a caller that awaits
/// [`crate::spool::Slot::record_durably`] is answered after a sync, and records are synced before they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// As soon as a record arrives, with those that arrived meanwhile. `kill -9` and a power loss can take what
    /// arrived while the last sync ran: a few milliseconds.
    Each,
    /// Together with what arrives within five milliseconds. `kill -9` and a power loss can take that much more.
    Batch,
    /// At most once a second. `kill -9` can take as much as with `Batch`, a power loss the last second.
    None,
}

/// What happens when a record cannot be taken: the queue or the spool is full, or the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// No place is given, so the call must be refused. Nothing goes unrecorded.
    Deny,
    /// The record is dropped and counted, and the next one that is written says how many are missing before it.
    Drop,
}

impl Settings {
    /// The settings that suit most: segments of 16 MiB, 1 GiB on disk, 8192 records under way, `batch`, `deny`.
    #[must_use]
    pub const fn new(dir: PathBuf, source: SidecarId) -> Self {
        Self {
            dir,
            source,
            segment_bytes: 16 << 20,
            bytes_max: 1 << 30,
            queue_max: 8192,
            sync: Sync::Batch,
            when_full: WhenFull::Deny,
        }
    }

    /// Rules between settings.
    pub(super) fn check(&self) -> Result<(), SpoolError> {
        let record = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX);
        let problem = if self.queue_max == 0 {
            "`queue_max` must be at least 1"
        } else if self.segment_bytes < record {
            "`segment_bytes` must be at least 32 KiB, the size of the largest record"
        } else if self.bytes_max / 4 < self.segment_bytes {
            "`bytes_max` must be at least four times `segment_bytes`, since space is freed by whole segments"
        } else {
            return Ok(());
        };
        Err(SpoolError::Settings { problem })
    }
}

impl Sync {
    /// How long records gather before they are written together.
    pub(super) const fn gather(self) -> Duration {
        match self {
            Self::Each => Duration::ZERO,
            Self::Batch | Self::None => Duration::from_millis(5),
        }
    }

    /// How long written records may wait for a sync.
    pub(super) const fn linger(self) -> Duration {
        match self {
            Self::Each | Self::Batch => Duration::ZERO,
            Self::None => Duration::from_secs(1),
        }
    }
}

impl WhenFull {
    /// What it means for calls, for the log.
    pub(super) const fn consequence(self) -> &'static str {
        match self {
            Self::Deny => "refused until it works again",
            Self::Drop => "let through unrecorded, and counted",
        }
    }
}
