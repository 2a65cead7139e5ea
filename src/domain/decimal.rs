//! Decimal: a JSON number, kept and compared exactly.

use std::cmp::Ordering;
use std::fmt;

/// A number as written in JSON (RFC 8259, section 6), of any size, compared by value without rounding:
/// `100`, `100.0` and `1e2` are equal, and `100.00000000000000001` is more.
#[derive(Clone, Debug)]
pub struct Decimal {
    negative: bool,
    /// Significant digits without leading or trailing zeros; empty for zero.
    digits: Box<str>,
    /// The value is `0.digits × 10^exponent`.
    exponent: i64,
}

impl Decimal {
    /// Reads a JSON number; `None` for anything else, and for an exponent of more than nine digits, which no
    /// honest caller needs.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let exponent = exponent + i64::try_from(whole.len()).ok()? - leading;
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { negative: false, digits: "".into(), exponent: 0 });
        }
        Some(Self { negative, digits: digits.into(), exponent })
    }

    /// The whole number, where this is one and it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let zeros = usize::try_from(self.exponent).ok()?.checked_sub(self.digits.len())?;
        if zeros > 19 {
            return None;
        }
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", self.digits, "0".repeat(zeros)).parse().ok()
    }

    /// The nearest double: for expressions that only know doubles, never for a limit.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i64 = digits.parse().ok()?;
    Some(if negative { -value } else { value })
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        let all = value.unsigned_abs().to_string();
        let exponent = i64::try_from(all.len()).unwrap_or(0);
        match all.trim_end_matches('0') {
            "" => Self { negative: false, digits: "".into(), exponent: 0 },
            digits => Self { negative: value < 0, digits: digits.into(), exponent },
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

/// One spelling for each value: plain digits while they are few, scientific otherwise.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let count = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        match self.exponent {
            e if (count..=21).contains(&e) => {
                write!(f, "{}{}", self.digits, "0".repeat(usize::try_from(e - count).unwrap_or(0)))
            }
            e if e > 0 && e < count => {
                let (whole, fraction) =
                    self.digits.split_at_checked(usize::try_from(e).unwrap_or(0)).unwrap_or(("0", ""));
                write!(f, "{whole}.{fraction}")
            }
            e if (-6..=0).contains(&e) => {
                write!(f, "0.{}{}", "0".repeat(usize::try_from(-e).unwrap_or(0)), self.digits)
            }
            e => {
                let (first, rest) = self.digits.split_at_checked(1).unwrap_or(("0", ""));
                let point = if rest.is_empty() { "" } else { "." };
                write!(f, "{first}{point}{rest}e{}", e - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for spelling in ["100", "100.0", "1e2", "1E+2", "0.1e3", "1000e-1", "100.000000000000000000000000"] {
            assert_eq!(number(spelling), number("100"), "{spelling}");
            assert_eq!(number(spelling).to_string(), "100");
            assert_eq!(number(spelling).as_i64(), Some(100));
        }
        assert_eq!(number("-0"), number("0.000e9"));
    }

    #[test]
    fn nothing_is_rounded() {
        assert!(number("100.00000000000000000000001") > number("100"));
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(number("-2") < number("-1.9999999999999999999999"));
        assert!(number("1e999999999") > number("9e999999998"));
        assert_eq!(number("100.5").as_i64(), None);
        assert_eq!(number("9223372036854775808").as_i64(), None);
    }

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            ".5",
            "5.",
            "1e",
            "1e+",
            "0x10",
            "NaN",
            "Infinity",
            "1_000",
            " 1",
            "1e9999999999",
            "1.2.3",
        ] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn order_agrees_with_integers(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(Decimal::from(a).cmp(&Decimal::from(b)), a.cmp(&b));
            prop_assert_eq!(number(&a.to_string()), Decimal::from(a));
            prop_assert_eq!(Decimal::from(a).as_i64(), Some(a));
        }

        #[test]
        fn printing_keeps_the_value(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?") {
            let read = number(&text);
            prop_assert_eq!(number(&read.to_string()), read);
        }

        #[test]
        fn any_text_is_safe(text in ".{0,40}") {
            let _ = Decimal::parse(&text);
        }
    }
}
