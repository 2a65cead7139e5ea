//! The line to the collector: whatever it does, each record arrives once, in order, and tiers only from its key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use pactgate::approvals::{self, Answer, Desk};
use pactgate::domain::{
    ActionKind, AgentId, Digest, Json, PactName, SharedClock, SidecarId, SystemClock, TrustTier,
};
use pactgate::evidence::{Verifier, read};
use pactgate::link::{Link, Settings};
use pactgate::pins::Pins;
use pactgate::spool::{self, Recorder};
use pactgate::trust::{Staleness, TierCache};
use pactgate::wire::{self, AgentTier, Approved, Signed, SigningKey, Topic, TrustStatement};
use tokio_util::sync::CancellationToken;

use crate::support::calls::{number, settled};
#[cfg(feature = "plane")]
use crate::support::collector_double::TOKEN;
use crate::support::collector_double::{CollectorDouble, Fault};

struct Sidecar {
    recorder: Arc<Recorder>,
    tiers: Arc<TierCache>,
    desk: Desk,
    pins: Arc<Pins>,
    link: Link,
    shutdown: CancellationToken,
}

impl Sidecar {
    fn start(dir: &Path, settings: Settings) -> Self {
        let clock = SystemClock::shared();
        let spool = spool::Settings {
            segment_bytes: 32 << 10,
            ..spool::Settings::new(dir.join("spool"), SidecarId::new("checkout-1").unwrap())
        };
        let (recorder, _) = Recorder::start(spool, Arc::clone(&clock)).unwrap();
        let (tiers, desk) = (tiers(dir, &clock), Desk::open(approvals::Settings::default(), clock).unwrap());
        let shutdown = CancellationToken::new();
        let pins = Arc::new(Pins::in_memory(SystemClock::shared()));
        let link = Link::start(
            settings,
            Arc::clone(&recorder),
            Arc::clone(&tiers),
            desk.clone(),
            Arc::clone(&pins),
            shutdown.clone(),
        )
        .unwrap();
        Self { recorder, tiers, desk, pins, link, shutdown }
    }

    fn record(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            self.recorder.reserve().unwrap().record(settled(n));
        }
    }

    fn tier(&self, agent: &str) -> TrustTier {
        self.tiers.view(&AgentId::new(agent).unwrap()).tier
    }

    /// As at the end of a process: what was recorded is durable, then the line says farewell.
    async fn stop(self) -> pactgate::link::Stats {
        self.recorder.flush().await.unwrap();
        self.shutdown.cancel();
        self.link.ended().await;
        self.link.stats()
    }
}

fn tiers(dir: &Path, clock: &SharedClock) -> Arc<TierCache> {
    let rule = Staleness { sink_after: Duration::from_secs(60), restrict_after: Duration::from_secs(600) };
    Arc::new(TierCache::open(dir.join("tiers"), rule, TrustTier::Probation, Arc::clone(clock)))
}

/// Waits until something holds; a story that never gets there fails.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let patience = async {
        let mut look = tokio::time::interval(Duration::from_millis(2));
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The double holds the records of these calls, each once, in one unbroken chain that ends where the spool ends.
fn check_whole(double: &CollectorDouble, numbers: std::ops::Range<u64>) {
    let held = double.held.lock().unwrap();
    let mut verifier = Verifier::new();
    let events: Vec<_> = held.events.iter().map(|bytes| verifier.push(bytes).unwrap()).collect();
    let found: Vec<_> = events.iter().map(|event| number(&event.record)).collect();
    assert_eq!(found, numbers.collect::<Vec<_>>());
}

#[tokio::test]
async fn whatever_the_collector_does_each_record_arrives_once_and_in_order() {
    let faults = [
        Fault::Fails,
        Fault::KeepsAndHangsUp,
        Fault::HangsUp,
        Fault::Gibberish,
        Fault::AnotherLog,
        Fault::Boasts,
        Fault::WrongHead,
        Fault::KeepsOne,
        Fault::Busy,
        Fault::Silent,
    ];
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    let sidecar = Sidecar::start(dir.path(), double.settings());
    double.will(faults.into_iter().chain(faults.into_iter().rev()));
    for round in 0..10 {
        sidecar.record(round * 50..round * 50 + 50);
        until("half of a round", || double.through() >= round * 50 + 25).await;
    }
    until("all acknowledged", || sidecar.recorder.acknowledged() == 500).await;
    let stats = sidecar.stop().await;
    check_whole(&double, 0..500);
    assert_eq!(stats.records_delivered, 500);
    assert!(stats.batches_failed >= 6 && stats.nonsense >= 6 && stats.conflicts >= 2, "{stats:?}");
}

#[tokio::test]
async fn what_is_left_is_delivered_at_the_end_or_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    let slow = || Settings { gather: Duration::from_secs(3600), ..double.settings() };
    let sidecar = Sidecar::start(dir.path(), slow());
    sidecar.record(0..15);
    sidecar.stop().await;
    check_whole(&double, 0..15);

    double.will([Fault::KeepsAndHangsUp]);
    let sidecar = Sidecar::start(dir.path(), slow());
    sidecar.record(15..30);
    let stats = sidecar.stop().await;
    assert_eq!((stats.records_delivered, double.through()), (0, 30));

    let sidecar = Sidecar::start(dir.path(), double.settings());
    until("all acknowledged", || sidecar.recorder.acknowledged() == 30).await;
    let stats = sidecar.stop().await;
    check_whole(&double, 0..30);
    // The collector's own word is where it goes on: nothing is sent twice.
    assert_eq!((stats.records_delivered, double.held.lock().unwrap().duplicates), (15, 0));
}

#[tokio::test]
async fn a_collector_that_lost_its_records_is_told_so_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    let sidecar = Sidecar::start(dir.path(), double.settings());
    sidecar.record(0..200);
    until("segments freed", || {
        let stats = sidecar.recorder.stats();
        stats.acknowledged == 200 && stats.segments == 1
    })
    .await;
    double.forget();
    double.will([Fault::Fails]);
    sidecar.record(200..210);
    until("all acknowledged", || double.through() == 210).await;
    let stats = sidecar.stop().await;
    let held = double.held.lock().unwrap();
    let gap = &held.gaps[0];
    assert_eq!((held.gaps.len(), gap.from, stats.gaps_declared), (1, 1, 1));
    assert!(gap.through <= 200);
    let first = read(&held.events[0]).unwrap();
    assert_eq!((first.sequence, first.prevhash), (gap.through + 1, gap.head));
}

#[tokio::test]
async fn a_collector_with_another_log_is_never_believed() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    double.will(std::iter::repeat_n(Fault::WrongHead, 5));
    double.will(std::iter::repeat_n(Fault::Boasts, 5));
    double.will(std::iter::repeat_n(Fault::Gibberish, 5));
    let sidecar = Sidecar::start(dir.path(), Settings { batch_records_max: 1, ..double.settings() });
    sidecar.record(0..16);
    until("all acknowledged", || sidecar.recorder.acknowledged() == 16).await;
    let stats = sidecar.stop().await;
    assert_eq!((stats.conflicts, stats.nonsense, stats.batches_accepted), (5, 10, 1));
    check_whole(&double, 0..16);
}

#[tokio::test]
async fn a_collector_that_never_answers_slows_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    double.will(std::iter::repeat_n(Fault::Silent, 1000));
    let sidecar = Sidecar::start(dir.path(), double.settings());
    for n in 0..2000 {
        sidecar.recorder.reserve().unwrap().record(settled(n));
    }
    sidecar.recorder.reserve().unwrap().record_durably(settled(2000)).await.unwrap();
    assert_eq!((sidecar.recorder.durable(), sidecar.recorder.acknowledged()), (2001, 0));
    assert!(!sidecar.link.stats().delivering || sidecar.link.stats().batches_accepted == 0);
    // The end does not wait for it either, beyond the farewell.
    sidecar.shutdown.cancel();
    sidecar.link.ended().await;
}

#[tokio::test]
async fn batches_shrink_to_what_gets_through() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    double.will([Fault::TakesAtMost(3000)]);
    let sidecar = Sidecar::start(dir.path(), Settings { batch_bytes_max: 100_000, ..double.settings() });
    sidecar.record(0..30);
    until("all acknowledged", || sidecar.recorder.acknowledged() == 30).await;
    assert!(sidecar.stop().await.batches_refused >= 3);
    check_whole(&double, 0..30);
}

#[tokio::test]
async fn a_token_that_is_not_known_is_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    let token = pactgate::domain::Secret::new("wrong".to_owned());
    let sidecar = Sidecar::start(dir.path(), Settings { token, ..double.settings() });
    sidecar.record(0..1);
    sidecar.recorder.flush().await.unwrap();
    let stats = sidecar.stop().await;
    assert!(!stats.delivering && !stats.feed_open);
    assert_eq!(double.through(), 0);
    assert_eq!(double.feeds(), 0);
}

fn trust(serial: u64, full: bool, agents: &[(&str, TrustTier)]) -> TrustStatement {
    let now = SystemClock::shared().now();
    let tier = |(agent, tier): &(&str, TrustTier)| AgentTier {
        agent: AgentId::new(agent).unwrap(),
        tier: *tier,
        score: 0.97,
        lower: 0.93,
        confidence: 0.9,
        computed_at: now,
        why: "a long clean record".to_owned(),
    };
    TrustStatement { v: 1, serial, issued_at: now, full, agents: agents.iter().map(tier).collect() }
}

#[tokio::test]
async fn tiers_are_heard_at_once_and_only_from_the_pinned_key() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    let sidecar = Sidecar::start(dir.path(), double.settings());
    until("a feed", || double.feeds() == 1).await;
    let say = |statement: &TrustStatement| double.say(Topic::Trust, &statement.seal(&double.key));
    say(&trust(1, true, &[("a", TrustTier::Trusted), ("b", TrustTier::Standard)]));
    until("a is trusted", || sidecar.tier("a") == TrustTier::Trusted).await;
    assert!(sidecar.link.stats().feed_open);

    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    double.say(Topic::Trust, &trust(2, false, &[("b", TrustTier::Trusted)]).seal(&other));
    let altered = Signed {
        payload: trust(2, false, &[("b", TrustTier::Trusted)]).seal(&double.key).payload,
        ..trust(3, false, &[]).seal(&double.key)
    };
    double.say(Topic::Trust, &altered);
    say(&trust(1, true, &[("b", TrustTier::Trusted)]));
    say(&trust(4, false, &[("a", TrustTier::Suspended)]));
    until("a is suspended", || sidecar.tier("a") == TrustTier::Suspended).await;
    assert_eq!(sidecar.tier("b"), TrustTier::Standard);
    let stats = sidecar.stop().await;
    assert_eq!((stats.statements_applied, stats.statements_refused), (2, 3));
}

#[tokio::test]
async fn a_feed_that_breaks_falls_silent_or_talks_nonsense_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    let sidecar = Sidecar::start(dir.path(), double.settings());
    for serial in 1..5 {
        until("a feed", || double.feeds() == 1).await;
        double.say(Topic::Trust, &trust(serial, true, &[("a", TrustTier::Standard)]).seal(&double.key));
        until("heard", || sidecar.tiers.stats().serial == serial).await;
        match serial {
            1 => double.break_feeds(),
            2 => double.say_raw(b"event: trust\ndata: {\n\n"),
            3 => double.say_raw(&vec![b'x'; wire::FEED_LINE_BYTES_MAX + 1]),
            _ => {}
        }
        // Whatever was wrong with it, the line closes the feed; the double notices when it next says something.
        until("another feed", || {
            double.say_raw(b": still there\n\n");
            sidecar.link.stats().feed_opened > serial || serial == 4
        })
        .await;
        until("the old feed is gone", || {
            double.say_raw(b": still there\n\n");
            double.feeds() == 1
        })
        .await;
    }
    // Silence: nothing more is said, so the line opens another one by itself.
    until("a feed after silence", || sidecar.link.stats().feed_opened > 4).await;
    // Losing the feed raises and lowers nothing by itself.
    assert_eq!(sidecar.tier("a"), TrustTier::Standard);
    sidecar.stop().await;
}

fn question(agent: &str) -> approvals::Question {
    approvals::Question {
        agent: AgentId::new(agent).unwrap(),
        pact: PactName::new("refunds-assistant").unwrap(),
        pact_digest: Digest::of(b"pact"),
        clauses: vec![],
        kind: ActionKind::Tool,
        name: "payments.refund\u{1b}[2J".to_owned(),
        args_digest: Digest::of(b"arguments"),
        fields: Json::object([("args", Json::object([("currency", Json::String("EUR".to_owned()))]))]),
        approvers: vec!["payments-leads".to_owned()],
        tier: TrustTier::Standard,
        asked_at: SystemClock::shared().now(),
    }
}

#[tokio::test]
async fn a_question_reaches_people_and_their_answer_the_call() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    double.will_answer_questions([StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS]);
    let sidecar = Sidecar::start(dir.path(), double.settings());
    let ticket = sidecar.desk.ask(question("refunds-eu")).unwrap();
    until("asked", || double.held.lock().unwrap().questions.len() == 1).await;
    until("a feed", || double.feeds() == 1).await;

    let asked = double.held.lock().unwrap().questions[0].clone();
    assert_eq!(asked.action.name, "payments.refund\u{fffd}[2J");
    let granted = Approved {
        v: 1,
        approval: asked.approval.clone(),
        answer: wire::Answer::Granted,
        by: "lea".to_owned(),
        why: "checked with the customer".to_owned(),
        args_digest: asked.args_digest,
        pact_digest: asked.pact_digest,
        agent: asked.agent.clone(),
        expires_at: asked.expires_at,
    };
    let forged = granted.seal(&SigningKey::from_seed(&[8; 32]).unwrap());
    double.say(Topic::Approval, &forged);
    let for_another = Approved { agent: AgentId::new("other").unwrap(), ..granted.clone() };
    double.say(Topic::Approval, &for_another.seal(&double.key));
    double.say(Topic::Approval, &granted.seal(&double.key));
    let Answer::Granted(grant) = ticket.wait(Duration::from_secs(20)).await else {
        panic!("the answer did not arrive");
    };
    assert_eq!((grant.approval(), grant.by()), (&asked.approval, "lea"));
    let stats = sidecar.stop().await;
    assert_eq!((stats.answers_taken, stats.answers_refused), (1, 2));
    assert_eq!((stats.questions_delivered, stats.questions_failed), (1, 2));
}

#[tokio::test]
async fn a_question_that_is_refused_for_good_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let double = CollectorDouble::start().await;
    double.will_answer_questions([StatusCode::CONFLICT]);
    let sidecar = Sidecar::start(dir.path(), double.settings());
    let _first = sidecar.desk.ask(question("a")).unwrap();
    let _second = sidecar.desk.ask(question("b")).unwrap();
    until("the other is asked", || double.held.lock().unwrap().questions.len() == 1).await;
    let stats = sidecar.stop().await;
    assert_eq!((stats.questions_delivered, stats.questions_refused), (1, 1));
}

#[test]
fn a_line_that_cannot_work_is_refused_at_the_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed(&[7; 32]).unwrap();
    let settings = |url: &str, token: &str| {
        let token = pactgate::domain::Secret::new(token.to_owned());
        Settings::new(url.parse().unwrap(), token, *key.public(), pactgate::net::TrustRoots::none())
    };
    for (url, token) in [("ftp://collector", "t"), ("unix:/run/collector", "t"), ("http://collector", "t\n")]
    {
        let clock = SystemClock::shared();
        let spool = spool::Settings::new(dir.path().join("spool"), SidecarId::new("checkout-1").unwrap());
        let (recorder, _) = Recorder::start(spool, Arc::clone(&clock)).unwrap();
        let desk = Desk::open(approvals::Settings::default(), Arc::clone(&clock)).unwrap();
        let tiers = tiers(dir.path(), &clock);
        let pins = Arc::new(Pins::in_memory(clock));
        let started =
            Link::start(settings(url, token), recorder, tiers, desk, pins, CancellationToken::new());
        let said = started.unwrap_err().to_string();
        assert!(!said.contains("t\n"), "{said}");
    }
}

/// The same line to the collector itself: it takes everything that a sidecar can record, survives its own restart,
/// and is told what it has lost when its store is gone.
#[cfg(feature = "plane")]
#[tokio::test]
async fn the_collector_itself_takes_every_kind_of_record_and_loses_none_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("collector");
    let (collector, drain) = collector_at("127.0.0.1:0".parse().unwrap(), &data).await;
    let (address, key) = (collector.address, collector.public_key);
    let token = pactgate::domain::Secret::new(TOKEN.to_owned());
    let url = format!("http://{address}").parse().unwrap();
    let settings = Settings {
        gather: Duration::from_millis(1),
        pause_max: Duration::from_millis(50),
        ..Settings::new(url, token, key, pactgate::net::TrustRoots::none())
    };
    let sidecar = Sidecar::start(dir.path(), settings);
    for record in every_kind() {
        sidecar.recorder.reserve().unwrap().record(record);
    }
    sidecar.record(0..200);
    until("segments freed", || {
        let stats = sidecar.recorder.stats();
        stats.acknowledged == stats.durable && stats.durable > 200 && stats.segments == 1
    })
    .await;
    until("a tier is heard", || sidecar.link.stats().statements_applied > 0).await;

    drain.begin();
    collector.stopped().await;
    for file in ["collector.db", "collector.db-wal", "collector.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    sidecar.record(200..220);
    let (collector, drain) = collector_at(address, &data).await;
    until("all acknowledged", || {
        let stats = sidecar.recorder.stats();
        stats.acknowledged == stats.durable && sidecar.link.stats().gaps_declared == 1
    })
    .await;
    let stats = sidecar.stop().await;
    assert_eq!((stats.nonsense, stats.conflicts), (0, 0), "{stats:?}");
    drain.begin();
    collector.stopped().await;
}

/// A tool that says something else of itself is known to people within a moment, and once.
#[cfg(feature = "plane")]
#[tokio::test]
async fn a_changed_tool_is_told_of() {
    use pactgate::domain::UpstreamName;
    let dir = tempfile::tempdir().unwrap();
    let (collector, drain) =
        collector_at("127.0.0.1:0".parse().unwrap(), &dir.path().join("collector")).await;
    let token = pactgate::domain::Secret::new(TOKEN.to_owned());
    let url = format!("http://{}", collector.address).parse().unwrap();
    let settings = Settings::new(url, token, collector.public_key, pactgate::net::TrustRoots::none());
    let sidecar = Sidecar::start(dir.path(), settings);
    let (agent, shop) = (AgentId::new("mole").unwrap(), UpstreamName::new("shop").unwrap());
    for tool in ["look", "find"] {
        for definition in ["a", "b"] {
            sidecar.pins.see(&agent, &shop, tool, Digest::of(definition.as_bytes()));
        }
    }
    until("both are told of", || sidecar.pins.untold(9).is_empty()).await;
    let asked = crate::support::http::request(axum::http::Method::GET, "/v1/signals", "token-of-ada", None);
    let listed = crate::support::http::send(collector.address, asked).await;
    let listed: serde_json::Value = serde_json::from_str(&listed.text()).unwrap();
    let signals = listed["signals"].as_array().unwrap();
    assert_eq!(signals.len(), 2, "{listed}");
    for (signal, tool) in signals.iter().zip(["look", "find"].iter().rev()) {
        let detail = signal["detail"].as_str().unwrap();
        let (old, new) = (Digest::of(b"a").hex(), Digest::of(b"b").hex());
        let names = signals
            .iter()
            .any(|signal| signal["detail"].as_str().unwrap().contains(&format!("`shop/{tool}`")));
        assert!(names && detail.contains(&old) && detail.contains(&new), "{detail}");
        assert_eq!((&signal["kind"], &signal["agent"]), (&"tool-changed".into(), &"mole".into()), "{signal}");
        assert_eq!(signal["by"], "sidecar checkout-1");
    }
    sidecar.stop().await;
    drain.begin();
    collector.stopped().await;
}

#[cfg(feature = "plane")]
async fn collector_at(
    address: std::net::SocketAddr,
    data: &Path,
) -> (pactgate::cli::collector::Running, pactgate::net::Drain) {
    let secret = |token: &str| pactgate::domain::Secret::new(token.to_owned());
    let settings = pactgate::collector::Settings {
        sidecars: vec![(SidecarId::new("checkout-1").unwrap(), secret(TOKEN))],
        operators: vec![("ada".to_owned(), secret("token-of-ada"))],
        ..pactgate::collector::Settings::new(address, data.to_owned())
    };
    let drain = pactgate::net::Drain::default();
    let running =
        pactgate::cli::collector::start(settings, SystemClock::shared(), drain.clone()).await.unwrap();
    (running, drain)
}

/// One record of each shape that a judge can leave.
#[cfg(feature = "plane")]
fn every_kind() -> Vec<pactgate::evidence::Record> {
    use pactgate::domain::{Reason, Ruling};
    use pactgate::evidence::{CutCause, Effect, Kind, Outcome, Record, UpstreamFailure};
    let base = settled(0);
    let ended = [
        Outcome::UpstreamFailed { what: UpstreamFailure::Tls },
        Outcome::ClientGone,
        Outcome::Cut { why: CutCause::TierFell },
        Outcome::NotSent,
        Outcome::Abandoned,
    ];
    let mut all: Vec<_> =
        ended.into_iter().map(|outcome| Record { outcome: Some(outcome), ..base.clone() }).collect();
    all.push(Record { kind: Kind::Admitted, outcome: None, usage: None, ..base.clone() });
    let refused = Record {
        kind: Kind::Refused,
        verdict: Ruling::Deny,
        effect: Effect::Refused,
        reason: Some(Reason::Denied),
        outcome: Some(Outcome::Refused),
        usage: None,
        ..base.clone()
    };
    let taken_back = |outcome| Record { kind: Kind::Settled, outcome: Some(outcome), ..refused.clone() };
    all.extend([taken_back(Outcome::Refused), taken_back(Outcome::NotSent)]);
    all.push(Record { agent: None, proof: None, pact: None, tier: None, ..refused.clone() });
    all.push(refused);
    all
}
