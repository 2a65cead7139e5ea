//! The way back: one event's bytes to a record, strictly.

use crate::domain::{Digest, Timestamp};
use crate::evidence::canonical::MICROS_MAX;
use crate::evidence::event::RECORD_BYTES_MAX;
use crate::evidence::fields::{self, Fields};
use crate::evidence::tree::read_canonical;
use crate::evidence::{Gap, Kind, Record, Source, Traceparent};

/// One event, read from its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose log it belongs to.
    pub source: Source,
    /// Its place there, from 1.
    pub sequence: u64,
    /// Its id.
    pub id: uuid::Uuid,
    /// What it says the hash of the record before it is.
    pub prevhash: Digest,
    /// The hash of its own bytes.
    pub hash: Digest,
    /// When it was sealed, by the sidecar's clock.
    pub recorded_at: Timestamp,
    /// What it says is missing before it.
    pub gap: Gap,
    /// What it tells.
    pub record: Record,
}

/// Why bytes are not an event of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// Larger than [`RECORD_BYTES_MAX`].
    #[error("the event has {bytes} bytes, and at most {RECORD_BYTES_MAX} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// Not canonical JSON.
    #[error("the event {problem}")]
    Form {
        /// What is wrong.
        problem: String,
    },
    /// A member is missing, has another type than it should, or a value outside its closed set.
    #[error("member `{member}` of the event is missing or not what it should be")]
    Member {
        /// The member, as a path.
        member: &'static str,
    },
}

/// Reads one event. Accepts exactly what [`crate::evidence::Chain::seal`] writes, and members that a later version
/// adds; their meaning is not known here, and the hash covers them all the same.
///
/// # Errors
/// When the bytes are too many, not canonical, or do not tell what a record must tell.
pub fn read(bytes: &[u8]) -> Result<Event, Unsound> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Unsound::TooLarge { bytes: bytes.len() });
    }
    let tree = read_canonical(bytes).map_err(|problem| Unsound::Form { problem })?;
    let event = Fields::new(&tree, "event")?;
    event.expect("specversion", "1.0")?;
    event.expect("datacontenttype", "application/json")?;
    let kind = event.parsed("type", Kind::parse)?;
    let data = event.object("data", "data")?;
    let record = fields::record(&data, kind, event.parsed("time", moment)?, trace(&event)?)?;
    let subject = record.agent.as_ref().map(|agent| format!("agent/{agent}"));
    if event.text_if("subject")? != subject.as_deref() {
        return Err(Unsound::Member { member: "subject" });
    }
    Ok(Event {
        source: event.parsed("source", Source::parse)?,
        sequence: event.parsed("sequence", sequence)?,
        id: event.parsed("id", |text| uuid::Uuid::parse_str(text).ok())?,
        prevhash: event.parsed("prevhash", fields::digest)?,
        hash: Digest::of(bytes),
        recorded_at: event.parsed("recordedtime", moment)?,
        gap: fields::gap(&data)?,
        record,
    })
}

fn trace(event: &Fields<'_>) -> Result<Option<Traceparent>, Unsound> {
    event.parsed_if("traceparent", Traceparent::parse)
}

/// A moment in the one form we write, and among those that we write.
fn moment(text: &str) -> Option<Timestamp> {
    let is_ours = |at: &Timestamp| (0..=MICROS_MAX).contains(&at.as_micros()) && at.to_string() == text;
    Timestamp::parse_rfc3339(text).filter(is_ours)
}

/// Twenty digits, from 1.
fn sequence(text: &str) -> Option<u64> {
    let is_plain = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|sequence| is_plain && *sequence > 0)
}

impl Event {
    /// Whether this event can stand right after the one with that sequence and hash.
    #[must_use]
    pub fn follows(&self, last_sequence: u64, last_hash: &Digest) -> bool {
        last_sequence.checked_add(1) == Some(self.sequence) && self.prevhash == *last_hash
    }
}
