//! Finds the clauses that may speak of a name, without looking at all the others.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::pact::pattern::Glob;

/// Patterns by what is literal in them. Looking up costs the logarithm of their number, and the patterns that share a
/// literal beginning (or ending) with the name.
#[derive(Clone, Debug)]
pub struct Index<P> {
    exact: HashMap<Box<str>, Vec<u32>>,
    heads: Affixes<P>,
    tails: Affixes<P>,
    /// Patterns that begin and end with a star.
    rest: Vec<(P, u32)>,
}

/// What is literal in a pattern, and where.
#[derive(Clone, Debug)]
pub enum Literal {
    /// All of it.
    Whole(String),
    /// The text before its first star.
    Head(String),
    /// The text after its last star.
    Tail(String),
    /// Nothing at either end.
    None,
}

/// A name to look up: the text that heads are compared with, in two parts, and the one that tails are.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The text, or its first part.
    pub head: &'a str,
    /// What follows the first part.
    pub more: &'a str,
    /// The text whose ending is compared.
    pub tail: &'a str,
}

impl<'a> Name<'a> {
    /// A name that is one text.
    #[must_use]
    pub const fn of(text: &'a str) -> Self {
        Self { head: text, more: "", tail: text }
    }
}

impl<P> Default for Index<P> {
    fn default() -> Self {
        Self { exact: HashMap::new(), heads: Affixes(vec![]), tails: Affixes(vec![]), rest: vec![] }
    }
}

impl<P> Index<P> {
    /// Builds an index of patterns, each with what is literal in it and the number it stands for.
    pub fn build(patterns: impl IntoIterator<Item = (Literal, P, u32)>) -> Self {
        let mut index = Self::default();
        let (mut heads, mut tails) = (Vec::new(), Vec::new());
        for (literal, pattern, number) in patterns {
            match literal {
                Literal::Whole(text) => index.exact.entry(text.into()).or_default().push(number),
                Literal::Head(text) => heads.push((text.into_bytes(), pattern, number)),
                Literal::Tail(text) => tails.push((text.bytes().rev().collect(), pattern, number)),
                Literal::None => index.rest.push((pattern, number)),
            }
        }
        index.heads = Affixes::build(heads);
        index.tails = Affixes::build(tails);
        index
    }

    /// Calls `found` with the number of every pattern that matches; `matches` decides for those that may.
    pub fn look_up(&self, name: Name<'_>, matches: impl Fn(&P) -> bool, mut found: impl FnMut(u32)) {
        if name.more.is_empty() {
            self.exact.get(name.head).into_iter().flatten().for_each(|number| found(*number));
        }
        let mut visit = |(pattern, number): &(P, u32)| {
            if matches(pattern) {
                found(*number);
            }
        };
        self.heads.visit(Spelling::Forward(name.head.as_bytes(), name.more.as_bytes()), &mut visit);
        self.tails.visit(Spelling::Backward(name.tail.as_bytes()), &mut visit);
        self.rest.iter().for_each(visit);
    }
}

impl Index<Glob> {
    /// Calls `found` with the number of every glob that matches.
    pub fn look_up_name(&self, name: &str, found: impl FnMut(u32)) {
        self.look_up(Name::of(name), |glob| glob.matches(name), found);
    }
}

impl Literal {
    /// What is literal in a glob.
    #[must_use]
    pub fn of(glob: &Glob) -> Self {
        let (head, tail) = (glob.prefix(), glob.suffix());
        match glob.is_exact() {
            true => Self::Whole(glob.text().to_owned()),
            false if head.is_empty() && tail.is_empty() => Self::None,
            false if head.len() >= tail.len() => Self::Head(head.to_owned()),
            false => Self::Tail(tail.to_owned()),
        }
    }
}

/// Sorted literal beginnings. All that begin a given name form one chain of parents, which ends at the last entry not
/// after the name, or at one of its parents.
#[derive(Clone, Debug)]
struct Affixes<P>(Vec<Affix<P>>);

#[derive(Clone, Debug)]
struct Affix<P> {
    text: Vec<u8>,
    parent: Option<usize>,
    patterns: Vec<(P, u32)>,
}

#[derive(Clone, Copy)]
enum Spelling<'a> {
    Forward(&'a [u8], &'a [u8]),
    Backward(&'a [u8]),
}

impl Spelling<'_> {
    /// How `text` orders against the name.
    fn order(self, text: &[u8]) -> Ordering {
        match self {
            Self::Backward(name) => text.iter().cmp(name.iter().rev()),
            Self::Forward(head, more) => match text.split_at_checked(head.len()) {
                None => text.cmp(head),
                Some((first, rest)) => first.cmp(head).then_with(|| rest.cmp(more)),
            },
        }
    }

    fn starts_with(self, text: &[u8]) -> bool {
        match self {
            Self::Backward(name) => {
                name.len() >= text.len() && text.iter().eq(name.iter().rev().take(text.len()))
            }
            Self::Forward(head, more) => match text.split_at_checked(head.len()) {
                None => head.starts_with(text),
                Some((first, rest)) => first == head && more.starts_with(rest),
            },
        }
    }
}

impl<P> Affixes<P> {
    fn build(mut patterns: Vec<(Vec<u8>, P, u32)>) -> Self {
        patterns.sort_by(|a, b| a.0.cmp(&b.0));
        let mut sorted: Vec<Affix<P>> = Vec::new();
        for (text, pattern, number) in patterns {
            match sorted.last_mut() {
                Some(last) if last.text == text => last.patterns.push((pattern, number)),
                _ => {
                    let mut parent = sorted.len().checked_sub(1);
                    while let Some(affix) = parent.and_then(|at| sorted.get(at)) {
                        if text.starts_with(&affix.text) {
                            break;
                        }
                        parent = affix.parent;
                    }
                    sorted.push(Affix { text, parent, patterns: vec![(pattern, number)] });
                }
            }
        }
        Self(sorted)
    }

    fn visit(&self, name: Spelling<'_>, visit: &mut impl FnMut(&(P, u32))) {
        let after = self.0.partition_point(|affix| name.order(&affix.text) != Ordering::Greater);
        let mut next = after.checked_sub(1);
        while let Some(affix) = next.and_then(|at| self.0.get(at)) {
            if name.starts_with(&affix.text) {
                affix.patterns.iter().for_each(&mut *visit);
            }
            next = affix.parent;
        }
    }
}

/// Numbers of clauses, few as a rule: the first ones need no memory of their own.
#[derive(Debug)]
pub struct Found {
    few: [u32; Self::FEW],
    count: usize,
    many: Vec<u32>,
}

impl Found {
    const FEW: usize = 16;

    /// Nothing found yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { few: [0; Self::FEW], count: 0, many: Vec::new() }
    }

    /// Adds a number.
    pub fn push(&mut self, number: u32) {
        match self.few.get_mut(self.count) {
            Some(cell) => {
                *cell = number;
                self.count += 1;
            }
            None => self.many.push(number),
        }
    }

    /// The numbers in ascending order. One may stand twice, when two patterns of a clause matched.
    pub fn sorted(&mut self) -> &[u32] {
        if self.many.is_empty() {
            let few = self.few.get_mut(..self.count).unwrap_or_default();
            few.sort_unstable();
            return few;
        }
        self.many.extend_from_slice(self.few.get(..self.count).unwrap_or_default());
        self.count = 0;
        self.many.sort_unstable();
        &self.many
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_finds_what_a_search_of_all_finds(
            patterns in prop::collection::vec("[ab.*]{1,6}", 0..40),
            name in "[ab.]{0,8}",
        ) {
            let globs: Vec<_> = patterns.iter().filter_map(|p| Glob::parse(p, b'.').ok()).collect();
            let index = Index::build((0..).zip(&globs).map(|(n, g)| (Literal::of(g), g.clone(), n)));
            let mut found = Found::new();
            index.look_up_name(&name, |number| found.push(number));
            let all: Vec<u32> = (0..).zip(&globs).filter(|(_, g)| g.matches(&name)).map(|(n, _)| n).collect();
            prop_assert_eq!(found.sorted(), &all);
        }

        #[test]
        fn a_name_in_two_parts_is_one_name(
            heads in prop::collection::vec("[ab/]{1,5}", 1..20),
            name in "[ab/]{2,8}",
            cut in 1_usize..3,
        ) {
            let patterns = (0..).zip(&heads).map(|(n, h)| (Literal::Head(h.clone()), (), n));
            let index = Index::build(patterns);
            let (head, more) = name.split_at(cut.min(name.len() - 1));
            let mut found = Found::new();
            index.look_up(Name { head, more, tail: "" }, |()| true, |number| found.push(number));
            let all: Vec<u32> =
                (0..).zip(&heads).filter(|(_, h)| name.starts_with(*h)).map(|(n, _)| n).collect();
            prop_assert_eq!(found.sorted(), &all);
        }
    }
}
