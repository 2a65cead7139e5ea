//! Globs over names and paths: does one match, cover or overlap another.

use std::fmt;

/// An exact name or a glob. `*` stands for any run of characters within a segment, the empty one included; `**` for
/// any run of characters at all; `*` alone for any name.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    tokens: Box<[Token]>,
    separator: u8,
    exact: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// Any run of bytes other than the separator.
    Star,
    /// Any run of bytes.
    Deep,
}

/// Why a text is not a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobError {
    /// It is empty.
    Empty,
    /// It has white space or a control character, which no name has.
    Blank,
    /// It has three stars in a row.
    Stars,
}

impl GlobError {
    /// What is wrong, and what to write instead.
    #[must_use]
    pub const fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::Empty => ("an empty pattern can never match", "write a name, or `*` for any"),
            Self::Blank => (
                "a pattern with white space or control characters can never match",
                "write the name without them",
            ),
            Self::Stars => {
                ("three stars in a row mean nothing", "write `*` within a segment, `**` across segments")
            }
        }
    }
}

impl Glob {
    /// Reads a pattern whose segments `separator`, an ASCII character, parts.
    ///
    /// # Errors
    /// When it is empty, has white space or control characters, or has three stars in a row.
    pub fn parse(text: &str, separator: u8) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(GlobError::Blank);
        }
        if text.contains("***") {
            return Err(GlobError::Stars);
        }
        Ok(Self::from_text(text, separator))
    }

    /// Reads a pattern over values, in which white space may stand.
    ///
    /// # Errors
    /// When it is empty or has three stars in a row.
    pub fn parse_value(text: &str) -> Result<Self, GlobError> {
        match text {
            "" => Err(GlobError::Empty),
            _ if text.contains("***") => Err(GlobError::Stars),
            _ => Ok(Self::from_text(text, b'/')),
        }
    }

    fn from_text(text: &str, separator: u8) -> Self {
        let mut tokens = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            tokens.push(match byte {
                b'*' if bytes.next_if_eq(&b'*').is_some() => Token::Deep,
                b'*' => Token::Star,
                byte => Token::Byte(byte),
            });
        }
        if text == "*" {
            tokens = vec![Token::Deep];
        }
        let exact = tokens.iter().all(|token| matches!(token, Token::Byte(_)));
        Self { text: text.into(), tokens: tokens.into(), separator, exact }
    }

    /// The pattern as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a name and matches nothing else.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Whether it matches every name.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self.tokens == [Token::Deep]
    }

    /// The literal text before the first star.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.text.split('*').next().unwrap_or_default()
    }

    /// The literal text after the last star.
    #[must_use]
    pub fn suffix(&self) -> &str {
        self.text.rsplit('*').next().unwrap_or_default()
    }

    /// Whether a name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.exact {
            return *self.text == *name;
        }
        let name = name.as_bytes();
        let byte_at = |at: usize| name.get(at).copied();
        let same = |at, byte| byte_at(at) == Some(byte);
        let within = |at| byte_at(at) != Some(self.separator);
        run(&self.tokens, name.len(), same, within)
    }

    /// Whether every name that `other` matches is matched by this one too. May miss a case, never claims one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let token_at = |at: usize| other.tokens.get(at).copied();
        let same = |at, byte| token_at(at) == Some(Token::Byte(byte));
        let within = |at| match token_at(at) {
            Some(Token::Byte(byte)) => byte != self.separator,
            Some(Token::Star) => other.separator == self.separator,
            Some(Token::Deep) | None => false,
        };
        run(&self.tokens, other.tokens.len(), same, within)
    }

    /// Whether some name is matched by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.tokens, &other.tokens);
        // `reach[j]`: our tokens read so far and the first `j` of theirs can spell the same text.
        let mut reach = vec![false; theirs.len() + 1];
        if let Some(first) = reach.first_mut() {
            *first = true;
        }
        spread(&mut reach, None, theirs, self.separator);
        for token in ours.iter() {
            let before = reach.clone();
            let mut next = match token {
                Token::Byte(_) => vec![false; theirs.len() + 1],
                // A star may stand for nothing.
                Token::Star | Token::Deep => before.clone(),
            };
            for (j, theirs) in theirs.iter().enumerate() {
                let from = before.get(j).copied().unwrap_or(false);
                match (token, theirs) {
                    (Token::Byte(a), Token::Byte(b)) if from && a == b => set(&mut next, j + 1),
                    // Their star takes our byte and may take more.
                    (Token::Byte(a), theirs) if from && takes(*theirs, *a, other.separator) => {
                        set(&mut next, j);
                        set(&mut next, j + 1);
                    }
                    _ => {}
                }
            }
            spread(&mut next, Some(*token), theirs, self.separator);
            reach = next;
        }
        reach.last().copied().unwrap_or(false)
    }
}

fn set(reach: &mut [bool], at: usize) {
    if let Some(cell) = reach.get_mut(at) {
        *cell = true;
    }
}

fn takes(token: Token, byte: u8, separator: u8) -> bool {
    match token {
        Token::Byte(own) => own == byte,
        Token::Star => byte != separator,
        Token::Deep => true,
    }
}

/// Moves on over their tokens: past stars that stand for nothing, and past bytes that our star takes.
fn spread(reach: &mut [bool], ours: Option<Token>, theirs: &[Token], separator: u8) {
    for (j, token) in theirs.iter().enumerate() {
        let here = reach.get(j).copied().unwrap_or(false);
        let passes = match (token, ours) {
            (Token::Star | Token::Deep, _) => true,
            (Token::Byte(byte), Some(Token::Star)) => *byte != separator,
            (Token::Byte(_), Some(Token::Deep)) => true,
            (Token::Byte(_), _) => false,
        };
        if here && passes {
            set(reach, j + 1);
        }
    }
}

/// Matches tokens against a row of `length` symbols. Each star first takes nothing and grows only when the rest does
/// not fit; the last star before a failure is the only one that needs to grow, so the work is bounded by the product
/// of both lengths.
fn run(
    tokens: &[Token],
    length: usize,
    same: impl Fn(usize, u8) -> bool,
    within: impl Fn(usize) -> bool,
) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut deep: Option<(usize, usize)> = None;
    loop {
        match tokens.get(token) {
            Some(Token::Deep) => {
                token += 1;
                (deep, star) = (Some((token, at)), None);
                continue;
            }
            Some(Token::Star) => {
                token += 1;
                star = Some((token, at));
                continue;
            }
            Some(Token::Byte(byte)) if at < length && same(at, *byte) => {
                (token, at) = (token + 1, at + 1);
                continue;
            }
            None if at == length => return true,
            _ => {}
        }
        if let Some((after, end)) = star.filter(|(_, end)| *end < length && within(*end)) {
            (token, at) = (after, end + 1);
            star = Some((after, end + 1));
        } else if let Some((after, end)) = deep.filter(|(_, end)| *end < length) {
            (token, at) = (after, end + 1);
            (deep, star) = (Some((after, end + 1)), None);
        } else {
            return false;
        }
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
