//! What scores and tiers do: stories with numbers, and properties over all histories.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{Reason, Ruling, Timestamp, TrustTier};

const START: i64 = 1_790_000_000_000_000;
const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

fn after(seconds: u64) -> Timestamp {
    Timestamp::from_micros(START).plus(Duration::from_secs(seconds))
}

fn seen(at: Timestamp, weight: Weight) -> Observation {
    Observation { at, received_at: at, weight }
}

const BAD: Weight = Weight::Bad(1_000);

/// An agent with so many good actions, then so many bad ones, one a second.
fn history(good: u64, bad: u64) -> State {
    let weights = Weights::default();
    let mut state = State::new(after(0));
    for second in 0..good + bad {
        let weight = if second < good { Weight::Good } else { BAD };
        state.observe(&weights, &seen(after(second), weight));
    }
    state
}

fn check_tier(good: u64, bad: u64, expected: TrustTier) {
    assert_eq!(history(good, bad).tier(), expected, "{good} good, then {bad} bad");
}

#[test]
fn a_newcomer_is_on_probation_and_one_refusal_does_not_condemn_it() {
    check_tier(0, 0, TrustTier::Probation);
    check_tier(0, 1, TrustTier::Probation);
    check_tier(0, 4, TrustTier::Probation);
    check_tier(1, 1, TrustTier::Probation);
    check_tier(15, 1, TrustTier::Probation);
    check_tier(15, 4, TrustTier::Probation);
}

#[test]
fn a_burst_of_attempts_out_of_scope_restricts_and_more_suspends() {
    check_tier(15, 5, TrustTier::Probation);
    check_tier(15, 6, TrustTier::Restricted);
    check_tier(15, 8, TrustTier::Restricted);
    check_tier(12, 6, TrustTier::Restricted);
    check_tier(0, 8, TrustTier::Restricted);
    check_tier(15, 20, TrustTier::Restricted);
    check_tier(15, 25, TrustTier::Suspended);
}

#[test]
fn good_evidence_raises_slowly_and_one_step_at_a_time() {
    let weights = Weights::default();
    let mut state = history(400, 0);
    assert_eq!(state.tier(), TrustTier::Probation, "no rise without the wait");
    let changes = state.advance_to(&weights, after(DAY + 30 * MINUTE));
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].from, changes[0].to), (TrustTier::Probation, TrustTier::Standard));
    assert!(changes[0].why.contains("supported standard for 1 d"), "{}", changes[0].why);

    // It needs good evidence that lasts for the next step.
    for day in 2..17 {
        for n in 0..40 {
            state.observe(&weights, &seen(after(day * DAY + n), Weight::Good));
        }
    }
    assert_eq!(state.tier(), TrustTier::Trusted);
}

#[test]
fn a_long_clean_record_does_not_hide_a_burst() {
    let weights = Weights::default();
    let mut state = State::new(after(0));
    for hour in 0..24 * 20 {
        for n in 0..20 {
            state.observe(&weights, &seen(after(hour * 3_600 + n), Weight::Good));
        }
    }
    assert_eq!(state.tier(), TrustTier::Trusted);
    let now = 24 * 20 * 3_600;
    let changes: Vec<_> = (0..12).flat_map(|n| state.observe(&weights, &seen(after(now + n), BAD))).collect();
    assert_eq!(state.tier(), TrustTier::Restricted);
    assert_eq!(changes.last().unwrap().cause, Cause::Evidence);
    assert!(changes.last().unwrap().why.starts_with("restricted after"), "{}", changes.last().unwrap().why);
    assert!(state.standing(&weights).score.lower > 0.9, "the whole history alone would still support it");
}

#[test]
fn evidence_fades_and_a_restricted_agent_comes_back_to_probation() {
    let weights = Weights::default();
    let mut state = history(15, 7);
    assert_eq!(state.tier(), TrustTier::Restricted);
    state.advance_to(&weights, after(DAY));
    assert_eq!(state.tier(), TrustTier::Restricted, "not by waiting a day");
    let changes = state.advance_to(&weights, after(30 * DAY));
    assert_eq!(state.tier(), TrustTier::Probation);
    assert_eq!(changes.len(), 1);
}

#[test]
fn evidence_that_grows_old_costs_the_tier() {
    let weights = Weights { half_life_s: 31_536_000.0, ..Weights::default() };
    let mut state = State::new(after(0));
    for n in 0..500 {
        state.observe(&weights, &seen(after(n), Weight::Good));
    }
    let changes = state.advance_to(&weights, after(40 * DAY));
    let tiers: Vec<_> = changes.iter().map(|change| (change.to, change.cause)).collect();
    assert_eq!(tiers, [(TrustTier::Standard, Cause::Evidence), (TrustTier::Probation, Cause::Age)]);
}

#[test]
fn an_operator_suspends_and_reinstates() {
    let weights = Weights::default();
    let mut state = history(15, 7);
    state.suspend(&weights, after(60), "suspended by ada: looks odd".to_owned());
    assert_eq!(state.tier(), TrustTier::Suspended);
    assert_eq!(state.standing(&weights).evidence_tier, TrustTier::Restricted);
    let changes = state.reinstate(&weights, after(90), "reinstated by ada: was a test".to_owned());
    assert_eq!((changes[0].from, changes[0].to), (TrustTier::Suspended, TrustTier::Probation));
    state.observe(&weights, &seen(after(91), BAD));
    assert_eq!(state.tier(), TrustTier::Probation, "the past is forgiven");
}

#[test]
fn a_clock_that_runs_ahead_or_backwards_gains_nothing() {
    let weights = Weights::default();
    let mut state = State::new(after(100));
    let ahead = Observation { at: after(9_000_000), received_at: after(101), weight: Weight::Good };
    state.observe(&weights, &ahead);
    assert_eq!(state.standing(&weights).score.freshness, Some(Duration::ZERO));
    state.observe(&weights, &seen(after(5), Weight::Good));
    assert_eq!(state.clock(), after(101));
    assert_eq!(state.standing(&weights).score.good, 2);
}

#[test]
fn every_reason_has_its_weight() {
    let weights = Weights::default();
    let refused = |reason| {
        let attempt = Attempt {
            ruling: Ruling::Deny,
            sent: false,
            reason: Some(reason),
            ending: Ending::Refused,
            housekeeping: false,
        };
        mark(&weights, &attempt).weight
    };
    let bad: Vec<_> = Reason::ALL
        .into_iter()
        .filter_map(|reason| match refused(reason) {
            Weight::Bad(thousandths) => Some((reason.name(), thousandths)),
            _ => None,
        })
        .collect();
    let expected = [
        ("denied", 1_500),
        ("no-clause", 1_000),
        ("unreadable", 500),
        ("opaque", 500),
        ("data-rule", 1_000),
        ("name-mismatch", 2_000),
        ("address-forbidden", 2_000),
    ];
    assert_eq!(bad, expected);
}

#[test]
fn what_is_not_the_agents_doing_weighs_nothing() {
    let weights = Weights::default();
    let sent = Attempt {
        ruling: Ruling::Allow,
        sent: true,
        reason: None,
        ending: Ending::Completed(200),
        housekeeping: false,
    };
    let check = |attempt: Attempt, expected: Weight| assert_eq!(mark(&weights, &attempt).weight, expected);
    check(sent, Weight::Good);
    check(Attempt { ending: Ending::Completed(404), ..sent }, Weight::Good);
    check(Attempt { ending: Ending::Completed(502), ..sent }, Weight::Nothing);
    check(Attempt { ending: Ending::Broken, ..sent }, Weight::Nothing);
    check(Attempt { ending: Ending::Open, ..sent }, Weight::Nothing);
    check(Attempt { housekeeping: true, ..sent }, Weight::Nothing);
    let trial = Attempt { ruling: Ruling::Deny, reason: Some(Reason::Denied), ..sent };
    check(trial, Weight::Nothing);
    check(Attempt { reason: None, ..trial }, Weight::Nothing);
    check(Attempt { sent: false, reason: None, ending: Ending::Broken, ..sent }, Weight::Nothing);
    let granted = Attempt { ruling: Ruling::Ask, reason: Some(Reason::ApprovalRequired), ..sent };
    check(granted, Weight::Good);
}

#[test]
fn weights_are_one_table_with_names_ranges_and_a_digest() {
    let mut weights = Weights::default();
    assert_eq!(weights.problems(), Vec::<String>::new());
    assert_eq!(weights.entries().len(), Weights::TABLE.len());
    let before = weights.name();
    assert!(before.starts_with("scope-beta/1 "));
    assert_eq!(weights.set("loss_aversion", 5.0), Ok(()));
    assert_ne!(weights.name(), before);
    assert!(weights.set("loss_aversion", 0.0).unwrap_err().contains("between 1 and 100"));
    assert!(weights.set("loss_aversion", f64::NAN).is_err());
    assert!(weights.set("kindness", 1.0).unwrap_err().contains("no weight `kindness`"));
    weights.restricted_upper = 0.9;
    assert!(weights.problems()[0].contains("`restricted_upper` is 0.9 and `standard_lower` is 0.8"));
}

#[test]
fn a_snapshot_is_the_state_and_only_for_its_own_algorithm() {
    let weights = Weights::default();
    let state = history(30, 3);
    let bytes = state.to_snapshot(&weights);
    assert_eq!(State::from_snapshot(&weights, &bytes), Ok(state));
    let other = Weights { loss_aversion: 4.0, ..weights.clone() };
    assert_eq!(State::from_snapshot(&other, &bytes), Err(SnapshotError::OtherAlgorithm));
    assert_eq!(State::from_snapshot(&weights, b"{}"), Err(SnapshotError::Malformed));
}

#[test]
fn reasons_are_sentences_with_their_numbers() {
    let weights = Weights::default();
    let reasons = history(15, 7).standing(&weights).reasons;
    assert_eq!(
        reasons[0],
        "restricted after 7 out-of-pact attempts among 22 actions: at most 55 % in scope, and below 60 % means \
         restricted"
    );
    assert!(reasons[1].starts_with("15 of 22 actions that count were in scope"), "{}", reasons[1]);
    let newcomer = State::new(after(0)).standing(&weights);
    assert!(newcomer.reasons.iter().any(|reason| reason.starts_with("no data")));
    assert!(newcomer.score.confidence() < 0.2);
}

/// Gap in seconds before it, and what it weighs.
fn steps() -> impl Strategy<Value = Vec<(u64, Weight)>> {
    let of = |good: u32, bad: u32| {
        let weight = prop_oneof![
            good => Just(Weight::Good),
            bad => (1_u32..=2_000).prop_map(Weight::Bad),
            1 => Just(Weight::Nothing),
        ];
        let gap = prop_oneof![8 => 0_u64..60, 1 => 0_u64..7_200, 1 => 0_u64..400_000];
        prop::collection::vec((gap, weight), 1..120)
    };
    // Honest agents, doubtful ones, and hopeless ones.
    prop_oneof![of(8, 1), of(4, 2), of(1, 8)]
}

fn observations(steps: &[(u64, Weight)]) -> Vec<Observation> {
    let mut second = 0;
    steps
        .iter()
        .map(|(gap, weight)| {
            second += gap;
            seen(after(second), *weight)
        })
        .collect()
}

fn fold(weights: &Weights, observations: &[Observation]) -> State {
    let mut state = State::new(after(0));
    for observation in observations {
        state.observe(weights, observation);
    }
    state
}

/// Low cuts and quick rises, so that the properties see all tiers.
fn quick() -> Weights {
    let weights = Weights {
        loss_aversion: 1.0,
        suspended_upper: 0.4,
        suspended_failures: 5.0,
        suspended_observations: 6.0,
        restricted_upper: 0.6,
        standard_lower: 0.6,
        standard_samples: 8.0,
        standard_dwell_s: 600.0,
        trusted_lower: 0.65,
        trusted_samples: 15.0,
        trusted_dwell_s: 1_200.0,
        suspended_dwell_s: 1_200.0,
        ..Weights::default()
    };
    assert_eq!(weights.problems(), Vec::<String>::new());
    weights
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bounds_are_in_order(good in 0_u32..20_000, bad in 0_u32..20_000, prior in 0.5_f64..20.0) {
        let posterior = Posterior { alpha: prior + f64::from(good) / 4.0, beta: prior + f64::from(bad) / 4.0 };
        let (lower, mean, upper) = (posterior.lower(), posterior.mean(), posterior.upper());
        prop_assert!(0.0 <= lower && lower <= mean && mean <= upper && upper <= 1.0);
        prop_assert!(posterior.lower_reaches(lower - 1e-6) && !posterior.lower_reaches(lower + 1e-5));
    }

    #[test]
    fn one_more_failure_never_raises_the_tier_at_any_later_moment(
        steps in steps(), place in 0_usize..120, severity in 1_u32..3_000,
    ) {
        let weights = quick();
        let fewer = observations(&steps);
        let place = place.min(fewer.len() - 1);
        let extra = seen(fewer[place].at, Weight::Bad(severity));
        let (mut a, mut b) = (State::new(after(0)), State::new(after(0)));
        for (i, observation) in fewer.iter().enumerate() {
            if i == place {
                b.observe(&weights, &extra);
            }
            a.observe(&weights, observation);
            b.observe(&weights, observation);
            prop_assert!(b.tier() <= a.tier(), "after {i}: {} > {}", b.tier(), a.tier());
        }
        for hour in 1..200 {
            let at = fewer[fewer.len() - 1].at.plus(Duration::from_secs(hour * 3_600));
            a.advance_to(&weights, at);
            b.advance_to(&weights, at);
            prop_assert!(b.tier() <= a.tier());
        }
    }

    #[test]
    fn the_order_of_observations_of_one_moment_is_irrelevant_to_the_score(
        weights_seen in prop::collection::vec(prop_oneof![Just(Weight::Good), (1_u32..2_000).prop_map(Weight::Bad)], 1..40),
        seed in any::<u64>(),
    ) {
        let weights = Weights::default();
        let all: Vec<_> = weights_seen.iter().map(|weight| seen(after(9), *weight)).collect();
        let mut shuffled = all.clone();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        let (a, b) = (fold(&weights, &all).standing(&weights), fold(&weights, &shuffled).standing(&weights));
        prop_assert_eq!((a.score, a.recent), (b.score, b.recent));
    }

    #[test]
    fn looking_more_often_changes_nothing(steps in steps(), looks in 1_u64..50) {
        let weights = quick();
        let all = observations(&steps);
        let end = all[all.len() - 1].at.plus(Duration::from_secs(DAY));
        let mut once = fold(&weights, &all);
        once.advance_to(&weights, end);
        let mut often = State::new(after(0));
        for observation in &all {
            let before = often.clock();
            let gap = observation.received_at.since(before);
            for look in 1..looks {
                let part = u32::try_from(look).unwrap();
                often.advance_to(&weights, before.plus(gap * part / u32::try_from(looks).unwrap()));
            }
            often.observe(&weights, observation);
        }
        often.advance_to(&weights, end);
        prop_assert_eq!(once, often);
    }

    #[test]
    fn a_state_that_was_stored_in_between_ends_the_same(steps in steps()) {
        let weights = quick();
        let all = observations(&steps);
        let mut stored = State::new(after(0));
        for observation in &all {
            stored.observe(&weights, observation);
            stored = State::from_snapshot(&weights, &stored.to_snapshot(&weights)).unwrap();
        }
        prop_assert_eq!(stored, fold(&weights, &all));
    }
}
