//! A call on its way: what was announced, and the pieces of what it is made with, have to be what it ends as.

use std::collections::BTreeMap;

use crate::classify::Problem;
use crate::classify::answer::responses::item;
use crate::classify::fault::Fault;
use crate::domain::Json;

/// Pieces of one call that are counted apart, as the commands of a shell.
const PIECES_MAX: i64 = 128;

/// Each kind of piece: the beginning of its events' types, the item that it belongs to, and the member of its last
/// event that holds all of it.
const FAMILIES: [(&str, &str, &str); 6] = [
    ("response.function_call_arguments.", "function_call", "arguments"),
    ("response.custom_tool_call_input.", "custom_tool_call", "input"),
    ("response.mcp_call_arguments.", "mcp_call", "arguments"),
    ("response.code_interpreter_call_code.", "code_interpreter_call", "code"),
    ("response.shell_call_command.", "shell_call", "command"),
    ("response.apply_patch_call_operation_diff.", "apply_patch_call", "diff"),
];

/// Members that tell one call from another. A client may act on them as soon as it sees them.
const NAMES: [&str; 7] = ["type", "id", "call_id", "name", "namespace", "server_label", "execution"];

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Call {
    /// The item as it was announced.
    item: Json,
    /// By the number of the piece; 0 where a call has but one.
    pieces: BTreeMap<i64, Piece>,
}

#[derive(Debug, Default)]
struct Piece {
    /// What its events add up to.
    text: String,
    /// What its last event says that they add up to.
    whole: Option<String>,
}

/// The family of an event, and the end of its type.
pub(super) fn family(kind: &str) -> Option<(&'static str, &'static str, &str)> {
    FAMILIES.iter().find_map(|(begins, of, member)| Some((*of, *member, kind.strip_prefix(begins)?)))
}

impl Call {
    pub(super) fn new(item: &Json) -> Result<Self, Fault> {
        let mut pieces = BTreeMap::new();
        for name in ["arguments", "input", "code"] {
            if let Some(Json::String(text)) = item.member(name) {
                pieces.insert(0, Piece { text: text.clone(), whole: None });
            }
        }
        item::check(item)?;
        Ok(Self { item: item.clone(), pieces })
    }

    /// Takes a piece, and tells how many bytes it has.
    pub(super) fn add(&mut self, kind: &str, event: &Json) -> Result<usize, Fault> {
        let (of, member, step) = family(kind).ok_or_else(|| item::wrong("type"))?;
        if item::kind(&self.item)? != of {
            return Err(Fault::new(Problem::Conflict, "a piece of another kind of call"));
        }
        let own = self.item.member("id").filter(|id| **id != Json::Null);
        let of_item = event.member("item_id").filter(|id| **id != Json::Null);
        if own.is_some() && of_item.is_some() && own != of_item {
            return Err(Fault::new(Problem::Conflict, "a piece of a tool call names another call"));
        }
        let number = match event.member("command_index") {
            Some(Json::Number(number)) => number.as_i64().filter(|number| (0..PIECES_MAX).contains(number)),
            None => Some(0),
            Some(_) => None,
        };
        let number = number.ok_or_else(|| item::wrong("command_index"))?;
        let piece = self.pieces.entry(number).or_default();
        let text = |name: &'static str| match event.member(name) {
            Some(Json::String(text)) => Ok(text),
            _ => Err(item::wrong(name)),
        };
        if piece.whole.is_some() {
            return Err(Fault::new(Problem::Conflict, "a piece of a tool call behind its last one"));
        }
        let taken = match step {
            "delta" => text("delta")?,
            "added" => text(member)?,
            "done" => {
                let whole = text(member)?;
                piece.whole = Some(whole.clone());
                return Ok(whole.len());
            }
            _ => return Err(item::wrong("type")),
        };
        piece.text.push_str(taken);
        Ok(taken.len())
    }

    /// Whether the item is this one, whatever became of it.
    pub(super) fn is_of(&self, item: &Json) -> bool {
        ["type", "id", "call_id"].iter().all(|name| self.item.member(name) == item.member(name))
    }

    /// Makes sure that it ends as it was announced and told.
    pub(super) fn matches(self, item: &Json) -> Result<(), Fault> {
        item::check(item)?;
        let is_other = |name: &&str| {
            let (before, now) = (self.item.member(name), item.member(name));
            let is_set = |value: &&Json| !matches!(value, Json::Null);
            before.filter(is_set) != now.filter(is_set) && before.filter(is_set).is_some()
        };
        if let Some(name) = NAMES.iter().find(|name| is_other(name)) {
            let what = "a tool call ends as another one than it began as";
            return Err(Fault::new(Problem::Conflict, what).under_member(name));
        }
        // What was announced may still be empty, and nothing else than what it ends as.
        for name in ["action", "operation"] {
            let announced = self.item.member(name).filter(|value| !is_empty(value));
            if announced.is_some() && announced != item.member(name) {
                let what = "a tool call ends as another one than it began as";
                return Err(Fault::new(Problem::Conflict, what).under_member(name));
            }
        }
        for (number, piece) in &self.pieces {
            let said = told(item, *number);
            let is_same = |text: &str| said == Some(text);
            let added_up = piece.text.is_empty() || is_same(&piece.text);
            if !added_up || !piece.whole.as_deref().is_none_or(is_same) {
                return Err(Fault::new(
                    Problem::Conflict,
                    "the pieces of a tool call do not make up its whole",
                ));
            }
        }
        Ok(())
    }
}

/// Whether a value says nothing yet, however deep.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.iter().all(is_empty),
        Json::Object(members) => members.iter().all(|(name, value)| name == "type" || is_empty(value)),
        _ => false,
    }
}

/// What the item says that piece is.
fn told(item: &Json, number: i64) -> Option<&str> {
    let value = match item.member("type").and_then(Json::as_str)? {
        "function_call" | "mcp_call" | "tool_search_call" | "mcp_approval_request" => {
            item.member("arguments")?
        }
        "custom_tool_call" => item.member("input")?,
        "code_interpreter_call" | "program" => item.member("code")?,
        "shell_call" => {
            let commands = item.at(&["action", "commands"])?.items();
            commands.get(usize::try_from(number).ok()?)?
        }
        "apply_patch_call" => item.at(&["operation", "diff"])?,
        _ => return None,
    };
    value.as_str()
}
