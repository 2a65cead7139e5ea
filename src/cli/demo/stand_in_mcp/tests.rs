//! The stand-in over real sockets.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::Method;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::*;
use crate::cli::demo::dial::{Answer, ask, open};

const BOTH_FORMS: (&str, &str) = ("accept", "application/json, text/event-stream");

async fn started(settings: Settings) -> (Handle, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shutdown = CancellationToken::new();
    (start(listener, settings, shutdown.clone()).await.unwrap(), shutdown)
}

async fn started_without_key() -> Handle {
    started(Settings { key: None, era: Era::Both, tls: None }).await.0
}

async fn post(to: SocketAddr, headers: &[(&str, &str)], body: Value) -> Answer {
    let headers = [&[BOTH_FORMS], headers].concat();
    ask(to, Method::POST, "/mcp", &headers, &body.to_string()).await
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

async fn begun(to: SocketAddr, revision: &str) -> String {
    let answer = post(to, &[], request("initialize", json!({"protocolVersion": revision}))).await;
    assert_eq!(answer.json()["result"]["protocolVersion"], revision);
    assert_eq!(answer.json()["result"]["serverInfo"]["name"], "shop");
    answer.headers["mcp-session-id"].to_str().unwrap().to_owned()
}

/// A request of revision 2026-07-28 with the headers that belong to it.
async fn post_stateless(to: SocketAddr, method: &str, name: Option<&str>, mut params: Value) -> Answer {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers = vec![(VERSION_HEADER, STATELESS), ("mcp-method", method)];
    headers.extend(name.map(|name| ("mcp-name", name)));
    post(to, &headers, request(method, params)).await
}

#[tokio::test]
async fn each_revision_with_sessions_begins_lists_calls_and_ends() {
    let shop = started_without_key().await;
    let to = shop.address();
    for revision in WITH_SESSIONS {
        let id = begun(to, revision).await;
        let session = [("mcp-session-id", id.as_str()), (VERSION_HEADER, revision)];
        let notice = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(post(to, &session, notice).await.status, 202);
        assert_eq!(post(to, &session, request("ping", json!({}))).await.json()["result"], json!({}));

        let tools = post(to, &session, request("tools/list", json!({}))).await.json();
        let names: Vec<&str> = tools["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["search_orders", "get_order", "refund", "delete_order"]);

        let params =
            json!({"name": "get_order", "arguments": {"order": "7"}, "_meta": {"progressToken": "p"}});
        let called = post(to, &session, request("tools/call", params)).await;
        assert_eq!(called.headers["content-type"], "text/event-stream");
        let events: Vec<Value> =
            called.events().iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        assert_eq!(events[0]["method"], "notifications/progress");
        assert_eq!(events[1]["result"]["structuredContent"]["total"], 80);

        assert_eq!(ask(to, Method::DELETE, "/mcp", &session, "").await.status, 204);
        assert_eq!(post(to, &session, request("ping", json!({}))).await.status, 404);
    }
}

#[tokio::test]
async fn a_revision_nobody_speaks_is_answered_with_the_newest_that_is_spoken() {
    let shop = started_without_key().await;
    let answer =
        post(shop.address(), &[], request("initialize", json!({"protocolVersion": "2024-11-05"}))).await;
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-11-25");

    let future = post(shop.address(), &[(VERSION_HEADER, "2031-01-01")], request("ping", json!({}))).await;
    assert_eq!(future.status, 400);
    assert_eq!(future.json()["error"]["data"]["supported"][0], STATELESS);
}

#[tokio::test]
async fn a_session_is_needed_known_and_of_its_own_revision() {
    let shop = started_without_key().await;
    let to = shop.address();
    let id = begun(to, "2025-06-18").await;
    let ping = || request("ping", json!({}));
    assert_eq!(post(to, &[], ping()).await.status, 400);
    assert_eq!(post(to, &[("mcp-session-id", "session-999")], ping()).await.status, 404);
    assert_eq!(
        post(to, &[("mcp-session-id", &id), (VERSION_HEADER, "2025-11-25")], ping()).await.status,
        400
    );
    assert_eq!(post(to, &[("mcp-session-id", &id)], ping()).await.status, 200);
}

#[tokio::test]
async fn only_the_oldest_revision_has_batches() {
    let shop = started_without_key().await;
    let to = shop.address();
    let batch = json!([
        {"jsonrpc": "2.0", "id": "a", "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": "b", "method": "nonsense"},
    ]);
    let old = begun(to, "2025-03-26").await;
    let replies = post(to, &[("mcp-session-id", &old)], batch.clone()).await.json();
    assert_eq!(replies.as_array().unwrap().len(), 2);
    assert_eq!((&replies[0]["id"], &replies[1]["error"]["code"]), (&json!("a"), &json!(-32_601)));
    let new = begun(to, "2025-11-25").await;
    assert_eq!(post(to, &[("mcp-session-id", &new)], batch).await.status, 400);
}

#[tokio::test]
async fn the_stream_from_the_server_lives_as_long_as_its_session() {
    let shop = started_without_key().await;
    let to = shop.address();
    let id = begun(to, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str()), ("accept", "text/event-stream")];
    let stream = open(to, Method::GET, "/mcp", &session, "").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut pieces = Body::new(stream.into_body()).into_data_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), ": open\n\n");
    ask(to, Method::DELETE, "/mcp", &session, "").await;
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn the_revision_without_sessions_answers_each_request_by_itself() {
    let shop = started_without_key().await;
    let to = shop.address();
    let discovered = post_stateless(to, "server/discover", None, json!({})).await.json();
    assert_eq!(discovered["result"]["supportedVersions"][0], STATELESS);
    assert_eq!(discovered["result"]["resultType"], "complete");

    let params = json!({"name": "refund", "arguments": {"order": "7", "amount": 40.5, "currency": "EUR"}});
    let refunded = post_stateless(to, "tools/call", Some("refund"), params).await.json();
    assert_eq!(refunded["result"]["structuredContent"]["amount"], 40.5);
    assert_eq!(refunded["result"]["isError"], false);

    let read = json!({"uri": "shop://returns-policy"});
    let policy = post_stateless(to, "resources/read", Some("shop://returns-policy"), read).await.json();
    assert!(policy["result"]["contents"][0]["text"].as_str().unwrap().starts_with("Orders can be returned"));

    assert_eq!(post_stateless(to, "ping", None, json!({})).await.status, 404);
    assert_eq!(ask(to, Method::GET, "/mcp", &[(VERSION_HEADER, STATELESS)], "").await.status, 405);
    assert!(shop.seen().iter().any(|call| call.asked.as_deref() == Some("tools/call refund")));
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let shop = started_without_key().await;
    let to = shop.address();
    let get = || json!({"name": "get_order", "arguments": {"order": "7"}});
    assert_eq!(post_stateless(to, "tools/call", Some("get_order"), get()).await.status, 200);
    assert_eq!(post_stateless(to, "tools/call", Some("=?base64?Z2V0X29yZGVy?="), get()).await.status, 200);
    for wrong in [Some("refund"), None, Some("=?base64?!?=")] {
        let answer = post_stateless(to, "tools/call", wrong, get()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["code"]),
            (400, &json!(-32_020)),
            "{wrong:?}"
        );
    }
    let search = json!({"name": "search_orders", "arguments": {"customer": "ada"}});
    let unmirrored = post_stateless(to, "tools/call", Some("search_orders"), search).await;
    assert_eq!(unmirrored.json()["error"]["code"], -32_020);

    let bare = post(to, &[(VERSION_HEADER, STATELESS)], request("tools/list", json!({}))).await;
    assert_eq!((bare.status.as_u16(), &bare.json()["error"]["code"]), (400, &json!(-32_602)));
}

#[tokio::test]
async fn a_tool_says_what_is_wrong_with_a_call() {
    let shop = started_without_key().await;
    for (arguments, why) in [
        (json!({"order": "77", "amount": 1, "currency": "EUR"}), "there is no such order"),
        (json!({"order": "7", "amount": "1", "currency": "EUR"}), "`amount` is missing or is no number"),
        (
            json!({"order": "7", "amount": 80.01, "currency": "EUR"}),
            "`amount` is not between zero and the order's total",
        ),
        (json!({"order": "7", "amount": 1, "currency": "USD"}), "`currency` is not the order's"),
    ] {
        let params = json!({"name": "refund", "arguments": arguments});
        let answer = post_stateless(shop.address(), "tools/call", Some("refund"), params).await.json();
        assert_eq!(answer["result"]["isError"], true);
        assert_eq!(answer["result"]["content"][0]["text"], why);
    }
}

#[tokio::test]
async fn a_server_of_last_year_tells_newer_clients_so() {
    let (shop, _) = started(Settings { key: None, era: Era::Sessions, tls: None }).await;
    let answer = post_stateless(shop.address(), "server/discover", None, json!({})).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["data"]["supported"][0], "2025-11-25");
    begun(shop.address(), "2025-11-25").await;
}

#[tokio::test]
async fn the_key_and_the_origin_are_checked() {
    let key = Some(Secret::new("shop-key".to_owned()));
    let (shop, shutdown) = started(Settings { key, era: Era::Both, tls: None }).await;
    let initialize = || request("initialize", json!({"protocolVersion": "2025-11-25"}));
    assert_eq!(post(shop.address(), &[], initialize()).await.status, 401);
    let keyed = ("authorization", "Bearer shop-key");
    assert_eq!(post(shop.address(), &[keyed], initialize()).await.status, 200);
    for (origin, status) in
        [("http://127.0.0.1:3000", 200), ("http://localhost.evil.example", 403), ("null", 403)]
    {
        assert_eq!(
            post(shop.address(), &[keyed, ("origin", origin)], initialize()).await.status,
            status,
            "{origin}"
        );
    }
    shutdown.cancel();
    shop.stopped().await;
}
