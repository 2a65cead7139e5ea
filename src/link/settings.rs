//! Where the collector is, and how it is spoken to.

use std::time::Duration;

use url::Url;

use crate::domain::Secret;
use crate::net::TrustRoots;
use crate::wire::{BATCH_BYTES_MAX, EVENTS_MAX, PublicKey};

/// Where the collector is, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its base URL, `http` or `https`. Over `http` the token can be read on the way.
    pub url: Url,
    /// This sidecar's credential there.
    pub token: Secret,
    /// The key that signs its statements. Whoever holds the private part decides on tiers and approvals.
    pub public_key: PublicKey,
    /// Who may vouch for its certificate.
    pub roots: TrustRoots,
    /// The most records in one batch.
    pub batch_records_max: usize,
    /// The most bytes in one batch.
    pub batch_bytes_max: usize,
    /// How long records gather before a batch is sent.
    pub gather: Duration,
    /// The longest wait for an answer, its body included.
    pub patience: Duration,
    /// The longest silence on the feed. The collector says something every five seconds at least.
    pub silence_max: Duration,
    /// The longest pause between two attempts.
    pub pause_max: Duration,
    /// How long what is still undelivered is tried at the end. What remains is delivered after the next start.
    pub farewell: Duration,
}

impl Settings {
    /// The settings that suit most: batches of 500 records or 512 KiB, gathered for 50 ms; 30 s of patience, 15 s of
    /// silence, pauses up to 30 s, 5 s of farewell.
    #[must_use]
    pub const fn new(url: Url, token: Secret, public_key: PublicKey, roots: TrustRoots) -> Self {
        Self {
            url,
            token,
            public_key,
            roots,
            batch_records_max: 500,
            batch_bytes_max: 512 << 10,
            gather: Duration::from_millis(50),
            patience: Duration::from_secs(30),
            silence_max: Duration::from_secs(15),
            pause_max: Duration::from_secs(30),
            farewell: Duration::from_secs(5),
        }
    }

    /// The same, within what the collector takes.
    pub(super) fn bounded(mut self) -> Self {
        self.batch_records_max = self.batch_records_max.clamp(1, EVENTS_MAX);
        // A batch has brackets, and a comma for every record.
        self.batch_bytes_max = self.batch_bytes_max.clamp(1, BATCH_BYTES_MAX - EVENTS_MAX - 2);
        self
    }
}
