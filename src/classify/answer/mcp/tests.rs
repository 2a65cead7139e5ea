//! Tests of what an MCP server answers.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::classify::answer::script::{Listed, Made};
use crate::classify::{AnswerForm, Expected, Reference, Speech, Step, WholeAnswer};
use crate::domain::Target;

const TOOLS: &str = include_str!("../../../../tests/corpus/answers/mcp/tools.json");
const SAMPLING: &str = include_str!("../../../../tests/corpus/answers/mcp/sampling.sse");
const INPUT: &str = include_str!("../../../../tests/corpus/answers/mcp/input.json");

fn exchange(method: &str) -> Exchange {
    let id = RawValue::from_string("1".to_owned()).unwrap();
    let asked = Asked { id, value: "1".to_owned(), method: method.to_owned(), of: Digest::of(b"call") };
    let server = UpstreamName::new("shop").unwrap();
    Exchange { server, asked: vec![asked], batch: false, open: false, stateless: true }
}

fn open() -> Exchange {
    Exchange { asked: Vec::new(), open: true, stateless: false, ..exchange("") }
}

fn expected(exchange: Exchange) -> Expected {
    Expected { speech: Speech::Mcp(exchange), ..Expected::unread() }
}

/// Lets the agent use these and nothing else.
fn judge(question: &Question, allowed: &[&str]) -> Judgement {
    let may = |target: &Target| allowed.contains(&target.to_string().as_str());
    match question {
        Question::Call(Made::Call(action)) if may(&action.target) => Judgement::Released,
        Question::Call(_) => Judgement::Refused { text: "no, because".to_owned() },
        Question::Listing(listed) => Judgement::Shown(
            listed
                .iter()
                .map(|entry| match entry {
                    Listed::Entry { action, .. } => may(&action.target),
                    Listed::Task { id, .. } => allowed.contains(&id.as_str()),
                    Listed::Unnamed => false,
                })
                .collect(),
        ),
        Question::Note(_) | Question::Model { .. } => Judgement::Released,
    }
}

fn whole(exchange: Exchange, body: &str, allowed: &[&str]) -> Result<(Vec<Question>, String), String> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let read = WholeAnswer::read(&expected(exchange), body, &Bounds::default()).map_err(|no| no.detail)?;
    let questions = read.questions().to_vec();
    let judgements = questions.iter().map(|question| judge(question, allowed)).collect();
    let told = read.told(judgements).map_err(|no| no.detail)?;
    Ok((questions, String::from_utf8(told.to_vec()).unwrap()))
}

fn streamed(exchange: Exchange, chunks: &[&[u8]], allowed: &[&str]) -> Result<String, String> {
    let form = expected(exchange).form(200, Some("text/event-stream; charset=utf-8"), &Bounds::default());
    let Ok(AnswerForm::Stream(mut reader)) = form else { panic!("no stream") };
    let mut chunks = chunks.iter();
    let mut out = Vec::new();
    loop {
        match reader.step().map_err(|no| no.detail)? {
            Step::Send(bytes) => out.extend_from_slice(&bytes),
            Step::Ask(question) => {
                reader.judged(judge(&question, allowed)).map_err(|no| no.detail)?;
            }
            Step::End => return Ok(String::from_utf8(out).unwrap()),
            Step::More => match chunks.next() {
                Some(chunk) => reader.push(Bytes::copy_from_slice(chunk)).map_err(|no| no.detail)?,
                None => reader.close().map_err(|no| no.detail)?,
            },
        }
    }
}

#[test]
fn a_list_is_told_without_what_the_agent_may_never_use() {
    let (_, told) = whole(exchange("tools/list"), TOOLS, &["shop.look"]).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let tools = told["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 1, "{told}");
    assert_eq!(tools[0]["description"], "Looks  at än order");
    assert_eq!(
        (told["result"]["nextCursor"].as_str(), told["result"]["cacheScope"].as_str()),
        (Some("p 2"), Some("private"))
    );
    let before = Exchange { stateless: false, ..exchange("tools/list") };
    let (_, told) = whole(before, TOOLS, &["shop.look"]).unwrap();
    assert!(told.contains("\"cacheScope\":\"public\""), "a revision without that word: {told}");
}

#[test]
fn a_list_of_permitted_entries_is_passed_on_to_the_byte() {
    let body = r#"{"jsonrpc": "2.0","id":1 ,"result":{"tools":[ {"name":"look","x":1.0} ]}}"#;
    let (_, told) = whole(exchange("tools/list"), body, &["shop.look"]).unwrap();
    assert_eq!(told, body);
}

#[test]
fn the_definition_of_a_tool_is_what_it_says_of_itself() {
    let digest = |tool: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tool}]}}}}"#);
        let (questions, _) = whole(exchange("tools/list"), &body, &[]).unwrap();
        let [Question::Listing(listed)] = questions.as_slice() else { panic!("{questions:?}") };
        let [Listed::Entry { definition, .. }] = listed.as_slice() else { panic!("{listed:?}") };
        definition.unwrap()
    };
    let first = digest(r#"{"name":"look","description":"a","inputSchema":{"max":10}}"#);
    assert_eq!(
        first,
        digest(r#"{"inputSchema":{"max":1e1},"_meta":{"n":2}, "description":"\u0061","name":"look"}"#)
    );
    assert_ne!(first, digest(r#"{"name":"look","description":"b","inputSchema":{"max":10}}"#));
    assert_ne!(first, digest(r#"{"name":"look","description":"a","inputSchema":{"max":11}}"#));
    assert_ne!(first, digest(r#"{"name":"look","description":"a","inputSchema":{"max":10},"icons":[]}"#));
}

#[test]
fn every_kind_of_list_is_filtered() {
    for (method, body, allowed, kept) in [
        ("prompts/list", r#""prompts":[{"name":"a"},{"name":"b"}]"#, "shop/a", r#""prompts":[{"name":"a"}]"#),
        (
            "resources/list",
            r#""resources":[{"uri":"FILE:///a"},{"uri":"file:///b"},{"uri":"file:///x/../b"}]"#,
            "shop/file:///a",
            r#""resources":[{"uri":"FILE:///a"}]"#,
        ),
        (
            "resources/templates/list",
            r#""resourceTemplates":[{"uriTemplate":"file:///a/{name}"},{"uriTemplate":"{+all}"}]"#,
            "shop/file:///a/x",
            r#""resourceTemplates":[{"uriTemplate":"file:///a/{name}"}]"#,
        ),
        (
            "tasks/list",
            r#""tasks":[{"taskId":"t-1"},{"taskId":"t-2"}]"#,
            "t-2",
            r#""tasks":[{"taskId":"t-2"}]"#,
        ),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{body}}}}}"#);
        let before = Exchange { stateless: false, ..exchange(method) };
        let (_, told) = whole(before, &body, &[allowed]).unwrap();
        assert_eq!(told, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{kept}}}}}"#), "{method}");
        // On a stream that may repeat answers of others, a list is known by its look.
        let event = format!("data: {body}\n\n");
        let told = streamed(open(), &[event.as_bytes()], &[allowed]).unwrap();
        assert!(told.contains(kept), "{method}: {told}");
    }
}

#[test]
fn an_endless_list_is_refused() {
    let tools = vec![r#"{"name":"a"}"#; 100_000].join(",");
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}]}}}}"#);
    let refused = whole(exchange("tools/list"), &body, &[]).unwrap_err();
    assert!(refused.contains("more than 10000 entries"), "{refused}");
    let event = format!("data: {body}\n\n");
    let refused = streamed(exchange("tools/list"), &[event.as_bytes()], &[]).unwrap_err();
    assert!(refused.contains("more than 10000 entries"), "{refused}");
}

#[test]
fn a_result_of_megabytes_passes() {
    let text = "x".repeat(8 << 20);
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#);
    assert_eq!(whole(exchange("tools/call"), &body, &[]).unwrap().1, body);
    let event = format!("data: {body}\n\n");
    assert_eq!(streamed(exchange("tools/call"), &[event.as_bytes()], &[]).unwrap(), event);
}

#[test]
fn what_has_to_be_judged_is_bounded_in_values() {
    let many = vec!["0"; 2 << 20].join(",");
    let with = |member: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"{member}":[{many}]}}}}"#);
    assert_eq!(whole(exchange("tools/call"), &with("content"), &[]).unwrap().1, with("content"));
    assert!(whole(exchange("tools/list"), &with("tools"), &[]).unwrap_err().contains("more values"));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for body in [
        "",
        "[]",
        "7",
        r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{"tools":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"Result":{"tools":[{"name":"drop"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"Tools":[{"name":"drop"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":{"name":"drop"}}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}"#,
        r#"{"jsonrpc":"2.0","result":{"tools":[]}}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{"tools":[]}}"#,
        r#"{"jsonrpc":"2.0","id":[1],"result":{"tools":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"inputRequests":[]}}"#,
    ] {
        if !body.is_empty() {
            assert!(whole(exchange("tools/list"), body, &["shop.drop"]).is_err(), "{body}");
        }
        let event = format!("data: {body}\n\n");
        let told = streamed(exchange("tools/list"), &[event.as_bytes()], &["shop.drop"]);
        assert_eq!(told.is_err(), !body.is_empty(), "{body}: {told:?}");
    }
    assert!(streamed(exchange("tools/list"), &[b"event: endpoint\ndata: /x\n\n"], &[]).is_err());
    assert_eq!(streamed(exchange("tools/list"), &[b"event: other\ndata: x\n\n"], &[]).unwrap(), "");
}

#[test]
fn what_carries_nothing_passes_whatever_it_is() {
    for body in [
        "{}",
        r#"{"error":"invalid_token"}"#,
        r#"{"jsonrpc":"2.0","id":9,"error":{"code":-1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"x"}}"#,
    ] {
        assert_eq!(whole(exchange("tools/list"), body, &[]).unwrap().1, body);
    }
}

#[test]
fn what_a_server_asks_is_judged_and_the_rest_flows() {
    let told = streamed(exchange("tools/call"), &[SAMPLING.as_bytes()], &["shop/sampling/createMessage"]);
    assert_eq!(told.unwrap(), SAMPLING);
    let told = streamed(exchange("tools/call"), &[SAMPLING.as_bytes()], &[]).unwrap();
    let without: Vec<&str> =
        SAMPLING.split_inclusive("\n\n").filter(|event| !event.contains("e-1")).collect();
    assert_eq!(told, without.concat());
    let ping = "data: {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n\n";
    assert_eq!(streamed(open(), &[ping.as_bytes()], &[]).unwrap(), ping);
    // Where the one answer should stand, nothing can be left out.
    let body = r#"{"jsonrpc":"2.0","id":3,"method":"roots/list"}"#;
    assert!(whole(exchange("tools/call"), body, &[]).is_err());
}

#[test]
fn a_result_that_wants_something_first_is_judged_whole() {
    let both = ["shop/elicitation/create", "shop/roots/list"];
    let (questions, told) = whole(exchange("tools/call"), INPUT, &both).unwrap();
    assert_eq!(told, INPUT);
    let [Question::Call(Made::Call(ask)), Question::Call(_), Question::Note(note)] = questions.as_slice()
    else {
        panic!("{questions:?}")
    };
    let url = ask.fields.at(&["args", "url"]).and_then(Json::as_str);
    assert_eq!(url, Some("https://evil.example/login"));
    let Reference::Retry { state, of, .. } = note else { panic!("{note:?}") };
    assert_eq!((*state, *of), (Some(Digest::of(b"opaque-1")), Digest::of(b"call")));
    let (_, told) = whole(exchange("tools/call"), INPUT, &both[..1]).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let result = &told["result"];
    assert_eq!((&result["isError"], &result["resultType"]), (&true.into(), &"complete".into()), "{told}");
    assert_eq!(result["content"][0]["text"], "no, because");
    assert_eq!(result.get("inputRequests"), None);
    let (_, told) = whole(exchange("resources/read"), INPUT, &[]).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["error"]["code"], &told["id"]), (&403_001.into(), &1.into()), "{told}");
    assert_eq!(told.get("result"), None);
}

#[test]
fn an_error_that_demands_a_visit_is_judged_too() {
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://evil.example"}]}}}"#;
    assert_eq!(whole(exchange("tools/call"), body, &["shop/elicitation/create"]).unwrap().1, body);
    let (_, told) = whole(exchange("tools/call"), body, &[]).unwrap();
    assert!(!told.contains("evil") && told.contains("no, because"), "{told}");
}

proptest! {
    #[test]
    fn chunks_do_not_matter(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let stream = format!("{SAMPLING}data: {}\n\n", INPUT.trim_end());
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        for allowed in [&[][..], &["shop/sampling/createMessage", "shop/elicitation/create", "shop/roots/list"]] {
            let told = streamed(exchange("tools/call"), &pieces, allowed).unwrap();
            prop_assert_eq!(&told, &streamed(exchange("tools/call"), &[bytes], allowed).unwrap());
            prop_assert_eq!(told == stream, !allowed.is_empty());
        }
    }
}
