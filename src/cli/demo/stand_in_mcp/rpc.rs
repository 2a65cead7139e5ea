//! JSON-RPC 2.0: what a body holds, and how answers and errors are written.

use axum::Json;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::cli::demo::stand_in_mcp::{Era, STATELESS, WITH_SESSIONS, takes_events};

pub(super) const PARSE_ERROR: i64 = -32_700;
pub(super) const INVALID_REQUEST: i64 = -32_600;
pub(super) const METHOD_NOT_FOUND: i64 = -32_601;
pub(super) const INVALID_PARAMS: i64 = -32_602;
/// MCP 2026-07-28: a header says otherwise than the body.
pub(super) const HEADER_MISMATCH: i64 = -32_020;
/// MCP 2026-07-28: a revision that is not served.
const UNSUPPORTED_VERSION: i64 = -32_022;

/// One JSON-RPC message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// Is owed an answer with this id.
    Request { id: Value, method: String, params: Value },
    /// Is owed none.
    Notification,
    /// An answer to something the server asked; this one asks nothing.
    Response,
}

/// What a body holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Envelope {
    Empty,
    NotJson,
    NotRpc,
    One(Message),
    Batch(Vec<Message>),
}

impl Envelope {
    pub(super) fn read(body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        match serde_json::from_slice::<Value>(body) {
            Err(_) => Self::NotJson,
            Ok(Value::Array(elements)) if !elements.is_empty() => elements
                .into_iter()
                .map(Message::read)
                .collect::<Option<_>>()
                .map_or(Self::NotRpc, Self::Batch),
            Ok(value) => Message::read(value).map_or(Self::NotRpc, Self::One),
        }
    }

    /// The methods asked for, each with the tool, prompt or resource it names.
    pub(super) fn asked(&self) -> Option<String> {
        match self {
            Self::One(message) => message.asked(),
            Self::Batch(messages) => {
                Some(messages.iter().filter_map(Message::asked).collect::<Vec<_>>().join(", "))
            }
            Self::Empty | Self::NotJson | Self::NotRpc => None,
        }
    }

    pub(super) fn id(&self) -> Value {
        match self {
            Self::One(Message::Request { id, .. }) => id.clone(),
            _ => Value::Null,
        }
    }
}

impl Message {
    fn read(value: Value) -> Option<Self> {
        let Value::Object(mut members) = value else { return None };
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return None;
        }
        let Some(method) = members.get("method") else {
            return (members.contains_key("result") || members.contains_key("error"))
                .then_some(Self::Response);
        };
        let method = method.as_str()?.to_owned();
        match members.remove("id") {
            None => Some(Self::Notification),
            Some(id) if id.is_string() || id.is_number() => {
                Some(Self::Request { id, method, params: members.remove("params").unwrap_or_default() })
            }
            Some(_) => None,
        }
    }

    fn asked(&self) -> Option<String> {
        let Self::Request { method, params, .. } = self else { return None };
        let name = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str);
        Some(name.map_or_else(|| method.clone(), |name| format!("{method} {name}")))
    }
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    pub(super) code: i64,
    pub(super) message: String,
}

impl RpcError {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The JSON-RPC answer to the request with that id.
pub(super) fn reply(id: &Value, outcome: Result<Value, RpcError>) -> Value {
    match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(RpcError { code, message }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
    }
}

/// Sends an answer as server-sent events where the caller takes them: its progress first, if it asked to hear of it.
pub(super) fn stream_or_json(headers: &HeaderMap, params: &Value, reply: Value) -> Response {
    if !takes_events(headers) {
        return Json(reply).into_response();
    }
    let progress = params.pointer("/_meta/progressToken").map(|token| {
        let params = json!({"progressToken": token, "progress": 1, "total": 1});
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    });
    let text: String = progress
        .iter()
        .chain([&reply])
        .map(|message| format!("event: message\ndata: {message}\n\n"))
        .collect();
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::from(text)).into_response()
}

/// An HTTP error whose body is a JSON-RPC error that answers no request.
pub(super) fn http_error(status: StatusCode, message: &str) -> Response {
    refuse(status, &Value::Null, RpcError::new(INVALID_REQUEST, message))
}

/// An HTTP error whose body is the JSON-RPC error of the request with that id.
pub(super) fn refuse(status: StatusCode, id: &Value, error: RpcError) -> Response {
    (status, Json(reply(id, Err(error)))).into_response()
}

/// Tells which revisions are served instead of the one asked for.
pub(super) fn unsupported_version(envelope: &Envelope, requested: &str, era: Era) -> Response {
    let supported: Vec<&str> = match era {
        Era::Both => std::iter::once(STATELESS).chain(WITH_SESSIONS).collect(),
        Era::Sessions => WITH_SESSIONS.to_vec(),
    };
    let error = json!({
        "code": UNSUPPORTED_VERSION,
        "message": "unsupported protocol version",
        "data": {"supported": supported, "requested": requested},
    });
    let body = json!({"jsonrpc": "2.0", "id": envelope.id(), "error": error});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
