//! Dialect: the wire protocol an action travels in.

use std::fmt;

/// A wire protocol that Pactgate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI's API: chat completions and responses.
    OpenAi,
    /// Anthropic's API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Amazon Bedrock's Converse API.
    Bedrock,
    /// Model Context Protocol over streamable HTTP.
    Mcp,
    /// Agent2Agent over JSON-RPC or REST.
    A2a,
    /// Any other HTTP call.
    Http,
    /// Bytes that nobody reads: a tunnel, an upgraded connection.
    Opaque,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Mcp,
        Self::A2a,
        Self::Http,
        Self::Opaque,
    ];

    /// The name used in config, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Mcp => "mcp",
            Self::A2a => "a2a",
            Self::Http => "http",
            Self::Opaque => "opaque",
        }
    }

    /// Whether it is the API of a model.
    #[must_use]
    pub const fn is_model_api(self) -> bool {
        matches!(self, Self::OpenAi | Self::Anthropic | Self::Gemini | Self::Bedrock)
    }

    /// The dialect of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
