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
    told(dialect, name, Ok(arguments), bounds)
}

/// A call whose input is plain text, as of a custom tool.
pub(super) fn from_input(dialect: Dialect, name: &str, input: String, bounds: &Bounds) -> Question {
    let text = Json::object([("input", Json::String(input))]).text();
    told(dialect, name, Ok(&text), bounds)
}

/// A call whose arguments stand in the answer as JSON. They are read once more, as strictly as any arguments.
pub(super) fn question(
    dialect: Dialect,
    name: &str,
    arguments: Result<Json, Fault>,
    bounds: &Bounds,
) -> Question {
    match arguments {
        Ok(arguments) => told(dialect, name, Ok(&arguments.text()), bounds),
        Err(fault) => told(dialect, name, Err(fault), bounds),
    }
}

fn told(dialect: Dialect, name: &str, arguments: Result<&str, Fault>, bounds: &Bounds) -> Question {
    let made = match check_name(name, bounds.name_bytes)
        .map_err(|fault| fault.under_member("name"))
        .and_then(|()| read(arguments?, bounds).map_err(|fault| fault.under_member("arguments")))
    {
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

fn read(arguments: &str, bounds: &Bounds) -> Result<Json, Fault> {
    let mut reader = Reader::new(arguments.as_bytes(), bounds)?;
    let tree = reader.tree()?;
    reader.end()?;
    match tree {
        Json::Object(_) => Ok(tree),
        _ => Err(Fault::new(Problem::WrongType, "the arguments of a call are an object")),
    }
}

/// A call of a tool that the provider runs, seen in its answer.
pub(super) fn hosted_from_text(
    dialect: Dialect,
    provider: &str,
    name: &str,
    arguments: &str,
    bounds: &Bounds,
) -> Question {
    match from_text(dialect, name, arguments, bounds) {
        Question::Call(Made::Call(action)) => {
            let target = Target::HostedTool { provider: provider.to_owned(), name: name.to_owned() };
            Question::Call(Made::Call(Action { target, ..action }))
        }
        unreadable => unreadable,
    }
}
