//! OpenAI chat completions: `POST /v1/chat/completions`.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::demo::stand_in_model::reply::{self, CREATED, Reply, Said};

const ID: &str = "chatcmpl-stand-in";

#[derive(Deserialize)]
struct Asked {
    model: String,
    messages: Vec<Said>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<usize>,
    #[serde(default)]
    max_completion_tokens: Option<usize>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

pub(super) fn completion(body: Option<Value>, cadence: Duration) -> Response {
    let Some(body) = body else {
        return problem(StatusCode::BAD_REQUEST, "the body is not JSON");
    };
    let asked: Asked = match serde_json::from_value(body) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")),
    };
    let reply = Reply::to(&asked.messages, asked.max_completion_tokens.or(asked.max_tokens));
    if asked.stream == Some(true) {
        reply::event_stream(chunks(&asked, &reply), cadence)
    } else {
        Json(whole(&asked, &reply)).into_response()
    }
}

fn whole(asked: &Asked, reply: &Reply) -> Value {
    json!({
        "id": ID, "object": "chat.completion", "created": CREATED, "model": asked.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": reply.text(), "refusal": null},
            "logprobs": null,
            "finish_reason": finish_reason(reply),
        }],
        "usage": usage(reply),
    })
}

fn chunks(asked: &Asked, reply: &Reply) -> Vec<String> {
    let wants_usage = asked.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true);
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": asked.model, "choices": choices,
        });
        // With `include_usage` every chunk has the member, null in all but the last.
        if let (true, Some(members)) = (wants_usage, chunk.as_object_mut()) {
            members.insert("usage".to_owned(), usage);
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        chunk(json!([choice]), Value::Null)
    };

    let mut events = vec![delta(json!({"role": "assistant", "content": "", "refusal": null}), None)];
    events.extend(reply.pieces.iter().map(|piece| delta(json!({"content": piece}), None)));
    events.push(delta(json!({}), Some(finish_reason(reply))));
    if wants_usage {
        events.push(chunk(json!([]), usage(reply)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

const fn finish_reason(reply: &Reply) -> &'static str {
    if reply.cut { "length" } else { "stop" }
}

fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens(),
        "total_tokens": reply.input_tokens + reply.output_tokens(),
    })
}

pub(super) fn problem(status: StatusCode, message: &str) -> Response {
    let (kind, code) = match status {
        StatusCode::UNAUTHORIZED => ("invalid_request_error", Some("invalid_api_key")),
        _ => ("invalid_request_error", None),
    };
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    (status, Json(body)).into_response()
}
