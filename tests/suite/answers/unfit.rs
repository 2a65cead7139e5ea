//! Answers that no client and no proxy should have to read.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use pactgate::domain::ActionKind;
use pactgate::evidence::{CutCause, Outcome};
use serde_json::json;

use crate::answers::{answer, chat_stream, chunk, facing};
use crate::support::arena::{Answer, Ear, Way, post};

const CALL: &str = r#"{"id":"c-1","model":"small","choices":[{"index":0,"message":{"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"name":"delete_all","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;

/// What the agent gets, and how the call to the model ended.
async fn got(response: &'static [u8], streamed: bool) -> (Answer, Outcome) {
    let arena = facing(Ear::answering(response, true).await);
    let body = json!({"model": "small", "messages": [], "stream": streamed}).to_string();
    let got = arena.send(Way::Reverse, post("/openai/v1/chat/completions", &body)).await;
    let records = arena.records_once(1).await;
    let model = records.iter().find(|record| record.parent.is_none()).unwrap();
    assert_eq!(model.action.kind, Some(ActionKind::Model));
    (got, model.outcome.unwrap())
}

#[tokio::test]
async fn an_answer_of_another_kind_than_asked_for_is_held_back() {
    let events = chat_stream(&[chunk(json!({"content": "hello"}), Some("stop"))]);
    for (what, content_type, body, streamed) in [
        ("a stream unasked", "text/event-stream", events.as_str(), false),
        ("JSON as a stream", "text/event-stream", CALL, false),
        ("no stream", "application/json", CALL, true),
        ("a stream as JSON", "application/json", &events, false),
        ("text", "text/plain", CALL, false),
        ("no type", "", CALL, false),
        ("half", "application/json", CALL.get(..200).unwrap(), false),
        ("twice", "application/json", r#"{"choices":[],"choices":[]}"#, false),
        ("another case", "application/json", r#"{"choices":[],"Choices":[]}"#, false),
        (
            "a whole message in a stream",
            "text/event-stream",
            "data: {\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[]}}]}\n\n",
            true,
        ),
        (
            "a call that does not end",
            "text/event-stream",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"look\",\"arguments\":\"{\"}}]}}]}\n\ndata: [DONE]\n\n",
            true,
        ),
        (
            "an index that goes back",
            "text/event-stream",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"look\"}},{\"index\":0,\"function\":{\"name\":\"look\"}}]}}]}\n\n",
            true,
        ),
    ] {
        let (got, outcome) = got(answer(content_type, "", body.as_bytes()), streamed).await;
        assert_eq!(outcome, Outcome::Cut { why: CutCause::Unreadable }, "{what}: {got:?}");
        assert!(!got.body().contains("delete_all"), "{what}: {got:?}");
        assert!(got.body().contains("unreadable-answer"), "{what}: {got:?}");
        assert!(!got.body().contains("[DONE]"), "{what}: {got:?}");
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_answer_is_judged_like_any_other() {
    for (coding, bytes) in [
        ("gzip", gzip(CALL.as_bytes())),
        ("x-gzip", gzip(CALL.as_bytes())),
        ("deflate", zlib(CALL.as_bytes())),
    ] {
        let response = answer("application/json", &format!("content-encoding: {coding}\r\n"), &bytes);
        let (got, _) = got(response, false).await;
        assert!(!got.0.contains("content-encoding"), "{got:?}");
        assert!(!got.body().contains("tool_calls"), "{got:?}");
        assert!(got.body().contains("never-delete"), "{got:?}");
    }
    let events = chat_stream(&[chunk(json!({"role": "assistant", "content": "hello"}), Some("stop"))]);
    let response = answer("text/event-stream", "content-encoding: gzip\r\n", &gzip(events.as_bytes()));
    let (streamed, outcome) = got(response, true).await;
    assert!(streamed.body().contains("hello") && streamed.body().contains("[DONE]"), "{streamed:?}");
    assert_eq!(outcome, Outcome::Completed { status: 200 });
    for (coding, bytes) in [
        ("br", CALL.as_bytes().to_vec()),
        ("gzip, gzip", gzip(&gzip(CALL.as_bytes()))),
        ("gzip", CALL.as_bytes().to_vec()),
        ("gzip", gzip(CALL.as_bytes())[..60].to_vec()),
        ("gzip", gzip(&vec![b' '; 80 << 20])),
    ] {
        let response = answer("application/json", &format!("content-encoding: {coding}\r\n"), &bytes);
        let (got, outcome) = got(response, false).await;
        assert_eq!(got.status(), 502, "{coding}: {got:?}");
        assert_eq!(outcome, Outcome::Cut { why: CutCause::Unreadable }, "{coding}");
    }
}

#[tokio::test]
async fn one_endless_delta_is_cut_with_the_apis_own_error() {
    let mut body = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"".to_vec();
    body.resize(100 << 20, b'a');
    let (got, outcome) = got(answer("text/event-stream", "", &body), true).await;
    assert_eq!(outcome, Outcome::Cut { why: CutCause::Unreadable });
    assert!(got.body().len() < 4096, "{} bytes", got.body().len());
    assert!(got.body().contains("unreadable-answer"), "{got:?}");
}

#[tokio::test]
async fn another_model_than_asked_for_must_be_one_that_may_answer() {
    for (model, passes) in [("small", true), ("small-2026-01-31", true), ("small-pro", false), ("big", false)]
    {
        let body = format!(
            r#"{{"id":"c-1","model":"{model}","choices":[{{"index":0,"message":{{"content":"hello"}},"finish_reason":"stop"}}]}}"#
        );
        let (whole, _) = got(answer("application/json", "", body.as_bytes()), false).await;
        assert_eq!(whole.body().contains("hello"), passes, "{model}: {whole:?}");
        let events = format!(
            "data: {{\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"hello\"}}}}]}}\n\ndata: [DONE]\n\n"
        );
        let (streamed, outcome) = got(answer("text/event-stream", "", events.as_bytes()), true).await;
        assert_eq!(streamed.body().contains("hello"), passes, "{model}: {streamed:?}");
        if !passes {
            assert_eq!(outcome, Outcome::Cut { why: CutCause::Forbidden }, "{model}");
            assert!(streamed.body().contains("refused-answer"), "{streamed:?}");
        }
    }
}

/// A number that no double holds is nobody's business where it is no argument: of log probabilities, of embeddings.
#[tokio::test]
async fn numbers_that_nobody_judges_pass_as_they_are() {
    let body = r#"{"id":"c-1","model":"small","choices":[{"index":0,"logprobs":{"content":[{"logprob":-0.123456789012345678901}]},"message":{"content":"hello"},"finish_reason":"stop"}]}"#;
    let (whole, outcome) = got(answer("application/json", "", body.as_bytes()), false).await;
    assert_eq!((whole.body(), outcome), (body, Outcome::Completed { status: 200 }));
    let long = CALL
        .replace("delete_all", "refund")
        .replace("\"{}\"", "\"{\\\"amount\\\":80.123456789012345678901}\"");
    let (refused, _) = got(answer("application/json", "", long.as_bytes()), false).await;
    assert!(!refused.body().contains("tool_calls"), "{refused:?}");
}

/// Lines that some clients read and others pass over: behind a byte order mark, in several data lines, in a comment.
#[tokio::test]
async fn a_line_that_only_some_clients_read_does_not_go_on() {
    let hidden = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"delete_all","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let hello = r#"data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}"#;
    for stream in [
        format!("{hello}\n\n\u{feff}data: {hidden}\n\ndata: [DONE]\n\n"),
        format!("\u{feff}\u{feff}data: {hidden}\n\n{hello}\n\ndata: [DONE]\n\n"),
        format!("\u{ef}\u{bb}\u{bf}data: {hidden}\n\n{hello}\n\ndata: [DONE]\n\n"),
        format!(": \u{2028}data: {hidden}\n\n{hello}\n\ndata: [DONE]\n\n"),
        format!("{hello}\n\nDATA: {hidden}\n\ndata: [DONE]\n\n"),
        format!("{hello}\n\nevent: x\u{85}data: {hidden}\ndata: {{}}\n\ndata: [DONE]\n\n"),
    ] {
        let (got, outcome) = got(answer("text/event-stream", "", stream.as_bytes()), true).await;
        assert_eq!(outcome, Outcome::Completed { status: 200 }, "{stream}");
        assert!(got.body().contains("hello") && got.body().contains("[DONE]"), "{stream}: {got:?}");
        assert!(!got.body().contains("delete_all"), "{stream}: {got:?}");
    }
    // An array over several lines, of which one is a chunk by itself: it goes on as one line.
    let lines = format!("data: {{\"choices\":[],\"x\":[\ndata: {hidden}\ndata: ]}}\n\ndata: [DONE]\n\n");
    let (got, _) = got(answer("text/event-stream", "", lines.as_bytes()), true).await;
    assert!(!got.body().contains(&format!("data: {hidden}")), "{got:?}");
}

/// Sixty-four megabytes of blank lines in sixty-four kilobytes: nothing of it is kept.
#[tokio::test]
async fn blank_lines_in_a_small_frame_take_no_memory() {
    let response = answer("text/event-stream", "content-encoding: gzip\r\n", &gzip(&vec![b'\n'; 60 << 20]));
    let (got, outcome) = got(response, true).await;
    assert_eq!(outcome, Outcome::Completed { status: 200 });
    assert!(got.body().len() < 64, "{} bytes", got.body().len());
}

/// Each API's way of asking for `delete_all`, whole and as the events of a stream.
const FOREIGN: [(&str, &str, &str); 4] = [
    (
        "chat",
        CALL,
        r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"delete_all","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
    ),
    (
        "responses",
        r#"{"id":"r","object":"response","model":"small","status":"completed","output":[{"type":"function_call","id":"f","call_id":"x","name":"delete_all","arguments":"{}"}]}"#,
        r#"data: {"type":"response.output_item.done","sequence_number":0,"output_index":0,"item":{"type":"function_call","id":"f","call_id":"x","name":"delete_all","arguments":"{}"}}"#,
    ),
    (
        "anthropic",
        r#"{"id":"m","type":"message","role":"assistant","model":"small","content":[{"type":"tool_use","id":"t","name":"delete_all","input":{}}],"stop_reason":"tool_use"}"#,
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"delete_all","input":{}}}"#,
    ),
    (
        "gemini",
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"delete_all","args":{}}}]}}]}"#,
        r#"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"delete_all","args":{}}}]}}]}"#,
    ),
];

#[tokio::test]
async fn an_answer_in_another_dialect_than_asked_is_held_back() {
    let pact = crate::answers::PACT
        .replace("UNPERMITTED", "")
        .replace("anthropic/haiku]", "anthropic/haiku, gemini/flash]");
    let stream = |on: bool| if on { r#","stream":true"# } else { "" };
    for streamed in [false, true] {
        let on = stream(streamed);
        let requests = [
            ("chat", "/openai/v1/chat/completions", format!(r#"{{"model":"small","messages":[]{on}}}"#)),
            ("responses", "/openai/v1/responses", format!(r#"{{"model":"small","input":"x"{on}}}"#)),
            (
                "anthropic",
                "/claude/v1/messages",
                format!(r#"{{"model":"haiku","max_tokens":1,"messages":[]{on}}}"#),
            ),
            (
                "gemini",
                if streamed {
                    "/gemini/v1beta/models/flash:streamGenerateContent?alt=sse"
                } else {
                    "/gemini/v1beta/models/flash:generateContent"
                },
                r#"{"contents":[]}"#.to_owned(),
            ),
        ];
        for (asked, target, body) in &requests {
            for (speaks, whole, events) in FOREIGN {
                let response = match streamed {
                    true => answer("text/event-stream", "", format!("{events}\n\n").as_bytes()),
                    false => answer("application/json", "", whole.as_bytes()),
                };
                let arena =
                    crate::support::arena::Arena::built(Ear::answering(response, true).await, &pact, |_| {});
                let got = arena.send(Way::Reverse, post(target, body)).await;
                let told = got.body().replace("`delete_all`", "");
                assert!(!told.contains("delete_all"), "{asked} answered by {speaks}: {got:?}");
                if *asked != speaks {
                    assert!(
                        got.body().contains("held back") || got.body().contains("was cut"),
                        "{asked} by {speaks}: {got:?}"
                    );
                }
            }
        }
    }
}
