//! Records: before the byte, or not at all.

use std::sync::Arc;

use pactgate::config;
use pactgate::domain::TrustTier;
use pactgate::evidence::{Kind, Outcome};

use crate::support::arena::{Arena, Ear, PACT, Way, post, request};

const CHAT: &str = "/openai/v1/chat/completions";
const SMALL: &str = r#"{"model":"small","messages":[]}"#;

#[tokio::test]
async fn where_risk_is_high_the_record_is_on_disk_before_the_upstream_hears() {
    // It never answers: whatever is on record was there before any answer.
    let ear = Ear::answering(b"", false).await;
    let arena = Arena::built(ear, &PACT.replace("risk: low", "risk: high"), |_| {});
    let stream = arena.open(Way::Reverse, post(CHAT, SMALL)).await;
    while arena.ear.heard().is_empty() {
        tokio::task::yield_now().await;
    }
    // Not flushed: what is durable now was durable then.
    let entries = arena.sidecar.rooms.recorder.read_after(0, usize::MAX, usize::MAX).unwrap();
    let first = pactgate::evidence::read(&entries.first().expect("the admission is durable").bytes).unwrap();
    assert_eq!(first.record.kind, Kind::Admitted);
    drop(stream);
    let records = arena.records_once(2).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].kind, Kind::Settled);
    assert_eq!(records[0].decision, records[1].decision);
}

#[tokio::test]
async fn an_admission_that_an_address_forbids_ends_as_refused() {
    let pact =
        PACT.replace("risk: low", "risk: high").replace("http://EAR/web/open/**", "http://localhost/**");
    let arena = Arena::under(&pact).await;
    let target = "http://localhost/x";
    let answer = arena.send(Way::Forward, request("GET", target, &[("host", "localhost")], "")).await;
    assert_eq!(answer.status(), 403, "{answer:?}");
    let records = arena.records_once(2).await;
    assert_eq!(records.iter().map(|record| record.kind).collect::<Vec<_>>(), [Kind::Admitted, Kind::Refused]);
    assert_eq!(records[1].outcome, Some(Outcome::Refused));
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let arena = Arena::with(|config| config.evidence.when_full = config::WhenFull::Deny).await;
    let recorder = Arc::clone(&arena.sidecar.rooms.recorder);
    // Every place for a record is taken: nothing more can be written down.
    let mut places = Vec::new();
    while let Ok(place) = recorder.reserve() {
        places.push(place);
    }
    let mcp = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look"}}"#;
    for (attempt, status) in [
        (request("GET", "/web/open/a", &[], ""), 403),
        (post(CHAT, SMALL), 403),
        (post("/shop/mcp", mcp), 200),
    ] {
        let answer = arena.send(Way::Reverse, attempt).await;
        assert_eq!(answer.status(), status, "{answer:?}");
        assert!(answer.body().contains("evidence-unavailable"), "{answer:?}");
    }
    let connect = format!("CONNECT {0} HTTP/1.1\r\nhost: {0}\r\nconnection: close\r\n\r\n", "api.example:0");
    assert_eq!(arena.send(Way::Forward, connect).await.status(), 400);
    assert_eq!(arena.ear.heard(), "");
    drop(places);
    arena.passes("afterwards", Way::Reverse, request("GET", "/web/open/a", &[], "")).await;
}

#[tokio::test]
async fn a_suspended_agent_does_nothing_at_all() {
    let arena = Arena::with(|config| config.trust = config::Trust::Fixed(TrustTier::Suspended)).await;
    arena.refuses("a model", Way::Reverse, post(CHAT, SMALL), 403, "suspended").await;
    arena
        .refuses("a list", Way::Reverse, request("GET", "/openai/v1/models", &[], ""), 403, "suspended")
        .await;
    arena.refuses("a page", Way::Reverse, request("GET", "/web/open/a", &[], ""), 403, "suspended").await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    arena.refuses("a ping", Way::Reverse, post("/shop/mcp", ping), 200, "suspended").await;
}

#[tokio::test]
async fn a_name_of_any_length_leaves_a_sound_record() {
    let arena = Arena::new().await;
    for path in [format!("/web/open/{}", "a".repeat(8000)), format!("/nowhere/{}", "%22%0a".repeat(1000))] {
        let answer = arena.send(Way::Reverse, request("GET", &path, &[], "")).await;
        assert_ne!(answer.status(), 0);
    }
    let long = format!(r#"{{"model":"{}","messages":[]}}"#, "m".repeat(512));
    arena.refuses("a long model", Way::Reverse, post(CHAT, &long), 403, "no-clause").await;
    let odd = r#"{"model":"a\u2028\u202e\ufeffb","messages":[]}"#;
    let answer = arena.send(Way::Reverse, post(CHAT, odd)).await;
    assert!(matches!(answer.status(), 400 | 403), "{answer:?}");
    assert_eq!(arena.records_once(4).await.len(), 4);
}
