//! The trust feed: all agents first, then changes at once, and never silence.

use std::time::Duration;

use pactgate::domain::{Reason, TrustTier};

use super::world::{Log, S1, S2, World, after, record};

#[tokio::test]
async fn evidence_lowers_a_tier_and_every_sidecar_hears_within_a_second() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let (mut one, mut two) = (world.feed(S1).await, world.feed(S2).await);
    for feed in [&mut one, &mut two] {
        let first = feed.statement().await;
        assert!(first.full && first.agents.is_empty());
    }
    world.deliver(S1, &log.records("a", 0, 15, None)).await;
    for feed in [&mut one, &mut two] {
        let known = feed.statement().await;
        assert!(!known.full);
        assert_eq!((known.agents[0].agent.as_str(), known.agents[0].tier), ("a", TrustTier::Probation));
    }
    world.deliver(S1, &log.records("a", 15, 7, Some(Reason::NoClause))).await;
    for feed in [&mut one, &mut two] {
        let fallen = tokio::time::timeout(Duration::from_secs(1), feed.statement()).await.unwrap();
        assert_eq!((fallen.agents.len(), fallen.agents[0].tier), (1, TrustTier::Restricted));
        assert!(fallen.agents[0].why.starts_with("restricted after"), "{}", fallen.agents[0].why);
        assert!(fallen.agents[0].lower < fallen.agents[0].score);
    }
}

#[tokio::test]
async fn a_silent_feed_beats() {
    let world = World::start_with(|settings| settings.heartbeat = Duration::from_millis(50)).await;
    let mut feed = world.feed(S1).await;
    assert!(feed.statement().await.full);
    for _ in 0..3 {
        let beat = feed.statement().await;
        assert!(!beat.full && beat.agents.is_empty());
    }
}

#[tokio::test]
async fn serials_rise_and_the_key_stays_across_restarts() {
    let mut world = World::start().await;
    let mut log = Log::new("s-1", 1);
    world.deliver(S1, &log.records("a", 0, 9, Some(Reason::Denied))).await;
    let mut feed = world.feed(S1).await;
    feed.statement().await;
    let (key, serial) = (world.public_key(), feed.serial);
    world.restart(|_| ()).await;
    assert!(feed.ended().await, "a stop ends the feed cleanly");

    assert_eq!(world.public_key(), key);
    let mut feed = world.feed(S1).await;
    feed.serial = serial;
    let first = feed.statement().await;
    assert!(first.full);
    assert_eq!((first.agents[0].agent.as_str(), first.agents[0].tier), ("a", TrustTier::Restricted));
}

#[tokio::test]
async fn many_agents_are_told_in_several_statements_lowest_tiers_first() {
    let world = World::start().await;
    let mut log = Log::new("s-1", 1);
    let crowd: Vec<_> =
        (0..900).map(|n| log.seal(&record(&format!("agent-{n:03}"), after(n), None))).collect();
    assert_eq!(world.deliver(S1, &crowd).await.status, 200);
    world.deliver(S1, &log.records("zoe", 900, 9, Some(Reason::Denied))).await;
    let mut feed = world.feed(S1).await;
    let (first, second, third) = (feed.statement().await, feed.statement().await, feed.statement().await);
    assert_eq!((first.full, second.full, third.full), (true, false, false));
    assert_eq!((first.agents.len(), second.agents.len(), third.agents.len()), (400, 400, 101));
    assert_eq!(first.agents[0].agent.as_str(), "zoe", "whoever fell is told before anything else");
    let mut all: Vec<_> = [first, second, third].into_iter().flat_map(|s| s.agents).collect();
    all.sort_by(|a, b| a.agent.cmp(&b.agent));
    all.dedup_by(|a, b| a.agent == b.agent);
    assert_eq!(all.len(), 901);
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_told_the_latest_when_it_does() {
    let world = World::start().await;
    let mut feed = world.feed(S1).await;
    feed.statement().await;
    let mut log = Log::new("s-1", 1);
    for round in 0..30 {
        let agent = format!("agent-{}", round % 3);
        let reason = (round >= 6).then_some(Reason::Denied);
        world.deliver(S1, &log.records(&agent, round, 1, reason)).await;
    }
    let mut last = std::collections::BTreeMap::new();
    while last.len() < 3 || last.values().any(|tier| *tier != TrustTier::Restricted) {
        for agent in feed.statement().await.agents {
            last.insert(agent.agent, agent.tier);
        }
    }
}
