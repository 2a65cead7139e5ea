//! Traceparent: the W3C trace context of a call, checked on entry.

use std::fmt;

/// A `traceparent` of version 00 (W3C Trace Context, section 3.2): fifty-five characters, ids not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent([u8; 55]);

impl Traceparent {
    /// Reads the header's value; `None` when it is not one, since a record holds no text of a caller's making.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 55] = text.as_bytes().try_into().ok()?;
        let mut parts = text.split('-');
        let lengths = [("version", 2), ("trace", 32), ("parent", 16), ("flags", 2)];
        for (part, length) in lengths {
            let value = parts.next()?;
            let is_hex = value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
            let is_zero = value.bytes().all(|b| b == b'0');
            let fits = match part {
                "version" => value == "00",
                "flags" => is_hex,
                _ => is_hex && !is_zero,
            };
            if value.len() != length || !fits {
                return None;
            }
        }
        parts.next().is_none().then_some(Self(bytes))
    }

    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
