//! Anthropic's messages (API reference, "Messages" and "Streaming messages"): text flows, and a block that calls a
//! tool is held from its start to its stop.

mod block;
mod event;
mod whole;

use bytes::Bytes;

use crate::classify::answer::Expected;
use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse::{Event, write};
use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};
use crate::domain::{Decimal, Json};
use block::{Block, Ledger, Turn, WITHHELD};
use event::{Delta, Said};

pub(super) use whole::{questions, rewrite, tidy};

/// How a stream is read.
pub(super) fn script(expected: &Expected, bounds: &Bounds) -> Option<Box<dyn Script>> {
    Some(Box::new(Messages {
        bounds: *bounds,
        expected: expected.clone(),
        stage: Stage::Before,
        blocks: 0,
        open: None,
        ledger: Ledger::default(),
    }))
}

/// Reads one streamed message.
#[derive(Debug)]
struct Messages {
    bounds: Bounds,
    expected: Expected,
    stage: Stage,
    /// Blocks that have started.
    blocks: u64,
    /// The one that has not stopped.
    open: Option<Open>,
    ledger: Ledger,
}

/// How far the message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Before,
    Within,
    /// The reason why it ends is told.
    Summed,
    After,
}

#[derive(Debug)]
struct Open {
    index: u64,
    block: Block,
    /// What came of it, while it is held.
    raw: Option<Vec<Bytes>>,
    /// The input, so far.
    input: String,
    /// It has stopped, and the judge is to be asked.
    is_whole: bool,
    bytes: usize,
}

impl Messages {
    fn start(&mut self, raw: Bytes, index: u64, block: Block, output: &mut Output) -> Result<(), Fault> {
        if self.stage != Stage::Within || self.open.is_some() {
            return Err(misplaced("a block starts where none can"));
        }
        // Clients append a block and then go by its index.
        if index != self.blocks {
            return Err(misplaced("the index of a block is not the next one"));
        }
        self.blocks += 1;
        let turn = self.ledger.turn(&block, &self.expected)?;
        let mut open = Open { index, block, raw: None, input: String::new(), is_whole: false, bytes: 0 };
        match turn {
            Turn::Flows => output.send(raw),
            Turn::Asked => {
                open.bytes = raw.len();
                open.raw = Some(vec![raw]);
            }
            Turn::Withheld => say(index, WITHHELD, output),
        }
        self.open = Some(open);
        Ok(())
    }

    fn go_on(&mut self, raw: Bytes, index: u64, delta: &Delta, output: &mut Output) -> Result<(), Fault> {
        let open = self.open_at(index)?;
        if !open.block.takes(&delta.kind) {
            return Err(misplaced("a piece that does not belong to its block"));
        }
        match &mut open.raw {
            Some(held) => {
                open.bytes = open.bytes.saturating_add(raw.len() + delta.input.len());
                open.input.push_str(&delta.input);
                held.push(raw);
            }
            None => output.send(raw),
        }
        Ok(())
    }

    fn stop(&mut self, raw: Bytes, index: u64, output: &mut Output) -> Result<(), Fault> {
        let open = self.open_at(index)?;
        match &mut open.raw {
            Some(held) => {
                held.push(raw);
                open.is_whole = true;
            }
            None => {
                output.send(raw);
                self.open = None;
            }
        }
        Ok(())
    }

    fn open_at(&mut self, index: u64) -> Result<&mut Open, Fault> {
        let open = self.open.as_mut().filter(|open| open.index == index && !open.is_whole);
        open.ok_or_else(|| misplaced("a piece of a block that is not open"))
    }

    /// What holds of the whole message goes on behind its blocks.
    fn sum(&mut self, event: Event, stop: Option<&str>, output: &mut Output) -> Result<(), Fault> {
        if !matches!(self.stage, Stage::Within | Stage::Summed) || self.open.is_some() {
            return Err(misplaced("a message ends where it cannot"));
        }
        if stop.is_some() {
            self.stage = Stage::Summed;
        }
        let told = stop.and_then(|stop| self.ledger.stop_reason(stop));
        let (Some(told), Some(data)) = (told, &event.data) else {
            output.send(event.raw);
            return Ok(());
        };
        let mut tree = Reader::new(data, &self.bounds)?.whole()?;
        if let Some(delta) = tree.member_mut("delta") {
            delta.set("stop_reason", Json::text_of(told));
        }
        output.send(write(event.name.as_deref(), &tree.text()));
        Ok(())
    }

    /// Moves from one stage to the next.
    fn pass(&mut self, from: &[Stage], to: Stage) -> Result<(), Fault> {
        if !from.contains(&self.stage) || self.open.is_some() {
            return Err(misplaced("a message begins or ends where it cannot"));
        }
        self.stage = to;
        Ok(())
    }
}

impl Script for Messages {
    fn event(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        match event::read(&event, &self.bounds)? {
            Said::Nothing => output.send(event.raw),
            Said::Error => {
                // What is held is never told.
                self.open = None;
                self.stage = Stage::After;
                output.send(event.raw);
            }
            Said::Opens => {
                self.pass(&[Stage::Before], Stage::Within)?;
                output.send(event.raw);
            }
            Said::Starts { index, block } => self.start(event.raw, index, block, output)?,
            Said::Continues { index, delta } => self.go_on(event.raw, index, &delta, output)?,
            Said::Stops { index } => self.stop(event.raw, index, output)?,
            Said::Sums { stop_reason } => self.sum(event, stop_reason.as_deref(), output)?,
            Said::Closes => {
                self.pass(&[Stage::Within, Stage::Summed], Stage::After)?;
                output.send(event.raw);
            }
        }
        Ok(())
    }

    fn end(&mut self, _output: &mut Output) -> Result<(), Fault> {
        match self.open.as_ref().is_some_and(|open| open.raw.is_some()) {
            true => Err(Fault::new(Problem::Syntax, "the stream ended inside a tool call")),
            false => Ok(()),
        }
    }

    fn question(&mut self) -> Option<Question> {
        let open = self.open.as_ref().filter(|open| open.is_whole)?;
        Some(open.block.question(&self.expected, &open.input, &self.bounds))
    }

    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault> {
        let Some(Open { index, block, raw, .. }) = self.open.take() else { return Ok(()) };
        let raw = raw.unwrap_or_default();
        match judgement {
            Judgement::Refused { text } => {
                self.ledger.judged(&block, true);
                say(index, &text, output);
                // The stop of a block is the same whatever the block was.
                raw.into_iter().next_back().into_iter().for_each(|stop| output.send(stop));
            }
            Judgement::Released | Judgement::Shown(_) => {
                self.ledger.judged(&block, false);
                raw.into_iter().for_each(|raw| output.send(raw));
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.bytes)
    }
}

/// Starts a block of text at that index and says a text in it; its stop is left to the one who calls.
fn say(index: u64, text: &str, output: &mut Output) {
    let index = Json::Number(Decimal::from(i64::try_from(index).unwrap_or(i64::MAX)));
    let text_of =
        |kind: &str, text: &str| Json::object([("type", Json::text_of(kind)), ("text", Json::text_of(text))]);
    let event = |name: &str, member: &'static str, value: Json| {
        let event = [("type", Json::text_of(name)), ("index", index.clone()), (member, value)];
        write(Some(name), &Json::object(event).text())
    };
    output.send(event("content_block_start", "content_block", text_of("text", "")));
    output.send(event("content_block_delta", "delta", text_of("text_delta", text)));
}

fn misplaced(what: &'static str) -> Fault {
    Fault::new(Problem::Conflict, what)
}

/// A member that is a string, or not there.
fn text(object: &Json, name: &'static str) -> Result<String, Fault> {
    match object.member(name) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(name)),
    }
}

fn wrong(name: &str) -> Fault {
    Fault::new(Problem::WrongType, "this is of another type than the API's").under_member(name)
}

#[cfg(test)]
mod tests;
