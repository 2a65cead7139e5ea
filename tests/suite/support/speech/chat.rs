//! OpenAI's chat completions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::speech::{Call, MODEL, Said, Speech, data, pieces};

/// OpenAI's chat completions.
pub const CHAT: Speech = Speech {
    name: "chat completions",
    path: |_| "/openai/v1/chat/completions".to_owned(),
    request: |streamed| json!({"model": MODEL, "messages": [{"role": "user", "content": "go on"}], "stream": streamed}),
    write,
    write_stream,
    read,
    read_stream,
};

fn end(said: &Said) -> &'static str {
    if said.calls.is_empty() { "stop" } else { "tool_calls" }
}

fn write(said: &Said) -> String {
    let call = |call: &Call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}});
    let mut message = json!({"role": "assistant", "content": null});
    if !said.text.is_empty() {
        message["content"] = json!(said.text);
    }
    if !said.calls.is_empty() {
        message["tool_calls"] = said.calls.iter().map(call).collect();
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": end(said)}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    })
    .to_string()
}

fn write_stream(said: &Said) -> String {
    let mut deltas = vec![json!({"role": "assistant", "content": null})];
    deltas.extend(pieces(&said.text, 7).into_iter().map(|text| json!({"content": text})));
    for (index, call) in said.calls.iter().enumerate() {
        let function = json!({"name": call.name, "arguments": ""});
        deltas.push(json!({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}));
        for text in pieces(&call.arguments, 9) {
            deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}));
        }
    }
    let mut stream = String::new();
    for delta in deltas {
        event(&mut stream, &json!([{"index": 0, "delta": delta, "finish_reason": null}]), &Value::Null);
    }
    event(&mut stream, &json!([{"index": 0, "delta": {}, "finish_reason": end(said)}]), &Value::Null);
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
    event(&mut stream, &json!([]), &usage);
    stream + "data: [DONE]\n\n"
}

fn event(stream: &mut String, choices: &Value, usage: &Value) {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
        "choices": choices, "usage": usage,
    });
    stream.push_str(&format!("data: {chunk}\n\n"));
}

#[track_caller]
fn read(body: &str) -> Said {
    let answer: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"));
    let choice = &answer["choices"][0];
    let calls = choice["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
    let call = |call: &Value| Call {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: text(&call["function"]["arguments"]),
    };
    let said = Said {
        text: choice["message"]["content"].as_str().unwrap_or_default().to_owned(),
        calls: calls.iter().map(call).collect(),
    };
    assert_eq!(choice["finish_reason"], end(&said), "{body}");
    said
}

/// Puts the pieces together as the official clients do: by index.
#[track_caller]
fn read_stream(stream: &str) -> Said {
    let mut events = data(stream);
    assert_eq!(events.pop(), Some("[DONE]"), "{stream}");
    let (mut said, mut finish) = (Said::default(), None);
    let mut calls: BTreeMap<u64, Call> = BTreeMap::new();
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap_or_else(|_| panic!("no JSON: {event}"));
        for choice in event["choices"].as_array().unwrap() {
            assert_eq!(finish, None, "a choice goes on behind its end: {stream}");
            said.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            for piece in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let index = piece["index"].as_u64().unwrap();
                let function = &piece["function"];
                let call = calls.entry(index).or_insert_with(|| Call {
                    id: text(&piece["id"]),
                    name: text(&function["name"]),
                    arguments: String::new(),
                });
                call.arguments.push_str(function["arguments"].as_str().unwrap_or_default());
            }
            finish = choice["finish_reason"].as_str().map(str::to_owned);
        }
    }
    assert!(calls.keys().copied().eq(0..calls.len() as u64), "a gap among the calls: {stream}");
    said.calls = calls.into_values().collect();
    assert_eq!(finish.as_deref(), Some(end(&said)), "{stream}");
    said
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
