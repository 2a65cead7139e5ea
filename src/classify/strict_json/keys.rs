//! Member names: that none stands twice, and that none looks like one it is not.

use std::borrow::Cow;

use crate::classify::Problem;
use crate::classify::fault::Fault;

/// Up to this many members, each name is compared with those before it; beyond, they are sorted at the end.
const COMPARED_ONE_BY_ONE: usize = 12;

/// Names held at once, over all open objects.
const HELD_MAX: usize = 1 << 16;

/// Which names of one object count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::classify) enum Distinct {
    /// The same text.
    Exactly,
    /// The same text but for the case of letters: some parsers, Go's `encoding/json` among them, take either for
    /// the other. For objects whose members are judged.
    InAnyCase,
}

/// The member names of all open objects, innermost last.
#[derive(Default)]
pub(super) struct Names<'a> {
    held: Vec<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// The place where the names of an object that opens now will start.
    pub(super) fn mark(&self) -> usize {
        self.held.len()
    }

    /// Checks a name against those before it in an object that started at `first`.
    pub(super) fn admit(&self, first: usize, name: &str, distinct: Distinct) -> Result<(), Fault> {
        if self.held.len() >= HELD_MAX {
            return Err(Fault::new(Problem::TooLarge, "too many members in one object"));
        }
        let before = self.held.get(first..).unwrap_or_default();
        if before.len() > COMPARED_ONE_BY_ONE {
            return Ok(());
        }
        match before.iter().any(|other| distinct.same(other, name)) {
            true => Err(twice(distinct)),
            false => Ok(()),
        }
    }

    /// Holds an admitted name until its object closes.
    pub(super) fn push(&mut self, name: Cow<'a, str>) {
        self.held.push(name);
    }

    /// Closes the object that started at `first`.
    pub(super) fn release(&mut self, first: usize, distinct: Distinct) -> Result<(), Fault> {
        let own = self.held.get_mut(first..).unwrap_or_default();
        let repeated = own.len() > COMPARED_ONE_BY_ONE && distinct.repeated(own);
        self.held.truncate(first);
        if repeated { Err(twice(distinct)) } else { Ok(()) }
    }
}

impl Distinct {
    fn same(self, a: &str, b: &str) -> bool {
        match self {
            Self::Exactly => a == b,
            Self::InAnyCase => a.chars().map(fold).eq(b.chars().map(fold)),
        }
    }

    fn repeated(self, names: &mut [Cow<'_, str>]) -> bool {
        if self == Self::InAnyCase {
            for name in names.iter_mut() {
                *name = Cow::Owned(name.chars().map(fold).collect());
            }
        }
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

fn twice(distinct: Distinct) -> Fault {
    let what = match distinct {
        Distinct::Exactly => "a member stands twice; send it once",
        Distinct::InAnyCase => "a member stands twice, perhaps in another case; send it once",
    };
    Fault::new(Problem::DuplicateKey, what)
}

/// Refuses a name that a lenient parser could take for one of `known`: another case, or other underscores and
/// hyphens, as in `maxTokens` for `max_tokens`.
pub(in crate::classify) fn known_spelling(name: &str, known: &[&'static str]) -> Result<(), Fault> {
    if known.contains(&name) {
        return Ok(());
    }
    match known.iter().find(|right| loosely(right).eq(loosely(name))) {
        Some(right) => Err(Fault::new(
            Problem::DuplicateKey,
            format!("could be taken for `{right}`; write it exactly so"),
        )),
        None => Ok(()),
    }
}

/// A name without case and inner separators. A leading underscore counts: `_meta` is not `meta`.
fn loosely(name: &str) -> impl Iterator<Item = char> {
    let kept = |(index, c): &(usize, char)| *index == 0 || !matches!(c, '_' | '-');
    name.chars().enumerate().filter(kept).map(|(_, c)| fold(c))
}

/// Case folding as lenient parsers do it: one character to one, the Kelvin sign and the long s included.
fn fold(c: char) -> char {
    match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        c if c.is_ascii() => c.to_ascii_lowercase(),
        c => c.to_lowercase().next().unwrap_or(c),
    }
}
