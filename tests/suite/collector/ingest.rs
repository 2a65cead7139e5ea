//! Evidence in: once, in order, whole.

use pactgate::domain::Reason;
use serde_json::json;

use super::world::{ADA, Log, S1, S2, World, after, record};

#[tokio::test]
async fn a_batch_is_acknowledged_and_sending_it_again_changes_nothing() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let batch = log.records("a", 0, 5, None);
    let position = json!({"source": log.source, "accepted_through": 5, "head": log.head()});
    for _ in 0..3 {
        let answer = world.deliver(S1, &batch).await;
        assert_eq!((answer.status, answer.json()), (200, position.clone()));
    }
    let asked = world.get(&format!("/v1/events/position?source={}", log.source), S1).await;
    assert_eq!(asked.json(), position);
    let records = world.get("/v1/records?agent=a", ADA).await.json();
    assert_eq!(records["records"].as_array().unwrap().len(), 5);
    assert_eq!(records["next"], json!(null));
}

#[tokio::test]
async fn records_come_back_byte_for_byte() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let batch = log.records("a", 0, 3, Some(Reason::NoClause));
    world.deliver(S1, &batch).await;
    let body = world.get("/v1/records?reason=no-clause&limit=3", ADA).await.body;
    let text = std::str::from_utf8(&body).unwrap();
    for event in &batch {
        assert!(text.contains(std::str::from_utf8(event).unwrap()));
    }
}

#[tokio::test]
async fn a_batch_after_a_gap_waits_for_what_is_missing() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let batch = log.records("a", 0, 9, None);
    world.deliver(S1, &batch[..3]).await;
    let gap = world.deliver(S1, &batch[5..]).await.check_problem(409, "gap");
    assert_eq!(gap.accepted_through, Some(3));
    assert!(gap.detail.starts_with("expected record 4, found 6"), "{}", gap.detail);
    assert_eq!(world.deliver(S1, &batch[3..]).await.json()["accepted_through"], 9);
    assert_eq!(world.get("/v1/signals", ADA).await.json()["signals"], json!([]));
}

#[tokio::test]
async fn records_that_are_gone_are_declared_and_leave_a_signal() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let before = log.records("a", 0, 2, None);
    log.records("a", 2, 3, None);
    let head = log.head();
    let rest = log.records("a", 5, 2, None);
    world.deliver(S1, &before).await;

    let notice = |from: u64| {
        let gap = json!({"source": log.source, "from": from, "through": 5, "head": head});
        let detail = "the volume was replaced";
        json!({"kind": "evidence-gap", "severity": "warning", "detail": detail, "gap": gap}).to_string()
    };
    let wrong = world.post("/v1/signals", S1, &notice(2)).await.check_problem(409, "conflict");
    assert_eq!(wrong.accepted_through, Some(2));
    world.post("/v1/signals", S2, &notice(3)).await.check_problem(403, "forbidden");
    world.post("/v1/signals", ADA, &notice(3)).await.check_problem(400, "malformed");
    let skipped = world.post("/v1/signals", S1, &notice(3)).await;
    assert_eq!((skipped.status, &skipped.json()["accepted_through"]), (200, &json!(5)));
    assert_eq!(world.deliver(S1, &rest).await.json()["accepted_through"], 7);
    let signals = world.get("/v1/signals", ADA).await.json();
    assert_eq!(signals["signals"][0]["detail"], "records 3 to 5 are gone: the volume was replaced");
    assert_eq!(signals["signals"][0]["by"], "sidecar s-1");
}

#[tokio::test]
async fn another_record_in_a_held_place_is_refused_and_reported() {
    let world = World::start().await;
    let (mut log, mut twin) = (Log::new("s-1", 1), Log::new("s-1", 1));
    world.deliver(S1, &log.records("a", 0, 3, None)).await;
    let fork = world.deliver(S1, &twin.records("b", 0, 3, None)).await.check_problem(409, "fork");
    assert_eq!(fork.accepted_through, Some(3));
    let unchained = world.deliver(S1, &twin.records("b", 3, 1, None)).await.check_problem(409, "unchained");
    assert_eq!(unchained.accepted_through, Some(3));
    let signals = world.get("/v1/signals", ADA).await.json();
    assert_eq!(signals["signals"][0]["kind"], "evidence-fork");
    assert_eq!(signals["signals"][0]["severity"], "critical");
    world.get("/v1/agents/b/trust", ADA).await.check_problem(404, "not-found");
}

#[tokio::test]
async fn a_sidecar_speaks_only_for_itself() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let batch = log.records("a", 0, 1, None);
    world.deliver(S2, &batch).await.check_problem(403, "forbidden");
    let path = format!("/v1/events/position?source={}", log.source);
    world.get(&path, S2).await.check_problem(403, "forbidden");
    assert_eq!(world.get(&path, S1).await.json()["accepted_through"], 0);
    world.get("/v1/events/position?source=elsewhere", S1).await.check_problem(400, "malformed");
}

#[tokio::test]
async fn what_stands_before_a_bad_event_is_kept() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let mut batch = log.records("a", 0, 2, None);
    batch.push(br#"{"specversion":"1.0"}"#.to_vec());
    batch.extend(log.records("a", 2, 1, None));
    let refused = world.deliver(S1, &batch).await.check_problem(422, "unsound");
    assert_eq!(refused.accepted_through, Some(2));
    assert!(refused.detail.starts_with("event 2 of the batch: "), "{}", refused.detail);

    let mut changed = log.seal(&record("a", after(9), None));
    let place = changed.iter().position(|byte| *byte == b':').unwrap();
    changed.insert(place + 1, b' ');
    world.deliver(S1, &[changed]).await.check_problem(422, "unsound");

    let mut other = Log::new("s-1", 2);
    let mixed = [log.records("a", 3, 1, None), other.records("a", 0, 1, None)].concat();
    let refused = world.deliver(S1, &mixed).await;
    assert!(refused.status >= 400);
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let world = World::start().await;
    for body in ["", "{}", "[", "[1] 2", "[]", "\u{feff}[]"] {
        let request = world.request(http::Method::POST, "/v1/events", S1);
        let request = request.header("content-type", super::world::BATCH);
        let answer = world.send(request.body(body.to_owned().into()).unwrap()).await;
        answer.check_problem(400, "malformed");
    }
    world.post("/v1/events", S1, "[]").await.check_problem(415, "media-type");
    let metrics = world.get("/metrics", "").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(text.contains(r#"pactgate_collector_batches_total{result="malformed"} 6"#), "{text}");
}
