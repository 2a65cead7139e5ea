//! Bounds: size, time, and callers that are not who they should be.

use std::time::Duration;

use pactgate::cli::collector::{StartError, start};
use pactgate::collector::{Settings, TABLE};
use pactgate::domain::{Secret, SystemClock};
use pactgate::net::Drain;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::{ADA, BATCH, S1, World};

#[tokio::test]
async fn what_is_too_large_is_refused_without_being_read_whole() {
    let world = World::start().await;
    let request = world.request(http::Method::POST, "/v1/events", S1).header("content-type", BATCH);
    let body = vec![b' '; 5 * 1024 * 1024];
    world.send(request.body(body.into()).unwrap()).await.check_problem(413, "too-large");
    let why = "x".repeat(70_000);
    let body = format!(r#"{{"action":"suspend","why":"{why}"}}"#);
    world.post("/v1/agents/a/override", ADA, &body).await.check_problem(413, "too-large");
    world.post("/v1/signals", S1, &body).await.check_problem(413, "too-large");
}

#[tokio::test]
async fn a_body_that_stalls_is_cut() {
    let world = World::start_with(|settings| settings.patience = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {S1}\r\ncontent-type: {BATCH}\r\n\
         content-length: 1000\r\n\r\n["
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("problems/timeout"), "{answer}");
}

#[tokio::test]
async fn a_sidecar_gets_only_so_many_feeds() {
    let world = World::start().await;
    let mut feeds = Vec::new();
    for _ in 0..4 {
        feeds.push(world.feed(S1).await);
    }
    world.get("/v1/trust/feed", S1).await.check_problem(429, "full");
    world.feed(super::world::S2).await.statement().await;
    drop(feeds);
    // The places are free again as soon as the server notices.
    for _ in 0..100 {
        let text = world.get("/metrics", "").await.body;
        if String::from_utf8(text.to_vec()).unwrap().contains("pactgate_collector_feeds 1") {
            break;
        }
        tokio::task::yield_now().await;
    }
    world.feed(S1).await.statement().await;
}

#[tokio::test]
async fn metrics_are_those_of_the_table() {
    let world = World::start().await;
    world.deliver(S1, &[]).await;
    world.deliver(S1, &super::world::Log::new("s-1", 1).records("a", 0, 1, None)).await;
    world.feed(S1).await.statement().await;
    let text = String::from_utf8(world.get("/metrics", "").await.body.to_vec()).unwrap();
    for row in TABLE {
        // Nothing has failed, so that this one has no series yet.
        if row.name != "pactgate_collector_upkeep_failures_total" {
            assert!(text.contains(&format!("# HELP {} {}", row.name, row.help)), "{}", row.name);
        }
    }
    assert!(text.contains(r#"pactgate_collector_agents{tier="probation"} 1"#), "{text}");
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || Settings::new("127.0.0.1:0".parse().unwrap(), dir.path().join("data"));
    let secret = || Secret::new("the same".to_owned());

    let mut shared = settings();
    shared.operators = vec![("ada".to_owned(), secret()), ("bob".to_owned(), secret())];
    let refused = start(shared, SystemClock::shared(), Drain::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "`bob` and another entry have the same token: give each its own");

    let mut weights = settings();
    weights.weights.trusted_lower = 0.5;
    let refused = start(weights, SystemClock::shared(), Drain::default()).await.unwrap_err();
    assert!(matches!(refused, StartError::Weights(_)));

    let taken = World::start().await;
    let mut data = settings();
    data.data = taken.dir.path().join("data");
    let refused = start(data, SystemClock::shared(), Drain::default()).await.unwrap_err();
    assert!(refused.to_string().starts_with("another collector uses the folder"), "{refused}");

    let mut address = settings();
    address.address = taken.address();
    let refused = start(address, SystemClock::shared(), Drain::default()).await.unwrap_err();
    assert!(refused.to_string().contains("cannot listen on"), "{refused}");
}
