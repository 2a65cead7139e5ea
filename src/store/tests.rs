//! What the store keeps, and that scores are nothing but the records folded.

use std::time::Duration;

use super::*;
use crate::domain::{
    ActionKind, DecisionId, Dialect, Digest, Reason, Ruling, SidecarId, Timestamp, TrustTier,
};
use crate::evidence::{
    ActionSeen, Chain, Coverage, Effect, Kind, Latency, LogId, Outcome, Proof, Record, Seen, Source,
};
use crate::wire::{
    ApprovalState, AskedAction, Fields, GapNotice, Override, OverrideAction, Question, Say, Severity,
    SignalKind,
};

const START: i64 = 1_790_000_000_000_000;

fn after(seconds: u64) -> Timestamp {
    Timestamp::from_micros(START).plus(Duration::from_secs(seconds))
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn record(who: &str, at: Timestamp, reason: Option<Reason>) -> Record {
    let refused = reason.is_some();
    Record {
        kind: if refused { Kind::Refused } else { Kind::Settled },
        decision: DecisionId::new("d-1").unwrap(),
        at,
        agent: Some(agent(who)),
        proof: Some(Proof::Listener),
        listener: "reverse 127.0.0.1:8080".into(),
        upstream: None,
        pact: None,
        verdict: if refused { Ruling::Deny } else { Ruling::Allow },
        effect: if refused { Effect::Refused } else { Effect::Sent },
        reason,
        clauses: Vec::new(),
        faults: Vec::new(),
        observed: Vec::new(),
        tier: None,
        action: ActionSeen {
            kind: Some(ActionKind::Tool),
            name: "orders.get".to_owned(),
            capability: None,
            dialect: Dialect::Mcp,
        },
        args_digest: None,
        withheld: Vec::new(),
        approval: None,
        limit: None,
        outcome: Some(if refused { Outcome::Refused } else { Outcome::Completed { status: 200 } }),
        usage: None,
        latency: Latency { total: Some(Duration::ZERO), ..Latency::default() },
        coverage: Coverage { request: Seen::ALL[0], response: None },
        traceparent: None,
        parent: None,
    }
}

/// A sidecar's log, sealing records as it would.
struct Log {
    chain: Chain,
    source: Source,
}

impl Log {
    fn new(sidecar: &str, log: u8) -> Self {
        let source = Source::new(SidecarId::new(sidecar).unwrap(), LogId::from_bytes([log; 8]));
        Self { chain: Chain::begin(source.clone()), source }
    }

    fn seal(&mut self, record: &Record) -> Incoming {
        let bytes = self.chain.seal(record, record.at).bytes;
        Incoming { event: crate::evidence::read(&bytes).unwrap(), bytes }
    }
}

struct Fixture {
    store: Store,
    dir: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, Weights::default()).await;
    Fixture { store, dir }
}

async fn open(dir: &tempfile::TempDir, weights: Weights) -> Store {
    Store::open(&dir.path().join("collector.db"), weights, after(0)).await.unwrap()
}

async fn tier(store: &Store, who: &str, now: Timestamp) -> TrustTier {
    store.trust(&agent(who), now).await.unwrap().unwrap().tier
}

/// Folds the agent's records again and compares with what is kept.
async fn check_recomputed(store: &Store, who: &str, now: Timestamp) {
    let mut connection = store.reader.acquire().await.unwrap();
    let mut kept = fold::load(&mut connection, store.weights(), &agent(who)).await.unwrap().unwrap();
    let (mut again, _) = store.refold(&mut connection, &agent(who)).await.unwrap().unwrap();
    kept.state.advance_to(store.weights(), now);
    again.state.advance_to(store.weights(), now);
    assert_eq!(again.state, kept.state);
    assert_eq!((again.position, again.override_id), (kept.position, kept.override_id));
}

#[tokio::test]
async fn records_are_kept_byte_for_byte_and_once() {
    let Fixture { store, dir: _dir } = fixture().await;
    let mut log = Log::new("s-1", 1);
    let batch: Vec<_> = (0..3).map(|n| log.seal(&record("a", after(n), None))).collect();

    let first = store.append(&log.source, &batch[..2], after(5)).await.unwrap();
    assert_eq!((first.fresh, first.duplicates, first.position.accepted_through), (2, 0, 2));
    let again = store.append(&log.source, &batch, after(6)).await.unwrap();
    assert_eq!((again.fresh, again.duplicates, again.refused), (1, 2, None));
    assert_eq!(again.position.head, batch[2].event.hash);
    assert_eq!(store.position(&log.source).await.unwrap(), again.position);

    let page = store.records(&RecordFilter::Agent(agent("a")), 0, 2).await.unwrap();
    assert_eq!(page.next, Some(2));
    for (view, incoming) in page.records.iter().zip(&batch) {
        assert_eq!(view.event.get().as_bytes(), incoming.bytes);
        assert_eq!(view.hash, Digest::of(&incoming.bytes));
    }
    let rest = store.records(&RecordFilter::All, 2, 100).await.unwrap();
    assert_eq!((rest.records.len(), rest.next), (1, None));
    assert_eq!(
        store.records(&RecordFilter::Reason("denied".to_owned()), 0, 9).await.unwrap().records.len(),
        0
    );
}

#[tokio::test]
async fn a_gap_stops_a_batch_until_it_is_filled_or_declared() {
    let Fixture { store, dir: _dir } = fixture().await;
    let mut log = Log::new("s-1", 1);
    let batch: Vec<_> = (0..5).map(|n| log.seal(&record("a", after(n), None))).collect();
    store.append(&log.source, &batch[..1], after(5)).await.unwrap();

    let beyond = store.append(&log.source, &batch[2..], after(5)).await.unwrap();
    assert_eq!(beyond.refused, Some(Refused::Gap { expected: 2, found: 3 }));
    assert_eq!((beyond.fresh, beyond.position.accepted_through), (0, 1));
    assert_eq!(store.signals(None, 9).await.unwrap().signals, [], "a gap alone is no signal");

    let signal = NewSignal::of_source(
        SignalKind::EvidenceGap,
        Severity::Warning,
        &log.source,
        "the disk broke".to_owned(),
    );
    let wrong = GapNotice { source: log.source.to_string(), from: 3, through: 3, head: batch[2].event.hash };
    assert_eq!(store.skip(&log.source, &wrong, &signal, after(6)).await.unwrap(), None);
    let gap = GapNotice { source: log.source.to_string(), from: 2, through: 3, head: batch[2].event.hash };
    let skipped = store.skip(&log.source, &gap, &signal, after(6)).await.unwrap().unwrap();
    assert_eq!(skipped.accepted_through, 3);
    assert_eq!(store.signals(None, 9).await.unwrap().signals[0].detail, "the disk broke");

    let after_gap = store.append(&log.source, &batch[3..], after(7)).await.unwrap();
    assert_eq!((after_gap.fresh, after_gap.refused), (2, None));
    let late = store.append(&log.source, &batch[1..2], after(8)).await.unwrap();
    assert_eq!(late.refused, Some(Refused::Fork { sequence: 2 }), "what was declared lost stays lost");
}

#[tokio::test]
async fn another_record_in_the_place_of_one_is_a_fork_and_changes_nothing() {
    let Fixture { store, dir: _dir } = fixture().await;
    let (mut log, mut twin) = (Log::new("s-1", 1), Log::new("s-1", 1));
    let held = log.seal(&record("a", after(0), None));
    store.append(&log.source, std::slice::from_ref(&held), after(1)).await.unwrap();

    let other = twin.seal(&record("b", after(0), None));
    let forked = store.append(&log.source, &[other], after(2)).await.unwrap();
    assert_eq!(forked.refused, Some(Refused::Fork { sequence: 1 }));
    let next = twin.seal(&record("b", after(0), None));
    let unchained = store.append(&log.source, &[next], after(2)).await.unwrap();
    assert_eq!(unchained.refused, Some(Refused::Unchained { sequence: 2 }));

    let signals = store.signals(None, 9).await.unwrap().signals;
    assert_eq!((signals.len(), signals[0].kind, signals[0].count), (1, SignalKind::EvidenceFork, 2));
    assert_eq!(store.records(&RecordFilter::All, 0, 9).await.unwrap().records[0].hash, held.event.hash);
    assert!(store.trust(&agent("b"), after(3)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_second_log_of_a_sidecar_leaves_a_signal() {
    let Fixture { store, dir: _dir } = fixture().await;
    for log in [1, 2] {
        let mut log = Log::new("s-1", log);
        let first = log.seal(&record("a", after(0), None));
        assert_eq!(store.append(&log.source, &[first], after(1)).await.unwrap().fresh, 1);
    }
    let signals = store.signals(None, 9).await.unwrap().signals;
    assert_eq!((signals.len(), signals[0].kind), (1, SignalKind::EvidenceGap));
}

#[tokio::test]
async fn misbehavior_lowers_the_tier_and_says_so() {
    let Fixture { store, dir: _dir } = fixture().await;
    let mut heard = store.subscribe();
    let mut log = Log::new("s-1", 1);
    let good: Vec<_> = (0..15).map(|n| log.seal(&record("a", after(n), None))).collect();
    store.append(&log.source, &good, after(20)).await.unwrap();
    assert_eq!(tier(&store, "a", after(20)).await, TrustTier::Probation);
    let known = store.revision().await.unwrap();

    let bad: Vec<_> = (0..7).map(|n| log.seal(&record("a", after(20 + n), Some(Reason::NoClause)))).collect();
    store.append(&log.source, &bad, after(30)).await.unwrap();
    let view = store.trust(&agent("a"), after(30)).await.unwrap().unwrap();
    assert_eq!(view.tier, TrustTier::Restricted);
    assert_eq!((view.in_scope.k, view.in_scope.n), (15, 22));
    assert_eq!(view.history.len(), 1);
    assert_eq!(view.history[0].from, TrustTier::Probation);
    assert_eq!(view.position, 22);

    let news = store.agents_since(known).await.unwrap();
    assert_eq!((news.len(), news[0].tier.tier), (1, TrustTier::Restricted));
    assert_eq!(store.agents_since(news[0].revision).await.unwrap(), []);
    assert_eq!(heard.recv().await.unwrap(), Change::Tier(agent("a")), "the first score");
    let kinds: Vec<_> = store.signals(None, 9).await.unwrap().signals.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [SignalKind::ScoreDrop]);
    assert_eq!(store.tier_counts().await.unwrap(), [(TrustTier::Restricted, 1)]);
    check_recomputed(&store, "a", after(40)).await;
}

#[tokio::test]
async fn a_score_is_its_records_and_overrides_folded_and_nothing_else() {
    let Fixture { store, dir } = fixture().await;
    let mut logs = [Log::new("s-1", 1), Log::new("s-2", 2)];
    let reasons = [None, None, Some(Reason::NoClause), None, Some(Reason::Denied), Some(Reason::RateLimited)];
    let mut now = 0_u64;
    for step in 0..60_usize {
        now += [1, 40, 700, 5_000][step % 4];
        let log = &mut logs[step % 2];
        let who = ["a", "b", "c"][step % 3];
        // Records arrive late, and some long after they happened.
        let late = if step % 7 == 0 { 3_000 } else { 1 };
        let batch: Vec<_> = (0..1 + step % 5)
            .map(|n| log.seal(&record(who, after(now.saturating_sub(late)), reasons[(step * 5 + n) % 6])))
            .collect();
        let source = log.source.clone();
        store.append(&source, &batch, after(now)).await.unwrap();
        if step % 11 == 0 {
            store.review(after(now + 1)).await.unwrap();
        }
        if step == 20 || step == 45 {
            let request = Override { action: OverrideAction::Suspend, why: "odd".to_owned() };
            store.overrule(&agent("a"), &request, "ada", after(now)).await.unwrap();
        }
        if step == 30 {
            let request = Override { action: OverrideAction::Reinstate, why: "fine".to_owned() };
            store.overrule(&agent("a"), &request, "ada", after(now)).await.unwrap();
        }
    }
    let end = after(now + 90_000);
    for who in ["a", "b", "c"] {
        check_recomputed(&store, who, end).await;
    }

    // Other weights: all is folded again at the next start, and an operator's word still holds.
    store.close().await;
    let mut weights = Weights::default();
    weights.set("loss_aversion", 20.0).unwrap();
    let store = open(&dir, weights).await;
    for who in ["a", "b", "c"] {
        check_recomputed(&store, who, end).await;
    }
    let view = store.trust(&agent("a"), end).await.unwrap().unwrap();
    assert_eq!(view.tier, TrustTier::Suspended);
    assert_eq!(view.algorithm, store.weights().name());
}

#[tokio::test]
async fn time_alone_moves_tiers_in_reviews() {
    let Fixture { store, dir: _dir } = fixture().await;
    let mut log = Log::new("s-1", 1);
    let good: Vec<_> = (0..60).map(|n| log.seal(&record("a", after(n), None))).collect();
    store.append(&log.source, &good, after(60)).await.unwrap();
    assert_eq!(store.review(after(3_600)).await.unwrap(), 0);
    assert_eq!(store.review(after(86_400 + 1_200)).await.unwrap(), 1);
    assert_eq!(tier(&store, "a", after(86_400 + 1_200)).await, TrustTier::Standard);
    assert_eq!(store.review(after(86_400 + 1_201)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_collector_clock_that_steps_back_does_not_reorder_history() {
    let Fixture { store, dir: _dir } = fixture().await;
    let mut log = Log::new("s-1", 1);
    for now in [100, 50, 70] {
        let one = log.seal(&record("a", after(now), None));
        store.append(&log.source, &[one], after(now)).await.unwrap();
    }
    let page = store.records(&RecordFilter::All, 0, 9).await.unwrap();
    assert!(page.records.iter().all(|record| record.received_at == after(100)));
    check_recomputed(&store, "a", after(200)).await;
}

#[tokio::test]
async fn an_operator_overrules_once_at_a_time() {
    let Fixture { store, dir: _dir } = fixture().await;
    let say = |action| Override { action, why: "looks odd".to_owned() };
    let (suspend, reinstate) = (say(OverrideAction::Suspend), say(OverrideAction::Reinstate));
    let unknown = store.overrule(&agent("a"), &suspend, "ada", after(0)).await;
    assert!(matches!(unknown, Err(OverrideError::UnknownAgent)));

    let mut log = Log::new("s-1", 1);
    let one = log.seal(&record("a", after(0), None));
    store.append(&log.source, &[one], after(1)).await.unwrap();
    let nothing = store.overrule(&agent("a"), &reinstate, "ada", after(2)).await;
    assert!(matches!(nothing, Err(OverrideError::NothingToLift)));

    store.overrule(&agent("a"), &suspend, "ada", after(3)).await.unwrap();
    let view = store.trust(&agent("a"), after(3)).await.unwrap().unwrap();
    assert_eq!(view.tier, TrustTier::Suspended);
    assert_eq!(view.reasons[0], "suspended by ada: looks odd");
    assert_eq!(view.overridden.unwrap().by, "ada");
    assert_eq!(view.evidence_tier, TrustTier::Probation);
    let twice = store.overrule(&agent("a"), &suspend, "bob", after(4)).await;
    assert!(matches!(twice, Err(OverrideError::AlreadySuspended)));

    store.overrule(&agent("a"), &reinstate, "bob", after(5)).await.unwrap();
    let view = store.trust(&agent("a"), after(5)).await.unwrap().unwrap();
    assert_eq!((view.tier, view.overridden), (TrustTier::Probation, None));
    assert_eq!(view.history[0].why, "reinstated by bob: looks odd");
    let signals = store.signals(None, 9).await.unwrap().signals;
    assert_eq!(signals[0].by, "operator bob");
}

fn question(id: &str) -> Question {
    Question {
        approval: ApprovalId::new(id).unwrap(),
        agent: agent("a"),
        pact: "refunds".parse().unwrap(),
        pact_digest: Digest::of(b"pact"),
        clauses: vec!["refund-large".parse().unwrap()],
        action: AskedAction { kind: "tool".to_owned(), name: "payments.refund".to_owned() },
        args_digest: Digest::of(b"args"),
        fields: Fields::parse(r#"{"args":{"amount":250.10}}"#).unwrap(),
        approvers: Vec::new(),
        tier: TrustTier::Standard,
        asked_at: after(0),
        expires_at: after(900),
    }
}

#[tokio::test]
async fn a_question_is_answered_once() {
    let Fixture { store, dir: _dir } = fixture().await;
    let (s1, s2) = (SidecarId::new("s-1").unwrap(), SidecarId::new("s-2").unwrap());
    assert!(store.ask(&s1, &question("q-1"), after(1)).await.unwrap());
    assert!(!store.ask(&s1, &question("q-1"), after(1)).await.unwrap(), "the same again is no news");
    assert!(matches!(store.ask(&s2, &question("q-1"), after(1)).await, Err(AskError::Conflict)));
    assert!(matches!(store.ask(&s1, &question("q-2"), after(901)).await, Err(AskError::Expiry)));

    let id = ApprovalId::new("q-1").unwrap();
    let listed = store.approvals(Some(ApprovalState::Pending), None, 9).await.unwrap();
    assert_eq!(listed.approvals[0].question, question("q-1"), "numbers are kept as written");
    let known = store.revision().await.unwrap();
    let view = store.answer(&id, Say::Grant, "ada", "called", after(2)).await.unwrap();
    assert_eq!((view.state, view.by.as_deref()), (ApprovalState::Granted, Some("ada")));
    let again = store.answer(&id, Say::Refuse, "bob", "", after(3)).await.unwrap_err();
    assert_eq!(again.to_string(), "the question was granted before, by `ada`: an answer is final");
    let unknown = store.answer(&ApprovalId::new("q-9").unwrap(), Say::Grant, "ada", "", after(3)).await;
    assert!(matches!(unknown, Err(AnswerError::Unknown)));

    let news = store.answers_since(known).await.unwrap();
    assert_eq!((news.len(), &news[0].sidecar), (1, &s1));
    assert_eq!(news[0].answer.args_digest, Digest::of(b"args"));
    assert_eq!(store.answers_for(&s1, after(5)).await.unwrap().len(), 1);
    assert_eq!(store.answers_for(&s1, after(900)).await.unwrap().len(), 0);
    assert_eq!(store.answers_for(&s2, after(5)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_question_that_nobody_answers_lapses() {
    let Fixture { store, dir: _dir } = fixture().await;
    let sidecar = SidecarId::new("s-1").unwrap();
    store.ask(&sidecar, &question("q-1"), after(1)).await.unwrap();
    assert_eq!(store.expire(after(899)).await.unwrap(), 0);
    assert_eq!(store.pending_count().await.unwrap(), 1);
    let id = ApprovalId::new("q-1").unwrap();
    let late = store.answer(&id, Say::Grant, "ada", "", after(900)).await;
    assert!(matches!(late, Err(AnswerError::Lapsed { .. })), "late even before it is swept");
    assert_eq!(store.expire(after(900)).await.unwrap(), 1);
    assert_eq!(store.expire(after(900)).await.unwrap(), 0);
    assert_eq!(store.approval(&id).await.unwrap().unwrap().state, ApprovalState::Expired);
    assert_eq!(store.pending_count().await.unwrap(), 0);
}

#[tokio::test]
async fn serials_rise_across_restarts() {
    let Fixture { store, dir } = fixture().await;
    assert_eq!(store.reserve_serials(10).await.unwrap(), 1);
    assert_eq!(store.reserve_serials(1).await.unwrap(), 11);
    store.close().await;
    let store = open(&dir, Weights::default()).await;
    assert_eq!(store.reserve_serials(5).await.unwrap(), 12);
}

#[tokio::test]
async fn the_same_signal_within_an_hour_is_one() {
    let Fixture { store, dir: _dir } = fixture().await;
    let signal = NewSignal::of_agent(
        SignalKind::IncidentFlag,
        Severity::Critical,
        &agent("a"),
        "paid twice".to_owned(),
    );
    let hour = 3_600 - u64::try_from(after(0).as_seconds() % 3_600).unwrap();
    for seconds in [hour, hour + 10, hour + 3_599, hour + 3_600] {
        store.raise_signal(&signal, after(seconds)).await.unwrap();
    }
    let counts: Vec<_> = store.signals(None, 9).await.unwrap().signals.iter().map(|s| s.count).collect();
    assert_eq!(counts, [1, 3]);
    let page = store.signals(None, 1).await.unwrap();
    assert_eq!(store.signals(page.next, 1).await.unwrap().signals[0].count, 3);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("collector.db"),
        "not a database, but long enough to look like one".repeat(40),
    )
    .unwrap();
    let refused = Store::open(&dir.path().join("collector.db"), Weights::default(), after(0)).await;
    assert!(refused.unwrap_err().to_string().contains("check the disk"));
}
