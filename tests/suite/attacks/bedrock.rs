//! Calls to models of Bedrock, signed and not, and what those ask for: let through, refused, on record.

use pactgate::evidence::Effect;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use crate::support::arena::{Arena, Ear, KEY, Way, post, request};
use crate::support::recorded::frames;

const STREAM: &str = include_str!("../../corpus/answers/bedrock/parallel_calls.jsonl");
const WHOLE: &str = include_str!("../../corpus/answers/bedrock/whole.json");
const MODEL: &str = "model/anthropic.claude-sonnet-4-5-20250929-v1%3A0";
const HELLO: &str =
    r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}],"inferenceConfig":{"maxTokens":64}}"#;
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=AKIA/20261120/us-east-1/bedrock/aws4_request, \
                         SignedHeaders=accept-encoding;content-type;host;x-amz-date, Signature=0a";

/// `TOOLS` stands for the tools that the agent may call.
const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: asks-bedrock, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - id: sonnet
      allow: {model: [\"bedrock/anthropic.claude-sonnet-*\", \"bedrock/arn:aws:bedrock:*:*:inference-profile/us.anthropic.*\"]}
      where: {max_tokens: {max: 64}}
    - id: kept
      allow: {resource: [\"bedrock/s3Location/s3://mine/**\", \"bedrock/prompt/arn:aws:bedrock:*:123456789012:prompt/*\"]}
    - id: prompts
      allow: {model: \"bedrock/arn:aws:bedrock:*:123456789012:prompt/MINE*\"}
    - id: tools
      allow: {tool: [TOOLS]}
";

fn pact(tools: &str) -> String {
    PACT.replace("TOOLS", tools)
}

/// An answer, each byte of it in a chunk of its own.
fn answer(content_type: &str, body: &[u8]) -> &'static [u8] {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut bytes = head.into_bytes();
    for byte in body {
        bytes.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes.leak()
}

/// The body that comes back, without its chunks; what stands behind a broken end is left out.
async fn body(arena: &Arena, way: Way, call: String) -> Vec<u8> {
    let mut stream = arena.open(way, call).await;
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let mut rest = &got[find(&got, b"\r\n\r\n").unwrap() + 4..];
    let mut out = Vec::new();
    while let Some(end) = find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        out.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    out
}

fn has(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

#[tokio::test]
async fn calls_that_converse_streams_are_judged_each_for_itself() {
    let sent = frames(STREAM);
    let streamed = answer("application/vnd.amazon.eventstream", &sent);
    let call = || post(&format!("/bedrock/{MODEL}/converse-stream"), HELLO);
    let arena = Arena::built(Ear::answering(streamed, false).await, &pact("get_order, refund"), |_| {});
    assert_eq!(body(&arena, Way::Reverse, call()).await, sent);
    let heard = arena.ear.heard();
    assert!(heard.contains(&format!("POST /bedrock/{MODEL}/converse-stream HTTP/1.1")), "{heard}");
    assert!(heard.contains(&format!("authorization: Bearer {KEY}")), "{heard}");
    let records = arena.records().await;
    let model = records.iter().find(|record| record.parent.is_none()).unwrap();
    let usage = model.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (421, 57));

    let arena = Arena::built(Ear::answering(streamed, false).await, &pact("get_order"), |_| {});
    let got = body(&arena, Way::Reverse, call()).await;
    assert!(has(&got, "get_order") && has(&got, "Decision ") && has(&got, "tool_use"), "{got:?}");
    assert!(!has(&got, "tooluse_Ux2"), "{got:?}");
    let records = arena.records().await;
    let refused = records.iter().find(|record| record.action.name == "refund").unwrap();
    let model = records.iter().find(|record| record.parent.is_none()).unwrap();
    assert_eq!((refused.effect, refused.parent.as_ref()), (Effect::Refused, Some(&model.decision)));
}

#[tokio::test]
async fn a_frame_that_is_broken_ends_the_stream_as_the_api_would() {
    let mut sent = frames(STREAM);
    let last = sent.len() - 1;
    sent[last] ^= 1;
    let streamed = answer("application/vnd.amazon.eventstream", &sent);
    let arena = Arena::built(Ear::answering(streamed, false).await, &pact("get_order, refund"), |_| {});
    let got = body(&arena, Way::Reverse, post(&format!("/bedrock/{MODEL}/converse-stream"), HELLO)).await;
    assert!(has(&got, "internalServerException") && has(&got, "checksum"), "{got:?}");
}

#[tokio::test]
async fn what_converse_answers_at_once_is_judged_alike() {
    let whole = answer("application/json", WHOLE.as_bytes());
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order"), |_| {});
    let got = arena.passes("whole", Way::Reverse, post(&format!("/bedrock/{MODEL}/converse"), HELLO)).await;
    let told: Value = serde_json::from_str(got.body()).unwrap();
    let content = &told["output"]["message"]["content"];
    assert!(content[2]["text"].as_str().unwrap().contains("refund"), "{told}");
    assert_eq!(content[3]["toolUse"]["name"], "get_order");
    assert_eq!(told["stopReason"], "tool_use");
}

#[tokio::test]
async fn a_signed_request_goes_on_as_it_came_or_not_at_all() {
    let whole = answer("application/json", WHOLE.as_bytes());
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order, refund"), |_| {});
    let host = arena.ear.address().to_string();
    let signed = |path: &str, body: &str| {
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("accept-encoding", "gzip, deflate"),
            ("x-amz-date", "20261120T200000Z"),
            ("authorization", SIGNATURE),
        ];
        request("POST", &format!("http://{host}/aws/{path}"), &headers, body)
    };
    let profile = "model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-v1%3A0";
    for model in [MODEL, profile] {
        arena.passes(model, Way::Forward, signed(&format!("{model}/converse"), HELLO)).await;
        let heard = arena.ear.heard();
        assert!(heard.contains(&format!("POST /aws/{model}/converse HTTP/1.1")), "{heard}");
    }
    let heard = arena.ear.heard();
    for header in
        [&format!("authorization: {SIGNATURE}"), "accept-encoding: gzip, deflate", "x-amz-date: 2026"]
    {
        assert!(heard.contains(header), "{header}: {heard}");
    }
    let tools = r#"{"messages":[],"inferenceConfig":{"maxTokens":64},"toolConfig":{"tools":[{"toolSpec":{"name":"burn","inputSchema":{"json":{}}}}]}}"#;
    let before = arena.records().await.len();
    let answer = arena.send(Way::Forward, signed(&format!("{MODEL}/converse"), tools)).await;
    assert_eq!(answer.status(), 403, "{answer:?}");
    assert!(answer.0.contains("AccessDeniedException"), "{answer:?}");
    assert!(arena.records().await.len() > before && arena.ear.heard() == heard);
    let unplain = signed("model/anthropic.claude%2Dsonnet-4/converse", HELLO);
    let refusal = arena.refuses("needless escape", Way::Forward, unplain, 400, "unreadable").await;
    assert!(refusal.body().contains("signed"), "{refusal:?}");
}

#[tokio::test]
async fn a_signature_is_replaced_where_the_sidecar_has_a_token() {
    let whole = answer("application/json", WHOLE.as_bytes());
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order, refund"), |_| {});
    let headers = [
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
        ("x-amz-date", "20261120T200000Z"),
        ("x-amz-security-token", "token-of-the-session"),
        ("authorization", SIGNATURE),
    ];
    let call = request("POST", &format!("/bedrock/{MODEL}/converse"), &headers, HELLO);
    arena.passes("signed", Way::Reverse, call).await;
    let heard = arena.ear.heard();
    assert!(heard.contains(&format!("authorization: Bearer {KEY}")), "{heard}");
    assert!(!heard.contains("AKIA") && !heard.contains("token-of-the-session"), "{heard}");
}

#[tokio::test]
async fn what_aws_keeps_is_named_by_the_pact() {
    let whole = answer("application/json", WHOLE.as_bytes());
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order, refund"), |_| {});
    let object = r#"{"inferenceConfig":{"maxTokens":64},"messages":[{"role":"user","content":[{"document":{"name":"d","source":{"s3Location":{"uri":"s3://mine/a/d.pdf"}}}}]}]}"#;
    arena.passes("an object", Way::Reverse, post(&format!("/bedrock/{MODEL}/converse"), object)).await;
    let prompt = "model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aprompt%2FMINE000001%3A1/converse";
    arena.passes("a prompt", Way::Reverse, post(&format!("/bedrock/{prompt}"), "{}")).await;
    let names: Vec<String> = arena.records().await.into_iter().map(|record| record.action.name).collect();
    for name in [
        "bedrock/s3Location/s3://mine/a/d.pdf",
        "bedrock/prompt/arn:aws:bedrock:us-east-1:123456789012:prompt/MINE000001:1",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
}

#[tokio::test]
async fn without_a_signature_a_tool_that_is_never_permitted_is_not_offered() {
    let whole = answer("application/json", WHOLE.as_bytes());
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order"), |_| {});
    let body = r#"{"messages":[],"inferenceConfig":{"maxTokens":64},"toolConfig":{"tools":[{"toolSpec":{"name":"get_order"}},{"toolSpec":{"name":"burn"}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"tool":{"name":"burn"}}}}"#;
    arena.passes("tools", Way::Reverse, post(&format!("/bedrock/{MODEL}/converse"), body)).await;
    let heard = arena.ear.heard();
    let due = r#"{"messages":[],"inferenceConfig":{"maxTokens":64},"toolConfig":{"tools":[{"toolSpec":{"name":"get_order"}}]}}"#;
    assert!(heard.ends_with(due), "{heard}");
}

#[tokio::test]
async fn what_a_pact_does_not_permit_bedrock_is_not_asked() {
    let arena = Arena::built(Ear::fine().await, &pact("get_order"), |_| {});
    let long = r#"{"messages":[],"inferenceConfig":{"maxTokens":65}}"#;
    let object = r#"{"inferenceConfig":{"maxTokens":64},"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/x"}}}}]}]}"#;
    let prompt = "model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aprompt%2FABCDEFGHIJ/converse";
    for (what, path, body) in [
        ("another model", "model/amazon.nova-pro-v1%3A0/converse".to_owned(), HELLO),
        ("too long", format!("{MODEL}/converse"), long),
        ("an object in a bucket", format!("{MODEL}/converse"), object),
        ("a prompt", prompt.to_owned(), r#"{"inferenceConfig":{"maxTokens":64}}"#),
        ("another endpoint", format!("{MODEL}/invoke"), HELLO),
    ] {
        let answer = arena.send(Way::Reverse, post(&format!("/bedrock/{path}"), body)).await;
        assert_eq!(answer.status(), 403, "{what}: {answer:?}");
        assert!(answer.0.contains("AccessDeniedException"), "{what}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{what}");
    }
}
