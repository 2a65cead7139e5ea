//! What is sent: two chats and one MCP call, always the same bytes.

use hyper::body::Bytes;
use serde_json::json;

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    Chat2K,
    Chat32K,
    McpCall,
}

impl Workload {
    pub const ALL: [Self; 3] = [Self::Chat2K, Self::Chat32K, Self::McpCall];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat2K => "2 KB chat",
            Self::Chat32K => "32 KB chat",
            Self::McpCall => "300 B MCP call",
        }
    }

    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat2K | Self::Chat32K => "/v1/chat/completions",
            Self::McpCall => "/mcp",
        }
    }

    /// Headers beside `Host` and `Content-Length`.
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Chat2K | Self::Chat32K => &[
                ("content-type", "application/json"),
                ("authorization", "Bearer agents-own-key"),
                ("user-agent", "load"),
            ],
            Self::McpCall => &[
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
                ("mcp-protocol-version", "2025-11-25"),
                ("mcp-session-id", "session-1"),
                ("user-agent", "load"),
            ],
        }
    }

    pub fn body(self) -> Bytes {
        match self {
            Self::Chat2K => chat(7, 4),
            Self::Chat32K => chat(24, 20),
            Self::McpCall => call(),
        }
    }
}

/// A conversation of so many turns, each of so many lines of 63 characters.
fn chat(turns: usize, lines: usize) -> Bytes {
    let text = "Where is my order? It said \"two days\", and that was last week.\n".repeat(lines);
    let messages: Vec<_> = (0..turns)
        .map(|turn| json!({"role": if turn % 2 == 0 { "user" } else { "assistant" }, "content": text}))
        .collect();
    let body = json!({"model": "gpt-4o-mini", "max_tokens": 256, "temperature": 0.2, "messages": messages});
    Bytes::from(body.to_string())
}

fn call() -> Bytes {
    let note = "The customer wrote twice, the parcel came late and its box was torn; half of it is to be paid back, and she is to hear of it.";
    let arguments = json!({"order": "7", "amount": 40, "currency": "EUR", "note": note});
    let params = json!({"name": "refund", "arguments": arguments, "_meta": {"progressToken": "p-1"}});
    Bytes::from(json!({"jsonrpc": "2.0", "id": 41, "method": "tools/call", "params": params}).to_string())
}
