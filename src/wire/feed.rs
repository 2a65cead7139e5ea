//! The trust feed's framing: server-sent events (WHATWG HTML, section 9.2), written and read in pieces.

use crate::wire::{FEED_LINE_BYTES_MAX, Signed, Topic, WireError};

/// One event of the feed: a topic and the statement, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEvent {
    /// What it is about.
    pub topic: Topic,
    /// The statement as received.
    pub signed: Signed,
}

/// Writes one event.
#[must_use]
pub fn write_event(topic: Topic, signed: &Signed) -> Vec<u8> {
    let mut out = format!("event: {}\ndata: ", topic.name()).into_bytes();
    out.extend_from_slice(&crate::wire::write(signed));
    out.extend_from_slice(b"\n\n");
    out
}

/// Writes a line that readers skip.
#[must_use]
pub fn write_comment(text: &str) -> Vec<u8> {
    format!(": {text}\n\n").into_bytes()
}

/// Reads a feed as its bytes arrive. Events of unknown topics are skipped: a newer collector may have more.
#[derive(Debug, Default)]
pub struct FeedReader {
    line: Vec<u8>,
    event: Option<String>,
    data: Option<Vec<u8>>,
}

impl FeedReader {
    /// A reader at the start of a feed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and returns the events they complete.
    ///
    /// # Errors
    /// When a line is longer than the bound or a statement is not JSON: the connection is then to be closed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<FeedEvent>, WireError> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(end);
            self.extend(head)?;
            rest = tail.get(1..).unwrap_or_default();
            let line = std::mem::take(&mut self.line);
            if let Some(event) = self.line(line.strip_suffix(b"\r").unwrap_or(&line))? {
                events.push(event);
            }
        }
        self.extend(rest)?;
        Ok(events)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if self.line.len() + bytes.len() > FEED_LINE_BYTES_MAX {
            return Err(WireError::new(format!(
                "a line of the feed has at most {FEED_LINE_BYTES_MAX} bytes"
            )));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<FeedEvent>, WireError> {
        if line.is_empty() {
            return self.dispatch();
        }
        if let Some(name) = field(line, b"event:") {
            self.event = Some(String::from_utf8_lossy(name).into_owned());
        } else if let Some(data) = field(line, b"data:") {
            if self.data.is_some() {
                return Err(WireError::new("an event of the feed has one line of data"));
            }
            self.data = Some(data.to_vec());
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Result<Option<FeedEvent>, WireError> {
        let (event, data) = (self.event.take(), self.data.take());
        let (Some(event), Some(data)) = (event, data) else { return Ok(None) };
        let Some(topic) = [Topic::Trust, Topic::Approval].into_iter().find(|topic| topic.name() == event)
        else {
            return Ok(None);
        };
        Ok(Some(FeedEvent { topic, signed: crate::wire::read(&data)? }))
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}
