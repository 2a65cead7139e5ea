//! The exact bytes: JSON in the canonical form of RFC 8785, written straight into one buffer.

use crate::domain::{Digest, Timestamp};

/// The largest integer that every JSON reader keeps exact (RFC 7493, section 2.2).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Near the end of the year 9999, the last that RFC 3339 can write; a day is left for the time zones.
pub(super) const MICROS_MAX: i64 = 253_402_207_199_999_999;

/// A JSON object being written. The caller names members in ascending order, as RFC 8785, section 3.2.3 asks;
/// all our names are ASCII, where that is byte order.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Closes it.
    pub(super) fn close(self) {
        self.out.push(b'}');
    }

    /// Begins a member and returns the buffer for its value.
    pub(super) fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string.
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        string(self.member(name), value);
    }

    /// A string, where there is one.
    pub(super) fn text_if(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An integer; what no JSON reader keeps exact is written as the largest that it does.
    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        integer(self.member(name), value.min(INTEGER_MAX));
    }

    /// An integer, where there is one.
    pub(super) fn number_if(&mut self, name: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    /// A truth value.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A digest as hexadecimal.
    pub(super) fn digest(&mut self, name: &'static str, value: &Digest) {
        let out = self.member(name);
        let mut digits = [0; 64];
        // The buffer has exactly the room that thirty-two bytes need.
        if hex::encode_to_slice(value.as_bytes(), &mut digits).is_ok() {
            out.push(b'"');
            out.extend_from_slice(&digits);
            out.push(b'"');
        }
    }

    /// A list of strings.
    pub(super) fn list<'t>(&mut self, name: &'static str, items: impl Iterator<Item = &'t str>) {
        let out = self.member(name);
        out.push(b'[');
        for (i, item) in items.enumerate() {
            if i > 0 {
                out.push(b',');
            }
            string(out, item);
        }
        out.push(b']');
    }

    /// An object.
    pub(super) fn object(&mut self, name: &'static str) -> Object<'_> {
        Object::open(self.member(name))
    }
}

/// Writes a string with the escapes of RFC 8785, section 3.2.2.2, and no others.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\') {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((special, after)) = from.split_first() else { break };
        escape(out, *special);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let digits = b"0123456789abcdef";
            let low = digits.get(usize::from(byte & 0x0f)).copied().unwrap_or(b'0');
            out.extend_from_slice(b"\\u00");
            out.push(if byte < 0x10 { b'0' } else { b'1' });
            return out.push(low);
        }
    };
    out.push(b'\\');
    out.push(short);
}

/// Writes an integer in decimal.
fn integer(out: &mut Vec<u8>, value: u64) {
    let from = out.len();
    let mut rest = value;
    loop {
        out.push(b'0' + u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(from..) {
        digits.reverse();
    }
}

/// Writes a sequence number: twenty digits, so that text order is number order.
pub(super) fn sequence(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; 22];
    let mut rest = value;
    for digit in digits.iter_mut().skip(1).take(20).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    let [first, .., last] = &mut digits;
    *first = b'"';
    *last = b'"';
    out.extend_from_slice(&digits);
}

/// Writes moments. Remembers the last second it wrote, since records of one batch mostly share it.
#[derive(Debug)]
pub(super) struct Moments {
    second: i64,
    text: String,
}

impl Moments {
    pub(super) fn new() -> Self {
        Self { second: i64::MIN, text: String::new() }
    }

    /// Writes a moment as RFC 3339 in UTC with microseconds.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, at: Timestamp) {
        let micros = at.as_micros().clamp(0, MICROS_MAX);
        let at = Timestamp::from_micros(micros);
        if at.as_seconds() != self.second {
            self.second = at.as_seconds();
            // Nineteen characters: the date-time up to its seconds.
            self.text = at.to_string().chars().take(19).collect();
        }
        out.push(b'"');
        out.extend_from_slice(self.text.as_bytes());
        let fraction = out.len();
        // A leading one keeps the zeros; the point takes its place.
        integer(out, 1_000_000 + u64::try_from(micros % 1_000_000).unwrap_or(0));
        if let Some(point) = out.get_mut(fraction) {
            *point = b'.';
        }
        out.extend_from_slice(b"Z\"");
    }
}
