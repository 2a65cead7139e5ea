//! Answers of MCP servers: JSON-RPC messages, alone or as events of a stream. What asks for nothing flows at once;
//! lists are told without what the agent may never use; what a server asks of the client is judged first.

mod glance;
mod listing;
mod message;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::classify::answer::script::{Judgement, Output, Question, Script};
use crate::classify::answer::sse::Event;
use crate::classify::answer::whole::{Edit, edit};
use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};
use crate::domain::{Digest, Json, UpstreamName};
use message::Fate;

/// What is known of the request that is answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The MCP server.
    pub server: UpstreamName,
    /// The calls that wait for an answer.
    pub asked: Vec<Asked>,
    /// Whether the answer may come as an array, because the request did.
    pub batch: bool,
    /// Whether messages come that belong to no one request: on the standalone stream of a session, which may also
    /// repeat what another stream has lost.
    pub open: bool,
    /// Whether the revision is 2026-07-28, whose results say of what type they are.
    pub stateless: bool,
}

/// A call that waits for an answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id, in the caller's own spelling.
    pub id: Box<RawValue>,
    /// What the id means: two are the same when this is.
    pub value: String,
    /// Its method.
    pub method: String,
    /// Digest of what it asks for: a later try of the same call has the same.
    pub of: Digest,
}

impl Exchange {
    fn method_of(&self, id: &str) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.value == id)
    }
}

/// How a stream is read.
pub(super) fn script(exchange: &Exchange, bounds: &Bounds) -> Option<Box<dyn Script>> {
    Some(Box::new(Stream { exchange: exchange.clone(), bounds: *bounds, held: None }))
}

/// Values of an answer that has to be judged: what a tree of them takes in memory stays within reason, whatever a
/// server sends. Far more than ten thousand tools with their schemas have.
const VALUES_MAX: usize = 1 << 20;

/// Reads an answer as far as it has to be judged: `Null` stands for one in which nothing has.
pub(super) fn read(
    exchange: &Exchange,
    data: &[u8],
    bounds: &Bounds,
) -> Result<(Json, Vec<Question>), Fault> {
    if !glance::carries(exchange, data, bounds)? {
        return Ok((Json::Null, Vec::new()));
    }
    let tree = Reader::new(data, bounds)?.whole_of(VALUES_MAX)?;
    let questions = questions(exchange, &tree, bounds)?;
    Ok((tree, questions))
}

/// What has to be judged in an answer.
fn questions(exchange: &Exchange, answer: &Json, bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    match answer {
        Json::Array(messages) if exchange.batch || exchange.open => {
            if messages.len() > bounds.batch {
                return Err(Fault::new(Problem::BatchTooLong, "more messages in one array than are read"));
            }
            let mut questions = Vec::new();
            for message in messages {
                questions.extend(message::questions(exchange, message, bounds)?);
            }
            Ok(questions)
        }
        message => message::questions(exchange, message, bounds),
    }
}

/// Tells an answer without what was refused.
pub(super) fn rewrite(exchange: &Exchange, answer: &mut Json, edits: &[Edit]) -> Result<(), Fault> {
    match told(exchange, answer, edits)? {
        Fate::Stays => Ok(()),
        Fate::Goes => {
            let what = "the server asks something of the client where its answer should stand";
            Err(Fault::new(Problem::Conflict, what))
        }
    }
}

/// The same, of an event as well: there, a message that was refused whole goes without a trace.
fn told(exchange: &Exchange, answer: &mut Json, edits: &[Edit]) -> Result<Fate, Fault> {
    let mut edits = edits.iter();
    let Json::Array(messages) = answer else { return message::rewrite(exchange, answer, &mut edits) };
    let mut kept = Vec::with_capacity(messages.len());
    for mut message in std::mem::take(messages) {
        if message::rewrite(exchange, &mut message, &mut edits)? == Fate::Stays {
            kept.push(message);
        }
    }
    let fate = if kept.is_empty() { Fate::Goes } else { Fate::Stays };
    *messages = kept;
    Ok(fate)
}

/// A stream of messages.
struct Stream {
    exchange: Exchange,
    bounds: Bounds,
    held: Option<Held>,
}

/// An event that has to be judged.
struct Held {
    raw: Bytes,
    tree: Json,
    /// In reverse: the next one stands last.
    questions: Vec<Question>,
    edits: Vec<Edit>,
}

impl Script for Stream {
    fn event(&mut self, event: Event, output: &mut Output) -> Result<(), Fault> {
        let Event { raw, name, data } = event;
        match name.as_deref() {
            None | Some("" | "message") => {}
            // Clients of the older transport post to the address that it holds.
            Some("endpoint") => {
                let what = "an event leads to another address, as in the transport that was given up";
                return Err(Fault::new(Problem::Conflict, what));
            }
            // No client reads it; so nothing in it has to be judged, and nothing is lost.
            Some(_) => return Ok(()),
        }
        let Some(data) = data.filter(|data| !data.trim_ascii().is_empty()) else {
            output.send(raw);
            return Ok(());
        };
        let (tree, mut questions) = read(&self.exchange, &data, &self.bounds)?;
        if questions.is_empty() {
            output.send(raw);
            return Ok(());
        }
        questions.reverse();
        self.held = Some(Held { raw, tree, questions, edits: Vec::new() });
        Ok(())
    }

    fn end(&mut self, _output: &mut Output) -> Result<(), Fault> {
        Ok(())
    }

    fn question(&mut self) -> Option<Question> {
        self.held.as_mut()?.questions.pop()
    }

    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault> {
        let Some(held) = &mut self.held else { return Ok(()) };
        held.edits.push(edit(judgement));
        // Nobody refers to what nobody was told.
        let is_told = held.edits.iter().all(Edit::keeps);
        while !is_told && matches!(held.questions.last(), Some(Question::Note(_))) {
            held.questions.pop();
            held.edits.push(Edit::Keep);
        }
        if !held.questions.is_empty() {
            return Ok(());
        }
        let Some(Held { raw, mut tree, edits, .. }) = self.held.take() else { return Ok(()) };
        if edits.iter().all(Edit::keeps) {
            output.send(raw);
            return Ok(());
        }
        if told(&self.exchange, &mut tree, &edits)? == Fate::Stays {
            output.send(with_data(&raw, &tree.text()));
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.raw.len())
    }
}

/// The event with other data: its id stays, because a client asks for what follows it.
fn with_data(raw: &[u8], data: &str) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 64);
    for line in raw.split(|b| matches!(b, b'\n' | b'\r')) {
        let field = line.split(|b| *b == b':').next().unwrap_or_default();
        if matches!(field, b"id" | b"event" | b"retry") {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
    out.into()
}

#[cfg(test)]
mod tests;
