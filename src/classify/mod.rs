//! Names what a request is, strictly: bytes to actions.

mod a2a;
mod address;
mod answer;
mod anthropic;
mod asked;
mod bedrock;
mod betas;
mod content;
mod fault;
mod gemini;
mod headers;
mod http_call;
mod json_rpc;
mod mcp;
mod model;
mod names;
mod offer;
mod openai;
mod query;
mod reference;
mod responses;
mod strict_json;
mod unreadable;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::value::RawValue;

use crate::classify::content::Media;
use crate::classify::fault::Fault;
use crate::domain::{Action, Dialect, HttpTarget, Json, Target, UpstreamName};

pub use address::{AddressError, http_target, normalize_host, normalize_path};
pub use answer::mcp::Exchange as McpExchange;
pub use answer::{
    AgentCard, AnswerForm, AnswerReader, Door, Expected, Hosted, Judgement, Listed, Made, Observed, Question,
    Speech, Step, Unfit, WholeAnswer, cut_converse,
};
pub use bedrock::signed_headers;
pub use offer::{JsonPath, Offer, PathStep};
pub use reference::Reference;
pub use strict_json::read_json;
pub use unreadable::{Problem, Unreadable};

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
    /// The betas of its API that a caller may switch on.
    pub betas: Vec<String>,
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
    /// Bytes of an answer that comes with a content-encoding, after that is removed.
    pub answer_bytes: usize,
    /// Arrays and objects inside each other.
    pub depth: usize,
    /// Values in the arguments of one call.
    pub values: usize,
    /// Messages in one batch; also models, tools of the provider's or subscriptions in one call.
    pub batch: usize,
    /// Bytes of one name: a model, a tool, a prompt.
    pub name_bytes: usize,
    /// Bytes of a resource's URI.
    pub uri_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            decoded_bytes: 16 << 20,
            answer_bytes: 64 << 20,
            depth: 64,
            values: 1 << 18,
            batch: 32,
            name_bytes: 512,
            uri_bytes: 4 << 10,
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
    /// Tools that it offers to a model, each judged for itself.
    pub offers: Vec<Offer>,
    /// What its answer has to be.
    pub expected: Expected,
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
    /// Names of tools that were taken out of the request, because the pact never lets the agent call them.
    pub withheld: Vec<String>,
    /// What it refers to of an earlier call of the same agent: it is refused where nothing is known of that.
    pub refers: Option<Reference>,
}

/// The form in which a caller understands a refusal.
#[derive(Clone, Debug)]
pub enum Reply {
    /// OpenAI's error object.
    OpenAi,
    /// Anthropic's error object.
    Anthropic,
    /// Google's error object (`google.rpc.Status`).
    Google,
    /// The same as A2A over REST has it: with a reason that its clients know.
    A2aRest,
    /// The error of an AWS service.
    Aws,
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

/// Decides, from the head of a request alone, whether its body has to be held. Calls to a model and MCP messages
/// are always held; of plain HTTP calls, JSON bodies that are short or that the pact reads.
#[must_use]
pub fn plan(
    peer: &Peer,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    pact_reads_http_bodies: bool,
) -> BodyPlan {
    let is_unread = headers::leaves_http(method, headers)
        || !matches!(content::media(headers), Ok(Media::Json | Media::Absent | Media::Other));
    let path = judged_path(peer, path).unwrap_or_default();
    let holds = match peer.dialect {
        _ if is_unread => false,
        Dialect::Http => http_call::reads_body(headers, pact_reads_http_bodies),
        _ => recognizes(peer.dialect, method, &path),
    };
    if holds { BodyPlan::Buffer } else { BodyPlan::Stream }
}

/// Whether an API of that dialect has an endpoint there that is read.
fn recognizes(dialect: Dialect, method: &Method, path: &str) -> bool {
    match dialect {
        Dialect::OpenAi => openai::recognizes(method, path).is_some(),
        Dialect::Anthropic => anthropic::recognizes(method, path).is_some(),
        Dialect::Gemini => gemini::recognizes(method, path).is_some(),
        Dialect::Bedrock => bedrock::recognizes(method, path).is_some(),
        Dialect::Mcp => mcp::recognizes(path),
        Dialect::A2a => a2a::recognizes(method, path).is_some(),
        Dialect::Http | Dialect::Opaque => false,
    }
}

/// Refuses a call of an endpoint that is read in a form that would pass it unread: some servers pass over an offer to
/// leave HTTP, over a media type, over capital letters and a slash at the end of a path, and serve the call.
fn refuse_disguise(peer: &Peer, view: &RequestView<'_>, path: &str, media: Media) -> Result<(), Fault> {
    if recognizes(peer.dialect, view.method, path) {
        let leaves = headers::leaves_http(view.method, view.headers) || media == Media::Grpc;
        let what = "this endpoint is read, and takes neither an upgrade nor gRPC; send the call without";
        return if leaves { Err(Fault::new(Problem::HeaderMismatch, what)) } else { Ok(()) };
    }
    let folded = path.to_ascii_lowercase();
    let folded = folded.trim_end_matches('/');
    match !folded.is_empty() && recognizes(peer.dialect, view.method, folded) {
        true => Err(Fault::new(
            Problem::Address,
            "this path could be taken for that of an endpoint that is read; write that exactly",
        )),
        false => Ok(()),
    }
}

/// Reads a request, once: what was read is what may be forwarded.
///
/// # Errors
///
/// [`Unreadable`] when the request is malformed, too large, or could be read in two ways.
pub fn classify(peer: &Peer, view: &RequestView<'_>, bounds: &Bounds) -> Result<Call, Unreadable> {
    read(peer, view, bounds).map_err(|fault| {
        let reply = Reply::of(peer.dialect);
        let attempted = format!("{} {}", fault::shown(view.method.as_str()), fault::shown(view.path));
        fault.refuse(reply, attempted)
    })
}

/// What the reader of a dialect makes of a request.
struct Reading {
    parts: Vec<Part>,
    batch: bool,
    streamed: bool,
    offers: Vec<Offer>,
    expected: Expected,
}

impl Reading {
    /// A request that asks for one thing, and whose answer nobody has to read.
    fn plain(part: Part) -> Self {
        Self {
            parts: vec![part],
            batch: false,
            streamed: false,
            offers: Vec::new(),
            expected: Expected::unread(),
        }
    }
}

impl Reply {
    /// The form of an answer to a request of that dialect of which nothing more is known.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAi => Self::OpenAi,
            Dialect::Anthropic => Self::Anthropic,
            Dialect::Gemini => Self::Google,
            Dialect::A2a => Self::A2aRest,
            Dialect::Bedrock => Self::Aws,
            Dialect::Mcp | Dialect::Http | Dialect::Opaque => Self::Problem,
        }
    }
}

fn read(peer: &Peer, view: &RequestView<'_>, bounds: &Bounds) -> Result<Call, Fault> {
    headers::refuse_overrides(view)?;
    let mut target = http_target(view.method, view.scheme, view.host, view.port, "/")?;
    target.path = judged_path(peer, view.path)?;
    let path = forwarded_path(peer, view, &target);
    if let Some(query) = view.query {
        query::check_query(query)?;
    }
    let media = content::media(view.headers)?;
    refuse_disguise(peer, view, &target.path, media)?;
    if peer.dialect == Dialect::Opaque
        || headers::leaves_http(view.method, view.headers)
        || media == Media::Grpc
    {
        let path_and_query = path_and_query(view, path);
        let part = match peer.dialect {
            Dialect::Http | Dialect::Opaque => Part::connection(&target),
            // Realtime sessions, gRPC: endpoints of the API like its others.
            _ => Part::opaque(Dialect::Opaque, &target, Reply::Problem),
        };
        return Ok(Call {
            parts: vec![part],
            batch: false,
            path_and_query,
            body: None,
            streamed: true,
            offers: Vec::new(),
            expected: Expected::unread(),
        });
    }
    let decoded = content::decoded(view.headers, view.body, bounds)?;
    let body = decoded.as_ref().unwrap_or(view.body);
    let reading = match peer.dialect {
        Dialect::OpenAi => openai::read(peer, view, &target, body, bounds)?,
        Dialect::Anthropic => anthropic::read(peer, view, &target, body, bounds)?,
        Dialect::Gemini => gemini::read(peer, view, &target, body, bounds)?,
        Dialect::Bedrock => bedrock::read(peer, view, &target, &path, body, bounds)?,
        Dialect::Mcp => mcp::read(peer, view, &target, body, bounds)?,
        Dialect::A2a => a2a::read(peer, view, &target, body, bounds)?,
        Dialect::Http | Dialect::Opaque => http_call::read(view, target, media, body, bounds)?,
    };
    let Reading { parts, batch, streamed, offers, expected } = reading;
    let path_and_query = path_and_query(view, path);
    Ok(Call { parts, batch, path_and_query, body: decoded, streamed, offers, expected })
}

/// The path as it is judged, in one spelling.
///
/// # Errors
///
/// [`AddressError`] for what has no spelling beyond doubt.
pub fn judged_path(peer: &Peer, path: &str) -> Result<String, AddressError> {
    let own = (peer.dialect == Dialect::Bedrock).then(|| bedrock::judged_path(path)).flatten();
    own.map_or_else(|| normalize_path(if path.is_empty() { "/" } else { path }), Ok)
}

/// The path as it is forwarded: normalized, or as received where a signature may cover that. A request for the
/// upstream itself stays without a path, so that the upstream's own URL is not turned into that of a folder.
fn forwarded_path(peer: &Peer, view: &RequestView<'_>, target: &HttpTarget) -> String {
    let keeps = peer.dialect == Dialect::Bedrock && bedrock::judged_path(view.path).is_some();
    let path = if keeps || view.path.is_empty() { view.path } else { target.path.as_str() };
    path.to_owned()
}

fn path_and_query(view: &RequestView<'_>, path: String) -> String {
    match view.query {
        Some(query) => [&path, "?", query].concat(),
        None => path,
    }
}

impl Part {
    fn read(target: Target, fields: Json, dialect: Dialect, reply: Reply) -> Self {
        Self {
            action: Action { target, fields, dialect },
            reply,
            coverage: Coverage::Read,
            withheld: Vec::new(),
            refers: None,
        }
    }

    /// A request to an API that no reader of it knows: judged as bytes to that endpoint, which a pact has to allow in
    /// so many words.
    fn opaque(dialect: Dialect, target: &HttpTarget, reply: Reply) -> Self {
        Self { reply, ..Self::unread(dialect, target, Some(target.path.clone())) }
    }

    /// Bytes to a host and port.
    fn connection(target: &HttpTarget) -> Self {
        Self::unread(Dialect::Opaque, target, None)
    }

    fn unread(dialect: Dialect, target: &HttpTarget, path: Option<String>) -> Self {
        let target = Target::Opaque { host: target.host.clone(), port: target.port, path };
        let action = Action { target, fields: Json::Object(Vec::new()), dialect };
        Self { action, reply: Reply::Problem, coverage: Coverage::Unread, withheld: Vec::new(), refers: None }
    }
}

impl From<AddressError> for Fault {
    fn from(error: AddressError) -> Self {
        Self::new(Problem::Address, error.to_string())
    }
}

#[cfg(test)]
mod tests;
