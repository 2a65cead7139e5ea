//! Clients of OpenAI's APIs whose models call tools: what is allowed arrives unchanged, and what is refused arrives as
//! words, in an answer that the client takes for a whole one.

use pactgate::domain::ActionKind;
use pactgate::evidence::{Effect, Record};
use serde_json::{Value, json};

use crate::support::arena::{Arena, Ear, TOKEN, Way};
use crate::support::environment;
use crate::support::programs::{Program, run};

const CLIENTS: [(Program, bool); 2] =
    [(Program::OpenAiPythonAnswers, true), (Program::OpenAiNodeAnswers, false)];

const CHAT: &str = include_str!("../../corpus/answers/openai/chat_parallel_calls.sse");
const RESPONSE: &str = include_str!("../../corpus/answers/openai/responses_parallel_calls.sse");
const RESPONSE_WHOLE: &str = include_str!("../../corpus/answers/openai/responses_whole.json");
const CHAT_WHOLE: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"tool_calls","logprobs":null,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"refund","arguments":"{\"amount\":1}"}},{"id":"call_b","type":"function","function":{"name":"delete_order","arguments":"{}"}}]}}]}"#;

/// A pact with these clauses beside the model's.
fn pact(tools: &str) -> String {
    format!(
        "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {{name: held, version: 1}}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - {{id: models, allow: {{model: [openai/small, \"openai/gpt-4o-mini*\"]}}}}
    - {{id: tools, allow: {{tool: {tools}}}}}
"
    )
}

/// An upstream that answers so, whatever it is asked.
async fn arena(content_type: &str, body: &str, tools: &str) -> Arena {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let answer = Box::leak(answer.into_boxed_str()).as_bytes();
    Arena::built(Ear::answering(answer, true).await, &pact(tools), |_| {})
}

/// What the client makes of it.
async fn taken(arena: &Arena, program: Program, way: &str) -> Value {
    let listener = format!("http://{}", arena.at(Way::Reverse));
    let told = run(program, json!({"cases": [{"way": way}]}), &environment::reverse(&listener, TOKEN)).await;
    told.into_iter().next().unwrap()
}

/// The records of judged tool calls: each names the call to the model as its parent.
async fn judged(arena: &Arena) -> Vec<Record> {
    let records = arena.records().await;
    let of_tools = |record: &&Record| record.action.kind == Some(ActionKind::Tool);
    records.iter().filter(of_tools).cloned().collect()
}

const SSE: &str = "text/event-stream; charset=utf-8";
const BOTH: &str = "[refund, delete_order]";
const ONE: &str = "refund";
/// Tools that the answers do not call, so that none of those called is left.
const NONE: &str = "other";

fn refund(id: &str, arguments: &str) -> Value {
    json!([id, "refund", arguments])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_clients_take_a_judged_stream_for_a_whole_one() {
    let first = refund("call_a", r#"{"order":"A-7731","amount":80.50}"#);
    let (delete, last) =
        (json!(["call_b", "delete_order", r#"{"order":"A-7731"}"#]), refund("call_c", r#"{"amount":1}"#));
    for (program, tells_events) in CLIENTS {
        let all = taken(&arena(SSE, CHAT, BOTH).await, program, "chat helper").await;
        assert_eq!(all["calls"], json!([first, delete, last]), "{program:?}: {all}");
        assert_eq!(all["end"], "tool_calls", "{program:?}: {all}");

        let scene = arena(SSE, CHAT, ONE).await;
        let some = taken(&scene, program, "chat helper").await;
        assert_eq!(some["calls"], json!([first, last]), "{program:?}: {some}");
        assert!(some["text"].as_str().unwrap().contains("delete_order"), "{program:?}: {some}");
        assert_eq!(some["end"], "tool_calls", "{program:?}: {some}");
        if tells_events {
            let done = json!([["refund", first[2]], ["refund", last[2]]]);
            assert_eq!(some["done"], done, "{program:?}: {some}");
        }
        let records = judged(&scene).await;
        let effects: Vec<_> = records.iter().map(|record| record.effect).collect();
        assert_eq!(effects.iter().filter(|effect| **effect == Effect::Refused).count(), 1, "{effects:?}");
        assert!(records.iter().all(|record| record.parent.is_some()), "{records:?}");

        let none = taken(&arena(SSE, CHAT, NONE).await, program, "chat helper").await;
        assert_eq!((&none["calls"], &none["end"]), (&json!([]), &json!("stop")), "{program:?}: {none}");
    }
    // The runner calls no function of which it hears nothing, and ends.
    let none = taken(&arena(SSE, CHAT, NONE).await, Program::OpenAiNodeAnswers, "chat runner").await;
    assert_eq!(none["called"], json!([]), "{none}");
    assert!(none["text"].as_str().unwrap().contains("refund"), "{none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_clients_take_a_judged_stream_for_a_whole_one() {
    let first = refund("call_a", r#"{"order":"A-7731","amount":80.50}"#);
    let delete = json!(["call_b", "delete_order", r#"{"order":"A-7731"}"#]);
    for (program, is_python) in CLIENTS {
        for way in ["responses helper", "responses stream"] {
            let what = format!("{program:?}, {way}");
            let all = taken(&arena(SSE, RESPONSE, BOTH).await, program, way).await;
            assert_eq!(all["calls"], json!([first, delete]), "{what}: {all}");
            assert_eq!(all["end"], "completed", "{what}: {all}");
            let some = taken(&arena(SSE, RESPONSE, ONE).await, program, way).await;
            assert_eq!(some["calls"], json!([first]), "{what}: {some}");
            assert_eq!(some["items"], json!(["message", "function_call", "message"]), "{what}: {some}");
            let none = taken(&arena(SSE, RESPONSE, NONE).await, program, way).await;
            assert_eq!(none["items"], json!(["message", "message", "message"]), "{what}: {none}");
            for told in [&all, &some, &none] {
                assert_ne!(told["gaps"], json!(true), "{what}: {told}");
            }
            if is_python {
                assert!(some["text"].as_str().unwrap().contains("delete_order"), "{what}: {some}");
                assert_eq!(none["again"], none["items"], "{what}: {none}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_take_a_judged_whole_answer() {
    for (program, _) in CLIENTS {
        let some = taken(&arena("application/json", CHAT_WHOLE, ONE).await, program, "chat whole").await;
        assert_eq!(some["calls"], json!([refund("call_a", r#"{"amount":1}"#)]), "{program:?}: {some}");
        assert!(some["text"].as_str().unwrap().contains("delete_order"), "{program:?}: {some}");
        let some =
            taken(&arena("application/json", RESPONSE_WHOLE, ONE).await, program, "responses whole").await;
        assert_eq!(some["calls"], json!([refund("call_1", r#"{"amount":80.5}"#)]), "{program:?}: {some}");
        assert_eq!(some["items"], json!(["message", "function_call", "message"]), "{program:?}: {some}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_take_a_cut_stream_for_an_error() {
    let lying = |stream: &str, from: &str, to: &str| {
        assert!(stream.contains(from), "{from}");
        stream.replace(from, to)
    };
    let response = lying(RESPONSE, r#""delta":"{\"order"#, r#""delta":"{\"odder"#);
    let chat = lying(CHAT, r#""index":2,"id":"call_c""#, r#""index":0,"id":"call_c""#);
    for (program, _) in CLIENTS {
        for (stream, ways) in
            [(&response, ["responses helper", "responses stream"].as_slice()), (&chat, &["chat helper"])]
        {
            for way in ways {
                let told = taken(&arena(SSE, stream, BOTH).await, program, way).await;
                let what = format!("{program:?}, {way}: {told}");
                assert_eq!(told["error"], "APIError", "{what}");
                assert!(told["message"].as_str().unwrap().contains("cut"), "{what}");
            }
        }
    }
}
