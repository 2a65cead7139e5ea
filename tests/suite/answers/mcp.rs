//! Lists, asks and results of MCP servers.

use pactgate::domain::ActionKind;
use pactgate::evidence::{CutCause, Effect, Outcome};
use serde_json::{Value, json};

use crate::answers::{answer, facing};
use crate::support::arena::{Arena, Ear, Way, post, request};

const MCP: &str = "/shop/mcp";

/// Tools of which the pact of these tests permits the first and, on some terms, the second.
const TOOLS: [&str; 4] = ["look", "refund", "delete_all", "stranger"];

fn list(names: &[&str]) -> Value {
    let tools: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}})).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, "nextCursor": "2"}})
}

fn asks(method: &str) -> String {
    post(MCP, &json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string())
}

fn call(tool: &str) -> String {
    let params = json!({"name": tool, "arguments": {"amount": 5}});
    post(MCP, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string())
}

/// A pact for `shop`, with these clauses more.
async fn shop(body: &str, content_type: &str, clauses: &str) -> Arena {
    let ear = Ear::answering(answer(content_type, "", body.as_bytes()), true).await;
    let pact = PACT.replace("CLAUSES", clauses);
    Arena::built(ear, &pact, |_| {})
}

const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole, twin]
  risk: low
  owner: the tests
  clauses:
    - id: look
      allow: {tool: [shop.look, shop.refund]}
    CLAUSES
";

#[tokio::test]
async fn a_list_shows_what_the_agent_may_use() {
    let body = list(&TOOLS).to_string();
    for (content_type, body) in
        [("application/json", body.clone()), ("text/event-stream", format!("id: 7\r\ndata: {body}\r\n\r\n"))]
    {
        let arena = shop(&body, content_type, "").await;
        let got = arena.passes(content_type, Way::Reverse, asks("tools/list")).await;
        let json = match got.body().split_once("data: ") {
            Some((before, data)) => {
                assert!(before.contains("id: 7\n"), "{got:?}");
                data.lines().next().unwrap_or_default()
            }
            None => got.body(),
        };
        let told: Value = serde_json::from_str(json).unwrap();
        assert_eq!(told["result"]["nextCursor"], "2");
        let names: Vec<&str> = told["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["look", "refund"], "{content_type}");
        assert_eq!(arena.records().await.len(), 1, "a list is one record");
    }
}

#[tokio::test]
async fn a_list_without_end_is_an_error_with_the_callers_id() {
    let names = vec!["look"; 100_000];
    let body = list(&names).to_string();
    for (content_type, body) in
        [("application/json", body.clone()), ("text/event-stream", format!("data: {body}\n\n"))]
    {
        let arena = shop(&body, content_type, "").await;
        let got = arena.passes(content_type, Way::Reverse, asks("tools/list")).await;
        let from = got.body().find('{').unwrap();
        let said: Value = serde_json::from_str(got.body()[from..].lines().next().unwrap()).unwrap();
        assert_eq!(said["id"], 1, "{got:?}");
        let message = said["error"]["message"].as_str().unwrap();
        assert!(message.contains("more than 10000 entries"), "{message}");
        let records = arena.records().await;
        assert_eq!(records[0].outcome, Some(Outcome::Cut { why: CutCause::Unreadable }), "{records:?}");
    }
}

#[tokio::test]
async fn a_result_larger_than_the_bound_is_an_error_with_the_callers_id() {
    let text = "x".repeat(17 << 20);
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}});
    let arena = shop(&format!("data: {body}\n\n"), "text/event-stream", "").await;
    let got = arena.passes("too large", Way::Reverse, call("look")).await;
    assert!(got.body().contains("\"id\":1") && got.body().contains("larger than"), "{}", got.body().len());
    let arena = shop(&body.to_string(), "application/json", "").await;
    let got = arena.passes("too large", Way::Reverse, call("look")).await;
    assert!(got.body().contains("\"isError\":true") && got.body().contains("\"id\":1"), "{got:?}");
}

#[tokio::test]
async fn an_answer_to_something_else_reaches_nobody() {
    let mut other = list(&["look"]);
    other["id"] = json!(2);
    let arena = shop(&other.to_string(), "application/json", "").await;
    let got = arena.passes("another id", Way::Reverse, asks("tools/list")).await;
    assert!(got.body().contains("\"error\"") && !got.body().contains("inputSchema"), "{got:?}");
    // Clients read messages whatever the status.
    let body = list(&TOOLS).to_string();
    let head = format!(
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let ear = Ear::answering(Box::leak((head + &body).into_bytes().into_boxed_slice()), true).await;
    let arena = Arena::built(ear, &PACT.replace("CLAUSES", ""), |_| {});
    let got = arena.send(Way::Reverse, asks("tools/list")).await;
    assert_eq!(got.status(), 404);
    assert!(got.body().contains("look") && !got.body().contains("stranger"), "{got:?}");
}

fn stream_with_ask() -> String {
    let ask = json!({"jsonrpc": "2.0", "id": "s-1", "method": "sampling/createMessage",
        "params": {"messages": [], "maxTokens": 5}});
    let result = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}});
    format!("data: {ask}\n\ndata: {result}\n\n")
}

#[tokio::test]
async fn a_server_asks_the_client_only_what_the_pact_permits() {
    let stream = stream_with_ask();
    let arena = shop(&stream, "text/event-stream", "").await;
    let got = arena.passes("an ask", Way::Reverse, call("look")).await;
    assert!(!got.body().contains("sampling") && got.body().contains("\"content\""), "{got:?}");
    let records = arena.records().await;
    let ask = records.iter().find(|record| record.action.kind == Some(ActionKind::Prompt)).unwrap();
    let parent = records.iter().find(|record| record.action.kind == Some(ActionKind::Tool)).unwrap();
    assert_eq!((ask.effect, ask.parent.as_ref()), (Effect::Refused, Some(&parent.decision)));
    assert_eq!(ask.action.name, "shop/sampling/createMessage");

    let permits = "- {id: sampling, allow: {prompt: shop/sampling/createMessage}}";
    let arena = shop(&stream, "text/event-stream", permits).await;
    let got = arena.passes("an ask", Way::Reverse, call("look")).await;
    assert!(got.body().contains("sampling"), "{got:?}");
    let records = arena.records().await;
    assert!(records.iter().all(|record| record.effect == Effect::Sent), "{records:?}");
}

#[tokio::test]
async fn the_stream_of_a_session_is_read_too() {
    let list = list(&TOOLS);
    let arena = shop(&format!("data: {list}\n\n{}", stream_with_ask()), "text/event-stream", "").await;
    let got =
        request("GET", MCP, &[("accept", "text/event-stream"), ("mcp-protocol-version", "2025-06-18")], "");
    let got = arena.passes("the stream", Way::Reverse, got).await;
    assert!(!got.body().contains("sampling") && !got.body().contains("stranger"), "{got:?}");
    assert!(got.body().contains("look") && got.body().contains("\"content\""), "{got:?}");
}

#[tokio::test]
async fn models_are_not_offered_more_by_a_server_than_by_a_request() {
    let arena = facing(
        Ear::answering(answer("application/json", "", list(&TOOLS).to_string().as_bytes()), true).await,
    );
    let got = arena.passes("under a table of tools", Way::Reverse, asks("tools/list")).await;
    assert!(got.body().contains("refund") && !got.body().contains("delete_all"), "{got:?}");
}
