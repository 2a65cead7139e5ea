//! Expected: what the answer to a request has to be, known from the request.

use crate::classify::answer::script::Script;
use crate::classify::answer::sse::Framing;
use crate::classify::answer::{
    AnswerForm, AnswerReader, Unfit, anthropic, bedrock, chat, gemini, mcp, responses,
};
use crate::classify::fault::Fault;
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

/// What the answer to a request has to be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// In which way it is written.
    pub speech: Speech,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// Provider and name of the model that was asked for, where a model answers.
    pub model: Option<(String, String)>,
}

/// In which way an answer is written.
#[derive(Clone, Debug)]
pub enum Speech {
    /// Nobody reads it.
    Unread,
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
    /// Bedrock's Converse.
    Bedrock,
    /// JSON-RPC messages of an MCP server.
    Mcp(mcp::Exchange),
}

impl Expected {
    /// An answer that nobody has to read.
    #[must_use]
    pub const fn unread() -> Self {
        Self { speech: Speech::Unread, streamed: false, model: None }
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
        let is_mcp = matches!(self.speech, Speech::Mcp(_));
        if matches!(self.speech, Speech::Unread) || !(is_success || is_mcp) {
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
            Speech::Bedrock if self.streamed && is("application/vnd.amazon.eventstream") => stream(),
            Speech::Bedrock | Speech::Mcp(_) if self.streamed => Err(self.unasked()),
            _ if self.streamed && is("text/event-stream") => stream(),
            _ if !self.streamed && is("application/json") => Ok(AnswerForm::Whole),
            _ => Err(self.unasked()),
        }
    }

    fn unasked(&self) -> Unfit {
        let due = match (&self.speech, self.streamed) {
            (Speech::Bedrock, true) => "`application/vnd.amazon.eventstream`",
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
            Self::Bedrock => Framing::Frames,
            _ => Framing::Lines,
        }
    }

    /// How a stream of it is read; `None` where nothing in it is judged.
    pub(super) fn script(&self, bounds: &Bounds) -> Option<Box<dyn Script>> {
        match self {
            Self::Unread => None,
            Self::Chat => Some(Box::new(chat::Chat::new(bounds))),
            Self::Responses => responses::script(bounds),
            Self::Anthropic => anthropic::script(bounds),
            Self::Gemini => gemini::script(bounds),
            Self::Bedrock => bedrock::script(bounds),
            Self::Mcp(exchange) => mcp::script(exchange, bounds),
        }
    }

    /// Sets a request's body right after tools were taken out of it: no empty list, no choice of a tool that is
    /// gone.
    pub(in crate::classify) fn tidy(&self, body: &mut Json) {
        match self {
            Self::Chat => chat::tidy(body),
            Self::Responses => responses::tidy(body),
            Self::Anthropic => anthropic::tidy(body),
            Self::Gemini => gemini::tidy(body),
            Self::Unread | Self::Bedrock | Self::Mcp(_) => {}
        }
    }
}
