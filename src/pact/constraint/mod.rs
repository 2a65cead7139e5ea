//! Constraints of `where`: exact, typed, and honest about what they cannot tell.

use std::fmt;

use regex::Regex;

use crate::domain::{Decimal, Json};
use crate::pact::pattern::Glob;

/// A field of an action, by the names that lead to it: `args.amount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    text: Box<str>,
    names: Box<[Box<str>]>,
}

/// The constraints on one field; all must hold.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// The field.
    pub field: Field,
    /// What must hold of it.
    pub tests: Vec<Test>,
}

/// One operator with its operand.
#[derive(Clone, Debug)]
pub enum Test {
    /// Equals the constant.
    Eq(Json),
    /// Is one of the constants.
    In(Vec<Json>),
    /// Is none of the constants.
    NotIn(Vec<Json>),
    /// A number, this or more.
    Min(Decimal),
    /// A number, this or less.
    Max(Decimal),
    /// A number, more than this.
    Above(Decimal),
    /// A number, less than this.
    Below(Decimal),
    /// A text, read as a path, that one of the globs matches.
    Glob(Vec<Glob>),
    /// A text that the expression matches from first to last character.
    Regex {
        /// The expression as written.
        text: Box<str>,
        /// Compiled, anchored at both ends.
        regex: Regex,
    },
    /// A text of at most so many characters, or a list of at most so many items.
    LengthMax(u64),
    /// Whether the field is there.
    Present(bool),
    /// A list all of whose items are among the constants.
    SubsetOf(Vec<Json>),
}

/// What a test says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not hold.
    Unmet,
    /// It cannot be told: satisfies no allow clause, counts as met in an ask or deny clause.
    Unknown(Unknown),
}

/// Why a test cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The field is not there.
    Missing,
    /// The field is `null`, which some read as present and some as absent.
    Null,
    /// The value is of a type that the test does not speak of.
    Type {
        /// What it is.
        found: &'static str,
        /// What the test speaks of.
        due: &'static str,
    },
    /// The text has segments that other programs read in another way: `.`, `..`, empty ones, encoded ones.
    Path,
}

impl Outcome {
    fn of(holds: bool) -> Self {
        if holds { Self::Met } else { Self::Unmet }
    }

    /// Both: what is unmet stays so, whatever cannot be told beside it.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unmet, _) | (_, Self::Unmet) => Self::Unmet,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Met, Self::Met) => Self::Met,
        }
    }
}

impl Field {
    /// A field from its written form.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), names: text.split('.').map(Into::into).collect() }
    }

    /// The written form.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that lead to it.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }
}

impl Constraint {
    /// Applies every test to the field's value.
    #[must_use]
    pub fn outcome(&self, fields: &Json) -> Outcome {
        let value = fields.at(self.field.names());
        self.tests.iter().fold(Outcome::Met, |all, test| all.and(test.outcome(value)))
    }
}

impl Test {
    /// Applies the test to a value, or to the absence of one.
    #[must_use]
    pub fn outcome(&self, value: Option<&Json>) -> Outcome {
        let value = match (self, value) {
            (_, Some(Json::Null)) => return Outcome::Unknown(Unknown::Null),
            (Self::Present(due), value) => return Outcome::of(*due == value.is_some()),
            (_, None) => return Outcome::Unknown(Unknown::Missing),
            (_, Some(value)) => value,
        };
        match self {
            Self::Eq(constant) => among(std::slice::from_ref(constant), value),
            Self::In(constants) => among(constants, value),
            Self::NotIn(constants) => match among(constants, value) {
                Outcome::Met => Outcome::Unmet,
                Outcome::Unmet => Outcome::Met,
                unknown => unknown,
            },
            Self::Min(bound) => number(value, |n| n >= bound),
            Self::Max(bound) => number(value, |n| n <= bound),
            Self::Above(bound) => number(value, |n| n > bound),
            Self::Below(bound) => number(value, |n| n < bound),
            Self::Glob(globs) => match value {
                Json::String(path) if !is_regular(path) => Outcome::Unknown(Unknown::Path),
                Json::String(path) => Outcome::of(globs.iter().any(|glob| glob.matches(path))),
                _ => mistyped(value, "string"),
            },
            Self::Regex { regex, .. } => match value {
                Json::String(text) => Outcome::of(regex.is_match(text)),
                _ => mistyped(value, "string"),
            },
            Self::LengthMax(longest) => match value {
                Json::String(text) => Outcome::of(counts_at_most(text.chars().count(), *longest)),
                Json::Array(items) => Outcome::of(counts_at_most(items.len(), *longest)),
                _ => mistyped(value, "string or array"),
            },
            Self::SubsetOf(constants) => match value {
                Json::Array(items) => {
                    items.iter().fold(Outcome::Met, |all, item| all.and(among(constants, item)))
                }
                _ => mistyped(value, "array"),
            },
            Self::Present(_) => Outcome::Met,
        }
    }

    /// The operator's name in a pact.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::Min(_) => "min",
            Self::Max(_) => "max",
            Self::Above(_) => "above",
            Self::Below(_) => "below",
            Self::Glob(_) => "glob",
            Self::Regex { .. } => "regex",
            Self::LengthMax(_) => "length_max",
            Self::Present(_) => "present",
            Self::SubsetOf(_) => "subset_of",
        }
    }
}

fn counts_at_most(count: usize, longest: u64) -> bool {
    u64::try_from(count).is_ok_and(|count| count <= longest)
}

const fn mistyped(value: &Json, due: &'static str) -> Outcome {
    Outcome::Unknown(Unknown::Type { found: value.kind(), due })
}

fn number(value: &Json, holds: impl Fn(&Decimal) -> bool) -> Outcome {
    match value {
        Json::Number(number) => Outcome::of(holds(number)),
        _ => mistyped(value, "number"),
    }
}

/// Whether a value is one of the constants; a value of a type that none of them has cannot be told.
fn among(constants: &[Json], value: &Json) -> Outcome {
    if constants.contains(value) {
        return Outcome::Met;
    }
    match constants.first() {
        Some(first) if constants.iter().all(|constant| constant.kind() != value.kind()) => {
            mistyped(value, first.kind())
        }
        _ => Outcome::Unmet,
    }
}

/// Whether every program reads the path alike: no empty, `.` or `..` segment, no other system's separator, no segment
/// that turns into one of these when decoded.
fn is_regular(path: &str) -> bool {
    let relative = path.strip_prefix('/').unwrap_or(path);
    let odd = |segment: &str| {
        let lower = segment.to_ascii_lowercase();
        matches!(segment, "" | "." | "..")
            || lower.contains("%2e")
            || lower.contains("%2f")
            || lower.contains("%5c")
            || lower.contains("%00")
    };
    !path.contains(['\\', '\0']) && !relative.split('/').any(odd)
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The test as written: `max 100`, `in [EUR, USD]`.
impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.name())?;
        match self {
            Self::Eq(constant) => f.write_str(&constant.canonical()),
            Self::In(constants) | Self::NotIn(constants) | Self::SubsetOf(constants) => {
                f.write_str(&Json::Array(constants.clone()).canonical())
            }
            Self::Min(bound) | Self::Max(bound) | Self::Above(bound) | Self::Below(bound) => bound.fmt(f),
            Self::Glob(globs) => {
                for (i, glob) in globs.iter().enumerate() {
                    write!(f, "{}`{glob}`", if i > 0 { " or " } else { "" })?;
                }
                Ok(())
            }
            Self::Regex { text, .. } => write!(f, "`{text}`"),
            Self::LengthMax(longest) => longest.fmt(f),
            Self::Present(due) => due.fmt(f),
        }
    }
}

/// The rest of a sentence that begins with the field: `is missing`.
impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Null => f.write_str("is null"),
            Self::Type { found, due } => write!(f, "is of type {found} where {due} is due"),
            Self::Path => f.write_str("is a path that programs read in different ways"),
        }
    }
}

#[cfg(test)]
mod tests;
