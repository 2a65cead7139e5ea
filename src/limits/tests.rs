//! Limits against schedules of calls, reloads, moved tiers and many threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use crate::domain::{AgentId, Clock as _, LimitId, ManualClock, PactName, SharedClock, Timestamp};
use crate::limits::{Bounds, Exceeded, Limits, Rate, Reservation, Rule, Stats};

struct Room {
    clock: Arc<ManualClock>,
    limits: Limits,
    pact: PactName,
}

fn room() -> Room {
    room_of(Bounds::default())
}

fn room_of(bounds: Bounds) -> Room {
    let clock = Arc::new(ManualClock::at(Timestamp::default()));
    let shared: SharedClock = clock.clone();
    Room { clock, limits: Limits::new(bounds, shared), pact: PactName::new("p").unwrap() }
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn limit(id: &str) -> LimitId {
    LimitId::new(id).unwrap()
}

fn per_minute(count: u32) -> Option<Rate> {
    Some(Rate { count, per: Duration::from_secs(60) })
}

impl Room {
    fn reserve(&self, rules: &[(&str, Option<Rate>, Option<u32>)]) -> Result<Reservation, Exceeded> {
        let ids: Vec<_> = rules.iter().map(|(id, ..)| limit(id)).collect();
        let rules: Vec<_> = rules
            .iter()
            .zip(&ids)
            .map(|((_, rate, burst), id)| Rule { pact: &self.pact, id, rate: *rate, burst: *burst })
            .collect();
        self.limits.reserve(&agent("a"), &rules)
    }

    /// Calls admitted until the first refusal.
    fn drain(&self, rule: (&str, Option<Rate>, Option<u32>)) -> u32 {
        (0..).find(|_| self.reserve(&[rule]).is_err()).unwrap()
    }

    fn left(&self, id: &str) -> u32 {
        let left = self.limits.remaining();
        left.iter().find(|left| left.limit == limit(id)).unwrap().remaining
    }
}

#[test]
fn a_burst_goes_through_and_then_one_at_a_time() {
    let room = room();
    let rule = ("r", per_minute(30), Some(5));
    assert_eq!(room.drain(rule), 5);
    let exceeded = room.reserve(&[rule]).unwrap_err();
    assert_eq!(exceeded, Exceeded { limit: limit("r"), retry_after: Some(Duration::from_secs(2)) });
    room.clock.advance(Duration::from_millis(1_999));
    assert!(room.reserve(&[rule]).is_err());
    room.clock.advance(Duration::from_millis(1));
    assert_eq!(room.drain(rule), 1, "the time to retry after was true");
}

#[test]
fn without_a_burst_the_whole_count_may_come_at_once() {
    assert_eq!(room().drain(("r", per_minute(30), None)), 30);
}

#[test]
fn no_rate_at_a_tier_allows_nothing_and_says_that_waiting_does_not_help() {
    let nothing = [None, per_minute(0)];
    for rate in nothing {
        let room = room();
        let exceeded = room.reserve(&[("open", per_minute(60), None), ("shut", rate, None)]).unwrap_err();
        assert_eq!(exceeded, Exceeded { limit: limit("shut"), retry_after: None });
        assert_eq!(room.limits.stats().agents, 0, "nothing was counted");
    }
}

#[test]
fn a_call_that_one_limit_refuses_is_counted_against_none() {
    let room = room();
    let (wide, narrow) = (("wide", per_minute(600), Some(100)), ("narrow", per_minute(6), Some(1)));
    let _ = room.reserve(&[wide, narrow]).unwrap();
    assert_eq!(room.left("wide"), 99);
    for rules in [[wide, narrow], [narrow, wide]] {
        let exceeded = room.reserve(&rules).unwrap_err();
        assert_eq!(exceeded.limit, limit("narrow"));
        assert_eq!(room.left("wide"), 99);
    }
}

#[test]
fn the_longest_wait_of_all_limits_is_told() {
    let room = room();
    let (short, long) = (("short", per_minute(60), Some(1)), ("long", per_minute(6), Some(1)));
    let _ = room.reserve(&[short, long]).unwrap();
    for rules in [[short, long], [long, short]] {
        let exceeded = room.reserve(&rules).unwrap_err();
        assert_eq!(exceeded, Exceeded { limit: limit("long"), retry_after: Some(Duration::from_secs(10)) });
    }
}

#[test]
fn agents_do_not_share_a_budget() {
    let room = room();
    let id = limit("r");
    let rule = Rule { pact: &room.pact, id: &id, rate: per_minute(6), burst: Some(1) };
    assert!(room.limits.reserve(&agent("a"), &[rule]).is_ok());
    assert!(room.limits.reserve(&agent("a"), &[rule]).is_err());
    assert!(room.limits.reserve(&agent("b"), &[rule]).is_ok());
}

#[test]
fn a_cancelled_call_is_given_back_and_a_dropped_one_is_not() {
    let room = room();
    let rule = ("r", per_minute(6), Some(2));
    room.reserve(&[rule]).unwrap().cancel();
    assert_eq!(room.left("r"), 2);
    drop(room.reserve(&[rule]).unwrap());
    assert_eq!(room.left("r"), 1);
}

#[test]
fn a_call_given_back_late_does_not_count_time_twice() {
    let room = room();
    let rule = ("r", per_minute(60), Some(1));
    let early = room.reserve(&[rule]).unwrap();
    room.clock.advance(Duration::from_secs(10));
    let _ = room.reserve(&[rule]).unwrap();
    early.cancel();
    assert!(room.reserve(&[rule]).is_err(), "time had already given the early call back");
}

#[test]
fn a_reload_that_leaves_a_limit_alone_resets_nothing() {
    let room = room();
    let rule = ("r", per_minute(6), Some(10));
    assert_eq!(room.drain(rule), 10);
    assert_eq!(room.drain(rule), 0);
}

#[test]
fn a_changed_limit_starts_with_the_calls_already_made() {
    let room = room();
    assert_eq!(room.drain(("r", per_minute(60), Some(10))), 10);
    assert_eq!(room.drain(("r", per_minute(60), Some(15))), 5);
    assert_eq!(room.drain(("r", per_minute(6), Some(3))), 0);
    room.clock.advance(Duration::from_secs(10));
    assert_eq!(room.drain(("r", per_minute(6), Some(3))), 1, "never more than its own burst behind");
}

#[test]
fn a_tier_that_falls_and_rises_again_gives_no_fresh_budget() {
    let room = room();
    let hour = Duration::from_secs(3_600);
    let trusted = ("r", Some(Rate { count: 100, per: hour }), None);
    let probation = ("r", Some(Rate { count: 10, per: hour }), None);
    assert_eq!(room.drain(trusted), 100);
    assert_eq!(room.drain(probation), 0);
    assert_eq!(room.drain(trusted), 0);
    room.clock.advance(hour);
    assert_eq!(room.drain(probation), 10);
    assert_eq!(room.drain(trusted), 90, "calls made on probation count here too");
}

#[test]
fn idle_agents_make_room_and_busy_ones_are_never_forgotten() {
    let room = room_of(Bounds { agents_max: 2, meters_max: 1_000 });
    let id = limit("r");
    let rule = Rule { pact: &room.pact, id: &id, rate: per_minute(60), burst: Some(2) };
    let reserve = |name: &str| room.limits.reserve(&agent(name), &[rule]);
    for name in ["a", "b"] {
        drop(reserve(name).unwrap());
    }
    assert_eq!(reserve("c").unwrap_err().retry_after, Some(Duration::from_secs(1)));
    assert_eq!(room.limits.stats(), Stats { agents: 2, overflows: 1 });
    room.clock.advance(Duration::from_secs(1));
    let open = reserve("a").unwrap();
    room.clock.advance(Duration::from_secs(60));
    drop(reserve("c").unwrap());
    assert!(reserve("d").is_err(), "`a` still has a call open");
    drop(open);
    assert!(reserve("d").is_ok());
}

#[test]
fn meters_of_an_agent_are_bounded() {
    let room = room_of(Bounds { agents_max: 10, meters_max: 2 });
    let rule = |id| (id, per_minute(60), None);
    drop(room.reserve(&[rule("a"), rule("b")]).unwrap());
    assert_eq!(room.reserve(&[rule("c")]).unwrap_err().limit, limit("c"));
    assert_eq!((room.left("a"), room.left("b")), (59, 59));
    room.clock.advance(Duration::from_secs(1));
    assert!(room.reserve(&[rule("c")]).is_ok());
}

#[test]
fn absurd_numbers_neither_overflow_nor_widen() {
    let room = room();
    let long = Duration::from_secs(u64::MAX);
    let absurd = [
        (Some(Rate { count: 1, per: long }), Some(u32::MAX)),
        (Some(Rate { count: u32::MAX, per: Duration::ZERO }), Some(1)),
        (Some(Rate { count: u32::MAX, per: long }), None),
    ];
    for (place, (rate, burst)) in absurd.into_iter().enumerate() {
        let id = format!("r{place}");
        assert!(room.reserve(&[(&id, rate, burst)]).is_ok());
    }
    assert!(room.reserve(&[("shut", per_minute(1), Some(0))]).is_err());
}

#[test]
fn concurrent_calls_cannot_overrun_a_limit() {
    let room = room();
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let rules = [("a", per_minute(60), Some(60)), ("b", per_minute(60), Some(40))];
                    if room.reserve(&rules).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 40);
    assert_eq!((room.left("a"), room.left("b")), (20, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Call,
    /// Cancels the open reservation at this place, counted around.
    Cancel(usize),
    /// Spends it.
    Spend(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..4_000).prop_map(Step::Pass),
        Just(Step::Call),
        Just(Step::Call),
        (0_usize..9).prop_map(Step::Cancel),
        (0_usize..9).prop_map(Step::Spend),
    ]
}

proptest! {
    /// Of the calls that were not given back, no stretch of time holds more than the burst and what the rate
    /// brings back meanwhile.
    #[test]
    fn no_schedule_gets_more_than_burst_and_rate(
        count in 1_u32..90, burst in 1_u32..12, steps in prop::collection::vec(step(), 1..120),
    ) {
        let room = room();
        let spacing_ns = 60_000_000_000_u128.div_ceil(u128::from(count));
        let (mut open, mut made) = (Vec::new(), Vec::new());
        for step in steps {
            let now = room.clock.monotonic();
            match step {
                Step::Pass(ms) => room.clock.advance(Duration::from_millis(ms)),
                Step::Call => match room.reserve(&[("r", per_minute(count), Some(burst))]) {
                    Ok(reservation) => open.push((now, reservation)),
                    Err(exceeded) => prop_assert!(exceeded.retry_after > Some(Duration::ZERO)),
                },
                Step::Cancel(place) if !open.is_empty() => open.remove(place % open.len()).1.cancel(),
                Step::Spend(place) if !open.is_empty() => made.push(open.remove(place % open.len()).0),
                Step::Cancel(_) | Step::Spend(_) => {}
            }
        }
        made.extend(open.iter().map(|(at, _)| *at));
        made.sort();
        for (i, from) in made.iter().enumerate() {
            for (j, to) in made.iter().enumerate().skip(i) {
                let came_back = (*to - *from).as_nanos() / spacing_ns;
                prop_assert!((j - i + 1) as u128 <= u128::from(burst) + came_back);
            }
        }
    }

    /// With calls that are never given back the count is exact: the first call refused could not have been let
    /// through.
    #[test]
    fn a_refusal_is_never_early(count in 1_u32..90, burst in 1_u32..12, gaps_ms in prop::collection::vec(0_u64..3_000, 1..80)) {
        let room = room();
        let spacing_ns = 60_000_000_000_u128.div_ceil(u128::from(count));
        let mut missing_ns = 0_u128;
        for gap in gaps_ms {
            room.clock.advance(Duration::from_millis(gap));
            missing_ns = missing_ns.saturating_sub(u128::from(gap) * 1_000_000);
            let fits = missing_ns + spacing_ns <= spacing_ns * u128::from(burst);
            let admitted = room.reserve(&[("r", per_minute(count), Some(burst))]).is_ok();
            prop_assert_eq!(admitted, fits);
            missing_ns += if admitted { spacing_ns } else { 0 };
        }
    }
}
