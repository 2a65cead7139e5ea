//! OpenAI's chat completions (API reference, "chat completion chunk object"): text flows, and the tool calls of a
//! choice are held from the first piece of the first one to the choice's `finish_reason`.

mod calls;
mod glance;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse::{Event, write};
use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};
use crate::domain::{Decimal, Json};
use calls::{Call, Piece, missing, take_calls, whole_number};
use glance::look;

pub(super) use whole::{questions, rewrite, tidy};

/// Choices of one answer, and calls of one choice.
const CHOICES_MAX: usize = 128;

/// What a piece of a call takes in memory beside its text, about.
const PIECE_BYTES: usize = 64;

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
    /// Whether none of its calls was left.
    is_stopped: bool,
    /// Bytes held for it.
    held: usize,
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
            let counts = choices.get(&index).is_some_and(|choice| choice.last.is_none() || choice.is_stopped);
            carries |= glance.carries || (glance.finishes && counts);
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
        let finishes = choice.member("finish_reason").is_some_and(|reason| !is_blank(reason));
        let pieces = choice.member_mut("delta").map(take_calls).transpose()?.unwrap_or_default();
        if pieces.is_empty() && !self.choices.contains_key(&index) {
            output.send(raw.unwrap_or_else(|| chunk(&self.frame, choice)));
            return Ok(());
        }
        if self.choices.len() == CHOICES_MAX && !self.choices.contains_key(&index) {
            return Err(Fault::new(Problem::TooLarge, "more choices than are read in one answer"));
        }
        let state = self
            .choices
            .entry(index)
            .or_insert_with(|| Choice { raw: Some(Vec::new()), ..Choice::default() });
        if state.last.is_some() {
            if !pieces.is_empty() {
                return Err(Fault::new(Problem::Conflict, "a choice goes on behind its end"));
            }
            // Some providers tell the end twice.
            if state.is_stopped {
                whole::stop(&mut choice);
            }
            output.send(chunk(&self.frame, choice));
            return Ok(());
        }
        for piece in pieces {
            let bytes = PIECE_BYTES + piece.text.len() + piece.name.len();
            self.held = self.held.saturating_add(bytes);
            state.held = state.held.saturating_add(bytes);
            state.add(piece)?;
        }
        let says = choice.member("delta").is_some_and(says_something);
        match (raw, says) {
            (Some(raw), false) => {
                self.held = self.held.saturating_add(raw.len());
                state.held = state.held.saturating_add(raw.len());
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
        self.held = self.held.saturating_sub(std::mem::take(&mut state.held));
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
                state.is_stopped = true;
                whole::stop(&mut last);
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

impl Choice {
    fn add(&mut self, piece: Piece) -> Result<(), Fault> {
        let index = piece.index.unwrap_or(0);
        let last = self.calls.last_key_value().map(|(last, _)| *last);
        if last.is_some_and(|last| last > index) {
            return Err(Fault::new(Problem::Conflict, "the index of a tool call goes back"));
        }
        if last != Some(index) && self.calls.len() == CHOICES_MAX {
            return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
        }
        if last.is_some() && self.is_legacy != piece.index.is_none() {
            return Err(Fault::new(Problem::Conflict, "`tool_calls` and `function_call` in one choice"));
        }
        self.is_legacy = piece.index.is_none();
        self.calls.entry(index).or_default().add(piece)
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
