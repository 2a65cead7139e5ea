//! OpenAI's chat completions (API reference, "chat completion chunk object"): text flows, and the tool calls of a
//! choice are held from the first piece of the first one to the choice's `finish_reason`.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::classify::answer::made;
use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse::{Event, write};
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::{Decimal, Dialect, Json};

/// Choices of one answer, and calls of one choice.
const CHOICES_MAX: usize = 128;

/// Members that decide what a chunk is.
const CHUNK: [&str; 1] = ["choices"];
const CHOICE: [&str; 4] = ["index", "delta", "message", "finish_reason"];
const MESSAGE: [&str; 4] = ["role", "content", "tool_calls", "function_call"];

/// Reads one streamed chat completion.
#[derive(Debug)]
pub(super) struct Chat {
    bounds: Bounds,
    /// What was said before any call, by choice.
    said: BTreeMap<u64, Said>,
    /// Choices that make calls.
    choices: BTreeMap<u64, Choice>,
    /// Members of a chunk beside its choices, from the last chunk that holds a call.
    frame: Json,
    /// The choice whose calls are being judged.
    closing: Option<u64>,
    held: usize,
}

/// What the agent has heard of a choice.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    role: bool,
    text: bool,
}

/// The calls of one choice.
#[derive(Debug, Default)]
struct Choice {
    /// By `index`, which clients append by.
    calls: BTreeMap<u64, Call>,
    /// Whether it is written in the form without index: `function_call`.
    is_legacy: bool,
    /// The chunks as they came; `None` once one of them held something else that went ahead.
    raw: Option<Vec<Bytes>>,
    /// The choice as its last chunk has it, without a delta.
    last: Option<Json>,
    /// How many calls have been asked about, and what was said of them, in order.
    asked: usize,
    refused: Vec<Option<String>>,
}

#[derive(Debug, Default)]
struct Call {
    id: Option<String>,
    /// Whether it is a custom tool, whose input is plain text.
    is_custom: bool,
    name: String,
    input: String,
}

/// One choice of a chunk, as far as it can be told without building it.
#[derive(Default)]
struct Glance {
    index: Option<u64>,
    said: Said,
    carries: bool,
    finishes: bool,
}

impl Chat {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            bounds: *bounds,
            said: BTreeMap::new(),
            choices: BTreeMap::new(),
            frame: Json::Null,
            closing: None,
            held: 0,
        }
    }

    fn chunk(&mut self, raw: Bytes, data: &[u8], output: &mut Output) -> Result<(), Fault> {
        let mut carries = false;
        let (said, choices) = (&mut self.said, &self.choices);
        look(data, &self.bounds, |glance| {
            let index = glance.index.unwrap_or(0);
            let open = choices.get(&index).is_some_and(|choice| choice.last.is_none());
            carries |= glance.carries || (glance.finishes && open);
            if said.len() == CHOICES_MAX && !said.contains_key(&index) {
                return Err(Fault::new(Problem::TooLarge, "more choices than are read in one answer"));
            }
            // What a chunk with a call says beside it is noted when it is taken apart.
            if !glance.carries {
                let said = said.entry(index).or_default();
                said.role |= glance.said.role;
                said.text |= glance.said.text;
            }
            Ok(())
        })?;
        if !carries {
            output.send(raw);
            return Ok(());
        }
        let mut tree = Reader::new(data, &self.bounds)?.whole()?;
        let choices = match tree.remove("choices") {
            Some(Json::Array(choices)) => choices,
            _ => Vec::new(),
        };
        self.frame = tree;
        let is_alone = choices.len() == 1;
        for choice in choices {
            self.choice(is_alone.then(|| raw.clone()), choice, output)?;
        }
        Ok(())
    }

    /// One choice of a chunk that holds or ends calls. `raw` where the chunk holds no other.
    fn choice(&mut self, raw: Option<Bytes>, mut choice: Json, output: &mut Output) -> Result<(), Fault> {
        let index = choice.member("index").and_then(whole_number).ok_or_else(|| missing("index"))?;
        let finishes = choice.member("finish_reason").is_some_and(|reason| *reason != Json::Null);
        let pieces = choice.member_mut("delta").map(take_calls).transpose()?.unwrap_or_default();
        if pieces.is_empty() && !self.choices.contains_key(&index) {
            output.send(raw.unwrap_or_else(|| chunk(&self.frame, choice)));
            return Ok(());
        }
        let state = self
            .choices
            .entry(index)
            .or_insert_with(|| Choice { raw: Some(Vec::new()), ..Choice::default() });
        if state.last.is_some() {
            return Err(Fault::new(Problem::Conflict, "a choice goes on behind its end"));
        }
        for piece in pieces {
            self.held = self.held.saturating_add(piece.text.len() + piece.name.len());
            state.add(piece)?;
        }
        let says = choice.member("delta").is_some_and(says_something);
        match (raw, says) {
            (Some(raw), false) => {
                self.held = self.held.saturating_add(raw.len());
                state.raw.iter_mut().for_each(|held| held.push(raw.clone()));
            }
            (_, says) => {
                state.raw = None;
                if says {
                    let said = self.said.entry(index).or_default();
                    let mut text = choice.clone();
                    text.set("finish_reason", Json::Null);
                    said.role |= text.at(&["delta", "role"]).is_some();
                    said.text |= text.at(&["delta", "content"]).is_some_and(|text| !is_blank(text));
                    output.send(chunk(&self.frame, text));
                }
            }
        }
        if finishes {
            choice.set("delta", Json::Object(Vec::new()));
            state.last = Some(choice);
            self.closing.get_or_insert(index);
        }
        Ok(())
    }

    /// Every call of a choice is judged: what may go on goes on.
    fn close(&mut self, index: u64, output: &mut Output) {
        let Some(state) = self.choices.get_mut(&index) else { return };
        let refused = std::mem::take(&mut state.refused);
        let calls = std::mem::take(&mut state.calls);
        self.held = 0;
        if let (true, Some(raw)) = (refused.iter().all(Option::is_none), state.raw.take()) {
            raw.into_iter().for_each(|raw| output.send(raw));
            return;
        }
        let said = self.said.entry(index).or_default();
        let mut kept: i64 = 0;
        for (call, refused) in calls.into_values().zip(refused) {
            let mut delta = Json::Object(Vec::new());
            if !std::mem::replace(&mut said.role, true) {
                delta.set("role", Json::text_of("assistant"));
            }
            match refused {
                Some(text) => delta.set("content", Json::String(behind(&mut said.text, &text))),
                None if state.is_legacy => {
                    kept += 1;
                    delta.set("function_call", call.function());
                }
                None => {
                    let mut told = call.told();
                    told.set("index", Json::Number(Decimal::from(kept)));
                    kept += 1;
                    delta.set("tool_calls", Json::Array(vec![told]));
                }
            }
            let choice = Json::object([
                ("index", Json::Number(Decimal::from(i64::try_from(index).unwrap_or(i64::MAX)))),
                ("delta", delta),
                ("finish_reason", Json::Null),
            ]);
            output.send(chunk(&self.frame, choice));
        }
        if let Some(mut last) = state.last.clone() {
            if kept == 0 {
                last.set("finish_reason", Json::text_of("stop"));
            }
            output.send(chunk(&self.frame, last));
        }
    }
}

impl Script for Chat {
    fn event(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        match &event.data {
            None => output.send(event.raw),
            Some(data) if data.trim_ascii() == b"[DONE]" => {
                self.end(output)?;
                output.send(event.raw);
            }
            Some(data) => {
                let data = data.clone();
                self.chunk(event.raw, &data, output)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, _output: &mut Output) -> Result<(), Fault> {
        match self.choices.values().any(|choice| choice.last.is_none()) {
            true => Err(Fault::new(Problem::Syntax, "the stream ended inside a tool call")),
            false => Ok(()),
        }
    }

    fn question(&mut self) -> Option<Question> {
        let state = self.choices.get_mut(&self.closing?)?;
        let call = state.calls.values().nth(state.asked)?;
        state.asked += 1;
        Some(call.question(&self.bounds))
    }

    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault> {
        let Some(index) = self.closing else { return Ok(()) };
        let Some(state) = self.choices.get_mut(&index) else { return Ok(()) };
        state.refused.push(match judgement {
            Judgement::Refused { text } => Some(text),
            Judgement::Released | Judgement::Shown(_) => None,
        });
        if state.refused.len() == state.calls.len() {
            self.close(index, output);
            let is_due = |choice: &Choice| choice.last.is_some() && !choice.calls.is_empty();
            self.closing = self.choices.iter().find(|(_, choice)| is_due(choice)).map(|(index, _)| *index);
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held
    }
}

/// A piece of a call.
struct Piece {
    index: Option<u64>,
    id: Option<String>,
    is_custom: bool,
    name: String,
    text: String,
}

impl Choice {
    fn add(&mut self, piece: Piece) -> Result<(), Fault> {
        let index = piece.index.unwrap_or(0);
        let is_new = !self.calls.contains_key(&index);
        if is_new && self.calls.len() == CHOICES_MAX {
            return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
        }
        if is_new && self.calls.last_key_value().is_some_and(|(last, _)| *last > index) {
            return Err(Fault::new(Problem::Conflict, "the index of a tool call goes back"));
        }
        if !self.calls.is_empty() && self.is_legacy != piece.index.is_none() {
            return Err(Fault::new(Problem::Conflict, "`tool_calls` and `function_call` in one choice"));
        }
        self.is_legacy = piece.index.is_none();
        let call = self.calls.entry(index).or_default();
        // Some clients put a name in place of the one before, others behind it.
        if !piece.name.is_empty() && !call.name.is_empty() {
            return Err(Fault::new(Problem::DuplicateKey, "the name of a tool call comes twice"));
        }
        if piece.is_custom && !is_new && !call.is_custom {
            return Err(Fault::new(Problem::Conflict, "a tool call changes its type"));
        }
        call.name.push_str(&piece.name);
        call.input.push_str(&piece.text);
        call.is_custom |= piece.is_custom;
        call.id = call.id.take().or(piece.id);
        Ok(())
    }
}

impl Call {
    fn question(&self, bounds: &Bounds) -> Question {
        match self.is_custom {
            true => made::from_input(Dialect::OpenAi, &self.name, self.input.clone(), bounds),
            false => made::from_text(Dialect::OpenAi, &self.name, &self.input, bounds),
        }
    }

    fn function(&self) -> Json {
        Json::object([("name", Json::text_of(&self.name)), ("arguments", Json::text_of(&self.input))])
    }

    fn told(&self) -> Json {
        let mut told = Json::Object(Vec::new());
        if let Some(id) = &self.id {
            told.set("id", Json::text_of(id));
        }
        if self.is_custom {
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

/// Walks a chunk without building it.
fn look(
    data: &[u8],
    bounds: &Bounds,
    mut each: impl FnMut(Glance) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut reader = Reader::new(data, bounds)?;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &CHUNK)?;
        if name != "choices" || reader.kind()? != Kind::Array {
            return reader.skip();
        }
        reader.array(|reader, _| {
            let mut glance = Glance::default();
            reader.object(Distinct::InAnyCase, |reader, name| {
                known_spelling(name, &CHOICE)?;
                glance.member(reader, name)
            })?;
            each(glance)
        })
    })?;
    reader.end()
}

impl Glance {
    fn member(&mut self, reader: &mut Reader<'_>, name: &str) -> Result<(), Fault> {
        match (name, reader.kind()?) {
            ("index", Kind::Number) => self.index = whole_number(&reader.tree()?),
            ("finish_reason", kind) => {
                self.finishes = kind != Kind::Null;
                reader.skip()?;
            }
            ("delta", Kind::Object) => reader.object(Distinct::InAnyCase, |reader, name| {
                known_spelling(name, &MESSAGE)?;
                match (name, reader.kind()?) {
                    ("tool_calls" | "function_call", kind) => self.carries |= kind != Kind::Null,
                    ("role", kind) => self.said.role |= kind != Kind::Null,
                    ("content", Kind::String) => {
                        self.said.text |= !reader.string()?.is_empty();
                        return Ok(());
                    }
                    _ => {}
                }
                reader.skip()
            })?,
            // No chunk has one, and a client that reads it all the same would find calls in it.
            ("message", Kind::Object) => {
                return Err(reader.fault(Problem::Conflict, "a whole message in a piece of a stream"));
            }
            _ => reader.skip()?,
        }
        Ok(())
    }
}

/// Takes the calls out of a delta.
fn take_calls(delta: &mut Json) -> Result<Vec<Piece>, Fault> {
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
        Some(function @ Json::Object(_)) => pieces.push(Piece {
            index: None,
            id: None,
            is_custom: false,
            name: text(&function, "name")?,
            text: text(&function, "arguments")?,
        }),
        Some(_) => return Err(wrong("function_call")),
    }
    Ok(pieces)
}

/// A call or a piece of one: of a function, or of a custom tool.
fn piece(index: Option<u64>, call: &Json) -> Result<Piece, Fault> {
    let is_given = |name: &str| call.member(name).is_some_and(|value| *value != Json::Null);
    if is_given("function") && is_given("custom") {
        return Err(Fault::new(Problem::Conflict, "`function` and `custom` in one tool call"));
    }
    let is_custom = is_given("custom");
    let (holder, input) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
    let nothing = Json::Null;
    let held = call.member(holder).unwrap_or(&nothing);
    match text(call, "type")?.as_str() {
        "" | "function" if !is_custom => {}
        "" | "custom" if is_custom => {}
        _ => return Err(Fault::new(Problem::Conflict, "a tool call of a type that is not read")),
    }
    let id = Some(text(call, "id")?).filter(|id| !id.is_empty());
    Ok(Piece { index, id, is_custom, name: text(held, "name")?, text: text(held, input)? })
}

/// A member that is a string, or not there.
fn text(object: &Json, name: &'static str) -> Result<String, Fault> {
    match object.member(name) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(name)),
    }
}

fn missing(name: &str) -> Fault {
    Fault::new(Problem::MissingField, "a tool call or its choice lacks this").under_member(name)
}

fn wrong(name: &str) -> Fault {
    Fault::new(Problem::WrongType, "this is of another type than the API's").under_member(name)
}

fn whole_number(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_i64().and_then(|number| u64::try_from(number).ok()),
        _ => None,
    }
}

/// Whether a delta holds more than its role and its calls.
fn says_something(delta: &Json) -> bool {
    let Json::Object(members) = delta else { return false };
    members.iter().any(|(name, value)| name != "role" && !is_blank(value))
}

fn is_blank(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A text behind another one starts on a line of its own.
fn behind(said: &mut bool, text: &str) -> String {
    let gap = if std::mem::replace(said, true) { "\n\n" } else { "" };
    format!("{gap}{text}")
}

fn chunk(frame: &Json, choice: Json) -> Bytes {
    let mut chunk = frame.clone();
    chunk.set("choices", Json::Array(vec![choice]));
    write(None, &chunk.text())
}

/// The calls in a whole answer, in order.
pub(super) fn questions(answer: &Json, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
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
    for choice in answer.member("choices").map(Json::items).unwrap_or_default() {
        distinct(choice, &CHOICE)?;
        if choice.member("delta").is_some_and(|delta| *delta != Json::Null) {
            return Err(Fault::new(Problem::Conflict, "a piece of a stream in a whole answer"));
        }
        let Some(message) = choice.member("message") else { continue };
        distinct(message, &MESSAGE)?;
        messages.push(message);
    }
    Ok(messages)
}

/// Refuses names that some client could take for those that are judged.
fn distinct(object: &Json, known: &'static [&'static str]) -> Result<(), Fault> {
    let Json::Object(members) = object else { return Err(wrong("choices")) };
    members.iter().try_for_each(|(name, _)| known_spelling(name, known))
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
        Some(function @ Json::Object(_)) => calls.push(Call {
            name: text(function, "name")?,
            input: text(function, "arguments")?,
            ..Call::default()
        }),
        Some(_) => return Err(wrong("function_call")),
    }
    Ok(calls)
}

impl From<Piece> for Call {
    fn from(piece: Piece) -> Self {
        Self { id: piece.id, is_custom: piece.is_custom, name: piece.name, input: piece.text }
    }
}

/// Tells an answer without the calls that were refused: what is said of them stands in the message's text.
pub(super) fn rewrite(answer: &mut Json, edits: &[Edit]) -> Result<(), Fault> {
    let mut edits = edits.iter();
    let Some(Json::Array(choices)) = answer.member_mut("choices") else { return Ok(()) };
    for choice in choices {
        let Some(message) = choice.member_mut("message") else { continue };
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
        let text = message.member("content").and_then(Json::as_str).unwrap_or_default().to_owned();
        let mut said = !text.is_empty();
        let told = refusals.iter().fold(text, |told, refusal| told + &behind(&mut said, refusal));
        message.set("content", Json::String(told));
        if !is_left {
            choice.set("finish_reason", Json::text_of("stop"));
        }
    }
    Ok(())
}

/// Sets a request's body right after tools were taken out of it: the API refuses an empty list, and a choice of a
/// tool that is not there.
pub(super) fn tidy(body: &mut Json) {
    for (list, choice, name) in
        [("tools", "tool_choice", ["function", "custom"].as_slice()), ("functions", "function_call", &[])]
    {
        let Some(Json::Array(items)) = body.member(list) else { continue };
        if items.is_empty() {
            body.remove(list);
            body.remove(choice);
            if list == "tools" {
                body.remove("parallel_tool_calls");
            }
            continue;
        }
        let named = |value: &Json| -> Option<String> {
            let holder = name.iter().find_map(|holder| value.member(holder)).unwrap_or(value);
            holder.member("name").and_then(Json::as_str).map(str::to_owned)
        };
        let chosen = body.member(choice).and_then(&named);
        if chosen.is_some_and(|chosen| !items.iter().filter_map(named).any(|name| name == chosen)) {
            body.set(choice, Json::text_of("auto"));
        }
    }
}
