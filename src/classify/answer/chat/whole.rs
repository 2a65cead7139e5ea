//! A chat completion that is no stream, and the request that asks for one.

use crate::classify::answer::chat::calls::{Call, distinct, legacy, piece, wrong};
use crate::classify::answer::chat::{CHOICE, CHOICES_MAX, CHUNK, MESSAGE, behind};
use crate::classify::answer::script::Question;
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

/// The calls in a whole answer, in order.
pub(in crate::classify::answer) fn questions(answer: &Json, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    let mut questions = Vec::new();
    for message in messages(answer)? {
        for call in calls(message)? {
            if questions.len() == CHOICES_MAX {
                return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
            }
            questions.push(call.question(bounds));
        }
    }
    Ok(questions)
}

/// The messages of a whole answer.
fn messages(answer: &Json) -> Result<Vec<&Json>, Fault> {
    distinct(answer, &CHUNK)?;
    let mut messages = Vec::new();
    let choices = match answer.member("choices") {
        None | Some(Json::Null) => return Ok(messages),
        Some(Json::Array(choices)) => choices,
        Some(_) => return Err(wrong("choices")),
    };
    for choice in choices {
        distinct(choice, &CHOICE)?;
        if choice.member("delta").is_some_and(|delta| *delta != Json::Null) {
            return Err(Fault::new(Problem::Conflict, "a piece of a stream in a whole answer"));
        }
        let Some(message) = choice.member("message").filter(|message| **message != Json::Null) else {
            continue;
        };
        distinct(message, &MESSAGE)?;
        messages.push(message);
    }
    Ok(messages)
}

fn calls(message: &Json) -> Result<Vec<Call>, Fault> {
    let mut calls = Vec::new();
    match message.member("tool_calls") {
        None | Some(Json::Null) => {}
        Some(Json::Array(items)) => {
            for item in items {
                calls.push(piece(None, item).map(Call::from)?);
            }
        }
        Some(_) => return Err(wrong("tool_calls")),
    }
    match message.member("function_call") {
        None | Some(Json::Null) => {}
        Some(function @ Json::Object(_)) => calls.push(legacy(function).map(Call::from)?),
        Some(_) => return Err(wrong("function_call")),
    }
    Ok(calls)
}

/// Tells an answer without the calls that were refused: what is said of them stands in the message's text.
pub(in crate::classify::answer) fn rewrite(answer: &mut Json, edits: &[Edit]) -> Result<(), Fault> {
    let mut edits = edits.iter();
    let Some(Json::Array(choices)) = answer.member_mut("choices") else { return Ok(()) };
    for choice in choices {
        let message = choice.member_mut("message").filter(|message| **message != Json::Null);
        let Some(message) = message else { continue };
        let before = calls(message)?.len();
        let mut refusals = Vec::new();
        let mut keeps = |_: &Json| match edits.next() {
            Some(Edit::Replace(text)) => {
                refusals.push(text.clone());
                false
            }
            _ => true,
        };
        if let Some(Json::Array(items)) = message.member_mut("tool_calls") {
            items.retain(&mut keeps);
        }
        if message.member("tool_calls").is_some_and(|calls| calls.items().is_empty()) {
            message.remove("tool_calls");
        }
        if message.member("function_call").is_some_and(|call| *call != Json::Null && !keeps(call)) {
            message.remove("function_call");
        }
        if refusals.is_empty() {
            continue;
        }
        let is_left = refusals.len() < before;
        tell(message, &refusals);
        if !is_left {
            stop(choice);
        }
    }
    Ok(())
}

/// Puts what was refused behind what the message says. Some providers write its content as a list of parts.
fn tell(message: &mut Json, refusals: &[String]) {
    if let Some(Json::Array(parts)) = message.member_mut("content") {
        let part = |text: &String| {
            Json::object([("type", Json::text_of("text")), ("text", Json::String(text.clone()))])
        };
        parts.extend(refusals.iter().map(part));
        return;
    }
    let text = message.member("content").and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut said = !text.is_empty();
    let told = refusals.iter().fold(text, |told, refusal| told + &behind(&mut said, refusal));
    message.set("content", Json::String(told));
}

/// A choice that was to end in calls, of which none is left, ends by itself. One that was cut short stays so.
pub(super) fn stop(choice: &mut Json) {
    let reason = choice.member("finish_reason").and_then(Json::as_str);
    if matches!(reason, Some("tool_calls" | "function_call")) {
        choice.set("finish_reason", Json::text_of("stop"));
    }
}

/// Sets a request's body right after tools were taken out of it: the API refuses an empty list, and a choice of a
/// tool that is not there.
pub(in crate::classify::answer) fn tidy(body: &mut Json) {
    for (list, choice) in [("tools", "tool_choice"), ("functions", "function_call")] {
        let Some(Json::Array(items)) = body.member(list) else { continue };
        if items.is_empty() {
            body.remove(list);
            body.remove(choice);
            if list == "tools" {
                body.remove("parallel_tool_calls");
            }
            continue;
        }
        let left: Vec<String> = items.iter().filter_map(named).collect();
        let is_left = |value: &Json| named(value).is_none_or(|name| left.contains(&name));
        let Some(chosen) = body.member_mut(choice) else { continue };
        let allowed = chosen.member_mut("allowed_tools").and_then(|allowed| allowed.member_mut("tools"));
        if let Some(Json::Array(allowed)) = allowed {
            allowed.retain(is_left);
            if allowed.is_empty() {
                body.set(choice, Json::text_of("none"));
            }
        } else if !is_left(chosen) {
            body.set(choice, Json::text_of("auto"));
        }
    }
}

/// The name of a tool, or of a choice of one.
fn named(value: &Json) -> Option<String> {
    let holder = ["function", "custom"].iter().find_map(|holder| value.member(holder)).unwrap_or(value);
    holder.member("name").and_then(Json::as_str).map(str::to_owned)
}
