//! Tool calls of a chat completion, and their pieces.

use crate::classify::answer::made;
use crate::classify::answer::script::Question;
use crate::classify::fault::Fault;
use crate::classify::strict_json::known_spelling;
use crate::classify::{Bounds, Problem};
use crate::domain::{Dialect, Json};

/// Members that decide what a call is.
const CALL: [&str; 5] = ["index", "id", "type", "function", "custom"];
const FUNCTION: [&str; 3] = ["name", "arguments", "input"];

/// A call, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Call {
    id: Option<String>,
    /// Whether it is a custom tool, whose input is plain text; unknown until a piece says so.
    is_custom: Option<bool>,
    name: String,
    input: String,
}

/// A piece of a call.
pub(super) struct Piece {
    /// `None` in the form without one.
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    /// Whether it is of a custom tool, where it says so.
    pub(super) is_custom: Option<bool>,
    pub(super) name: String,
    pub(super) text: String,
}

impl Call {
    /// Takes the next piece.
    pub(super) fn add(&mut self, piece: Piece) -> Result<(), Fault> {
        // Some clients put a name in place of the one before, others behind it.
        if !piece.name.is_empty() && !self.name.is_empty() {
            return Err(Fault::new(Problem::DuplicateKey, "the name of a tool call comes twice"));
        }
        if piece.id.is_some() && self.id.is_some() && piece.id != self.id {
            return Err(Fault::new(Problem::Conflict, "a tool call changes its id"));
        }
        if piece.is_custom.is_some() && self.is_custom.is_some() && piece.is_custom != self.is_custom {
            return Err(Fault::new(Problem::Conflict, "a tool call changes its type"));
        }
        self.name.push_str(&piece.name);
        self.input.push_str(&piece.text);
        self.is_custom = self.is_custom.or(piece.is_custom);
        self.id = self.id.take().or(piece.id);
        Ok(())
    }

    pub(super) fn question(&self, bounds: &Bounds) -> Question {
        match self.is_custom {
            Some(true) => made::from_input(Dialect::OpenAi, &self.name, self.input.clone(), bounds),
            _ => made::from_text(Dialect::OpenAi, &self.name, &self.input, bounds),
        }
    }

    pub(super) fn function(&self) -> Json {
        Json::object([("name", Json::text_of(&self.name)), ("arguments", Json::text_of(&self.input))])
    }

    pub(super) fn told(&self) -> Json {
        let mut told = Json::Object(Vec::new());
        if let Some(id) = &self.id {
            told.set("id", Json::text_of(id));
        }
        if self.is_custom == Some(true) {
            told.set("type", Json::text_of("custom"));
            let custom = [("name", Json::text_of(&self.name)), ("input", Json::text_of(&self.input))];
            told.set("custom", Json::object(custom));
        } else {
            told.set("type", Json::text_of("function"));
            told.set("function", self.function());
        }
        told
    }
}

impl From<Piece> for Call {
    fn from(piece: Piece) -> Self {
        Self { id: piece.id, is_custom: piece.is_custom, name: piece.name, input: piece.text }
    }
}

/// Takes the calls out of a delta.
pub(super) fn take_calls(delta: &mut Json) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    match delta.remove("tool_calls") {
        None | Some(Json::Null) => {}
        Some(Json::Array(calls)) => {
            for call in &calls {
                let index = call.member("index").and_then(whole_number).ok_or_else(|| missing("index"))?;
                pieces.push(piece(Some(index), call)?);
            }
        }
        Some(_) => return Err(wrong("tool_calls")),
    }
    match delta.remove("function_call") {
        None | Some(Json::Null) => {}
        Some(function @ Json::Object(_)) => pieces.push(legacy(&function)?),
        Some(_) => return Err(wrong("function_call")),
    }
    Ok(pieces)
}

/// A call or a piece of one: of a function, or of a custom tool.
pub(super) fn piece(index: Option<u64>, call: &Json) -> Result<Piece, Fault> {
    distinct(call, &CALL)?;
    let is_given = |name: &str| call.member(name).is_some_and(|value| *value != Json::Null);
    if is_given("function") && is_given("custom") {
        return Err(Fault::new(Problem::Conflict, "`function` and `custom` in one tool call"));
    }
    let kind = text(call, "type")?;
    let is_custom = match (kind.as_str(), is_given("function"), is_given("custom")) {
        ("" | "function", true, false) | ("function", false, false) => Some(false),
        ("" | "custom", false, true) | ("custom", false, false) => Some(true),
        ("", false, false) => None,
        _ => return Err(Fault::new(Problem::Conflict, "a tool call of a type that is not read")),
    };
    let id = Some(text(call, "id")?).filter(|id| !id.is_empty());
    let (holder, input) =
        if is_custom == Some(true) { ("custom", "input") } else { ("function", "arguments") };
    let (name, text) = match call.member(holder) {
        None | Some(Json::Null) => (String::new(), String::new()),
        Some(held) => {
            distinct(held, &FUNCTION)?;
            (text(held, "name")?, text(held, input)?)
        }
    };
    Ok(Piece { index, id, is_custom, name, text })
}

/// A call in the form without index, or a piece of it.
pub(super) fn legacy(function: &Json) -> Result<Piece, Fault> {
    distinct(function, &FUNCTION)?;
    let (name, text) = (text(function, "name")?, text(function, "arguments")?);
    Ok(Piece { index: None, id: None, is_custom: Some(false), name, text })
}

/// Refuses names that some client could take for those that are judged.
pub(super) fn distinct(object: &Json, known: &'static [&'static str]) -> Result<(), Fault> {
    let Json::Object(members) = object else { return Err(wrong("choices")) };
    members.iter().try_for_each(|(name, _)| known_spelling(name, known))
}

/// A member that is a string, or not there.
pub(super) fn text(object: &Json, name: &'static str) -> Result<String, Fault> {
    match object.member(name) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(name)),
    }
}

pub(super) fn missing(name: &str) -> Fault {
    Fault::new(Problem::MissingField, "a tool call or its choice lacks this").under_member(name)
}

pub(super) fn wrong(name: &str) -> Fault {
    Fault::new(Problem::WrongType, "this is of another type than the API's").under_member(name)
}

pub(super) fn whole_number(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_i64().and_then(|number| u64::try_from(number).ok()),
        _ => None,
    }
}
