//! What each model API says of usage, in a stream's events and in a whole response.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::classify::answer::{Observed, Speech};

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static MODEL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"model\""));
static STOP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"message_stop\""));
/// Begins what Gemini tells beside its text, in either spelling.
static GEMINI: [LazyLock<Finder<'static>>; 3] = [
    LazyLock::new(|| Finder::new("\"usage")),
    LazyLock::new(|| Finder::new("\"finish")),
    LazyLock::new(|| Finder::new("\"model")),
];
static STOP_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"stopReason\""));
static RESPONSE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"response\""));

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

/// A chunk or event of one of OpenAI's APIs or its whole response, or an Anthropic event or message.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
    #[serde(alias = "response")]
    message: Option<Message>,
}

/// The message inside Anthropic's `message_start`, the response inside an event of OpenAI's.
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

/// A response of Gemini's, or one event of its stream.
#[derive(Deserialize)]
struct OfGemini {
    #[serde(rename = "usageMetadata", alias = "usage_metadata")]
    usage: Option<GeminiUsage>,
    #[serde(rename = "modelVersion", alias = "model_version")]
    model: Option<String>,
    candidates: Option<Vec<Candidate>>,
    #[serde(rename = "promptFeedback", alias = "prompt_feedback")]
    feedback: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Candidate {
    #[serde(rename = "finishReason", alias = "finish_reason")]
    finish: Option<IgnoredAny>,
}

/// Gemini's counts; what was read from the cache stands in the prompt's.
#[derive(Deserialize)]
struct GeminiUsage {
    #[serde(rename = "promptTokenCount", alias = "prompt_token_count")]
    prompt: Option<u64>,
    #[serde(rename = "toolUsePromptTokenCount", alias = "tool_use_prompt_token_count")]
    tool_use: Option<u64>,
    #[serde(rename = "candidatesTokenCount", alias = "candidates_token_count")]
    candidates: Option<u64>,
    #[serde(rename = "thoughtsTokenCount", alias = "thoughts_token_count")]
    thoughts: Option<u64>,
}

/// A response of Converse, or one event of its stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfConverse {
    usage: Option<ConverseUsage>,
    stop_reason: Option<IgnoredAny>,
    trace: Option<Trace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConverseUsage {
    input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    prompt_router: Option<PromptRouter>,
}

/// The model that a router chose.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptRouter {
    invoked_model_id: Option<String>,
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
        match self.speech {
            // No model answers, and no server says what one used.
            Speech::Mcp(_) => return,
            Speech::Gemini(_) => {
                if GEMINI.iter().any(|finder| finder.find(data).is_some()) {
                    self.gemini(data);
                }
                return;
            }
            Speech::Bedrock(_) => {
                if USAGE.find(data).is_some() || STOP_REASON.find(data).is_some() {
                    self.converse(data);
                }
                return;
            }
            _ => {}
        }
        let is_openai = matches!(self.speech, Speech::Chat);
        if is_openai && data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return;
        }
        let says_usage = USAGE.find(data).is_some_and(|at| !is_null_behind(data, at + USAGE.needle().len()));
        let says_model = self.model.is_none() && MODEL.find(data).is_some();
        let says_stop = match self.speech {
            Speech::Chat => false,
            Speech::Responses(_) => RESPONSE.find(data).is_some(),
            _ => STOP.find(data).is_some(),
        };
        if (says_usage || says_model || says_stop)
            && let Ok(mut said) = serde_json::from_slice::<Said>(data)
        {
            if matches!(self.speech, Speech::Anthropic) {
                // Only the message that starts says its model; clients look nowhere else.
                said.model = None;
            }
            self.ended |= match (&self.speech, said.kind.as_deref()) {
                (Speech::Chat, _) => false,
                (Speech::Responses(_), kind) => {
                    matches!(kind, Some("response.completed" | "response.incomplete" | "response.failed"))
                }
                (_, kind) => kind == Some("message_stop"),
            };
            self.hear(said);
        }
    }

    /// Reads a response that is no stream.
    pub(super) fn whole(&mut self, body: &[u8]) {
        match self.speech {
            Speech::Gemini(_) => return self.ended = self.gemini(body),
            Speech::Bedrock(_) => return self.ended = self.converse(body),
            _ => {}
        }
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

    /// Whether it could be read. Each event tells all that was used so far.
    fn gemini(&mut self, data: &[u8]) -> bool {
        let Ok(said) = serde_json::from_slice::<OfGemini>(data) else { return false };
        let ends = |candidate: &Candidate| candidate.finish.is_some();
        self.ended |= said.feedback.is_some() || said.candidates.iter().flatten().any(ends);
        self.name(said.model);
        if let Some(usage) = said.usage {
            self.input = self.input.max(sum(usage.prompt, usage.tool_use));
            self.output = self.output.max(sum(usage.candidates, usage.thoughts));
        }
        true
    }

    /// Whether it could be read.
    fn converse(&mut self, data: &[u8]) -> bool {
        let Ok(said) = serde_json::from_slice::<OfConverse>(data) else { return false };
        self.ended |= said.stop_reason.is_some();
        self.name(said.trace.and_then(|trace| trace.prompt_router?.invoked_model_id));
        if let Some(usage) = said.usage {
            let [written, read] = &mut self.cached;
            *written = (*written).max(usage.cache_write_input_tokens);
            *read = (*read).max(usage.cache_read_input_tokens);
            self.input = self.input.max(usage.input_tokens);
            self.output = self.output.max(usage.output_tokens);
        }
        true
    }

    /// Notes the model that answers; the first name counts.
    fn name(&mut self, name: Option<String>) {
        let name = name.filter(|name| (1..=self.name_bytes_max).contains(&name.len()));
        if self.model.is_none() {
            self.model = name;
        }
    }

    fn hear(&mut self, said: Said) {
        let (inner_model, inner_usage) = said.message.map_or((None, None), |m| (m.model, m.usage));
        self.name(said.model.or(inner_model));
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

/// The sum of two counts, where there is either.
fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    let (first, second) = (a.or(b)?, a.and(b).unwrap_or_default());
    Some(first.saturating_add(second))
}

/// Whether the member whose name ends at `at` is `null`, as in every chunk but the last of some APIs.
fn is_null_behind(data: &[u8], at: usize) -> bool {
    let behind = data.get(at..).unwrap_or_default().trim_ascii_start();
    behind.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
}
