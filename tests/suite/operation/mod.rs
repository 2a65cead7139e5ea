//! Operation: the built program as it runs at night. Real processes, real sockets, real signals.

/// Evidence, score, tier, feed, refusal: the loop, and how fast it closes.
mod closed_loop;
/// A process that dies without a warning, and what the next one finds.
mod crash;
/// SIGTERM under load: what ends, what is cut, what is recorded.
mod drain;
/// Upstreams that fail in every way.
mod failures;
/// One shape of log line, and no secret in any.
mod logs;
/// Metrics, health and the admin socket of a running process.
mod looking;
/// A collector that is away, comes back, or answers nonsense.
mod outage;
/// Changed pacts and config take effect, wrong ones do not.
mod reload;
/// What stops the start, and `--check`.
mod start;
/// Answers that stream: event by event, held back by nobody.
mod streaming;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;

use crate::support::collector::Collector;
use crate::support::fickle::Fickle;
use crate::support::http::{Answer, request, send};
use crate::support::process::until;
use crate::support::sidecar::{Setup, Sidecar, token};

/// The agent of these stories.
const AGENT: &str = "worker-1";

/// What it may do.
const PACT: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: work, version: 1}
spec:
  agents: ["worker-*"]
  risk: medium
  owner: tests
  clauses:
    - id: work
      allow: {http: ["GET http://127.0.0.1:*/**", "POST http://127.0.0.1:*/**"]}
    - id: no-way
      deny: {http: "* http://127.0.0.1:*/forbidden"}
    - id: ask-first
      ask: {http: "POST http://127.0.0.1:*/ask"}
    - id: with-trust
      allow: {http: "PUT http://127.0.0.1:*/trusted"}
      tier: standard
    - id: with-some-trust
      allow: {http: "PUT http://127.0.0.1:*/probed"}
      tier: probation
  limits:
    - id: pace
      on: {http: "GET http://127.0.0.1:*/paced"}
      rate: {trusted: 2/h, standard: 2/h, probation: 2/h, restricted: 2/h}
      burst: 2
"#;

/// A sidecar before an upstream that does as it is told.
fn setup(upstream: &Fickle) -> Setup {
    Setup::default().agent(AGENT).pact(PACT).upstream("works", "http", &upstream.url(), None)
}

/// A call of the agent to the upstream.
fn call(method: Method, path: &str) -> Request<Full<Bytes>> {
    request(method, &format!("/works{path}"), &token(AGENT), None)
}

/// One call on a connection of its own.
async fn get(sidecar: &Sidecar, path: &str) -> Answer {
    send(sidecar.at("reverse"), call(Method::GET, path)).await
}

/// One more call of the same kind until its answer is the one expected.
async fn calls_until(sidecar: &Sidecar, path: &str, status: u16) -> Answer {
    let what = format!("{path} is answered {status}");
    until(&what, || async { Some(get(sidecar, path).await).filter(|answer| answer.status == status) }).await
}

/// A page of the admin socket.
async fn page(sidecar: &Sidecar, path: &str) -> Value {
    crate::support::http::get_at(&sidecar.socket(), path).await.json()
}

/// The detail of one check of `/readyz`, and whether all are fine.
async fn readiness(sidecar: &Sidecar, check: &str) -> (bool, String) {
    let answer = crate::support::http::get(sidecar.at("admin"), "/readyz").await;
    let page = answer.json();
    assert_eq!(page["ready"].as_bool().unwrap(), answer.status == 200);
    let checks = page["checks"].as_array().unwrap();
    let check = checks.iter().find(|one| one["name"] == check).unwrap_or_else(|| panic!("{page:#}"));
    (answer.status == 200, check["detail"].as_str().unwrap().to_owned())
}

/// The value of a sample, by its name with its labels as written; zero where it is absent.
async fn sample(sidecar: &Sidecar, series: &str) -> f64 {
    let text = crate::support::http::get(sidecar.at("admin"), "/metrics").await.text();
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
    found.map_or(0.0, |value| value.parse().unwrap())
}

/// Waits until the collector holds so many records, and hands over all that it holds.
async fn delivered(collector: &Collector, count: usize) -> Vec<Value> {
    let what = format!("{count} records are delivered");
    until(&what, || async { Some(collector.records().await).filter(|held| held.len() >= count) }).await
}

/// The records of calls to a path of the upstream.
fn of_path<'a>(records: &'a [Value], path: &str) -> Vec<&'a Value> {
    let named =
        |record: &&Value| record["data"]["action"]["name"].as_str().is_some_and(|name| name.ends_with(path));
    records.iter().filter(named).collect()
}
