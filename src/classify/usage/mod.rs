//! UsageTap: reads usage and the answering model off a response while it passes.

mod report;
mod sse;

use crate::classify::Bounds;
use crate::domain::Dialect;
use report::Report;
use sse::Events;

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

/// Reads a model's response as it passes, in chunks of any size. It never fails and never holds the response up;
/// what it cannot read, it does not report.
#[derive(Debug)]
pub struct UsageTap {
    form: Form,
    report: Report,
}

#[derive(Debug)]
enum Form {
    /// Nothing is read: another dialect, or another content type.
    Passing,
    /// Server-sent events.
    Events(Events),
    /// One JSON value, held until its end while it is within the bound.
    Whole { body: Vec<u8>, bytes_max: usize },
}

impl UsageTap {
    /// A tap for one response of that dialect and content type. The body comes without content-encoding.
    #[must_use]
    pub fn for_response(dialect: Dialect, content_type: Option<&str>, bounds: &Bounds) -> Self {
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let form = match dialect {
            Dialect::OpenAi | Dialect::Anthropic if is("text/event-stream") => {
                Form::Events(Events::default())
            }
            Dialect::OpenAi | Dialect::Anthropic if is("application/json") => {
                Form::Whole { body: Vec::new(), bytes_max: bounds.body_bytes }
            }
            _ => Form::Passing,
        };
        Self { form, report: Report::new(dialect, bounds.name_bytes) }
    }

    /// Reads the next bytes of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        match &mut self.form {
            Form::Passing => {}
            Form::Events(events) => events.push(chunk, |data| self.report.event(data)),
            Form::Whole { body, bytes_max } if body.len().saturating_add(chunk.len()) <= *bytes_max => {
                body.extend_from_slice(chunk);
            }
            Form::Whole { .. } => self.form = Form::Passing,
        }
    }

    /// What was seen, at the end of the body or wherever it broke off.
    #[must_use]
    pub fn finish(mut self) -> Observed {
        match self.form {
            Form::Passing => {}
            Form::Events(mut events) => events.end(|data| self.report.event(data)),
            Form::Whole { body, .. } => self.report.whole(&body),
        }
        self.report.observed()
    }
}

#[cfg(test)]
mod tests;
