//! The cache against statements, clocks and damaged files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::domain::TrustTier::{self, Probation, Restricted, Standard, Suspended, Trusted};
use crate::domain::{AgentId, ManualClock, SharedClock, Timestamp};
use crate::trust::cache::AGENTS_MAX;
use crate::trust::{Change, Freshness, NotApplied, Staleness, Standing, TierCache, TierView};

const START: i64 = 1_800_000_000_000_000;

struct Room {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Room {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START)));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tiers.json")
    }

    fn open(&self) -> TierCache {
        let clock: SharedClock = self.clock.clone();
        TierCache::open(self.file(), Staleness::default(), Probation, clock)
    }

    fn now(&self) -> Timestamp {
        use crate::domain::Clock as _;
        self.clock.now()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn standing(name: &str, tier: TrustTier) -> Standing {
    Standing {
        agent: agent(name),
        tier,
        score: Some(0.9),
        lower: Some(0.8),
        confidence: Some(0.7),
        computed_at: None,
        why: "because".to_owned(),
    }
}

fn tier(cache: &TierCache, name: &str) -> TrustTier {
    cache.view(&agent(name)).tier
}

#[test]
fn an_agent_nobody_knows_is_on_probation_and_sinks_when_nobody_ever_speaks() {
    let room = Room::new();
    let cache = room.open();
    let expected = TierView { tier: Probation, stated: Probation, age: None, sunk: false };
    assert_eq!(cache.view(&agent("a")), expected);
    room.pass(601);
    let expected = TierView { tier: Restricted, stated: Probation, age: None, sunk: true };
    assert_eq!(cache.view(&agent("a")), expected);
}

#[test]
fn statements_replace_or_add_and_tell_what_moved() {
    let room = Room::new();
    let cache = room.open();
    let changes = cache.apply(1, room.now(), true, vec![standing("a", Trusted), standing("b", Probation)]);
    assert_eq!(changes, Ok(vec![Change { agent: agent("a"), from: Probation, to: Trusted }]));
    cache.apply(2, room.now(), false, vec![standing("b", Suspended)]).unwrap();
    assert_eq!((tier(&cache, "a"), tier(&cache, "b")), (Trusted, Suspended));
    let changes = cache.apply(7, room.now(), true, vec![standing("b", Suspended)]);
    assert_eq!(changes, Ok(vec![Change { agent: agent("a"), from: Trusted, to: Probation }]));
}

#[test]
fn an_old_statement_changes_nothing_and_is_no_sign_of_life() {
    let room = Room::new();
    let cache = room.open();
    cache.apply(5, room.now(), true, vec![standing("a", Restricted)]).unwrap();
    room.pass(61);
    for serial in [0, 4, 5] {
        let refused = cache.apply(serial, room.now(), true, vec![standing("a", Trusted)]);
        assert_eq!(refused, Err(NotApplied::NotNewer { have: 5, got: serial }));
    }
    let view = cache.view(&agent("a"));
    assert_eq!((view.tier, view.age), (Restricted, Some(Duration::from_secs(61))));
    assert_eq!((cache.stats().applied, cache.stats().refused), (1, 3));
}

#[test]
fn a_heartbeat_keeps_the_news_fresh_and_silence_does_not() {
    let room = Room::new();
    let cache = room.open();
    cache.apply(1, room.now(), true, vec![standing("a", Trusted)]).unwrap();
    room.pass(59);
    cache.apply(2, room.now(), false, vec![]).unwrap();
    room.pass(59);
    assert_eq!(tier(&cache, "a"), Trusted);
    room.pass(2);
    assert_eq!(tier(&cache, "a"), Standard);
    room.pass(600);
    let view = cache.view(&agent("a"));
    assert_eq!((view.tier, view.stated, view.sunk), (Restricted, Trusted, true));
}

#[test]
fn a_statement_held_up_on_its_way_is_as_old_as_it_is() {
    let room = Room::new();
    let cache = room.open();
    let issued_at = room.now();
    room.pass(120);
    cache.apply(1, issued_at, true, vec![standing("a", Trusted)]).unwrap();
    assert_eq!(cache.view(&agent("a")).age, Some(Duration::from_secs(120)));
    assert_eq!(tier(&cache, "a"), Standard);
}

#[test]
fn a_clock_set_back_does_not_make_news_younger() {
    let room = Room::new();
    let cache = room.open();
    cache.apply(1, room.now(), true, vec![standing("a", Trusted)]).unwrap();
    room.pass(61);
    room.clock.jump_to(Timestamp::from_micros(START));
    assert_eq!(tier(&cache, "a"), Standard);
}

#[test]
fn tiers_and_their_age_survive_a_restart() {
    let room = Room::new();
    let cache = room.open();
    cache.apply(9, room.now(), true, vec![standing("a", Trusted), standing("b", Suspended)]).unwrap();
    drop(cache);
    room.pass(61);
    let cache = room.open();
    assert_eq!((tier(&cache, "a"), tier(&cache, "b")), (Standard, Suspended));
    assert_eq!(cache.view(&agent("a")).age, Some(Duration::from_secs(61)));
    assert_eq!(cache.standings()[0], standing("a", Trusted));
    assert!(cache.apply(9, room.now(), false, vec![]).is_err(), "a replay from before the restart");
    cache.apply(10, room.now(), false, vec![]).unwrap();
    assert_eq!(tier(&cache, "a"), Trusted);
}

#[test]
fn a_wall_clock_behind_the_file_makes_the_news_stale() {
    let room = Room::new();
    let cache = room.open();
    cache.apply(1, room.now(), true, vec![standing("a", Trusted), standing("b", Suspended)]).unwrap();
    drop(cache);
    room.clock.jump_to(Timestamp::from_micros(START - 1));
    let cache = room.open();
    assert_eq!((tier(&cache, "a"), tier(&cache, "b")), (Restricted, Suspended));
    assert_eq!(tier(&cache, "nobody"), Restricted);
    assert_eq!(cache.view(&agent("a")).age, None);
}

#[test]
fn an_unusable_file_counts_as_never_heard() {
    let newer = r#"{"version":2,"serial":1}"#;
    let unknown_tier = r#"{"version":1,"serial":1,"heard_at_us":1,"age_us":0,"agents":[
        {"agent":"a","tier":"admin","score":null,"lower":null,"confidence":null,"computed_at_us":null,"why":""}]}"#;
    for text in ["", "{", "[]", "\u{0}\u{0}", newer, unknown_tier] {
        let room = Room::new();
        std::fs::write(room.file(), text).unwrap();
        let cache = room.open();
        assert_eq!(tier(&cache, "a"), Probation, "{text:?}");
        assert_eq!(cache.stats().load_faults, 1, "{text:?}");
        cache.apply(1, room.now(), true, vec![standing("a", Standard)]).unwrap();
        drop(cache);
        assert_eq!(tier(&room.open(), "a"), Standard, "{text:?}");
    }
}

#[test]
fn a_disk_that_cannot_be_written_is_counted_and_changes_nothing_else() {
    let room = Room::new();
    let file = room.folder.path().join("no-such-folder").join("tiers.json");
    let cache = TierCache::open(file, Staleness::default(), Probation, room.clock.clone());
    cache.apply(1, room.now(), true, vec![standing("a", Trusted)]).unwrap();
    assert_eq!(tier(&cache, "a"), Trusted);
    let failures = cache.write_failures().unwrap();
    drop(cache);
    assert_eq!(failures.load(Ordering::Relaxed), 1);
}

#[test]
fn too_many_agents_are_refused_whole() {
    let room = Room::new();
    let cache = room.open();
    let crowd: Vec<_> = (0..=AGENTS_MAX).map(|i| standing(&format!("a{i}"), Trusted)).collect();
    assert_eq!(cache.apply(1, room.now(), true, crowd), Err(NotApplied::TooManyAgents));
    assert_eq!(tier(&cache, "a1"), Probation);
}

#[test]
fn a_fixed_tier_hears_nobody() {
    let cache = TierCache::fixed(Standard);
    assert_eq!(tier(&cache, "anybody"), Standard);
    let refused = cache.apply(1, Timestamp::default(), true, vec![standing("anybody", Trusted)]);
    assert_eq!(refused, Err(NotApplied::Fixed));
    assert_eq!(cache.freshness(), Freshness::Fixed(Standard));
}

#[test]
fn watchers_wake_when_a_tier_moves_and_sleep_through_heartbeats() {
    let room = Room::new();
    let cache = room.open();
    let mut watch = cache.watch();
    cache.apply(1, room.now(), true, vec![standing("a", Trusted)]).unwrap();
    assert!(watch.has_changed().unwrap());
    watch.mark_unchanged();
    cache.apply(2, room.now(), false, vec![]).unwrap();
    cache.apply(3, room.now(), true, vec![standing("a", Trusted)]).unwrap();
    assert!(!watch.has_changed().unwrap());
    cache.apply(4, room.now(), false, vec![standing("a", Suspended)]).unwrap();
    assert!(watch.has_changed().unwrap());
}
