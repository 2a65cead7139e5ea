//! Names what a request is, strictly: bytes to actions.

mod unreadable;
mod usage;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::value::RawValue;

use crate::domain::{Action, Dialect, UpstreamName};

pub use unreadable::{Problem, Unreadable};
pub use usage::{Observed, UsageTap};

/// The upstream that a request goes to, as far as reading the request depends on it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name in the config; `None` where the config knows no such upstream.
    pub name: Option<UpstreamName>,
    /// The protocol it speaks.
    pub dialect: Dialect,
    /// Who serves its models: the first half of `provider/model`.
    pub provider: String,
    /// The MCP revisions that it accepts; empty means every revision that Pactgate reads.
    pub mcp_versions: Vec<String>,
}

/// A request as plain data.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`, on the way to the upstream.
    pub scheme: &'a str,
    /// The upstream's host.
    pub host: &'a str,
    /// The upstream's port.
    pub port: u16,
    /// The path as received, without the upstream's own prefix. Empty where the request names the upstream alone.
    pub path: &'a str,
    /// What follows the `?`, as received.
    pub query: Option<&'a str>,
    /// The header fields as received.
    pub headers: &'a HeaderMap,
    /// The whole body as received, perhaps with a content-encoding; empty where the plan was to stream it.
    pub body: &'a Bytes,
}

/// How much of a request is read. Whatever is larger is refused, never cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a body as received.
    pub body_bytes: usize,
    /// Bytes of a body after its content-encoding is removed.
    pub decoded_bytes: usize,
    /// Arrays and objects inside each other.
    pub depth: usize,
    /// Values in the arguments of one call.
    pub values: usize,
    /// Messages in one batch.
    pub batch: usize,
    /// Bytes of one name: a model, a tool, a prompt, a resource's URI.
    pub name_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            decoded_bytes: 16 << 20,
            depth: 64,
            values: 1 << 18,
            batch: 32,
            name_bytes: 512,
        }
    }
}

/// What to do with a request's body before it is classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPlan {
    /// Hold all of it, within [`Bounds::body_bytes`], and classify it.
    Buffer,
    /// Classify the head alone; the body is forwarded unread, and the coverage says so.
    Stream,
}

/// A request that was read.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it asks for. Never empty; a request goes through only if every part may.
    pub parts: Vec<Part>,
    /// Whether it is a JSON-RPC batch, to be answered by an array.
    pub batch: bool,
    /// The normalized path, and the query: what is forwarded in place of the received ones.
    pub path_and_query: String,
    /// The body without its content-encoding, where it had one. It is forwarded in place of the received one,
    /// without `content-encoding` and with its own `content-length`.
    pub body: Option<Bytes>,
    /// Whether the caller asked for a streamed answer.
    pub streamed: bool,
}

/// One action of a request.
#[derive(Clone, Debug)]
pub struct Part {
    /// What is asked for.
    pub action: Action,
    /// How a refusal of it is told.
    pub reply: Reply,
    /// How much of it was read.
    pub coverage: Coverage,
}

/// The form in which a caller understands a refusal.
#[derive(Clone, Debug)]
pub enum Reply {
    /// OpenAI's error object.
    OpenAi,
    /// Anthropic's error object.
    Anthropic,
    /// The result of a tool call, with `isError`.
    McpTool {
        /// The caller's own id, in the caller's own spelling.
        id: Box<RawValue>,
    },
    /// A JSON-RPC error.
    JsonRpc {
        /// The caller's own id, in the caller's own spelling; `null` where none could be read.
        id: Box<RawValue>,
    },
    /// A JSON-RPC notification or response: nobody waits for an answer.
    Notification,
    /// Problem details (RFC 9457).
    Problem,
}

/// How much of a request was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coverage {
    /// Nothing of the body.
    Unread,
    /// All of it for its form, and for its meaning what an action consists of: not the conversation with a model.
    Envelope,
    /// All that it asks for.
    Read,
}

impl Coverage {
    /// The name used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Envelope => "envelope",
            Self::Read => "read",
        }
    }
}

/// Decides, from the head of a request alone, whether its body has to be held.
#[must_use]
pub fn plan(
    _peer: &Peer,
    _method: &Method,
    _path: &str,
    _headers: &HeaderMap,
    _pact_reads_http_bodies: bool,
) -> BodyPlan {
    BodyPlan::Stream
}

/// Reads a request, once: what was read is what may be forwarded.
///
/// # Errors
///
/// [`Unreadable`] when the request is malformed, too large, or could be read in two ways.
pub fn classify(peer: &Peer, view: &RequestView<'_>, _bounds: &Bounds) -> Result<Call, Unreadable> {
    let action = Action {
        target: crate::domain::Target::Opaque { host: view.host.to_owned(), port: view.port },
        fields: crate::domain::Json::Object(Vec::new()),
        dialect: peer.dialect,
    };
    let part = Part { action, reply: Reply::Problem, coverage: Coverage::Unread };
    Ok(Call {
        parts: vec![part],
        batch: false,
        path_and_query: view.path.to_owned(),
        body: None,
        streamed: false,
    })
}
