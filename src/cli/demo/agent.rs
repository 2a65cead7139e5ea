//! The scripted agent: plain HTTP, as any SDK would send it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The most that the agent reads of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The MCP revision it speaks.
const MCP_VERSION: &str = "2026-07-28";

/// Something that did not go as it should have.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mishap(pub String);

impl Mishap {
    /// What went wrong, said by whoever noticed.
    pub fn from(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, where it is JSON.
    pub json: Value,
}

impl Answer {
    /// Whether a tool call came back as failed.
    #[must_use]
    pub fn is_tool_error(&self) -> bool {
        self.json.pointer("/result/isError").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether the call went through and succeeded.
    #[must_use]
    pub fn went_through(&self) -> bool {
        self.status == 200 && !self.is_tool_error() && self.json.get("error").is_none()
    }

    /// The reason of a refusal, wherever the dialect puts it.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        let places = [
            "/error/code",
            "/result/_meta/pactgate.dev~1refusal/reason",
            "/error/data/reason",
            "/error/pactgate/reason",
            "/reason",
        ];
        places.iter().find_map(|place| self.json.pointer(place).and_then(Value::as_str))
    }

    /// The text that a model or a person would read.
    #[must_use]
    pub fn text(&self) -> &str {
        let places = ["/choices/0/message/content", "/result/content/0/text", "/error/message", "/detail"];
        places.iter().find_map(|place| self.json.pointer(place).and_then(Value::as_str)).unwrap_or_default()
    }
}

/// A client of one address.
#[derive(Clone, Debug)]
pub struct Agent {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    token: Option<String>,
    calls: u64,
}

impl Agent {
    /// A client of the listener at `address`.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address, token: None, calls: 0 }
    }

    /// The same with a bearer token: an operator of the collector.
    #[must_use]
    pub fn with_token(address: SocketAddr, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::at(address) }
    }

    /// Asks a model.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn chat(&mut self, model: &str, prompt: &str) -> Result<Answer, Mishap> {
        let body = json!({
            "model": model,
            "max_tokens": 64,
            "messages": [{"role": "user", "content": prompt}],
        });
        self.send(Method::POST, "/openai/v1/chat/completions", &[], Some(&body)).await
    }

    /// Calls a tool of the shop.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn call_tool(&mut self, tool: &str, arguments: Value) -> Result<Answer, Mishap> {
        self.calls += 1;
        let body = json!({
            "jsonrpc": "2.0",
            "id": self.calls,
            "method": "tools/call",
            "params": {
                "name": tool,
                "arguments": arguments,
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": MCP_VERSION,
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        });
        let headers = [
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", MCP_VERSION),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ];
        self.send(Method::POST, "/shop/mcp", &headers, Some(&body)).await
    }

    /// Sends one request.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Mishap> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(|json| Bytes::from(json.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).map_err(Mishap::from)?;
        let response = self.client.request(request).await.map_err(Mishap::from)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(Mishap::from)?.to_bytes();
        let json = read(&body);
        Ok(Answer { status: head.status.as_u16(), json })
    }
}

/// JSON, or the last event of a stream that holds it.
fn read(body: &[u8]) -> Value {
    if let Ok(json) = serde_json::from_slice(body) {
        return json;
    }
    let text = String::from_utf8_lossy(body);
    let events = text.lines().rev().filter_map(|line| line.strip_prefix("data: "));
    events.filter_map(|data| serde_json::from_str(data).ok()).next().unwrap_or(Value::Null)
}
