//! One event of a stream, read without building what only passes.

use crate::classify::answer::anthropic::block::Block;
use crate::classify::answer::anthropic::wrong;
use crate::classify::answer::sse::Event;
use crate::classify::fault::{Fault, shown};
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

const EVENT: [&str; 5] = ["type", "index", "content_block", "delta", "message"];
const DELTA: [&str; 3] = ["type", "partial_json", "stop_reason"];
const MESSAGE: [&str; 1] = ["content"];

/// What an event says.
#[derive(Debug)]
pub(super) enum Said {
    /// A ping, or a comment.
    Nothing,
    Error,
    Opens,
    Starts {
        index: u64,
        block: Block,
    },
    Continues {
        index: u64,
        delta: Delta,
    },
    Stops {
        index: u64,
    },
    /// What holds of the whole message, with the reason why it ends.
    Sums {
        stop_reason: Option<String>,
    },
    Closes,
}

/// A piece of a block.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub(super) kind: String,
    /// A piece of a call's input.
    pub(super) input: String,
    stop_reason: Option<String>,
}

/// What stands in an event, before it is known whether it may.
#[derive(Default)]
struct Glance {
    kind: String,
    index: Option<u64>,
    block: Option<Block>,
    delta: Option<Delta>,
    message: bool,
}

/// Reads an event.
pub(super) fn read(event: &Event, bounds: &Bounds) -> Result<Said, Fault> {
    let data = match (&event.data, event.name.as_deref()) {
        (Some(data), _) if !data.is_empty() => data,
        (_, None | Some("ping")) => return Ok(Said::Nothing),
        _ => return Err(Fault::new(Problem::Syntax, "an event with a name and without data")),
    };
    let mut glance = Glance::default();
    let mut reader = Reader::new(data, bounds)?;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &EVENT)?;
        glance.member(reader, name, bounds)
    })?;
    reader.end()?;
    // Some clients go by the name, others by the type.
    if event.name.as_deref() != Some(glance.kind.as_str()) {
        return Err(Fault::new(Problem::Conflict, "an event whose name is not its type"));
    }
    glance.said()
}

impl Glance {
    fn member(&mut self, reader: &mut Reader<'_>, name: &str, bounds: &Bounds) -> Result<(), Fault> {
        match (name, reader.kind()?) {
            ("type", Kind::String) => self.kind = reader.string()?.into_owned(),
            ("index", Kind::Number) => {
                self.index = match reader.tree()? {
                    Json::Number(number) => number.as_i64().and_then(|index| u64::try_from(index).ok()),
                    _ => None,
                };
            }
            ("content_block", Kind::Object) => {
                let start = reader.offset();
                reader.skip()?;
                let block = Reader::new(reader.since(start).as_bytes(), bounds)?.whole()?;
                self.block = Some(Block::of(&block)?);
            }
            ("delta", Kind::Object) => {
                let mut delta = Delta::default();
                reader.object(Distinct::InAnyCase, |reader, name| {
                    known_spelling(name, &DELTA)?;
                    delta.member(reader, name)
                })?;
                self.delta = Some(delta);
            }
            ("message", Kind::Object) => {
                self.message = true;
                reader.object(Distinct::InAnyCase, |reader, name| {
                    known_spelling(name, &MESSAGE)?;
                    match (name, reader.kind()?) {
                        ("content", Kind::Array) => reader.array(|reader, _| {
                            Err(reader.fault(Problem::Conflict, "a message that opens with content"))
                        }),
                        ("content", Kind::Null) => reader.skip(),
                        ("content", _) => Err(wrong("content")),
                        _ => reader.skip(),
                    }
                })?;
            }
            ("type" | "index" | "content_block" | "delta" | "message", _) => return Err(wrong(name)),
            _ => reader.skip()?,
        }
        Ok(())
    }

    fn said(self) -> Result<Said, Fault> {
        let Self { kind, index, block, delta, message } = self;
        Ok(match (kind.as_str(), index, block, delta, message) {
            ("ping", None, None, None, false) => Said::Nothing,
            ("error", None, None, None, false) => Said::Error,
            ("message_start", None, None, None, true) => Said::Opens,
            ("content_block_start", Some(index), Some(block), None, false) => Said::Starts { index, block },
            ("content_block_delta", Some(index), None, Some(delta), false) => {
                Said::Continues { index, delta }
            }
            ("content_block_stop", Some(index), None, None, false) => Said::Stops { index },
            ("message_delta", None, None, Some(delta), false) => {
                Said::Sums { stop_reason: delta.stop_reason }
            }
            ("message_stop", None, None, None, false) => Said::Closes,
            (kind, ..) => {
                let what = format!("an event that is not read: `{}`", shown(kind));
                return Err(Fault::new(Problem::Conflict, what));
            }
        })
    }
}

impl Delta {
    fn member(&mut self, reader: &mut Reader<'_>, name: &str) -> Result<(), Fault> {
        match (name, reader.kind()?) {
            ("type", Kind::String) => self.kind = reader.string()?.into_owned(),
            ("partial_json", Kind::String) => self.input = reader.string()?.into_owned(),
            ("stop_reason", Kind::String) => self.stop_reason = Some(reader.string()?.into_owned()),
            ("stop_reason", Kind::Null) => reader.skip()?,
            ("type" | "partial_json" | "stop_reason", _) => return Err(wrong(name)),
            _ => reader.skip()?,
        }
        Ok(())
    }
}
