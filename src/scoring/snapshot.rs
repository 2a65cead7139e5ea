//! A state as bytes, so that a store can keep it. It is a shortcut: the records can always rebuild it.

use serde::{Deserialize, Serialize};

use crate::domain::{Timestamp, TrustTier};
use crate::scoring::tally::{Bucket, Tally};
use crate::scoring::{State, Weights};

/// Why a snapshot is of no use. The remedy is always to fold the records again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It was made by another algorithm or other weights.
    #[error("the snapshot was made by another algorithm or other weights")]
    OtherAlgorithm,
    /// It cannot be read.
    #[error("the snapshot cannot be read")]
    Malformed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    algorithm: String,
    tier: String,
    since: i64,
    rising_since: Option<i64>,
    suspended: Option<String>,
    clock: i64,
    newest_good: Option<i64>,
    whole: Vec<Row>,
    recent: Vec<Row>,
}

/// Bucket index, good, bad, severity.
type Row = (i64, u64, u64, u64);

impl State {
    /// The state as bytes, under the name of the algorithm that made it.
    #[must_use]
    pub fn to_snapshot(&self, weights: &Weights) -> Vec<u8> {
        let snapshot = Snapshot {
            algorithm: weights.name(),
            tier: self.tier.name().to_owned(),
            since: self.since.as_micros(),
            rising_since: self.rising_since.map(Timestamp::as_micros),
            suspended: self.suspended.clone(),
            clock: self.clock.as_micros(),
            newest_good: self.newest_good.map(Timestamp::as_micros),
            whole: rows(&self.whole),
            recent: rows(&self.recent),
        };
        // Plain numbers and strings: writing cannot fail.
        serde_json::to_vec(&snapshot).unwrap_or_default()
    }

    /// The state of a snapshot.
    ///
    /// # Errors
    /// When another algorithm made it, or it is damaged.
    pub fn from_snapshot(weights: &Weights, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(|_| SnapshotError::Malformed)?;
        if snapshot.algorithm != weights.name() {
            return Err(SnapshotError::OtherAlgorithm);
        }
        Ok(Self {
            tier: TrustTier::parse(&snapshot.tier).ok_or(SnapshotError::Malformed)?,
            since: Timestamp::from_micros(snapshot.since),
            rising_since: snapshot.rising_since.map(Timestamp::from_micros),
            suspended: snapshot.suspended,
            clock: Timestamp::from_micros(snapshot.clock),
            newest_good: snapshot.newest_good.map(Timestamp::from_micros),
            whole: tally(snapshot.whole),
            recent: tally(snapshot.recent),
        })
    }
}

fn rows(tally: &Tally) -> Vec<Row> {
    tally.buckets.iter().map(|(index, bucket)| (*index, bucket.good, bucket.bad, bucket.severity)).collect()
}

fn tally(rows: Vec<Row>) -> Tally {
    let bucket = |(index, good, bad, severity)| (index, Bucket { good, bad, severity });
    Tally { buckets: rows.into_iter().map(bucket).collect() }
}
