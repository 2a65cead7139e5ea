//! Notes: one file under check, and everything found in it so far.

use std::fmt::Display;
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::config::Environment;
use crate::config::mask::{mask_lines, mask_tree, mask_urls};
use crate::config::units::{parse_duration, parse_size, print_duration, print_size};
use crate::domain::Json;
use crate::pact::diagnostics::{Diagnostic, Diagnostics, File};
use crate::pact::document::{self, FILE_BYTES_MAX, Place};
use crate::pact::reader::{self, At, Constant};

/// One file under check.
pub(super) struct Notes<'a> {
    /// What is read.
    file: File,
    /// What is shown: the same, with secrets that should not be in it as stars.
    shown: File,
    found: Diagnostics,
    /// The folder of the file: relative paths count from here.
    folder: PathBuf,
    pub(super) env: &'a Environment<'a>,
}

impl<'a> Notes<'a> {
    pub(super) fn open(path: &Path, env: &'a Environment<'a>) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let unreadable = |why: &dyn Display| {
            let nothing = File::new(&name, "");
            Diagnostics::from(Diagnostic::error(&nothing, 0..0, format!("the file cannot be read: {why}")))
        };
        let mut text = String::new();
        let bound = FILE_BYTES_MAX as u64 + 1;
        std::fs::File::open(path)
            .and_then(|open| open.take(bound).read_to_string(&mut text))
            .map_err(|error| unreadable(&error))?;
        let absolute = std::path::absolute(path).map_err(|error| unreadable(&error))?;
        let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        let shown = File::new(&name, &mask_lines(&text));
        Ok(Self { file: File::new(&name, &text), shown, found: Diagnostics::default(), folder, env })
    }

    /// The file as written; problems are noted.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Option<T> {
        match document::read(&self.file) {
            Ok(mut node) => {
                self.shown = File::new(self.file.name(), &mask_tree(self.file.text(), &mut node));
                reader::read(&self.shown, &node, &mut self.found)
            }
            Err(problem) => {
                self.found.push(Diagnostic { file: self.shown.clone(), ..problem });
                None
            }
        }
    }

    /// What was checked together with the warnings, or everything that was found.
    pub(super) fn finish<T>(self, checked: Option<T>) -> Result<(T, Diagnostics), Diagnostics> {
        let found = self.found.sorted();
        match checked {
            Some(checked) if !found.has_errors() => Ok((checked, found)),
            _ => Err(found),
        }
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        let message = mask_urls(&message.into());
        self.found.push(Diagnostic::error(&self.shown, place.clone(), message).remedy(remedy));
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        let message = mask_urls(&message.into());
        self.found.push(Diagnostic::warning(&self.shown, place.clone(), message).remedy(remedy));
    }

    /// A path of the file, counted from the file's folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let joined = self.folder.join(text);
        // Only for the eye: `./pacts` and `pacts` print alike.
        joined.components().collect()
    }

    /// A field that must be there. `at` is where it is missed.
    pub(super) fn required<'f, T>(
        &mut self,
        field: &'f Option<At<T>>,
        at: &Place,
        name: &str,
        remedy: &str,
    ) -> Option<(&'f Place, &'f T)> {
        if field.is_none() {
            self.error(at, format!("`{name}` is missing"), remedy);
        }
        field.as_ref().and_then(At::read)
    }

    /// A field of a type that checks itself, such as a name.
    pub(super) fn parsed<T>(&mut self, field: &At<String>, remedy: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let (place, text) = field.read()?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(place, error.to_string(), remedy);
                None
            }
        }
    }

    /// A duration with a unit, within a range; the default where it is absent or wrong.
    pub(super) fn duration(
        &mut self,
        field: Option<&At<Constant>>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let (least, most) = (print_duration(*range.start()), print_duration(*range.end()));
        let remedy = format!("write a whole number and a unit (ms, s, m, h, d), from `{least}` to `{most}`");
        self.measure(field, parse_duration, "a duration", &range, &remedy).unwrap_or(default)
    }

    /// A size with a unit, within a range; the default where it is absent or wrong.
    pub(super) fn size(
        &mut self,
        field: Option<&At<Constant>>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let (least, most) = (print_size(*range.start()), print_size(*range.end()));
        let remedy =
            format!("write a whole number and a unit (B, KiB, MiB, GiB), from `{least}` to `{most}`");
        self.measure(field, parse_size, "a size", &range, &remedy).unwrap_or(default)
    }

    /// A count within a range; the default where it is absent or wrong.
    pub(super) fn count(&mut self, field: Option<&At<u64>>, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some((place, value)) = field.and_then(At::read) else { return default };
        if range.contains(value) {
            return *value;
        }
        let remedy = format!("write a number from {} to {}", range.start(), range.end());
        self.error(place, format!("`{value}` is out of range"), remedy);
        default
    }

    fn measure<T: PartialOrd>(
        &mut self,
        field: Option<&At<Constant>>,
        parse: fn(&str) -> Option<T>,
        what: &str,
        range: &RangeInclusive<T>,
        remedy: &str,
    ) -> Option<T> {
        let (place, Constant(value)) = field.and_then(At::read)?;
        let text = match value {
            Json::String(text) => text.clone(),
            other => other.canonical(),
        };
        match parse(&text) {
            Some(value) if range.contains(&value) => Some(value),
            Some(_) => {
                self.error(place, format!("`{text}` is out of range"), remedy);
                None
            }
            None => {
                self.error(place, format!("`{text}` is not {what}"), remedy);
                None
            }
        }
    }
}
