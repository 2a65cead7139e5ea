//! Metrics, health and the admin socket of a running process.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use ::http::Method;
use pactgate::telemetry::TABLE;
use serde_json::{Value, json};

use crate::operation::{AGENT, call, delivered, get, page, readiness, setup};
use crate::support::collector::Collector;
use crate::support::fickle::Fickle;
use crate::support::http::{self, request, send};
use crate::support::process::{pactgate, until};
use crate::support::prometheus::{Exposition, read};
use crate::support::sidecar::{Setup, Sidecar, token};

async fn scrape(address: std::net::SocketAddr) -> Exposition {
    let answer = http::get(address, "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    read(&answer.text()).unwrap_or_else(|problem| panic!("{problem}"))
}

/// A sidecar that has met all that its metrics count, as far as one test can bring it about.
struct Met {
    _upstreams: (Fickle, crate::support::world::Standing),
    collector: Collector,
    sidecar: Sidecar,
}

async fn met() -> Met {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let model = crate::support::world::model(None).await;
    let key = Some(("authorization", "Bearer ", crate::support::world::MODEL_KEY));
    let more = "    - {id: models, allow: {model: \"**\"}}
    - {id: tunnel, allow: {opaque: \"127.0.0.1:*\"}}
  limits:";
    let sidecar = Setup::default()
        .agent(AGENT)
        .pact(&super::PACT.replace("  limits:", more))
        .upstream("works", "http", &upstream.url(), None)
        .upstream("openai", "openai", &model.url(), key)
        .collector(&collector)
        .start_plain();
    let reverse = sidecar.at("reverse");
    for path in ["/fine", "/forbidden", "/paced", "/reset", "/odd-name-of-an-agent"] {
        send(reverse, call(Method::GET, path)).await;
    }
    let said = json!([{"role": "user", "content": "x\"}\n# evil"}]);
    let body = json!({"model": "gpt-4o-mini", "max_tokens": 9, "messages": said});
    let path = "/openai/v1/chat/completions";
    let chat = |token: &str, body: &Value| send(reverse, request(Method::POST, path, token, Some(body)));
    assert_eq!(chat(&token(AGENT), &body).await.status, 200);
    assert_eq!(chat(&token(AGENT), &json!({"model": 7})).await.status, 400);
    assert_eq!(chat("token-of-nobody", &body).await.status, 401);
    let mut tunnel = request(Method::CONNECT, &upstream.address.to_string(), "", None);
    let proof = format!("Bearer {}", token(AGENT));
    tunnel.headers_mut().insert("proxy-authorization", proof.parse().unwrap());
    assert_eq!(send(sidecar.at("forward"), tunnel).await.status, 200);
    until("the tunnel has ended, and the collector has spoken", || async {
        let found = scrape(sidecar.at("admin")).await;
        found.value("pactgate_trust_age_seconds", &[])?;
        (found.value("pactgate_opaque_connections_total", &[]) == Some(1.0)).then_some(())
    })
    .await;
    Met { _upstreams: (upstream, model), collector, sidecar }
}

#[tokio::test]
async fn every_metric_of_the_table_appears_as_the_table_says() {
    let met = met().await;
    let found = scrape(met.sidecar.at("admin")).await;
    // What nothing here has led to.
    let absent = ["pactgate_changed_tools_total", "pactgate_clause_faults_total", "pactgate_reloads_total"];
    for row in TABLE.iter().filter(|row| !absent.contains(&row.name)) {
        let family = found.families.get(row.name).unwrap_or_else(|| panic!("`{}` does not appear", row.name));
        assert_eq!((family.kind.as_str(), family.help.as_str()), (row.kind, row.help));
        for sample in &family.samples {
            let mut labels: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
            labels.remove("le");
            assert_eq!(labels, row.labels.iter().copied().collect(), "{}", row.name);
        }
    }
    let known: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
    for name in found.families.keys() {
        assert!(known.contains(name.as_str()) || name.starts_with("process_"), "`{name}` stands in no table");
    }
    delivered(&met.collector, 5).await;
    let theirs = scrape(met.collector.address()).await;
    for row in pactgate::collector::TABLE.iter().filter(|row| !row.name.ends_with("failures_total")) {
        assert!(theirs.families.contains_key(row.name), "`{}` does not appear", row.name);
    }
}

#[tokio::test]
async fn labels_come_from_closed_sets_and_counts_from_what_happened() {
    let met = met().await;
    let found = scrape(met.sidecar.at("admin")).await;
    let mut agents = BTreeSet::new();
    for (name, labels) in found.labels() {
        agents.extend(labels.get("agent").map(String::as_str));
        for text in labels.values() {
            let foreign = ["evil", "odd-name", "token-of"].iter().any(|part| text.contains(part));
            assert!(!foreign, "{name} {labels:?}");
        }
    }
    assert_eq!(agents, [AGENT].into(), "agents that are configured, and no other");
    let is = |name: &str, labels: &[(&str, &str)], value: f64| {
        assert_eq!(found.value(name, labels), Some(value), "{name} {labels:?}");
    };
    is("pactgate_refusals_total", &[("reason", "denied")], 1.0);
    is("pactgate_refusals_total", &[("reason", "unreadable")], 1.0);
    is("pactgate_upstream_failures_total", &[("upstream", "works"), ("what", "reset")], 1.0);
    is("pactgate_limit_remaining", &[("agent", AGENT), ("pact", "work"), ("limit", "pace")], 1.0);
    is("pactgate_trust_tier", &[("agent", AGENT)], 2.0);
    is("pactgate_requests_in_flight", &[("listener", "reverse")], 0.0);
    is("pactgate_pacts", &[], 1.0);
    is("pactgate_fail_open_total", &[("point", "evidence")], 0.0);
    is("pactgate_connections_total", &[("listener", "reverse")], 8.0);
    is("pactgate_connections_total", &[("listener", "forward")], 1.0);
    assert_eq!(found.sum("pactgate_unreadable_requests_total"), 1.0);
    let tokens = found.value("pactgate_tokens_total", &[("upstream", "openai"), ("direction", "in")]);
    assert!(tokens.unwrap() > 0.0);
}

#[tokio::test]
async fn health_and_the_admin_socket_tell_what_is_and_change_nothing() {
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).start_plain();
    let admin = sidecar.at("admin");
    assert_eq!(http::get(admin, "/livez").await.text(), "live\n");
    for check in ["config", "pacts", "trust", "spool"] {
        let (ready, detail) = readiness(&sidecar, check).await;
        assert!(ready && !detail.is_empty(), "{check}: {detail}");
    }
    for path in ["/", "/status", "/config", "/trust", "/pacts", "/limits", "/approvals", "/metrics/../config"]
    {
        assert_eq!(http::get(admin, path).await.status, 404, "the port does not tell {path}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(send(admin, request(method, "/metrics", "", None)).await.status, 405);
    }
    let mode = std::fs::metadata(sidecar.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else opens the socket");
    let data = std::fs::metadata(sidecar.folder().join("data")).unwrap().permissions().mode();
    assert_eq!(data & 0o077, 0, "nobody else reads the data");

    assert_eq!(get(&sidecar, "/paced").await.status, 200);
    let limits = page(&sidecar, "/limits").await;
    assert_eq!(
        (&limits["limits"]["entries"][0]["agent"], &limits["limits"]["entries"][0]["remaining"]),
        (&json!(AGENT), &json!(1))
    );
    let config = page(&sidecar, "/config").await;
    assert!(config.as_str().unwrap().contains("works"), "{config}");

    let screen = |more: &[&str]| {
        let output =
            pactgate().arg("status").arg("--socket").arg(sidecar.socket()).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = screen(&[]);
    for part in ["under-test", "ready", AGENT, "work", "pace", "standard"] {
        assert!(text.contains(part), "no `{part}`:\n{text}");
    }
    let told: Value = serde_json::from_str(&screen(&["--json"])).unwrap();
    assert_eq!((&told["id"], &told["readiness"]["ready"]), (&json!("under-test"), &json!(true)));
    assert_eq!(told["listeners"][0]["address"], sidecar.at("reverse").to_string());
    let gone =
        pactgate().arg("status").arg("--socket").arg(sidecar.folder().join("nowhere.sock")).output().unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8(gone.stderr).unwrap().contains("is the sidecar running?"));
}

#[tokio::test]
async fn times_are_those_that_their_metrics_promise() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream)
        .section("approvals", "{patience: 400ms, expire: 1m}")
        .collector(&collector)
        .start_plain();
    // The verdict of a call that waits for people does not count their time, the whole call does.
    assert_eq!(send(sidecar.at("reverse"), call(Method::POST, "/ask")).await.status, 403);
    // The upstream of a long stream answers at once.
    let mut stream = http::Connection::open(sidecar.at("reverse")).await.unwrap();
    let streaming = stream.begin(call(Method::GET, "/stream")).await.unwrap();
    let flying = scrape(sidecar.at("admin")).await;
    assert_eq!(flying.value("pactgate_requests_in_flight", &[("listener", "reverse")]), Some(1.0));
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    upstream.let_go();
    http_body_util::BodyExt::collect(streaming.into_body()).await.unwrap();

    let found = until("the stream is settled", || async {
        let found = scrape(sidecar.at("admin")).await;
        let flying = found.value("pactgate_requests_in_flight", &[("listener", "reverse")]);
        (flying == Some(0.0)).then_some(found)
    })
    .await;
    assert_eq!(found.sum("pactgate_decision_duration_seconds_count"), 2.0);
    assert!(found.sum("pactgate_decision_duration_seconds_sum") < 0.3);
    assert_eq!(found.sum("pactgate_upstream_duration_seconds_count"), 1.0);
    assert!(found.sum("pactgate_upstream_duration_seconds_sum") < 0.3);
    assert!(found.sum("pactgate_request_duration_seconds_sum") >= 0.3);
}
