//! Approvals: replayed, borrowed, outlived, abandoned.

use std::time::Duration;

use pactgate::approvals::{Said, Statement};
use pactgate::config;
use pactgate::domain::{AgentId, Reason, TrustTier};
use pactgate::evidence::{ApprovalAnswer, Effect};
use pactgate::trust::{Staleness, Standing};
use serde_json::json;

use crate::support::arena::{Arena, Ear, PACT, TWIN, Way, post, request};

const MCP: &str = "/shop/mcp";

fn refund(amount: u64) -> String {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "refund", "arguments": {"amount": amount}}});
    post(MCP, &message.to_string())
}

async fn patient() -> Arena {
    Arena::with(|config| config.approvals.patience = Duration::from_secs(60)).await
}

/// Waits until there is a question, and answers it; `change` may falsify the answer.
async fn grant(arena: &Arena, change: impl FnOnce(&mut Statement)) -> bool {
    let desk = &arena.sidecar.rooms.desk;
    let asked = loop {
        if let Some(open) = desk.questions().into_iter().find(|open| open.state == "pending") {
            break open.asked;
        }
        tokio::task::yield_now().await;
    };
    let mut statement = Statement {
        approval: asked.id.clone(),
        said: Said::Granted,
        by: "alice".to_owned(),
        why: String::new(),
        agent: asked.question.agent.clone(),
        args_digest: asked.question.args_digest,
        pact_digest: asked.question.pact_digest,
        expires_at: asked.expires_at,
    };
    change(&mut statement);
    desk.answer(statement).is_ok()
}

#[tokio::test]
async fn a_grant_is_good_once_and_for_this_call_alone() {
    let arena = patient().await;
    let (answer, granted) = tokio::join!(arena.send(Way::Reverse, refund(5)), grant(&arena, |_| {}));
    assert!(granted);
    assert_eq!(answer.body(), "{}", "{answer:?}");
    assert_eq!(arena.ear.heard().matches("refund").count(), 1);
    let again = Arena::new().await;
    let first =
        async { tokio::join!(again.send(Way::Reverse, refund(5)), again.send(Way::Reverse, refund(5))) };
    let ((one, two), _) = tokio::join!(first, grant(&again, |_| {}));
    let passed = [&one, &two].iter().filter(|answer| answer.body() == "{}").count();
    assert_eq!(passed, 1, "{one:?} {two:?}");
    assert_eq!(again.ear.heard().matches("refund").count(), 1);
    again.refuses("other arguments", Way::Reverse, refund(500), 200, "approval-required").await;
    again.refuses("the same again", Way::Reverse, refund(5), 200, "approval-required").await;
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"refund","arguments":{"amount":5}}}"#;
    let bearer = format!("Bearer {TWIN}");
    let twin =
        request("POST", MCP, &[("content-type", "application/json"), ("authorization", &bearer)], message);
    again.refuses("another agent", Way::Open, twin, 200, "approval-required").await;
}

#[tokio::test]
async fn a_grant_for_something_else_is_not_taken() {
    let arena = Arena::new().await;
    let digest = pactgate::domain::Digest::of(b"another");
    let twin = AgentId::new("twin").unwrap();
    let changes: [&dyn Fn(&mut Statement); 3] = [
        &|statement| statement.args_digest = digest,
        &|statement| statement.pact_digest = digest,
        &|statement| statement.agent = twin.clone(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let asked = arena.refuses("asking", Way::Reverse, refund(number as u64), 200, "approval-required");
        let (_, taken) = tokio::join!(asked, grant(&arena, |statement| change(statement)));
        assert!(!taken, "{number}");
        let refused = Statement { said: Said::Refused, ..statement_of(&arena) };
        arena.sidecar.rooms.desk.answer(refused).unwrap();
    }
}

fn statement_of(arena: &Arena) -> Statement {
    let open = arena.sidecar.rooms.desk.questions().into_iter().find(|open| open.state == "pending").unwrap();
    let asked = open.asked;
    Statement {
        approval: asked.id.clone(),
        said: Said::Granted,
        by: "alice".to_owned(),
        why: String::new(),
        agent: asked.question.agent.clone(),
        args_digest: asked.question.args_digest,
        pact_digest: asked.question.pact_digest,
        expires_at: asked.expires_at,
    }
}

#[tokio::test]
async fn a_call_given_up_while_it_is_asked_leaves_one_record() {
    let arena = patient().await;
    let stream = arena.open(Way::Reverse, refund(5)).await;
    while arena.sidecar.rooms.desk.questions().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let records = arena.records_once(1).await;
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].effect, records[0].reason), (Effect::Refused, Some(Reason::ApprovalRequired)));
    assert_eq!(records[0].approval.as_ref().unwrap().answer, ApprovalAnswer::Unanswered);
    assert_eq!(arena.ear.heard(), "");
}

#[tokio::test]
async fn a_pact_that_changed_while_a_person_thought_is_the_one_that_counts() {
    let arena = patient().await;
    let changed = async {
        while arena.sidecar.rooms.desk.questions().is_empty() {
            tokio::task::yield_now().await;
        }
        arena.replace_pact(&PACT.replace("ask: {tool: shop.refund}", "deny: {tool: shop.refund}"));
        grant(&arena, |_| {}).await
    };
    let (answer, _) = tokio::join!(arena.send(Way::Reverse, refund(5)), changed);
    assert!(answer.body().contains("\"isError\":true"), "{answer:?}");
    assert_eq!(arena.ear.heard(), "");
    let records = arena.records().await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].effect, Effect::Refused);
}

#[tokio::test]
async fn an_agent_that_is_suspended_while_a_person_thinks_gets_nothing_for_the_grant() {
    let arena = Arena::with(|config| {
        config.approvals.patience = Duration::from_secs(60);
        config.trust = config::Trust::Fed(Staleness::default());
    })
    .await;
    let suspended = async {
        let agent = loop {
            if let Some(open) = arena.sidecar.rooms.desk.questions().into_iter().next() {
                break open.asked.question.agent.clone();
            }
            tokio::task::yield_now().await;
        };
        let standing = Standing {
            agent,
            tier: TrustTier::Suspended,
            score: None,
            lower: None,
            confidence: None,
            computed_at: None,
            why: String::new(),
        };
        let now = arena.sidecar.rooms.clock.now();
        arena.sidecar.rooms.tiers.apply(1, now, true, vec![standing]).unwrap();
        grant(&arena, |_| {}).await
    };
    let (answer, granted) = tokio::join!(arena.send(Way::Reverse, refund(5)), suspended);
    assert!(granted);
    assert!(answer.body().contains("\"isError\":true"), "{answer:?}");
    assert_eq!(arena.ear.heard(), "");
    let records = arena.records().await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((records[0].effect, records[0].reason), (Effect::Refused, Some(Reason::Suspended)));
}

#[tokio::test]
async fn nobody_is_asked_for_a_batch_that_is_refused_anyway() {
    let arena =
        Arena::built(Ear::fine().await, PACT, |config| config.approvals.patience = Duration::from_secs(60));
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "refund", "arguments": {"amount": 5}}},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "drop"}},
    ]);
    let answer = arena.send(Way::Reverse, post(MCP, &batch.to_string())).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(arena.sidecar.rooms.desk.questions().is_empty());
    let records = arena.records().await;
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.effect == Effect::Refused), "{records:?}");
}
