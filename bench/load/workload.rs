//! What is sent: two chats, one MCP call, and chats whose answer is streamed; always the same bytes.

use std::fmt;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    Chat2K,
    Chat32K,
    McpCall,
    Streamed(Streamed),
}

/// How a chat is answered by a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Streamed {
    pub says: Says,
    /// Chunks before the one that says why the model stopped.
    pub chunks: u32,
    /// Between two of them. The first comes at once.
    pub pause: Duration,
}

/// What the model says in its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Says {
    /// A few words in each.
    Text,
    /// One tool call: its name in the first, then its arguments piece by piece.
    ToolCall,
}

/// The function that the model is offered, and calls.
pub const FUNCTION: &str = "propose_refund";

/// Tells the stand-in upstream how to answer: [`Streamed::ask`].
pub const ASK: &str = "x-stand-in";

impl Streamed {
    /// Text as fast as it goes.
    pub const fn text(chunks: u32) -> Self {
        Self { says: Says::Text, chunks, pause: Duration::ZERO }
    }

    /// A tool call as fast as it goes.
    pub const fn tool_call(chunks: u32) -> Self {
        Self { says: Says::ToolCall, chunks, pause: Duration::ZERO }
    }

    /// Text as a model writes it.
    pub const fn paced(chunks: u32, pause_ms: u64) -> Self {
        Self { says: Says::Text, chunks, pause: Duration::from_millis(pause_ms) }
    }

    /// From the first chunk to the last.
    pub fn lasts(self) -> Duration {
        self.pause * self.chunks.saturating_sub(1)
    }

    /// The value of [`ASK`].
    pub fn ask(self) -> String {
        let says = if self.says == Says::Text { "text" } else { "tool-call" };
        format!("{says} {} {}", self.chunks, self.pause.as_millis())
    }

    /// Reads what [`Self::ask`] wrote.
    pub fn read(ask: &str) -> Option<Self> {
        let mut words = ask.split(' ');
        let says = match words.next()? {
            "text" => Says::Text,
            "tool-call" => Says::ToolCall,
            _ => return None,
        };
        let chunks = words.next()?.parse().ok()?;
        let pause = Duration::from_millis(words.next()?.parse().ok()?);
        Some(Self { says, chunks, pause })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat2K => f.write_str("2 KB chat"),
            Self::Chat32K => f.write_str("32 KB chat"),
            Self::McpCall => f.write_str("300 B MCP call"),
            Self::Streamed(Streamed { says, chunks, pause }) => {
                let says = if *says == Says::Text { "text" } else { "a tool call" };
                write!(f, "{says} in {chunks} chunks, {} ms apart", pause.as_millis())
            }
        }
    }
}

impl Workload {
    /// Those that are answered in one piece.
    pub const UNARY: [Self; 3] = [Self::Chat2K, Self::Chat32K, Self::McpCall];

    pub const fn path(self) -> &'static str {
        match self {
            Self::McpCall => "/mcp",
            Self::Chat2K | Self::Chat32K | Self::Streamed(_) => "/v1/chat/completions",
        }
    }

    /// Headers beside `Host` and `Content-Length`.
    pub fn headers(self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json"), ("user-agent", "load")];
        match self {
            Self::McpCall => headers.extend([
                ("accept", "application/json, text/event-stream"),
                ("mcp-protocol-version", "2025-11-25"),
                ("mcp-session-id", "session-1"),
            ]),
            Self::Chat2K | Self::Chat32K | Self::Streamed(_) => {
                headers.push(("authorization", "Bearer agents-own-key"));
            }
        }
        let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        if let Self::Streamed(streamed) = self {
            headers.push((ASK, streamed.ask()));
        }
        headers
    }

    pub fn body(self) -> Bytes {
        let body = match self {
            Self::Chat2K => chat(7, 4),
            Self::Chat32K => chat(24, 20),
            Self::McpCall => call(),
            Self::Streamed(_) => streamed_chat(),
        };
        Bytes::from(body.to_string())
    }

    /// What is wrong with this answer, of so many events where it is streamed; nothing is if it is what was asked.
    pub fn fault(self, answer: &str, events: u64) -> Option<&'static str> {
        let Self::Streamed(streamed) = self else {
            return answer.contains("\"isError\":true").then_some("an error instead of a result");
        };
        // The reason to stop, the usage and the end.
        let whole = u64::from(streamed.chunks) + 3;
        match streamed.says {
            _ if !answer.ends_with("data: [DONE]\n\n") => Some("a stream without its end"),
            Says::Text if events != whole => Some("a stream with too few chunks, or too many"),
            Says::ToolCall if !answer.contains(&format!("\"name\":\"{FUNCTION}\"")) => {
                Some("a stream without its tool call")
            }
            Says::ToolCall if !answer.contains("\"finish_reason\":\"tool_calls\"") => {
                Some("a tool call without its end")
            }
            Says::Text | Says::ToolCall => None,
        }
    }
}

/// A conversation of so many turns, each of so many lines of 63 characters.
fn chat(turns: usize, lines: usize) -> Value {
    let text = "Where is my order? It said \"two days\", and that was last week.\n".repeat(lines);
    let messages: Vec<_> = (0..turns)
        .map(|turn| json!({"role": if turn % 2 == 0 { "user" } else { "assistant" }, "content": text}))
        .collect();
    json!({"model": "gpt-4o-mini", "max_tokens": 256, "temperature": 0.2, "messages": messages})
}

/// The 2 KB chat, to be streamed, with a function that the model may call.
fn streamed_chat() -> Value {
    let mut body = chat(7, 4);
    let parameters = json!({
        "type": "object",
        "properties": {
            "order": {"type": "string"},
            "amount": {"type": "number"},
            "currency": {"type": "string"},
            "note": {"type": "string"},
        },
        "required": ["order", "amount", "currency"],
    });
    let function = json!({
        "name": FUNCTION,
        "description": "Proposes to pay a part of an order back.",
        "parameters": parameters,
    });
    if let Some(body) = body.as_object_mut() {
        body.insert("stream".to_owned(), json!(true));
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        body.insert("tools".to_owned(), json!([{"type": "function", "function": function}]));
    }
    body
}

fn call() -> Value {
    let note = "The customer wrote twice, the parcel came late and its box was torn; half of it is to be paid back, and she is to hear of it.";
    let arguments = json!({"order": "7", "amount": 40, "currency": "EUR", "note": note});
    let params = json!({"name": "refund", "arguments": arguments, "_meta": {"progressToken": "p-1"}});
    json!({"jsonrpc": "2.0", "id": 41, "method": "tools/call", "params": params})
}
