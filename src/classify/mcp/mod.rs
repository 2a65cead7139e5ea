//! The Model Context Protocol over streamable HTTP, revisions 2025-03-26 to 2026-07-28.

mod methods;
mod params;
mod revision;

use http::Method;
use serde_json::value::RawValue;

use crate::classify::fault::Fault;
use crate::classify::json_rpc::{self, Heard, Id};
use crate::classify::model::refuse_body;
use crate::classify::names::check_name;
use crate::classify::strict_json::{Kind, Reader};
use crate::classify::{Bounds, Coverage, Part, Peer, Problem, Reading, Reply, RequestView, content};
use crate::domain::{Dialect, Family, HttpTarget, Json, Target, UpstreamName};
use params::Params;
use revision::Revision;

/// What a message asks for besides its own method, if it asks for anything.
type Asked = Vec<(Target, Json)>;

/// Whether a path is the server's one endpoint: the upstream's own URL, or `/mcp` below it. A server may have other
/// paths, and what they do does not stand in a JSON-RPC message.
pub(super) fn recognizes(path: &str) -> bool {
    matches!(path, "" | "/" | "/mcp")
}

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let opaque = || Reading {
        parts: vec![Part::opaque(Dialect::Mcp, target, Reply::Problem)],
        batch: false,
        streamed: false,
    };
    let Some(server) = peer.name.as_ref().filter(|_| recognizes(&target.path)) else { return Ok(opaque()) };
    match *view.method {
        Method::POST => read_post(peer, server, view, target, body, bounds),
        Method::GET | Method::DELETE => {
            refuse_body(body)?;
            if Revision::of_head(peer, view)? == Revision::Stateless {
                return Ok(opaque());
            }
            let part = protocol(server, view.method.as_str(), Reply::Problem);
            Ok(Reading { parts: vec![part], batch: false, streamed: *view.method == Method::GET })
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
    let to_nobody = |fault: Fault| fault.told_as(Reply::JsonRpc { id: null_id() });
    content::demand_json(view.headers).map_err(to_nobody)?;
    let mut reader = Reader::new(body, bounds).map_err(to_nobody)?;
    let exchange = Exchange { peer, server, view, target, bounds };
    let batch = reader.kind().map_err(to_nobody)? == Kind::Array;
    let parts = match batch {
        true => exchange.read_batch(&mut reader),
        false => exchange.read_single(&mut reader),
    };
    let parts = parts.and_then(|parts| reader.end().map(|()| parts)).map_err(to_nobody)?;
    Ok(Reading { parts, batch, streamed: false })
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
    fn read_single(&self, reader: &mut Reader<'_>) -> Result<Vec<Part>, Fault> {
        let mut heard = Heard::default();
        self.read_message(reader, &mut heard, None)
            .map_err(|fault| fault.told_as(reply(heard.id.as_ref(), heard.method.as_deref())))
    }

    /// Batches exist in revision 2025-03-26 alone, which is also the one of a request that names none.
    fn read_batch(&self, reader: &mut Reader<'_>) -> Result<Vec<Part>, Fault> {
        let revision = Revision::of_head(self.peer, self.view)?;
        if revision != Revision::Batching {
            return Err(Fault::new(Problem::ProtocolVersion, "this revision knows no batches; send one message"));
        }
        revision::refuse_mirrored(self.view)?;
        let mut parts = Vec::new();
        let mut ids: Vec<String> = Vec::new();
        reader.array(|reader, index| {
            if index == self.bounds.batch {
                let what = format!("more than {} messages in one batch; send fewer", self.bounds.batch);
                return Err(reader.fault(Problem::BatchTooLong, what));
            }
            let mut heard = Heard::default();
            parts.extend(self.read_message(reader, &mut heard, Some(revision))?);
            if let Some(id) = heard.id {
                if ids.contains(&id.value) {
                    return Err(reader.fault(Problem::Conflict, "two messages of one batch have the same id"));
                }
                ids.push(id.value);
            }
            Ok(())
        })?;
        match parts.is_empty() {
            true => Err(Fault::new(Problem::MissingField, "the batch is empty")),
            false => Ok(parts),
        }
    }

    fn read_message(
        &self,
        reader: &mut Reader<'_>,
        heard: &mut Heard,
        batched: Option<Revision>,
    ) -> Result<Vec<Part>, Fault> {
        let (shape, params) = json_rpc::read_message(reader, self.bounds, heard, Params::read)?;
        let revision = match batched {
            Some(revision) => revision::refuse_own_version(&params).map(|()| revision)?,
            None => Revision::of_message(self.peer, self.view, heard, shape, &params)?,
        };
        let Some(method) = heard.method.as_deref() else {
            return match revision {
                Revision::Stateless => {
                    Err(Fault::new(Problem::WrongType, "this revision has no responses from clients"))
                }
                _ => Ok(vec![protocol(self.server, "response", Reply::Notification)]),
            };
        };
        check_name(method, self.bounds.name_bytes).map_err(|fault| fault.under_member("method"))?;
        let reply = reply(heard.id.as_ref(), Some(method));
        if !methods::is_known(method, heard.id.is_some()) {
            let part = Part::opaque(Dialect::Mcp, self.target, reply);
            return Ok(vec![Part { coverage: Coverage::Envelope, ..part }]);
        }
        let asked = methods::asked(self.server, method, params, self.bounds)?;
        let mut parts: Vec<_> = asked
            .into_iter()
            .map(|(target, fields)| Part::read(target, fields, Dialect::Mcp, reply.clone()))
            .collect();
        if parts.is_empty() || method == methods::LISTEN {
            parts.insert(0, protocol(self.server, method, reply));
        }
        Ok(parts)
    }
}

fn protocol(server: &UpstreamName, method: &str, reply: Reply) -> Part {
    let target =
        Target::Protocol { family: Family::Mcp, upstream: server.clone(), method: method.to_owned() };
    Part::read(target, Json::Object(Vec::new()), Dialect::Mcp, reply)
}

fn reply(id: Option<&Id>, method: Option<&str>) -> Reply {
    match (id, method) {
        (Some(id), Some("tools/call")) => Reply::McpTool { id: id.raw.clone() },
        (Some(id), Some(_)) => Reply::JsonRpc { id: id.raw.clone() },
        (Some(_), None) | (None, Some(_)) => Reply::Notification,
        (None, None) => Reply::JsonRpc { id: null_id() },
    }
}

fn null_id() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}
