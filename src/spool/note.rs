//! Note: a position in a log, in a small file of its own that is replaced whole.

use crate::evidence::LogId;

/// A position in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) log: LogId,
    pub(super) sequence: u64,
}

/// How far the collector has the log.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
/// Where the log ended when it was closed in order.
pub(super) const CLOSED: &str = "closed";

impl Note {
    /// One line: format, log, sequence, checksum of what stands before it.
    pub(super) fn print(self) -> String {
        let body = format!("pactgate-note-1 {} {}", self.log, self.sequence);
        let sum = crc32fast::hash(body.as_bytes());
        format!("{body} {sum:08x}\n")
    }

    /// Reads that line; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace().skip(1);
        let note = Self { log: LogId::parse(words.next()?)?, sequence: words.next()?.parse().ok()? };
        (note.print() == text).then_some(note)
    }
}
