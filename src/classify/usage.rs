//! UsageTap: reads usage and the answering model off a response while it passes.

use crate::classify::Bounds;
use crate::domain::Dialect;

/// What a response said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Tokens the model read, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens the model wrote, hidden reasoning included.
    pub output_tokens: Option<u64>,
    /// The model that answered, as the provider spells it.
    pub response_model: Option<String>,
    /// Whether the response came to the dialect's own end, such as `[DONE]`, and was not cut before it.
    pub ended: bool,
}

/// Reads a model's response as it passes, in chunks of any size. It never fails and never holds the response up;
/// what it cannot read, it does not report.
#[derive(Debug)]
pub struct UsageTap {
    observed: Observed,
}

impl UsageTap {
    /// A tap for one response of that dialect and content type, without content-encoding.
    #[must_use]
    pub fn for_response(_dialect: Dialect, _content_type: Option<&str>, _bounds: &Bounds) -> Self {
        Self { observed: Observed::default() }
    }

    /// Reads the next bytes of the body.
    pub fn push(&mut self, _chunk: &[u8]) {}

    /// What was seen, at the end of the body or wherever it broke off.
    #[must_use]
    pub fn finish(self) -> Observed {
        self.observed
    }
}
