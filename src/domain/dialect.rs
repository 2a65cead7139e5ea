//! Dialect: the wire protocol an action travels in.

use std::fmt;

/// A wire protocol that Pactgate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI's API.
    OpenAi,
    /// Anthropic's API.
    Anthropic,
    /// Model Context Protocol over streamable HTTP.
    Mcp,
    /// Any other HTTP call.
    Http,
    /// Bytes that nobody reads: a tunnel, an upgraded connection.
    Opaque,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 5] = [Self::OpenAi, Self::Anthropic, Self::Mcp, Self::Http, Self::Opaque];

    /// The name used in config, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Mcp => "mcp",
            Self::Http => "http",
            Self::Opaque => "opaque",
        }
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
