//! Upstreams that fail in every way: an answer in the caller's dialect, the right record, and no call sent twice.

use std::net::TcpListener;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::operation::{AGENT, PACT, call, delivered, of_path, sample};
use crate::support::collector::Collector;
use crate::support::fickle::Fickle;
use crate::support::http::{Connection, get, request, send};
use crate::support::process::until;
use crate::support::sidecar::{Setup, Sidecar, token};

const TIMEOUTS: &str = ", timeouts: {connect: 2s, head: 1s, idle: 1s}";

/// A port that nobody listens on.
fn nobody() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn setup(upstream: &Fickle) -> Setup {
    let models = "    - {id: models, allow: {model: \"**\"}}\n  limits:";
    Setup::default()
        .agent(AGENT)
        .pact(&PACT.replace("  limits:", models))
        .upstream_as("works", "http", &upstream.url(), TIMEOUTS)
        .upstream_as("gone", "http", &nobody(), TIMEOUTS)
        .upstream_as("gone-openai", "openai", &nobody(), TIMEOUTS)
        .upstream_as("gone-anthropic", "anthropic", &nobody(), TIMEOUTS)
}

async fn post(sidecar: &Sidecar, path: &str, body: &Value) -> crate::support::http::Answer {
    send(sidecar.at("reverse"), request(Method::POST, path, &token(AGENT), Some(body))).await
}

#[tokio::test]
async fn what_gives_no_answer_is_answered_for_and_recorded() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).collector(&collector).start_plain();
    let table = [
        ("/gone/refused", 502, "connect"),
        ("/works/reset", 502, "reset"),
        ("/works/garbage", 502, "protocol"),
        ("/works/silent", 504, "timeout"),
    ];
    for (path, status, what) in table {
        let answer = post(&sidecar, path, &json!({"a": 1})).await;
        let told = answer.json();
        assert_eq!((answer.status.as_u16(), told["reason"].as_str()), (status, Some(what)), "{path}: {told}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("pactgate-decision"), told["decision"].as_str().unwrap());
        assert!(
            answer.headers.get("x-should-retry").is_none(),
            "no verdict, so the client may do as it likes"
        );
    }
    let records = delivered(&collector, 4).await;
    for (path, _, what) in table {
        let path = path.rsplit_once('/').unwrap().1;
        let of_path = of_path(&records, path);
        assert_eq!(of_path.len(), 1, "{path}");
        assert_eq!(of_path[0]["data"]["outcome"], json!({"kind": "upstream-failed", "what": what}));
        assert_eq!(upstream.arrived(path).len(), usize::from(path != "refused"), "{path} is sent once");
    }
    let failed = "pactgate_upstream_failures_total{upstream=\"works\",what=\"timeout\"}";
    assert_eq!(sample(&sidecar, failed).await, 1.0);
}

#[tokio::test]
async fn a_failure_speaks_the_callers_dialect() {
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).start_plain();
    let body = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]});
    let answer = post(&sidecar, "/gone-openai/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error"]["type"], "server_error");
    let answer = post(&sidecar, "/gone-anthropic/v1/messages", &body).await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        (&answer.json()["type"], &answer.json()["error"]["type"]),
        (&json!("error"), &json!("api_error"))
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).collector(&collector).start_plain();
    let table = [
        ("/broken", json!({"kind": "upstream-failed", "what": "reset"})),
        ("/stalls", json!({"kind": "cut", "why": "idle"})),
    ];
    for (path, _) in &table {
        let mut connection = Connection::open(sidecar.at("reverse")).await.unwrap();
        let answer = connection.send(call(Method::GET, path)).await;
        assert!(answer.is_err(), "{path}: {answer:?}");
    }
    let records = delivered(&collector, 2).await;
    for (path, outcome) in &table {
        let data = &of_path(&records, path)[0]["data"];
        assert_eq!(&data["outcome"], outcome, "{path}");
        assert_eq!(data["usage"]["bytes_received"], 9, "{path}: what had come counts");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_upstream_closed_costs_no_call_and_doubles_none() {
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).start_plain();
    // Closed while idle: the next call, a POST too, goes over another connection.
    for number in 0..20 {
        assert_eq!(send(sidecar.at("reverse"), call(Method::GET, "/closing")).await.status, 200);
        let path = format!("/next-{number}-");
        let answer = post(&sidecar, &format!("/works{path}"), &json!({"number": number})).await;
        assert!([200, 502].contains(&answer.status.as_u16()), "{}", answer.text());
        let arrived = upstream.arrived(&path).len();
        assert!(arrived <= 1, "a POST arrived {arrived} times");
        assert_eq!(arrived == 1, answer.status == 200);
    }
    // Closed when it had the call: nobody can say what it did, so it is told once and not sent again.
    assert_eq!(send(sidecar.at("reverse"), call(Method::GET, "/fine")).await.status, 200);
    let answer = post(&sidecar, "/works/reset", &json!({"pay": 100})).await;
    assert_eq!(answer.status, 502);
    assert_eq!(upstream.arrived("/reset").len(), 1);
}

/// The batch record-keeping depends on: a call revoked on its way out must be a record that the collector takes.
#[tokio::test]
async fn an_address_that_must_not_be_reached_is_refused_and_the_record_arrives() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let pact = PACT.replace("GET http://127.0.0.1:*/**", "GET http://*:*/**");
    let sidecar = Setup::default()
        .agent(AGENT)
        .pact(&pact)
        .upstream("works", "http", &upstream.url(), None)
        .collector(&collector)
        .start_plain();
    for target in
        [format!("http://{}/livez", sidecar.at("admin")), "http://169.254.169.254/latest".to_owned()]
    {
        let mut ask = request(Method::GET, &target, "", None);
        let authority = target.parse::<http::Uri>().unwrap().authority().unwrap().to_string();
        ask.headers_mut().insert("host", authority.parse().unwrap());
        ask.headers_mut().insert("proxy-authorization", format!("Bearer {}", token(AGENT)).parse().unwrap());
        let answer = send(sidecar.at("forward"), ask).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(answer.json()["reason"], "address-forbidden");
    }
    assert_eq!(send(sidecar.at("reverse"), call(Method::GET, "/after")).await.status, 200);
    let records = delivered(&collector, 3).await;
    assert_eq!(records.len(), 3);
    for record in &records[..2] {
        assert_eq!(record["data"]["effect"], "refused");
        assert_eq!(record["data"]["reason"], "address-forbidden");
    }
    collector.verify().await;
    assert_eq!(get(sidecar.at("admin"), "/livez").await.status, 200);
}

/// A slow agent is cut as well: a head that does not end, and a body that does not come.
#[tokio::test]
async fn an_agent_that_sends_too_slowly_is_cut() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).section("bounds", "{header_timeout: 1s, body: 1KiB}").start_plain();
    let mut slow = tokio::net::TcpStream::connect(sidecar.at("reverse")).await.unwrap();
    slow.write_all(b"POST /works/x HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), slow.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&rest));
    // Too large for a dialect that is read.
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x".repeat(2_000)}]});
    let answer = post(&sidecar, "/gone-openai/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    until("it is counted", || async {
        (sample(&sidecar, "pactgate_unreadable_requests_total{problem=\"too-large\"}").await == 1.0)
            .then_some(())
    })
    .await;
}
