//! A stand-in for a model API: OpenAI chat completions and Anthropic messages, plain and streamed.

mod anthropic;
mod openai;
mod reply;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::demo::seen::{Credential, Ledger, SeenCall};
use crate::cli::demo::serve::{self, Handle};
use crate::domain::Secret;

/// How the stand-in behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key that each request must carry, as `Authorization: Bearer` or `x-api-key`; another one is refused.
    pub key: Secret,
    /// Time between two pieces of a streamed answer; zero sends them as fast as they are taken.
    pub cadence: Duration,
    /// Speaks TLS with this configuration if given; ALPN decides between HTTP/1.1 and HTTP/2.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

#[derive(Clone)]
struct Api {
    key: Secret,
    cadence: Duration,
    ledger: Arc<Ledger>,
}

/// Starts the stand-in. Its answer repeats the last thing said to it, so that a test can tell what arrived.
///
/// Routes: `POST /v1/chat/completions`, `POST /v1/messages`, `GET /v1/models`, and for inspection `GET /seen`.
///
/// # Errors
/// When the listener has no address.
pub async fn start(
    listener: TcpListener,
    settings: Settings,
    shutdown: CancellationToken,
) -> io::Result<Handle> {
    let ledger = Arc::new(Ledger::default());
    let api = Api { key: settings.key, cadence: settings.cadence, ledger: Arc::clone(&ledger) };
    let router = Router::new().fallback(answer).with_state(api);
    serve::spawn(listener, router, ledger, settings.tls, shutdown)
}

async fn answer(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if path == "/seen" {
        return serve::inspection(&api.ledger);
    }
    let Ok(body) = to_bytes(body, serve::BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let asked: Option<Value> = serde_json::from_slice(&body).ok();
    let model = asked.as_ref().and_then(|body| body.get("model")).and_then(Value::as_str);
    let credential = Credential::read(&parts.headers, &api.key);
    api.ledger.add(SeenCall::new(&parts, credential, body.len(), model.map(str::to_owned)));

    let problem: fn(StatusCode, &str) -> Response = match path {
        "/v1/messages" => anthropic::problem,
        _ => openai::problem,
    };
    if credential != Credential::Expected {
        return problem(StatusCode::UNAUTHORIZED, "the key is missing or is not the one expected here");
    }
    match (&parts.method, path) {
        (&Method::POST, "/v1/chat/completions") => openai::completion(asked, api.cadence),
        (&Method::POST, "/v1/messages") => anthropic::message(asked, &parts.headers, api.cadence),
        (&Method::GET, "/v1/models") => reply::models(),
        _ => problem(StatusCode::NOT_FOUND, "no such route"),
    }
}

#[cfg(test)]
mod tests;
