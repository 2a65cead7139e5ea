//! Server-sent events (WHATWG HTML, section 9.2), split out of chunks that break anywhere, with their exact bytes.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::classify::Problem;
use crate::classify::answer::frames;
use crate::classify::fault::Fault;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// What goes on where the event may: its exact bytes, or, where clients could read those in more than one way, the
    /// same event in the one spelling that all of them read alike.
    pub(super) raw: Bytes,
    /// Its name, where it has one.
    pub(super) name: Option<String>,
    /// Its data lines as one; `None` where it has none, as a comment.
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

/// The part of a stream that is not read yet.
#[derive(Debug)]
pub(super) struct Events {
    framing: Framing,
    bytes_max: usize,
    /// What came and was not given out.
    held: BytesMut,
    /// Where the last line of `held` starts that was looked at, and up to where that line was looked through.
    line: usize,
    scanned: usize,
    /// Whether the stream has begun: a byte order mark is dropped at its very start alone.
    begun: bool,
    closed: bool,
}

impl Events {
    pub(super) fn new(framing: Framing, bytes_max: usize) -> Self {
        Self { framing, bytes_max, held: BytesMut::new(), line: 0, scanned: 0, begun: false, closed: false }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.held.extend_from_slice(chunk);
    }

    /// Ends the stream: what came last counts, also where its line or its blank line is missing, because some
    /// clients read it.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// The next event, once it is whole.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Fault> {
        let event = match self.framing {
            Framing::Lines => self.next_by_lines(),
            Framing::Frames => frames::read(&mut self.held, self.bytes_max)?,
        };
        if event.is_none() && self.held.len() > self.bytes_max {
            let what = format!("one event is larger than {} bytes", self.bytes_max);
            return Err(Fault::new(Problem::TooLarge, what));
        }
        if event.is_none() && self.closed && !self.held.is_empty() {
            if self.framing == Framing::Frames {
                return Err(Fault::new(Problem::Syntax, "the stream ended inside a frame"));
            }
            let rest = self.held.split().freeze();
            return Ok(read(&rest));
        }
        Ok(event)
    }

    fn next_by_lines(&mut self) -> Option<Event> {
        if !self.begun && !self.held.is_empty() {
            let mark = "\u{feff}".as_bytes();
            if mark.starts_with(&self.held) && !self.closed {
                return None;
            }
            if self.held.starts_with(mark) {
                // Clients drop it, so it must not hide the first line from us.
                let _ = self.held.split_to(mark.len());
            }
            self.begun = true;
        }
        while let Some((blank, behind)) = self.next_line() {
            self.scanned = behind;
            self.line = behind;
            if !blank {
                continue;
            }
            let raw = self.held.split_to(behind).freeze();
            (self.line, self.scanned) = (0, 0);
            // Blank lines between events say nothing, however many there are.
            if let Some(event) = read(&raw) {
                return Some(event);
            }
        }
        None
    }

    /// Whether the line at `line` is blank, and where the next one starts; `None` where its end has not come.
    fn next_line(&mut self) -> Option<(bool, usize)> {
        let rest = self.held.get(self.scanned..)?;
        let Some(found) = memchr2(b'\n', b'\r', rest) else {
            self.scanned = self.held.len();
            return None;
        };
        let end = self.scanned + found;
        let is_blank = end == self.line;
        let width = match (self.held.get(end), self.held.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            // A line feed may still come that belongs to it. Nobody ends lines by a carriage return alone who could
            // be kept waiting by this.
            (Some(b'\r'), None) if !self.closed => {
                self.scanned = end;
                return None;
            }
            _ => 1,
        };
        Some((is_blank, end + width))
    }
}

/// Reads the fields of one event; `None` where it is nothing but blank lines.
///
/// Clients differ in what they make of a byte order mark within a stream, of comments, of several data lines, of a
/// missing blank behind a colon, of a carriage return by itself. So bytes go on as they came only where there is nothing
/// to differ about.
fn read(raw: &Bytes) -> Option<Event> {
    let (mut name, mut data, mut others) = (None, None::<Bytes>, Vec::new());
    let (mut lines, mut is_plain, mut ended) = (0_usize, true, false);
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let found = memchr2(b'\n', b'\r', rest);
        let end = found.unwrap_or(rest.len());
        let line = raw.slice(at..at + end);
        let is_pair = rest.get(end) == Some(&b'\r') && rest.get(end + 1) == Some(&b'\n');
        is_plain &= found.is_some() && (is_pair || rest.get(end) == Some(&b'\n'));
        at += end + if is_pair { 2 } else { 1 };
        if line.is_empty() {
            ended = true;
            continue;
        }
        lines += 1;
        let (field, value) = split(&line);
        let is_spaced = line.get(field.len()..field.len() + 2) == Some(b": ");
        match field.as_ref() {
            b"data" => {
                is_plain &= is_spaced && data.is_none();
                data = Some(match data {
                    None => value,
                    // Between lines of JSON there is no difference between a line feed and a blank.
                    Some(before) => [&before, &b" "[..], &value].concat().into(),
                });
            }
            b"event" => {
                is_plain &= is_spaced && name.is_none() && is_word(&value);
                name = Some(String::from_utf8_lossy(&value).into_owned());
            }
            b"id" | b"retry" if is_word(&value) => others.push(line),
            _ => is_plain = false,
        }
    }
    if lines == 0 {
        return None;
    }
    let raw = match is_plain && ended {
        true => raw.clone(),
        false => spelled(name.as_deref(), data.as_deref(), &others),
    };
    Some(Event { raw, name, data })
}

/// Whether all readers of lines take a value for one.
fn is_word(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
}

/// An event in the spelling that every client reads alike. What is no field of it does not go on.
fn spelled(name: Option<&str>, data: Option<&[u8]>, others: &[Bytes]) -> Bytes {
    let mut text = Vec::new();
    if let Some(name) = name.filter(|name| is_word(name.as_bytes())) {
        text.extend_from_slice(format!("event: {name}\n").as_bytes());
    }
    for line in others {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    if let Some(data) = data {
        text.extend_from_slice(b"data: ");
        text.extend_from_slice(data);
        text.push(b'\n');
    }
    if text.is_empty() {
        // A comment keeps the connection open; what it says is nobody's.
        text.extend_from_slice(b":\n");
    }
    text.push(b'\n');
    text.into()
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
        let mut out = Vec::new();
        for chunk in chunks {
            events.push(chunk);
            while let Some(event) = events.next().unwrap() {
                out.push(event);
            }
        }
        events.close();
        while let Some(event) = events.next().unwrap() {
            out.push(event);
        }
        out
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
        assert_eq!(said("event: x\ndata: 1\ndata: 2\nid: 7\n\n"), [one(Some("x"), "1 2")]);
        assert_eq!(said(": comment\n\ndata\n\nDATA: x\n\n data: y\n\n"), [one(None, "")]);
        assert_eq!(said("\u{feff}data: hidden\n\n"), [one(None, "hidden")]);
        assert_eq!(said("data: unfinished"), [one(None, "unfinished")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::new(Framing::Lines, 1 << 10);
        events.push(&[b'x'; 600]);
        assert_eq!(events.next().unwrap(), None);
        events.push(&[b'x'; 600]);
        assert_eq!(events.next().unwrap_err().problem(), Problem::TooLarge);
    }

    /// What some client reads in another way than others does not go on as it came.
    #[test]
    fn what_goes_on_is_read_alike_by_all() {
        let passed = |text: &str| -> String {
            let raw = |event: Event| String::from_utf8(event.raw.to_vec()).unwrap();
            events(&[text.as_bytes()]).into_iter().map(raw).collect()
        };
        for plain in
            ["data: a\n\n", "event: x\r\ndata: a\r\n\r\n", "id: 7\nretry: 10\nevent: x\ndata: {}\n\n"]
        {
            assert_eq!(passed(plain), plain);
        }
        for (crooked, told) in [
            ("data: a\n\n\u{feff}data: hidden\n\n", "data: a\n\n:\n\n"),
            ("\u{feff}\u{feff}data: hidden\n\n", ":\n\n"),
            ("ï»¿data: hidden\n\n", ":\n\n"),
            ("data: {\"x\":[\ndata: {}\ndata: ]}\n\n", "data: {\"x\":[ {} ]}\n\n"),
            (": {\u{2028}data: hidden\n\n", ":\n\n"),
            ("data:a\n\n", "data: a\n\n"),
            ("data: a\rdata: b\r\r", "data: a b\n\n"),
            ("event: x\u{85}y\ndata: a\n\n", "data: a\n\n"),
            ("hidden: 1\ndata: a\n\n", "data: a\n\n"),
            ("data: a", "data: a\n\n"),
            ("\n\n\r\r\n", ""),
        ] {
            assert_eq!(passed(crooked), told, "{crooked:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_read_twice_and_chunks_do_not_matter(
            text in "([\r\n]|data: ?|event: ?|[a-c]{1,3}|é|: ){0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = text.as_bytes();
            let whole = events(&[bytes]);
            for event in &whole {
                // What goes on says the same, and is in a spelling that goes on as it is.
                let again = events(&[&event.raw]);
                let named = event.name.clone().filter(|name| is_word(name.as_bytes()));
                prop_assert_eq!(again.len(), 1);
                prop_assert_eq!((&again[0].name, &again[0].data), (&named, &event.data));
                prop_assert!(again[0].raw == event.raw || event.data.is_none());
            }
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
