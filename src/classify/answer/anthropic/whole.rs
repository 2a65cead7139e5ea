//! A message that is no stream, and a request's body after tools were taken out of it.

use crate::classify::Bounds;
use crate::classify::answer::Expected;
use crate::classify::answer::anthropic::block::{Block, Ledger, Turn, WITHHELD};
use crate::classify::answer::anthropic::wrong;
use crate::classify::answer::script::Question;
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::classify::strict_json::known_spelling;
use crate::domain::Json;

/// Members that decide what a message is.
const MESSAGE: [&str; 3] = ["type", "content", "stop_reason"];

/// The calls in a whole answer.
pub(in crate::classify::answer) fn questions(
    expected: &Expected,
    answer: &Json,
    bounds: &Bounds,
) -> Result<Vec<Question>, Fault> {
    let Json::Object(members) = answer else { return Err(wrong("content")) };
    members.iter().try_for_each(|(name, _)| known_spelling(name, &MESSAGE))?;
    let mut ledger = Ledger::default();
    let mut questions = Vec::new();
    for block in content(answer)? {
        let block = Block::of(block)?;
        if ledger.turn(&block, expected)? == Turn::Asked {
            questions.push(block.question(expected, "", bounds));
        }
    }
    Ok(questions)
}

fn content(answer: &Json) -> Result<&[Json], Fault> {
    match answer.member("content") {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(blocks)) => Ok(blocks),
        Some(_) => Err(wrong("content")),
    }
}

/// Tells an answer without the calls that were refused: what is said of each stands in its place.
pub(in crate::classify::answer) fn rewrite(
    expected: &Expected,
    answer: &mut Json,
    edits: &[Edit],
) -> Result<(), Fault> {
    let mut edits = edits.iter();
    let mut ledger = Ledger::default();
    let Some(Json::Array(blocks)) = answer.member_mut("content") else { return Ok(()) };
    for held in blocks {
        let block = Block::of(held)?;
        let said = match ledger.turn(&block, expected)? {
            Turn::Flows => continue,
            Turn::Withheld => WITHHELD,
            Turn::Asked => {
                let refused = match edits.next() {
                    Some(Edit::Replace(text)) => Some(text.as_str()),
                    _ => None,
                };
                ledger.judged(&block, refused.is_some());
                let Some(text) = refused else { continue };
                text
            }
        };
        *held = Json::object([("type", Json::text_of("text")), ("text", Json::text_of(said))]);
    }
    let told = answer.member("stop_reason").and_then(Json::as_str).and_then(|said| ledger.stop_reason(said));
    if let Some(told) = told {
        answer.set("stop_reason", Json::text_of(told));
    }
    Ok(())
}

/// Sets a request's body right after tools were taken out of it: the API refuses a choice of a tool that is not
/// there, and a message that says nothing.
pub(in crate::classify::answer) fn tidy(body: &mut Json) {
    for list in ["mcp_servers", "system"] {
        if matches!(body.member(list), Some(Json::Array(items)) if items.is_empty()) {
            body.remove(list);
        }
    }
    if let Some(Json::Array(messages)) = body.member_mut("messages") {
        messages.retain(|message| {
            let is_system = message.member("role").and_then(Json::as_str) == Some("system");
            let is_empty =
                matches!(message.member("content"), Some(Json::Array(blocks)) if blocks.is_empty());
            !(is_system && is_empty)
        });
    }
    if body.member("tools").is_some_and(|tools| *tools == Json::Array(Vec::new())) {
        body.remove("tools");
    }
    let names = defined(body);
    let chosen = body.at(&["tool_choice", "name"]).and_then(Json::as_str);
    let is_gone = chosen.is_some_and(|name| !names.iter().any(|known| known == name));
    if body.member("tools").is_none() && names.is_empty() {
        body.remove("tool_choice");
    } else if let (true, Some(choice)) = (is_gone, body.member_mut("tool_choice")) {
        choice.remove("name");
        choice.set("type", Json::text_of("auto"));
    }
}

/// The names of all tools that a request defines: in its list, and in its messages.
fn defined(body: &Json) -> Vec<String> {
    let blocks = items(body, "messages").iter().flat_map(|message| items(message, "content"));
    let inline = blocks.filter_map(|block| block.at(&["tool", "definition"]));
    let tools = items(body, "tools").iter().chain(inline);
    tools.filter_map(|tool| tool.member("name").and_then(Json::as_str).map(str::to_owned)).collect()
}

fn items<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value.member(name).map(Json::items).unwrap_or_default()
}
