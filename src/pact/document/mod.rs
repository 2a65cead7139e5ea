//! A YAML text as a tree in which every value knows its place.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{Error, Location, Spanned};

use crate::domain::{Decimal, Json};
use crate::pact::diagnostics::{Diagnostic, File};

/// The longest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

const DEPTH_MAX: usize = 32;
const NODES_MAX: usize = 200_000;

/// A place in a text: byte offsets, start included, end excluded.
pub type Place = Range<usize>;

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub value: Value,
}

/// A YAML value. Scalars keep their text, so that a number loses no digit.
#[derive(Clone, Debug)]
pub enum Value {
    /// A scalar without quotes, as written.
    Plain(String),
    /// A scalar in quotes or a block scalar, its escapes resolved.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping: member names with their places, each once.
    Map(Vec<(Node, Node)>),
}

/// Reads one YAML document.
///
/// # Errors
/// When the text is too long, is not YAML, holds a key twice, nests too deeply, or uses anchors, aliases or
/// merge keys, which a pact has no need of.
pub fn read(file: &File) -> Result<Node, Diagnostic> {
    let text = file.text();
    if text.len() > FILE_BYTES_MAX {
        let said = format!("the file is longer than {FILE_BYTES_MAX} bytes");
        return Err(Diagnostic::error(file, 0..0, said).remedy("split it into several pacts"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: NODES_MAX * 2,
            max_aliases: 0,
            max_anchors: 0,
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_documents: 1,
            max_nodes: NODES_MAX,
            max_total_scalar_bytes: FILE_BYTES_MAX,
        },
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(finish(text, raw)),
        Err(error) => Err(unreadable(file, &error)),
    }
}

fn unreadable(file: &File, error: &Error) -> Diagnostic {
    let place = error.location().map_or(0..0, |at| place_of(at, file.text()));
    let error = error.without_snippet();
    let (message, remedy) = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("`{}` stands twice", shorten(key)), "keep one of the two")
        }
        Error::MergeKeyNotAllowed { .. }
        | Error::UnknownAnchor { .. }
        | Error::Budget { breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. }, .. } => {
            ("anchors, aliases and merge keys are not read".to_owned(), "write the value out")
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("the file nests deeper than {DEPTH_MAX} levels"), "write it plainer")
        }
        Error::MultipleDocuments { .. } | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            ("the file holds more than one document".to_owned(), "write one file for each")
        }
        Error::Budget { .. } => ("the file holds too much".to_owned(), "split it into several"),
        Error::UnsupportedTag { .. } => ("tags are not read".to_owned(), "write the value without `!`"),
        Error::Eof { .. } => {
            ("the file is empty".to_owned(), "write `apiVersion: pactgate.dev/v1`, and so on")
        }
        other => {
            let said = other.to_string();
            let first = said.lines().next().unwrap_or_default();
            let first = first.split(" at line ").next().unwrap_or_default();
            (format!("not readable as YAML: {first}"), "correct the YAML here")
        }
    };
    Diagnostic::error(file, place, message).remedy(remedy)
}

/// The tree as the YAML reader hands it over, before scalars are cut from the text.
#[derive(Debug)]
enum Raw {
    Scalar(Option<String>),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Some(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Raw::Map(members))
    }
}

fn finish(text: &str, raw: Spanned<Raw>) -> Node {
    let place = place_of(raw.referenced, text);
    let value = match raw.value {
        Raw::Scalar(read) => scalar(text, &place, read),
        Raw::List(items) => Value::List(items.into_iter().map(|item| finish(text, item)).collect()),
        Raw::Map(members) => {
            let member = |(name, value): (Spanned<String>, Spanned<Raw>)| {
                let place = place_of(name.referenced, text);
                (Node { place, value: Value::Text(name.value) }, finish(text, value))
            };
            Value::Map(members.into_iter().map(member).collect())
        }
    };
    let place = match &value {
        Value::Plain(plain) => place.start..(place.start + plain.len()).min(text.len()),
        _ => place,
    };
    Node { place, value }
}

/// The reader says what it took a scalar for; what was written stands in the text.
fn scalar(text: &str, place: &Place, read: Option<String>) -> Value {
    let written = text.get(place.clone()).unwrap_or_default().trim_end();
    match read {
        Some(read) if written.starts_with(['"', '\'']) => Value::Text(read),
        // What it could not hold as a double.
        Some(read) if matches!(read.as_str(), ".inf" | "-.inf" | ".nan") => Value::Plain(written.to_owned()),
        Some(read) => match plain_json(&read) {
            Some(Json::String(_)) | None => Value::Plain(read),
            // It looks like something else, and is text nevertheless: a block scalar, or tagged as text.
            Some(_) => Value::Text(read),
        },
        None => Value::Plain(written.to_owned()),
    }
}

fn place_of(at: Location, text: &str) -> Place {
    let number = |value: Option<u64>| value.and_then(|v| usize::try_from(v).ok()).unwrap_or(0);
    let start = match at.span().byte_offset() {
        Some(offset) => number(Some(offset)).min(text.len()),
        None => offset_of(number(Some(at.line())), number(Some(at.column())), text),
    };
    let end = (start + number(at.span().byte_len())).min(text.len());
    start..end
}

/// The byte offset of a line and a column, both from 1.
fn offset_of(line: usize, column: usize, text: &str) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    before + within
}

impl Node {
    /// The member of that name, where this is a mapping that has it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(members) => members.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The scalar's text, quoted or not.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What this is, in words for people.
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.value {
            Value::Plain(text) if text.is_empty() || text == "~" || text == "null" => "nothing".to_owned(),
            Value::Plain(text) | Value::Text(text) => format!("`{}`", shorten(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The value as JSON: plain scalars are numbers, `true`, `false` and `null` where they read so in JSON.
    ///
    /// # Errors
    /// The place of a scalar that YAML readers disagree on, such as `0x1F`, `.5` or `1_000`.
    pub fn json(&self) -> Result<Json, Place> {
        match &self.value {
            Value::Text(text) => Ok(Json::String(text.clone())),
            Value::Plain(text) => plain_json(text).ok_or_else(|| self.place.clone()),
            Value::List(items) => items.iter().map(Self::json).collect::<Result<_, _>>().map(Json::Array),
            Value::Map(members) => members
                .iter()
                .map(|(name, value)| Ok((name.text().unwrap_or_default().to_owned(), value.json()?)))
                .collect::<Result<_, _>>()
                .map(Json::Object),
        }
    }
}

/// Reads an unquoted scalar; `None` for one that looks like a number and is none in JSON.
fn plain_json(text: &str) -> Option<Json> {
    match text {
        "" | "~" | "null" => return Some(Json::Null),
        "true" => return Some(Json::Bool(true)),
        "false" => return Some(Json::Bool(false)),
        _ => {}
    }
    if let Some(number) = Decimal::parse(text) {
        return Some(Json::Number(number));
    }
    let unsigned = text.trim_start_matches(['-', '+', '.']);
    let odd = unsigned.starts_with("0x") || unsigned.starts_with("0o");
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.matches('.').count() <= 1
        && unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '_' | '.' | 'e' | 'E' | '+'));
    let special = matches!(unsigned.to_ascii_lowercase().as_str(), "inf" | "nan") && text != unsigned;
    if odd || numeric || special { None } else { Some(Json::String(text.to_owned())) }
}

/// A text short enough to stand in a message.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
