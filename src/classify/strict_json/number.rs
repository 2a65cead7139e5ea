//! JSON numbers: their grammar, and which of them every reader takes for the same value.

use crate::classify::Problem;
use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::domain::Decimal;

/// Any number of up to this many bytes, without an exponent, survives the way through a double.
const PLAIN_BYTES: usize = 15;

impl<'a> Reader<'a> {
    /// Reads a number of any size for its form (RFC 8259, section 6).
    pub(super) fn number_text(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.pass(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.pass(b'.') {
            self.digits()?;
        }
        if self.pass(b'e') || self.pass(b'E') {
            let _ = self.pass(b'+') || self.pass(b'-');
            self.digits()?;
        }
        Ok(self.since(start))
    }

    /// Reads a number that is judged. One that a double cannot hold is refused (RFC 7493, section 2.2): the judge
    /// would compare another value than a program that reads doubles acts on.
    pub(super) fn number(&mut self) -> Result<Decimal, Fault> {
        let start = self.at;
        let text = self.number_text()?;
        let doubtful = || {
            Fault::new(
                Problem::Number,
                "programs that read doubles would round this number; send it as a string",
            )
            .at(start)
        };
        let value = Decimal::parse(text).ok_or_else(doubtful)?;
        let is_plain = text.len() <= PLAIN_BYTES && !text.contains(['e', 'E']);
        if !is_plain && !survives_a_double(text, &value) {
            return Err(doubtful());
        }
        Ok(value)
    }

    /// Reads a number that is passed on and not judged, exact.
    pub(super) fn number_passed_on(&mut self) -> Result<Decimal, Fault> {
        let start = self.at;
        let text = self.number_text()?;
        let what = "a number too large to be written again";
        Decimal::parse(text).ok_or_else(|| Fault::new(Problem::Number, what).at(start))
    }

    fn pass(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fault(Problem::Syntax, "a digit is due here"));
        }
        Ok(())
    }
}

fn survives_a_double(text: &str, value: &Decimal) -> bool {
    let Ok(double) = text.parse::<f64>() else { return false };
    double.is_finite() && Decimal::parse(&format!("{double:e}")).as_ref() == Some(value)
}
