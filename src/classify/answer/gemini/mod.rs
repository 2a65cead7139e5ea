//! Gemini's `generateContent` and its stream, every event of which is a whole response: an event without a call goes
//! on at once, one with calls is held until they are judged.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::classify::answer::made;
use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse::{Event, write};
use crate::classify::answer::whole::{Edit, FOREIGN};
use crate::classify::fault::Fault;
use crate::classify::strict_json::{
    Reader, check_proto, proto_member, proto_member_mut, proto_name, proto_remove,
};
use crate::classify::{Bounds, Problem, Speech};
use crate::domain::{Dialect, Json};

/// Calls in one event, or in one whole answer.
const CALLS_MAX: usize = 128;

/// Members that decide what a response is.
const RESPONSE: [&str; 5] = ["candidates", "promptFeedback", "usageMetadata", "modelVersion", "error"];
const CANDIDATE: [&str; 3] = ["content", "index", "finishReason"];
const CONTENT: [&str; 2] = ["parts", "role"];
const FUNCTION_CALL: [&str; 5] = ["id", "name", "args", "partialArgs", "willContinue"];

/// Members of a part that ask for nothing.
const SAYING: [&str; 14] = [
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
    "audioTranscription",
    "mediaProcessing",
    "speechMetadata",
    "documentMetadata",
    "spreadsheetMetadata",
    "audioMetadata",
];

/// Members of a part that are a call, or what came of one.
const ACTING: [&str; 5] =
    ["functionCall", "toolCall", "toolResponse", "executableCode", "codeExecutionResult"];

/// Whether the last call of each tool that Google runs was let through; `None` while it is being judged.
type Fates = BTreeMap<String, Option<bool>>;

/// What one part is.
enum Found<'a> {
    /// It says something.
    Said,
    /// A call of the caller's function.
    Function(&'a Json),
    /// A call of a tool that Google runs, with its arguments.
    Hosted(String, Json),
    /// What came of such a call.
    Result(String),
}

/// Reads one stream.
#[derive(Debug)]
struct Chunks {
    provider: String,
    bounds: Bounds,
    fates: Fates,
    held: Option<Held>,
}

/// An event whose calls are being judged.
#[derive(Debug)]
struct Held {
    raw: Bytes,
    tree: Json,
    questions: Vec<Question>,
    asked: usize,
    edits: Vec<Edit>,
}

/// How a stream is read.
pub(super) fn script(provider: &str, bounds: &Bounds) -> Option<Box<dyn Script>> {
    let (provider, bounds) = (provider.to_owned(), *bounds);
    Some(Box::new(Chunks { provider, bounds, fates: Fates::new(), held: None }))
}

impl Script for Chunks {
    fn event(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        let Some(data) = event.data else {
            output.send(event.raw);
            return Ok(());
        };
        let tree = Reader::new(&data, &self.bounds)?.whole()?;
        let questions = find(&tree, &self.provider, &mut self.fates, &self.bounds)?;
        let held = Held { raw: event.raw, tree, questions, asked: 0, edits: Vec::new() };
        self.settle(held, output)
    }

    fn end(&mut self, _output: &mut Output) -> Result<(), Fault> {
        Ok(())
    }

    fn question(&mut self) -> Option<Question> {
        let held = self.held.as_mut()?;
        let question = held.questions.get(held.asked)?.clone();
        held.asked += 1;
        Some(question)
    }

    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        held.edits.push(match judgement {
            Judgement::Refused { text } => Edit::Replace(text),
            Judgement::Released | Judgement::Shown(_) => Edit::Keep,
        });
        self.settle(held, output)
    }

    fn held(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.raw.len())
    }
}

impl Chunks {
    /// Lets an event go on, once all of its calls are judged.
    fn settle(&mut self, mut held: Held, output: &mut Output) -> Result<(), Fault> {
        if held.edits.len() < held.questions.len() {
            self.held = Some(held);
            return Ok(());
        }
        let is_changed = tell(&mut held.tree, &held.edits, &mut self.fates)?;
        output.send(if is_changed { write(None, &held.tree.text()) } else { held.raw });
        Ok(())
    }
}

/// The calls in a whole answer, in order.
pub(super) fn questions(answer: &Json, provider: &str, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    find(answer, provider, &mut Fates::new(), bounds)
}

/// Tells an answer without the calls that were refused: each is a text in the place where it stood.
pub(super) fn rewrite(answer: &mut Json, edits: &[Edit]) -> Result<(), Fault> {
    tell(answer, edits, &mut Fates::new()).map(|_| ())
}

/// Checks a response, and finds its calls.
fn find(answer: &Json, provider: &str, fates: &mut Fates, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    if !matches!(answer, Json::Object(_)) {
        return Err(wrong("candidates"));
    }
    check_proto(answer, &RESPONSE)?;
    if let Json::Object(members) = answer
        && Speech::Gemini(String::new()).is_foreign(members.iter().map(|(name, _)| name.as_str()))
    {
        return Err(Fault::new(Problem::Conflict, FOREIGN));
    }
    let mut questions = Vec::new();
    for candidate in list(answer, "candidates")? {
        check_proto(candidate, &CANDIDATE)?;
        let Some(content) = given(candidate, "content") else { continue };
        check_proto(content, &CONTENT)?;
        for part in list(content, "parts")? {
            let question = match found(part)? {
                Found::Said => continue,
                Found::Result(name) if fates.contains_key(&name) => continue,
                Found::Result(_) => {
                    let what = "the result of a tool of the provider's that nobody called";
                    return Err(Fault::new(Problem::Conflict, what));
                }
                Found::Function(call) => function(call, bounds)?,
                Found::Hosted(name, arguments) => {
                    fates.insert(name.clone(), None);
                    made::hosted_from_text(Dialect::Gemini, provider, &name, &arguments.text(), bounds)
                }
            };
            if questions.len() == CALLS_MAX {
                return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
            }
            questions.push(question);
        }
    }
    Ok(questions)
}

/// Puts a text in place of every call that was refused, and nothing in place of what came of it.
fn tell(answer: &mut Json, edits: &[Edit], fates: &mut Fates) -> Result<bool, Fault> {
    let mut edits = edits.iter();
    let mut is_changed = false;
    let Some(Json::Array(candidates)) = proto_member_mut(answer, "candidates") else { return Ok(false) };
    for candidate in candidates {
        let content = proto_member_mut(candidate, "content");
        let Some(Json::Array(parts)) = content.and_then(|content| proto_member_mut(content, "parts")) else {
            continue;
        };
        for part in parts {
            let (name, is_result) = match found(part)? {
                Found::Said => continue,
                Found::Function(_) => (None, false),
                Found::Hosted(name, _) => (Some(name), false),
                Found::Result(name) => (Some(name), true),
            };
            let refused = match (&name, is_result) {
                (Some(name), true) => (fates.get(name) == Some(&Some(false))).then(String::new),
                _ => match edits.next() {
                    Some(Edit::Replace(text)) => Some(text.clone()),
                    _ => None,
                },
            };
            if let (Some(name), false) = (name, is_result) {
                fates.insert(name, Some(refused.is_none()));
            }
            if let Some(text) = refused {
                *part = Json::object([("text", Json::String(text))]);
                is_changed = true;
            }
        }
    }
    Ok(is_changed)
}

/// What a part is. It may act in one way.
fn found(part: &Json) -> Result<Found<'_>, Fault> {
    let Json::Object(members) = part else { return Err(wrong("parts")) };
    let known: Vec<&'static str> = SAYING.into_iter().chain(ACTING).collect();
    check_proto(part, &known)?;
    for (name, value) in members {
        if *value != Json::Null && !known.contains(&proto_name(name, &known)?.as_ref()) {
            let what = "a part of a kind that is not read";
            return Err(Fault::new(Problem::Conflict, what).under_member(name));
        }
    }
    let mut acting = ACTING.into_iter().filter_map(|name| Some((name, given(part, name)?)));
    let Some((name, value)) = acting.next() else { return Ok(Found::Said) };
    if acting.next().is_some() {
        return Err(Fault::new(Problem::Conflict, "a part that is two calls at once"));
    }
    if !matches!(value, Json::Object(_)) {
        return Err(wrong(name));
    }
    let nothing = || Json::Object(Vec::new());
    Ok(match name {
        "functionCall" => Found::Function(value),
        "executableCode" => Found::Hosted("codeExecution".to_owned(), value.clone()),
        "codeExecutionResult" => Found::Result("codeExecution".to_owned()),
        "toolCall" => {
            check_proto(value, &["toolType", "args"])?;
            Found::Hosted(tool(value)?, given(value, "args").cloned().unwrap_or_else(nothing))
        }
        _ => Found::Result(tool(value)?),
    })
}

/// The name under which a request offers a tool of that type: `googleSearch` of `GOOGLE_SEARCH_WEB`.
fn tool(call: &Json) -> Result<String, Fault> {
    check_proto(call, &["toolType"])?;
    let kind = given(call, "toolType").and_then(Json::as_str).ok_or_else(|| wrong("toolType"))?;
    let kind = match kind {
        "GOOGLE_SEARCH_WEB" | "GOOGLE_SEARCH_IMAGE" => "GOOGLE_SEARCH",
        kind => kind,
    };
    let mut name = String::with_capacity(kind.len());
    for (index, word) in kind.split('_').enumerate() {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        match letters.next() {
            Some(first) if index > 0 => name.push(first.to_ascii_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.push_str(letters.as_str());
    }
    Ok(name)
}

/// A call of the caller's function. It stands whole in one part.
fn function(call: &Json, bounds: &Bounds) -> Result<Question, Fault> {
    check_proto(call, &FUNCTION_CALL)?;
    let goes_on = given(call, "willContinue").is_some_and(|value| *value != Json::Bool(false));
    if goes_on || given(call, "partialArgs").is_some() {
        return Err(Fault::new(Problem::Conflict, "a call in pieces, which nobody asked for"));
    }
    let name = given(call, "name").and_then(Json::as_str).unwrap_or_default();
    let arguments = given(call, "args").map(Json::text).unwrap_or_default();
    Ok(made::from_text(Dialect::Gemini, name, &arguments, bounds))
}

/// A member that is there and not `null`.
fn given<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    proto_member(object, name).filter(|value| **value != Json::Null)
}

fn list<'a>(object: &'a Json, name: &'static str) -> Result<&'a [Json], Fault> {
    match given(object, name) {
        None => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(wrong(name)),
    }
}

fn wrong(name: &str) -> Fault {
    Fault::new(Problem::WrongType, "this is of another type than the API's").under_member(name)
}

/// Sets a request's body right after tools were taken out of it: no empty list, and no choice of a function that is
/// gone.
pub(super) fn tidy(body: &mut Json) {
    let mut left: Vec<String> = Vec::new();
    if let Some(Json::Array(tools)) = proto_member_mut(body, "tools") {
        for tool in tools.iter_mut() {
            let declared = proto_member(tool, "functionDeclarations").map(Json::items).unwrap_or_default();
            let names = declared.iter().filter_map(|function| proto_member(function, "name")?.as_str());
            left.extend(names.map(str::to_owned));
            if proto_member(tool, "functionDeclarations").is_some_and(|declared| declared.items().is_empty())
            {
                proto_remove(tool, "functionDeclarations");
            }
        }
        tools.retain(|tool| !matches!(tool, Json::Object(members) if members.is_empty()));
    }
    if proto_member(body, "tools").is_some_and(|tools| tools.items().is_empty()) {
        proto_remove(body, "tools");
    }
    let Some(config) = proto_member_mut(body, "toolConfig") else { return };
    if left.is_empty() {
        proto_remove(config, "functionCallingConfig");
    } else if let Some(calling) = proto_member_mut(config, "functionCallingConfig") {
        choose_among(calling, &left);
    }
    if matches!(config, Json::Object(members) if members.is_empty()) {
        proto_remove(body, "toolConfig");
    }
}

/// A choice among functions of which none is left is a free choice.
fn choose_among(calling: &mut Json, left: &[String]) {
    let Some(Json::Array(allowed)) = proto_member_mut(calling, "allowedFunctionNames") else { return };
    let before = allowed.len();
    allowed.retain(|name| name.as_str().is_none_or(|name| left.iter().any(|left| left == name)));
    if allowed.is_empty() && before > 0 {
        proto_remove(calling, "allowedFunctionNames");
        calling.set("mode", Json::text_of("AUTO"));
    }
}

#[cfg(test)]
mod tests;
