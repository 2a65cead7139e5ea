//! The conversation in a call of Anthropic's API: walked for tools that are offered in its midst, and for files that
//! the provider holds. What is said in it is passed over.

use crate::classify::anthropic::tools::{read_tool, server_name};
use crate::classify::fault::Fault;
use crate::classify::model::{Envelope, Form, read_name};
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, JsonPath, Offer, PathStep, Problem};
use crate::domain::{Action, Json};

const MESSAGE: [&str; 1] = ["content"];

/// Members of a block that can hold a tool, a file, or further blocks.
const BLOCK: [&str; 10] = [
    "type",
    "tool",
    "definition",
    "tool_changes",
    "content",
    "source",
    "file_id",
    "mcp_server_name",
    "input_schema",
    "tools",
];

/// Members of what a `tool_addition` or a `tool_removal` speaks of.
const CHANGE: [&str; 4] = ["type", "name", "server_name", "definition"];

/// Walks `messages`.
pub(super) fn messages(
    envelope: &mut Envelope,
    form: &Form,
    reader: &mut Reader<'_>,
    bounds: &Bounds,
) -> Result<(), Fault> {
    if reader.kind()? != Kind::Array {
        return reader.skip();
    }
    reader.array(|reader, message| {
        if reader.kind()? != Kind::Object {
            return reader.skip();
        }
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &MESSAGE)?;
            match name {
                "content" => {
                    let mut walk = Walk { envelope: &mut *envelope, form, bounds };
                    walk.blocks(reader, Place::Message(message))
                }
                _ => reader.skip(),
            }
        })
    })
}

/// Walks `system`.
pub(super) fn system(
    envelope: &mut Envelope,
    form: &Form,
    reader: &mut Reader<'_>,
    bounds: &Bounds,
) -> Result<(), Fault> {
    Walk { envelope, form, bounds }.blocks(reader, Place::System)
}

struct Walk<'a> {
    envelope: &'a mut Envelope,
    form: &'a Form,
    bounds: &'a Bounds,
}

/// The list that a block stands in.
#[derive(Clone, Copy)]
enum Place {
    System,
    Message(usize),
    /// Further in, where nothing can be taken out.
    Inside,
}

impl Place {
    /// Where the block of that index stands; `None` where it cannot be taken out.
    fn of(self, block: usize) -> Option<JsonPath> {
        let member = |name: &str| PathStep::Member(name.to_owned());
        match self {
            Self::System => Some(vec![member("system"), PathStep::Item(block)]),
            Self::Message(message) => Some(vec![
                member("messages"),
                PathStep::Item(message),
                member("content"),
                PathStep::Item(block),
            ]),
            Self::Inside => None,
        }
    }
}

impl Walk<'_> {
    fn blocks(&mut self, reader: &mut Reader<'_>, place: Place) -> Result<(), Fault> {
        match reader.kind()? {
            Kind::Array => reader.array(|reader, index| match reader.kind()? {
                Kind::Object => self.block(reader, place, index),
                _ => reader.skip(),
            }),
            // Some results hold one block instead of a list.
            Kind::Object => self.block(reader, Place::Inside, 0),
            _ => reader.skip(),
        }
    }

    fn block(&mut self, reader: &mut Reader<'_>, place: Place, index: usize) -> Result<(), Fault> {
        let (mut file, mut is_output) = (None, false);
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &BLOCK)?;
            match (name, reader.kind()?) {
                (_, Kind::Null) => reader.skip(),
                ("type", Kind::String) => {
                    is_output = reader.string()?.ends_with("_output");
                    Ok(())
                }
                ("tool", Kind::Object) => self.change(reader, place.of(index)),
                ("definition", Kind::Object) => self.define(reader, place.of(index)),
                // Whatever the block is called, it defines a tool in a shape that is not read.
                ("input_schema" | "tools", _) => {
                    let what = "a tool is defined in the midst of a conversation; offer it in `tools`";
                    Err(reader.fault(Problem::Conflict, what))
                }
                ("tool_changes" | "content" | "source", _) => self.blocks(reader, Place::Inside),
                ("file_id", _) => {
                    file = Some(read_name(reader, self.bounds)?);
                    Ok(())
                }
                ("mcp_server_name", _) => {
                    let server = read_name(reader, self.bounds)?;
                    self.offer_of(reader, &server, None, None)
                }
                _ => reader.skip(),
            }
        })?;
        match file {
            // A file that code has written is told, not read.
            Some(file) if !is_output => self.envelope.refer(reader, "file_id", &file),
            _ => Ok(()),
        }
    }

    fn define(&mut self, reader: &mut Reader<'_>, at: Option<JsonPath>) -> Result<(), Fault> {
        read_tool(self.envelope, self.form, reader, at, self.bounds)
    }

    /// A tool that is offered or withdrawn from here on. What is withdrawn shares the fate of what is offered: were
    /// the one taken out and not the other, the API would miss it.
    fn change(&mut self, reader: &mut Reader<'_>, at: Option<JsonPath>) -> Result<(), Fault> {
        let (mut kind, mut tool, mut server, mut defines) = (None, None, None, false);
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &CHANGE)?;
            match (name, reader.kind()?) {
                ("type", _) => kind = Some(read_name(reader, self.bounds)?),
                ("name", Kind::String) => tool = Some(read_name(reader, self.bounds)?),
                ("server_name", Kind::String) => server = Some(read_name(reader, self.bounds)?),
                ("definition", Kind::Object) => {
                    defines = true;
                    self.define(reader, at.clone())?;
                }
                ("name" | "server_name" | "definition", _) => {
                    let what = "this is not how the API names a tool";
                    return Err(reader.fault(Problem::WrongType, what));
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        match (kind.as_deref(), tool, server) {
            (Some("tool_definition"), None, None) if defines => Ok(()),
            (Some("tool_reference"), Some(tool), None) if !defines => {
                self.envelope.name_tool(reader, tool, at)
            }
            (Some("mcp_tool_reference"), Some(tool), Some(server)) if !defines => {
                self.offer_of(reader, &server, Some(&tool), at)
            }
            (Some("mcp_toolset_reference"), None, Some(server)) if !defines => {
                self.offer_of(reader, &server, None, at)
            }
            _ => Err(reader.fault(Problem::Conflict, "a change of tools of a type that is not read")),
        }
    }

    /// Tools of an MCP server that the provider calls: one, or all.
    fn offer_of(
        &mut self,
        reader: &Reader<'_>,
        server: &str,
        tool: Option<&str>,
        at: Option<JsonPath>,
    ) -> Result<(), Fault> {
        let name = server_name(reader, server)?;
        let name = match tool {
            Some(tool) => format!("{name}/{tool}"),
            None => name,
        };
        let (target, fields) = (self.envelope.hosted(name), Json::Object(Vec::new()));
        let action = Action { target, fields, dialect: self.form.dialect };
        self.envelope.offer(reader, Offer { action, at })
    }
}
