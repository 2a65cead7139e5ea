//! Messages as the API streams them: what goes on, what is held, and what stands in place of a refused call.

use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::classify::{
    AnswerForm, Bounds, Expected, Hosted, Judgement, Made, Problem, Question, Speech, Step, Unfit,
    WholeAnswer,
};
use crate::domain::{Action, Dialect, Json, Target};

const NO: &str = "refused: \"no\"";
const STREAMS: [&str; 9] = [
    "text",
    "parallel_calls",
    "web_search",
    "mcp",
    "code_execution",
    "paused",
    "overloaded",
    "fallback",
    "compaction",
];

fn corpus(name: &str) -> String {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/answers/anthropic/");
    fs::read_to_string([place, name].concat()).unwrap()
}

fn stream(name: &str) -> String {
    corpus(&format!("{name}.sse"))
}

fn hosted(name: &str, target: &str, said: Json) -> Hosted {
    let target = Target::HostedTool { provider: "claude".to_owned(), name: target.to_owned() };
    let fields = Json::object([("definition", said)]);
    Hosted { name: name.to_owned(), action: Action { target, fields, dialect: Dialect::Anthropic } }
}

/// The answer to a call that offered a search, code and an MCP server.
fn expected(streamed: bool) -> Expected {
    let nothing = || Json::Object(Vec::new());
    let url = Json::object([("url", Json::text_of("https://docs.example"))]);
    Expected {
        speech: Speech::Anthropic,
        streamed,
        model: Some(("claude".to_owned(), "claude-sonnet-5".to_owned())),
        provider: "claude".to_owned(),
        hosted: vec![
            hosted("web_search", "web_search_20260318", nothing()),
            hosted("code_execution", "code_execution_20260521", nothing()),
            hosted("bash_code_execution", "code_execution_20260521", nothing()),
            hosted("mcp/docs", "mcp/docs", url),
        ],
        ..Expected::unread()
    }
}

/// What was asked, as a judge reads it.
fn shown(question: &Question) -> String {
    match question {
        Question::Call(Made::Call(action)) => {
            format!("{} {} {}", action.target.kind().name(), action.target, action.fields.canonical())
        }
        Question::Call(Made::Unreadable { attempted, detail }) => format!("unreadable {attempted}: {detail}"),
        Question::Model { provider, model } => format!("model {provider}/{model}"),
        Question::Listing(_) | Question::Note(_) => panic!("no model gives that"),
    }
}

/// What the agent gets, what the judge was asked, and why it was cut.
#[derive(Debug, PartialEq)]
struct Heard {
    text: String,
    asked: Vec<String>,
    cut: Option<Unfit>,
}

/// Reads a stream in chunks; a call whose question contains one of `refused` is refused.
fn hear<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, refused: &[&str]) -> Heard {
    hear_as(&expected(true), chunks, refused)
}

fn hear_as<'a>(expected: &Expected, chunks: impl IntoIterator<Item = &'a [u8]>, refused: &[&str]) -> Heard {
    let form = expected.form(200, Some("text/event-stream"), &Bounds::default());
    let Ok(AnswerForm::Stream(mut reader)) = form else { panic!("a stream is read as one") };
    let mut heard = Heard { text: String::new(), asked: Vec::new(), cut: None };
    let mut chunks = chunks.into_iter();
    let mut read = || -> Result<(), Unfit> {
        loop {
            match reader.step()? {
                Step::Send(bytes) => heard.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Step::Ask(question) => {
                    let asked = shown(&question);
                    let is_refused = refused.iter().any(|part| asked.contains(part));
                    heard.asked.push(asked);
                    reader.judged(match is_refused {
                        true => Judgement::Refused { text: NO.to_owned() },
                        false => Judgement::Released,
                    })?;
                }
                Step::More => match chunks.next() {
                    Some(chunk) => reader.push(bytes::Bytes::copy_from_slice(chunk))?,
                    None => reader.close()?,
                },
                Step::End => return Ok(()),
            }
        }
    };
    let cut = read().err();
    heard.cut = cut;
    heard
}

/// The message that a client puts together, as strictly as the strictest of them.
fn accumulated(text: &str) -> Value {
    let mut message = Value::Null;
    let mut pieces = String::new();
    let mut open = None;
    let mut is_over = false;
    for event in text.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let kind = data["type"].as_str().unwrap();
        assert_eq!(name, format!("event: {kind}"));
        assert!(!is_over, "{event}");
        let content = |message: &Value| message["content"].as_array().unwrap().len();
        match kind {
            "message_start" => message = data["message"].clone(),
            "content_block_start" => {
                assert_eq!((data["index"].as_u64().unwrap() as usize, open), (content(&message), None));
                open = Some(content(&message));
                pieces.clear();
                message["content"].as_array_mut().unwrap().push(data["content_block"].clone());
            }
            "content_block_delta" => {
                let at = open.filter(|open| data["index"] == json!(open)).expect("an open block");
                let block = &mut message["content"][at];
                let delta = &data["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => {
                        let text =
                            [block["text"].as_str().unwrap(), delta["text"].as_str().unwrap()].concat();
                        block["text"] = json!(text);
                    }
                    "input_json_delta" => pieces.push_str(delta["partial_json"].as_str().unwrap()),
                    _ => {}
                }
            }
            "content_block_stop" => {
                let at = open.take().expect("an open block");
                assert_eq!(data["index"], json!(at));
                if !pieces.is_empty() {
                    message["content"][at]["input"] = serde_json::from_str(&pieces).unwrap();
                }
            }
            "message_delta" => message["stop_reason"] = data["delta"]["stop_reason"].clone(),
            "message_stop" => is_over = true,
            "ping" => {}
            other => panic!("{other}"),
        }
    }
    assert!(is_over && open.is_none(), "{text}");
    message
}

/// Type and name or text of each block, and why the message ended.
fn told(text: &str) -> (Vec<String>, String) {
    let message = accumulated(text);
    let block = |block: &Value| {
        let said = ["name", "text"].iter().find_map(|name| block[*name].as_str()).unwrap_or_default();
        format!("{} {said}", block["type"].as_str().unwrap())
    };
    let blocks = message["content"].as_array().unwrap().iter().map(block).collect();
    (blocks, message["stop_reason"].as_str().unwrap().to_owned())
}

#[test]
fn what_is_released_is_what_came() {
    for name in STREAMS {
        let text = stream(name);
        let heard = hear([text.as_bytes()], &[]);
        assert_eq!(heard.cut, None, "{name}");
        // A ping inside a call goes ahead of it; nothing else moves.
        let sorted = |text: &str| {
            let (pings, rest): (Vec<_>, Vec<_>) =
                text.split_inclusive("\n\n").partition(|event| event.starts_with("event: ping"));
            (rest.concat(), pings.concat())
        };
        assert_eq!(sorted(&heard.text), sorted(&text), "{name}");
    }
}

#[test]
fn calls_are_asked_with_all_they_say() {
    let asked = |name: &str| hear([stream(name).as_bytes()], &[]).asked;
    assert!(asked("text").is_empty() && asked("compaction").is_empty() && asked("overloaded").is_empty());
    assert_eq!(
        asked("parallel_calls"),
        [r#"tool look {"args":{"order":"A-7731"}}"#, r#"tool refund {"args":{"amount":80.5,"why":"läte"}}"#]
    );
    assert_eq!(
        asked("web_search"),
        [r#"hosted_tool claude/web_search_20260318 {"args":{"query":"weather NYC today"},"definition":{}}"#]
    );
    assert_eq!(
        asked("mcp"),
        [
            r#"hosted_tool claude/mcp/docs/search {"args":{"q":"limits"},"definition":{"url":"https://docs.example"}}"#
        ]
    );
    assert_eq!(
        asked("code_execution"),
        [
            r#"hosted_tool claude/code_execution_20260521 {"args":{},"definition":{}}"#,
            r#"hosted_tool claude/code_execution_20260521 {"args":{"command":"rm -rf /tmp/x"},"definition":{}}"#,
            r#"hosted_tool claude/container_upload {"args":{"file_id":"file_011CNha8iCJcU1wXNR6q4V8w"}}"#,
            r#"hosted_tool claude/code_execution_20260521 {"args":{"code":"await look()"},"definition":{}}"#,
            r#"tool look {"args":{"order":"A-1"}}"#,
        ]
    );
    assert_eq!(
        asked("paused"),
        [r#"hosted_tool claude/web_search_20260318 {"args":{"query":"all of it"},"definition":{}}"#]
    );
    assert_eq!(asked("fallback"), ["model claude/claude-haiku-5"]);
}

#[test]
fn a_refused_call_becomes_text_at_its_place() {
    let check = |name: &str, refused: &[&str], blocks: &[&str], stop: &str| {
        let heard = hear([stream(name).as_bytes()], refused);
        assert_eq!(heard.cut, None, "{name}");
        let (told, reason) = told(&heard.text);
        assert_eq!(
            (told, reason.as_str()),
            (blocks.iter().map(|b| (*b).to_owned()).collect(), stop),
            "{name}"
        );
    };
    let no = format!("text {NO}");
    let no = no.as_str();
    let gone = "text The result of the refused call was withheld.";
    let lead = ["thinking ", "redacted_thinking ", "text Let me look, and refund."];
    let calls = |first, second| [lead[0], lead[1], lead[2], first, second];
    let (look, refund) = ("tool_use look", "tool_use refund");
    check("parallel_calls", &["tool look"], &calls(no, refund), "tool_use");
    check("parallel_calls", &["tool refund"], &calls(look, no), "tool_use");
    check("parallel_calls", &["tool "], &calls(no, no), "end_turn");
    check("web_search", &["hosted"], &["text I will search.", no, gone, "text Sunny."], "end_turn");
    check("mcp", &["hosted"], &["mcp_tool_listing ", no, gone, "text Done."], "end_turn");
    check("paused", &["hosted"], &["text Searching.", no], "end_turn");
    check(
        "code_execution",
        &["rm -rf", "file_id"],
        &["code_execution_tool_result ", no, gone, no, "server_tool_use code_execution", "tool_use look"],
        "tool_use",
    );
}

#[test]
fn what_cannot_be_read_without_doubt_is_cut() {
    let calls = stream("parallel_calls");
    let check = |what: &str, text: &str, problem: Problem| {
        let heard = hear([text.as_bytes()], &[]);
        assert_eq!(heard.cut.map(|unfit| unfit.problem), Some(problem), "{what}");
        assert!(!heard.text.contains("refund\""), "{what}: {}", heard.text);
    };
    let changed = |from: &str, to: &str| {
        assert!(calls.contains(from), "{from}");
        calls.replacen(from, to, 1)
    };
    let (before, _) = calls.split_once(r#"{"type":"content_block_stop","index":4}"#).unwrap();
    let before = before.rsplit_once("event: ").unwrap().0;
    check("ended inside a call", before, Problem::Syntax);
    let name = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":4";
    check("another name", &changed(name, &name.replacen("block_delta", "block_stop", 1)), Problem::Conflict);
    check("no name", &changed(name, name.split_once('\n').unwrap().1), Problem::Conflict);
    let start = r#"index":4,"content_block":{"type":"tool_use""#;
    check("an index that goes back", &changed(start, &start.replace('4', "3")), Problem::Conflict);
    check("an index that leaps", &changed(start, &start.replace('4', "5")), Problem::Conflict);
    check("an unknown block", &changed(start, &start.replace("tool_use", "tool_run")), Problem::Conflict);
    check(
        "another case",
        &changed(start, &start.replace("\"type\":\"tool", "\"Type\":\"tool")),
        Problem::DuplicateKey,
    );
    check(
        "a block in a block",
        &changed("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":3}\n\n", ""),
        Problem::Conflict,
    );
    check(
        "an unknown event",
        &changed(name, &name.replace("content_block_delta", "content_block_more")),
        Problem::Conflict,
    );
    check(
        "input for a text",
        &changed(r#""text_delta","text":"Let me look, ""#, r#""input_json_delta","partial_json":"{}""#),
        Problem::Conflict,
    );
    check(
        "a name twice",
        &changed(r#""name":"refund""#, r#""name":"refund","name":"look""#),
        Problem::DuplicateKey,
    );
    check(
        "content from the start",
        &changed(r#""content":[]"#, r#""content":[{"type":"tool_use"}]"#),
        Problem::Conflict,
    );
    check(
        "a second message",
        &changed("event: ping\n", &format!("{}event: ping\n", calls.split_inclusive("\n\n").next().unwrap())),
        Problem::Conflict,
    );
    let late = calls.replace("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", "");
    let block = stream("paused").split_inclusive("\n\n").nth(1).unwrap().replace('0', "5");
    check_only(&format!("{late}{block}"), Problem::Conflict);
    let fake = stream("code_execution").replace("srvtoolu_01B\",\"name", "srvtoolu_01A\",\"name");
    check_only(&fake, Problem::Conflict);
}

#[track_caller]
fn check_only(text: &str, problem: Problem) {
    assert_eq!(hear([text.as_bytes()], &[]).cut.map(|unfit| unfit.problem), Some(problem), "{text}");
}

#[test]
fn the_model_that_answers_is_the_one_that_the_message_names() {
    let ping = "event: ping\ndata: {\"type\":\"ping\",\"model\":\"claude-sonnet-5\"}\n\n";
    let other = stream("text").replace("claude-sonnet-5", "claude-opus-5");
    let heard = hear([ping.as_bytes(), other.as_bytes()], &[]);
    assert_eq!(heard.asked, ["model claude/claude-opus-5"]);
    let fallbacks = |others: &[&str]| {
        let others = others.iter().map(|name| (*name).to_owned()).collect();
        Expected { others, ..expected(true) }
    };
    let handed_over = stream("fallback");
    let listed = hear_as(&fallbacks(&["claude-haiku-5"]), [handed_over.as_bytes()], &[]);
    assert!(listed.asked.is_empty(), "it was judged with the request: {listed:?}");
    let chosen = hear_as(&fallbacks(&["default"]), [handed_over.as_bytes()], &[]);
    assert_eq!(chosen.asked, ["model claude/claude-haiku-5"], "whoever the provider chose");
    let dated = stream("text").replace("claude-sonnet-5", "claude-sonnet-5-20260801");
    assert!(hear([dated.as_bytes()], &[]).asked.is_empty());
}

#[test]
fn input_that_is_no_object_is_unreadable_and_goes() {
    let calls = stream("parallel_calls");
    for (wrong, says) in [(r#"0.50, \"why\""#, "syntax"), (r#"0, \"Amount\": 1, \"why\""#, "duplicate-key")] {
        let text = match says {
            "syntax" => calls.replace(wrong, r#"0.50, why"#),
            _ => calls.replace(r#"0.50, \"why\""#, wrong),
        };
        assert_ne!(text, calls);
        let heard = hear([text.as_bytes()], &["unreadable"]);
        assert!(heard.asked[1].starts_with("unreadable tool call `refund`") && heard.asked[1].contains(says));
        assert_eq!(told(&heard.text).0.last().unwrap(), &format!("text {NO}"));
    }
    let both = stream("paused").replace(
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\
         \"input_json_delta\",\"partial_json\":\"{}\"}}\n\nevent: content_block_stop\ndata: {\"type\":\
         \"content_block_stop\",\"index\":1}",
    );
    assert!(hear([both.as_bytes()], &[]).asked[0].starts_with("unreadable"), "two inputs");
}

#[test]
fn more_is_not_held_than_the_bound() {
    let bounds = Bounds { decoded_bytes: 4 << 10, ..Bounds::default() };
    let form = expected(true).form(200, Some("text/event-stream"), &bounds);
    let Ok(AnswerForm::Stream(mut reader)) = form else { panic!("a stream is read as one") };
    let calls = stream("parallel_calls");
    let (head, _) = calls.split_once("event: ping").unwrap();
    let piece = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\
                 \"input_json_delta\",\"partial_json\":\" \"}}\n\n";
    let mut cut = None;
    for text in std::iter::once(head).chain(std::iter::repeat_n(piece, 100)) {
        reader.push(bytes::Bytes::copy_from_slice(text.as_bytes())).unwrap();
        loop {
            match reader.step() {
                Ok(Step::Send(_)) => {}
                Ok(_) => break,
                Err(unfit) => {
                    cut = Some(unfit.problem);
                    break;
                }
            }
        }
        if cut.is_some() {
            break;
        }
    }
    assert_eq!(cut, Some(Problem::TooLarge));
}

fn whole(text: &str, refused: &[&str]) -> (String, Vec<String>) {
    let body = bytes::Bytes::copy_from_slice(text.as_bytes());
    let read = WholeAnswer::read(&expected(false), body, &Bounds::default()).unwrap();
    let asked: Vec<String> = read.questions().iter().map(shown).collect();
    let judge = |asked: &String| match refused.iter().any(|part| asked.contains(part)) {
        true => Judgement::Refused { text: NO.to_owned() },
        false => Judgement::Released,
    };
    let told = read.told(asked.iter().map(judge).collect()).unwrap();
    (String::from_utf8(told.to_vec()).unwrap(), asked)
}

#[test]
fn a_whole_message_is_judged_block_by_block() {
    let text = corpus("whole.json");
    let (told, asked) = whole(&text, &[]);
    assert_eq!(told, text);
    assert_eq!(
        asked,
        [
            r#"tool look {"args":{"order":"A-1"}}"#,
            r#"hosted_tool claude/web_search_20260318 {"args":{"query":"x"},"definition":{}}"#,
            r#"tool refund {"args":{"amount":80.5}}"#,
        ]
    );
    let blocks = |refused: &[&str]| {
        let message: Value = serde_json::from_str(&whole(&text, refused).0).unwrap();
        let kinds =
            message["content"].as_array().unwrap().iter().map(|block| block["type"].clone()).collect();
        (Value::Array(kinds), message["stop_reason"].clone())
    };
    let kinds = json!(["text", "tool_use", "text", "text", "text"]);
    assert_eq!(blocks(&["refund", "hosted"]), (kinds, json!("tool_use")));
    let kinds = json!(["text", "text", "server_tool_use", "web_search_tool_result", "text"]);
    assert_eq!(blocks(&["tool look", "refund"]), (kinds, json!("end_turn")));
}

#[test]
fn a_whole_message_that_says_two_things_is_refused() {
    for (from, to) in [
        (r#""type": "tool_use""#, r#""type": "tool_run""#),
        (r#""stop_reason""#, r#""Content": [], "stop_reason""#),
        (r#""name": "look""#, r#""name": "look", "Name": "refund""#),
        (r#""name": "look""#, r#""name": ["look"]"#),
    ] {
        let text = corpus("whole.json").replacen(from, to, 1);
        let read = WholeAnswer::read(&expected(false), text.into(), &Bounds::default());
        assert!(read.is_err(), "{to}");
    }
    let (_, asked) = whole(&corpus("whole.json").replacen(r#"{"order""#, r#"{"Order": 1, "order""#, 1), &[]);
    assert!(asked[0].starts_with("unreadable"), "{asked:?}");
    let counted = r#"{"input_tokens": 14}"#;
    assert_eq!(whole(counted, &[]), (counted.to_owned(), Vec::new()));
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        which in prop::sample::select(STREAMS.to_vec()),
        refused in prop::sample::subsequence(vec!["tool look", "tool refund", "hosted", "file_id"], 0..=4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let text = stream(which);
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        let split = hear(pieces, &refused);
        prop_assert_eq!(&split, &hear([bytes], &refused));
        prop_assert_eq!(&split, &hear(bytes.chunks(1), &refused));
        if which != "overloaded" {
            accumulated(&split.text);
        }
    }
}
