//! The Model Context Protocol over streamable HTTP, revisions 2025-03-26 to 2026-07-28.

mod methods;
mod params;
mod revision;

use http::Method;
use serde_json::value::RawValue;

use crate::classify::answer::mcp as answer;
use crate::classify::fault::Fault;
use crate::classify::json_rpc::{self, Id, Message, Sender};
use crate::classify::model::refuse_body;
use crate::classify::names::check_name;
use crate::classify::strict_json::{Kind, Reader};
use crate::classify::{
    Bounds, Coverage, Expected, Part, Peer, Problem, Reading, Reference, Reply, RequestView, Speech, content,
};
use crate::domain::{Dialect, Digest, Family, HttpTarget, Json, Target, UpstreamName};
use params::Params;
use revision::Revision;

/// What a message asks for besides its own method, if it asks for anything.
type Asked = Vec<(Target, Json)>;

/// Whether a normalized path is the server's one endpoint: the upstream's own URL, or `/mcp` below it. A server may have other
/// paths, and what they do does not stand in a JSON-RPC message.
pub(super) fn recognizes(path: &str) -> bool {
    matches!(path, "/" | "/mcp")
}

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let opaque = || Reading::plain(Part::opaque(Dialect::Mcp, target, Reply::Problem));
    let Some(server) = peer.name.as_ref().filter(|_| recognizes(&target.path)) else { return Ok(opaque()) };
    match *view.method {
        Method::POST => read_post(peer, server, view, target, body, bounds),
        Method::GET | Method::DELETE => {
            refuse_body(body)?;
            if Revision::of_head(peer, view)? == Revision::Stateless {
                return Ok(opaque());
            }
            let part = protocol(server, view.method.as_str(), Reply::Problem);
            let plain = Reading::plain(part);
            if *view.method == Method::DELETE {
                return Ok(plain);
            }
            let server = server.clone();
            let answer =
                answer::Exchange { server, asked: Vec::new(), batch: false, open: true, stateless: false };
            Ok(Reading { streamed: true, expected: expected(answer, true), ..plain })
        }
        _ => Ok(opaque()),
    }
}

fn read_post(
    peer: &Peer,
    server: &UpstreamName,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let exchange = Exchange { peer, server, view, target, bounds };
    let addressed = |fault: Fault| {
        let reply = sender_reply(body, fault.problem(), bounds);
        fault.told_as(reply)
    };
    content::demand_json(view.headers).map_err(addressed)?;
    let mut reader = Reader::new(body, bounds).map_err(addressed)?;
    let batch = reader.kind().map_err(addressed)? == Kind::Array;
    let messages = match batch {
        true => exchange.read_batch(&mut reader),
        false => exchange.read_message(&mut reader, None).map(|message| vec![message]),
    };
    let messages = messages.and_then(|all| reader.end().map(|()| all)).map_err(addressed)?;
    let stateless = messages.iter().any(|message| message.revision == Revision::Stateless);
    let (mut parts, mut asked) = (Vec::new(), Vec::new());
    for message in messages {
        parts.extend(message.parts);
        asked.extend(message.asked);
    }
    let answer = answer::Exchange { server: server.clone(), asked, batch, open: false, stateless };
    Ok(Reading { parts, batch, streamed: false, offers: Vec::new(), expected: expected(answer, false) })
}

fn expected(answer: answer::Exchange, streamed: bool) -> Expected {
    Expected { speech: Speech::Mcp(answer), streamed, ..Expected::unread() }
}

/// One message that was read.
struct Told {
    revision: Revision,
    /// What its id means, where it has one.
    id: Option<String>,
    parts: Vec<Part>,
    /// The answer that it waits for.
    asked: Option<answer::Asked>,
}

/// What reading one POST depends on.
struct Exchange<'a> {
    peer: &'a Peer,
    server: &'a UpstreamName,
    view: &'a RequestView<'a>,
    target: &'a HttpTarget,
    bounds: &'a Bounds,
}

impl Exchange<'_> {
    /// Batches exist in revision 2025-03-26 alone, which is also the one of a request that names none.
    fn read_batch(&self, reader: &mut Reader<'_>) -> Result<Vec<Told>, Fault> {
        let revision = Revision::of_head(self.peer, self.view)?;
        if revision != Revision::Batching {
            return Err(Fault::new(
                Problem::ProtocolVersion,
                "this revision knows no batches; send one message",
            ));
        }
        revision::refuse_mirrored(self.view)?;
        let mut messages: Vec<Told> = Vec::new();
        reader.array(|reader, index| {
            if index == self.bounds.batch {
                let what = format!("more than {} messages in one batch; send fewer", self.bounds.batch);
                return Err(reader.fault(Problem::BatchTooLong, what));
            }
            let message = self.read_message(reader, Some(revision))?;
            if message.id.is_some() && messages.iter().any(|other| other.id == message.id) {
                return Err(reader.fault(Problem::Conflict, "two messages of one batch have the same id"));
            }
            messages.push(message);
            Ok(())
        })?;
        match messages.is_empty() {
            true => Err(Fault::new(Problem::MissingField, "the batch is empty")),
            false => Ok(messages),
        }
    }

    fn read_message(&self, reader: &mut Reader<'_>, batched: Option<Revision>) -> Result<Told, Fault> {
        let message = json_rpc::read_message(reader, self.bounds, Params::read)?;
        let revision = match batched {
            Some(revision) => revision::refuse_own_version(&message.params).map(|()| revision)?,
            None => Revision::of_message(self.peer, self.view, &message)?,
        };
        let Message { id, method, params } = message;
        let (parts, asked) = match method {
            Some(method) => self.read_call(id.as_ref(), &method, params)?,
            None if revision == Revision::Stateless => {
                return Err(Fault::new(Problem::WrongType, "this revision has no responses from clients"));
            }
            None => {
                let answered = id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
                let refers = Some(Reference::Ask { server: self.server.clone(), id: answered });
                let part = protocol(self.server, "response", Reply::Notification);
                (vec![Part { refers, ..part }], None)
            }
        };
        Ok(Told { revision, id: id.map(|id| id.value), parts, asked })
    }

    fn read_call(
        &self,
        id: Option<&Id>,
        method: &str,
        mut params: Params,
    ) -> Result<(Vec<Part>, Option<answer::Asked>), Fault> {
        check_name(method, self.bounds.name_bytes).map_err(|fault| fault.under_member("method"))?;
        let reply = reply(id.map(|id| id.raw.clone()), method);
        if !methods::is_known(method, id.is_some()) {
            let part = Part::opaque(Dialect::Mcp, self.target, reply);
            let asked = id.map(|id| waits(id, method, Digest::default()));
            return Ok((vec![Part { coverage: Coverage::Envelope, ..part }], asked));
        }
        let asked = methods::asked(self.server, method, &mut params, self.bounds)?;
        let of = asked.first().map(|(target, fields)| digest(method, target, fields)).unwrap_or_default();
        let refers = methods::referred(self.server, method, &params, of, self.bounds)?;
        let mut parts: Vec<_> = asked
            .into_iter()
            .map(|(target, fields)| Part::read(target, fields, Dialect::Mcp, reply.clone()))
            .collect();
        if parts.is_empty() || method == methods::LISTEN {
            parts.insert(0, protocol(self.server, method, reply.clone()));
        }
        for (number, reference) in refers.into_iter().enumerate() {
            if number > 0 {
                parts.insert(0, protocol(self.server, method, reply.clone()));
            }
            if let Some(part) = parts.first_mut() {
                part.refers = Some(reference);
            }
        }
        Ok((parts, id.map(|id| waits(id, method, of))))
    }
}

fn waits(id: &Id, method: &str, of: Digest) -> answer::Asked {
    answer::Asked { id: id.raw.clone(), value: id.value.clone(), method: method.to_owned(), of }
}

/// Digest of what a call asks for, whatever its id.
fn digest(method: &str, target: &Target, fields: &Json) -> Digest {
    Digest::of(format!("{method}\n{target}\n{}", fields.canonical()).as_bytes())
}

fn protocol(server: &UpstreamName, method: &str, reply: Reply) -> Part {
    let target = Target::Protocol { family: Family::Mcp, of: server.to_string(), method: method.to_owned() };
    Part::read(target, Json::Object(Vec::new()), Dialect::Mcp, reply)
}

fn reply(id: Option<Box<RawValue>>, method: &str) -> Reply {
    match id {
        Some(id) if method == "tools/call" => Reply::McpTool { id },
        Some(id) => Reply::JsonRpc { id },
        None => Reply::Notification,
    }
}

/// The reply to a POST that is refused whole. For headers and revisions the protocol demands a JSON-RPC error.
fn sender_reply(body: &[u8], problem: Problem, bounds: &Bounds) -> Reply {
    let nobody = || Reply::JsonRpc { id: RawValue::NULL.to_owned() };
    let Some(sender) = Sender::of(body) else { return nobody() };
    match (sender.id(bounds), sender.method()) {
        (None, _) if sender.has_id() => nobody(),
        (Some(id), _) if matches!(problem, Problem::HeaderMismatch | Problem::ProtocolVersion) => {
            Reply::JsonRpc { id }
        }
        (id, Some(method)) => reply(id, method),
        (Some(id), None) => Reply::JsonRpc { id },
        (None, None) => nobody(),
    }
}
