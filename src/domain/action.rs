//! Action: what an agent asks to do, and the fields a pact may judge.

use std::fmt;

use crate::domain::{Dialect, Json, UpstreamName};

/// What an agent asks to do, named the same whatever protocol carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What is asked for.
    pub target: Target,
    /// What `where` and `when` may speak of, as one object: `args` for tools and plain HTTP calls with a JSON
    /// body, `query` for plain HTTP calls, and the dialect's own settings (`max_tokens`, `stream`, …) at the top.
    pub fields: Json,
    /// The dialect it came in.
    pub dialect: Dialect,
}

/// The object of an action, as read from the wire and normalized by the rules of its own standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An answer of a model. Pacts write `provider/model`.
    Model {
        /// Who serves it: the upstream's `provider`.
        provider: String,
        /// The model's name as the provider spells it.
        model: String,
    },
    /// A tool, run by whoever the reference names.
    Tool(ToolRef),
    /// A tool that the model's provider runs, out of our sight.
    HostedTool {
        /// Who runs it.
        provider: String,
        /// Its type or name.
        name: String,
    },
    /// An MCP resource. Pacts write `server/uri`.
    Resource {
        /// The MCP server.
        server: UpstreamName,
        /// The resource's URI.
        uri: String,
    },
    /// An MCP prompt. Pacts write `server/name`.
    Prompt {
        /// The MCP server.
        server: UpstreamName,
        /// The prompt's name.
        name: String,
    },
    /// Another agent. Pacts write `peer` or `peer/skill`.
    Agent {
        /// The agent asked.
        peer: String,
        /// What it is asked for, where the protocol says.
        skill: Option<String>,
    },
    /// A plain HTTP call.
    Http(HttpTarget),
    /// Bytes that are not read: a connection, or a call of an endpoint that no reader knows.
    Opaque {
        /// Where they go. Lower-case host name, or an address; IPv6 without brackets.
        host: String,
        /// The port there.
        port: u16,
        /// The normalized path, where the API that is called has other endpoints which are read.
        path: Option<String>,
    },
    /// A message that a protocol needs and that asks for nothing itself: `initialize`, a listing, a notification.
    Protocol {
        /// The family of actions it prepares.
        family: Family,
        /// Whose actions those are, as pacts name them: the MCP server, the other agent, or the provider of the models.
        of: String,
        /// The protocol's name for it, such as `tools/list`.
        method: String,
    },
}

/// How a call names its tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolRef {
    /// `tools/call` to an MCP server.
    Mcp {
        /// The MCP server.
        server: UpstreamName,
        /// The tool's name there.
        tool: String,
    },
    /// A function that a model asks the agent to run.
    Function(String),
    /// The pact's own name for it: in pact tests and in `pact explain`.
    Capability(String),
}

/// A plain HTTP call: method, and a normalized address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTarget {
    /// Upper-case method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Lower-case host name (IDNA A-labels), or an address; IPv6 without brackets.
    pub host: String,
    /// The port, written or the scheme's.
    pub port: u16,
    /// Path with dot segments removed and percent-encoding normalized (RFC 3986, section 6.2.2); starts with `/`.
    pub path: String,
}

/// A family of actions that share one protocol's housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Calls to a model.
    Model,
    /// Tools, resources and prompts of an MCP server.
    Mcp,
    /// Another agent: its card, its tasks.
    Agent,
}

/// The kind of an action: the selectors of a pact, and `protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionKind {
    /// See [`Target::Model`].
    Model,
    /// See [`Target::Tool`].
    Tool,
    /// See [`Target::HostedTool`].
    HostedTool,
    /// See [`Target::Resource`].
    Resource,
    /// See [`Target::Prompt`].
    Prompt,
    /// See [`Target::Agent`].
    Agent,
    /// See [`Target::Http`].
    Http,
    /// See [`Target::Opaque`].
    Opaque,
    /// See [`Target::Protocol`].
    Protocol,
}

impl ActionKind {
    /// The name used in pacts, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Tool => "tool",
            Self::HostedTool => "hosted_tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
            Self::Agent => "agent",
            Self::Http => "http",
            Self::Opaque => "opaque",
            Self::Protocol => "protocol",
        }
    }
}

impl Target {
    /// Which kind of action this is.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Model { .. } => ActionKind::Model,
            Self::Tool(_) => ActionKind::Tool,
            Self::HostedTool { .. } => ActionKind::HostedTool,
            Self::Resource { .. } => ActionKind::Resource,
            Self::Prompt { .. } => ActionKind::Prompt,
            Self::Agent { .. } => ActionKind::Agent,
            Self::Http(_) => ActionKind::Http,
            Self::Opaque { .. } => ActionKind::Opaque,
            Self::Protocol { .. } => ActionKind::Protocol,
        }
    }
}

/// The name as pacts, records and people write it: `openai/gpt-4o-mini`, `payments.refund`,
/// `POST https://api.shop.example/v1/refunds`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { provider, model } => write!(f, "{provider}/{model}"),
            Self::Tool(ToolRef::Mcp { server, tool }) => write!(f, "{server}.{tool}"),
            Self::Tool(ToolRef::Function(name) | ToolRef::Capability(name)) => f.write_str(name),
            Self::HostedTool { provider, name } => write!(f, "{provider}/{name}"),
            Self::Resource { server, uri } => write!(f, "{server}/{uri}"),
            Self::Prompt { server, name } => write!(f, "{server}/{name}"),
            Self::Agent { peer, skill: Some(skill) } => write!(f, "{peer}/{skill}"),
            Self::Agent { peer, skill: None } => f.write_str(peer),
            Self::Http(target) => write!(f, "{target}"),
            Self::Opaque { host, port, path } => {
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{open}{host}{close}:{port}{}", path.as_deref().unwrap_or_default())
            }
            Self::Protocol { of, method, .. } => write!(f, "{of}/{method}"),
        }
    }
}

impl fmt::Display for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, scheme, host, port, path } = self;
        let implied = matches!((scheme.as_str(), port), ("https", 443) | ("http", 80));
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{method} {scheme}://{open}{host}{close}")?;
        if !implied {
            write!(f, ":{port}")?;
        }
        f.write_str(path)
    }
}
