//! Clients and servers of MCP: allowed and refused, in sessions that live on.

use pactgate::cli::demo::Credential;
use pactgate::cli::demo::stand_in_mcp::Era;
use serde_json::{Value, json};

use crate::clients::scene::{AGENTS_OWN, MCP_CLIENTS, Route, SHOPPING, Scene};
use crate::support::authority::Authority;
use crate::support::programs::{Program, Server, run};
use crate::support::sidecar::{Setup, token};

/// One call to a tool in three seconds.
const HURRIED: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: hurried, version: 1}
spec:
  agents: ["hurried-*"]
  risk: low
  owner: tests
  clauses:
    - {id: read-orders, allow: {tool: "*.get_order"}}
  limits:
    - {id: pace, on: {tool: "**"}, rate: {standard: 20/min}, burst: 1}
"#;

fn steps() -> Value {
    json!([
        {"do": "list"},
        {"do": "call", "name": "search_orders", "arguments": {"customer": "ada"}},
        {"do": "call", "name": "delete_order", "arguments": {"order": "7"}},
        {"do": "call", "name": "get_order", "arguments": {"order": "7"}},
        {"do": "call", "name": "refund", "arguments": {"order": "8", "amount": 600, "currency": "EUR"}},
        {"do": "read", "name": "shop://returns-policy"},
        {"do": "call", "name": "refund", "arguments": {"order": "7", "amount": 40, "currency": "EUR"}},
    ])
}

/// The client matches answers with its own ids: a wrong one would leave it waiting.
#[track_caller]
fn assert_shopping(told: &[Value], revision: &str, what: &str) {
    let said = |at: usize| told[at]["text"].as_str().unwrap_or_default();
    assert_eq!(told[0]["revision"], revision, "{what}");
    assert_eq!(told[1]["names"], json!(["search_orders", "get_order", "refund"]), "{what}: what may be used");
    assert_eq!(told[2]["is_error"], false, "{what}: {}", told[2]);
    assert_eq!(told[3]["is_error"], true, "{what}");
    assert!(said(3).contains("clause `never-delete`") && said(3).contains("Decision"), "{what}: {}", said(3));
    assert_eq!(told[4]["structured"]["total"], 80, "{what}: the session does not live on");
    assert!(told[5]["is_error"] == true && said(5).contains("no clause"), "{what}: {}", told[5]);
    assert!(told[6]["code"].as_i64().unwrap() > 0, "{what}: {}", told[6]);
    assert_eq!(told[7]["structured"]["amount"], 40, "{what}: {}", told[7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_clients_are_allowed_and_refused_and_live_on() {
    let scene = Scene::set(Setup::default().agent("shopper-1").pact(SHOPPING)).await;
    for (program, mode, revision) in MCP_CLIENTS {
        for route in Route::ALL {
            let told = scene.shop((program, mode), route, "shopper-1", &steps()).await;
            assert_shopping(&told, revision, &format!("{program:?} {mode}, {route:?}"));
        }
    }
    for (route, routes) in [(Route::Forward, 2), (Route::Plain, 1)] {
        let seen = scene.upstreams(route).shop.seen();
        assert!(seen.iter().all(|call| call.credential == Credential::Expected), "{seen:?}");
        let arrived = |asked: &str| seen.iter().filter(|call| call.asked.as_deref() == Some(asked)).count();
        assert_eq!(arrived("tools/call delete_order"), 0);
        assert_eq!(arrived("tools/call refund"), routes * MCP_CLIENTS.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_mcp_client_that_calls_too_often_is_told_when_to_come_back() {
    let scene = Scene::set(Setup::default().agent("hurried-1").agent("hurried-2").pact(HURRIED)).await;
    let steps = json!([
        {"do": "call", "name": "get_order", "arguments": {"order": "7"}},
        {"do": "call", "name": "get_order", "arguments": {"order": "8"}},
    ]);
    for (program, agent) in [(Program::McpPresent, "hurried-1"), (Program::McpBefore, "hurried-2")] {
        let told = scene.shop((program, "auto"), Route::Reverse, agent, &steps).await;
        assert_eq!(told[1]["structured"]["total"], 80, "{program:?}: {}", told[1]);
        let said = told[2]["text"].as_str().unwrap();
        assert!(told[2]["is_error"] == true && said.contains("`pace`"), "{program:?}: {}", told[2]);
        assert!(said.contains("Try again in"), "{program:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_mcp_client_falls_back_behind_the_sidecar_too() {
    let scene = Scene::set_in(Setup::default().agent("shopper-1").pact(SHOPPING), Era::Sessions).await;
    for route in Route::ALL {
        let told = scene.shop((Program::McpPresent, "auto"), route, "shopper-1", &steps()).await;
        assert_shopping(&told, "2025-11-25", &format!("{route:?}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_servers_on_the_official_sdk_are_guarded() {
    let authority = Authority::new();
    let servers = [(".venv", "2026-07-28"), (".venv-before", "2025-11-25")];
    let forms = ["json", "streams"].into_iter();
    for ((venv, present), form) in forms.flat_map(|form| servers.map(|server| (server, form))) {
        let server = Server::mcp_in(venv, form);
        let url = format!("http://127.0.0.1:{}", server.port);
        let setup = Setup::default().agent("shopper-1").pact(SHOPPING).upstream("desk", "mcp", &url, None);
        let sidecar = setup.start(&authority.roots());
        for (program, revision) in [(Program::McpPresent, present), (Program::McpBefore, "2025-11-25")] {
            let steps = json!([
                {"do": "list"},
                {"do": "call", "name": "fire", "arguments": {"name": "ada"}},
                {"do": "call", "name": "greet", "arguments": {"name": "ada"}},
            ]);
            let routes = [
                (sidecar.reverse("desk"), token("shopper-1"), Vec::new()),
                (url.clone(), AGENTS_OWN.to_owned(), sidecar.variables("shopper-1")),
            ];
            for (base, key, env) in routes {
                let plan = json!({"url": format!("{base}/mcp"), "key": key, "mode": "auto", "steps": steps});
                let told = run(program, plan, &env).await;
                assert_eq!(told[0]["revision"], revision, "{program:?} on {venv} in {form} at {base}");
                assert_eq!(told[1]["names"], json!(["greet"]), "{program:?} on {venv} in {form} at {base}");
                assert_eq!(told[2]["is_error"], true, "{program:?} on {venv} in {form} at {base}");
                assert_eq!(told[3]["text"], "hello ada", "{program:?} on {venv} in {form} at {base}");
            }
        }
    }
}
