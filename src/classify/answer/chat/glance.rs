//! A chunk of a chat completion, as far as it can be told without building it.

use crate::classify::answer::chat::calls::whole_number;
use crate::classify::answer::chat::{CHOICE, CHUNK, MESSAGE, Said};
use crate::classify::answer::whole::FOREIGN;
use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem, Speech};

/// One choice of a chunk, as far as it can be told without building it.
#[derive(Default)]
pub(super) struct Glance {
    pub(super) index: Option<u64>,
    pub(super) said: Said,
    pub(super) carries: bool,
    pub(super) finishes: bool,
}

/// Walks a chunk without building it.
pub(super) fn look(
    data: &[u8],
    bounds: &Bounds,
    mut each: impl FnMut(Glance) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut reader = Reader::new(data, bounds)?;
    let (mut is_own, mut is_other) = (false, false);
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &CHUNK)?;
        is_own |= name == "choices";
        is_other |= name != "choices" && Speech::Chat.is_foreign([name]);
        match (name, reader.kind()?) {
            ("choices", Kind::Array) => {}
            ("choices", kind) if kind != Kind::Null => {
                return Err(reader.fault(Problem::WrongType, "a list of choices is due here"));
            }
            _ => return reader.skip(),
        }
        reader.array(|reader, _| {
            let mut glance = Glance::default();
            reader.object(Distinct::InAnyCase, |reader, name| {
                known_spelling(name, &CHOICE)?;
                glance.member(reader, name)
            })?;
            each(glance)
        })
    })?;
    if is_other && !is_own {
        return Err(Fault::new(Problem::Conflict, FOREIGN));
    }
    reader.end()
}

impl Glance {
    fn member(&mut self, reader: &mut Reader<'_>, name: &str) -> Result<(), Fault> {
        match (name, reader.kind()?) {
            ("index", Kind::Number) => self.index = whole_number(&reader.tree()?),
            // Some servers send an empty one in every chunk, and clients take it for none.
            ("finish_reason", Kind::String) => self.finishes = !reader.string()?.is_empty(),
            ("finish_reason", kind) => {
                self.finishes = kind != Kind::Null;
                reader.skip()?;
            }
            ("delta", Kind::Object) => reader.object(Distinct::InAnyCase, |reader, name| {
                known_spelling(name, &MESSAGE)?;
                match (name, reader.kind()?) {
                    ("tool_calls" | "function_call", kind) => self.carries |= kind != Kind::Null,
                    ("role", kind) => self.said.role |= kind != Kind::Null,
                    ("content", Kind::String) => {
                        self.said.text |= !reader.string()?.is_empty();
                        return Ok(());
                    }
                    _ => {}
                }
                reader.skip()
            })?,
            // No chunk has one, and a client that reads it all the same would find calls in it.
            ("message", Kind::Object) => {
                return Err(reader.fault(Problem::Conflict, "a whole message in a piece of a stream"));
            }
            _ => reader.skip()?,
        }
        Ok(())
    }
}
