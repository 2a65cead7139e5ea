//! Server-sent events (WHATWG HTML, section 9.2), split out of chunks that break anywhere.

use memchr::memchr2;

/// Bytes of one event, and of one line. Usage stands in short ones; a longer one passes unread.
const EVENT_BYTES_MAX: usize = 256 << 10;

/// The part of a stream that is not a whole event yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// A line that has not ended.
    line: Bounded,
    /// The data of an event that has not ended.
    data: Bounded,
    has_data: bool,
    /// A carriage return ended the last line; a line feed right behind it belongs to it.
    after_return: bool,
}

impl Events {
    /// Reads on; `each` sees the data of every event that ends in this chunk.
    pub(super) fn push(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = chunk;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.line.push(rest);
                return;
            };
            let (piece, behind) = rest.split_at(end);
            self.after_return = behind.first() == Some(&b'\r');
            rest = behind.get(1..).unwrap_or_default();
            if self.line.is_empty() && piece.len() <= EVENT_BYTES_MAX {
                self.end_line(piece, &mut each);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.push(piece);
                match line.text() {
                    Some(text) => self.end_line(text, &mut each),
                    None => self.data.overflow(),
                }
                self.line = line.cleared();
            }
        }
    }

    /// Ends the stream: what came last counts, also where its line or its blank line is missing.
    pub(super) fn end(&mut self, mut each: impl FnMut(&[u8])) {
        self.after_return = false;
        self.push(b"\n\n", &mut each);
    }

    fn end_line(&mut self, line: &[u8], each: &mut impl FnMut(&[u8])) {
        if line.is_empty() {
            if let (true, Some(data)) = (self.has_data, self.data.text()) {
                each(data);
            }
            self.data = std::mem::take(&mut self.data).cleared();
            self.has_data = false;
        } else if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b"\n");
            }
            self.data.push(value.strip_prefix(b" ").unwrap_or(value));
        }
    }
}

/// Bytes up to a bound; beyond it, none.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    overflown: bool,
}

impl Bounded {
    fn push(&mut self, more: &[u8]) {
        if self.overflown || self.bytes.len() + more.len() > EVENT_BYTES_MAX {
            self.overflow();
        } else {
            self.bytes.extend_from_slice(more);
        }
    }

    fn overflow(&mut self) {
        self.overflown = true;
        self.bytes = Vec::new();
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.overflown
    }

    fn text(&self) -> Option<&[u8]> {
        (!self.overflown).then_some(self.bytes.as_slice())
    }

    /// Empty again, its memory kept.
    fn cleared(mut self) -> Self {
        self.bytes.clear();
        self.overflown = false;
        self
    }
}
