//! What a model answers: text flows, and what it asks for is judged before the agent sees it.

/// Anthropic's messages.
mod anthropic;
/// Lists, asks and results of MCP servers.
mod mcp;
/// Tools offered, calls made, calls carried out: one capability, one judgement.
mod tools;
/// Answers that no client and no proxy should have to read.
mod unfit;

use crate::support::arena::{Arena, Ear};

/// What the agents may do here: `refund` is one capability in three forms.
pub const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  UNPERMITTED
  tools:
    shop.refund: {mcp: shop/refund, function: [refund, shop__refund], http: POST http://EAR/web/refunds}
  clauses:
    - id: small-model
      allow: {model: [openai/small, anthropic/haiku]}
    - id: look
      allow: {tool: look}
    - id: refund-small
      allow: {tool: shop.refund}
      where: {args.amount: {max: 100}}
    - id: refund-large
      ask: {tool: shop.refund}
      where: {args.amount: {above: 100, max: 1000}}
    - id: never-delete
      deny: {tool: \"delete*\"}
    - id: search
      allow: {hosted_tool: openai/web_search}
  limits:
    - id: refunds
      on: {tool: shop.refund}
      rate: {standard: 2/h}
      burst: 2
";

/// An arena under that pact whose upstream gives this answer to everything.
pub fn facing(ear: Ear) -> Arena {
    Arena::built(ear, &PACT.replace("UNPERMITTED", ""), |_| {})
}

/// A whole HTTP answer with a body of that type; leaked, as tests may.
pub fn answer(content_type: &str, more: &str, body: &[u8]) -> &'static [u8] {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{more}\r\n");
    Box::leak([head.as_bytes(), body].concat().into_boxed_slice())
}

/// A stream of chat chunks that ends with `[DONE]`.
pub fn chat_stream(chunks: &[serde_json::Value]) -> String {
    let mut text = String::new();
    for chunk in chunks {
        text.push_str(&format!("data: {chunk}\n\n"));
    }
    text + "data: [DONE]\n\n"
}

/// One chunk of a chat completion.
pub fn chunk(delta: serde_json::Value, finish: Option<&str>) -> serde_json::Value {
    serde_json::json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "small",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}
