//! Bedrock's Converse and its stream: text flows, and a tool call is held from its block's start to its end.
//!
//! Blocks of a stream come one behind another. Nothing else may come while a call is open: it would overtake it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;

use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse::Event;
use crate::classify::answer::whole::Edit;
use crate::classify::answer::{frames, made};
use crate::classify::fault::Fault;
use crate::classify::strict_json::{Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::{Decimal, Dialect, Json};

/// Calls of one answer.
const CALLS_MAX: usize = 128;

/// Members of a block that say something and ask for nothing.
const SAYING: [&str; 9] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "guardContent",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];
const BLOCK: [&str; 2] = ["toolUse", "toolResult"];
const START: [&str; 3] = ["toolUse", "toolResult", "image"];
const DELTA: [&str; 6] = ["text", "toolUse", "toolResult", "reasoningContent", "citation", "image"];
const TOOL_USE: [&str; 4] = ["toolUseId", "name", "input", "type"];
const TOOL_RESULT: [&str; 4] = ["toolUseId", "type", "status", "content"];
const ANSWER: [&str; 3] = ["output", "stopReason", "usage"];

/// A call of a tool.
#[derive(Clone, Debug, Default)]
struct Call {
    id: String,
    name: String,
    /// Whether the provider runs it.
    is_hosted: bool,
    input: String,
}

/// The block that is held.
#[derive(Debug)]
struct Open {
    index: u64,
    what: What,
    raw: Vec<Bytes>,
    /// Bytes of them.
    held: usize,
    /// Its end has come.
    is_whole: bool,
}

#[derive(Debug)]
enum What {
    Call(Call),
    /// What came of a call that was refused: nobody sees it.
    Refused,
}

/// Reads one stream.
#[derive(Debug)]
struct Converse {
    provider: String,
    bounds: Bounds,
    open: Option<Open>,
    /// Whether each call of a tool that the provider runs was let through, by its id.
    hosted: BTreeMap<String, bool>,
    /// The last block that was a call.
    last: Option<u64>,
    calls: usize,
    tally: Tally,
    /// An exception ended the stream.
    is_broken: bool,
}

/// What became of the calls of the caller's tools.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kept: usize,
    refused: usize,
}

impl Tally {
    /// The reason to stop, where it is another one without the calls that were refused.
    fn stop_reason(self, reason: &str) -> Option<&'static str> {
        (reason == "tool_use" && self.kept == 0 && self.refused > 0).then_some("end_turn")
    }
}

/// How a stream is read.
pub(super) fn script(provider: &str, bounds: &Bounds) -> Option<Box<dyn Script>> {
    Some(Box::new(Converse {
        provider: provider.to_owned(),
        bounds: *bounds,
        open: None,
        hosted: BTreeMap::new(),
        last: None,
        calls: 0,
        tally: Tally::default(),
        is_broken: false,
    }))
}

/// The event that ends a stream before its own end.
#[must_use]
pub fn cut_converse(message: &str) -> Bytes {
    frames::write_exception("internalServerException", &json!({"message": message}).to_string())
}

impl Script for Converse {
    fn event(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        let name = event.name.unwrap_or_default();
        if name.starts_with(frames::EXCEPTION) {
            // What was held never came to its end, so nobody can have meant it.
            self.open = None;
            self.is_broken = true;
            output.send(event.raw);
            return Ok(());
        }
        if self.is_broken {
            return Err(Fault::new(Problem::Conflict, "the stream goes on behind its end"));
        }
        let tree = Reader::new(&event.data.unwrap_or_default(), &self.bounds)?.whole()?;
        match name.as_str() {
            "contentBlockStart" => self.start(&tree, event.raw, output),
            "contentBlockDelta" => self.delta(&tree, event.raw, output),
            "contentBlockStop" => self.stop(&tree, event.raw, output),
            _ if self.open.is_some() => Err(Fault::new(Problem::Conflict, "a tool call that does not end")),
            "messageStop" => self.message_stop(tree, event.raw, output),
            "messageStart" | "metadata" => {
                output.send(event.raw);
                Ok(())
            }
            _ => Err(Fault::new(Problem::Conflict, "an event of a kind that is not read")),
        }
    }

    fn end(&mut self, _output: &mut Output) -> Result<(), Fault> {
        match self.open {
            Some(_) => Err(Fault::new(Problem::Syntax, "the stream ended inside a tool call")),
            None => Ok(()),
        }
    }

    fn question(&mut self) -> Option<Question> {
        match self.open.as_ref()? {
            Open { what: What::Call(call), is_whole: true, .. } => {
                Some(call.question(&self.provider, &self.bounds))
            }
            _ => None,
        }
    }

    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault> {
        let Some(Open { index, what: What::Call(call), raw, .. }) = self.open.take() else { return Ok(()) };
        let refused = match judgement {
            Judgement::Refused { text } => Some(text),
            Judgement::Released | Judgement::Shown(_) => None,
        };
        if call.is_hosted {
            self.hosted.insert(call.id, refused.is_none());
        } else if refused.is_some() {
            self.tally.refused += 1;
        } else {
            self.tally.kept += 1;
        }
        match refused {
            None => raw.into_iter().for_each(|raw| output.send(raw)),
            Some(text) => say(index, &text, raw.last(), output),
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.held)
    }
}

impl Converse {
    fn start(&mut self, tree: &Json, raw: Bytes, output: &mut Output) -> Result<(), Fault> {
        let index = index_in(tree)?;
        if self.open.is_some() || self.last.is_some_and(|last| index <= last) {
            return Err(Fault::new(Problem::Conflict, "a block starts inside another one, or twice"));
        }
        let start = given(tree, "start").ok_or_else(|| wrong("start"))?;
        let what = match only(start, &START)? {
            Some(("toolUse", call)) => {
                self.calls += 1;
                if self.calls > CALLS_MAX {
                    return Err(too_many());
                }
                What::Call(Call::read(call)?)
            }
            Some(("toolResult", result)) => match self.hosted.get(result_id(result)?.as_str()) {
                Some(false) => What::Refused,
                Some(true) => {
                    output.send(raw);
                    return Ok(());
                }
                None => return Err(uncalled()),
            },
            _ => {
                output.send(raw);
                return Ok(());
            }
        };
        self.last = Some(index);
        let held = raw.len();
        self.open = Some(Open { index, what, raw: vec![raw], held, is_whole: false });
        Ok(())
    }

    fn delta(&mut self, tree: &Json, raw: Bytes, output: &mut Output) -> Result<(), Fault> {
        let index = index_in(tree)?;
        let delta = given(tree, "delta").ok_or_else(|| wrong("delta"))?;
        let kind = only(delta, &DELTA)?;
        let Some(open) = &mut self.open else {
            let is_late = self.last.is_some_and(|last| index <= last);
            if is_late || matches!(kind, Some(("toolUse", _))) {
                return Err(Fault::new(Problem::Conflict, "a piece of a tool call that is not open"));
            }
            output.send(raw);
            return Ok(());
        };
        match (&mut open.what, kind) {
            _ if index != open.index => {
                return Err(Fault::new(Problem::Conflict, "a piece of another block inside a tool call"));
            }
            (What::Call(call), Some(("toolUse", piece))) => {
                check(piece, &TOOL_USE)?;
                call.input.push_str(&text(piece, "input")?);
            }
            (What::Refused, Some(("toolResult", _))) => {}
            _ => return Err(Fault::new(Problem::Conflict, "a piece of another kind inside a block")),
        }
        open.held = open.held.saturating_add(raw.len());
        open.raw.push(raw);
        Ok(())
    }

    fn stop(&mut self, tree: &Json, raw: Bytes, output: &mut Output) -> Result<(), Fault> {
        let index = index_in(tree)?;
        let Some(mut open) = self.open.take() else {
            if self.last.is_some_and(|last| index <= last) {
                return Err(Fault::new(Problem::Conflict, "a block ends twice"));
            }
            output.send(raw);
            return Ok(());
        };
        if index != open.index {
            return Err(Fault::new(Problem::Conflict, "another block ends inside a tool call"));
        }
        open.held = open.held.saturating_add(raw.len());
        open.raw.push(raw);
        open.is_whole = true;
        match open.what {
            What::Call(_) => self.open = Some(open),
            What::Refused => say(index, "", open.raw.last(), output),
        }
        Ok(())
    }

    fn message_stop(&mut self, mut tree: Json, raw: Bytes, output: &mut Output) -> Result<(), Fault> {
        check(&tree, &["stopReason"])?;
        let reason = text(&tree, "stopReason")?;
        output.send(match self.tally.stop_reason(&reason) {
            Some(reason) => {
                tree.set("stopReason", Json::text_of(reason));
                frames::write("messageStop", &tree.text())
            }
            None => raw,
        });
        Ok(())
    }
}

/// A block of text in place of another one, with that one's own end.
fn say(index: u64, text: &str, end: Option<&Bytes>, output: &mut Output) {
    let index = Json::Number(Decimal::from(i64::try_from(index).unwrap_or(i64::MAX)));
    let text = Json::object([("text", Json::text_of(text))]);
    let delta = Json::object([("contentBlockIndex", index), ("delta", text)]);
    output.send(frames::write("contentBlockDelta", &delta.text()));
    if let Some(end) = end {
        output.send(end.clone());
    }
}

impl Call {
    fn read(call: &Json) -> Result<Self, Fault> {
        check(call, &TOOL_USE)?;
        let is_hosted = match text(call, "type")?.as_str() {
            "" => false,
            "server_tool_use" => true,
            _ => return Err(Fault::new(Problem::Conflict, "a tool call of a type that is not read")),
        };
        let input = given(call, "input").map(Json::text).unwrap_or_default();
        Ok(Self { id: text(call, "toolUseId")?, name: text(call, "name")?, is_hosted, input })
    }

    fn question(&self, provider: &str, bounds: &Bounds) -> Question {
        match self.is_hosted {
            true => made::hosted_from_text(Dialect::Bedrock, provider, &self.name, &self.input, bounds),
            false => made::from_text(Dialect::Bedrock, &self.name, &self.input, bounds),
        }
    }
}

/// What a block of a whole answer is.
enum Found {
    Said,
    Call(Call),
    /// What came of a call of that id.
    Result(String),
}

fn found(block: &Json) -> Result<Found, Fault> {
    let known: Vec<&'static str> = SAYING.into_iter().chain(BLOCK).collect();
    Ok(match only(block, &known)? {
        Some(("toolUse", call)) => Found::Call(Call::read(call)?),
        Some(("toolResult", result)) => Found::Result(result_id(result)?),
        _ => Found::Said,
    })
}

/// The calls in a whole answer, in order.
pub(super) fn questions(answer: &Json, provider: &str, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    check(answer, &ANSWER)?;
    let Some(output) = given(answer, "output") else { return Ok(Vec::new()) };
    let Some(("message", message)) = only(output, &["message"])? else { return Ok(Vec::new()) };
    check(message, &["content", "role"])?;
    let mut questions = Vec::new();
    let mut hosted: Vec<String> = Vec::new();
    let blocks = match given(message, "content") {
        None => &[],
        Some(Json::Array(blocks)) => blocks.as_slice(),
        Some(_) => return Err(wrong("content")),
    };
    for block in blocks {
        match found(block)? {
            Found::Said => {}
            Found::Result(id) if hosted.contains(&id) => {}
            Found::Result(_) => return Err(uncalled()),
            Found::Call(_) if questions.len() == CALLS_MAX => return Err(too_many()),
            Found::Call(call) => {
                questions.push(call.question(provider, bounds));
                if call.is_hosted {
                    hosted.push(call.id);
                }
            }
        }
    }
    Ok(questions)
}

/// Tells an answer without the calls that were refused: each is a text in the place where it stood.
pub(super) fn rewrite(answer: &mut Json, edits: &[Edit]) -> Result<(), Fault> {
    let mut edits = edits.iter();
    let mut tally = Tally::default();
    let mut refused_ids: Vec<String> = Vec::new();
    let message = answer.member_mut("output").and_then(|output| output.member_mut("message"));
    if let Some(Json::Array(blocks)) = message.and_then(|message| message.member_mut("content")) {
        for block in blocks {
            let said = match found(block)? {
                Found::Said => continue,
                Found::Result(id) => refused_ids.contains(&id).then(String::new),
                Found::Call(call) => {
                    let refused = match edits.next() {
                        Some(Edit::Replace(text)) => Some(text.clone()),
                        _ => None,
                    };
                    match (call.is_hosted, refused.is_some()) {
                        (true, true) => refused_ids.push(call.id),
                        (true, false) => {}
                        (false, true) => tally.refused += 1,
                        (false, false) => tally.kept += 1,
                    }
                    refused
                }
            };
            if let Some(text) = said {
                *block = Json::object([("text", Json::String(text))]);
            }
        }
    }
    let reason = answer.member("stopReason").and_then(Json::as_str).unwrap_or_default();
    if let Some(reason) = tally.stop_reason(reason) {
        answer.set("stopReason", Json::text_of(reason));
    }
    Ok(())
}

/// Sets a request's body right after tools were taken out of it: no empty list, and no choice of a tool that is gone.
pub(super) fn tidy(body: &mut Json) {
    let Some(config) = body.member_mut("toolConfig") else { return };
    let tools = config.member("tools").map(Json::items).unwrap_or_default();
    let name = |tool: &Json| {
        let spec = tool.member("toolSpec").or_else(|| tool.member("systemTool"));
        spec.and_then(|spec| spec.member("name")?.as_str()).map(str::to_owned)
    };
    let left: Vec<String> = tools.iter().filter_map(name).collect();
    if left.is_empty() {
        body.remove("toolConfig");
        return;
    }
    let chosen = config.at(&["toolChoice", "tool", "name"]).and_then(Json::as_str);
    if chosen.is_some_and(|chosen| !left.iter().any(|left| left == chosen)) {
        config.remove("toolChoice");
    }
}

/// The one member of a union that is given.
fn only<'a>(union: &'a Json, known: &[&'static str]) -> Result<Option<(&'static str, &'a Json)>, Fault> {
    check(union, known)?;
    let Json::Object(members) = union else { return Err(wrong("content")) };
    let mut found = None;
    for (name, value) in members.iter().filter(|(_, value)| *value != Json::Null) {
        let Some(name) = known.iter().find(|known| *known == name) else {
            let what = "a block of a kind that is not read";
            return Err(Fault::new(Problem::Conflict, what).under_member(name));
        };
        if found.replace((*name, value)).is_some() {
            return Err(Fault::new(Problem::Conflict, "a block that is two things at once"));
        }
    }
    Ok(found)
}

/// Refuses names that some client could take for those that are judged.
fn check(object: &Json, known: &[&'static str]) -> Result<(), Fault> {
    let Json::Object(members) = object else { return Err(wrong("content")) };
    members.iter().try_for_each(|(name, _)| known_spelling(name, known))
}

fn result_id(result: &Json) -> Result<String, Fault> {
    check(result, &TOOL_RESULT)?;
    text(result, "toolUseId")
}

fn index_in(tree: &Json) -> Result<u64, Fault> {
    check(tree, &["contentBlockIndex", "start", "delta"])?;
    let index = match tree.member("contentBlockIndex") {
        Some(Json::Number(number)) => number.as_i64().and_then(|number| u64::try_from(number).ok()),
        _ => None,
    };
    index.ok_or_else(|| wrong("contentBlockIndex"))
}

fn given<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    object.member(name).filter(|value| **value != Json::Null)
}

/// A member that is a string, or not there.
fn text(object: &Json, name: &'static str) -> Result<String, Fault> {
    match given(object, name) {
        None => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(name)),
    }
}

fn wrong(name: &str) -> Fault {
    Fault::new(Problem::WrongType, "this is of another type than the API's").under_member(name)
}

fn uncalled() -> Fault {
    Fault::new(Problem::Conflict, "the result of a tool of the provider's that nobody called")
}

fn too_many() -> Fault {
    Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer")
}

#[cfg(test)]
mod tests;
