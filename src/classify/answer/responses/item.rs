//! The items of a response: which of them call something, what, and what is said in their place.

use crate::classify::answer::made;
use crate::classify::answer::script::{Made, Question};
use crate::classify::fault::{Fault, shown};
use crate::classify::names::check_name;
use crate::classify::responses::{hosted_name, qualified, server_name};
use crate::classify::strict_json::{Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::{Action, Decimal, Dialect, Digest, Json, Target};

/// Types of items that call nothing: what was said, and what came of calls.
const SAID: [&str; 14] = [
    "message",
    "reasoning",
    "compaction",
    "configuration_update",
    "program_output",
    "function_call_output",
    "custom_tool_call_output",
    "computer_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
    "tool_search_output",
    "additional_tools",
    "mcp_approval_response",
];

/// Members that decide what an item is.
const ITEM: [&str; 18] = [
    "type",
    "id",
    "call_id",
    "name",
    "namespace",
    "arguments",
    "input",
    "action",
    "actions",
    "operation",
    "code",
    "server_label",
    "execution",
    "environment",
    "queries",
    "container_id",
    "tool_calls",
    "function_call",
];

/// Members of a call to a tool of the provider's that a pact never judges: what it is called by, and what came of it.
const UNJUDGED: [&str; 11] = [
    "type",
    "id",
    "call_id",
    "status",
    "result",
    "results",
    "output",
    "outputs",
    "error",
    "created_by",
    "fingerprint",
];

/// What an item is, for comparing it with what is said of it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Act {
    kind: String,
    id: Option<String>,
    call_id: Option<String>,
    /// Digest of what it asks for: what a hostile answer makes us keep of each call has to be small.
    asked: Option<Digest>,
}

impl Act {
    /// What an item calls, given the question that it raised.
    pub(super) fn of(item: &Json, question: &Question) -> Result<Self, Fault> {
        let asked = match question {
            Question::Call(Made::Call(Action { target, fields, .. })) => {
                Some(Digest::of(format!("{target} {}", fields.canonical()).as_bytes()))
            }
            _ => None,
        };
        Ok(Self { asked, ..Self::named(item)? })
    }

    /// The item by its names alone.
    pub(super) fn named(item: &Json) -> Result<Self, Fault> {
        let named = |name: &str| item.member(name).and_then(Json::as_str).map(str::to_owned);
        Ok(Self { kind: kind(item)?.to_owned(), id: named("id"), call_id: named("call_id"), asked: None })
    }

    /// Whether the other one has the same names.
    pub(super) fn is_named_as(&self, other: &Self) -> bool {
        (&self.kind, &self.id, &self.call_id) == (&other.kind, &other.id, &other.call_id)
    }
}

/// The type of an item.
pub(super) fn kind(item: &Json) -> Result<&str, Fault> {
    distinct(item, &ITEM)?;
    match item.member("type") {
        Some(Json::String(kind)) => Ok(kind),
        Some(_) => Err(wrong("type")),
        None => Err(missing("type")),
    }
}

/// Whether an item of that type calls nothing. One of an unknown type may.
pub(super) fn is_said(kind: &str) -> bool {
    SAID.contains(&kind)
}

/// Makes sure that names are texts.
pub(super) fn check(item: &Json) -> Result<(), Fault> {
    for name in ["id", "call_id", "name", "namespace", "server_label", "execution"] {
        if !matches!(item.member(name), None | Some(Json::Null | Json::String(_))) {
            return Err(wrong(name));
        }
    }
    Ok(())
}

/// What an item that calls something asks.
pub(super) fn question(provider: &str, item: &Json, bounds: &Bounds) -> Result<Question, Fault> {
    check(item)?;
    let kind = kind(item)?;
    let text = |name: &str| item.member(name).and_then(Json::as_str).unwrap_or_default();
    let place = item.at(&["environment", "type"]).and_then(Json::as_str);
    let run_here = |name: &str, args: Json| made::question(Dialect::OpenAi, name, Ok(args), bounds);
    let member = |name: &str| item.member(name).cloned().unwrap_or_default();
    let asked = match kind {
        "function_call" | "custom_tool_call" => named(item, bounds),
        "local_shell_call" => Ok(run_here("local_shell", member("action"))),
        "shell_call" if matches!(place, None | Some("local")) => Ok(run_here("shell", member("action"))),
        "apply_patch_call" => Ok(run_here("apply_patch", member("operation"))),
        "computer_call" => Ok(run_here("computer", settings(item))),
        "tool_search_call" if text("execution") == "client" => Ok(run_here("tool_search", settings(item))),
        "mcp_call" | "mcp_approval_request" | "mcp_list_tools" => server(provider, item, bounds),
        "program" => Ok(hosted(provider, "programmatic_tool_calling".to_owned(), settings(item))),
        "web_search_call"
        | "file_search_call"
        | "code_interpreter_call"
        | "image_generation_call"
        | "shell_call"
        | "tool_search_call" => {
            let name = hosted_name(kind.strip_suffix("_call").unwrap_or(kind));
            Ok(hosted(provider, name.to_owned(), settings(item)))
        }
        _ => {
            Err(Fault::new(Problem::WrongType, "an item of a type that is not read here")
                .under_member("type"))
        }
    };
    Ok(asked.unwrap_or_else(|fault| {
        Question::Call(Made::Unreadable {
            attempted: format!("{} `{}`", shown(kind), shown(text("name"))),
            detail: format!("{} ({})", fault.detail(), fault.problem().name()),
        })
    }))
}

/// A call of a function or of a custom tool.
fn named(item: &Json, bounds: &Bounds) -> Result<Question, Fault> {
    let text = |name: &'static str| match item.member(name) {
        Some(Json::String(text)) => Ok(text.as_str()),
        None | Some(Json::Null) => Ok(""),
        Some(_) => Err(wrong(name)),
    };
    let name = text("name")?;
    check_name(name, bounds.name_bytes).map_err(|fault| fault.under_member("name"))?;
    let name = qualified(item.member("namespace").and_then(Json::as_str), name)?;
    Ok(match kind(item)? {
        "custom_tool_call" => made::from_input(Dialect::OpenAi, &name, text("input")?.to_owned(), bounds),
        _ => made::from_text(Dialect::OpenAi, &name, text("arguments")?, bounds),
    })
}

/// A call to a server that the provider calls, or the question whether it may.
fn server(provider: &str, item: &Json, bounds: &Bounds) -> Result<Question, Fault> {
    let label = item.member("server_label").and_then(Json::as_str).unwrap_or_default();
    check_name(label, bounds.name_bytes).map_err(|fault| fault.under_member("server_label"))?;
    let mut args = Json::Object(Vec::new());
    if kind(item)? != "mcp_list_tools" {
        let name = item.member("name").and_then(Json::as_str).unwrap_or_default();
        check_name(name, bounds.name_bytes).map_err(|fault| fault.under_member("name"))?;
        args.set("name", Json::text_of(name));
        let text = item.member("arguments").and_then(Json::as_str).unwrap_or_default();
        let text = if text.trim().is_empty() { "{}" } else { text };
        let mut reader = Reader::new(text.as_bytes(), bounds)?;
        let read = reader.tree().and_then(|tree| reader.end().map(|()| tree));
        args.set("arguments", read.map_err(|fault| fault.under_member("arguments"))?);
    }
    Ok(hosted(provider, server_name(label)?, args))
}

fn hosted(provider: &str, name: String, args: Json) -> Question {
    Question::Call(Made::Call(Action {
        target: Target::HostedTool { provider: provider.to_owned(), name },
        fields: Json::object([("args", args)]),
        dialect: Dialect::OpenAi,
    }))
}

/// What a call is made with.
fn settings(item: &Json) -> Json {
    let Json::Object(members) = item else { return Json::Object(Vec::new()) };
    let kept = members.iter().filter(|(name, _)| !UNJUDGED.contains(&name.as_str()));
    Json::Object(kept.cloned().collect())
}

/// The message that stands in place of a refused item.
pub(super) fn message(act: &Act, index: i64, text: &str) -> Json {
    let id = match &act.id {
        Some(id) => format!("msg_{id}"),
        None => format!("msg_{index}"),
    };
    Json::object([
        ("id", Json::String(id)),
        ("type", Json::text_of("message")),
        ("status", Json::text_of("completed")),
        ("role", Json::text_of("assistant")),
        ("content", Json::Array(vec![part(text)])),
    ])
}

fn part(text: &str) -> Json {
    Json::object([
        ("type", Json::text_of("output_text")),
        ("annotations", Json::Array(Vec::new())),
        ("logprobs", Json::Array(Vec::new())),
        ("text", Json::text_of(text)),
    ])
}

/// The events that tell a message, with their types. `first` is the number of the first one, where events have any.
pub(super) fn events(message: &Json, index: i64, first: Option<i64>) -> Vec<(&'static str, Json)> {
    let text = message.member("content").and_then(|parts| parts.items().first()?.member("text"));
    let text = text.and_then(Json::as_str).unwrap_or_default();
    let mut begun = message.clone();
    begun.set("status", Json::text_of("in_progress"));
    begun.set("content", Json::Array(Vec::new()));
    let number = |number: i64| Json::Number(Decimal::from(number));
    let item_id = ("item_id", message.member("id").cloned().unwrap_or_default());
    let content_index = ("content_index", number(0));
    let logprobs = ("logprobs", Json::Array(Vec::new()));
    let of_part = [item_id, content_index];
    let with = |more: Vec<(&'static str, Json)>| [of_part.to_vec(), more].concat();
    let told = [
        ("response.output_item.added", vec![("item", begun)]),
        ("response.content_part.added", with(vec![("part", part(""))])),
        ("response.output_text.delta", with(vec![("delta", Json::text_of(text)), logprobs.clone()])),
        ("response.output_text.done", with(vec![("text", Json::text_of(text)), logprobs])),
        ("response.content_part.done", with(vec![("part", part(text))])),
        ("response.output_item.done", vec![("item", message.clone())]),
    ];
    let mut events = Vec::with_capacity(told.len());
    for (place, (kind, members)) in told.into_iter().enumerate() {
        let mut event = Json::object([("type", Json::text_of(kind))]);
        if let Some(first) = first {
            event.set("sequence_number", number(first.saturating_add(i64::try_from(place).unwrap_or(0))));
        }
        event.set("output_index", number(index));
        members.into_iter().for_each(|(name, value)| event.set(name, value));
        events.push((kind, event));
    }
    events
}

/// Refuses names that some client could take for those that are judged.
pub(super) fn distinct(object: &Json, known: &'static [&'static str]) -> Result<(), Fault> {
    let Json::Object(members) = object else { return Err(wrong("output")) };
    members.iter().try_for_each(|(name, _)| known_spelling(name, known))
}

pub(super) fn missing(name: &str) -> Fault {
    Fault::new(Problem::MissingField, "an item or its event lacks this").under_member(name)
}

pub(super) fn wrong(name: &str) -> Fault {
    Fault::new(Problem::WrongType, "this is of another type than the API's").under_member(name)
}

/// Sets a request's body right after tools were taken out of it: no empty list, and no choice of a tool that is gone.
pub(in crate::classify::answer) fn tidy(body: &mut Json) {
    for list in ["tools", "input"] {
        let Some(Json::Array(items)) = body.member_mut(list) else { continue };
        for item in items.iter_mut() {
            if let Some(Json::Array(tools)) = item.member_mut("tools") {
                tools.retain(|tool| !is_emptied(tool));
            }
        }
        items.retain(|item| !is_emptied(item));
    }
    if matches!(body.member("tools"), Some(Json::Array(tools)) if tools.is_empty()) {
        body.remove("tools");
    }
    let items = |list: &str| body.member(list).map(Json::items).unwrap_or_default();
    let mut left: Vec<Names> = items("tools").iter().map(names).collect();
    items("tools").iter().chain(items("input")).for_each(|holder| gather(holder, &mut left));
    let is_left = |chosen: &Json| {
        let chosen = names(chosen);
        left.iter().any(|tool| tool.iter().zip(&chosen).all(|(is, due)| due.is_none() || is == due))
    };
    let Some(choice) = body.member_mut("tool_choice") else { return };
    let kind = choice.member("type").and_then(Json::as_str);
    if kind == Some("allowed_tools") && !left.is_empty() {
        let Some(Json::Array(allowed)) = choice.member_mut("tools") else { return };
        allowed.retain(is_left);
        if allowed.is_empty() {
            body.set("tool_choice", Json::text_of("none"));
        }
    } else if left.is_empty() || (kind.is_some() && !is_left(choice)) {
        body.remove("tool_choice");
    }
}

/// Whether a namespace or an item holds no tool any more.
fn is_emptied(holder: &Json) -> bool {
    let kind = holder.member("type").and_then(Json::as_str);
    matches!(kind, Some("namespace" | "additional_tools"))
        && matches!(holder.member("tools"), Some(Json::Array(tools)) if tools.is_empty())
}

/// What a choice of a tool may tell it by.
type Names = [Option<Json>; 3];

fn names(tool: &Json) -> Names {
    ["type", "name", "server_label"].map(|name| tool.member(name).cloned())
}

/// The tools inside a namespace or an item.
fn gather(holder: &Json, found: &mut Vec<Names>) {
    for tool in holder.member("tools").map(Json::items).unwrap_or_default() {
        found.push(names(tool));
        found.extend(tool.member("tools").map(Json::items).unwrap_or_default().iter().map(names));
    }
}
