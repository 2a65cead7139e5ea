//! What each model API says of usage, in a stream's events and in a whole response.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;

use crate::classify::answer::{Observed, Speech};

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static MODEL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"model\""));
static STOP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"message_stop\""));

/// What was read so far.
#[derive(Debug)]
pub(super) struct Report {
    speech: Speech,
    name_bytes_max: usize,
    input: Option<u64>,
    /// Input written to the cache and read from it, which Anthropic counts apart.
    cached: [Option<u64>; 2],
    output: Option<u64>,
    model: Option<String>,
    ended: bool,
}

/// An OpenAI chunk or response, or an Anthropic event or message.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
    message: Option<Message>,
}

/// The message inside Anthropic's `message_start`.
#[derive(Deserialize)]
struct Message {
    model: Option<String>,
    usage: Option<Usage>,
}

/// Both APIs' counts; each uses names of its own.
#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Report {
    pub(super) fn new(speech: Speech, name_bytes_max: usize) -> Self {
        Self {
            speech,
            name_bytes_max,
            input: None,
            cached: [None; 2],
            output: None,
            model: None,
            ended: false,
        }
    }

    /// Reads one event of a stream. Most carry a piece of text and nothing else: they are not parsed.
    pub(super) fn event(&mut self, data: &[u8]) {
        // No model answers, and no server says what one used.
        if matches!(self.speech, Speech::Mcp(_)) {
            return;
        }
        let is_openai = matches!(self.speech, Speech::Chat);
        if is_openai && data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return;
        }
        let says_usage = USAGE.find(data).is_some_and(|at| !is_null_behind(data, at + USAGE.needle().len()));
        let says_model = self.model.is_none() && MODEL.find(data).is_some();
        let says_stop = !is_openai && STOP.find(data).is_some();
        if (says_usage || says_model || says_stop)
            && let Ok(said) = serde_json::from_slice::<Said>(data)
        {
            self.ended |= !is_openai && said.kind.as_deref() == Some("message_stop");
            self.hear(said);
        }
    }

    /// Reads a response that is no stream.
    pub(super) fn whole(&mut self, body: &[u8]) {
        if let Ok(said) = serde_json::from_slice::<Said>(body) {
            self.ended = true;
            self.hear(said);
        }
    }

    /// The model that answers, as far as it is known.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    pub(super) fn observed(&self) -> Observed {
        let [written, read] = self.cached;
        let parts = [self.input, written, read];
        let input = parts.iter().flatten().fold(0_u64, |sum, part| sum.saturating_add(*part));
        Observed {
            input_tokens: parts.iter().any(Option::is_some).then_some(input),
            output_tokens: self.output,
            response_model: self.model.clone(),
            ended: self.ended,
        }
    }

    fn hear(&mut self, said: Said) {
        let (inner_model, inner_usage) = said.message.map_or((None, None), |m| (m.model, m.usage));
        let name = said.model.or(inner_model).filter(|name| (1..=self.name_bytes_max).contains(&name.len()));
        if self.model.is_none() {
            self.model = name;
        }
        for usage in [said.usage, inner_usage].into_iter().flatten() {
            self.count(&usage);
        }
    }

    /// Counts are cumulative: each can only grow, so that a later, smaller one takes nothing back.
    fn count(&mut self, usage: &Usage) {
        let [written, read] = &mut self.cached;
        let (input, output) = match self.speech {
            Speech::Chat => (usage.prompt_tokens, usage.completion_tokens),
            _ => {
                *written = (*written).max(usage.cache_creation_input_tokens);
                *read = (*read).max(usage.cache_read_input_tokens);
                (usage.input_tokens, usage.output_tokens)
            }
        };
        self.input = self.input.max(input);
        self.output = self.output.max(output);
    }
}

/// Whether the member whose name ends at `at` is `null`, as in every chunk but the last of some APIs.
fn is_null_behind(data: &[u8], at: usize) -> bool {
    let behind = data.get(at..).unwrap_or_default().trim_ascii_start();
    behind.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
}
