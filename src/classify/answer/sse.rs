//! Server-sent events (WHATWG HTML, section 9.2), split out of chunks that break anywhere, with their exact bytes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::classify::Problem;
use crate::classify::answer::frames;
use crate::classify::fault::Fault;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its exact bytes, the blank line behind it included.
    pub(super) raw: Bytes,
    /// Its name, where it has one.
    pub(super) name: Option<String>,
    /// Its data lines, joined by line feeds; `None` where it has none, as a comment.
    pub(super) data: Option<Bytes>,
}

/// How events stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `text/event-stream`.
    Lines,
    /// `application/vnd.amazon.eventstream`.
    Frames,
}

/// The part of a stream that is not a whole event yet.
#[derive(Debug)]
pub(super) struct Events {
    framing: Framing,
    bytes_max: usize,
    /// What came and belongs to no whole event.
    held: BytesMut,
    /// Up to here `held` has been looked through: the start of its last line.
    line: usize,
    /// Whether the stream has begun: a byte order mark is dropped at its very start alone.
    begun: bool,
}

impl Events {
    pub(super) fn new(framing: Framing, bytes_max: usize) -> Self {
        Self { framing, bytes_max, held: BytesMut::new(), line: 0, begun: false }
    }

    /// Reads on; every event that ends in this chunk goes into `out`.
    pub(super) fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Event>) -> Result<(), Fault> {
        self.held.extend_from_slice(&chunk);
        match self.framing {
            Framing::Lines => self.lines(out),
            Framing::Frames => {
                while let Some(event) = frames::read(&mut self.held, self.bytes_max)? {
                    out.push_back(event);
                }
            }
        }
        if self.held.len() > self.bytes_max {
            let what = format!("one event is larger than {} bytes", self.bytes_max);
            return Err(Fault::new(Problem::TooLarge, what));
        }
        Ok(())
    }

    /// Ends the stream: what came last counts, also where its line or its blank line is missing, because some
    /// clients read it.
    pub(super) fn close(&mut self, out: &mut VecDeque<Event>) -> Result<(), Fault> {
        if self.held.is_empty() {
            return Ok(());
        }
        if self.framing == Framing::Frames {
            return Err(Fault::new(Problem::Syntax, "the stream ended inside a frame"));
        }
        let raw = self.held.split().freeze();
        self.line = 0;
        out.push_back(read(raw));
        Ok(())
    }

    fn lines(&mut self, out: &mut VecDeque<Event>) {
        if !self.begun && !self.held.is_empty() {
            let mark = "\u{feff}".as_bytes();
            if mark.starts_with(&self.held) {
                return;
            }
            if self.held.starts_with(mark) {
                // Clients drop it, so it must not hide the first line from us.
                let _ = self.held.split_to(mark.len());
            }
            self.begun = true;
        }
        while let Some((blank, behind)) = self.next_line() {
            if !blank {
                self.line = behind;
                continue;
            }
            let raw = self.held.split_to(behind).freeze();
            self.line = 0;
            out.push_back(read(raw));
        }
    }

    /// Whether the line at `line` is blank, and where the next one starts; `None` where its end has not come.
    fn next_line(&self) -> Option<(bool, usize)> {
        let rest = self.held.get(self.line..)?;
        let end = memchr2(b'\n', b'\r', rest)?;
        let width = match (rest.get(end), rest.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            // A line feed may still come that belongs to it. Behind a blank line it does not matter: it is read as
            // one more blank line.
            (Some(b'\r'), None) if end > 0 => return None,
            _ => 1,
        };
        Some((end == 0, self.line + end + width))
    }
}

/// Reads the fields of one event.
fn read(raw: Bytes) -> Event {
    let mut name = None;
    let mut data: Option<Bytes> = None;
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = raw.slice(at..at + end);
        let is_pair = rest.get(end) == Some(&b'\r') && rest.get(end + 1) == Some(&b'\n');
        at += end + if is_pair { 2 } else { 1 };
        let (field, value) = split(&line);
        match field.as_ref() {
            b"data" => {
                data = Some(match data {
                    None => value,
                    Some(before) => [&before, &b"\n"[..], &value].concat().into(),
                });
            }
            b"event" => name = Some(String::from_utf8_lossy(&value).into_owned()),
            _ => {}
        }
    }
    Event { raw, name, data }
}

/// Field and value of a line; without a colon the whole line is the field.
fn split(line: &Bytes) -> (Bytes, Bytes) {
    let Some(colon) = memchr::memchr(b':', line) else { return (line.clone(), Bytes::new()) };
    let value = line.slice(colon + 1..);
    let value = if value.first() == Some(&b' ') { value.slice(1..) } else { value };
    (line.slice(..colon), value)
}

/// Writes one event.
pub(super) fn write(name: Option<&str>, data: &str) -> Bytes {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n").into(),
        None => format!("data: {data}\n\n").into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<Event> {
        let mut events = Events::new(Framing::Lines, 1 << 16);
        let mut out = VecDeque::new();
        for chunk in chunks {
            events.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
        }
        events.close(&mut out).unwrap();
        out.into()
    }

    fn said(text: &str) -> Vec<(Option<String>, String)> {
        let with_data = |event: Event| Some((event.name, String::from_utf8(event.data?.to_vec()).unwrap()));
        events(&[text.as_bytes()]).into_iter().filter_map(with_data).collect()
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let one = |name: Option<&str>, data: &str| (name.map(str::to_owned), data.to_owned());
        assert_eq!(
            said("data: a\n\ndata:b\r\n\r\ndata:  c\r\r"),
            [one(None, "a"), one(None, "b"), one(None, " c")]
        );
        assert_eq!(said("event: x\ndata: 1\ndata: 2\nid: 7\n\n"), [one(Some("x"), "1\n2")]);
        assert_eq!(said(": comment\n\ndata\n\nDATA: x\n\n data: y\n\n"), [one(None, "")]);
        assert_eq!(said("\u{feff}data: hidden\n\n"), [one(None, "hidden")]);
        assert_eq!(said("data: unfinished"), [one(None, "unfinished")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::new(Framing::Lines, 1 << 10);
        let mut out = VecDeque::new();
        let chunk = Bytes::from(vec![b'x'; 600]);
        events.push(chunk.clone(), &mut out).unwrap();
        assert_eq!(events.push(chunk, &mut out).unwrap_err().problem(), Problem::TooLarge);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_chunks_do_not_matter(
            text in "([\r\n]|data: ?|event: ?|[a-c]{1,3}|é|: ){0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = text.as_bytes();
            let whole = events(&[bytes]);
            let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
            prop_assert_eq!(&raw, bytes);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let with_data = |events: Vec<Event>| -> Vec<_> {
                events.into_iter().filter_map(|event| Some((event.name, event.data?))).collect()
            };
            prop_assert_eq!(with_data(events(&pieces)), with_data(whole));
        }
    }
}
