//! Tools offered, calls made, calls carried out: one capability, one judgement.

use std::time::Duration;

use pactgate::approvals::{Said, Statement};
use pactgate::config;
use pactgate::domain::{ActionKind, Dialect, Reason};
use pactgate::evidence::{Effect, Kind, Record};
use serde_json::{Value, json};

use crate::answers::{PACT, answer, chat_stream, chunk, facing};
use crate::support::arena::{Arena, Ear, Way, post};

const CHAT: &str = "/openai/v1/chat/completions";

fn offering(names: &[&str]) -> String {
    let tools: Vec<Value> =
        names.iter().map(|name| json!({"type": "function", "function": {"name": name}})).collect();
    json!({"model": "small", "messages": [], "tools": tools}).to_string()
}

fn asked(streamed: bool) -> String {
    post(CHAT, &json!({"model": "small", "messages": [], "stream": streamed}).to_string())
}

/// A whole answer in which the model asks for these calls.
fn calls(calls: &[(&str, &str)]) -> Vec<u8> {
    let calls: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(n, (name, arguments))| {
            json!({"id": format!("call-{n}"), "type": "function", "function": {"name": name, "arguments": arguments}})
        })
        .collect();
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    json!({"id": "c-1", "object": "chat.completion", "model": "small",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7}})
    .to_string()
    .into_bytes()
}

fn made(records: &[Record]) -> Vec<(&str, Effect, Option<&str>)> {
    let tools = records.iter().filter(|record| record.action.kind == Some(ActionKind::Tool));
    tools
        .map(|record| {
            let clause = record.clauses.first().map(|clause| clause.as_str());
            (record.action.name.as_str(), record.effect, clause)
        })
        .collect()
}

#[tokio::test]
async fn a_tool_the_agent_may_never_call_is_not_offered_to_its_model() {
    let arena = facing(Ear::fine().await);
    arena
        .passes(
            "a mixed offer",
            Way::Reverse,
            post(CHAT, &offering(&["refund", "delete_all", "look", "stranger"])),
        )
        .await;
    let heard = arena.ear.heard();
    for kept in ["refund", "look"] {
        assert!(heard.contains(&format!("\"name\":\"{kept}\"")), "{kept}: {heard}");
    }
    for gone in ["delete_all", "stranger"] {
        assert!(!heard.contains(gone), "{gone}: {heard}");
    }
    let records = arena.records().await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].withheld, ["delete_all", "stranger"]);
}

#[tokio::test]
async fn with_the_last_tool_goes_the_choice_among_them() {
    let arena = facing(Ear::fine().await);
    let body = json!({"model": "small", "messages": [], "tool_choice": "required", "parallel_tool_calls": true,
        "temperature": 0.70, "tools": [{"type": "function", "function": {"name": "stranger"}}]});
    arena.passes("one tool", Way::Reverse, post(CHAT, &body.to_string())).await;
    let heard = arena.ear.heard();
    assert!(heard.ends_with(r#"{"messages":[],"model":"small","temperature":0.7}"#), "{heard}");
}

#[tokio::test]
async fn a_pact_may_refuse_the_request_instead() {
    let pact = PACT.replace("UNPERMITTED", "unpermitted_tools: refuse");
    let arena = Arena::built(Ear::fine().await, &pact, |_| {});
    let offer = post(CHAT, &offering(&["refund", "stranger"]));
    let answer = arena.send(Way::Reverse, offer).await;
    assert_eq!(answer.status(), 403, "{answer:?}");
    assert_eq!(arena.ear.heard(), "");
    let records = arena.records().await;
    assert_eq!(made(&records), [("stranger", Effect::Refused, None)]);
    arena.passes("permitted ones", Way::Reverse, post(CHAT, &offering(&["refund", "look"]))).await;
}

#[tokio::test]
async fn a_tool_of_the_providers_is_taken_out_or_judged() {
    let arena = facing(Ear::fine().await);
    let body = json!({"model": "small", "messages": [],
        "tools": [{"type": "code_interpreter"}, {"type": "web_search"}, {"type": "mcp", "server_label": "evil"}]});
    arena.passes("hosted tools", Way::Reverse, post(CHAT, &body.to_string())).await;
    let heard = arena.ear.heard();
    assert!(heard.ends_with(r#"{"messages":[],"model":"small","tools":[{"type":"web_search"}]}"#), "{heard}");
    let records = arena.records().await;
    let kinds: Vec<_> = records.iter().map(|record| (record.action.kind, record.effect)).collect();
    assert_eq!(
        kinds,
        [(Some(ActionKind::Model), Effect::Sent), (Some(ActionKind::HostedTool), Effect::Sent)]
    );
    assert_eq!(records[0].withheld, ["openai/code_interpreter", "openai/mcp"]);
}

#[tokio::test]
async fn a_call_that_a_model_makes_is_judged_before_the_agent_sees_it() {
    let body = calls(&[
        ("refund", r#"{"amount":80}"#),
        ("shop__refund", r#"{"amount":5000}"#),
        ("delete_all", "{}"),
    ]);
    let arena = facing(Ear::answering(answer("application/json", "", &body), false).await);
    let got = arena.passes("a call to a model", Way::Reverse, asked(false)).await;
    let said: Value = serde_json::from_str(got.body()).unwrap();
    let message = &said["choices"][0]["message"];
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!(
        message["tool_calls"][0]["function"],
        json!({"name": "refund", "arguments": "{\"amount\":80}"})
    );
    assert_eq!(said["choices"][0]["finish_reason"], "tool_calls");
    let text = message["content"].as_str().unwrap();
    assert_eq!(text.matches("refused by Pactgate").count(), 2, "{text}");
    let records = arena.records().await;
    assert_eq!(
        made(&records),
        [
            ("refund", Effect::Sent, Some("refund-small")),
            ("shop__refund", Effect::Refused, None),
            ("delete_all", Effect::Refused, Some("never-delete")),
        ]
    );
    let parent =
        &records.iter().find(|record| record.action.kind == Some(ActionKind::Model)).unwrap().decision;
    for record in records.iter().filter(|record| record.action.kind == Some(ActionKind::Tool)) {
        assert_eq!(record.parent.as_ref(), Some(parent));
        assert_eq!(record.action.dialect, Dialect::OpenAi);
    }
}

#[tokio::test]
async fn an_answer_without_a_refused_call_is_passed_on_to_the_byte() {
    let spaced = String::from_utf8(calls(&[("refund", r#"{"amount":80}"#)])).unwrap().replace(',', " ,\t");
    let arena = facing(Ear::answering(answer("application/json", "", spaced.as_bytes()), false).await);
    let got = arena.passes("a call to a model", Way::Reverse, asked(false)).await;
    assert_eq!(got.body(), spaced);
}

#[tokio::test]
async fn arguments_that_are_no_json_are_refused_and_recorded() {
    for arguments in
        ["{\"amount\":80", "[80]", "\"80\"", "{\"amount\":80,\"amount\":5000}", "{\"amount\":80} {}"]
    {
        let body = calls(&[("refund", arguments)]);
        let arena = facing(Ear::answering(answer("application/json", "", &body), false).await);
        let got = arena.passes("a call to a model", Way::Reverse, asked(false)).await;
        assert!(!got.body().contains("tool_calls"), "{arguments}: {got:?}");
        let records = arena.records().await;
        let attempt = records.iter().find(|record| record.kind == Kind::Refused).unwrap();
        assert_eq!(attempt.reason, Some(Reason::Unreadable), "{arguments}");
        assert_eq!(attempt.action.name, "tool call `refund`");
    }
}

#[tokio::test]
async fn a_streamed_call_is_held_whole_and_text_flows() {
    let start = json!([{"index": 0, "id": "call-0", "type": "function", "function": {"name": "refund", "arguments": ""}}]);
    let piece =
        |text: &str| chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}), None);
    for (amount, released) in [("80", true), ("5000", false)] {
        let stream = chat_stream(&[
            chunk(json!({"role": "assistant", "content": "Let me see."}), None),
            chunk(json!({"tool_calls": start}), None),
            piece("{\"amo"),
            piece(&format!("unt\":{amount}}}")),
            chunk(json!({}), Some("tool_calls")),
        ]);
        let ear = Ear::answering(answer("text/event-stream", "", stream.as_bytes()), true).await;
        let arena = facing(ear);
        let got = arena.passes("a stream", Way::Reverse, asked(true)).await;
        assert!(got.body().contains("Let me see."));
        assert_eq!(got.body().contains("call-0"), released, "{got:?}");
        assert_eq!(got.body().contains("refused by Pactgate"), !released, "{got:?}");
        assert_eq!(got.body().contains("\"finish_reason\":\"stop\""), !released, "{got:?}");
        assert!(got.body().contains("[DONE]"));
    }
}

fn carried_out(amount: u64) -> [String; 2] {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "refund", "arguments": {"amount": amount}}});
    [post("/shop/mcp", &message.to_string()), post("/web/refunds", &json!({"amount": amount}).to_string())]
}

/// Two refunds an hour: one that a model asks for and the agent carries out is one of them.
#[tokio::test]
async fn a_call_is_counted_once_when_the_agent_carries_it_out() {
    let body = calls(&[("refund", r#"{"amount":80}"#)]);
    let arena = facing(Ear::answering(answer("application/json", "", &body), false).await);
    let [mcp, http] = carried_out(80);
    arena.passes("the model asks", Way::Reverse, asked(false)).await;
    let got = arena.send(Way::Reverse, mcp).await;
    assert!(!got.body().contains("refused"), "{got:?}");
    arena.passes("the model asks again", Way::Reverse, asked(false)).await;
    arena.passes("and in the other form", Way::Reverse, http.clone()).await;
    let records = arena.records().await;
    let tools: Vec<_> = records.iter().filter(|record| record.action.capability.is_some()).collect();
    assert_eq!(tools.len(), 4, "{records:?}");
    assert_eq!(tools[1].parent.as_ref(), Some(&tools[0].decision));
    assert_eq!(tools[3].parent.as_ref(), Some(&tools[2].decision));
    let answer = arena.send(Way::Reverse, http).await;
    assert_eq!(answer.status(), 429, "the third one: {answer:?}");
}

#[tokio::test]
async fn a_call_that_was_asked_about_is_not_asked_about_again() {
    let body = calls(&[("refund", r#"{"amount":500}"#)]);
    let ear = Ear::answering(answer("application/json", "", &body), false).await;
    let pact = PACT.replace("UNPERMITTED", "");
    let patient = |config: &mut config::Sidecar| config.approvals.patience = Duration::from_secs(60);
    let arena = Arena::built(ear, &pact, patient);
    let (got, ()) = tokio::join!(arena.send(Way::Reverse, asked(false)), grant(&arena));
    assert!(got.body().contains("call-0"), "{got:?}");
    let [_, http] = carried_out(500);
    arena.passes("carried out", Way::Reverse, http).await;
    assert!(arena.sidecar.rooms.desk.questions().iter().all(|question| question.state != "pending"));
    let (got, ()) = {
        let [_, http] = carried_out(500);
        tokio::join!(arena.send(Way::Reverse, http), refuse(&arena))
    };
    assert_eq!(got.status(), 403, "another one is asked about anew: {got:?}");
}

async fn grant(arena: &Arena) {
    say(arena, Said::Granted).await;
}

async fn refuse(arena: &Arena) {
    say(arena, Said::Refused).await;
}

async fn say(arena: &Arena, said: Said) {
    let desk = &arena.sidecar.rooms.desk;
    let asked = loop {
        if let Some(open) = desk.questions().into_iter().find(|open| open.state == "pending") {
            break open.asked;
        }
        tokio::task::yield_now().await;
    };
    let statement = Statement {
        approval: asked.id.clone(),
        said,
        by: "alice".to_owned(),
        why: "because".to_owned(),
        agent: asked.question.agent.clone(),
        args_digest: asked.question.args_digest,
        pact_digest: asked.question.pact_digest,
        expires_at: asked.expires_at,
    };
    desk.answer(statement).unwrap();
}

/// What a model asks for is judged by its arguments. Where the pact leaves the address open, they are not all of the call.
#[tokio::test]
async fn a_call_with_more_to_it_than_its_arguments_is_counted_apart() {
    let body = calls(&[("refund", r#"{"amount":80}"#)]);
    for (pattern, target, passes) in [
        ("http: POST http://EAR/web/refunds", "/web/refunds", true),
        ("http: POST http://EAR/web/*", "/web/refunds", false),
        ("http: \"* http://EAR/web/refunds\"", "/web/refunds", false),
        ("http: POST http://EAR/web/refunds", "/web/refunds?to=me", false),
    ] {
        let pact = PACT.replace("UNPERMITTED", "").replace("http: POST http://EAR/web/refunds", pattern);
        let ear = Ear::answering(answer("application/json", "", &body), false).await;
        let arena = Arena::built(ear, &pact, |_| {});
        let carried_out = post(target, r#"{"amount":80}"#);
        arena.passes("the model asks", Way::Reverse, asked(false)).await;
        arena.passes("carried out", Way::Reverse, carried_out).await;
        let again = arena.passes("the model asks again", Way::Reverse, asked(false)).await;
        assert_eq!(again.body().contains("call-0"), passes, "{pattern} {target}: {again:?}");
    }
}
