//! Streams as the API sends them: released byte for byte, refused into a whole that clients accept.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::classify::answer::trial::{at_once, cut, data, judged, play};
use crate::classify::answer::{Expected, Speech, WholeAnswer};
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};

const PARALLEL: &str = include_str!("../../../../tests/corpus/answers/openai/responses_parallel_calls.sse");
const PROVIDER: &str = include_str!("../../../../tests/corpus/answers/openai/responses_provider_run.sse");
const OTHER: &str = include_str!("../../../../tests/corpus/answers/openai/responses_other_calls.sse");
const CUT_SHORT: &str = include_str!("../../../../tests/corpus/answers/openai/responses_cut_short.sse");
const WHOLE: &str = include_str!("../../../../tests/corpus/answers/openai/responses_whole.json");
const STREAMS: [&str; 4] = [PARALLEL, PROVIDER, OTHER, CUT_SHORT];

fn speech() -> Speech {
    Speech::Responses("openai".to_owned())
}

/// Reads a stream as the official clients do, and gives the final response: numbers without a gap, every item begun
/// once and ended as it began, texts that add up, and an end that says the same.
#[track_caller]
fn accumulated(text: &str) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut end = Value::Null;
    for (number, event) in data(text).into_iter().enumerate() {
        assert_eq!(event["sequence_number"], json!(number), "{event}");
        let kind = event["type"].as_str().unwrap().to_owned();
        assert!(text.contains(&format!("event: {kind}\n")));
        assert!(end.is_null(), "it goes on behind its end");
        let at = event["output_index"].as_u64().map(|at| usize::try_from(at).unwrap());
        match kind.as_str() {
            "response.output_item.added" => {
                assert_eq!(at, Some(items.len()));
                items.push(event["item"].clone());
            }
            "response.content_part.added" => {
                let parts = items[at.unwrap()]["content"].as_array_mut().unwrap();
                assert_eq!(event["content_index"], json!(parts.len()));
                parts.push(event["part"].clone());
            }
            "response.output_text.delta" => {
                let part = &mut items[at.unwrap()]["content"][0]["text"];
                *part = json!(part.as_str().unwrap().to_owned() + event["delta"].as_str().unwrap());
            }
            "response.output_text.done" => {
                assert_eq!(items[at.unwrap()]["content"][0]["text"], event["text"]);
            }
            "response.function_call_arguments.delta" => {
                let text = &mut items[at.unwrap()]["arguments"];
                *text = json!(text.as_str().unwrap().to_owned() + event["delta"].as_str().unwrap());
            }
            "response.output_item.done" => {
                let begun = &items[at.unwrap()];
                for name in ["id", "type", "content", "name"] {
                    let is_text = event["item"]["type"] == "message" || name != "content";
                    assert!(!is_text || begun[name] == event["item"][name], "{begun} {event}");
                }
                items[at.unwrap()] = event["item"].clone();
            }
            "response.completed" | "response.incomplete" => end = event["response"].clone(),
            _ => {}
        }
    }
    assert_eq!(end["output"], json!(items));
    end
}

#[test]
fn what_is_released_goes_on_byte_for_byte() {
    for stream in &STREAMS[..3] {
        let told = at_once(&speech(), stream, &[]).unwrap();
        assert_eq!(told.text, *stream);
        assert_eq!((told.observed.input_tokens, told.observed.output_tokens), (Some(87), Some(41)));
        assert_eq!(told.observed.response_model.as_deref(), Some("gpt-4o-mini-2024-07-18"));
        assert!(told.observed.ended);
        accumulated(stream);
    }
}

#[test]
fn each_call_is_judged_for_itself() {
    let told = at_once(&speech(), PARALLEL, &["delete_order"]).unwrap();
    assert_eq!(
        told.asked,
        [
            r#"refund {"args":{"amount":80.5,"order":"A-7731"}}"#,
            r#"delete_order {"args":{"order":"A-7731"}}"#
        ]
    );
    let begins = "event: response.output_item.added\n";
    let (before, _) = PARALLEL.rsplit_once(begins).unwrap();
    assert!(told.text.starts_with(before), "what was released has changed");
    let end = accumulated(&told.text);
    assert_eq!(end["output"][1]["arguments"], r#"{"order":"A-7731","amount":80.50}"#);
    let said = json!({
        "id": "msg_fc_02", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "No: delete_order"}],
    });
    assert_eq!(end["output"][2], said);
    assert!(!told.text.contains("\"fc_02\"") && !told.text.contains("call_b"), "{}", told.text);

    let told = at_once(&speech(), PARALLEL, &["refund"]).unwrap();
    let end = accumulated(&told.text);
    assert_eq!(end["output"][1]["content"][0]["text"], "No: refund");
    assert_eq!(end["output"][2]["name"], "delete_order");
    assert!(!told.text.contains("A-7731\\\",\\\"amount"), "{}", told.text);
}

#[test]
fn tools_that_the_provider_runs_are_named_and_judged() {
    let told = at_once(&speech(), PROVIDER, &["openai/mcp"]).unwrap();
    assert_eq!(
        told.asked,
        [
            r#"openai/web_search {"args":{"action":{"query":"opening hours","type":"search"}}}"#,
            r#"openai/mcp/deepwiki {"args":{}}"#,
            r#"openai/mcp/deepwiki {"args":{"arguments":{"q":"x"},"name":"ask"}}"#,
        ]
    );
    let end = accumulated(&told.text);
    let kinds: Vec<_> = end["output"].as_array().unwrap().iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["reasoning", "web_search_call", "message", "message", "message"]);
}

#[test]
fn every_kind_of_call_has_a_name() {
    let told = at_once(&speech(), OTHER, &[]).unwrap();
    assert_eq!(
        told.asked,
        [
            "patch_file {\"args\":{\"input\":\"*** Begin Patch\\n+ é\"}}",
            r#"shop.refund {"args":{"amount":1}}"#,
            r#"shell {"args":{"commands":["ls -l","rm -r /"],"max_output_length":null,"timeout_ms":null}}"#,
        ]
    );
    let cases = [
        (json!({"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"]}}), "local_shell {"),
        (json!({"type": "shell_call", "action": {}}), "shell {"),
        (
            json!({"type": "shell_call", "action": {}, "environment": {"type": "container_reference"}}),
            "openai/shell {",
        ),
        (
            json!({"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}}),
            "apply_patch {",
        ),
        (json!({"type": "computer_call", "actions": [{"type": "click"}]}), "computer {"),
        (json!({"type": "tool_search_call", "execution": "client", "arguments": {}}), "tool_search {"),
        (json!({"type": "tool_search_call", "execution": "server", "arguments": {}}), "openai/tool_search {"),
        (
            json!({"type": "program", "code": "x()"}),
            r#"openai/programmatic_tool_calling {"args":{"code":"x()"}}"#,
        ),
        (
            json!({"type": "code_interpreter_call", "code": "1", "container_id": "c"}),
            "openai/code_interpreter {",
        ),
        (
            json!({"type": "image_generation_call", "result": "AAAA"}),
            r#"openai/image_generation {"args":{}}"#,
        ),
        (json!({"type": "file_search_call", "queries": ["q"]}), "openai/file_search {"),
        (
            json!({"type": "mcp_approval_request", "server_label": "s", "name": "n", "arguments": "{}"}),
            "openai/mcp/s {",
        ),
        (json!({"type": "mcp_call", "server_label": "a/b", "name": "n", "arguments": "{}"}), "unreadable "),
        (json!({"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{"}), "unreadable "),
        (
            json!({"type": "function_call", "name": "f", "namespace": "f", "arguments": ""}),
            r#"f {"args":{}}"#,
        ),
        (json!({"type": "function_call", "name": "f", "namespace": "a.b", "arguments": ""}), "unreadable "),
        (json!({"type": "function_call", "name": "f", "arguments": "[1]"}), "unreadable "),
        (json!({"type": "function_call", "name": "f", "arguments": "{\"a\":1,\"a\":2}"}), "unreadable "),
        (json!({"type": "function_call", "name": "", "arguments": "{}"}), "unreadable "),
        (json!({"type": "robot_call", "name": "f"}), "unreadable robot_call"),
    ];
    for (item, begins) in cases {
        let asked = whole(&json!({"output": [item.clone()]}).to_string(), &[]).unwrap().1;
        assert_eq!(asked.len(), 1, "{item}");
        assert!(asked[0].starts_with(begins), "{item} is asked as {asked:?}");
    }
}

/// The body for the agent, and what was asked.
fn whole(body: &str, refused: &[&str]) -> Result<(String, Vec<String>), Problem> {
    let expected = Expected { speech: speech(), streamed: false, ..Expected::unread() };
    let answer = WholeAnswer::read(&expected, body.to_owned().into(), &Bounds::default())
        .map_err(|unfit| unfit.problem)?;
    let (asked, judgements) =
        answer.questions().iter().map(|question| judged(question, refused)).unzip::<_, _, Vec<_>, _>();
    let told = answer.told(judgements).map_err(|unfit| unfit.problem)?;
    Ok((String::from_utf8(told.to_vec()).unwrap(), asked))
}

#[test]
fn a_whole_answer_is_judged_as_a_stream_is() {
    let (told, asked) = whole(WHOLE, &[]).unwrap();
    assert_eq!((told.as_str(), asked.len()), (WHOLE, 2));
    let (told, _) = whole(WHOLE, &["delete_order"]).unwrap();
    let (told, before): (Value, Value) =
        (serde_json::from_str(&told).unwrap(), serde_json::from_str(WHOLE).unwrap());
    assert_eq!(told["output"][1], before["output"][1]);
    assert_eq!(told["output"][2]["content"][0]["text"], "No: delete_order");
    assert_eq!(told["output"][2]["id"], "msg_fc_2");
    assert_eq!(told["usage"], before["usage"]);
    for (body, problem) in [
        (r#"{"output":{}}"#, Problem::WrongType),
        (r#"{"Output":[]}"#, Problem::DuplicateKey),
        (r#"{"output":[{"Type":"message"}]}"#, Problem::DuplicateKey),
        (r#"{"output":[{"name":"f"}]}"#, Problem::MissingField),
        (r#"{"output":[7]}"#, Problem::WrongType),
        (r#"{"output":[{"type":"function_call","name":7}]}"#, Problem::WrongType),
    ] {
        assert_eq!(whole(body, &[]).unwrap_err(), problem, "{body}");
    }
}

#[test]
fn a_call_that_is_cut_short_is_never_shown() {
    let told = at_once(&speech(), CUT_SHORT, &[]).unwrap();
    assert!(told.asked.is_empty());
    let end = accumulated(&told.text);
    assert_eq!((end["output"].as_array().unwrap().len(), &end["status"]), (1, &json!("incomplete")));
    assert!(!told.text.contains("fc_4"));
    // An answer that says to be complete is not believed.
    let lying = CUT_SHORT.replace("response.incomplete", "response.completed");
    assert_eq!(at_once(&speech(), &lying, &[]).unwrap_err().problem, Problem::Syntax);
    let (broken, _) = CUT_SHORT.split_once("event: response.incomplete").unwrap();
    assert_eq!(at_once(&speech(), broken, &[]).unwrap_err().problem, Problem::Syntax);
}

#[test]
fn a_stream_that_contradicts_itself_is_cut() {
    let swaps = [
        // The whole says something else than the pieces.
        (r#""delta":"{\"order""#, r#""delta":"{\"odder""#),
        (
            r#""output_index":2,"arguments":"{\"order\":\"A-7731\"}""#,
            r#""output_index":2,"arguments":"{\"order\":\"B-7731\"}""#,
        ),
        // Another name, another number, another kind at the end.
        (
            r#""status":"completed","arguments":"{\"order\":\"A-7731\"}","call_id":"call_b""#,
            r#""status":"completed","arguments":"{\"order\":\"A-7731\"}","call_id":"call_z""#,
        ),
        (r#"data: {"type":"response.output_item.added""#, r#"data: {"type":"response.output_item.done""#),
        (r#""output_index":2,"#, r#""output_index":1,"#),
        (r#""type":"response.completed""#, r#""type":"response.stranger""#),
        (r#""output_index":2,"item""#, r#""OUTPUT_INDEX":2,"item""#),
        (r#","output_index":2,"item""#, r#","item""#),
        ("event: response.output_text.delta\n", "event: response.output_text.done\n"),
        (r#""item_id":"fc_02""#, r#""item_id":"fc_01""#),
    ];
    for (from, to) in swaps {
        assert!(PARALLEL.contains(from), "{from}");
        let stream = PARALLEL.replace(from, to);
        let told = at_once(&speech(), &stream, &["delete_order"]);
        assert!(told.is_err(), "{to}: {}", told.unwrap().text);
    }
    // A call in the end alone, or another one than was judged.
    let (events, end) = PARALLEL.rsplit_once("event: response.completed").unwrap();
    for (from, to) in [
        (r#""id":"fc_02""#, r#""id":"fc_03""#),
        (r#"{\"order\":\"A-7731\"}"#, r#"{\"order\":\"B-7731\"}"#),
        (r#""name":"delete_order""#, r#""name":"delete_all""#),
    ] {
        assert!(end.contains(from));
        let stream = format!("{events}event: response.completed{}", end.replace(from, to));
        assert_eq!(at_once(&speech(), &stream, &[]).unwrap_err().problem, Problem::Conflict, "{to}");
    }
    // One that was judged, listed twice.
    let data = end.split_once("data: ").unwrap().1;
    let mut twice: Value = serde_json::from_str(data.trim()).unwrap();
    let items = twice["response"]["output"].as_array_mut().unwrap();
    let call = items.iter().find(|item| item["type"] == "function_call").unwrap().clone();
    items.push(call);
    let stream = format!("{events}event: response.completed\ndata: {twice}\n\n");
    assert_eq!(at_once(&speech(), &stream, &[]).unwrap_err().problem, Problem::Conflict);
    // Something behind the end, and an event of a type that nobody knows.
    let behind = format!("{PARALLEL}{PARALLEL}");
    assert_eq!(at_once(&speech(), &behind, &[]).unwrap_err().problem, Problem::Conflict);
    let strange = "data: {\"type\":\"response.robot\",\"sequence_number\":2,\"call\":{}}\n\n";
    assert_eq!(at_once(&speech(), strange, &[]).unwrap_err().problem, Problem::Conflict);
    let bare = "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":2}\n\n";
    assert_eq!(at_once(&speech(), bare, &[]).unwrap().text, bare);
}

#[test]
fn a_call_that_was_never_announced_is_judged_all_the_same() {
    let item = r#"{"id":"fc_1","type":"function_call","status":"completed","arguments":"{}","call_id":"c","name":"refund"}"#;
    let stream = format!(
        "data: {{\"type\":\"response.output_item.done\",\"sequence_number\":0,\"output_index\":0,\"item\":{item}}}\n\n\
         data: {{\"type\":\"response.completed\",\"sequence_number\":1,\"response\":{{\"output\":[{item}]}}}}\n\ndata: [DONE]\n\n"
    );
    let told = at_once(&speech(), &stream, &[]).unwrap();
    assert_eq!((told.text.as_str(), told.asked.len()), (stream.as_str(), 1));
    let told = at_once(&speech(), &stream, &["refund"]).unwrap();
    let events = data(&told.text);
    assert_eq!(events.len(), 7);
    assert_eq!(events[6]["sequence_number"], 6);
    assert_eq!(events[6]["response"]["output"][0]["content"][0]["text"], "No: refund");
    assert!(told.text.ends_with("data: [DONE]\n\n"));
}

#[test]
fn calls_that_overlap_are_told_apart() {
    let events: Vec<Value> = data(PARALLEL);
    let (first, second): (Vec<_>, Vec<_>) = (
        events.iter().filter(|event| event["output_index"] == 1).collect(),
        events.iter().filter(|event| event["output_index"] == 2).collect(),
    );
    let mut mixed = vec![first[0], second[0]];
    mixed.extend(second[1..].iter().copied());
    mixed.extend(first[1..].iter().copied());
    let rest = events.iter().filter(|event| event["output_index"].is_null() || event["output_index"] == 0);
    let (before, end): (Vec<_>, Vec<_>) = rest.partition(|event| event["type"] != "response.completed");
    let ordered = before.into_iter().chain(mixed).chain(end);
    let stream: String = ordered
        .enumerate()
        .map(|(number, event)| {
            let mut event = event.clone();
            event["sequence_number"] = json!(number);
            format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
        })
        .collect();
    assert_eq!(at_once(&speech(), &stream, &[]).unwrap().text, stream);
    for refused in ["delete_order", "refund"] {
        let told = at_once(&speech(), &stream, &[refused]).unwrap();
        assert_eq!(told.asked.len(), 2);
        let end = accumulated(&told.text);
        let kinds: Vec<_> = end["output"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "function_call").count(), 1, "{kinds:?}");
    }
}

#[test]
fn a_request_is_set_right_after_tools_were_taken_out() {
    let tool = |name: &str| json!({"type": "function", "name": name});
    let check = |before: Value, after: Value| {
        let text = before.to_string();
        let mut body = Reader::new(text.as_bytes(), &Bounds::default()).unwrap().whole().unwrap();
        super::tidy(&mut body);
        assert_eq!(serde_json::from_str::<Value>(&body.text()).unwrap(), after, "{before}");
    };
    let emptied = json!({"type": "namespace", "name": "n", "tools": []});
    check(json!({"tools": [], "tool_choice": "required", "input": "x"}), json!({"input": "x"}));
    check(json!({"tools": [emptied, tool("a")]}), json!({"tools": [tool("a")]}));
    check(
        json!({"tools": [emptied], "input": [
            {"role": "user", "content": "x"},
            {"type": "additional_tools", "role": "developer", "tools": [emptied]},
            {"type": "tool_search_output", "call_id": "c", "tools": []},
        ]}),
        json!({"input": [
            {"role": "user", "content": "x"},
            {"type": "tool_search_output", "call_id": "c", "tools": []},
        ]}),
    );
    check(json!({"tools": [tool("a")], "tool_choice": tool("b")}), json!({"tools": [tool("a")]}));
    let kept = json!({"tools": [tool("a")], "tool_choice": tool("a")});
    check(kept.clone(), kept);
    let in_input = json!({"tool_choice": tool("a"), "input": [
        {"type": "additional_tools", "role": "developer", "tools": [tool("a")]}]});
    check(in_input.clone(), in_input);
    let allowed = |tools: Value| json!({"type": "allowed_tools", "mode": "auto", "tools": tools});
    check(
        json!({"tools": [tool("a")], "tool_choice": allowed(json!([tool("a"), {"type": "mcp", "server_label": "s"}]))}),
        json!({"tools": [tool("a")], "tool_choice": allowed(json!([tool("a")]))}),
    );
    check(
        json!({"tools": [tool("a")], "tool_choice": allowed(json!([tool("b")]))}),
        json!({"tools": [tool("a")], "tool_choice": "none"}),
    );
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        stream in prop::sample::select(STREAMS.to_vec()),
        refused in prop::sample::select(vec!["nothing", "refund", "delete_order", "shell", "openai/"]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        crlf in any::<bool>(),
    ) {
        let text = if crlf { stream.replace('\n', "\r\n") } else { stream.to_owned() };
        let told = play(&speech(), cut(text.as_bytes(), &cuts), &[refused]).unwrap();
        let whole = at_once(&speech(), &text, &[refused]).unwrap();
        prop_assert_eq!(data(&told.text), data(&whole.text));
        prop_assert_eq!((&told.asked, &told.observed), (&whole.asked, &whole.observed));
        accumulated(&told.text.replace("\r\n", "\n"));
        if refused == "nothing" && stream != CUT_SHORT {
            prop_assert_eq!(told.text, text);
        }
    }
}
