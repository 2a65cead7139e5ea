//! Revision 2026-07-28: every request stands for itself and says in its headers what its body says.

use axum::Json;
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cli::demo::stand_in_mcp::rpc::{self, Envelope, Message, RpcError};
use crate::cli::demo::stand_in_mcp::{STATELESS, WITH_SESSIONS, shop};

const PREFIX: &str = "io.modelcontextprotocol/";

pub(super) fn answer(parts: &Parts, envelope: Envelope) -> Response {
    if parts.method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")]).into_response();
    }
    let malformed =
        |code, message| rpc::refuse(StatusCode::BAD_REQUEST, &Value::Null, RpcError::new(code, message));
    let (id, method, params) = match envelope {
        Envelope::One(Message::Request { id, method, params }) => (id, method, params),
        Envelope::One(Message::Notification) => return StatusCode::ACCEPTED.into_response(),
        Envelope::NotJson | Envelope::Empty => return malformed(rpc::PARSE_ERROR, "the body is not JSON"),
        Envelope::NotRpc | Envelope::Batch(_) | Envelope::One(Message::Response) => {
            return malformed(rpc::INVALID_REQUEST, "the body is not one request or notification");
        }
    };
    if let Err(error) = agree(&parts.headers, &method, &params) {
        return rpc::refuse(StatusCode::BAD_REQUEST, &id, error);
    }
    match perform(&method, &params) {
        Ok(result) if method == "tools/call" && params.pointer("/_meta/progressToken").is_some() => {
            rpc::stream_or_json(&parts.headers, &params, rpc::reply(&id, Ok(result)))
        }
        Ok(result) => Json(rpc::reply(&id, Ok(result))).into_response(),
        Err(error) => {
            let status = match error.code {
                rpc::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            rpc::refuse(status, &id, error)
        }
    }
}

/// Checks that the body carries its envelope and that the headers mirror it.
fn agree(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), RpcError> {
    let meta = |name: &str| params.get("_meta").and_then(|meta| meta.get(format!("{PREFIX}{name}")));
    for required in ["protocolVersion", "clientCapabilities"] {
        if meta(required).is_none() {
            let message = format!("`params._meta` has no `{PREFIX}{required}`");
            return Err(RpcError::new(rpc::INVALID_PARAMS, message));
        }
    }
    let version = meta("protocolVersion").and_then(Value::as_str);
    mirrored(headers, "MCP-Protocol-Version", version)?;
    mirrored(headers, "Mcp-Method", Some(method))?;
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return Ok(()),
    };
    mirrored(headers, "Mcp-Name", params.get(member).and_then(Value::as_str))?;
    match shop::mirrored_argument(params) {
        Some((name, argument)) if method == "tools/call" => mirrored(headers, name, argument),
        _ => Ok(()),
    }
}

fn mirrored(headers: &HeaderMap, name: &str, expected: Option<&str>) -> Result<(), RpcError> {
    let mut values = headers.get_all(name).iter();
    let found = values.next().map(|value| value.to_str().ok().and_then(decoded));
    let agrees = match (found, expected) {
        (None, None) => true,
        (Some(Some(found)), Some(expected)) => found == expected,
        _ => false,
    };
    if agrees && values.next().is_none() {
        return Ok(());
    }
    Err(RpcError::new(rpc::HEADER_MISMATCH, format!("the header `{name}` does not say what the body says")))
}

/// The text of a header that may be written as `=?base64?…?=`.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}

fn perform(method: &str, params: &Value) -> Result<Value, RpcError> {
    let mut result = match method {
        "server/discover" => json!({
            "supportedVersions": std::iter::once(STATELESS).chain(WITH_SESSIONS).collect::<Vec<_>>(),
            "capabilities": shop::capabilities(),
            "_meta": {"io.modelcontextprotocol/serverInfo": shop::server_info()},
        }),
        _ => shop::perform(method, params)?,
    };
    if let Some(members) = result.as_object_mut() {
        members.insert("resultType".to_owned(), json!("complete"));
        if !matches!(method, "tools/call" | "prompts/get") {
            members.insert("ttlMs".to_owned(), json!(0));
            members.insert("cacheScope".to_owned(), json!("private"));
        }
    }
    Ok(result)
}
