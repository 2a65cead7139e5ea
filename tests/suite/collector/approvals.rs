//! Approvals: asked by a sidecar, answered once by a person, told to whoever asked.

use pactgate::domain::Digest;
use pactgate::wire::Answer;
use serde_json::{Value, json};

use super::world::{ADA, S1, S2, World, after};

fn question(id: &str) -> Value {
    json!({
        "approval": id,
        "agent": "a",
        "pact": "refunds",
        "pact_digest": Digest::of(b"pact").hex(),
        "clauses": ["refund-large"],
        "action": {"kind": "tool", "name": "payments.refund"},
        "args_digest": Digest::of(b"args").hex(),
        "fields": {"args": {"amount": 250, "currency": "EUR"}},
        "approvers": ["payments-leads"],
        "tier": "standard",
        "asked_at": after(0).to_string(),
        "expires_at": after(900).to_string(),
    })
}

#[tokio::test]
async fn a_question_is_granted_once_and_whoever_asked_hears_it() {
    let world = World::start().await;
    let (mut own, mut other) = (world.feed(S1).await, world.feed(S2).await);
    own.statement().await;
    other.statement().await;
    let asked = question("q-1").to_string();
    assert_eq!(world.post("/v1/approvals", S1, &asked).await.status, 201);
    assert_eq!(world.post("/v1/approvals", S1, &asked).await.status, 200, "asking twice is asking once");
    world.post("/v1/approvals", S2, &asked).await.check_problem(409, "conflict");
    let mut changed = question("q-1");
    changed["fields"]["args"]["amount"] = json!(1);
    world.post("/v1/approvals", S1, &changed.to_string()).await.check_problem(409, "conflict");

    let listed = world.get("/v1/approvals?state=pending", ADA).await.json();
    assert_eq!(listed["approvals"][0]["approval"], "q-1");
    assert_eq!(listed["approvals"][0]["fields"]["args"]["amount"], 250);
    assert_eq!(world.get("/v1/approvals/q-1", S1).await.json()["state"], "pending");
    world.get("/v1/approvals/q-1", S2).await.check_problem(404, "not-found");

    let grant = json!({"answer": "grant", "why": "called the customer"}).to_string();
    world.post("/v1/approvals/q-1", S1, &grant).await.check_problem(403, "forbidden");
    let granted = world.post("/v1/approvals/q-1", ADA, &grant).await.json();
    assert_eq!((&granted["state"], &granted["by"]), (&json!("granted"), &json!("ada")));
    let told = own.approval().await;
    assert_eq!((told.answer, told.by.as_str()), (Answer::Granted, "ada"));
    assert_eq!((told.args_digest, told.pact_digest), (Digest::of(b"args"), Digest::of(b"pact")));
    assert_eq!(told.expires_at, after(900));

    let refuse = json!({"answer": "refuse"}).to_string();
    let again = world.post("/v1/approvals/q-1", "token-of-bob", &refuse).await.check_problem(409, "conflict");
    assert!(again.detail.contains("granted before, by `ada`"), "{}", again.detail);
    world.post("/v1/approvals/q-9", ADA, &grant).await.check_problem(404, "not-found");
    world.post("/v1/approvals/q-1", ADA, r#"{"answer":"maybe"}"#).await.check_problem(400, "malformed");

    // The other sidecar was told nothing: the next it hears is something else.
    let mut log = super::world::Log::new("s-1", 1);
    world.deliver(S1, &log.records("a", 0, 1, None)).await;
    other.statement().await;
}

#[tokio::test]
async fn an_answer_given_while_the_sidecar_was_away_is_told_when_it_comes_back() {
    let world = World::start().await;
    world.post("/v1/approvals", S1, &question("q-1").to_string()).await;
    world.post("/v1/approvals/q-1", ADA, r#"{"answer":"refuse","why":"no"}"#).await;
    let mut feed = world.feed(S1).await;
    feed.statement().await;
    assert_eq!(feed.approval().await.answer, Answer::Refused);
}

#[tokio::test]
async fn a_question_that_lapsed_cannot_be_granted_and_is_told_as_expired() {
    let world = World::start().await;
    world.post("/v1/approvals", S1, &question("q-1").to_string()).await;
    let mut feed = world.feed(S1).await;
    feed.statement().await;
    world.clock.jump_to(after(900));
    let grant = r#"{"answer":"grant","why":"late"}"#;
    world.post("/v1/approvals/q-1", ADA, grant).await.check_problem(410, "lapsed");
    // Closed by the upkeep within its second.
    let told = feed.approval().await;
    assert_eq!((told.answer, told.by.as_str()), (Answer::Expired, "collector"));
    world.post("/v1/approvals", S1, &question("q-2").to_string()).await.check_problem(400, "malformed");
}

#[tokio::test]
async fn questions_are_read_strictly() {
    let world = World::start().await;
    let mut unknown = question("q-1");
    unknown["urgent"] = json!(true);
    world.post("/v1/approvals", S1, &unknown.to_string()).await.check_problem(400, "malformed");
    let mut bad = question("q-1");
    bad["args_digest"] = json!("short");
    let refused = world.post("/v1/approvals", S1, &bad.to_string()).await.check_problem(400, "malformed");
    assert!(refused.detail.contains("`short` is not a SHA-256 digest"), "{}", refused.detail);
    world.post("/v1/approvals", S1, &question("a b").to_string()).await.check_problem(400, "malformed");
}
