//! The table of metrics, and what counting does to it.

use std::time::Duration;

use crate::domain::{
    AgentId, ClauseId, Dialect, LimitId, PactName, Reason, Ruling, TrustTier, UpstreamName, Usage,
};
use crate::telemetry::{
    Direction, Effect, EvidenceReading, FailOpen, LimitReading, Metrics, Port, Readings, Reloaded, TABLE,
    TrustReading,
};

fn pact(name: &str) -> PactName {
    PactName::new(name).unwrap()
}

fn clause(id: &str) -> ClauseId {
    ClauseId::new(id).unwrap()
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
}

fn lacks(text: &str, part: &str) {
    assert!(!text.contains(part), "`{part}` in\n{text}");
}

#[test]
fn names_and_labels_follow_the_rules_of_prometheus() {
    for row in TABLE {
        assert!(row.name.starts_with("pactgate_"), "{}", row.name);
        assert_eq!(row.name.ends_with("_total"), row.kind == "counter", "{}", row.name);
        assert_eq!(
            row.name.ends_with("_seconds") && row.kind != "gauge",
            row.kind == "histogram",
            "{}",
            row.name
        );
        assert!(row.help.ends_with('.'), "{}", row.name);
    }
    Metrics::new().unwrap();
}

#[test]
fn decisions_are_counted_by_loaded_names_only() {
    let metrics = Metrics::new().unwrap();
    let (refunds, small) = (pact("refunds"), clause("small"));
    metrics.know_pacts([(&refunds, vec![&small])]);
    let count = |pact: Option<&PactName>, clause: Option<&ClauseId>| {
        metrics.decided(pact, clause, Dialect::Mcp, Ruling::Allow, Effect::Sent);
    };
    count(Some(&refunds), Some(&small));
    count(Some(&refunds), Some(&small));
    count(Some(&refunds), Some(&clause("attack")));
    count(Some(&refunds), None);
    count(Some(&pact("attack")), Some(&small));
    count(None, None);
    metrics.decided(Some(&refunds), Some(&small), Dialect::OpenAi, Ruling::Deny, Effect::Refused);
    let text = metrics.render(&Readings::default());
    let series = |pact: &str, clause: &str| {
        format!(
            "pactgate_decisions_total{{clause=\"{clause}\",dialect=\"mcp\",effect=\"sent\",pact=\"{pact}\",verdict=\"allow\"}}"
        )
    };
    has(&text, &format!("{} 2", series("refunds", "small")));
    has(&text, &format!("{} 1", series("refunds", "other")));
    has(&text, &format!("{} 1", series("refunds", "none")));
    has(&text, &format!("{} 1", series("other", "other")));
    has(&text, &format!("{} 1", series("none", "none")));
    lacks(&text, "attack");
    assert_eq!(text.matches("pactgate_decisions_total{").count(), 6);
}

#[test]
fn a_reload_keeps_counters_of_clauses_that_stay_and_forgets_the_others() {
    let metrics = Metrics::new().unwrap();
    let (a, b, stays, goes) = (pact("a"), pact("b"), clause("stays"), clause("goes"));
    metrics.know_pacts([(&a, vec![&stays, &goes]), (&b, vec![&stays])]);
    let count =
        |pact, clause| metrics.decided(Some(pact), Some(clause), Dialect::Http, Ruling::Ask, Effect::Refused);
    for (pact, clause) in [(&a, &stays), (&a, &goes), (&b, &stays)] {
        count(pact, clause);
    }
    metrics.know_pacts([(&a, vec![&stays])]);
    count(&a, &stays);
    let text = metrics.render(&Readings::default());
    let line = "pactgate_decisions_total{clause=\"stays\",dialect=\"http\",effect=\"refused\",pact=\"a\",verdict=\"ask\"} 2";
    has(&text, line);
    lacks(&text, "goes");
    lacks(&text, "pact=\"b\"");
}

#[test]
fn every_other_count_has_its_line() {
    let metrics = Metrics::new().unwrap();
    let openai = UpstreamName::new("openai").unwrap();
    let unknown = UpstreamName::new("attack").unwrap();
    metrics.know_upstreams([&openai]);
    metrics.refused(Reason::RateLimited);
    metrics.unreadable("too-deep");
    metrics.decision_took(Duration::from_micros(3));
    metrics.request_took(Dialect::OpenAi, Effect::Sent, Duration::from_millis(3));
    metrics.upstream_took(Some(&openai), Duration::from_millis(2));
    metrics.upstream_took(Some(&unknown), Duration::from_millis(2));
    metrics.upstream_failed(None, "timeout");
    metrics.used(Some(&openai), &Usage { input_tokens: 7, output_tokens: 9, ..Usage::default() });
    metrics.cost(Some(&openai), 0.25);
    metrics.cost(Some(&openai), f64::NAN);
    metrics.connected(Port::Reverse);
    metrics.opaque_connected();
    metrics.opaque_passed(Direction::Out, 100);
    metrics.failed_open(FailOpen::Evidence);
    metrics.reloaded(Reloaded::Pacts, false);
    metrics.clause_fault(&pact("p"), &clause("c"));
    let held = metrics.in_flight(Port::Forward);
    let text = metrics.render(&Readings::default());
    let lines = [
        "pactgate_refusals_total{reason=\"rate-limited\"} 1",
        "pactgate_unreadable_requests_total{problem=\"too-deep\"} 1",
        "pactgate_decision_duration_seconds_bucket{le=\"0.000005\"} 1",
        "pactgate_request_duration_seconds_bucket{dialect=\"openai\",effect=\"sent\",le=\"0.005\"} 1",
        "pactgate_upstream_duration_seconds_count{upstream=\"openai\"} 1",
        "pactgate_upstream_duration_seconds_count{upstream=\"other\"} 1",
        "pactgate_upstream_failures_total{upstream=\"other\",what=\"timeout\"} 1",
        "pactgate_tokens_total{direction=\"in\",upstream=\"openai\"} 7",
        "pactgate_tokens_total{direction=\"out\",upstream=\"openai\"} 9",
        "pactgate_cost_usd_total{upstream=\"openai\"} 0.25",
        "pactgate_connections_total{listener=\"reverse\"} 1",
        "pactgate_opaque_connections_total 1",
        "pactgate_opaque_bytes_total{direction=\"out\"} 100",
        "pactgate_fail_open_total{point=\"evidence\"} 1",
        "pactgate_reloads_total{result=\"refused\",what=\"pacts\"} 1",
        "pactgate_clause_faults_total{clause=\"other\",pact=\"other\"} 1",
        "pactgate_requests_in_flight{listener=\"forward\"} 1",
        "pactgate_build_info{version=\"0.1.0\"} 1",
    ];
    lines.iter().for_each(|line| has(&text, line));
    lacks(&text, "attack");
    assert!(text.contains("process_resident_memory_bytes"));
    drop(held);
    has(&metrics.render(&Readings::default()), "pactgate_requests_in_flight{listener=\"forward\"} 0");
}

#[test]
fn readings_of_other_rooms_are_taken_as_they_are() {
    let metrics = Metrics::new().unwrap();
    let agent = AgentId::new("a").unwrap();
    let limit = LimitReading {
        agent: agent.clone(),
        pact: pact("p"),
        limit: LimitId::new("l").unwrap(),
        remaining: 4,
    };
    let mut readings = Readings {
        pacts: 2,
        trust: TrustReading {
            tiers: vec![(agent, TrustTier::Standard)],
            age: Some(Duration::from_millis(1_500)),
            applied: 5,
            ..TrustReading::default()
        },
        limits: vec![limit],
        evidence: EvidenceReading { records: 10, sequence: 10, ..EvidenceReading::default() },
        ..Readings::default()
    };
    let text = metrics.render(&readings);
    has(&text, "pactgate_pacts 2");
    has(&text, "pactgate_trust_tier{agent=\"a\"} 3");
    has(&text, "pactgate_trust_age_seconds 1.5");
    has(&text, "pactgate_trust_statements_total{result=\"applied\"} 5");
    has(&text, "pactgate_limit_remaining{agent=\"a\",limit=\"l\",pact=\"p\"} 4");
    has(&text, "pactgate_evidence_records_total 10");
    readings.evidence.records = 12;
    readings.limits.clear();
    readings.trust.age = None;
    let text = metrics.render(&readings);
    has(&text, "pactgate_evidence_records_total 12");
    lacks(&text, "pactgate_limit_remaining{");
    lacks(&text, "pactgate_trust_age_seconds 1");
}
