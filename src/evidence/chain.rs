//! Chain: each record names the hash of the one before, so none can be changed, dropped or slipped in unseen.

use crate::domain::{Digest, Timestamp};
use crate::evidence::canonical::Moments;
use crate::evidence::event::{self, Envelope};
use crate::evidence::{Gap, Record, Source};

/// The growing end of one source's log.
#[derive(Debug)]
pub struct Chain {
    source: Source,
    written_source: String,
    tag: [u8; 4],
    sequence: u64,
    head: Digest,
    gap: Gap,
    moments: Moments,
}

/// One record as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its place in the log, from 1.
    pub sequence: u64,
    /// The event: canonical JSON (RFC 8785). Exactly these bytes are hashed, stored and sent.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes: the `prevhash` of the next record.
    pub hash: Digest,
}

impl Chain {
    /// A log without records. Its first record has sequence 1 and a `prevhash` of zeros.
    #[must_use]
    pub fn begin(source: Source) -> Self {
        Self::resume(source, 0, Digest::default())
    }

    /// A log whose last record is known.
    #[must_use]
    pub fn resume(source: Source, last_sequence: u64, last_hash: Digest) -> Self {
        let written_source = source.to_string();
        let [a, b, c, d, ..] = *Digest::of(written_source.as_bytes()).as_bytes();
        Self {
            source,
            written_source,
            tag: [a, b, c, d],
            sequence: last_sequence,
            head: last_hash,
            gap: Gap::default(),
            moments: Moments::new(),
        }
    }

    /// The log this is.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The sequence of the last record; 0 before the first.
    #[must_use]
    pub const fn last_sequence(&self) -> u64 {
        self.sequence
    }

    /// The hash of the last record; zeros before the first.
    #[must_use]
    pub const fn head(&self) -> &Digest {
        &self.head
    }

    /// Has the next record say that something is missing before it.
    pub fn tell(&mut self, gap: Gap) {
        self.gap.after_crash |= gap.after_crash;
        self.gap.lost = self.gap.lost.saturating_add(gap.lost);
        self.gap.torn_bytes = self.gap.torn_bytes.saturating_add(gap.torn_bytes);
    }

    /// Whether something is missing that no record has told of yet.
    #[must_use]
    pub fn has_untold_gap(&self) -> bool {
        !self.gap.is_none()
    }

    /// Makes a record the next one of this log.
    pub fn seal(&mut self, record: &Record, recorded_at: Timestamp) -> Sealed {
        let mut bytes = Vec::with_capacity(1280);
        self.seal_into(&mut bytes, record, recorded_at);
        Sealed { sequence: self.sequence, bytes, hash: self.head }
    }

    /// Makes a record the next one of this log and appends its bytes to `out`.
    pub fn seal_into(&mut self, out: &mut Vec<u8>, record: &Record, recorded_at: Timestamp) {
        let from = out.len();
        self.sequence = self.sequence.saturating_add(1);
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let envelope = Envelope {
            source: &self.written_source,
            id: event_id(self.tag, self.sequence, recorded_at).hyphenated().encode_lower(&mut id),
            sequence: self.sequence,
            prevhash: &self.head,
            recorded_at,
            gap: std::mem::take(&mut self.gap),
        };
        event::write(out, &mut self.moments, &envelope, record);
        self.head = Digest::of(out.get(from..).unwrap_or_default());
    }
}

/// A UUIDv7 (RFC 9562, section 5.7) whose random part is the log's own tag and the sequence: unique, and the same
/// when the same record is sealed again.
fn event_id(tag: [u8; 4], sequence: u64, at: Timestamp) -> uuid::Uuid {
    let millis = u64::try_from(at.as_micros().max(0) / 1000).unwrap_or(0);
    let [_, _, s2, s3, s4, s5, s6, s7] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = tag;
    uuid::Builder::from_unix_timestamp_millis(millis, &[t0, t1, t2, t3, s2, s3, s4, s5, s6, s7]).into_uuid()
}
