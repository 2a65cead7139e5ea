//! Tests: pages put together from the rooms.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::approvals::{self as desk, Desk, Question};
use crate::domain::{
    ActionKind, AgentId, ClauseId, Digest, Json, LimitId, ManualClock, PactName, Timestamp, TrustTier,
};
use crate::limits::{Bounds, Limits, Rate, Rule};
use crate::pact::PactSet;
use crate::trust::{Staleness, Standing, TierCache};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-18T10:00:00Z").unwrap()))
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn standing(name: &str, tier: TrustTier) -> Standing {
    Standing {
        agent: agent(name),
        tier,
        score: Some(0.93),
        lower: Some(0.81),
        confidence: Some(0.8),
        computed_at: None,
        why: "1,204 calls without a refusal".to_owned(),
    }
}

#[test]
fn trust_shows_configured_agents_first_and_what_age_does_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let cache = TierCache::open(
        folder.path().join("tiers"),
        Staleness::default(),
        TrustTier::Probation,
        Arc::clone(&clock) as _,
    );
    let stated = vec![standing("b", TrustTier::Trusted), standing("a", TrustTier::Standard)];
    cache.apply(7, Timestamp::parse_rfc3339("2026-11-18T10:00:00Z").unwrap(), true, stated).unwrap();
    clock.advance(Duration::from_secs(90));
    let page = trust(&cache, &[agent("new"), agent("b"), agent("b")]);
    let seen: Vec<_> = page
        .agents
        .entries
        .iter()
        .map(|line| (line.agent.as_str(), line.tier.as_str(), line.stated.as_str(), line.sunk))
        .collect();
    let expected = [
        ("b", "standard", "trusted", true),
        ("new", "probation", "probation", false),
        ("a", "standard", "standard", false),
    ];
    assert_eq!(seen, expected);
    assert_eq!((page.news.state.as_str(), page.news.age_s, page.news.serial), ("heard", Some(90), 7));
    assert_eq!(page.news.ceiling, "standard");
    assert_eq!(page.agents.entries[0].why, "1,204 calls without a refusal");
    assert_eq!(page.agents.entries[1].why, "");
}

#[test]
fn limits_show_what_is_left() {
    let limits = Limits::new(Bounds::default(), clock());
    let (pact, id) = (PactName::new("refunds").unwrap(), LimitId::new("per-minute").unwrap());
    let rate = Rate { count: 60, per: Duration::from_secs(60) };
    let rule = Rule { pact: &pact, id: &id, rate: Some(rate), burst: Some(10) };
    drop(limits.reserve(&agent("a"), &[rule]).unwrap());
    let page = super::limits(&limits);
    let line = &page.limits.entries[0];
    assert_eq!((line.agent.as_str(), line.limit.as_str()), ("a", "per-minute"));
    assert_eq!((line.remaining, line.burst, line.spacing_ms), (9, 10, 1_000));
}

#[test]
fn approvals_show_questions_without_what_the_call_carries() {
    let desk = Desk::open(desk::Settings::default(), clock()).unwrap();
    let question = Question {
        agent: agent("a"),
        pact: PactName::new("refunds").unwrap(),
        pact_digest: Digest::of(b"pact"),
        clauses: vec![ClauseId::new("large").unwrap()],
        kind: ActionKind::Tool,
        name: "refunds.create".to_owned(),
        args_digest: Digest::of(b"arguments"),
        fields: Json::String("card 4242".to_owned()),
        approvers: vec!["finance".to_owned()],
        tier: TrustTier::Standard,
        asked_at: Timestamp::parse_rfc3339("2026-11-18T10:00:00Z").unwrap(),
    };
    desk.ask(question).unwrap();
    let page = super::approvals(&desk);
    assert_eq!((page.open.total(), page.asked), (1, 1));
    assert_eq!(page.open.entries[0].state, "pending");
    assert_eq!(page.open.entries[0].expires_at, "2026-11-18T10:15:00.000000Z");
    assert!(!json(&page).to_string().contains("4242"));
}

#[test]
fn pacts_show_what_is_in_force() {
    let text = include_str!("../../../tests/corpus/pact/refunds.yaml");
    let loaded = crate::pact::load("refunds.yaml", text).unwrap();
    let set = PactSet::build(vec![loaded.pact]).unwrap();
    let page = pacts(&set, Timestamp::parse_rfc3339("2026-11-18T10:00:00Z").unwrap(), None);
    let expected = PactLine {
        name: "refunds-assistant".to_owned(),
        version: 3,
        digest: Digest::of(text.as_bytes()).hex(),
        mode: "enforce".to_owned(),
        risk: "high".to_owned(),
        file: "refunds.yaml".to_owned(),
        agents: vec!["refunds-*".to_owned()],
        owner: Some("payments-platform".to_owned()),
        clauses: set.iter().map(|pact| pact.clauses().len()).sum(),
    };
    assert_eq!(page.pacts.entries, [expected]);
    assert_eq!(page.loaded_at, "2026-11-18T10:00:00.000000Z");
}

#[test]
fn lists_end_and_say_so() {
    let mut list = Listed::of(0..ENTRIES_MAX + 5);
    assert_eq!((list.entries.len(), list.left_out), (ENTRIES_MAX, 5));
    list.shorten(10);
    assert_eq!((list.entries.len(), list.total()), (10, ENTRIES_MAX + 5));
    list.shorten(20);
    assert_eq!((list.entries.len(), list.total()), (10, ENTRIES_MAX + 5));
}

#[test]
fn a_page_of_another_version_can_be_read() {
    let status: Status = serde_json::from_str(r#"{"id":"checkout-1","moon":{"phase":3}}"#).unwrap();
    assert_eq!(status.id, "checkout-1");
    let pact = PactLine { name: "refunds".to_owned(), ..PactLine::default() };
    let pacts = PactsPage { pacts: Listed::of(vec![pact; 100]), ..PactsPage::default() };
    let shown = Status { pacts, ..status }.into_json();
    let read: Status = serde_json::from_value(shown).unwrap();
    assert_eq!((read.pacts.pacts.entries.len(), read.pacts.pacts.left_out), (40, 60));
}
