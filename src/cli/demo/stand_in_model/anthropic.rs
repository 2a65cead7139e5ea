//! Anthropic messages: `POST /v1/messages`.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::demo::stand_in_model::reply::{self, Reply, Said};

const ID: &str = "msg_stand_in";

#[derive(Deserialize)]
struct Asked {
    model: String,
    messages: Vec<Said>,
    max_tokens: usize,
    #[serde(default)]
    stream: Option<bool>,
}

pub(super) fn message(body: Option<Value>, headers: &HeaderMap, cadence: Duration) -> Response {
    if !headers.contains_key("anthropic-version") {
        return problem(StatusCode::BAD_REQUEST, "the header `anthropic-version` is missing");
    }
    let Some(body) = body else {
        return problem(StatusCode::BAD_REQUEST, "the body is not JSON");
    };
    let asked: Asked = match serde_json::from_value(body) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")),
    };
    let reply = Reply::to(&asked.messages, Some(asked.max_tokens));
    if asked.stream == Some(true) {
        return reply::event_stream(events(&asked, &reply), cadence);
    }
    let mut message = opening(&asked, &reply);
    if let Some(members) = message.as_object_mut() {
        members.insert("content".to_owned(), json!([{"type": "text", "text": reply.text()}]));
        members.insert("stop_reason".to_owned(), json!(stop_reason(&reply)));
        members.insert("usage".to_owned(), usage(&reply, reply.output_tokens()));
    }
    Json(message).into_response()
}

/// The message before anything of it is said.
fn opening(asked: &Asked, reply: &Reply) -> Value {
    json!({
        "id": ID, "type": "message", "role": "assistant", "model": asked.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(reply, 1),
    })
}

fn events(asked: &Asked, reply: &Reply) -> Vec<String> {
    let event = |name: &str, mut data: Value| {
        if let Some(members) = data.as_object_mut() {
            members.insert("type".to_owned(), json!(name));
        }
        format!("event: {name}\ndata: {data}\n\n")
    };
    let mut events = vec![
        event("message_start", json!({"message": opening(asked, reply)})),
        event("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}})),
        event("ping", json!({})),
    ];
    events.extend(reply.pieces.iter().map(|piece| {
        event("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": piece}}))
    }));
    events.push(event("content_block_stop", json!({"index": 0})));
    let delta = json!({"stop_reason": stop_reason(reply), "stop_sequence": null});
    // Usage is cumulative in this event.
    events.push(event(
        "message_delta",
        json!({"delta": delta, "usage": {"output_tokens": reply.output_tokens()}}),
    ));
    events.push(event("message_stop", json!({})));
    events
}

const fn stop_reason(reply: &Reply) -> &'static str {
    if reply.cut { "max_tokens" } else { "end_turn" }
}

fn usage(reply: &Reply, output_tokens: usize) -> Value {
    json!({
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    })
}

pub(super) fn problem(status: StatusCode, message: &str) -> Response {
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::NOT_FOUND => "not_found_error",
        _ => "invalid_request_error",
    };
    let body =
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_stand_in"});
    (status, Json(body)).into_response()
}
