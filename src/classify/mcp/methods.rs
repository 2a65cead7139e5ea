//! MCP's methods: what each asks for.

use std::mem::take;

use crate::classify::address::judged_uri;
use crate::classify::fault::Fault;
use crate::classify::mcp::Asked;
use crate::classify::mcp::params::{Given, Object, Params};
use crate::classify::names::{check_member_name, check_text};
use crate::classify::{Bounds, Problem, Reference};
use crate::domain::{Digest, Json, Target, ToolRef, UpstreamName};

/// Opens a stream of notifications, and may subscribe to resources.
pub(super) const LISTEN: &str = "subscriptions/listen";

const SUBSCRIPTIONS: &str = "notifications.resourceSubscriptions";

/// Whether the method is one of the protocol's. `notifications/…` is known as a notification alone: with an id it
/// is a request that no revision defines.
pub(super) fn is_known(method: &str, has_id: bool) -> bool {
    match method {
        "tools/call"
        | "resources/read"
        | "resources/subscribe"
        | "resources/unsubscribe"
        | "prompts/get"
        | "completion/complete" => true,
        "initialize"
        | "ping"
        | "server/discover"
        | "tools/list"
        | "resources/list"
        | "resources/templates/list"
        | "prompts/list"
        | "logging/setLevel"
        | LISTEN
        | "tasks/get"
        | "tasks/list"
        | "tasks/result"
        | "tasks/cancel"
        | "tasks/update" => true,
        _ => !has_id && method.starts_with("notifications/"),
    }
}

/// Which of its parameters a method is mirrored by in the `Mcp-Name` header.
pub(super) fn mirrored<'p>(method: &str, params: &'p Params) -> Option<&'p Given> {
    match method {
        "tools/call" | "prompts/get" => Some(&params.name),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some(&params.uri),
        "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => Some(&params.task_id),
        _ => None,
    }
}

/// Whether revision 2026-07-28 and its tasks extension demand that header.
pub(super) fn is_mirrored_by_duty(method: &str) -> bool {
    matches!(
        method,
        "tools/call" | "prompts/get" | "resources/read" | "tasks/get" | "tasks/update" | "tasks/cancel"
    )
}

/// The actions of a known method; none where it only keeps the protocol going.
pub(super) fn asked(
    server: &UpstreamName,
    method: &str,
    params: &mut Params,
    bounds: &Bounds,
) -> Result<Asked, Fault> {
    let server = server.clone();
    match method {
        "tools/call" => {
            let tool = name(take(&mut params.name), "name", bounds)?;
            let target = Target::Tool(ToolRef::Mcp { server, tool });
            Ok(vec![(target, arguments(take(&mut params.arguments))?)])
        }
        "prompts/get" => {
            let target = Target::Prompt { server, name: name(take(&mut params.name), "name", bounds)? };
            Ok(vec![(target, arguments(take(&mut params.arguments))?)])
        }
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            Ok(vec![resource(server, take(&mut params.uri), "uri", bounds)?])
        }
        "completion/complete" => complete(server, params, bounds),
        LISTEN if params.subscriptions.len() + params.followed.len() > bounds.batch => {
            let what = format!("more than {} subscriptions at once; send fewer", bounds.batch);
            Err(place(Fault::new(Problem::TooLarge, what), SUBSCRIPTIONS))
        }
        LISTEN => {
            let uris = take(&mut params.subscriptions).into_iter();
            uris.map(|uri| resource(server.clone(), uri, "notifications.resourceSubscriptions", bounds))
                .collect()
        }
        _ => Ok(Vec::new()),
    }
}

/// What a call refers to of an earlier one.
pub(super) fn referred(
    server: &UpstreamName,
    method: &str,
    params: &Params,
    of: Digest,
    bounds: &Bounds,
) -> Result<Vec<Reference>, Fault> {
    let server = || server.clone();
    let task = |given: &Given, member: &str| {
        let id = match given {
            Given::Text(id) => id.clone(),
            Given::Absent => {
                return Err(place(Fault::new(Problem::MissingField, "this parameter is missing"), member));
            }
            Given::Other => {
                return Err(place(Fault::new(Problem::WrongType, "a string is due here"), member));
            }
        };
        check_text(&id, bounds.name_bytes).map_err(|fault| place(fault, member))?;
        Ok(Reference::Task { server: server(), id })
    };
    match method {
        "tools/call" | "prompts/get" | "resources/read" => {
            let state = match &params.state {
                Given::Text(state) => Some(Digest::of(state.as_bytes())),
                Given::Absent if params.responds => None,
                Given::Absent => return Ok(Vec::new()),
                Given::Other => {
                    let fault = Fault::new(Problem::WrongType, "a string is due here");
                    return Err(place(fault, "requestState"));
                }
            };
            Ok(vec![Reference::Retry { server: server(), state, of }])
        }
        "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => {
            Ok(vec![task(&params.task_id, "taskId")?])
        }
        LISTEN => params.followed.iter().map(|id| task(id, "notifications.taskIds")).collect(),
        _ => Ok(Vec::new()),
    }
}

/// A completion reads from the prompt or resource it completes for.
fn complete(server: UpstreamName, params: &mut Params, bounds: &Bounds) -> Result<Asked, Fault> {
    let reference = take(&mut params.reference);
    match reference.kind {
        Given::Text(kind) if kind == "ref/prompt" => {
            let target = Target::Prompt { server, name: name(reference.name, "ref.name", bounds)? };
            Ok(vec![(target, arguments(Object::Absent)?)])
        }
        Given::Text(kind) if kind == "ref/resource" => {
            Ok(vec![resource(server, reference.uri, "ref.uri", bounds)?])
        }
        Given::Text(_) | Given::Other => Err(place(
            Fault::new(Problem::WrongType, "`ref/prompt` or `ref/resource` is due here"),
            "ref.type",
        )),
        Given::Absent => {
            Err(place(Fault::new(Problem::MissingField, "the completion has no reference"), "ref"))
        }
    }
}

fn resource(
    server: UpstreamName,
    uri: Given,
    member: &str,
    bounds: &Bounds,
) -> Result<(Target, Json), Fault> {
    let uri = text(uri, member)?;
    check_text(&uri, bounds.uri_bytes).map_err(|fault| place(fault, member))?;
    let uri = judged_uri(&uri).map_err(|error| place(error.into(), member))?;
    Ok((Target::Resource { server, uri }, Json::Object(Vec::new())))
}

fn arguments(arguments: Object) -> Result<Json, Fault> {
    match arguments {
        Object::Members(args) => Ok(Json::object([("args", args)])),
        Object::Absent => Ok(Json::object([("args", Json::Object(Vec::new()))])),
        Object::Other => Err(place(
            Fault::new(Problem::WrongType, "the arguments are an object; leave them out if none"),
            "arguments",
        )),
    }
}

fn name(given: Given, member: &str, bounds: &Bounds) -> Result<String, Fault> {
    let name = text(given, member)?;
    check_member_name(&name, bounds.name_bytes).map_err(|fault| place(fault, member))?;
    Ok(name)
}

fn text(given: Given, member: &str) -> Result<String, Fault> {
    match given {
        Given::Text(text) => Ok(text),
        Given::Absent => Err(place(Fault::new(Problem::MissingField, "this parameter is missing"), member)),
        Given::Other => Err(place(Fault::new(Problem::WrongType, "a string is due here"), member)),
    }
}

fn place(fault: Fault, member: &str) -> Fault {
    fault.under_member(member).under_member("params")
}
