//! The revisions with sessions: handshake, requests, batches, the stream from the server, the end.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cli::demo::stand_in_mcp::rpc::{self, Envelope, Message, RpcError};
use crate::cli::demo::stand_in_mcp::{VERSION_HEADER, WITH_SESSIONS, shop, takes_events};

const SESSION_HEADER: &str = "mcp-session-id";
/// Sessions open at once; the oldest is ended for a new one.
const SESSIONS_MAX: usize = 256;
/// The only revision with batches.
const WITH_BATCHES: &str = "2025-03-26";

/// The open sessions.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Open>);

#[derive(Default)]
struct Open {
    begun: u64,
    sessions: VecDeque<Session>,
}

#[derive(Clone)]
struct Session {
    id: String,
    revision: &'static str,
    ended: CancellationToken,
}

impl Sessions {
    pub(super) fn answer(&self, parts: &Parts, envelope: Envelope) -> Response {
        if let Envelope::One(Message::Request { id, method, params }) = &envelope
            && method == "initialize"
        {
            return self.begin(id, params);
        }
        let session = match self.find(parts) {
            Ok(session) => session,
            Err((status, why)) => return rpc::http_error(status, why),
        };
        match parts.method {
            Method::POST => session.take(parts, envelope),
            Method::GET if takes_events(&parts.headers) => session.listen(),
            Method::GET => StatusCode::NOT_ACCEPTABLE.into_response(),
            Method::DELETE => self.end(&session),
            _ => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST, DELETE")]).into_response(),
        }
    }

    fn begin(&self, id: &Value, params: &Value) -> Response {
        let [newest, ..] = WITH_SESSIONS;
        let asked = params.get("protocolVersion").and_then(Value::as_str);
        let revision = WITH_SESSIONS.into_iter().find(|one| Some(*one) == asked).unwrap_or(newest);

        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.begun += 1;
        let session =
            Session { id: format!("session-{}", open.begun), revision, ended: CancellationToken::new() };
        if open.sessions.len() == SESSIONS_MAX
            && let Some(oldest) = open.sessions.pop_front()
        {
            oldest.ended.cancel();
        }
        open.sessions.push_back(session.clone());
        drop(open);

        let result = json!({
            "protocolVersion": revision,
            "capabilities": shop::capabilities(),
            "serverInfo": shop::server_info(),
        });
        ([(SESSION_HEADER, session.id)], Json(rpc::reply(id, Ok(result)))).into_response()
    }

    fn find(&self, parts: &Parts) -> Result<Session, (StatusCode, &'static str)> {
        let Some(id) = parts.headers.get(SESSION_HEADER) else {
            return Err((StatusCode::BAD_REQUEST, "the header `Mcp-Session-Id` is missing"));
        };
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.sessions.iter().find(|session| session.id.as_bytes() == id.as_bytes()).cloned();
        drop(open);
        let Some(session) = found else {
            return Err((StatusCode::NOT_FOUND, "no such session"));
        };
        // A caller that names no revision is taken to speak the one agreed on.
        match parts.headers.get(VERSION_HEADER) {
            Some(version) if version.as_bytes() != session.revision.as_bytes() => {
                Err((StatusCode::BAD_REQUEST, "the session was begun with another revision"))
            }
            _ => Ok(session),
        }
    }

    fn end(&self, session: &Session) -> Response {
        session.ended.cancel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sessions.retain(|one| one.id != session.id);
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Session {
    fn take(&self, parts: &Parts, envelope: Envelope) -> Response {
        let malformed =
            |code, message| rpc::refuse(StatusCode::BAD_REQUEST, &Value::Null, RpcError::new(code, message));
        match envelope {
            Envelope::NotJson | Envelope::Empty => malformed(rpc::PARSE_ERROR, "the body is not JSON"),
            Envelope::NotRpc => malformed(rpc::INVALID_REQUEST, "the body is not a JSON-RPC message"),
            Envelope::One(Message::Notification | Message::Response) => StatusCode::ACCEPTED.into_response(),
            Envelope::One(Message::Request { id, method, params }) => {
                let reply = rpc::reply(&id, perform(&method, &params));
                match method.as_str() {
                    "tools/call" => rpc::stream_or_json(&parts.headers, &params, reply),
                    _ => Json(reply).into_response(),
                }
            }
            Envelope::Batch(messages) if self.revision == WITH_BATCHES => answer_all(&messages),
            Envelope::Batch(_) => malformed(rpc::INVALID_REQUEST, "this revision has no batches"),
        }
    }

    /// A stream that says nothing and stays open as long as the session does.
    fn listen(&self) -> Response {
        let opened = stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from_static(b": open\n\n"))]);
        let until_ended =
            stream::once(self.ended.clone().cancelled_owned()).filter_map(|()| std::future::ready(None));
        let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
        (headers, Body::from_stream(opened.chain(until_ended))).into_response()
    }
}

fn perform(method: &str, params: &Value) -> Result<Value, RpcError> {
    match method {
        "ping" => Ok(json!({})),
        _ => shop::perform(method, params),
    }
}

fn answer_all(messages: &[Message]) -> Response {
    let replies: Vec<Value> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Request { id, method, params } => Some(rpc::reply(id, perform(method, params))),
            Message::Notification | Message::Response => None,
        })
        .collect();
    if replies.is_empty() { StatusCode::ACCEPTED.into_response() } else { Json(replies).into_response() }
}
