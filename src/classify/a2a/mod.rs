//! Agent2Agent 1.0 and 0.3, over JSON-RPC and REST. Over gRPC it is not read.
//!
//! A message is judged as `peer/skill`, with the object of its one data part as `args`. The protocol routes by what
//! a message says, so the skill is what the caller claims in its metadata: a pact that allows one skill holds agents
//! whose peer heeds that name, and any other pact allows the peer as a whole. Every address that the peer is told to
//! fetch from or to report to is judged as the HTTP call that it stands for; whether its name leads into a private
//! network is known to the peer alone.

mod link;
mod message;
mod operation;
mod version;

use http::Method;
use serde_json::value::RawValue;

use crate::classify::a2a::message::{Params, ParamsReader};
use crate::classify::a2a::operation::{Endpoint, Operation};
use crate::classify::a2a::version::{Version, read_extensions};
use crate::classify::answer::card::{AgentCard, Carrier};
use crate::classify::fault::Fault;
use crate::classify::json_rpc::{self, Sender};
use crate::classify::model::refuse_body;
use crate::classify::names::check_name;
use crate::classify::strict_json::{Kind, Reader, known_spelling};
use crate::classify::{
    Bounds, Coverage, Expected, Part, Peer, Problem, Reading, Reply, RequestView, Speech, content,
};
use crate::domain::{Dialect, Family, HttpTarget, Json, Target, UpstreamName};

pub(super) use crate::classify::a2a::operation::recognizes;

/// Members of a JSON-RPC message; none of them stands in a body of the REST binding.
const ENVELOPE: [&str; 3] = ["jsonrpc", "method", "params"];

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let opaque = || Reading::plain(Part::opaque(Dialect::A2a, target, Reply::of(Dialect::A2a)));
    let Some(peer) = &peer.name else { return Ok(opaque()) };
    let call = Call { peer, view, target, bounds };
    match recognizes(view.method, &target.path) {
        None => Ok(opaque()),
        Some(Endpoint::Rpc) => call.read_rpc(body).map_err(|fault| fault.told_as(sender_reply(body, bounds))),
        Some(Endpoint::Rest { operation, tenant }) => call.read_rest(operation, tenant, body),
    }
}

/// What reading one request depends on.
struct Call<'a> {
    peer: &'a UpstreamName,
    view: &'a RequestView<'a>,
    target: &'a HttpTarget,
    bounds: &'a Bounds,
}

impl Call<'_> {
    fn read_rpc(&self, body: &[u8]) -> Result<Reading, Fault> {
        content::demand_json(self.view.headers)?;
        let named = Version::of_head(self.view)?;
        let mut reader = Reader::new(body, self.bounds)?;
        if reader.kind()? == Kind::Array {
            return Err(reader.fault(Problem::WrongType, "A2A knows no batches; send one message"));
        }
        let params = ParamsReader { bounds: self.bounds, rest: None };
        let message = json_rpc::read_message(&mut reader, self.bounds, |reader| params.read(reader))?;
        reader.end()?;
        let reply = Reply::JsonRpc { id: message.id.map_or_else(|| RawValue::NULL.to_owned(), |id| id.raw) };
        let method = message.method.ok_or_else(|| {
            Fault::new(Problem::WrongType, "a client sends requests, and this is an answer")
        })?;
        check_name(&method, self.bounds.name_bytes).map_err(|fault| fault.under_member("method"))?;
        let Some((operation, version)) = Operation::of_method(&method) else {
            let part = Part::opaque(Dialect::A2a, self.target, reply);
            return Ok(Reading::plain(Part { coverage: Coverage::Envelope, ..part }));
        };
        if named.is_some_and(|named| named != version) {
            let what = "header `A2A-Version` names another version than the one that has this method";
            return Err(Fault::new(Problem::HeaderMismatch, what));
        }
        self.reading(operation, message.params, &reply, Carrier::Result)
    }

    fn read_rest(&self, operation: Operation, tenant: Option<&str>, body: &[u8]) -> Result<Reading, Fault> {
        let version = Version::of_head(self.view)?.unwrap_or(Version::V0_3);
        let takes_body = *self.view.method == Method::POST;
        let needs_body = operation.sends() || operation == Operation::CreatePushConfig;
        let mut params = Params::default();
        if !takes_body {
            refuse_body(body)?;
        } else if needs_body || !body.is_empty() {
            content::demand_json(self.view.headers)?;
            params = self.read_body(version, body)?;
        }
        match (tenant, params.tenant.as_deref()) {
            (Some(path), Some(inner)) if path != inner => {
                let what = "the path names another tenant; send the tenant once";
                return Err(Fault::new(Problem::Conflict, what).under_member("tenant"));
            }
            (Some(path), _) => params.tenant = Some(path.to_owned()),
            (None, _) => {}
        }
        self.reading(operation, params, &Reply::of(Dialect::A2a), Carrier::Body)
    }

    fn read_body(&self, version: Version, body: &[u8]) -> Result<Params, Fault> {
        let mut reader = Reader::new(body, self.bounds)?;
        let read = ParamsReader { bounds: self.bounds, rest: Some(version) };
        let mut params = Params::default();
        message::object(&mut reader, message::PARAMS, |reader, name| {
            known_spelling(name, &ENVELOPE)?;
            if ENVELOPE.contains(&name) {
                let what = "a JSON-RPC message on a path of the REST binding; send one of them";
                return Err(reader.fault(Problem::Conflict, what));
            }
            read.param(reader, name, &mut params)
        })?;
        reader.end()?;
        Ok(params)
    }

    /// What the operation asks for: of the peer, and of every place that the peer is sent to.
    fn reading(
        &self,
        operation: Operation,
        mut params: Params,
        reply: &Reply,
        carrier: Carrier,
    ) -> Result<Reading, Fault> {
        if operation.sends() != params.has_message {
            let (problem, what) = match params.has_message {
                true => (Problem::Conflict, "a message where none belongs; leave it out"),
                false => (Problem::MissingField, "there is no `message`; send one"),
            };
            return Err(Fault::new(problem, what).under_member("message"));
        }
        if operation == Operation::CreatePushConfig && params.links.is_empty() {
            return Err(Fault::new(Problem::MissingField, "there is no `url` to send to").under_member("url"));
        }
        let links = std::mem::take(&mut params.links);
        let first = match operation.sends() {
            true => self.message(operation, params, reply)?,
            false => self.protocol(operation, reply),
        };
        let mut parts = vec![first];
        parts.extend(links.into_iter().map(|link| {
            let fields = Json::object([("query", link.query)]);
            Part::read(Target::Http(link.target), fields, Dialect::A2a, reply.clone())
        }));
        let expected = match operation.asks_for_card() {
            true => Expected { speech: Speech::AgentCard(AgentCard::new(carrier)), ..Expected::unread() },
            false => Expected::unread(),
        };
        Ok(Reading { parts, batch: false, streamed: operation.streams(), offers: Vec::new(), expected })
    }

    fn message(&self, operation: Operation, mut params: Params, reply: &Reply) -> Result<Part, Fault> {
        read_extensions(self.view.headers, &mut params.extensions, self.bounds)?;
        let coverage = if params.is_read() { Coverage::Read } else { Coverage::Envelope };
        let extensions = params.extensions.iter().map(Json::text_of).collect();
        let mut fields = vec![
            ("args".to_owned(), params.args()),
            ("stream".to_owned(), Json::Bool(operation.streams())),
            ("parts".to_owned(), params.counts()),
            ("extensions".to_owned(), Json::Array(extensions)),
        ];
        let named = [("tenant", params.tenant), ("context_id", params.context), ("task_id", params.task)];
        fields.extend(
            named
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name.to_owned(), Json::String(value)))),
        );
        let target = Target::Agent { peer: self.peer.to_string(), skill: params.skill };
        let part = Part::read(target, Json::Object(fields), Dialect::A2a, reply.clone());
        Ok(Part { coverage, ..part })
    }

    fn protocol(&self, operation: Operation, reply: &Reply) -> Part {
        let (of, method) = (self.peer.to_string(), operation.name().to_owned());
        let target = Target::Protocol { family: Family::Agent, of, method };
        Part::read(target, Json::Object(Vec::new()), Dialect::A2a, reply.clone())
    }
}

/// The reply to a message that is refused unread.
fn sender_reply(body: &[u8], bounds: &Bounds) -> Reply {
    let id = Sender::of(body).and_then(|sender| sender.id(bounds));
    Reply::JsonRpc { id: id.unwrap_or_else(|| RawValue::NULL.to_owned()) }
}
