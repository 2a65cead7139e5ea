//! Calls to models.

use crate::support::arena::{Arena, Ear, PACT, Way, post, request};

#[tokio::test]
async fn other_paths_of_a_model_api_are_not_known() {
    let arena = Arena::new().await;
    let body = r#"{"model":"small","messages":[],"input":"x"}"#;
    for path in [
        "/openai/v1/batches",
        "/openai/v1/responses/compact",
        "/openai/v1/responses/resp_1",
        "/openai/v1/files",
        "/openai/v1/assistants",
        "/openai/v1/realtime/sessions",
        "/openai/v1/chat/completions/x",
        "/openai/v1/completions/x",
        "/openai/v1/images/generations/x",
        "/openai/",
        "/openai",
        "/claude/v1/messages/batches",
        "/claude/v1/sessions",
        "/claude/v1/files",
        "/claude/v1/complete",
    ] {
        arena.refuses(path, Way::Reverse, post(path, body), 403, "opaque").await;
    }
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let target = "/openai/v1/chat/completions";
        let other = request(method, target, &[("content-type", "application/json")], body);
        arena.refuses(method, Way::Reverse, other, 403, "opaque").await;
    }
}

#[tokio::test]
async fn no_other_model_answers_than_one_that_is_allowed() {
    let arena = Arena::new().await;
    for body in [
        r#"{"model":"haiku","max_tokens":1,"messages":[],"fallbacks":[{"model":"opus"}]}"#,
        r#"{"model":"haiku","max_tokens":1,"messages":[],"fallbacks":["opus"]}"#,
        r#"{"model":"haiku","max_tokens":1,"messages":[],"fallbacks":"default"}"#,
    ] {
        let call = request(
            "POST",
            "/claude/v1/messages",
            &[("content-type", "application/json"), ("anthropic-version", "2023-06-01")],
            body,
        );
        let answer = arena.send(Way::Reverse, call).await;
        assert_eq!(answer.status(), 403, "{body}: {answer:?}");
        assert!(answer.body().contains("permission_error"), "{answer:?}");
        let records = arena.records().await;
        assert!(records.iter().all(|record| record.outcome.is_some()), "{records:?}");
        assert_eq!(arena.ear.heard(), "", "{body}");
    }
    for (what, body) in [
        ("another case", r#"{"model":"SMALL","messages":[]}"#),
        ("a fine-tune of it", r#"{"model":"small:other","messages":[]}"#),
        ("a path", r#"{"model":"small/../big","messages":[]}"#),
    ] {
        let answer = arena.send(Way::Reverse, post("/openai/v1/chat/completions", body)).await;
        assert!(matches!(answer.status(), 400 | 403), "{what}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{what}");
    }
}

#[tokio::test]
async fn an_upstream_below_another_is_not_reached_by_the_other_name() {
    let pact = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - id: everything-plain
      allow: {http: \"* http://EAR/**\"}
";
    let arena = Arena::built(Ear::fine().await, pact, |config| {
        // The whole host, declared beside the APIs on it.
        let mut site =
            config.upstreams.iter().find(|upstream| upstream.name.as_str() == "web").unwrap().clone();
        site.name = pactgate::domain::UpstreamName::new("site").unwrap();
        site.url.prefix = String::new();
        config.upstreams.push(site);
    });
    let body = r#"{"model":"big","messages":[]}"#;
    for path in [
        "/site/openai/v1/chat/completions",
        "/site/%6fpenai/v1/chat/completions",
        "/site/x/../openai/v1/chat/completions",
        "/site/./openai/v1/chat/completions",
    ] {
        let answer = arena.send(Way::Reverse, post(path, body)).await;
        assert_eq!(answer.status(), 403, "{path}: {answer:?}");
        assert!(answer.body().contains("no-clause"), "{path}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{path}");
    }
    let address = arena.ear.address();
    let absolute = format!("http://{address}/openai/v1/chat/completions");
    let whole = request(
        "POST",
        &absolute,
        &[("content-type", "application/json"), ("host", &address.to_string())],
        body,
    );
    arena.refuses("forward", Way::Forward, whole, 403, "no-clause").await;
    arena.passes("beside them", Way::Reverse, request("GET", "/site/else", &[], "")).await;
}

#[tokio::test]
async fn a_clause_for_a_host_opens_no_endpoint_of_an_api_there() {
    let opened = |pattern: &str| {
        PACT.replace(
            "  clauses:",
            &format!("  clauses:\n    - id: unread\n      allow: {{opaque: \"{pattern}\"}}"),
        )
    };
    let arena = Arena::under(&opened("EAR")).await;
    let wide = Arena::under(&opened("**:*")).await;
    let body = r#"{"input_file_id":"f"}"#;
    for path in
        ["/openai/v1/batches", "/openai/v1/images/generations", "/claude/v1/messages/batches", "/shop/admin"]
    {
        arena.refuses(path, Way::Reverse, post(path, body), 403, "opaque").await;
        let answer = wide.refuses(path, Way::Reverse, post(path, body), 403, "opaque").await;
        // The refusal says which clause it would take.
        let inside = path.splitn(3, '/').nth(2).unwrap();
        assert!(answer.body().contains(&format!("{}/{inside}", wide.ear.address())), "{path}: {answer:?}");
    }
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    let realtime = request("GET", "/openai/v1/realtime?model=small", &upgrade, "");
    arena.refuses("realtime", Way::Reverse, realtime, 403, "opaque").await;
    let unknown = r#"{"jsonrpc":"2.0","id":1,"method":"tools/run","params":{"name":"look"}}"#;
    let answer = arena.send(Way::Reverse, post("/shop/mcp", unknown)).await;
    assert!(answer.body().contains("403007"), "{answer:?}");
    assert_eq!(arena.ear.heard(), "");
}

#[tokio::test]
async fn an_endpoint_that_a_clause_names_is_open_and_no_other() {
    let pact = PACT.replace(
        "  clauses:",
        "  clauses:\n    - id: batches\n      allow: {opaque: \"EAR/v1/batches\"}\n    - id: files\n      \
         allow: {opaque: \"EAR/v1/files/*\"}",
    );
    let arena = Arena::under(&pact).await;
    let body = r#"{"input_file_id":"f"}"#;
    arena.passes("named", Way::Reverse, post("/openai/v1/batches", body)).await;
    arena.passes("by a glob", Way::Reverse, post("/openai/v1/files/7", body)).await;
    assert!(arena.ear.heard().contains("POST /openai/v1/batches"), "{}", arena.ear.heard());
    for path in ["/openai/v1/batches/7", "/openai/v1/files", "/openai/v1/files/7/x", "/openai/V1/batches"] {
        arena.refuses(path, Way::Reverse, post(path, body), 403, "opaque").await;
    }
}

/// An endpoint that is read is not passed unread because a header or a capital letter asks for it.
#[tokio::test]
async fn a_call_in_disguise_is_refused() {
    let pact = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - id: all-that-is-not-read
      allow: {opaque: \"EAR/**\"}
";
    let arena = Arena::under(pact).await;
    let body = r#"{"model":"big","messages":[],"max_tokens":1}"#;
    let json = ("content-type", "application/json");
    let upgrade = [json, ("upgrade", "websocket"), ("connection", "upgrade, close")];
    for (target, headers) in [
        ("/openai/v1/chat/completions", upgrade.as_slice()),
        ("/claude/v1/messages", &upgrade),
        ("/shop/mcp", &upgrade),
        ("/openai/v1/responses", &[("content-type", "application/grpc")]),
        ("/openai/v1/Chat/Completions", &[json]),
        ("/openai/v1/chat/completions/", &[json]),
    ] {
        arena.refuses(target, Way::Reverse, request("POST", target, headers, body), 400, "unreadable").await;
    }
    arena.passes("what is not read", Way::Reverse, post("/openai/v1/batches", body)).await;
}
