//! One shape of log line, and no secret in any.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::operation::{AGENT, PACT, delivered};
use crate::support::collector::Collector;
use crate::support::fickle::Fickle;
use crate::support::http::{get, get_at, request, send};
use crate::support::sidecar::{Setup, token};

const KEY: &str = "key-of-the-upstream";
const GUESSED: &str = "a-token-that-nobody-has";

#[tokio::test]
async fn lines_have_one_shape_and_nothing_that_is_said_anywhere_holds_a_secret() {
    let mut collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let mut sidecar = Setup::default()
        .agent(AGENT)
        .pact(PACT)
        .upstream("works", "http", &upstream.url(), Some(("x-api-key", "", KEY)))
        .section("log", "{format: json, level: trace}")
        .collector(&collector)
        .start_plain();
    let reverse = sidecar.at("reverse");
    let call = |path: &str, token: &str| {
        request(Method::POST, path, token, Some(&json!({"card": "4111111111111111"})))
    };
    let allowed = send(reverse, call("/works/fine", &token(AGENT))).await;
    assert_eq!(allowed.status, 200);
    assert!(upstream.arrived("/fine")[0].contains(KEY), "the sidecar adds the credential");
    assert!(!upstream.arrived("/fine")[0].contains(&token(AGENT)), "the agent's token goes no further");
    let refused = send(reverse, call("/works/forbidden", &token(AGENT))).await;
    assert_eq!(refused.status, 403);
    assert_eq!(send(reverse, call("/works/fine", GUESSED)).await.status, 401);
    assert_eq!(send(reverse, call("/works/reset", &token(AGENT))).await.status, 502);
    let records = delivered(&collector, 4).await;

    let mut said = format!(
        "{records:?}{}{}{}",
        allowed.text(),
        refused.text(),
        get(sidecar.at("admin"), "/metrics").await.text()
    );
    for path in ["/status", "/pacts", "/trust", "/limits", "/config", "/approvals"] {
        said.push_str(&get_at(&sidecar.socket(), path).await.text());
    }
    collector.process().signal("TERM");
    collector.process().ended().await;
    sidecar.process().signal("TERM");
    sidecar.process().ended().await;
    let lines = [sidecar.text(), collector.process().text()].concat();
    said.push_str(&lines);
    let [theirs, operators] = collector.secrets();
    for secret in [&token(AGENT), KEY, GUESSED, theirs, operators, "4111111111111111"] {
        let place =
            said.split_once(secret).map(|(before, _)| before.lines().last().unwrap_or_default().to_owned());
        assert_eq!(place, None, "a secret is told");
    }

    let mut shapes = BTreeSet::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "no `{field}`: {line}");
        }
        shapes.insert(line["level"].as_str().unwrap().to_owned());
        assert!(line.as_object().unwrap().values().all(|value| !value.is_object()), "not flat: {line}");
    }
    let decision = refused.header("pactgate-decision");
    let told = lines.lines().find(|line| line.contains(decision)).expect("the refusal is in the log");
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(
        (&told["message"], &told["agent"], &told["reason"]),
        (&json!("call refused"), &json!(AGENT), &json!("denied"))
    );
}
