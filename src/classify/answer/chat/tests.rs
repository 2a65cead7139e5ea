//! Streams as the API sends them: released byte for byte, refused into a message that clients accept.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::classify::answer::trial::{Told, at_once, cut, data, judged, play};
use crate::classify::answer::{Expected, Speech, WholeAnswer};
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};

const PARALLEL: &str = include_str!("../../../../tests/corpus/answers/openai/chat_parallel_calls.sse");
const MIXED: &str = include_str!("../../../../tests/corpus/answers/openai/chat_text_and_call.sse");
const CHOICES: &str = include_str!("../../../../tests/corpus/answers/openai/chat_two_choices.sse");
const LEGACY: &str = include_str!("../../../../tests/corpus/answers/openai/chat_function_call.sse");
const CUSTOM: &str = include_str!("../../../../tests/corpus/answers/openai/chat_custom_call.sse");
const STREAMS: [&str; 5] = [PARALLEL, MIXED, CHOICES, LEGACY, CUSTOM];

/// Adds a delta to what came before it, as the official Python client does: texts are joined, lists are kept by
/// `index`, which must not skip a place.
fn accumulate(held: &mut Map<String, Value>, delta: &Map<String, Value>) {
    for (name, value) in delta {
        let before = held.entry(name).or_insert(Value::Null);
        match (before, value) {
            (before, Value::Array(items)) => {
                if before.is_null() {
                    *before = json!([]);
                }
                let before = before.as_array_mut().unwrap();
                for item in items {
                    let index = usize::try_from(item["index"].as_u64().unwrap()).unwrap();
                    assert!(index <= before.len(), "a place is skipped: {item}");
                    if index == before.len() {
                        before.push(json!({}));
                    }
                    accumulate(before[index].as_object_mut().unwrap(), item.as_object().unwrap());
                }
            }
            (before @ Value::Null, value) => *before = value.clone(),
            (before, value) if name == "index" || name == "type" => *before = value.clone(),
            (Value::String(before), Value::String(more)) => before.push_str(more),
            (Value::Object(before), Value::Object(more)) => accumulate(before, more),
            (_, Value::Null) => {}
            (before, value) => panic!("`{name}`: {value} behind {before}"),
        }
    }
}

/// The choices as a client has them at the end: message and reason.
#[track_caller]
fn messages(text: &str) -> Vec<(Value, String)> {
    let mut choices: Vec<(Map<String, Value>, Option<String>)> = Vec::new();
    for chunk in data(text) {
        assert_eq!(chunk["id"], "chatcmpl-B9");
        for choice in chunk["choices"].as_array().unwrap() {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            if index == choices.len() {
                choices.push((Map::new(), None));
            }
            let (message, reason) = &mut choices[index];
            assert!(reason.is_none(), "it goes on behind its end");
            accumulate(message, choice["delta"].as_object().unwrap());
            *reason = choice["finish_reason"].as_str().map(str::to_owned);
        }
    }
    assert!(text.ends_with("data: [DONE]\n\n"));
    let ended = |(message, reason): (Map<String, Value>, Option<String>)| {
        assert_eq!(message["role"], "assistant");
        (Value::Object(message), reason.unwrap())
    };
    choices.into_iter().map(ended).collect()
}

#[track_caller]
fn told(stream: &str, refused: &[&str]) -> Told {
    at_once(&Speech::Chat, stream, refused).unwrap()
}

#[test]
fn what_is_released_goes_on_byte_for_byte() {
    for stream in [PARALLEL, LEGACY, CUSTOM] {
        let told = told(stream, &[]);
        assert_eq!(told.text, stream);
        assert_eq!((told.observed.input_tokens, told.observed.output_tokens), (Some(87), Some(41)));
        assert!(told.observed.ended);
    }
    // Text goes ahead of a call: no client sees the difference in the end.
    for stream in [MIXED, CHOICES] {
        let told = told(stream, &[]);
        assert_eq!(messages(&told.text), messages(stream));
    }
    assert_eq!(told(PARALLEL, &[]).asked.len(), 3);
    assert_eq!(told(CUSTOM, &[]).asked, ["patch_file {\"args\":{\"input\":\"*** Begin Patch\\n\"}}"]);
    assert_eq!(told(LEGACY, &[]).asked, [r#"refund {"args":{"amount":5}}"#]);
}

#[test]
fn some_of_several_calls_are_refused() {
    let after = messages(&told(PARALLEL, &["delete_order"]).text);
    let (message, reason) = &after[0];
    assert_eq!((message["content"].as_str(), reason.as_str()), (Some("No: delete_order"), "tool_calls"));
    let calls = message["tool_calls"].as_array().unwrap();
    let names: Vec<_> = calls.iter().map(|call| (&call["index"], &call["id"], &call["type"])).collect();
    assert_eq!(
        names,
        [
            (&json!(0), &json!("call_a"), &json!("function")),
            (&json!(1), &json!("call_c"), &json!("function"))
        ]
    );
    assert_eq!(calls[0]["function"]["arguments"], r#"{"order":"A-7731","amount":80.50}"#);

    let after = messages(&told(PARALLEL, &["refund"]).text);
    assert_eq!(after[0].0["content"], "No: refund\n\nNo: refund");
    assert_eq!(after[0].0["tool_calls"][0]["id"], "call_b");
    assert_eq!(after[0].0["tool_calls"].as_array().unwrap().len(), 1);
}

#[test]
fn where_no_call_is_left_the_choice_stops_by_itself() {
    for (stream, refused, content) in [
        (PARALLEL, "o", "No: refund\n\nNo: delete_order\n\nNo: refund"),
        (LEGACY, "refund", "No: refund"),
        (CUSTOM, "patch_file", "No: patch_file"),
    ] {
        let after = messages(&told(stream, &[refused, "refund"]).text);
        assert_eq!(after[0].0["content"], content);
        assert_eq!(after[0].1, "stop");
        assert!(after[0].0.get("tool_calls").is_none() && after[0].0["function_call"].is_null());
    }
    let after = messages(&told(MIXED, &["delete_order"]).text);
    assert_eq!(after[0].0["content"], "Let me “look”. And more.\n\nNo: delete_order");
    let after = messages(&told(CHOICES, &["refund"]).text);
    assert_eq!(after[0], (json!({"role": "assistant", "content": "Nothing to do. Bye."}), "stop".to_owned()));
    assert_eq!(after[1], (json!({"role": "assistant", "content": "No: refund"}), "stop".to_owned()));
}

#[test]
fn a_call_that_was_cut_short_is_refused_and_the_reason_stays() {
    let cut = PARALLEL.replace(r#""{\"amount\":1}""#, r#""{\"amount\"""#);
    let cut = cut.replace(r#""finish_reason":"tool_calls""#, r#""finish_reason":"length""#);
    let told = told(&cut, &["refund", "delete_order"]);
    assert!(told.asked[2].starts_with("unreadable tool call `refund`"), "{:?}", told.asked);
    assert_eq!(messages(&told.text)[0].1, "length");
}

#[test]
fn an_end_that_is_told_twice_is_the_same_end() {
    let last = r#""delta":{},"logprobs":null,"finish_reason":"tool_calls"}"#;
    let (before, behind) = PARALLEL.split_once(last).unwrap();
    let chunk = format!("data: {{\"id\":\"chatcmpl-B9\",\"choices\":[{{\"index\":0,{last}]}}\n\n");
    let (rest, behind) = behind.split_once("\n\n").unwrap();
    let twice = format!("{before}{last}{rest}\n\n{chunk}{behind}");
    assert_eq!(told(&twice, &[]).text, twice);
    let refused = told(&twice, &["refund", "delete_order"]).text;
    assert!(!refused.contains("tool_calls"), "{refused}");
}

#[test]
fn a_stream_that_can_be_read_in_two_ways_is_cut() {
    let swaps = [
        (r#""index":2,"id":"call_c""#, r#""index":0,"id":"call_c""#),
        (r#"[{"index":1,"function":{"arguments""#, r#"[{"index":1,"function":{"name":"refund","arguments""#),
        (r#"[{"index":1,"function":{"arguments""#, r#"[{"index":1,"id":"call_z","function":{"arguments""#),
        (r#"[{"index":1,"function":{"arguments""#, r#"[{"index":1,"custom":{"input""#),
        (r#"[{"index":1,"function":{"arguments""#, r#"[{"index":1,"Function":{"arguments""#),
        (r#"[{"index":1,"function":{"arguments""#, r#"[{"index":1,"function":{"Arguments""#),
        (
            r#"[{"index":1,"function":{"arguments""#,
            r#"[{"index":1,"function":{"name":"a","name":"b","arguments""#,
        ),
        (r#"[{"index":1,"function""#, r#"[{"function""#),
        (r#"[{"index":1,"function""#, r#"[{"index":-1,"function""#),
        (r#"[{"index":1,"function""#, r#"[{"index":0,"function""#),
        (r#""type":"function""#, r#""type":"robot""#),
        (r#""tool_calls":["#, r#""toolCalls":["#),
        (r#"{"tool_calls":[{"index":2"#, r#"{"function_call":{"name":"x"},"tool_calls":[{"index":2"#),
        (r#""tool_calls":[{"index":2"#, r#""tool_calls":{},"x":[{"index":2"#),
        (r#""finish_reason":"tool_calls""#, r#""finish_reason":null"#),
        (r#""choices":[{"index":0,"delta":{"tool_calls""#, r#""choices":[{"delta":{"tool_calls""#),
        (r#""choices":[]"#, r#""choices":{}"#),
        (
            r#""choices":[]"#,
            r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":3,"function":{"name":"x"}}]}}]"#,
        ),
        (r#""choices":[]"#, r#""choices":[{"index":0,"message":{"tool_calls":[]}}]"#),
    ];
    for (from, to) in swaps {
        assert!(PARALLEL.contains(from), "{from}");
        let told = at_once(&Speech::Chat, &PARALLEL.replace(from, to), &[]);
        assert!(told.is_err(), "{to}: {}", told.unwrap().text);
    }
    let (inside, _) = PARALLEL.split_once(r#"data: {"id":"chatcmpl-B9","object":"chat.completion.chunk","created":1763628000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{},"#).unwrap();
    assert_eq!(at_once(&Speech::Chat, inside, &[]).unwrap_err().problem, Problem::Syntax);
    let done = format!("{inside}data: [DONE]\n\n");
    assert_eq!(at_once(&Speech::Chat, &done, &[]).unwrap_err().problem, Problem::Syntax);
}

/// The body for the agent, and what was asked.
fn whole(body: &Value, refused: &[&str]) -> Result<(Value, Vec<String>), Problem> {
    let expected = Expected { speech: Speech::Chat, streamed: false, ..Expected::unread() };
    let answer = WholeAnswer::read(&expected, body.to_string().into(), &Bounds::default())
        .map_err(|unfit| unfit.problem)?;
    let (asked, judgements) =
        answer.questions().iter().map(|question| judged(question, refused)).unzip::<_, _, Vec<_>, _>();
    let told = answer.told(judgements).map_err(|unfit| unfit.problem)?;
    Ok((serde_json::from_slice(&told).unwrap(), asked))
}

#[test]
fn a_whole_answer_is_judged_as_a_stream_is() {
    let call = |name: &str, id: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let answer = |message: Value, reason: &str| json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": reason}]});
    let both = answer(
        json!({"role": "assistant", "content": null, "tool_calls": [call("refund", "a"), call("delete", "b")]}),
        "tool_calls",
    );
    assert_eq!(whole(&both, &[]).unwrap().0, both);
    let (told, asked) = whole(&both, &["delete"]).unwrap();
    assert_eq!(asked, [r#"refund {"args":{}}"#, r#"delete {"args":{}}"#]);
    let kept = json!({"role": "assistant", "content": "No: delete", "tool_calls": [call("refund", "a")]});
    assert_eq!(told, answer(kept, "tool_calls"));
    let (told, _) = whole(&both, &["refund", "delete"]).unwrap();
    assert_eq!(told, answer(json!({"role": "assistant", "content": "No: refund\n\nNo: delete"}), "stop"));

    let legacy =
        json!({"role": "assistant", "content": "So.", "function_call": {"name": "refund", "arguments": "{"}});
    let (told, asked) = whole(&answer(legacy, "function_call"), &[]).unwrap();
    assert!(asked[0].starts_with("unreadable"));
    assert_eq!(told, answer(json!({"role": "assistant", "content": "So.\n\nNo: unreadable"}), "stop"));

    let parts = json!({"role": "assistant", "content": [{"type": "text", "text": "So."}], "tool_calls": [
        {"id": "x", "type": "custom", "custom": {"name": "patch", "input": "+"}}]});
    let (told, _) = whole(&answer(parts, "tool_calls"), &["patch"]).unwrap();
    assert_eq!(told["choices"][0]["message"]["content"][1], json!({"type": "text", "text": "No: patch"}));

    for wrong in [
        json!({"choices": {}}),
        json!({"Choices": []}),
        json!({"choices": [{"delta": {}}]}),
        json!({"choices": [{"message": {"toolCalls": []}}]}),
        json!({"choices": [{"message": {"tool_calls": {}}}]}),
        json!({"choices": [{"message": {"tool_calls": [{"type": "robot"}]}}]}),
        json!({"choices": [{"message": {"tool_calls": [{"function": {"name": 7}}]}}]}),
        json!({"choices": [{"message": 7}]}),
    ] {
        assert!(whole(&wrong, &[]).is_err(), "{wrong}");
    }
}

#[test]
fn a_choice_of_a_tool_that_is_gone_goes_with_it() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let check = |before: Value, after: Value| {
        let text = before.to_string();
        let mut body = Reader::new(text.as_bytes(), &Bounds::default()).unwrap().whole().unwrap();
        super::tidy(&mut body);
        assert_eq!(serde_json::from_str::<Value>(&body.text()).unwrap(), after, "{before}");
    };
    check(json!({"tools": [], "tool_choice": "required", "parallel_tool_calls": true}), json!({}));
    check(json!({"functions": [], "function_call": "auto"}), json!({}));
    check(
        json!({"tools": [tool("a")], "tool_choice": tool("b")}),
        json!({"tools": [tool("a")], "tool_choice": "auto"}),
    );
    let allowed =
        |tools: Value| json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}});
    check(
        json!({"tools": [tool("a")], "tool_choice": allowed(json!([tool("a"), tool("b")]))}),
        json!({"tools": [tool("a")], "tool_choice": allowed(json!([tool("a")]))}),
    );
    check(
        json!({"tools": [tool("a")], "tool_choice": allowed(json!([tool("b")]))}),
        json!({"tools": [tool("a")], "tool_choice": "none"}),
    );
    check(
        json!({"functions": [{"name": "a"}], "function_call": {"name": "b"}}),
        json!({"functions": [{"name": "a"}], "function_call": "auto"}),
    );
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        stream in prop::sample::select(STREAMS.to_vec()),
        refused in prop::sample::select(vec!["nothing", "refund", "delete_order", "patch_file"]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let split = play(&Speech::Chat, cut(stream.as_bytes(), &cuts), &[refused]).unwrap();
        prop_assert_eq!(&split, &told(stream, &[refused]));
        messages(&split.text);
    }

    /// However a message is cut into deltas, it comes out as it went in, without what was refused.
    #[test]
    fn any_message_comes_out_whole(
        words in prop::collection::vec("[a-z“é]{0,4}", 0..4),
        calls in prop::collection::vec(("(refund|delete)", "[a-z]{0,8}"), 0..4),
        piece in 1..6_usize,
        refused in prop::sample::select(vec!["nothing", "refund", "delete", "e"]),
    ) {
        let chunk = |delta: Value, reason: Value| {
            let choices = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
            format!("data: {}\n\n", json!({"id": "chatcmpl-B9", "choices": choices}))
        };
        let mut stream = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
        words.iter().for_each(|word| stream += &chunk(json!({"content": word}), Value::Null));
        for (index, (name, text)) in calls.iter().enumerate() {
            let first = json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": ""}});
            stream += &chunk(json!({"tool_calls": [first]}), Value::Null);
            let arguments: Vec<char> = json!({"text": text}).to_string().chars().collect();
            for part in arguments.chunks(piece) {
                let part = json!({"index": index, "function": {"arguments": part.iter().collect::<String>()}});
                stream += &chunk(json!({"tool_calls": [part]}), Value::Null);
            }
        }
        let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
        stream += &chunk(json!({}), json!(reason));
        stream += "data: [DONE]\n\n";
        let after = told(&stream, &[refused]);
        let (message, reason) = &messages(&after.text)[0];
        let is_kept = |call: &&(String, String)| !call.0.contains(refused) && !call.1.contains(refused);
        let kept: Vec<_> = calls.iter().filter(is_kept).collect();
        let said = message["tool_calls"].as_array().cloned().unwrap_or_default();
        prop_assert_eq!(said.len(), kept.len());
        for (said, (name, text)) in said.iter().zip(kept) {
            prop_assert_eq!(said["function"]["name"].as_str(), Some(name.as_str()));
            let arguments: Value = serde_json::from_str(said["function"]["arguments"].as_str().unwrap()).unwrap();
            prop_assert_eq!(&arguments["text"], &json!(text));
        }
        prop_assert!(message["content"].as_str().unwrap().starts_with(&words.concat()));
        prop_assert_eq!(reason == "tool_calls", !said.is_empty());
    }
}
