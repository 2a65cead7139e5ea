//! Scores that anybody can recompute, and people who overrule them.

use pactgate::domain::{AgentId, Reason, Timestamp, TrustTier};
use pactgate::scoring::{Observation, State, Weights, mark};
use pactgate::store::attempt_of;
use serde_json::{Value, json};

use super::world::{ADA, Log, S1, World, after, record};

#[tokio::test]
async fn a_stranger_recomputes_the_score_from_the_records_alone() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let reasons =
        [None, None, None, Some(Reason::NoClause), Some(Reason::RateLimited), Some(Reason::Unreadable)];
    for round in 0..8_u64 {
        world.clock.jump_to(after(round * 1_500));
        let batch: Vec<_> = (0..20)
            .map(|n: usize| {
                let at = after((round * 1_500).saturating_sub(200) + n as u64);
                log.seal(&record("a", at, reasons[(n * 7 + round as usize) % reasons.len()]))
            })
            .collect();
        assert_eq!(world.deliver(S1, &batch).await.status, 200);
    }
    world.clock.jump_to(after(20_000));
    let trust = world.trust("a").await;

    let weights = Weights::default();
    assert_eq!(trust["algorithm"], weights.name());
    let moment = |value: &Value| Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap();
    let (mut state, mut next): (Option<State>, Value) = (None, json!(0));
    while let Some(place) = next.as_u64() {
        let page = world.get(&format!("/v1/records?agent=a&limit=37&after={place}"), ADA).await.json();
        for entry in page["records"].as_array().unwrap() {
            assert!(entry["position"].as_u64() <= trust["position"].as_u64());
            let event = serde_json::to_vec(&entry["event"]).unwrap();
            let event = pactgate::evidence::read(&event).unwrap();
            assert_eq!(event.record.agent, Some(AgentId::new("a").unwrap()));
            let received_at = moment(&entry["received_at"]);
            let weight = mark(&weights, &attempt_of(&event.record)).weight;
            let observation = Observation { at: event.record.at, received_at, weight };
            state.get_or_insert_with(|| State::new(received_at)).observe(&weights, &observation);
        }
        next = page["next"].clone();
    }
    let mut state = state.unwrap();
    state.advance_to(&weights, moment(&trust["computed_at"]));
    let standing = state.standing(&weights);
    assert_eq!(trust["tier"], standing.tier.name());
    assert_eq!(trust["since"], standing.since.to_string());
    assert_eq!(trust["reasons"], json!(standing.reasons));
    assert_eq!(
        trust["in_scope"],
        json!({"k": standing.score.good, "n": standing.score.good + standing.score.bad})
    );
    for (name, value) in
        [("score", standing.score.mean), ("lower", standing.score.lower), ("upper", standing.score.upper)]
    {
        assert!((trust[name].as_f64().unwrap() - value).abs() < 1e-6, "{name}");
    }
}

#[tokio::test]
async fn an_operator_suspends_and_reinstates_and_the_feed_tells() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    world.deliver(S1, &log.records("spiffe://corp/a", 0, 3, None)).await;
    let mut feed = world.feed(S1).await;
    feed.statement().await;

    let path = "/v1/agents/spiffe:%2F%2Fcorp%2Fa/override";
    let say = |action: &str| json!({"action": action, "why": "under investigation"}).to_string();
    let suspended = world.post(path, ADA, &say("suspend")).await.json();
    assert_eq!(suspended["tier"], "suspended");
    assert_eq!(suspended["evidence_tier"], "probation");
    assert_eq!(suspended["override"]["by"], "ada");
    assert_eq!(suspended["reasons"][0], "suspended by ada: under investigation");
    let told = feed.statement().await;
    assert_eq!(told.agents[0].tier, TrustTier::Suspended);
    assert_eq!(told.agents[0].why, "suspended by ada: under investigation");
    world.post(path, ADA, &say("suspend")).await.check_problem(409, "conflict");

    let reinstated = world.post(path, "token-of-bob", &say("reinstate")).await.json();
    assert_eq!((&reinstated["tier"], &reinstated["override"]), (&json!("probation"), &json!(null)));
    assert_eq!(reinstated["history"][0]["why"], "reinstated by bob: under investigation");
    assert_eq!(feed.statement().await.agents[0].tier, TrustTier::Probation);
    world.post(path, ADA, &say("reinstate")).await.check_problem(409, "conflict");

    world.post("/v1/agents/nobody/override", ADA, &say("suspend")).await.check_problem(404, "not-found");
    let silent = json!({"action": "suspend", "why": "  "}).to_string();
    world.post(path, ADA, &silent).await.check_problem(400, "malformed");
    let signals = world.get("/v1/signals", ADA).await.json();
    let by: Vec<_> = signals["signals"].as_array().unwrap().iter().map(|signal| &signal["by"]).collect();
    assert_eq!(by, ["operator bob", "operator ada"]);
}

#[tokio::test]
async fn a_suspension_outlives_a_restart() {
    let mut world = World::start().await;
    let mut log = Log::new("s-1", 1);
    world.deliver(S1, &log.records("a", 0, 3, None)).await;
    let say = json!({"action": "suspend", "why": "odd"}).to_string();
    world.post("/v1/agents/a/override", ADA, &say).await;
    // Also when the weights change, and all scores are made anew.
    world.restart(|settings| settings.weights.loss_aversion = 7.0).await;
    let trust = world.trust("a").await;
    assert_eq!((&trust["tier"], &trust["override"]["by"]), (&json!("suspended"), &json!("ada")));
    assert_ne!(trust["algorithm"], json!(Weights::default().name()));
}

#[tokio::test]
async fn agents_are_listed_in_pages() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let batch: Vec<_> = ["c", "a", "b"].iter().map(|name| log.seal(&record(name, after(0), None))).collect();
    world.deliver(S1, &batch).await;
    let first = world.get("/v1/agents?limit=2", ADA).await.json();
    let names = |page: &Value| -> Vec<String> {
        page["agents"].as_array().unwrap().iter().map(|a| a["agent"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&first), &first["next"]), (vec!["a".to_owned(), "b".to_owned()], &json!("b")));
    let second = world.get("/v1/agents?limit=2&after=b", ADA).await.json();
    assert_eq!((names(&second), &second["next"]), (vec!["c".to_owned()], &json!(null)));
}

#[tokio::test]
async fn signals_come_from_sidecars_and_operators_and_are_counted() {
    let world = World::start().await;
    let signal =
        |kind: &str| json!({"kind": kind, "severity": "critical", "agent": "a", "detail": "paid twice"});
    let flag = signal("incident-flag").to_string();
    assert_eq!(world.post("/v1/signals", S1, &flag).await.status, 201);
    let again = world.post("/v1/signals", S1, &flag).await.json();
    assert_eq!(again["count"], 2);
    assert_eq!(world.post("/v1/signals", ADA, &flag).await.json()["count"], 1);
    world.post("/v1/signals", ADA, &signal("tool-changed").to_string()).await.check_problem(403, "forbidden");
    world.post("/v1/signals", S1, &signal("score-drop").to_string()).await.check_problem(403, "forbidden");
    world.post("/v1/signals", S1, &signal("evidence-gap").to_string()).await.check_problem(400, "malformed");
    world.post("/v1/signals", S1, &signal("rumor").to_string()).await.check_problem(400, "malformed");
    let listed = world.get("/v1/signals?limit=1", ADA).await.json();
    assert_eq!(listed["signals"][0]["by"], "operator ada");
    let next = listed["next"].as_u64().unwrap();
    let rest = world.get(&format!("/v1/signals?before={next}"), ADA).await.json();
    assert_eq!((&rest["signals"][0]["by"], &rest["signals"][0]["count"]), (&json!("sidecar s-1"), &json!(2)));
}
