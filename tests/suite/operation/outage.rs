//! A collector that is away, comes back, or answers nonsense: calls go on, and every record arrives once.

use http::Method;

use crate::operation::{AGENT, delivered, get, of_path, page, readiness, sample, setup};
use crate::support::collector::Collector;
use crate::support::collector_double::{CollectorDouble, Fault, TOKEN};
use crate::support::fickle::Fickle;
use crate::support::http::{request, send};
use crate::support::process::until;
use crate::support::sidecar::token;

#[tokio::test]
async fn calls_go_on_without_it_and_every_record_arrives_once() {
    let mut collector = Collector::start("{}");
    collector.kill();
    let upstream = Fickle::start().await;
    let mut sidecar = setup(&upstream).collector(&collector).start_plain();
    for number in 0..20 {
        assert_eq!(get(&sidecar, &format!("/down-{number}-")).await.status, 200);
    }
    let (ready, detail) = readiness(&sidecar, "trust").await;
    assert!(ready && detail.contains("has not been heard"), "{detail}");
    collector.start_again();
    assert_eq!(delivered(&collector, 20).await.len(), 20);

    // Killed and started again and again, in the middle of it.
    for round in 0..3 {
        for number in 0..30 {
            assert_eq!(get(&sidecar, &format!("/round-{round}-{number}-")).await.status, 200);
            if number == 10 {
                collector.kill();
            }
            if number == 20 {
                collector.start_again();
            }
        }
    }
    // And the sidecar starts anew while it is away.
    collector.kill();
    assert_eq!(get(&sidecar, "/last").await.status, 200);
    sidecar.process().signal("TERM");
    assert_eq!(sidecar.process().ended().await.code(), Some(0));
    sidecar.start_again();
    collector.start_again();
    let records = delivered(&collector, 111).await;
    assert_eq!(records.len(), 111);
    assert_eq!(of_path(&records, "/last").len(), 1);
    for number in 0..20 {
        assert_eq!(of_path(&records, &format!("/down-{number}-")).len(), 1);
    }
    collector.verify().await;
    assert!(sidecar.text().contains("\"message\":\"drained\"") || !sidecar.text().contains("ERROR"));
}

#[tokio::test]
async fn old_news_sinks_the_tier_by_the_rule_and_readiness_says_why() {
    let mut collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream)
        .collector(&collector)
        .section("trust", "{sink_after: 10s, restrict_after: 12s}")
        .start_plain();
    let put = || send(sidecar.at("reverse"), request(Method::PUT, "/works/probed", &token(AGENT), None));
    until("the collector is heard", || async {
        (page(&sidecar, "/trust").await["news"]["state"] == "heard").then_some(())
    })
    .await;
    assert_eq!(put().await.status, 200);
    assert!(readiness(&sidecar, "trust").await.0);
    collector.kill();

    let (ready, detail) = until("the news supports standard at most", || async {
        Some(readiness(&sidecar, "trust").await).filter(|(_, detail)| detail.contains("no tier counts"))
    })
    .await;
    assert!(ready && detail.contains("more than standard"), "{detail}");
    assert_eq!(put().await.status, 200);
    assert!(sample(&sidecar, "pactgate_trust_age_seconds").await >= 10.0);

    let (ready, detail) = until("the news supports nothing", || async {
        Some(readiness(&sidecar, "trust").await).filter(|(_, detail)| detail.contains("restricted"))
    })
    .await;
    assert!(!ready && detail.contains("last heard"), "{detail}");
    let refused = put().await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["reason"]),
        (403, &serde_json::json!("tier-too-low"))
    );
    let agent = &page(&sidecar, "/trust").await["agents"]["entries"][0];
    assert_eq!(
        (&agent["tier"], &agent["sunk"]),
        (&serde_json::json!("restricted"), &serde_json::json!(true))
    );

    collector.start_again();
    until("the tier is back", || async { (put().await.status == 200).then_some(()) }).await;
    assert!(readiness(&sidecar, "trust").await.0);
    let records = delivered(&collector, 4).await;
    let refused = records.iter().find(|record| record["data"]["reason"] == "tier-too-low").unwrap();
    assert_eq!(refused["data"]["tier"]["tier"], "restricted");
    assert!(refused["data"]["tier"]["age_s"].as_u64().unwrap() >= 12, "{refused:#}");
}

#[tokio::test]
async fn nonsense_is_counted_retried_and_believed_in_nothing() {
    let collector = CollectorDouble::start().await;
    let upstream = Fickle::start().await;
    let link = format!(
        "{{url: \"{}\", token: {{file: collector.token}}, public_key: \"{}\"}}",
        collector.settings().url,
        collector.key.public()
    );
    let sidecar = setup(&upstream)
        .without("trust")
        .section("collector", &link)
        .file("collector.token", TOKEN)
        .start_plain();
    let result = |result| format!("pactgate_evidence_deliveries_total{{result=\"{result}\"}}");
    let faults = [
        (Fault::Gibberish, "nonsense"),
        (Fault::AnotherLog, "nonsense"),
        (Fault::Boasts, "nonsense"),
        (Fault::WrongHead, "conflict"),
        (Fault::Fails, "failed"),
        (Fault::HangsUp, "failed"),
    ];
    for (number, (fault, counted)) in (1..).zip(faults) {
        let before = sample(&sidecar, &result(counted)).await;
        collector.will([fault]);
        assert_eq!(get(&sidecar, "/fine").await.status, 200);
        until("it is delivered all the same", || async { (collector.through() == number).then_some(()) })
            .await;
        until(&format!("{fault:?} is counted as {counted}"), || async {
            (sample(&sidecar, &result(counted)).await == before + 1.0).then_some(())
        })
        .await;
    }

    // On the feed: bytes that are no feed, and statements that nobody signed.
    until("the feed is open", || async { (collector.feeds() > 0).then_some(()) }).await;
    collector
        .say_raw(b"event: trust\ndata: {\"payload\":\"e30=\",\"signature\":\"AAAA\",\"key\":\"00\"}\n\n");
    collector.say_raw(b"\xff\xfe\xfd\n\n");
    until("it is refused and counted", || async {
        let refused = sample(&sidecar, "pactgate_trust_statements_total{result=\"refused\"}").await;
        (refused >= 1.0 || sample(&sidecar, &result("nonsense")).await >= 4.0).then_some(())
    })
    .await;
    assert_eq!(page(&sidecar, "/trust").await["news"]["state"], "never");
    assert_eq!(get(&sidecar, "/fine").await.status, 200);
    until("the next record arrives", || async { (collector.through() == 7).then_some(()) }).await;
}
