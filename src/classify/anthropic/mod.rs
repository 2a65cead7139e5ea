//! Anthropic's API: messages, counting their tokens, and the list of models.

mod conversation;
mod tools;

use http::Method;

use crate::classify::fault::Fault;
use crate::classify::model::{self, Envelope, Form};
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{
    Bounds, Part, PathStep, Peer, Problem, Reading, Reply, RequestView, Speech, betas, content,
};
use crate::domain::{Dialect, HttpTarget, Json};

/// The endpoints that are read. All others are opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Messages,
    Models,
}

const FORM: Form = Form {
    dialect: Dialect::Anthropic,
    reply: Reply::Anthropic,
    speech: Speech::Anthropic,
    judged: &[
        "model",
        "models",
        "fallbacks",
        "stream",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "mcp_servers",
        "messages",
        "system",
        "container",
        "thread",
        "betas",
        BETA,
    ],
    conversation: &[],
    hosted: &[],
    is_run_by_caller: tools::is_run_by_caller,
    own: read_own,
    finish: tools::finish,
    settle: |_| Ok(()),
};

/// The setting that holds the betas, under which the API has other capabilities.
const BETA: &str = "anthropic_beta";

/// The header that switches them on.
const HEADER: &str = "anthropic-beta";

/// The endpoint of that method and normalized path.
pub(super) fn recognizes(method: &Method, path: &str) -> Option<Endpoint> {
    match path {
        "/v1/messages" | "/v1/messages/count_tokens" if *method == Method::POST => Some(Endpoint::Messages),
        "/v1/models" if *method == Method::GET => Some(Endpoint::Models),
        _ if *method == Method::GET && path.starts_with("/v1/models/") => Some(Endpoint::Models),
        _ => None,
    }
}

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let part = match recognizes(view.method, &target.path) {
        Some(Endpoint::Messages) => {
            content::demand_json(view.headers)?;
            let betas = betas::in_header(peer, view.headers, HEADER)?;
            let betas = (!betas.is_empty()).then(|| (BETA, names(betas)));
            return model::read(&FORM, peer, betas, body, bounds);
        }
        Some(Endpoint::Models) => {
            betas::in_header(peer, view.headers, HEADER)?;
            model::preparing(&FORM, peer, "models", body)?
        }
        None => None,
    };
    let part = part.unwrap_or_else(|| Part::opaque(FORM.dialect, target, FORM.reply));
    Ok(Reading::plain(part))
}

fn names(names: Vec<String>) -> Json {
    Json::Array(names.into_iter().map(Json::String).collect())
}

/// Members that this API alone has, or has in a way of its own.
fn read_own(
    envelope: &mut Envelope,
    form: &Form,
    reader: &mut Reader<'_>,
    name: &str,
    bounds: &Bounds,
) -> Result<bool, Fault> {
    match name {
        "messages" => conversation::messages(envelope, form, reader, bounds)?,
        "system" => conversation::system(envelope, form, reader, bounds)?,
        "tools" => reader.array(|reader, index| {
            let at = vec![PathStep::Member(name.to_owned()), PathStep::Item(index)];
            tools::read_tool(envelope, form, reader, Some(at), bounds)
        })?,
        "mcp_servers" => reader.array(|reader, index| {
            let at = vec![PathStep::Member(name.to_owned()), PathStep::Item(index)];
            tools::read_server(envelope, form, reader, at, bounds)
        })?,
        "container" => read_container(envelope, reader, bounds)?,
        "thread" => read_thread(envelope, reader, bounds)?,
        // Gateways to other clouds take the switches in the body.
        "betas" | BETA => read_betas(envelope, reader, bounds)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// A container by its name, or by its name and the skills that run in it.
fn read_container(envelope: &mut Envelope, reader: &mut Reader<'_>, bounds: &Bounds) -> Result<(), Fault> {
    if reader.kind()? != Kind::Object {
        return envelope.read_state(reader, "container", bounds);
    }
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &["id", "skills"])?;
        match (name, reader.kind()?) {
            (_, Kind::Null) => reader.skip(),
            ("id", _) => envelope.read_state(reader, "container", bounds),
            ("skills", _) => reader.array(|reader, _| {
                reader.object(Distinct::InAnyCase, |reader, name| {
                    known_spelling(name, &["skill_id"])?;
                    match name {
                        "skill_id" => envelope.read_state(reader, "skill_id", bounds),
                        _ => reader.skip(),
                    }
                })
            }),
            _ => reader.skip(),
        }
    })
}

/// A conversation that the provider holds, by the message that it goes on from.
fn read_thread(envelope: &mut Envelope, reader: &mut Reader<'_>, bounds: &Bounds) -> Result<(), Fault> {
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &["type", "previous_message_id"])?;
        match (name, reader.kind()?) {
            ("previous_message_id", kind) if kind != Kind::Null => {
                envelope.read_state(reader, "thread", bounds)
            }
            ("type", _) => match model::read_name(reader, bounds)?.as_str() {
                "create" | "continue" => Ok(()),
                _ => Err(reader.fault(Problem::Conflict, "a thread of a type that is not read")),
            },
            _ => reader.skip(),
        }
    })
}

fn read_betas(envelope: &mut Envelope, reader: &mut Reader<'_>, bounds: &Bounds) -> Result<(), Fault> {
    let mut found = Vec::new();
    reader.array(|reader, _| {
        let name = model::read_name(reader, bounds)?;
        betas::admit(&envelope.betas, &mut found, &name)
    })?;
    envelope.settings.join(BETA, names(found));
    Ok(())
}
