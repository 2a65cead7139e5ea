//! Google's `generateContent`.

use serde_json::{Value, json};

use crate::support::speech::{Call, MODEL, Said, Speech, data, member, pieces, tree};

/// Google's `generateContent`, and its stream.
pub const GEMINI: Speech = Speech {
    name: "generateContent",
    has_text_arguments: false,
    path: |streamed| {
        let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
        format!("/gemini/v1beta/models/{MODEL}:{method}")
    },
    request: |_| json!({"contents": [{"role": "user", "parts": [{"text": "go on"}]}]}),
    write,
    write_stream,
    read,
    read_stream,
};

fn response(parts: &Value, end: Option<&str>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    if let Some(end) = end {
        candidate["finishReason"] = json!(end);
    }
    json!({
        "candidates": [candidate], "modelVersion": MODEL, "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12},
    })
}

fn call(call: &Call) -> Value {
    json!({"functionCall": {"id": call.id, "name": call.name, "args": tree(&call.arguments)}})
}

fn write(said: &Said) -> String {
    let mut parts = vec![json!({"text": said.text})];
    parts.extend(said.calls.iter().map(call));
    response(&json!(parts), Some("STOP")).to_string()
}

/// Calls come two in an event: Gemini streams whole ones.
fn write_stream(said: &Said) -> String {
    let text = pieces(&said.text, 7).into_iter().map(|text| response(&json!([{"text": text}]), None));
    let calls = said.calls.chunks(2).map(|two| {
        let parts: Vec<Value> = two.iter().map(call).collect();
        response(&json!(parts), None)
    });
    let end = response(&json!([{"text": ""}]), Some("STOP"));
    text.chain(calls).chain([end]).map(|event| format!("data: {event}\n\n")).collect()
}

#[track_caller]
fn read(body: &str) -> Said {
    gather(&[body])
}

#[track_caller]
fn read_stream(stream: &str) -> Said {
    gather(&data(stream))
}

fn gather(responses: &[&str]) -> Said {
    let (mut said, mut end) = (Said::default(), Value::Null);
    for response in responses {
        assert_eq!(end, Value::Null, "more behind the end: {response}");
        let response = tree(response);
        let candidate = &response["candidates"][0];
        for part in candidate["content"]["parts"].as_array().unwrap() {
            let call = &part["functionCall"];
            if call.is_null() {
                said.text.push_str(&member(part, "text"));
            } else {
                let (id, name) = (member(call, "id"), member(call, "name"));
                said.calls.push(Call { id, name, arguments: call["args"].to_string() });
            }
        }
        end = candidate["finishReason"].clone();
    }
    assert_eq!(end, "STOP");
    said
}
