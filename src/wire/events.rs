//! Records on their way up: batches of CloudEvents, kept byte for byte.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::Digest;
use crate::wire::text::word;
use crate::wire::{BATCH_BYTES_MAX, EVENT_BYTES_MAX, EVENTS_MAX, WireError};

/// Answer of `POST /v1/events` and `GET /v1/events/position`: how far the collector holds a source's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The records' `source`: `pactgate://sidecar/<sidecar>/<log>`.
    pub source: String,
    /// Sequence of the last record held; 0 when there is none.
    pub accepted_through: u64,
    /// SHA-256 of that record's exact bytes; all zeros when there is none.
    #[serde(with = "word")]
    pub head: Digest,
}

/// Splits a batch into the exact bytes of its events.
///
/// # Errors
/// When the batch is too long, is not a JSON array, or an event is too long.
pub fn split_events(batch: &[u8]) -> Result<Vec<&[u8]>, WireError> {
    if batch.len() > BATCH_BYTES_MAX {
        return Err(WireError::new(format!("a batch has at most {BATCH_BYTES_MAX} bytes")));
    }
    let events: Vec<&RawValue> = crate::wire::read(batch)?;
    if events.len() > EVENTS_MAX {
        return Err(WireError::new(format!("a batch has at most {EVENTS_MAX} events")));
    }
    if events.iter().any(|event| event.get().len() > EVENT_BYTES_MAX) {
        return Err(WireError::new(format!("an event has at most {EVENT_BYTES_MAX} bytes")));
    }
    Ok(events.into_iter().map(|event| event.get().as_bytes()).collect())
}

/// Makes a batch of sealed events, each byte for byte as it is.
#[must_use]
pub fn join_events<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut batch = vec![b'['];
    for (i, event) in events.into_iter().enumerate() {
        if i > 0 {
            batch.push(b',');
        }
        batch.extend_from_slice(event);
    }
    batch.push(b']');
    batch
}
