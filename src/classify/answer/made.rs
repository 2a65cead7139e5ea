//! From what a model wrote to the action it asks for.

use crate::classify::answer::script::{Made, Question};
use crate::classify::fault::{Fault, shown};
use crate::classify::names::check_name;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};
use crate::domain::{Action, Dialect, Json, Target, ToolRef};

/// A call whose arguments are JSON text, as the APIs of OpenAI write it. No text at all is no arguments.
pub(super) fn from_text(dialect: Dialect, name: &str, arguments: &str, bounds: &Bounds) -> Question {
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let read = || {
        let mut reader = Reader::new(arguments.as_bytes(), bounds)?;
        let tree = reader.tree()?;
        reader.end()?;
        Ok(tree)
    };
    question(dialect, name, read().map_err(|fault: Fault| fault.under_member("arguments")), bounds)
}

/// A call whose input is plain text, as of a custom tool.
pub(super) fn from_input(dialect: Dialect, name: &str, input: String, bounds: &Bounds) -> Question {
    question(dialect, name, Ok(Json::object([("input", Json::String(input))])), bounds)
}

/// A call whose arguments have been read.
pub(super) fn question(
    dialect: Dialect,
    name: &str,
    arguments: Result<Json, Fault>,
    bounds: &Bounds,
) -> Question {
    let read = || {
        check_name(name, bounds.name_bytes).map_err(|fault| fault.under_member("name"))?;
        match arguments? {
            arguments @ Json::Object(_) => Ok(arguments),
            _ => {
                let fault = Fault::new(Problem::WrongType, "the arguments of a call are an object");
                Err(fault.under_member("arguments"))
            }
        }
    };
    let made = match read() {
        Ok(arguments) => Made::Call(Action {
            target: Target::Tool(ToolRef::Function(name.to_owned())),
            fields: Json::object([("args", arguments)]),
            dialect,
        }),
        Err(fault) => Made::Unreadable {
            attempted: format!("tool call `{}`", shown(name)),
            detail: format!("{} ({})", fault.detail(), fault.problem().name()),
        },
    };
    Question::Call(made)
}
