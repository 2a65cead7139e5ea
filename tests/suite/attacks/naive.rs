//! What breaks a naive enforcing proxy, item by item: the tools that hide, the calls that travel in pieces, the state
//! that somebody else holds. One test for each, over the dialects that have it.

use pactgate::domain::ActionKind;
use pactgate::evidence::{Effect, Kind};
use serde_json::json;

use crate::answers::{PACT, answer, chat_stream, chunk};
use crate::support::arena::{Arena, Ear, Way, post, request};

const CHAT: &str = "/openai/v1/chat/completions";
const RESPONSES: &str = "/openai/v1/responses";
const MESSAGES: &str = "/claude/v1/messages";
const GEMINI: &str = "/gemini/v1beta/models/flash:generateContent";

fn pact() -> String {
    PACT.replace("UNPERMITTED", "").replace("anthropic/haiku]", "anthropic/haiku, gemini/flash]")
}

async fn arena() -> Arena {
    Arena::built(Ear::fine().await, &pact(), |_| {})
}

/// Sends each body; whatever becomes of it, the upstream never hears of `wipe`, nor of a call that was refused.
async fn never_hears_of(bodies: &[(&str, &str)]) {
    let arena = arena().await;
    for (target, body) in bodies {
        let heard = arena.ear.heard().len();
        let answer = arena.send(Way::Reverse, post(target, body)).await;
        assert!(matches!(answer.status(), 200 | 400 | 403), "{body}: {answer:?}");
        let heard = arena.ear.heard().split_off(heard);
        assert!(!heard.contains("wipe"), "{body} went out as {heard}");
        assert_eq!(heard.is_empty(), answer.status() != 200, "{body}: {answer:?}, heard {heard}");
    }
}

/// Sends each body: it is refused with that reason, on record, and unheard.
async fn refuses(bodies: &[(&str, &str)], reason: &str) {
    let arena = arena().await;
    for (target, body) in bodies {
        let heard = arena.ear.heard();
        let before = arena.records().await.len();
        let answer = arena.send(Way::Reverse, post(target, body)).await;
        assert!(matches!(answer.status(), 400 | 403), "{body}: {answer:?}");
        assert_eq!(arena.ear.heard(), heard, "{body}");
        let records = arena.records().await;
        let told: Vec<_> =
            records[before..].iter().filter_map(|record| record.reason.map(|reason| reason.name())).collect();
        assert!(told.contains(&reason), "{body}: {told:?}");
    }
}

#[tokio::test]
async fn item_1_tools_that_do_not_stand_in_the_top_level_list() {
    never_hears_of(&[
        (CHAT, r#"{"model":"small","messages":[],"functions":[{"name":"wipe"}]}"#),
        (CHAT, r#"{"model":"small","messages":[],"tools":[{"type":"custom","custom":{"name":"wipe"}}]}"#),
        (RESPONSES, r#"{"model":"small","input":[{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"wipe"}]}]}"#),
        (RESPONSES, r#"{"model":"small","input":[{"type":"tool_search_output","call_id":"c","tools":[{"type":"function","name":"wipe"}]}]}"#),
        (RESPONSES, r#"{"model":"small","input":"x","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"wipe"}]}]}"#),
        (RESPONSES, r#"{"model":"small","input":"x","tools":[{"type":"programmatic_tool_calling","name":"wipe"}]}"#),
        (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_addition","tool":{"name":"wipe","input_schema":{}}}]}]}"#),
        (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_definition","name":"wipe","input_schema":{}}]}]}"#),
        (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[],"tools":[{"type":"mcp_toolset","mcp_server_name":"wipe"}],"mcp_servers":[{"type":"url","name":"wipe","url":"https://wipe.example"}]}"#),
        (GEMINI, r#"{"contents":[],"tools":[{"mcpServers":[{"name":"wipe"}]}]}"#),
        (GEMINI, r#"{"contents":[],"tools":[{"function_declarations":[{"name":"wipe"}]}]}"#),
    ])
    .await;
}

#[tokio::test]
async fn item_2_tools_that_the_provider_runs() {
    never_hears_of(&[
        (RESPONSES, r#"{"model":"small","input":"x","tools":[{"type":"mcp","server_label":"wipe","server_url":"https://wipe.example"}]}"#),
        (RESPONSES, r#"{"model":"small","input":"x","tools":[{"type":"code_interpreter","container":{"type":"auto","x":"wipe"}}]}"#),
        (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[],"tools":[{"type":"web_fetch_20260318","name":"wipe"}]}"#),
        (GEMINI, r#"{"contents":[],"tools":[{"codeExecution":{"x":"wipe"}}]}"#),
        (GEMINI, r#"{"contents":[],"tools":[{"urlContext":{"x":"wipe"}}]}"#),
    ])
    .await;
}

#[tokio::test]
async fn item_3_state_that_the_provider_holds() {
    refuses(
        &[
            (RESPONSES, r#"{"model":"small","input":"x","previous_response_id":"resp_1"}"#),
            (RESPONSES, r#"{"model":"small","input":"x","conversation":"conv_1"}"#),
            (RESPONSES, r#"{"model":"small","input":"x","prompt":{"id":"pmpt_1"}}"#),
            (RESPONSES, r#"{"model":"small","input":[{"type":"item_reference","id":"msg_1"}]}"#),
            (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[],"container":"c_1"}"#),
            (GEMINI, r#"{"contents":[],"cachedContent":"cachedContents/1"}"#),
        ],
        "no-clause",
    )
    .await;
}

#[tokio::test]
async fn item_4_models_beside_the_one_that_is_named() {
    refuses(
        &[
            (CHAT, r#"{"model":"small","messages":[],"models":["small","big"]}"#),
            (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[],"fallbacks":[{"model":"opus"}]}"#),
            (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[],"fallbacks":"default"}"#),
            ("/gemini/v1beta/models/pro:generateContent", r#"{"contents":[]}"#),
        ],
        "no-clause",
    )
    .await;
}

#[tokio::test]
async fn item_5_other_endpoints() {
    let body = r#"{"model":"small","messages":[],"input":"x"}"#;
    refuses(
        &[
            ("/openai/v1/batches", body),
            ("/openai/v1/assistants", body),
            ("/openai/v1/threads/runs", body),
            ("/openai/v1/realtime/sessions", body),
            ("/openai/v1/chatkit/sessions", body),
            ("/openai/v1/responses/compact", body),
            ("/claude/v1/messages/batches", body),
            ("/claude/v1/sessions", body),
            ("/gemini/v1beta/models/flash:batchGenerateContent", body),
            ("/gemini/v1beta/models/flash:predictLongRunning", body),
        ],
        "opaque",
    )
    .await;
}

#[tokio::test]
async fn item_6_calls_in_pieces_side_by_side() {
    let piece = |index: u64, text: &str| {
        chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}), None)
    };
    let start = |index: u64, name: &str| {
        let call = json!({"index": index, "id": format!("call-{name}-{index}"), "type": "function",
            "function": {"name": name, "arguments": ""}});
        chunk(json!({"tool_calls": [call]}), None)
    };
    let stream = chat_stream(&[
        chunk(json!({"role": "assistant", "content": "Let me see."}), None),
        start(0, "refund"),
        piece(0, "{\"amount\":"),
        piece(0, "80}"),
        start(1, "delete_all"),
        piece(1, "{}"),
        start(2, "refund"),
        piece(2, "{\"amount\":"),
        piece(2, "9000}"),
        chunk(json!({}), Some("tool_calls")),
    ]);
    let ear = Ear::answering(answer("text/event-stream", "", stream.as_bytes()), true).await;
    let arena = Arena::built(ear, &pact(), |_| {});
    let asked = post(CHAT, r#"{"model":"small","messages":[],"stream":true}"#);
    let got = arena.passes("three calls", Way::Reverse, asked).await;
    assert!(got.body().contains("call-refund-0") && got.body().contains("Let me see."), "{got:?}");
    assert!(!got.body().contains("call-delete_all-1") && !got.body().contains("call-refund-2"), "{got:?}");
    assert!(got.body().contains("[DONE]"), "{got:?}");
    let records = arena.records().await;
    let effects: Vec<_> = records
        .iter()
        .filter(|record| record.action.kind == Some(ActionKind::Tool))
        .map(|record| (record.action.name.as_str(), record.effect))
        .collect();
    let [sent, refused] = [Effect::Sent, Effect::Refused];
    assert_eq!(effects, [("refund", sent), ("delete_all", refused), ("refund", refused)]);
}

#[tokio::test]
async fn item_7_bodies_that_two_parsers_read_in_two_ways() {
    refuses(
        &[
            (CHAT, r#"{"model":"small","messages":[],"model":"big"}"#),
            (CHAT, r#"{"model":"small","messages":[],"Model":"big"}"#),
            (CHAT, r#"{"model":"small","messages":[],"mod\u0065l":"big"}"#),
            (CHAT, r#"{"model":"small","messages":[]}{"model":"big"}"#),
            (CHAT, r#"{"model":"small","messages":[],"max_tokens":1e400}"#),
            (CHAT, r#"{"model":"small","messages":["\ud800"]}"#),
            (RESPONSES, r#"{"model":"small","input":"x","tools":[],"tools":[{"type":"function","name":"wipe"}]}"#),
            (MESSAGES, r#"{"model":"haiku","max_tokens":1,"messages":[],"tools":[{"name":"look","name":"wipe"}]}"#),
            (GEMINI, r#"{"contents":[],"functionDeclarations":[],"tools":[{"functionDeclarations":[],"function_declarations":[{"name":"wipe"}]}]}"#),
        ],
        "unreadable",
    )
    .await;
}

#[tokio::test]
async fn item_8_a_call_that_crosses_twice_is_one_call() {
    let call = json!({"id": "x", "type": "function", "function": {"name": "refund", "arguments": "{\"amount\":80}"}});
    let body = json!({"model": "small", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]})
    .to_string();
    let ear = Ear::answering(answer("application/json", "", body.as_bytes()), false).await;
    let arena = Arena::built(ear, &pact(), |_| {});
    // Two refunds an hour: were the crossings counted apart, the second round would be refused.
    for _ in 0..2 {
        arena.passes("asked for", Way::Reverse, post(CHAT, r#"{"model":"small","messages":[]}"#)).await;
        let carried_out =
            request("POST", "/web/refunds", &[("content-type", "application/json")], r#"{"amount":80}"#);
        arena.passes("carried out", Way::Reverse, carried_out).await;
    }
    let records = arena.records().await;
    let tools: Vec<_> = records.iter().filter(|record| record.action.capability.is_some()).collect();
    assert_eq!(tools.len(), 4, "{records:?}");
    assert!(tools.iter().all(|record| record.kind == Kind::Settled), "{tools:?}");
    assert_eq!(tools[1].parent.as_ref(), Some(&tools[0].decision));
}
