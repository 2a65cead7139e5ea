//! OpenAI's Responses.

use serde_json::{Value, json};

use crate::support::speech::{Call, MODEL, Said, Speech, data, member, pieces, tree};

/// OpenAI's Responses.
pub const RESPONSES: Speech = Speech {
    name: "Responses",
    has_text_arguments: true,
    path: |_| "/openai/v1/responses".to_owned(),
    request: |streamed| json!({"model": MODEL, "input": "go on", "stream": streamed, "store": false}),
    write,
    write_stream,
    read,
    read_stream,
};

fn message(text: &str) -> Value {
    let content = json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]);
    json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content})
}

fn item(call: &Call) -> Value {
    json!({
        "id": format!("fc_{}", call.id), "type": "function_call", "status": "completed",
        "call_id": call.id, "name": call.name, "arguments": call.arguments,
    })
}

fn response(output: &Value, status: &str) -> Value {
    let mut response = json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": MODEL, "error": null,
        "incomplete_details": null, "output": output, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "usage": null,
    });
    if status == "completed" {
        response["usage"] = json!({
            "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 12,
        });
    }
    response
}

fn output(said: &Said) -> Value {
    [message(&said.text)].into_iter().chain(said.calls.iter().map(item)).collect()
}

fn write(said: &Said) -> String {
    response(&output(said), "completed").to_string()
}

/// Numbers its events.
#[derive(Default)]
struct Events {
    stream: String,
    count: usize,
}

impl Events {
    fn push(&mut self, kind: &str, mut more: Value) {
        more["type"] = json!(kind);
        more["sequence_number"] = json!(self.count);
        self.count += 1;
        self.stream.push_str(&format!("event: {kind}\ndata: {more}\n\n"));
    }

    fn message(&mut self, text: &str) {
        let whole = message(text);
        let mut start = whole.clone();
        (start["status"], start["content"]) = (json!("in_progress"), json!([]));
        self.push("response.output_item.added", json!({"output_index": 0, "item": start}));
        let at = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
        let part = |text: &str| json!({"part": {"type": "output_text", "annotations": [], "logprobs": [], "text": text}});
        self.push("response.content_part.added", with(&at, part("")));
        for text in pieces(text, 7) {
            self.push("response.output_text.delta", with(&at, json!({"delta": text, "logprobs": []})));
        }
        self.push("response.output_text.done", with(&at, json!({"text": text, "logprobs": []})));
        self.push("response.content_part.done", with(&at, part(text)));
        self.push("response.output_item.done", json!({"output_index": 0, "item": whole}));
    }

    fn call(&mut self, index: usize, call: &Call) {
        let whole = item(call);
        let mut start = whole.clone();
        (start["status"], start["arguments"]) = (json!("in_progress"), json!(""));
        self.push("response.output_item.added", json!({"output_index": index, "item": start}));
        let at = json!({"item_id": whole["id"], "output_index": index});
        for text in pieces(&call.arguments, 9) {
            self.push("response.function_call_arguments.delta", with(&at, json!({"delta": text})));
        }
        let done = json!({"arguments": call.arguments, "name": call.name});
        self.push("response.function_call_arguments.done", with(&at, done));
        self.push("response.output_item.done", json!({"output_index": index, "item": whole}));
    }
}

fn with(at: &Value, more: Value) -> Value {
    let mut all = at.clone();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn write_stream(said: &Said) -> String {
    let mut events = Events::default();
    let begun = response(&json!([]), "in_progress");
    events.push("response.created", json!({"response": begun}));
    events.push("response.in_progress", json!({"response": begun}));
    events.message(&said.text);
    for (number, call) in said.calls.iter().enumerate() {
        events.call(number + 1, call);
    }
    events.push("response.completed", json!({"response": response(&output(said), "completed")}));
    events.stream
}

#[track_caller]
fn read(body: &str) -> Said {
    whole(&tree(body))
}

#[track_caller]
fn whole(response: &Value) -> Said {
    assert_eq!((&response["status"], &response["error"]), (&json!("completed"), &Value::Null), "{response}");
    gather(response["output"].as_array().unwrap())
}

fn gather(output: &[Value]) -> Said {
    let mut said = Said::default();
    for item in output {
        match member(item, "type").as_str() {
            "message" => {
                let parts = item["content"].as_array().unwrap().iter();
                parts.for_each(|part| said.text.push_str(&member(part, "text")));
            }
            "function_call" => said.calls.push(Call {
                id: member(item, "call_id"),
                name: member(item, "name"),
                arguments: member(item, "arguments"),
            }),
            other => panic!("an item of type {other}"),
        }
    }
    said
}

/// Reads a stream in the three ways that clients do, by its pieces, by its items and by its end, which must agree.
#[track_caller]
fn read_stream(stream: &str) -> Said {
    let (mut items, mut streamed, mut end) = (Vec::<Value>::new(), Vec::<String>::new(), None);
    for (number, event) in data(stream).into_iter().enumerate() {
        let event = tree(event);
        assert_eq!(event["sequence_number"], number, "{event} in {stream}");
        assert_eq!(end, None, "more behind the end: {stream}");
        match member(&event, "type").as_str() {
            "response.output_item.added" => {
                assert_eq!(event["output_index"], streamed.len(), "{event} in {stream}");
                streamed.push(String::new());
            }
            "response.output_text.delta" | "response.function_call_arguments.delta" => {
                assert_eq!(event["output_index"], streamed.len() - 1, "{event} in {stream}");
                streamed.last_mut().unwrap().push_str(&member(&event, "delta"));
            }
            "response.output_item.done" => {
                assert_eq!(event["output_index"], items.len(), "{event} in {stream}");
                items.push(event["item"].clone());
            }
            "response.completed" => end = Some(whole(&event["response"])),
            _ => {}
        }
    }
    let said = end.unwrap_or_else(|| panic!("it has no end: {stream}"));
    assert_eq!(gather(&items), said, "{stream}");
    let content = |item: &Value| match item["arguments"].as_str() {
        Some(arguments) => arguments.to_owned(),
        None => gather(std::slice::from_ref(item)).text,
    };
    assert_eq!(items.iter().map(content).collect::<Vec<_>>(), streamed, "{stream}");
    said
}
