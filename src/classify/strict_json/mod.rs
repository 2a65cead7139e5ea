//! Reads JSON strictly, in one pass, and keeps only what is asked for.
//!
//! `serde_json` does not do here: it skips a value without looking for repeated members or half surrogates in it,
//! has no exact numbers without a feature that changes every other user of it, and names no place. What this reader
//! accepts, `serde_json` reads to the same value; tests and a fuzz target hold that.
//!
//! Every value is read for its form, also those that nobody asks for: a repeated member, half a surrogate pair or
//! too deep a nesting is refused anywhere in the body, because another parser may go on with it.

mod keys;
mod number;
mod proto;
mod text;
mod tree;

use std::borrow::Cow;

use crate::classify::fault::Fault;
use crate::classify::{Bounds, Problem};

pub(super) use keys::{Distinct, known_spelling};
pub(super) use proto::{check_proto, proto_member, proto_member_mut, proto_name, proto_remove, snake};
pub use tree::read_json;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A position in a JSON text that is known to be UTF-8.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
    values_left: usize,
    /// The member names of all open objects, innermost last.
    names: keys::Names<'a>,
}

impl<'a> Reader<'a> {
    /// Starts at the first value of `body`.
    pub(super) fn new(body: &'a [u8], bounds: &Bounds) -> Result<Self, Fault> {
        let text = simdutf8::basic::from_utf8(body).map_err(|_| not_utf8(body))?;
        if text.starts_with('\u{feff}') {
            return Err(Fault::new(Problem::Syntax, "a byte order mark; send the JSON alone").at(0));
        }
        let mut reader = Self {
            text,
            at: 0,
            depth_left: bounds.depth,
            values_left: bounds.values,
            names: keys::Names::default(),
        };
        reader.blank();
        Ok(reader)
    }

    /// Makes sure that nothing follows the value.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.blank();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault(Problem::Syntax, "something follows the JSON value; send one value")),
        }
    }

    /// The offset of the next byte.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The text from an earlier offset up to the next byte.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A fault at the next byte.
    pub(super) fn fault(&self, problem: Problem, what: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(problem, what).at(self.at)
    }

    /// The kind of the next value.
    pub(super) fn kind(&self) -> Result<Kind, Fault> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.fault(Problem::Syntax, "no JSON value starts here")),
            None => Err(self.fault(Problem::Syntax, "the body ends where a JSON value should stand")),
        }
    }

    /// Reads an object; `each` reads the value of every member and sees its name, unescaped.
    pub(super) fn object(
        &mut self,
        distinct: Distinct,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(b'{', "an object is due here")?;
        let first = self.names.mark();
        let mut more = !self.close(b'}');
        while more {
            self.blank();
            let name_at = self.at;
            let name = self.string()?;
            self.blank();
            self.expect(b':', "a colon is due here")?;
            self.blank();
            // A bare NUL is no JSON: only a name that was unescaped can have one.
            if matches!(&name, Cow::Owned(text) if text.contains('\0')) {
                let what = "a NUL in a member's name, where some parsers stop reading";
                return Err(Fault::new(Problem::Syntax, what).at(name_at));
            }
            self.names.admit(first, &name, distinct).map_err(|f| f.at(name_at).under_member(&name))?;
            each(self, &name).map_err(|fault| fault.under_member(&name))?;
            self.names.push(name);
            more = self.comma_or(b'}')?;
        }
        self.names.release(first, distinct).map_err(|fault| fault.at(self.at))?;
        self.depth_left += 1;
        Ok(())
    }

    /// Reads an array; `each` reads every item and sees its index.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(b'[', "an array is due here")?;
        let mut index = 0;
        let mut more = !self.close(b']');
        while more {
            self.blank();
            each(self, index).map_err(|fault| fault.under_item(index))?;
            index += 1;
            more = self.comma_or(b']')?;
        }
        self.depth_left += 1;
        Ok(())
    }

    /// Reads a string, unescaped.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.expect(b'"', "a string is due here")?;
        let start = self.at;
        let stop = self.run_of_text()?;
        let plain = self.text.get(start..stop).unwrap_or_default();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut unescaped = plain.to_owned();
        while self.peek() == Some(b'\\') {
            let (c, behind) = text::escape(self.text.as_bytes(), self.at)?;
            unescaped.push(c);
            self.at = behind;
            let stop = self.run_of_text()?;
            unescaped.push_str(self.text.get(behind..stop).unwrap_or_default());
        }
        self.at += 1;
        Ok(Cow::Owned(unescaped))
    }

    /// Reads `true` or `false`.
    pub(super) fn bool(&mut self) -> Result<bool, Fault> {
        let value = self.peek() == Some(b't');
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// Passes over one value of any kind, checking its form.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        match self.kind()? {
            Kind::Null => self.literal("null"),
            Kind::Bool => self.bool().map(|_| ()),
            Kind::Number => self.number_text().map(|_| ()),
            Kind::String => self.skip_string(),
            Kind::Array => self.array(|reader, _| reader.skip()),
            Kind::Object => self.object(Distinct::Exactly, |reader, _| reader.skip()),
        }
    }

    fn skip_string(&mut self) -> Result<(), Fault> {
        self.expect(b'"', "a string is due here")?;
        loop {
            self.run_of_text()?;
            let bytes = self.text.as_bytes();
            match (bytes.get(self.at), bytes.get(self.at + 1)) {
                (Some(b'"'), _) => break,
                (_, Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => self.at += 2,
                _ => self.at = text::escape(bytes, self.at)?.1,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Moves to the next quote or backslash, and tells where it stands.
    fn run_of_text(&mut self) -> Result<usize, Fault> {
        self.at = text::stop(self.text.as_bytes(), self.at);
        match self.peek() {
            Some(b'"' | b'\\') => Ok(self.at),
            Some(_) => Err(self.fault(Problem::Syntax, "a control character in a string; escape it")),
            None => Err(self.fault(Problem::Syntax, "the body ends inside a string")),
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.fault(Problem::Syntax, "no JSON value starts here"));
        }
        self.at += word.len();
        Ok(())
    }

    fn open(&mut self, bracket: u8, due: &'static str) -> Result<(), Fault> {
        if self.depth_left == 0 {
            return Err(self.fault(Problem::TooDeep, "too many arrays and objects inside each other"));
        }
        if self.peek() != Some(bracket) {
            let is_value = self.kind().is_ok();
            return Err(self.fault(if is_value { Problem::WrongType } else { Problem::Syntax }, due));
        }
        self.at += 1;
        self.depth_left -= 1;
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> bool {
        self.blank();
        let closes = self.peek() == Some(bracket);
        self.at += usize::from(closes);
        closes
    }

    /// Whether another element follows.
    fn comma_or(&mut self, bracket: u8) -> Result<bool, Fault> {
        if self.close(bracket) {
            return Ok(false);
        }
        self.expect(b',', "a comma or the closing bracket is due here")?;
        Ok(true)
    }

    fn expect(&mut self, byte: u8, due: &'static str) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.fault(Problem::Syntax, due));
        }
        self.at += 1;
        Ok(())
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

fn not_utf8(body: &[u8]) -> Fault {
    let at = std::str::from_utf8(body).err().map_or(0, |error| error.valid_up_to());
    Fault::new(Problem::NotUtf8, "this byte is not UTF-8; send UTF-8 alone").at(at)
}

#[cfg(test)]
mod tests;
