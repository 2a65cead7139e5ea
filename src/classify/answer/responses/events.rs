//! The events of a streamed response, as far as each can be told without building it.

use bytes::Bytes;

use crate::classify::answer::sse::write;
use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

/// Members that decide what an event is.
const EVENT: [&str; 6] = ["type", "sequence_number", "output_index", "item", "response", "error"];

/// Beginnings of the types of events that tell of text, or of how far a call has come. None holds a call.
const SAID: [&str; 18] = [
    "response.output_text.",
    "response.refusal.",
    "response.content_part.",
    "response.reasoning.",
    "response.reasoning_text.",
    "response.reasoning_summary.",
    "response.reasoning_summary_part.",
    "response.reasoning_summary_text.",
    "response.audio.",
    "response.compaction.",
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call.",
    "response.image_generation_call.",
    "response.mcp_call.",
    "response.mcp_list_tools.",
    "response.shell_call_output_content.",
    "response.steer.",
];

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// An item begins.
    Added,
    /// An item ends.
    Done,
    /// A piece of what a call is made with.
    Piece,
    /// The whole response as it stands.
    State,
    /// The same, for the last time.
    End,
    /// Text, or news of a call.
    Said,
    /// Nobody knows.
    Unknown,
}

/// One event.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    pub(super) raw: Bytes,
    pub(super) name: Option<String>,
    pub(super) data: Bytes,
    /// Its `type`; empty for a comment.
    pub(super) kind: String,
    /// `output_index`, where it has one.
    pub(super) place: Option<i64>,
    /// `sequence_number`: where it stands in the data, and what it says.
    number: Option<(usize, usize, i64)>,
    /// Whether it holds nothing but scalars that are no text.
    is_bare: bool,
    is_changed: bool,
}

impl Event {
    /// Bytes without an event in them.
    pub(super) fn plain(raw: Bytes) -> Self {
        Self { raw, ..Self::default() }
    }

    pub(super) fn read(
        raw: Bytes,
        name: Option<String>,
        data: Bytes,
        bounds: &Bounds,
    ) -> Result<Self, Fault> {
        let mut event = Self { raw, name, data: data.clone(), is_bare: true, ..Self::default() };
        event.glance(&data, bounds)?;
        match &event.name {
            Some(name) if *name != event.kind => {
                Err(Fault::new(Problem::Conflict, "an event has one name outside and another one inside"))
            }
            _ => Ok(event),
        }
    }

    fn glance(&mut self, data: &[u8], bounds: &Bounds) -> Result<(), Fault> {
        let mut kind = None;
        let mut is_error = false;
        let mut reader = Reader::new(data, bounds)?;
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &EVENT)?;
            let start = reader.offset();
            match (name, reader.kind()?) {
                ("type", Kind::String) => kind = Some(reader.string()?.into_owned()),
                ("sequence_number", Kind::Number) => {
                    let number = whole_number(&reader.tree()?);
                    self.number = number.map(|number| (start, reader.offset(), number));
                }
                ("output_index", Kind::Number) => self.place = whole_number(&reader.tree()?),
                (_, kind) => {
                    self.is_bare &= matches!(kind, Kind::Null | Kind::Bool | Kind::Number);
                    is_error |= name == "error" && kind == Kind::Object;
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        reader.end()?;
        self.kind = match kind {
            Some(kind) => kind,
            // Clients take an object of that name for the end, whatever stands around it.
            None if is_error => "error".to_owned(),
            None => return Err(Fault::new(Problem::MissingField, "an event has no type")),
        };
        Ok(())
    }

    pub(super) fn nature(&self) -> Nature {
        let kind = self.kind.as_str();
        match kind {
            "response.output_item.added" => Nature::Added,
            "response.output_item.done" => Nature::Done,
            "response.created" | "response.queued" | "response.in_progress" => Nature::State,
            "response.completed" | "response.incomplete" | "response.failed" | "error" => Nature::End,
            _ if super::call::family(kind).is_some() => Nature::Piece,
            _ if SAID.iter().any(|known| kind.starts_with(known)) => Nature::Said,
            _ if self.is_bare => Nature::Said,
            _ => Nature::Unknown,
        }
    }

    /// Where its item stands.
    pub(super) fn index(&self) -> Result<i64, Fault> {
        self.place.ok_or_else(|| super::item::missing("output_index"))
    }

    pub(super) fn number(&self) -> Option<i64> {
        self.number.map(|(_, _, number)| number)
    }

    /// Puts other data in place of its own.
    pub(super) fn rewrite(&mut self, data: &str) -> Result<(), Fault> {
        let bounds = Bounds { depth: usize::MAX, ..Bounds::default() };
        self.data = Bytes::copy_from_slice(data.as_bytes());
        self.is_changed = true;
        let data = self.data.clone();
        self.glance(&data, &bounds)
    }

    /// Its bytes; where events before it were told in other ones, its number follows theirs.
    pub(super) fn told(self, shift: i64) -> Bytes {
        if (shift == 0 || self.number.is_none()) && !self.is_changed {
            return self.raw;
        }
        // Line breaks between values: in a string they are escaped.
        let data = String::from_utf8_lossy(&self.data).replace(['\n', '\r'], " ");
        let data = match self.number {
            Some((start, end, number)) => {
                let before = data.get(..start).unwrap_or_default();
                let behind = data.get(end..).unwrap_or_default();
                format!("{before}{}{behind}", number.saturating_add(shift))
            }
            None => data,
        };
        write(self.name.as_deref(), &data)
    }
}

fn whole_number(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64().filter(|number| *number >= 0),
        _ => None,
    }
}
