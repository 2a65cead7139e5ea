//! Anthropic's messages: an allowed call arrives as it came, a refused one as text, and the official client makes a
//! whole message of both.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pactgate::evidence::{CutCause, Effect, Outcome, Record};
use serde_json::{Value, json};

use crate::support::arena::{Answer, Arena, Ear, Way, post, request};
use crate::support::programs::{Program, run};

const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - id: sonnet
      allow: {model: anthropic/claude-sonnet-5}
    - id: look
      allow: {tool: look}
    - id: refund-small
      allow: {tool: refund}
      where: {args.amount: {max: 50}}
    - id: our-docs
      allow: {hosted_tool: [anthropic/mcp/docs, anthropic/mcp/docs/search]}
      where: {definition.url: {eq: \"https://docs.example/mcp\"}}
    - id: our-files
      allow: {resource: anthropic/file_id/file_ours}
";

const CALLS: &str = include_str!("../../corpus/answers/anthropic/parallel_calls.sse");
const MCP: &str = include_str!("../../corpus/answers/anthropic/mcp.sse");
const WHOLE: &str = include_str!("../../corpus/answers/anthropic/whole.json");
const BETA: &str = "interleaved-thinking-2025-05-14";

fn body(streamed: bool) -> Value {
    json!({
        "model": "claude-sonnet-5", "max_tokens": 64, "stream": streamed,
        "messages": [{"role": "user", "content": "Look into order A-7731."}],
        "tools": [{"name": "look", "input_schema": {}}, {"name": "refund", "input_schema": {}}],
    })
}

fn head(kind: &str, more: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}\r\n")
}

fn counted(kind: &str, body: &str) -> Vec<u8> {
    format!("{}{body}", head(kind, &format!("content-length: {}\r\n", body.len()))).into()
}

/// An arena whose model API always answers with these bytes, and lets one beta be switched on.
async fn arena(answer: Vec<u8>) -> Arena {
    let ear = Ear::answering(answer.leak(), false).await;
    Arena::built(ear, PACT, |config| {
        for upstream in &mut config.upstreams {
            upstream.betas = vec![BETA.to_owned()];
        }
    })
}

async fn ask(arena: &Arena, body: &Value) -> Answer {
    arena.send(Way::Reverse, post("/claude/v1/messages", &body.to_string())).await
}

/// The body of an answer that came in chunks.
fn dechunked(answer: &Answer) -> String {
    let (mut rest, mut out) = (answer.body(), String::new());
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk");
        if size == 0 {
            return out;
        }
        let (piece, after) = behind.split_at(size);
        out.push_str(piece);
        rest = after.strip_prefix("\r\n").expect("the end of a chunk");
    }
    panic!("the answer broke off: {answer:?}");
}

/// The records of what a model asked for, each a child of the call that it answers.
#[track_caller]
fn children(records: &[Record]) -> Vec<(&str, Effect)> {
    let (parents, made): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.parent.is_none());
    let [call] = parents[..] else { panic!("one call to a model: {records:?}") };
    assert_eq!(call.outcome, Some(Outcome::Completed { status: 200 }), "{call:?}");
    assert!(made.iter().all(|record| record.parent.as_ref() == Some(&call.decision)), "{made:?}");
    made.iter().map(|record| (record.action.name.as_str(), record.effect)).collect()
}

#[tokio::test]
async fn the_allowed_one_of_two_calls_arrives_and_the_other_becomes_text() {
    let events: Vec<&str> = CALLS.split_inclusive("\n\n").collect();
    let look: String = events.iter().filter(|event| event.contains("\"index\":3")).copied().collect();
    let chunk = |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let chunked = |body: &[u8], size: usize| {
        [body.chunks(size).flat_map(chunk).collect::<Vec<u8>>(), b"0\r\n\r\n".to_vec()].concat()
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(CALLS.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let in_chunks = head("text/event-stream; charset=utf-8", "transfer-encoding: chunked\r\n");
    let packed = head("text/event-stream", "transfer-encoding: chunked\r\ncontent-encoding: gzip\r\n");
    for (what, answer) in [
        ("at once", counted("text/event-stream", CALLS)),
        ("byte by byte", [in_chunks.into_bytes(), chunked(CALLS.as_bytes(), 1)].concat()),
        ("packed", [packed.into_bytes(), chunked(&gzip, 7)].concat()),
    ] {
        let arena = arena(answer).await;
        let answer = ask(&arena, &body(true)).await;
        assert_eq!(answer.status(), 200, "{what}: {answer:?}");
        assert!(!answer.0.contains("content-encoding"), "{what}");
        let told = dechunked(&answer);
        let calm: String = told.split_inclusive("\n\n").filter(|event| !event.contains("ping")).collect();
        assert!(calm.contains(&look), "{what}: the allowed call is not what came: {told}");
        assert!(!told.contains("\"refund\"") && !told.contains("0.50"), "{what}: {told}");
        let refusal =
            told.split_inclusive("\n\n").find(|event| event.contains("refused by Pactgate")).unwrap();
        assert!(refusal.contains(r#""index":4,"delta":{"type":"text_delta""#), "{what}: {refusal}");
        assert!(
            told.contains(r#""stop_reason":"tool_use""#) && told.ends_with("\"message_stop\"}\n\n"),
            "{what}"
        );
        let records = arena.records_once(3).await;
        assert_eq!(
            children(&records),
            [("look", Effect::Sent), ("refund", Effect::Refused)],
            "{what}: {records:?}"
        );
    }
}

#[tokio::test]
async fn a_whole_message_is_told_without_the_refused_call() {
    let arena = arena(counted("application/json", WHOLE)).await;
    let answer = ask(&arena, &body(false)).await;
    let told: Value = serde_json::from_str(answer.body()).unwrap();
    let kinds: Vec<_> = told["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    // The search was not offered, and whoever ran it, the agent does not hear of it.
    assert_eq!(kinds, ["text", "tool_use", "text", "text", "text"], "{told}");
    assert_eq!(told["stop_reason"], "tool_use");
    assert_eq!(told["content"][1], serde_json::from_str::<Value>(WHOLE).unwrap()["content"][1]);
    let records = arena.records_once(4).await;
    assert_eq!(
        children(&records),
        [("look", Effect::Sent), ("anthropic/web_search", Effect::Refused), ("refund", Effect::Refused)]
    );
}

#[tokio::test]
async fn a_tool_of_an_mcp_server_is_judged_by_the_servers_address() {
    let servers = |url: &str| {
        let mut body = body(true);
        body["tools"] = json!([{"type": "mcp_toolset", "mcp_server_name": "docs"}]);
        body["mcp_servers"] = json!([{"type": "url", "name": "docs", "url": url}]);
        body
    };
    let arena = arena(counted("text/event-stream", MCP)).await;
    let told = dechunked(&ask(&arena, &servers("https://docs.example/mcp")).await);
    assert_eq!(told, MCP);
    let heard = arena.ear.heard();
    assert!(heard.contains("https://docs.example/mcp"), "{heard}");
    // Another server by the same name is not offered, and what comes of it is not told.
    let told = dechunked(&ask(&arena, &servers("https://elsewhere.example/mcp")).await);
    assert!(told.contains("refused by Pactgate") && told.contains("was withheld"), "{told}");
    assert!(!told.contains("limits") && !told.contains("Hello"), "{told}");
    let heard = arena.ear.heard();
    assert!(!heard.contains("elsewhere") && heard.matches("mcp_servers").count() == 1, "{heard}");
}

#[tokio::test]
async fn what_hides_in_the_conversation_is_judged() {
    let arena = arena(counted("text/event-stream", CALLS)).await;
    let mut hidden = body(true);
    let addition = |name: &str| {
        let definition = json!({"name": name, "input_schema": {}});
        json!({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}})
    };
    let added = json!({"role": "system", "content": [addition("look_again"), addition("look")]});
    let alone = json!({"role": "system", "content": [addition("wipe")]});
    hidden["messages"].as_array_mut().unwrap().extend([added, alone]);
    dechunked(&ask(&arena, &hidden).await);
    let heard = arena.ear.heard();
    assert!(!heard.contains("look_again") && !heard.contains("wipe"), "{heard}");
    assert_eq!(heard.matches("\"system\"").count(), 1, "an empty message is left: {heard}");
    let call = |file: &str| {
        let mut body = body(true);
        let source = json!({"type": "document", "source": {"type": "file", "file_id": file}});
        body["messages"][0]["content"] = json!([source]);
        post("/claude/v1/messages", &body.to_string())
    };
    let refused = arena.send(Way::Reverse, call("file_theirs")).await;
    assert_eq!(refused.status(), 403, "{refused:?}");
    assert!(refused.body().contains("permission_error"), "{refused:?}");
    assert!(!arena.ear.heard().contains("file_theirs"));
    arena.passes("a file of ours", Way::Reverse, call("file_ours")).await;
}

#[tokio::test]
async fn a_beta_that_is_not_listed_is_refused() {
    let arena = arena(counted("text/event-stream", CALLS)).await;
    let call = |betas: &str| {
        let headers = [("content-type", "application/json"), ("anthropic-beta", betas)];
        request("POST", "/claude/v1/messages?beta=true", &headers, &body(true).to_string())
    };
    arena.passes("listed", Way::Reverse, call(BETA)).await;
    let both = format!("{BETA}, inline-tools-2026-09-15");
    let answer = arena.refuses("not listed", Way::Reverse, call(&both), 400, "unreadable").await;
    assert!(answer.body().contains("`upstreams[].betas`"), "{answer:?}");
    assert!(answer.body().contains("inline-tools-2026-09-15"), "{answer:?}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_ends_with_the_apis_own_error() {
    let cut = CALLS.split_once("\"index\":4}").unwrap().0.rsplit_once("event: ").unwrap().0;
    for (what, text) in [
        ("ended inside a call", cut.to_owned()),
        ("a block that nobody knows", CALLS.replacen("\"tool_use\",\"id\"", "\"tool_run\",\"id\"", 1)),
        ("another model", CALLS.replace("claude-sonnet-5", "claude-opus-5")),
    ] {
        let arena = arena(counted("text/event-stream", &text)).await;
        let answer = ask(&arena, &body(true)).await;
        assert!(answer.body().contains("event: error\ndata: {"), "{what}: {answer:?}");
        assert!(!answer.body().contains("message_stop"), "{what}: {answer:?}");
        assert!(!answer.body().contains("\"refund\""), "{what}: {answer:?}");
        let records = arena.records_once(1).await;
        let call = records.iter().find(|record| record.action.name == "anthropic/claude-sonnet-5").unwrap();
        let why = if what == "another model" { CutCause::Forbidden } else { CutCause::Unreadable };
        assert_eq!(call.outcome, Some(Outcome::Cut { why }), "{what}: {call:?}");
        assert!(what != "another model" || !answer.body().contains("Let me look"), "{answer:?}");
    }
}

/// Runs the official client through the reverse listener.
async fn converse(arena: &Arena, cases: Value) -> Vec<Value> {
    let base = format!("http://{}/claude", arena.at(Way::Reverse));
    let env = [("ANTHROPIC_BASE_URL", base), ("ANTHROPIC_API_KEY", "agents-own".to_owned())];
    run(Program::AnthropicTools, json!({"cases": cases}), &env).await
}

/// The messages of each request that arrived.
fn arrived(heard: &str) -> Vec<Value> {
    let bodies = heard.split("POST ").filter_map(|request| request.split_once("\r\n\r\n"));
    let bodies = bodies.map(|(_, body)| serde_json::from_str::<Value>(body).unwrap());
    bodies.map(|body| body["messages"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_makes_a_whole_message_of_it() {
    let arena = arena(counted("text/event-stream", CALLS)).await;
    let told = converse(
        &arena,
        json!([
            {"name": "plain", "model": "claude-sonnet-5", "stream": true},
            {"name": "beta", "model": "claude-sonnet-5", "stream": true, "betas": [BETA]},
        ]),
    )
    .await;
    assert_eq!(told.len(), 2, "{told:?}");
    for told in &told {
        let content = told["content"].as_array().unwrap_or_else(|| panic!("{told}"));
        let kinds: Vec<_> = content.iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["thinking", "redacted_thinking", "text", "tool_use", "text"], "{told}");
        assert_eq!(content[2]["text"], "Let me look, and refund.");
        assert_eq!(
            (&content[3]["name"], &content[3]["input"]),
            (&json!("look"), &json!({"order": "A-7731"}))
        );
        assert!(content[4]["text"].as_str().unwrap().contains("refused by Pactgate"), "{told}");
        assert_eq!(
            (&told["stop_reason"], &told["output_tokens"]),
            (&json!("tool_use"), &json!(89)),
            "{told}"
        );
        assert!(told["events"].as_array().unwrap().contains(&json!("message_stop")), "{told}");
    }
    let arrived = arrived(&arena.ear.heard());
    assert_eq!(arrived.len(), 4, "each conversation went on");
    let [_, said, result] = arrived[1].as_array().unwrap().as_slice() else { panic!("{}", arrived[1]) };
    assert_eq!(said["content"].as_array().unwrap().len(), 5, "{said}");
    assert_eq!(result["content"][0]["tool_use_id"], said["content"][3]["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_takes_a_message_without_its_refused_calls() {
    let whole = WHOLE.replace("\"look\"", "\"refund\"");
    for (answer, kinds) in [
        (counted("application/json", WHOLE), ["text", "tool_use", "text", "text", "text"]),
        (counted("application/json", &whole), ["text"; 5]),
    ] {
        let arena = arena(answer).await;
        let told = converse(&arena, json!([{"name": "whole", "model": "claude-sonnet-5"}])).await;
        let content = told[0]["content"].as_array().unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!(content.iter().map(|block| &block["type"]).collect::<Vec<_>>(), kinds, "{told:?}");
        let stop = if kinds.contains(&"tool_use") { "tool_use" } else { "end_turn" };
        assert_eq!(told[0]["stop_reason"], stop, "{told:?}");
        assert_eq!(arrived(&arena.ear.heard()).len(), 2);
    }
}
