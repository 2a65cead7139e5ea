//! Messages of MCP.

use pactgate::evidence::Effect;
use serde_json::{Value, json};

use crate::support::arena::{Arena, PACT, Way, post, request};

const MCP: &str = "/shop/mcp";

fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}})
}

#[tokio::test]
async fn a_forbidden_tool_is_a_result_with_the_callers_own_id() {
    let arena = Arena::new().await;
    let answer =
        arena.refuses("plain", Way::Reverse, post(MCP, &call("drop").to_string()), 200, "no-clause").await;
    let said: Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!((&said["id"], &said["result"]["isError"]), (&json!(7), &json!(true)));
}

#[tokio::test]
async fn a_batch_does_not_carry_a_denied_call_past_an_allowed_one() {
    let arena = Arena::new().await;
    let mut second = call("drop");
    second["id"] = json!(8);
    for batch in [json!([call("look"), second]), json!([second, call("look")])] {
        let before = arena.records().await.len();
        let answer = arena.send(Way::Reverse, post(MCP, &batch.to_string())).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        let said: Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(said.as_array().unwrap().len(), 2);
        let records = arena.records().await;
        assert_eq!(records.len(), before + 2, "one record for each message");
        assert!(records.iter().all(|record| record.effect == Effect::Refused), "{records:?}");
        assert_eq!(arena.ear.heard(), "");
    }
    for (what, batch) in [
        ("empty", json!([])),
        ("nested", json!([[call("look")]])),
        ("the same id twice", json!([call("look"), call("look")])),
        ("too many", Value::Array(vec![call("look"); 100])),
    ] {
        arena.refuses(what, Way::Reverse, post(MCP, &batch.to_string()), 400, "unreadable").await;
    }
}

#[tokio::test]
async fn a_call_without_an_id_is_a_call() {
    let arena = Arena::new().await;
    let mut silent = call("drop");
    silent.as_object_mut().unwrap().remove("id");
    arena.refuses("notification", Way::Reverse, post(MCP, &silent.to_string()), 202, "no-clause").await;
    let batch = json!([silent]).to_string();
    arena.refuses("in a batch", Way::Reverse, post(MCP, &batch), 202, "no-clause").await;
}

#[tokio::test]
async fn a_message_says_one_thing() {
    let arena = Arena::new().await;
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look"},"params":{"name":"drop"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"drop"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","Method":"ping","params":{"name":"look"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","name":"drop"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","n\u0061me":"drop"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","Name":"drop"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","arguments":{"a":1,"a":2}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"look"}}"#,
        r#"{"jsonrpc":"2.0","id":{"a":1},"method":"tools/call","params":{"name":"look"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["look"]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["look"]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","arguments":[1]}}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"look"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"look"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{},"params":{"name":"look"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"]}"#,
    ] {
        arena.refuses(body, Way::Reverse, post(MCP, body), 400, "unreadable").await;
    }
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_opaque() {
    let arena = Arena::new().await;
    for method in ["tools/run", "Tools/Call", "tools/call ", "sampling/createMessage", "x", "notifications/x"]
    {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "look"}}).to_string();
        let answer = arena.send(Way::Reverse, post(MCP, &body)).await;
        assert_ne!(arena.records().await.len(), 0);
        assert!(matches!(answer.status(), 200 | 400), "{method}: {answer:?}");
        assert!(answer.body().contains("\"error\""), "{method}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{method}");
    }
    for path in ["/shop/other", "/shop/mcp/x", "/shop/sse", "/shop/.well-known/oauth-authorization-server"] {
        let answer = arena.send(Way::Reverse, post(path, &call("look").to_string())).await;
        assert_eq!(answer.status(), 403, "{path}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{path}");
    }
}

#[tokio::test]
async fn headers_do_not_say_another_thing_than_the_body() {
    let arena = Arena::new().await;
    let current = |tool: &str| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool, "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        }})
        .to_string()
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let json = ("content-type", "application/json");
    for (what, headers) in [
        ("another tool", vec![json, version, ("mcp-method", "tools/call"), ("mcp-name", "drop")]),
        ("another method", vec![json, version, ("mcp-method", "ping"), ("mcp-name", "look")]),
        ("no method", vec![json, version, ("mcp-name", "look")]),
        ("no name", vec![json, version, ("mcp-method", "tools/call")]),
        (
            "two names",
            vec![json, version, ("mcp-method", "tools/call"), ("mcp-name", "look"), ("mcp-name", "drop")],
        ),
        (
            "two versions",
            vec![
                json,
                version,
                ("mcp-protocol-version", "2025-06-18"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "look"),
            ],
        ),
        (
            "an older version",
            vec![
                json,
                ("mcp-protocol-version", "2025-06-18"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "look"),
            ],
        ),
        ("a version to come", vec![json, ("mcp-protocol-version", "2031-01-01")]),
    ] {
        let wrong = request("POST", MCP, &headers, &current("look"));
        arena.refuses(what, Way::Reverse, wrong, 400, "unreadable").await;
    }
    let taken_away = [
        json,
        version,
        ("mcp-method", "tools/call"),
        ("mcp-name", "look"),
        ("connection", "mcp-method, mcp-name, content-type, x-mine"),
        ("x-mine", "1"),
    ];
    arena
        .passes("named in Connection", Way::Reverse, request("POST", MCP, &taken_away, &current("look")))
        .await;
    let heard = arena.ear.heard();
    for kept in ["mcp-method: tools/call", "mcp-name: look", "content-type: application/json"] {
        assert!(heard.contains(kept), "{kept}: {heard}");
    }
    assert!(!heard.contains("x-mine"), "{heard}");
}

#[tokio::test]
async fn a_session_of_somebody_else_opens_no_tool() {
    let arena = Arena::new().await;
    let headers = [
        ("content-type", "application/json"),
        ("mcp-session-id", "session-of-the-twin"),
        ("mcp-protocol-version", "2025-06-18"),
        ("x-agent-id", "twin"),
        ("x-forwarded-user", "twin"),
    ];
    let stolen = request("POST", MCP, &headers, &call("drop").to_string());
    arena.refuses("stolen session", Way::Reverse, stolen, 200, "no-clause").await;
    let records = arena.records().await;
    assert_eq!(records[0].agent.as_ref().unwrap().as_str(), "mole");
}

#[tokio::test]
async fn a_look_alike_of_a_tool_is_no_tool() {
    // The pact allows whatever the shop has: what is left is that its name is what a person reads.
    let pact = PACT.replace("allow: {tool: shop.look}", "allow: {tool: \"shop.*\"}");
    let arena = Arena::under(&pact).await;
    for name in [
        "lo\u{43e}k",
        "l\u{3bf}ok",
        "ｌｏｏｋ",
        "look\u{200b}",
        "look\u{ad}",
        "l%6fok",
        ".look",
        "look/",
        "x/../look",
    ] {
        arena.refuses(name, Way::Reverse, post(MCP, &call(name).to_string()), 400, "unreadable").await;
    }
    let honest = arena.send(Way::Reverse, post(MCP, &call("посмотреть").to_string())).await;
    assert_eq!(honest.status(), 200, "{honest:?}");
    assert!(arena.ear.heard().contains("посмотреть"), "{}", arena.ear.heard());
}
