//! Without a sidecar between: the stand-ins are true enough for every client.

use pactgate::cli::demo::Credential;
use pactgate::cli::demo::stand_in_mcp::Era;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::environment::base_urls;
use crate::support::programs::{Program, Server, curl, run};
use crate::support::world::{self, MODEL_KEY, SHOP_KEY};

fn cases(model: &str) -> Value {
    json!([
        {"name": "plain", "model": model, "say": "hello there", "max_tokens": 16},
        {"name": "streamed", "model": model, "say": "hello there", "max_tokens": 16, "stream": true},
        {"name": "bad", "model": model, "say": "hello there", "extra_body": {"messages": "none"}},
    ])
}

fn assert_completions(told: &[Value], program: Program) {
    let [plain, streamed, bad, ..] = told else { panic!("{program:?} told too little: {told:?}") };
    assert_eq!(plain["text"], "You said: hello there", "{program:?}");
    assert_eq!(streamed["text"], "You said: hello there", "{program:?}");
    assert_eq!(streamed["pieces"], 4, "{program:?}");
    assert_eq!(bad["error"], "BadRequestError", "{program:?}");
    let tokens = if program == Program::AnthropicPython { "output_tokens" } else { "total_tokens" };
    assert!(plain[tokens].as_u64() >= Some(4), "{program:?}: {plain}");
    assert_eq!(plain[tokens], streamed[tokens], "{program:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_clients_take_the_stand_in_for_a_model_api() {
    let authority = Authority::new();
    let roots = authority.roots().display().to_string();
    for tls in [None, Some(authority.server())] {
        let model = world::model(tls).await;
        let mut env = base_urls(&model.url(), &model.url(), MODEL_KEY);
        env.extend([("SSL_CERT_FILE", roots.clone()), ("NODE_EXTRA_CA_CERTS", roots.clone())]);
        for (program, name) in [
            (Program::OpenAiPython, "gpt-4o-mini"),
            (Program::OpenAiNode, "gpt-4o-mini"),
            (Program::AnthropicPython, "claude-sonnet-4-5"),
        ] {
            assert_completions(&run(program, json!({"cases": cases(name)}), &env).await, program);
        }
        assert!(model.seen().iter().all(|call| call.credential == Credential::Expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_client_with_another_key_is_turned_away() {
    let model = world::model(None).await;
    let case = json!([{"name": "plain", "model": "gpt-4o-mini", "say": "hello"}]);
    let env = base_urls(&model.url(), &model.url(), "agents-own");
    let told = run(Program::AnthropicPython, json!({"cases": case}), &env).await;
    assert_eq!(told[0]["error"], "AuthenticationError");
    assert_eq!(model.seen()[0].credential, Credential::Other);
}

fn steps() -> Value {
    json!([
        {"do": "list"},
        {"do": "call", "name": "search_orders", "arguments": {"customer": "ada"}},
        {"do": "call", "name": "refund", "arguments": {"order": "7", "amount": 1000, "currency": "EUR"}},
        {"do": "call", "name": "get_order", "arguments": {"order": "7"}},
        {"do": "read", "name": "shop://returns-policy"},
        {"do": "prompt", "name": "apology", "arguments": {"customer": "ada"}},
    ])
}

fn assert_shopping(told: &[Value], revision: &str) {
    assert_eq!(told[0]["revision"], revision);
    assert_eq!(told[1]["names"], json!(["search_orders", "get_order", "refund", "delete_order"]));
    assert_eq!(told[2]["structured"]["orders"].as_array().unwrap().len(), 2, "{revision}");
    assert_eq!(told[3]["is_error"], true);
    assert_eq!(told[4]["structured"]["total"], 80);
    assert!(told[5]["text"].as_str().unwrap().contains("30 days"));
    assert!(told[6]["text"].as_str().unwrap().contains("ada"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_clients_of_both_eras_take_the_stand_in_for_a_server() {
    let authority = Authority::new();
    let trust = [("SSL_CERT_FILE", authority.roots().display().to_string())];
    let shop = world::shop(Era::Both, Some(authority.server())).await;
    let url = format!("{}/mcp", shop.url());
    for (program, mode, revision) in [
        (Program::McpPresent, "auto", "2026-07-28"),
        (Program::McpPresent, "legacy", "2025-11-25"),
        (Program::McpBefore, "", "2025-11-25"),
    ] {
        let plan = json!({"url": url, "key": SHOP_KEY, "mode": mode, "steps": steps()});
        assert_shopping(&run(program, plan, &trust).await, revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_mcp_client_falls_back_on_a_server_of_last_year() {
    let shop = world::shop(Era::Sessions, None).await;
    let plan =
        json!({"url": format!("{}/mcp", shop.url()), "key": SHOP_KEY, "mode": "auto", "steps": steps()});
    assert_shopping(&run(Program::McpPresent, plan, &[]).await, "2025-11-25");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_servers_on_the_official_sdk_answer_mcp_clients() {
    for (venv, present) in [(".venv", "2026-07-28"), (".venv-before", "2025-11-25")] {
        let server = Server::mcp(venv);
        let url = format!("http://127.0.0.1:{}/mcp", server.port);
        let steps = json!([{"do": "list"}, {"do": "call", "name": "greet", "arguments": {"name": "ada"}}]);
        for (program, revision) in [(Program::McpPresent, present), (Program::McpBefore, "2025-11-25")] {
            let told = run(program, json!({"url": url, "mode": "auto", "steps": steps}), &[]).await;
            assert_eq!(told[0]["revision"], revision, "{program:?} on {venv}");
            assert_eq!(told[1]["names"], json!(["greet", "fire"]));
            assert_eq!(told[2]["text"], "hello ada");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_speaks_both_versions_of_http_to_a_stand_in() {
    let authority = Authority::new();
    let trust = [("SSL_CERT_FILE", authority.roots().display().to_string())];
    let model = world::model(Some(authority.server())).await;
    let models = format!("{}/v1/models", model.url());
    let key = format!("Authorization: Bearer {MODEL_KEY}");
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let told = curl(&[flag, "-H", &key, "-w", "\n%{http_version} %{http_code}", &models], &trust).await;
        assert!(told.ends_with(&format!("\n{version} 200")), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_a2a_client_and_an_agent_agree_alone() {
    let server = Server::a2a();
    let url = format!("http://127.0.0.1:{}", server.port);
    let steps = json!([{"do": "send", "skill": "refund", "data": [{"amount": 4000}]}, {"do": "get"}]);
    for (number, (binding, version)) in
        (1..).zip([("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3")])
    {
        let plan = json!({
            "url": url, "key": "none", "binding": binding, "version": version, "streaming": true, "steps": steps,
        });
        let told = run(Program::A2a, plan, &[]).await;
        let said = format!("number {number}, amounts [4000.0], texts [], key None");
        assert_eq!(told[1]["texts"], json!([said]), "{binding} {version}: {}", told[1]);
        assert_eq!(told[2]["artifacts"], 1, "{binding} {version}: {}", told[2]);
    }
}
