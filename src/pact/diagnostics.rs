//! What is wrong with a file: place, problem, remedy; all of it at once.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::pact::document::Place;

/// The most findings that are told at once.
pub const FINDINGS_MAX: usize = 200;

/// A text under its name, as messages show it.
#[derive(Clone)]
pub struct File {
    name: Arc<str>,
    text: Arc<str>,
    /// Where each line begins: a file with many findings is not counted through for each.
    lines: Arc<[usize]>,
}

impl File {
    /// A text and the name that messages give it.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text: text.into(), lines }
    }

    /// The name, a path as a rule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = if self.text.is_char_boundary(offset) { offset } else { self.text.len() };
        let line = self.lines.partition_point(|begins| *begins <= offset);
        let begins = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.text.get(begins..offset).unwrap_or_default().chars().count() + 1)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.name)
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but not all of it does what it says.
    Warning,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The file it is about.
    pub file: File,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, from 1, in characters.
    pub column: usize,
    /// The bytes it is about.
    pub place: Place,
    /// What is wrong: lower case, no final period.
    pub message: String,
    /// What to write instead.
    pub remedy: Option<String>,
    /// Error or warning.
    pub severity: Severity,
}

impl Diagnostic {
    /// A finding that makes the file unusable.
    #[must_use]
    pub fn error(file: &File, place: Place, message: impl Into<String>) -> Self {
        // A caret stands under whole characters.
        let start = file.text.floor_char_boundary(place.start);
        let place = start..file.text.ceil_char_boundary(place.end.max(start));
        let (line, column) = file.position(start);
        let message = message.into();
        Self { file: file.clone(), line, column, place, message, remedy: None, severity: Severity::Error }
    }

    /// A finding that its reader must know of, in a file that is used.
    #[must_use]
    pub fn warning(file: &File, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, place, message) }
    }

    /// The same finding, with what to write instead.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// The file and line of the finding, its text, the source line with a caret, and the remedy.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.file.text();
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        // Only the lines concerned are handed over: a long file costs no more to report on than a short one.
        let start = text.get(..self.place.start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let rest = text.get(self.place.start..).unwrap_or_default();
        let end = rest.find('\n').map_or(text.len(), |at| self.place.start + at);
        let shown = text.get(start..end).unwrap_or_default();
        let from = self.place.start.saturating_sub(start).min(shown.len());
        let to = self.place.end.saturating_sub(start).clamp(from, shown.len());
        let snippet = Snippet::source(shown)
            .line_start(self.line)
            .path(self.file.name())
            .annotation(AnnotationKind::Primary.span(from..to));
        let mut group = level.primary_title(self.message.as_str()).element(snippet);
        if let Some(remedy) = &self.remedy {
            group = group.element(Level::HELP.message(remedy.as_str()));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

/// All findings about a file, or about several together, in the order of their places.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds the findings of another check.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Every finding.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// The same findings in the order of file, place and text. Of more than [`FINDINGS_MAX`], the last one only says
    /// how many they are; it is an error where one of them is.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.file.name.clone(), d.place.start, d.place.end, d.severity);
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        let same = |a: &Diagnostic, b: &Diagnostic| {
            a.place == b.place && a.message == b.message && a.file.name == b.file.name
        };
        self.0.dedup_by(|a, b| same(a, b));
        self.cut();
        self
    }

    fn cut(&mut self) {
        let mut untold = self.0.split_off(self.0.len().min(FINDINGS_MAX)).into_iter();
        let Some(next) = untold.next() else { return };
        self.0.push(Diagnostic {
            message: format!("{} more findings are not told", untold.len() + 1),
            remedy: Some("begin with those above".to_owned()),
            severity: untold.map(|finding| finding.severity).fold(next.severity, Severity::min),
            ..next
        });
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Every finding, with an empty line between two.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_told_than_anybody_reads_and_an_error_is_never_lost() {
        let file = File::new("long.yaml", &"x\n".repeat(500_000));
        let mut found = Diagnostics::default();
        for at in 400_000..450_000 {
            found.push(Diagnostic::warning(&file, at * 2..at * 2 + 1, "odd").remedy("mend it"));
        }
        found.push(Diagnostic::error(&file, 900_000..900_001, "wrong").remedy("mend it"));
        let told = found.sorted();
        assert_eq!((told.len(), told.has_errors()), (FINDINGS_MAX + 1, true));
        let last = told.iter().last().unwrap();
        assert_eq!(last.message, format!("{} more findings are not told", 50_001 - FINDINGS_MAX));
        assert!(told.to_string().contains("long.yaml:400200:1"));
    }
}
