//! Anthropic's messages.

use serde_json::{Value, json};

use crate::support::speech::{Call, MODEL, Said, Speech, data, member, pieces, tree};

/// Anthropic's messages.
pub const ANTHROPIC: Speech = Speech {
    name: "messages",
    has_text_arguments: false,
    path: |_| "/claude/v1/messages".to_owned(),
    request: |streamed| json!({"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "go on"}], "stream": streamed}),
    write,
    write_stream,
    read,
    read_stream,
};

fn end(said: &Said) -> &'static str {
    if said.calls.is_empty() { "end_turn" } else { "tool_use" }
}

fn message(content: &Value, end: Option<&str>) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": end, "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 7},
    })
}

fn write(said: &Said) -> String {
    let mut content = vec![json!({"type": "text", "text": said.text})];
    content.extend(said.calls.iter().map(
        |call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": tree(&call.arguments)}),
    ));
    message(&json!(content), Some(end(said))).to_string()
}

fn write_stream(said: &Said) -> String {
    let mut stream = String::new();
    event(&mut stream, &json!({"type": "message_start", "message": message(&json!([]), None)}));
    let text = pieces(&said.text, 7).into_iter().map(|text| json!({"type": "text_delta", "text": text}));
    block(&mut stream, 0, &json!({"type": "text", "text": ""}), text);
    for (number, call) in said.calls.iter().enumerate() {
        let start = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
        let arguments = pieces(&call.arguments, 9).into_iter();
        let arguments = arguments.map(|text| json!({"type": "input_json_delta", "partial_json": text}));
        block(&mut stream, number + 1, &start, arguments);
    }
    let delta = json!({"stop_reason": end(said), "stop_sequence": null});
    event(&mut stream, &json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}));
    event(&mut stream, &json!({"type": "message_stop"}));
    stream
}

fn block(stream: &mut String, index: usize, start: &Value, deltas: impl Iterator<Item = Value>) {
    event(stream, &json!({"type": "content_block_start", "index": index, "content_block": start}));
    for delta in deltas {
        event(stream, &json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    event(stream, &json!({"type": "content_block_stop", "index": index}));
}

fn event(stream: &mut String, data: &Value) {
    stream.push_str(&format!("event: {}\ndata: {data}\n\n", member(data, "type")));
}

#[track_caller]
fn read(body: &str) -> Said {
    let answer = tree(body);
    let said = gather(answer["content"].as_array().unwrap());
    assert_eq!(answer["stop_reason"], end(&said), "{body}");
    said
}

fn gather(content: &[Value]) -> Said {
    let mut said = Said::default();
    for block in content {
        match member(block, "type").as_str() {
            "text" => said.text.push_str(&member(block, "text")),
            "tool_use" => said.calls.push(Call {
                id: member(block, "id"),
                name: member(block, "name"),
                arguments: block["input"].to_string(),
            }),
            other => panic!("a block of type {other}"),
        }
    }
    said
}

/// Puts the blocks together as the official clients do: one after the other, without a gap.
#[track_caller]
fn read_stream(stream: &str) -> Said {
    let (mut content, mut open, mut input) = (Vec::<Value>::new(), false, String::new());
    let (mut stop, mut is_over) = (Value::Null, false);
    for event in data(stream) {
        let event = tree(event);
        assert!(!is_over, "more behind the end: {stream}");
        match member(&event, "type").as_str() {
            "message_start" => assert_eq!(event["message"]["model"], MODEL),
            "content_block_start" => {
                assert!(!open && event["index"] == content.len(), "{event} in {stream}");
                (open, input) = (true, String::new());
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert!(open && event["index"] == content.len() - 1, "{event} in {stream}");
                let delta = &event["delta"];
                match member(delta, "type").as_str() {
                    "text_delta" => {
                        let block = content.last_mut().unwrap();
                        block["text"] = json!(member(block, "text") + &member(delta, "text"));
                    }
                    _ => input.push_str(&member(delta, "partial_json")),
                }
            }
            "content_block_stop" => {
                assert!(open && event["index"] == content.len() - 1, "{event} in {stream}");
                open = false;
                if !input.is_empty() {
                    content.last_mut().unwrap()["input"] = tree(&input);
                }
            }
            "message_delta" => stop = event["delta"]["stop_reason"].clone(),
            "message_stop" => is_over = true,
            other => assert_eq!(other, "ping", "{stream}"),
        }
    }
    let said = gather(&content);
    assert!(is_over && !open && stop == end(&said), "{stop}: {stream}");
    said
}
