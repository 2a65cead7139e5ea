//! SIGTERM under load: what is under way ends, what hangs is cut, and all of it is on record.

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::operation::{AGENT, call, of_path, setup};
use crate::support::collector::Collector;
use crate::support::fickle::Fickle;
use crate::support::http::{Connection, request};
use crate::support::process::until;
use crate::support::sidecar::token;

#[tokio::test]
async fn calls_and_streams_end_new_ones_are_refused_and_the_last_records_arrive() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let mut sidecar = setup(&upstream).collector(&collector).start_plain();
    let address = sidecar.at("reverse");

    let mut stream = Connection::open(address).await.unwrap();
    let streaming = stream.begin(call(Method::GET, "/stream")).await.unwrap();
    let mut calls = Vec::new();
    for number in 0..20 {
        calls.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            connection.send(call(Method::POST, "/held")).await.map(|answer| (number, answer.status))
        }));
    }
    until("all calls are at the upstream", || async {
        (upstream.arrived("/held").len() == 20).then_some(())
    })
    .await;

    sidecar.process().signal("TERM");
    until("new connections are refused", || async {
        tokio::net::TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    upstream.let_go();
    for one in calls {
        assert_eq!(one.await.unwrap().unwrap().1, StatusCode::OK);
    }
    let body = streaming.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: last\n\n"));
    assert_eq!(sidecar.process().ended().await.code(), Some(0), "{}", sidecar.text());

    let records = collector.records().await;
    assert_eq!(of_path(&records, "/held").len(), 20);
    assert_eq!(of_path(&records, "/stream").len(), 1);
    for record in &records {
        assert_eq!(record["data"]["outcome"], json!({"kind": "completed", "status": 200}));
    }
    assert!(!sidecar.socket().exists(), "the admin socket is gone");
}

#[tokio::test]
async fn what_hangs_is_cut_at_the_deadline_and_says_so() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let mut sidecar = setup(&upstream)
        .section("bounds", "{drain: 300ms}")
        .section("approvals", "{patience: 10m, expire: 15m}")
        .collector(&collector)
        .start_plain();
    let address = sidecar.at("reverse");
    let mut stream = Connection::open(address).await.unwrap();
    let streaming = stream.begin(call(Method::GET, "/stream")).await.unwrap();
    let hangs = ["/silent", "/ask"].map(|path| {
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            connection.send(call(Method::POST, path)).await.map(|answer| answer.status)
        })
    });
    until("the silent call is at the upstream", || async {
        (upstream.arrived("/silent").len() == 1).then_some(())
    })
    .await;
    until("the question is asked", || async {
        let asked = collector.get("/v1/approvals").await.json();
        (asked["approvals"].as_array().is_some_and(|all| all.len() == 1)).then_some(())
    })
    .await;

    sidecar.process().signal("TERM");
    assert_eq!(sidecar.process().ended().await.code(), Some(0), "{}", sidecar.text());
    assert!(sidecar.text().contains("the drain's deadline came before the last calls ended"));
    for one in hangs {
        assert!(one.await.unwrap().is_err(), "a call that is cut has no answer");
    }
    assert!(streaming.into_body().collect().await.is_err(), "a stream that is cut does not end cleanly");

    let records = collector.records().await;
    let cut = json!({"kind": "cut", "why": "drain"});
    assert_eq!(of_path(&records, "/stream")[0]["data"]["outcome"], cut);
    assert_eq!(of_path(&records, "/silent")[0]["data"]["outcome"], cut);
    let asked = &of_path(&records, "/ask")[0]["data"];
    assert_eq!((&asked["effect"], &asked["reason"]), (&json!("refused"), &json!("approval-required")));
    assert_eq!(asked["approval"]["answer"], "unanswered");
    assert_eq!(records.len(), 3);
    assert!(upstream.arrived("/ask").is_empty());
}

#[tokio::test]
async fn whoever_hangs_up_leaves_a_record_that_says_so() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).collector(&collector).start_plain();
    for path in ["/silent", "/stream"] {
        let mut connection = Connection::open(sidecar.at("reverse")).await.unwrap();
        let asking = tokio::spawn(async move { connection.begin(call(Method::GET, path)).await.map(drop) });
        until("it is at the upstream", || async { (upstream.arrived(path).len() == 1).then_some(()) }).await;
        asking.abort();
    }
    let records = until("both are on record", || async {
        Some(collector.records().await).filter(|records| records.len() == 2)
    })
    .await;
    for record in &records {
        assert_eq!(record["data"]["outcome"], json!({"kind": "client-gone"}), "{record:#}");
    }
}

/// An idle connection that is kept alive must not hold the process up.
#[tokio::test]
async fn connections_that_ask_nothing_do_not_hold_it_up() {
    let upstream = Fickle::start().await;
    let mut sidecar = setup(&upstream).start_plain();
    let mut idle = Connection::open(sidecar.at("reverse")).await.unwrap();
    assert_eq!(
        idle.send(request(Method::GET, "/works/fine", &token(AGENT), None)).await.unwrap().status,
        200
    );
    let silent = tokio::net::TcpStream::connect(sidecar.at("reverse")).await.unwrap();
    let began = tokio::time::Instant::now();
    sidecar.process().signal("INT");
    assert_eq!(sidecar.process().ended().await.code(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    drop(silent);
}
