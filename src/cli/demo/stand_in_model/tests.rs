//! The stand-in over real sockets.

use std::net::SocketAddr;

use serde_json::json;

use super::*;
use crate::cli::demo::dial::{Answer, ask};

const KEY: &[(&str, &str)] = &[("authorization", "Bearer upstream-key")];
const ANTHROPIC: &[(&str, &str)] = &[("x-api-key", "upstream-key"), ("anthropic-version", "2023-06-01")];

async fn started() -> Handle {
    let settings =
        Settings { key: Secret::new("upstream-key".to_owned()), cadence: Duration::ZERO, tls: None };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    start(listener, settings, CancellationToken::new()).await.unwrap()
}

async fn chat(to: SocketAddr, headers: &[(&str, &str)], body: Value) -> Answer {
    ask(to, Method::POST, "/v1/chat/completions", headers, &body.to_string()).await
}

fn hello() -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello there"}]})
}

#[tokio::test]
async fn a_chat_is_answered_with_what_was_said() {
    let model = started().await;
    let answer = chat(model.address(), KEY, hello()).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["choices"][0]["message"]["content"], "You said: hello there");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"], json!({"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}));
}

#[tokio::test]
async fn an_answer_is_cut_at_the_tokens_it_may_have() {
    let model = started().await;
    let mut asked = hello();
    asked["max_tokens"] = json!(3);
    let body = chat(model.address(), KEY, asked).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "You said: hello");
    assert_eq!(body["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_streamed_chat_ends_with_its_marker_and_has_usage_only_when_asked() {
    let model = started().await;
    let mut asked = hello();
    asked["stream"] = json!(true);
    let plain = chat(model.address(), KEY, asked.clone()).await;
    assert_eq!(plain.headers["content-type"], "text/event-stream");
    assert!(!plain.text.contains("usage"));
    assert_eq!(plain.events().last(), Some(&"[DONE]"));

    asked["stream_options"] = json!({"include_usage": true});
    let counted = chat(model.address(), KEY, asked).await;
    let events = counted.events();
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    let text: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "You said: hello there");
    let (last, before) = chunks.split_last().unwrap();
    assert_eq!(last["usage"]["total_tokens"], 6);
    assert!(before.iter().all(|chunk| chunk["usage"].is_null()));
}

#[tokio::test(start_paused = true)]
async fn the_cadence_stands_between_the_pieces() {
    let events = vec!["data: 1\n\n".to_owned(), "data: 2\n\n".to_owned(), "data: 3\n\n".to_owned()];
    let before = tokio::time::Instant::now();
    let body = reply::event_stream(events, Duration::from_secs(5)).into_body();
    assert_eq!(to_bytes(body, 1_024).await.unwrap(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    assert_eq!(before.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn messages_are_answered_plain_and_streamed() {
    let model = started().await;
    let blocks = json!([{"type": "text", "text": "hello there"}]);
    let mut asked = json!({"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": blocks}]});
    let plain =
        ask(model.address(), Method::POST, "/v1/messages", ANTHROPIC, &asked.to_string()).await.json();
    assert_eq!(plain["content"][0]["text"], "You said: hello there");
    assert_eq!(plain["usage"]["output_tokens"], 4);

    asked["stream"] = json!(true);
    let streamed = ask(model.address(), Method::POST, "/v1/messages", ANTHROPIC, &asked.to_string()).await;
    let names: Vec<&str> = streamed.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_form_of_the_api() {
    let model = started().await;
    let to = model.address();
    let openai = chat(to, KEY, json!({"model": "gpt-4o-mini"})).await;
    assert_eq!(openai.status, 400);
    assert!(openai.json()["error"]["message"].as_str().unwrap().contains("messages"));

    let version_missing = ask(to, Method::POST, "/v1/messages", &[("x-api-key", "upstream-key")], "{}").await;
    assert_eq!(version_missing.status, 400);
    assert_eq!(version_missing.json()["error"]["type"], "invalid_request_error");

    let elsewhere = ask(to, Method::POST, "/v1/embeddings", KEY, "{}").await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn it_tells_whose_key_arrived_and_keeps_no_header_value() {
    let model = started().await;
    let to = model.address();
    assert_eq!(chat(to, &[], hello()).await.status, 401);
    assert_eq!(chat(to, &[("authorization", "Bearer agents-own")], hello()).await.status, 401);
    assert_eq!(chat(to, KEY, hello()).await.status, 200);

    let seen = model.seen();
    let credentials: Vec<Credential> = seen.iter().map(|call| call.credential).collect();
    assert_eq!(credentials, [Credential::Absent, Credential::Other, Credential::Expected]);
    assert_eq!(seen[2].asked.as_deref(), Some("gpt-4o-mini"));
    assert!(seen[2].header_names.contains(&"authorization".to_owned()));

    let told = ask(to, Method::GET, "/seen", &[], "").await;
    assert!(!told.text.contains("agents-own") && !told.text.contains("upstream-key"));
    assert_eq!(told.json().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn it_stops_with_its_streams_when_told() {
    let settings = Settings {
        key: Secret::new("upstream-key".to_owned()),
        cadence: Duration::from_secs(3_600),
        tls: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shutdown = CancellationToken::new();
    let model = start(listener, settings, shutdown.clone()).await.unwrap();
    let mut asked = hello();
    asked["stream"] = json!(true);
    let path = "/v1/chat/completions";
    let open =
        crate::cli::demo::dial::open(model.address(), Method::POST, path, KEY, &asked.to_string()).await;
    assert_eq!(open.status(), 200);
    shutdown.cancel();
    model.stopped().await;
    assert!(to_bytes(open.into_body(), 1_024 * 1_024).await.is_err(), "a cut stream does not end cleanly");
}
