//! Calls to Gemini, and what it asks for: let through, refused, on record.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pactgate::evidence::{Effect, Record};
use serde_json::Value;

use crate::support::arena::{Answer, Arena, Ear, KEY, Way, post};

const STREAM: &str = include_str!("../../corpus/answers/gemini/parallel_calls.sse");
const WHOLE: &str = include_str!("../../corpus/answers/gemini/whole.json");
const ASK: &str = "/gemini/v1beta/models/gemini-2.5-flash:generateContent";
const ASK_STREAM: &str = "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
const HELLO: &str =
    r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":64}}"#;

/// `TOOLS` stands for the tools that the agent may call.
const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: asks-gemini, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - id: flash
      allow: {model: gemini/gemini-2.5-flash}
      where: {max_tokens: {max: 64}}
    - id: tools
      allow: {tool: [TOOLS]}
    - id: search
      allow: {hosted_tool: gemini/googleSearch}
    - id: kept
      allow: {resource: [gemini/cachedContent/cachedContents/mine-*, \"gemini/fileData/gs://mine/**\"]}
";

fn pact(tools: &str) -> String {
    PACT.replace("TOOLS", tools)
}

/// An answer of Gemini's, each byte of it in a chunk of its own.
fn answer(content_type: &str, more: &str, body: &[u8]) -> &'static [u8] {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{more}transfer-encoding: chunked\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    for byte in body {
        bytes.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes.leak()
}

/// The body of an answer, without its chunks.
fn body(answer: &Answer) -> String {
    if !answer.0.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return answer.body().to_owned();
    }
    let mut rest = answer.body();
    let mut out = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        let (chunk, behind) = behind.split_at(size);
        out.push_str(chunk);
        rest = behind.strip_prefix("\r\n").unwrap();
    }
    out
}

async fn asked(tools: &str, answer: &'static [u8], target: &str) -> (Answer, Vec<Record>) {
    let arena = Arena::built(Ear::answering(answer, false).await, &pact(tools), |_| {});
    let got = arena.send(Way::Reverse, post(target, HELLO)).await;
    assert_eq!(got.status(), 200, "{got:?}");
    (got, arena.records().await)
}

/// Name and effect of each record but the call's own, and whether it names that as what it comes from.
fn followed(records: &[Record]) -> Vec<(String, Effect, bool)> {
    let call = records.iter().find(|record| record.action.name == "gemini/gemini-2.5-flash").unwrap();
    assert!(call.outcome.is_some(), "{call:?}");
    let others = records.iter().filter(|record| record.decision != call.decision);
    let seen = |record: &Record| {
        let follows = record.parent.as_ref() == Some(&call.decision);
        (record.action.name.clone(), record.effect, follows)
    };
    others.map(seen).collect()
}

#[tokio::test]
async fn calls_that_gemini_streams_are_judged_each_for_itself() {
    let streamed = answer("text/event-stream", "", STREAM.as_bytes());
    let (got, records) = asked("get_order, refund", streamed, ASK_STREAM).await;
    assert_eq!(body(&got), STREAM);
    let passed = |name: &str| (name.to_owned(), Effect::Sent, true);
    assert_eq!(followed(&records), [passed("get_order"), passed("refund")]);
    let call = records.iter().find(|record| record.parent.is_none()).unwrap();
    let usage = call.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (81, 80));

    let (got, records) = asked("get_order", streamed, ASK_STREAM).await;
    let refused = ("refund".to_owned(), Effect::Refused, true);
    assert_eq!(followed(&records), [passed("get_order"), refused]);
    let said = body(&got);
    assert!(said.contains("\"name\":\"get_order\"") && said.contains("thoughtSignature"), "{said}");
    assert!(!said.contains("\"refund\"") && said.contains("Decision "), "{said}");
    for event in said.split("\n\n").filter(|event| !event.is_empty()) {
        let event: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["responseId"], "nY4faY2jC4");
    }
}

#[tokio::test]
async fn what_gemini_answers_at_once_is_judged_alike_and_also_where_it_is_compressed() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(WHOLE.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    for whole in [
        answer("application/json; charset=UTF-8", "", WHOLE.as_bytes()),
        answer("application/json", "content-encoding: gzip\r\n", &gzip),
    ] {
        let (got, records) = asked("get_order, refund", whole, ASK).await;
        assert_eq!(body(&got), WHOLE);
        assert_eq!(followed(&records).len(), 3, "{records:?}");
        let (got, records) = asked("get_order", whole, ASK).await;
        let told: Value = serde_json::from_str(&body(&got)).unwrap();
        let parts = &told["candidates"][0]["content"]["parts"];
        assert!(parts[1]["text"].as_str().unwrap().contains("refund"), "{told}");
        assert_eq!(parts[3]["toolResponse"]["id"], "t1", "the search was permitted: {told}");
        assert!(followed(&records).contains(&("refund".to_owned(), Effect::Refused, true)));
    }
}

#[tokio::test]
async fn an_answer_of_another_model_or_kind_is_cut() {
    let other =
        STREAM.replace("\"modelVersion\": \"gemini-2.5-flash\"", "\"modelVersion\": \"gemini-3-pro\"");
    let (got, _) = asked("get_order", answer("text/event-stream", "", other.as_bytes()), ASK_STREAM).await;
    let said = body(&got);
    assert!(!said.contains("One moment") && said.contains("\"error\""), "{said}");
    let unknown = STREAM.replace("functionCall", "newKindOfCall");
    let (got, _) = asked("get_order", answer("text/event-stream", "", unknown.as_bytes()), ASK_STREAM).await;
    let said = body(&got);
    assert!(said.contains("One moment") && !said.contains("newKindOfCall\":"), "{said}");
    assert!(said.contains("unreadable-answer"), "{said}");
}

#[tokio::test]
async fn a_key_in_the_query_goes_no_further() {
    let whole = answer("application/json", "", WHOLE.as_bytes());
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order, refund"), |_| {});
    for (asks, left) in [
        ("?key=AIza-of-the-agent", ""),
        ("?%6bey=AIza-of-the-agent&alt=json", "?alt=json"),
        ("?alt=json&access_token=AIza-of-the-agent", "?alt=json"),
    ] {
        arena.passes(asks, Way::Reverse, post(&format!("{ASK}{asks}"), HELLO)).await;
        let heard = arena.ear.heard();
        assert!(!heard.contains("AIza-of-the-agent"), "{heard}");
        assert!(heard.contains(&format!("flash:generateContent{left} HTTP/1.1")), "{heard}");
        assert!(heard.contains(&format!("x-goog-api-key: {KEY}")), "{heard}");
    }
    let refused = post(&format!("{ASK}?key=AIza-of-the-agent&fields=x"), HELLO);
    let refusal = arena.refuses("fields", Way::Reverse, refused, 400, "unreadable").await;
    assert!(!refusal.0.contains("AIza-of-the-agent"), "{refusal:?}");
    for record in arena.records().await {
        assert!(!format!("{record:?}").contains("AIza"), "{record:?}");
    }
}

#[tokio::test]
async fn what_a_pact_does_not_permit_gemini_is_not_asked() {
    let arena = Arena::built(Ear::fine().await, &pact("get_order"), |_| {});
    let target = |call: &str| format!("/gemini/v1beta/models/{call}");
    let long = r#"{"contents":[],"generationConfig":{"maxOutputTokens":65}}"#;
    let snake = r#"{"contents":[],"generation_config":{"max_output_tokens":65}}"#;
    let kept =
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":64},"cachedContent":"cachedContents/yours"}"#;
    let file = r#"{"generationConfig":{"maxOutputTokens":64},"contents":[{"parts":[{"fileData":{"fileUri":"gs://bucket/x"}}]}]}"#;
    for (what, call, body) in [
        ("another model", "gemini-2.5-pro:generateContent", HELLO),
        ("too long", "gemini-2.5-flash:generateContent", long),
        ("too long, in the other spelling", "gemini-2.5-flash:generateContent", snake),
        ("what Google keeps", "gemini-2.5-flash:generateContent", kept),
        ("what Google fetches", "gemini-2.5-flash:generateContent", file),
    ] {
        let answer = arena.send(Way::Reverse, post(&target(call), body)).await;
        assert_eq!(answer.status(), 403, "{what}: {answer:?}");
        assert!(answer.body().contains("PERMISSION_DENIED"), "{what}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{what}");
    }
    let array = post(&target("gemini-2.5-flash:streamGenerateContent"), HELLO);
    let refusal = arena.refuses("an array", Way::Reverse, array, 400, "unreadable").await;
    assert!(refusal.body().contains("alt=sse"), "{refusal:?}");
    let batch = post(&target("gemini-2.5-flash:batchGenerateContent"), HELLO);
    arena.refuses("a batch", Way::Reverse, batch, 403, "opaque").await;
}

#[tokio::test]
async fn what_google_keeps_is_named_by_the_pact() {
    let whole = answer("application/json", "", b"{}");
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order"), |_| {});
    let body = r#"{"contents":[{"parts":[{"fileData":{"fileUri":"gs://mine/a/b.pdf"}}]}],"generationConfig":{"maxOutputTokens":64},"cachedContent":"cachedContents/mine-1"}"#;
    arena.passes("mine", Way::Reverse, post(ASK, body)).await;
    let names: Vec<String> = arena.records().await.into_iter().map(|record| record.action.name).collect();
    assert!(names.contains(&"gemini/cachedContent/cachedContents/mine-1".to_owned()), "{names:?}");
    for other in ["gs://mine/../yours", "gs://yours/a"] {
        let answer = arena.send(Way::Reverse, post(ASK, &body.replace("gs://mine/a/b.pdf", other))).await;
        assert!(matches!(answer.status(), 400 | 403), "{other}: {answer:?}");
    }
}

#[tokio::test]
async fn a_tool_that_is_never_permitted_is_not_offered() {
    let whole = answer("application/json", "", b"{}");
    let arena = Arena::built(Ear::answering(whole, false).await, &pact("get_order"), |_| {});
    let body = r#"{"contents":[],"generationConfig":{"maxOutputTokens":64},"tools":[{"function_declarations":[{"name":"get_order"},{"name":"refund"}],"googleSearch":{}},{"codeExecution":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["refund"]}}}"#;
    arena.passes("tools", Way::Reverse, post(ASK, body)).await;
    let heard = arena.ear.heard();
    let due = r#"{"contents":[],"generationConfig":{"maxOutputTokens":64},"tools":[{"function_declarations":[{"name":"get_order"}],"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}"#;
    assert!(heard.ends_with(due), "{heard}");
    let records = arena.records().await;
    let call = records.iter().find(|record| record.action.name.ends_with("flash")).unwrap();
    assert_eq!(call.withheld, ["refund", "gemini/codeExecution"]);
}
