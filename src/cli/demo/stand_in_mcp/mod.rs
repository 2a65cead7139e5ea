//! A stand-in MCP server named `shop` over streamable HTTP, in every revision from 2025-03-26 to 2026-07-28.

mod rpc;
mod sessions;
mod shop;
mod stateless;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::demo::seen::{Credential, Ledger, SeenCall};
use crate::cli::demo::serve::{self, Handle};
use crate::cli::demo::stand_in_mcp::rpc::Envelope;
use crate::cli::demo::stand_in_mcp::sessions::Sessions;
use crate::domain::Secret;

/// The revision without sessions.
const STATELESS: &str = "2026-07-28";
/// The revisions that begin with a handshake, newest first.
const WITH_SESSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

const VERSION_HEADER: &str = "mcp-protocol-version";

/// How the stand-in behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key that each request must carry as `Authorization: Bearer`; without one, no key is asked for.
    pub key: Option<Secret>,
    /// Which revisions it speaks.
    pub era: Era,
    /// Speaks TLS with this configuration if given; ALPN decides between HTTP/1.1 and HTTP/2.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// Which revisions of MCP the stand-in speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// All of them, told apart by the `MCP-Protocol-Version` header.
    #[default]
    Both,
    /// Only those with sessions, up to 2025-11-25: a server of last year, on which newer clients fall back.
    Sessions,
}

#[derive(Clone)]
struct Server {
    key: Option<Secret>,
    era: Era,
    sessions: Arc<Sessions>,
    ledger: Arc<Ledger>,
}

/// Starts the stand-in at the path `/mcp`; `GET /seen` tells what it has seen.
///
/// Tools: `search_orders`, `get_order`, `refund`, `delete_order`; resource `shop://returns-policy`; prompt `apology`.
/// Nothing is kept between calls, so the same call has the same answer.
///
/// # Errors
/// When the listener has no address.
pub async fn start(
    listener: TcpListener,
    settings: Settings,
    shutdown: CancellationToken,
) -> io::Result<Handle> {
    let ledger = Arc::new(Ledger::default());
    let sessions = Arc::new(Sessions::default());
    let server = Server { key: settings.key, era: settings.era, sessions, ledger: Arc::clone(&ledger) };
    let router = Router::new().fallback(answer).with_state(server);
    serve::spawn(listener, router, ledger, settings.tls, shutdown)
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match parts.uri.path() {
        "/seen" => return serve::inspection(&server.ledger),
        "/mcp" => {}
        _ => return StatusCode::NOT_FOUND.into_response(),
    }
    let Ok(body) = to_bytes(body, serve::BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let envelope = Envelope::read(&body);
    let credential = server.credential(&parts.headers);
    server.ledger.add(SeenCall::new(&parts, credential, body.len(), envelope.asked()));
    if server.key.is_some() && credential != Credential::Expected {
        return rpc::http_error(
            StatusCode::UNAUTHORIZED,
            "the key is missing or is not the one expected here",
        );
    }
    if is_foreign_page(&parts.headers) {
        return rpc::http_error(StatusCode::FORBIDDEN, "the origin is not this machine");
    }
    server.speak(&parts, envelope)
}

impl Server {
    fn credential(&self, headers: &HeaderMap) -> Credential {
        match &self.key {
            Some(key) => Credential::read(headers, key),
            None if headers.contains_key("authorization") => Credential::Other,
            None => Credential::Absent,
        }
    }

    fn speak(&self, parts: &Parts, envelope: Envelope) -> Response {
        let version = parts.headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok());
        match version {
            Some(STATELESS) if self.era == Era::Both => stateless::answer(parts, envelope),
            Some(other) if !WITH_SESSIONS.contains(&other) => {
                rpc::unsupported_version(&envelope, other, self.era)
            }
            _ => self.sessions.answer(parts, envelope),
        }
    }
}

/// A page elsewhere could reach a server on loopback through the browser of whoever visits it.
fn is_foreign_page(headers: &HeaderMap) -> bool {
    headers.get("origin").is_some_and(|origin| {
        let host = origin.to_str().ok().and_then(|text| text.split_once("://")).map_or("", |(_, host)| host);
        !["127.0.0.1", "localhost", "[::1]"].iter().any(|local| {
            host.strip_prefix(local).is_some_and(|port| port.is_empty() || port.starts_with(':'))
        })
    })
}

/// Whether the caller takes an answer as server-sent events.
fn takes_events(headers: &HeaderMap) -> bool {
    headers.get_all("accept").iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.split(',').any(|one| one.trim().starts_with("text/event-stream")))
    })
}

#[cfg(test)]
mod tests;
