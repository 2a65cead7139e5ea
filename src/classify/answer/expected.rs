//! Expected: what the answer to a request has to be, known from the request.

use crate::classify::answer::script::Script;
use crate::classify::answer::sse::Framing;
use crate::classify::answer::{
    AgentCard, AnswerForm, AnswerReader, Door, Unfit, anthropic, bedrock, chat, gemini, is_same_model, mcp,
    responses,
};
use crate::classify::fault::Fault;
use crate::classify::{Bounds, Problem};
use crate::domain::{Action, Json};

/// Members in which some API carries what a model says: in whole answers, and in the events of streams.
const CARRIERS: [&str; 8] =
    ["choices", "output", "content", "candidates", "content_block", "delta", "item", "response"];

/// What the answer to a request has to be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// In which way it is written.
    pub speech: Speech,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// Provider and name of the model that was asked for, where a model answers.
    pub model: Option<(String, String)>,
    /// Further models that may answer instead; each was judged with the request.
    pub others: Vec<String>,
    /// Who serves the models, and runs the tools that an answer says it has run.
    pub provider: String,
    /// Tools that the provider may run, as the request offers them.
    pub hosted: Vec<Hosted>,
}

/// A tool that the provider may run.
#[derive(Clone, Debug)]
pub struct Hosted {
    /// What an answer calls it.
    pub name: String,
    /// What it was judged as in the request.
    pub action: Action,
}

/// In which way an answer is written.
#[derive(Clone, Debug)]
pub enum Speech {
    /// Nobody reads it.
    Unread,
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses, and who runs the tools that they tell of.
    Responses(String),
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`, and who runs the tools that it tells of.
    Gemini(String),
    /// Bedrock's Converse, and who runs the tools that it tells of.
    Bedrock(String),
    /// JSON-RPC messages of an MCP server.
    Mcp(mcp::Exchange),
    /// The card by which an agent says where it is.
    AgentCard(AgentCard),
}

impl Expected {
    /// An answer that nobody has to read.
    #[must_use]
    pub const fn unread() -> Self {
        Self {
            speech: Speech::Unread,
            streamed: false,
            model: None,
            others: Vec::new(),
            provider: String::new(),
            hosted: Vec::new(),
        }
    }

    /// Whether that model may answer because it was judged with the request.
    pub(super) fn names(&self, model: &str) -> bool {
        let asked = self.model.iter().map(|(_, asked)| asked);
        asked.chain(&self.others).any(|asked| is_same_model(asked, model))
    }

    /// Whether the answer may name addresses that lead around the sidecar, unless they are turned into doors of its
    /// own.
    #[must_use]
    pub const fn names_addresses(&self) -> bool {
        matches!(self.speech, Speech::AgentCard(_))
    }

    /// Has the addresses in the answer turned into these doors, and taken out where none leads there. Without this
    /// they stay, for an agent whose every way leads through the sidecar.
    #[must_use]
    pub fn through(mut self, doors: Vec<Door>) -> Self {
        if let Speech::AgentCard(card) = &mut self.speech {
            card.open(doors);
        }
        self
    }

    /// In which way the answer at hand is read. `content_type` as the answer gives it.
    ///
    /// # Errors
    /// When it is not what was asked for: a client could read it in another way than Pactgate.
    pub fn form(
        &self,
        status: u16,
        content_type: Option<&str>,
        bounds: &Bounds,
    ) -> Result<AnswerForm, Unfit> {
        let is_success = (200..300).contains(&status);
        let is_unread = match &self.speech {
            Speech::Unread => true,
            Speech::AgentCard(card) => !card.is_rewritten(),
            _ => false,
        };
        let is_mcp = matches!(self.speech, Speech::Mcp(_));
        if is_unread || !(is_success || is_mcp) {
            return Ok(AnswerForm::Unread);
        }
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let stream = || Ok(AnswerForm::Stream(Box::new(AnswerReader::new(self, bounds))));
        match &self.speech {
            // The server chooses.
            Speech::Mcp(_) if is("text/event-stream") => stream(),
            Speech::Mcp(_) if is("application/json") => Ok(AnswerForm::Whole),
            // A notification is accepted without a body. What is refused comes in any type; clients take messages out
            // of JSON and events alone, whatever the status.
            Speech::Mcp(_) if !is_success || status == 202 => Ok(AnswerForm::Unread),
            Speech::Mcp(_) if essence.is_empty() => Ok(AnswerForm::Whole),
            Speech::AgentCard(_) if is("application/a2a+json") => Ok(AnswerForm::Whole),
            Speech::Bedrock(_) if self.streamed && is("application/vnd.amazon.eventstream") => stream(),
            Speech::Bedrock(_) | Speech::Mcp(_) if self.streamed => Err(self.unasked()),
            _ if self.streamed && is("text/event-stream") => stream(),
            _ if !self.streamed && is("application/json") => Ok(AnswerForm::Whole),
            _ => Err(self.unasked()),
        }
    }

    fn unasked(&self) -> Unfit {
        let due = match (&self.speech, self.streamed) {
            (Speech::Bedrock(_), true) => "`application/vnd.amazon.eventstream`",
            (_, true) => "`text/event-stream`",
            (Speech::Mcp(_), false) => "`application/json` or `text/event-stream`",
            (_, false) => "`application/json`",
        };
        Fault::new(Problem::ContentType, format!("{due} was asked for, and another type came")).into()
    }
}

impl Speech {
    pub(super) const fn framing(&self) -> Framing {
        match self {
            Self::Bedrock(_) => Framing::Frames,
            _ => Framing::Lines,
        }
    }

    /// How a stream of it is read; `None` where nothing in it is judged.
    pub(super) fn script(&self, expected: &Expected, bounds: &Bounds) -> Option<Box<dyn Script>> {
        match self {
            Self::Unread | Self::AgentCard(_) => None,
            Self::Chat => Some(Box::new(chat::Chat::new(bounds))),
            Self::Responses(provider) => Some(Box::new(responses::Responses::new(provider, bounds))),
            Self::Anthropic => anthropic::script(expected, bounds),
            Self::Gemini(provider) => gemini::script(provider, bounds),
            Self::Bedrock(provider) => bedrock::script(provider, bounds),
            Self::Mcp(exchange) => mcp::script(exchange, bounds),
        }
    }

    /// The member in which the APIs carry what a model says, at the top of an answer or of an event.
    const fn carrier(&self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("choices"),
            Self::Responses(_) | Self::Bedrock(_) => Some("output"),
            Self::Anthropic => Some("content"),
            Self::Gemini(_) => Some("candidates"),
            Self::Unread | Self::Mcp(_) | Self::AgentCard(_) => None,
        }
    }

    /// Whether an object with these members at its top is what a model of another API says: a client that reads more than
    /// one API would find calls in it.
    pub(super) fn is_foreign<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> bool {
        let Some(own) = self.carrier() else { return false };
        let (mut is_own, mut is_other) = (false, false);
        for name in names {
            is_own |= name == own;
            is_other |= CARRIERS.contains(&name);
        }
        is_other && !is_own
    }

    /// Sets a request's body right after tools were taken out of it: no empty list, no choice of a tool that is
    /// gone.
    pub(in crate::classify) fn tidy(&self, body: &mut Json) {
        match self {
            Self::Chat => chat::tidy(body),
            Self::Responses(_) => responses::tidy(body),
            Self::Anthropic => anthropic::tidy(body),
            Self::Gemini(_) => gemini::tidy(body),
            Self::Bedrock(_) => bedrock::tidy(body),
            Self::Unread | Self::Mcp(_) | Self::AgentCard(_) => {}
        }
    }
}
