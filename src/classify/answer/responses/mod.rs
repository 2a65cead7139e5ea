//! OpenAI's responses (API reference, "streaming events"): text flows, and an item that calls something is held from
//! `response.output_item.added` to `response.output_item.done`. What comes meanwhile waits behind it, so that the
//! numbers of the events stay without a gap whatever is said in a call's place.

mod call;
mod events;
mod item;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse;
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};
use crate::domain::Json;
use call::Call;
use events::{Event, Nature};
use item::Act;

pub(super) use item::tidy;

/// Calls of one answer.
const CALLS_MAX: usize = 128;

/// Members that decide what an answer holds.
const ANSWER: [&str; 1] = ["output"];

/// Reads one streamed response.
#[derive(Debug)]
pub(super) struct Responses {
    provider: String,
    bounds: Bounds,
    /// The last `output_index` that was opened.
    last: Option<i64>,
    /// Calls that have not come to their end, by `output_index`.
    open: BTreeMap<i64, Call>,
    /// Calls that have, in order.
    ended: Vec<Ended>,
    asked: usize,
    judged: usize,
    /// Events from the first one of a call that is not judged.
    queue: Vec<Event>,
    /// By how much the numbers of events are larger than they came.
    shift: i64,
    held: usize,
    /// Whether the response has come to its own end.
    is_over: bool,
}

/// A call that is complete.
#[derive(Debug)]
struct Ended {
    index: i64,
    act: Act,
    question: Option<Question>,
    /// What is said in its place, as an item.
    refused: Option<Json>,
}

impl Responses {
    pub(super) fn new(provider: &str, bounds: &Bounds) -> Self {
        Self {
            provider: provider.to_owned(),
            bounds: *bounds,
            last: None,
            open: BTreeMap::new(),
            ended: Vec::new(),
            asked: 0,
            judged: 0,
            queue: Vec::new(),
            shift: 0,
            held: 0,
            is_over: false,
        }
    }

    /// An event that holds nothing to judge.
    fn pass(&mut self, event: Event, output: &mut Output) {
        if self.queue.is_empty() {
            output.send(event.told(self.shift));
        } else {
            self.hold(event);
        }
    }

    fn hold(&mut self, event: Event) {
        self.held = self.held.saturating_add(event.raw.len());
        self.queue.push(event);
    }

    fn added(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        let tree = self.tree(&event)?;
        let Some(item) = tree.member("item").filter(|item| **item != Json::Null) else {
            self.pass(event, output);
            return Ok(());
        };
        let index = event.index()?;
        self.open_at(index)?;
        if item::is_said(item::kind(item)?) {
            self.pass(event, output);
            return Ok(());
        }
        if self.open.len() + self.ended.len() == CALLS_MAX {
            return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
        }
        self.open.insert(index, Call::new(item)?);
        self.hold(event);
        Ok(())
    }

    fn done(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        let tree = self.tree(&event)?;
        let item = tree.member("item").ok_or_else(|| item::missing("item"))?;
        let index = event.index()?;
        match self.open.remove(&index) {
            Some(call) => call.matches(item)?,
            None if item::is_said(item::kind(item)?) => {
                self.pass(event, output);
                return Ok(());
            }
            // It was never announced: it opens and ends here.
            None => self.open_at(index)?,
        }
        if self.ended.len() == CALLS_MAX {
            return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
        }
        let question = item::question(&self.provider, item, &self.bounds)?;
        let act = Act::of(item, &question)?;
        self.ended.push(Ended { index, act, question: Some(question), refused: None });
        self.hold(event);
        Ok(())
    }

    fn open_at(&mut self, index: i64) -> Result<(), Fault> {
        if self.last.is_some_and(|last| last >= index) {
            return Err(Fault::new(Problem::Conflict, "the index of an item goes back or stands twice"));
        }
        self.last = Some(index);
        Ok(())
    }

    /// A piece of what a call is made with.
    fn piece(&mut self, event: Event) -> Result<(), Fault> {
        let tree = self.tree(&event)?;
        let call = self.open.get_mut(&event.index()?).ok_or_else(|| {
            Fault::new(Problem::Conflict, "a piece of a tool call that has not begun, or has ended")
        })?;
        self.held = self.held.saturating_add(call.add(&event.kind, &tree)?);
        self.hold(event);
        Ok(())
    }

    /// The state of the whole response, perhaps its last.
    fn state(&mut self, mut event: Event, output: &mut Output) -> Result<(), Fault> {
        let is_end = event.nature() == Nature::End;
        if is_end {
            self.is_over = true;
            if event.kind == "response.completed" && !self.open.is_empty() {
                return Err(unfinished());
            }
            self.flush(output);
        }
        if event.kind == "error" {
            self.pass(event, output);
            return Ok(());
        }
        let mut tree = self.tree(&event)?;
        let response = tree.member_mut("response").ok_or_else(|| item::missing("response"))?;
        item::distinct(response, &ANSWER)?;
        if let Some(items) = response.member_mut("output").filter(|items| **items != Json::Null)
            && self.conform(items)?
        {
            event.rewrite(&tree.text())?;
        }
        self.pass(event, output);
        Ok(())
    }

    /// Makes sure that a list of items holds no call that was not judged, and tells the refused ones in other words.
    fn conform(&self, items: &mut Json) -> Result<bool, Fault> {
        let Json::Array(items) = items else { return Err(item::wrong("output")) };
        let mut changed = false;
        let mut kept = Vec::with_capacity(items.len());
        let mut listed = BTreeSet::new();
        for item in std::mem::take(items) {
            if item::is_said(item::kind(&item)?) {
                kept.push(item);
                continue;
            }
            let question = item::question(&self.provider, &item, &self.bounds)?;
            let act = Act::of(&item, &question)?;
            if self.is_over && self.open.values().any(|call| call.is_of(&item)) {
                // It was cut short: nobody was shown its beginning.
                changed = true;
                continue;
            }
            let known = self.ended.iter().find(|ended| ended.act.is_named_as(&act)).ok_or_else(|| {
                Fault::new(Problem::Conflict, "a response lists a call that did not come in its stream")
            })?;
            if !listed.insert(known.index) {
                let what = "a response lists a call more than once";
                return Err(Fault::new(Problem::Conflict, what));
            }
            match &known.refused {
                Some(message) => {
                    changed = true;
                    kept.push(message.clone());
                }
                None if known.act == act => kept.push(item),
                None => {
                    let what = "a response lists another call than came in its stream";
                    return Err(Fault::new(Problem::Conflict, what));
                }
            }
        }
        *items = kept;
        Ok(changed)
    }

    /// Lets go of everything that waits. What was refused is told where it began; what was cut short is left out.
    fn flush(&mut self, output: &mut Output) {
        self.held = 0;
        let mut told = BTreeSet::new();
        for event in std::mem::take(&mut self.queue) {
            let index = event.place;
            if index.is_some_and(|index| self.open.contains_key(&index)) {
                self.shift = self.shift.saturating_sub(1);
                continue;
            }
            let refused = index.and_then(|index| {
                let message = self.ended.iter().find(|ended| ended.index == index)?.refused.as_ref()?;
                Some((index, message))
            });
            let Some((index, message)) = refused else {
                output.send(event.told(self.shift));
                continue;
            };
            self.shift = self.shift.saturating_sub(1);
            if told.insert(index) {
                let first = event.number().map(|number| number.saturating_add(self.shift.saturating_add(1)));
                let events = item::events(message, index, first);
                self.shift = self.shift.saturating_add(i64::try_from(events.len()).unwrap_or(0));
                for (kind, data) in events {
                    output.send(sse::write(event.name.as_deref().map(|_| kind), &data.text()));
                }
            }
        }
    }

    fn tree(&self, event: &Event) -> Result<Json, Fault> {
        Reader::new(&event.data, &self.bounds)?.whole()
    }
}

fn unfinished() -> Fault {
    Fault::new(Problem::Syntax, "the stream ended inside a tool call")
}

impl Script for Responses {
    fn event(&mut self, event: sse::Event, output: &mut Output) -> Result<(), Fault> {
        let Some(data) = event.data else {
            self.pass(Event::plain(event.raw), output);
            return Ok(());
        };
        if data.trim_ascii() == b"[DONE]" {
            self.end(output)?;
            self.pass(Event::plain(event.raw), output);
            return Ok(());
        }
        let event = Event::read(event.raw, event.name, data, &self.bounds)?;
        if self.is_over {
            return Err(Fault::new(Problem::Conflict, "a response goes on behind its end"));
        }
        match event.nature() {
            Nature::Added => self.added(event, output)?,
            Nature::Done => self.done(event, output)?,
            Nature::Piece => self.piece(event)?,
            Nature::State | Nature::End => self.state(event, output)?,
            Nature::Said => self.pass(event, output),
            Nature::Unknown => {
                return Err(Fault::new(Problem::Conflict, "an event of a type that is not read here"));
            }
        }
        Ok(())
    }

    fn end(&mut self, _output: &mut Output) -> Result<(), Fault> {
        match self.open.is_empty() || self.is_over {
            true => Ok(()),
            false => Err(unfinished()),
        }
    }

    fn question(&mut self) -> Option<Question> {
        let question = self.ended.get_mut(self.asked)?.question.take()?;
        self.asked += 1;
        Some(question)
    }

    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault> {
        let Some(ended) = self.ended.get_mut(self.judged) else { return Ok(()) };
        self.judged += 1;
        if let Judgement::Refused { text } = judgement {
            ended.refused = Some(item::message(&ended.act, ended.index, &text));
        }
        if self.open.is_empty() && self.judged == self.ended.len() {
            self.flush(output);
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held
    }
}

/// The calls in a whole answer, in order.
pub(super) fn questions(provider: &str, answer: &Json, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    item::distinct(answer, &ANSWER)?;
    let mut questions = Vec::new();
    let items = match answer.member("output") {
        None | Some(Json::Null) => return Ok(questions),
        Some(Json::Array(items)) => items,
        Some(_) => return Err(item::wrong("output")),
    };
    for item in items {
        if item::is_said(item::kind(item)?) {
            continue;
        }
        if questions.len() == CALLS_MAX {
            return Err(Fault::new(Problem::TooLarge, "more tool calls than are judged in one answer"));
        }
        questions.push(item::question(provider, item, bounds)?);
    }
    Ok(questions)
}

/// Tells an answer with a message in place of each call that was refused.
pub(super) fn rewrite(answer: &mut Json, edits: &[Edit]) -> Result<(), Fault> {
    let mut edits = edits.iter();
    let Some(Json::Array(items)) = answer.member_mut("output") else { return Ok(()) };
    for (index, item) in items.iter_mut().enumerate() {
        if item::is_said(item::kind(item)?) {
            continue;
        }
        if let Some(Edit::Replace(text)) = edits.next() {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            *item = item::message(&Act::named(item)?, index, text);
        }
    }
    Ok(())
}
