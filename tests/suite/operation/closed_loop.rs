//! Evidence, score, tier, feed, refusal: the loop, and how fast it closes.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use crate::operation::{AGENT, call, delivered, get, page, setup};
use crate::support::collector::{Collector, OPERATOR};
use crate::support::fickle::Fickle;
use crate::support::http::{Answer, send};
use crate::support::process::until;
use crate::support::sidecar::Sidecar;

async fn put(sidecar: &Sidecar, path: &str) -> Answer {
    send(sidecar.at("reverse"), call(Method::PUT, path)).await
}

/// The tier that counts here, and what the collector gave as its reason.
async fn tier(sidecar: &Sidecar) -> (String, String) {
    let page = page(sidecar, "/trust").await;
    let agents = page["agents"]["entries"].as_array().unwrap().clone();
    let agent: &Value = agents.iter().find(|one| one["agent"] == AGENT).unwrap();
    (agent["tier"].as_str().unwrap().to_owned(), agent["why"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_an_agent_does_decides_what_it_may_do_next_within_a_second() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).collector(&collector).start_plain();
    // Unknown, so on probation: this is allowed, and needs no more.
    assert_eq!(put(&sidecar, "/probed").await.status, 200);
    assert_eq!(tier(&sidecar).await.0, "probation");
    for _ in 0..12 {
        assert_eq!(get(&sidecar, "/forbidden").await.status, 403);
    }
    // The collector's decision, by its own account, and the moment it was first seen here.
    let decided = until("the collector lowers the tier", || async {
        let trust = collector.get(&format!("/v1/agents/{AGENT}/trust")).await.json();
        (trust["tier"] == "restricted").then_some(trust)
    })
    .await;
    let seen = Instant::now();
    let refused = until("the next call is refused", || async {
        Some(put(&sidecar, "/probed").await).filter(|answer| answer.status == 403)
    })
    .await;
    assert!(seen.elapsed() < Duration::from_secs(1), "{:?} after the decision: {decided}", seen.elapsed());
    let told = refused.json();
    assert_eq!((told["reason"].as_str(), told["tier"].as_str()), (Some("tier-too-low"), Some("restricted")));
    let (_, why) = tier(&sidecar).await;
    assert!(!why.is_empty(), "the reason travels with the tier");
}

#[tokio::test]
async fn an_operators_word_counts_at_once_and_is_kept_across_a_restart() {
    let mut collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let mut sidecar = setup(&upstream).collector(&collector).start_plain();
    assert_eq!(get(&sidecar, "/fine").await.status, 200);
    delivered(&collector, 1).await;

    let why = "looks odd at night";
    collector.overrule(AGENT, "suspend", why).await;
    let said = Instant::now();
    let refused = until("the call is refused", || async {
        Some(get(&sidecar, "/fine").await).filter(|answer| answer.status == 403)
    })
    .await;
    assert!(said.elapsed() < Duration::from_secs(1), "{:?} after the operator's word", said.elapsed());
    assert_eq!(refused.json()["reason"], "suspended");
    let (_, told) = tier(&sidecar).await;
    assert!(told.contains(why) && told.contains(OPERATOR), "{told}");

    // The collector is away, and the sidecar starts anew: it remembers.
    until("the tier is on disk", || async {
        let kept = std::fs::read_to_string(sidecar.folder().join("data/tiers.json")).unwrap();
        kept.contains("suspended").then_some(())
    })
    .await;
    collector.kill();
    sidecar.kill_and_start();
    assert_eq!(tier(&sidecar).await.0, "suspended");
    assert_eq!(get(&sidecar, "/fine").await.status, 403);
    collector.start_again();
    until("the feed is back", || async {
        (page(&sidecar, "/status").await["collector"]["feed_open"] == true).then_some(())
    })
    .await;
    assert_eq!(get(&sidecar, "/fine").await.status, 403);

    collector.overrule(AGENT, "reinstate", "it was the cleaning").await;
    let said = Instant::now();
    until("the call passes", || async { (get(&sidecar, "/fine").await.status == 200).then_some(()) }).await;
    assert!(said.elapsed() < Duration::from_secs(1), "{:?} after the operator's word", said.elapsed());
    assert_eq!(tier(&sidecar).await.0, "probation");
}
