//! The conversation of a call: its items are walked once, and what hides a tool, an approval or a reference among
//! them is taken for what it is.

use std::borrow::Cow;

use crate::classify::fault::Fault;
use crate::classify::model::read_name;
use crate::classify::names::check_name;
use crate::classify::responses::Found;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{PathStep, Problem};
use crate::domain::Json;

/// Types of items that tell what was said and done. What a call of the past asked for was judged when it was made.
const PAST: [&str; 26] = [
    "message",
    "reasoning",
    "compaction",
    "compaction_trigger",
    "configuration_update",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "computer_call",
    "computer_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "tool_search_call",
    "program",
];

/// Members of an item that decide what it is.
const JUDGED: [&str; 8] =
    ["type", "role", "id", "tools", "content", "output", "approve", "approval_request_id"];

/// An item as far as it is judged, its members in whatever order they came.
#[derive(Default)]
struct Item<'a> {
    kind: Option<Cow<'a, str>>,
    has_role: bool,
    id: Option<String>,
    /// The text of its tools: only some items put tools before the model, and its type may stand behind them.
    tools: Option<&'a str>,
    approves: Option<bool>,
    approval: Option<String>,
}

impl Found<'_> {
    /// `input`: a text, or a list of items.
    pub(super) fn input(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        match reader.kind()? {
            Kind::String => reader.skip(),
            Kind::Array => reader.array(|reader, index| self.item(reader, index)),
            _ => Err(reader.fault(Problem::WrongType, "a text or a list of items is due here")),
        }
    }

    /// `messages` of chat: files by id, and what a model said aloud before.
    pub(super) fn messages(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.array(|reader, _| match reader.kind()? {
            Kind::Object => reader.object(Distinct::Exactly, |reader, name| {
                known_spelling(name, &["content", "audio"])?;
                match (name, reader.kind()?) {
                    ("content", Kind::Array) => reader.array(|reader, _| self.part(reader)),
                    ("audio", Kind::Object) => self.reference_object(reader, name),
                    _ => reader.skip(),
                }
            }),
            _ => reader.skip(),
        })
    }

    fn part(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if reader.kind()? != Kind::Object {
            return reader.skip();
        }
        reader.object(Distinct::Exactly, |reader, name| {
            known_spelling(name, &["file"])?;
            match (name, reader.kind()?) {
                ("file", Kind::Object) => self.content(reader),
                _ => reader.skip(),
            }
        })
    }

    fn item(&mut self, reader: &mut Reader<'_>, index: usize) -> Result<(), Fault> {
        let item = self.item_members(reader)?;
        match item.kind.as_deref() {
            None if item.has_role => Ok(()),
            Some("program_output") => Ok(()),
            Some(kind) if PAST.contains(&kind) => Ok(()),
            None | Some("item_reference") => {
                let id = item.id.ok_or_else(|| {
                    reader.fault(Problem::MissingField, "an item has neither a type, nor a role, nor an id")
                })?;
                self.reference(reader, "item_reference", &id)
            }
            Some("additional_tools" | "tool_search_output") => {
                let Some(tools) = item.tools else { return Ok(()) };
                let step = |name: &str| PathStep::Member(name.to_owned());
                let mut inner = Reader::new(tools.as_bytes(), self.bounds)?;
                self.tools(&mut inner, &[step("input"), PathStep::Item(index), step("tools")])
            }
            Some("mcp_approval_response") => match (item.approves, item.approval) {
                (Some(false), _) => Ok(()),
                (Some(true), Some(id)) => {
                    let args = Json::object([("approval_request_id", Json::String(id))]);
                    let target = self.hosted("mcp_approval_response".to_owned());
                    self.further(reader, target, Json::object([("args", args)]))
                }
                _ => Err(reader.fault(Problem::MissingField, "an approval does not say what it approves")),
            },
            Some(_) => Err(reader.fault(Problem::WrongType, "an item of a type that is not read here")),
        }
    }

    fn item_members<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Item<'a>, Fault> {
        let mut item = Item::default();
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &JUDGED)?;
            match (name, reader.kind()?) {
                (_, Kind::Null) => reader.skip(),
                ("type", Kind::String) => {
                    item.kind = Some(reader.string()?);
                    Ok(())
                }
                ("role", Kind::String) => {
                    item.has_role = true;
                    reader.skip()
                }
                ("approve", Kind::Bool) => {
                    item.approves = Some(reader.bool()?);
                    Ok(())
                }
                ("type" | "role" | "approve", _) => {
                    Err(reader.fault(Problem::WrongType, "this is of another type than the API's"))
                }
                ("id", Kind::String) => {
                    item.id = Some(reader.string()?.into_owned());
                    Ok(())
                }
                ("approval_request_id", _) => {
                    item.approval = Some(read_name(reader, self.bounds)?);
                    Ok(())
                }
                ("tools", _) => {
                    let start = reader.offset();
                    reader.skip()?;
                    item.tools = Some(reader.since(start));
                    Ok(())
                }
                ("content" | "output", Kind::Array | Kind::Object) => self.content(reader),
                _ => reader.skip(),
            }
        })?;
        // It stands in a record only where it refers to something.
        if let (None | Some("item_reference"), Some(id)) = (item.kind.as_deref(), &item.id) {
            check_name(id, self.bounds.name_bytes).map_err(|fault| fault.under_member("id"))?;
        }
        Ok(item)
    }
}
