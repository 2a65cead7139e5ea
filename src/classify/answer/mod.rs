//! Reads what a model or a server answers: lets text flow, and holds what has to be judged until it is.
//!
//! Pure: bytes go in, and out come bytes for the agent and questions to the judge. Whoever drives it asks the judge,
//! tells the answer, and goes on. While a question is open nothing behind it is read, so what is held is bounded by
//! one event and one call.

mod anthropic;
mod bedrock;
pub(in crate::classify) mod card;
mod chat;
mod expected;
mod frames;
mod gemini;
mod made;
pub mod mcp;
mod responses;
mod script;
mod sse;
#[cfg(test)]
mod trial;
mod usage;
mod whole;

use bytes::Bytes;

use crate::classify::fault::Fault;
use crate::classify::{Bounds, Problem};
use script::{Output, Script};
use sse::Events;
use usage::Report;

pub use bedrock::cut_converse;
pub use card::{AgentCard, Door};
pub use expected::{Expected, Hosted, Speech};
pub use script::{Judgement, Listed, Made, Question};
pub use whole::WholeAnswer;

/// What a response said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Tokens the model read, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens the model wrote, hidden reasoning included.
    pub output_tokens: Option<u64>,
    /// The model that answered, as the provider spells it.
    pub response_model: Option<String>,
    /// Whether the response came to the dialect's own end, such as `[DONE]`, and was not cut before it. For a
    /// response that is no stream: whether it is whole.
    pub ended: bool,
}

/// An answer that cannot be read without doubt, and so must not reach the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be read: {detail} ({})", problem.name())]
pub struct Unfit {
    /// What is wrong, as one of a closed set.
    pub problem: Problem,
    /// What is wrong and where: one sentence, free of the values of the answer.
    pub detail: String,
}

impl From<Fault> for Unfit {
    fn from(fault: Fault) -> Self {
        Self { problem: fault.problem(), detail: fault.detail() }
    }
}

/// In which way an answer is read.
#[derive(Debug)]
pub enum AnswerForm {
    /// It passes as it comes: nothing in it is judged.
    Unread,
    /// It is collected, read by [`WholeAnswer::read`], and sent on.
    Whole,
    /// It is read as it streams.
    Stream(Box<AnswerReader>),
}

/// What a driver does next.
#[derive(Debug)]
pub enum Step {
    /// Send these bytes to the agent.
    Send(Bytes),
    /// Ask the judge, and tell what it said by [`AnswerReader::judged`].
    Ask(Question),
    /// Bring more bytes, or say that there are none.
    More,
    /// All is said.
    End,
}

/// Reads a streamed answer.
pub struct AnswerReader {
    expected: Expected,
    events: Events,
    /// The event that is looked at next; its usage and model have been noted.
    current: Option<sse::Event>,
    script: Option<Box<dyn Script>>,
    output: Output,
    report: Report,
    /// Whether the model that answers has been compared with the one that was asked for.
    compared: bool,
    /// A question is out.
    asking: Option<Asking>,
    closed: bool,
    script_ended: bool,
    held_max: usize,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Script,
    Model,
}

impl std::fmt::Debug for AnswerReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerReader").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl AnswerReader {
    fn new(expected: &Expected, bounds: &Bounds) -> Self {
        Self {
            expected: expected.clone(),
            events: Events::new(expected.speech.framing(), bounds.decoded_bytes),
            current: None,
            script: expected.speech.script(expected, bounds),
            output: Output::default(),
            report: Report::new(expected.speech.clone(), bounds.name_bytes),
            compared: expected.model.is_none(),
            asking: None,
            closed: false,
            script_ended: false,
            held_max: bounds.decoded_bytes,
        }
    }

    /// Takes the next bytes of the body, without content-encoding.
    ///
    /// # Errors
    /// When the body has come to its end before.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Unfit> {
        if self.closed {
            return Err(Fault::new(Problem::Conflict, "bytes behind the end of the body").into());
        }
        self.events.push(&chunk);
        Ok(())
    }

    /// Says that the body has come to its end.
    ///
    /// # Errors
    /// None today; what is wrong with the end is told by [`AnswerReader::step`].
    pub fn close(&mut self) -> Result<(), Unfit> {
        self.closed = true;
        self.events.close();
        Ok(())
    }

    /// What to do next.
    ///
    /// # Errors
    /// When the answer cannot be read without doubt: nothing of it may be sent any more.
    pub fn step(&mut self) -> Result<Step, Unfit> {
        loop {
            if let Some(bytes) = self.output.pop() {
                return Ok(Step::Send(bytes));
            }
            if self.asking.is_some() {
                return Ok(Step::More);
            }
            if let Some(question) = self.next_question() {
                return Ok(Step::Ask(question));
            }
            // The model that answers is known, and asked about, before anything it says goes on.
            if let Some(event) = self.current.take() {
                self.read(event)?;
                continue;
            }
            match self.events.next()? {
                Some(event) => {
                    if let Some(data) = &event.data {
                        self.report.event(data);
                    }
                    self.current = Some(event);
                }
                None if self.closed && !self.script_ended => {
                    self.script_ended = true;
                    if let Some(script) = &mut self.script {
                        script.end(&mut self.output)?;
                    }
                }
                None if self.closed => return Ok(Step::End),
                None => return Ok(Step::More),
            }
        }
    }

    /// Tells what the judge said of the question that [`AnswerReader::step`] gave last.
    ///
    /// # Errors
    /// When what is held cannot be told in another way.
    pub fn judged(&mut self, judgement: Judgement) -> Result<(), Unfit> {
        match (self.asking.take(), &mut self.script) {
            (Some(Asking::Script), Some(script)) => Ok(script.judged(judgement, &mut self.output)?),
            _ => Ok(()),
        }
    }

    /// In which way the answer is written.
    #[must_use]
    pub const fn speech(&self) -> &Speech {
        &self.expected.speech
    }

    /// What was seen so far.
    #[must_use]
    pub fn observed(&self) -> Observed {
        self.report.observed()
    }

    fn next_question(&mut self) -> Option<Question> {
        if let Some(question) = self.script.as_mut().and_then(|script| script.question()) {
            self.asking = Some(Asking::Script);
            return Some(question);
        }
        let (provider, _) = self.expected.model.as_ref().filter(|_| !self.compared)?;
        let answered = self.report.model()?;
        let question = (!self.expected.names(answered))
            .then(|| Question::Model { provider: provider.clone(), model: answered.to_owned() });
        self.compared = true;
        self.asking = question.as_ref().map(|_| Asking::Model);
        question
    }

    fn read(&mut self, event: sse::Event) -> Result<(), Unfit> {
        let Some(script) = &mut self.script else {
            self.output.send(event.raw);
            return Ok(());
        };
        script.event(event, &mut self.output)?;
        if script.held() > self.held_max {
            let what = "more is held of one call than is kept in memory";
            return Err(Fault::new(Problem::TooLarge, what).into());
        }
        Ok(())
    }
}

/// Whether a provider's name for the model that answered is the asked name with a version behind it:
/// `gpt-4o-mini-2024-07-18` for `gpt-4o-mini`.
pub(super) fn is_same_model(asked: &str, answered: &str) -> bool {
    let asked = asked.strip_prefix("models/").unwrap_or(asked);
    let answered = answered.strip_prefix("models/").unwrap_or(answered);
    let version = |rest: &str| {
        let digits = rest.trim_start_matches(['-', '@', ':']);
        rest.len() > digits.len()
            && digits.bytes().any(|b| b.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    };
    let is_latest = |asked: &str| asked.strip_suffix("-latest").is_some_and(|base| base == answered);
    answered == asked
        || answered.strip_prefix(asked).is_some_and(version)
        || asked.strip_suffix("-latest").is_some_and(|base| answered.strip_prefix(base).is_some_and(version))
        || is_latest(asked)
}

#[cfg(test)]
mod tests;
