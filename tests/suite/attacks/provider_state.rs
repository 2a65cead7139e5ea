//! Calls to OpenAI's responses: tools in odd places, state that the provider holds, answers in pieces.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pactgate::domain::ActionKind;
use pactgate::evidence::Effect;

use crate::support::arena::{Arena, Ear, Way, post};

const STREAM: &str = include_str!("../../corpus/answers/openai/responses_parallel_calls.sse");

const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - {id: models, allow: {model: [openai/small, \"openai/gpt-4o-mini*\"]}}
    - {id: tools, allow: {tool: [refund, crm.find]}}
    - {id: own-files, allow: {resource: \"openai/file_id/own-*\"}}
    - id: one-server
      allow: {hosted_tool: openai/mcp/wiki}
      where: {args.server_url: {eq: \"https://wiki.example/mcp\"}}
";

const TARGET: &str = "/openai/v1/responses";

#[tokio::test]
async fn a_forbidden_tool_is_not_offered_wherever_it_stands() {
    let arena = Arena::under(PACT).await;
    let function = |name: &str| format!(r#"{{"type":"function","name":"{name}"}}"#);
    let (good, bad) = (function("refund"), function("never_this"));
    for (tools, input) in [
        (format!("[{good},{bad}]"), "[]".to_owned()),
        (format!(r#"[{good},{{"type":"custom","name":"never_this"}}]"#), "[]".to_owned()),
        (
            format!(r#"[{good},{{"type":"namespace","name":"crm","tools":[{},{bad}]}}]"#, function("find")),
            "[]".to_owned(),
        ),
        (
            format!("[{good}]"),
            format!(r#"[{{"type":"additional_tools","role":"developer","tools":[{bad}]}}]"#),
        ),
        (
            format!("[{good}]"),
            format!(r#"[{{"tools":[{good},{bad}],"type":"tool_search_output","call_id":"c"}}]"#),
        ),
        (format!(r#"[{good},{{"type":"never_this","x":1}}]"#), "[]".to_owned()),
        (
            format!(
                r#"[{good},{{"type":"mcp","server_label":"wiki","server_url":"https://never_this.example"}}]"#
            ),
            "[]".to_owned(),
        ),
    ] {
        let before = arena.ear.heard().len();
        let body = format!(r#"{{"model":"small","tools":{tools},"input":{input}}}"#);
        arena.passes(&body, Way::Reverse, post(TARGET, &body)).await;
        let heard = arena.ear.heard().split_off(before);
        assert!(heard.contains("refund") && !heard.contains("never_this"), "{body} went out as {heard}");
    }
}

#[tokio::test]
async fn state_at_the_provider_needs_a_clause() {
    let arena = Arena::under(PACT).await;
    for body in [
        r#"{"model":"small","input":"x","previous_response_id":"resp_1"}"#,
        r#"{"model":"small","input":"x","conversation":"conv_1"}"#,
        r#"{"model":"small","input":"x","conversation":{"id":"conv_1"}}"#,
        r#"{"model":"small","input":"x","prompt":{"id":"pmpt_1"}}"#,
        r#"{"model":"small","input":[{"type":"item_reference","id":"msg_1"}]}"#,
        r#"{"model":"small","input":[{"id":"msg_1"}]}"#,
        r#"{"model":"small","input":[{"role":"user","content":[{"type":"input_file","file_id":"file_1"}]}]}"#,
        r#"{"model":"small","input":[{"type":"mcp_approval_response","approval_request_id":"a","approve":true}]}"#,
    ] {
        let answer = arena.send(Way::Reverse, post(TARGET, body)).await;
        assert_eq!(answer.status(), 403, "{body}: {answer:?}");
        assert!(answer.body().contains("no-clause"), "{body}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{body}");
    }
    let own =
        r#"{"model":"small","input":[{"role":"user","content":[{"type":"input_file","file_id":"own-1"}]}]}"#;
    arena.passes("a file that a clause permits", Way::Reverse, post(TARGET, own)).await;
}

#[tokio::test]
async fn an_answer_is_judged_however_it_is_packed() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(STREAM.as_bytes()).unwrap();
    let plain = (STREAM.as_bytes().to_vec(), "");
    for (body, coding) in [plain, (packed.finish().unwrap(), "content-encoding: gzip\r\n")] {
        // One byte in each chunk.
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{coding}transfer-encoding: chunked\r\n\r\n"
        );
        let mut answer = head.into_bytes();
        for byte in body {
            answer.extend_from_slice(b"1\r\n");
            answer.push(byte);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\n\r\n");
        let arena = Arena::built(Ear::answering(answer.leak(), true).await, PACT, |_| {});
        let call = post(TARGET, r#"{"model":"gpt-4o-mini","input":"x","stream":true}"#);
        let got = arena.passes(coding, Way::Reverse, call).await;
        assert!(got.0.contains("call_a") && !got.0.contains("call_b"), "{got:?}");
        assert!(got.0.contains("msg_fc_02") && !got.0.contains("content-encoding"), "{got:?}");
        let records = arena.records_once(3).await;
        let model = records.iter().find(|record| record.action.kind == Some(ActionKind::Model)).unwrap();
        let tools: Vec<_> =
            records.iter().filter(|record| record.action.kind == Some(ActionKind::Tool)).collect();
        assert_eq!(tools.len(), 2, "{records:?}");
        assert!(tools.iter().all(|record| record.parent.as_ref() == Some(&model.decision)), "{records:?}");
        assert_eq!(tools.iter().filter(|record| record.effect == Effect::Refused).count(), 1, "{records:?}");
        let usage = model.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (87, 41));
    }
}
