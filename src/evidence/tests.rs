//! The record on disk, the chain, and what a verifier finds.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    ActionKind, AgentId, ApprovalId, ClauseId, Decimal, DecisionId, Dialect, Digest, Json, LimitId, PactName,
    Reason, Ruling, SidecarId, Timestamp, TrustTier, UpstreamName, Usage,
};

fn source() -> Source {
    Source::new(
        SidecarId::new("checkout-1").unwrap(),
        LogId::from_bytes([0x01, 0x9a, 0x5b, 0x3c, 0x7d, 0x40, 0xe1, 0xf2]),
    )
}

fn moment(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn pact() -> PactRef {
    PactRef { name: PactName::new("refunds-assistant").unwrap(), version: 3, digest: Digest::of(b"the file") }
}

/// A refused call with most members present.
fn refused() -> Record {
    Record {
        kind: Kind::Refused,
        decision: DecisionId::new("d-1").unwrap(),
        at: moment("2026-11-18T10:00:00.000042Z"),
        agent: Some(AgentId::new("spiffe://corp/refunds").unwrap()),
        proof: Some(Proof::Bearer),
        listener: "forward 127.0.0.1:8081".into(),
        upstream: Some(UpstreamName::new("payments").unwrap()),
        pact: Some(pact()),
        verdict: Ruling::Ask,
        effect: Effect::Refused,
        reason: Some(Reason::ApprovalRequired),
        clauses: vec![ClauseId::new("refund-large").unwrap()],
        faults: vec![ClauseId::new("weekday-hours").unwrap()],
        observed: vec![Observed {
            pact: pact(),
            verdict: Ruling::Deny,
            reason: Some(Reason::NoClause),
            clauses: vec![],
        }],
        tier: Some(TierSeen {
            tier: TrustTier::Standard,
            stated: Some(TrustTier::Trusted),
            age: Some(Duration::from_secs(75)),
            used: true,
        }),
        action: ActionSeen {
            kind: Some(ActionKind::Tool),
            name: "payments.refund \"é\u{7f}\u{1f600}\" \\ \u{1}\n".to_owned(),
            capability: Some("payments.refund".into()),
            dialect: Dialect::Mcp,
        },
        args_digest: Some(Digest::of(b"arguments")),
        withheld: vec!["delete \"é".to_owned(), "openai/web_search".to_owned()],
        approval: Some(ApprovalUse {
            id: ApprovalId::new("a-7").unwrap(),
            answer: ApprovalAnswer::Unanswered,
        }),
        limit: Some(LimitId::new("tool-rate").unwrap()),
        outcome: Some(Outcome::Refused),
        usage: None,
        latency: Latency {
            decide: Duration::from_micros(37),
            upstream: None,
            total: Some(Duration::from_micros(512)),
        },
        coverage: Coverage { request: Seen::Read, response: None },
        traceparent: Traceparent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        parent: Some(DecisionId::new("d-0").unwrap()),
    }
}

/// The least a record can say: somebody sent something that could not be read.
fn bare() -> Record {
    Record {
        agent: None,
        proof: None,
        upstream: None,
        pact: None,
        verdict: Ruling::Deny,
        reason: Some(Reason::Unreadable),
        clauses: vec![],
        faults: vec![],
        observed: vec![],
        tier: None,
        action: ActionSeen { kind: None, name: "POST /mcp".into(), capability: None, dialect: Dialect::Mcp },
        args_digest: None,
        withheld: Vec::new(),
        approval: None,
        limit: None,
        traceparent: None,
        parent: None,
        ..refused()
    }
}

/// A call that went through.
fn settled(outcome: Outcome) -> Record {
    Record {
        kind: Kind::Settled,
        verdict: Ruling::Allow,
        effect: Effect::Sent,
        reason: None,
        outcome: Some(outcome),
        usage: Some(Usage { input_tokens: 812, output_tokens: 0, bytes_sent: 2048, bytes_received: 0 }),
        coverage: Coverage { request: Seen::Read, response: Some(Seen::Envelope) },
        ..bare()
    }
}

fn samples() -> Vec<Record> {
    let mut all = vec![refused(), bare()];
    all.push(Record { kind: Kind::Admitted, outcome: None, usage: None, ..settled(Outcome::NotSent) });
    let outcomes = [
        Outcome::Completed { status: 201 },
        Outcome::UpstreamFailed { what: UpstreamFailure::Tls },
        Outcome::ClientGone,
        Outcome::Cut { why: CutCause::TierFell },
        Outcome::NotSent,
        Outcome::Abandoned,
    ];
    all.extend(outcomes.map(settled));
    // Permits taken back: on the way out, and because another message of the batch was refused.
    all.extend([Outcome::Refused, Outcome::NotSent].map(|outcome| Record {
        effect: Effect::Refused,
        reason: Some(Reason::AddressForbidden),
        usage: None,
        ..settled(outcome)
    }));
    all
}

#[test]
fn what_is_sealed_is_canonical_and_reads_back_whole() {
    let mut chain = Chain::begin(source());
    let mut verifier = Verifier::new();
    for (record, recorded_at) in samples().into_iter().zip(1_795_000_000_999_990..) {
        let recorded_at = Timestamp::from_micros(recorded_at);
        let sealed = chain.seal(&record, recorded_at);
        let tree: serde_json::Value = serde_json::from_slice(&sealed.bytes).unwrap();
        assert_eq!(
            String::from_utf8(serde_jcs::to_vec(&tree).unwrap()),
            String::from_utf8(sealed.bytes.clone())
        );
        let event = verifier.push(&sealed.bytes).unwrap();
        assert_eq!(event.record, record);
        assert_eq!((event.sequence, event.hash), (sealed.sequence, sealed.hash));
        assert_eq!((event.recorded_at, event.source), (recorded_at, source()));
        assert_eq!(event.id.get_version_num(), 7);
    }
    verifier.ends_at(chain.last_sequence(), chain.head()).unwrap();
}

#[test]
fn a_gap_is_told_once_by_the_next_record() {
    let mut chain = Chain::begin(source());
    chain.tell(Gap { after_crash: true, lost: 0, torn_bytes: 17 });
    chain.tell(Gap { after_crash: false, lost: 3, torn_bytes: 0 });
    let told = read(&chain.seal(&bare(), Timestamp::from_micros(1)).bytes).unwrap();
    assert_eq!(told.gap, Gap { after_crash: true, lost: 3, torn_bytes: 17 });
    assert!(read(&chain.seal(&bare(), Timestamp::from_micros(1)).bytes).unwrap().gap.is_none());
}

#[test]
fn the_largest_record_keeps_under_the_bound() {
    let long = |n: usize| "\u{1}".repeat(n);
    let clause = ClauseId::new(&"c".repeat(100)).unwrap();
    let big = PactRef {
        name: PactName::new(&"p".repeat(100)).unwrap(),
        version: u64::MAX,
        digest: Digest::of(b""),
    };
    let observed = Observed {
        pact: big.clone(),
        verdict: Ruling::Allow,
        reason: Some(Reason::EvidenceUnavailable),
        clauses: vec![clause.clone(); 1000],
    };
    let record = Record {
        decision: DecisionId::new(&"d".repeat(64)).unwrap(),
        agent: Some(AgentId::new(&"a".repeat(255)).unwrap()),
        listener: long(5000).into(),
        pact: Some(big),
        clauses: vec![clause.clone(); 1000],
        faults: vec![clause; 1000],
        observed: vec![observed; 1000],
        parent: Some(DecisionId::new(&"p".repeat(64)).unwrap()),
        withheld: vec![long(5000); 1000],
        action: ActionSeen {
            kind: Some(ActionKind::HostedTool),
            name: long(70_000),
            capability: Some(long(5000).into()),
            dialect: Dialect::Anthropic,
        },
        latency: Latency { decide: Duration::MAX, upstream: Some(Duration::MAX), total: Some(Duration::MAX) },
        ..refused()
    };
    let sidecar = SidecarId::new(&"s".repeat(128)).unwrap();
    let mut chain = Chain::resume(Source::new(sidecar, source().log()), u64::MAX - 1, Digest::of(b"before"));
    chain.tell(Gap { after_crash: true, lost: u64::MAX, torn_bytes: u64::MAX });
    let sealed = chain.seal(&record, Timestamp::from_micros(i64::MAX));
    assert!(sealed.bytes.len() < RECORD_BYTES_MAX, "{}", sealed.bytes.len());
    let event = read(&sealed.bytes).unwrap();
    assert_eq!(event.record.clauses.len(), CLAUSES_MAX);
    assert!(event.record.action.name.ends_with('…'));
    assert_eq!(event.record.latency.decide, Duration::from_micros((1 << 53) - 1));
}

#[test]
fn every_change_of_a_byte_is_noticed() {
    let mut chain = Chain::begin(source());
    let first = chain.seal(&refused(), moment("2026-11-18T10:00:01Z"));
    let second = chain.seal(&bare(), moment("2026-11-18T10:00:02Z"));
    for at in 0..first.bytes.len() {
        let mut changed = first.bytes.clone();
        changed[at] ^= 1;
        let mut verifier = Verifier::new();
        let noticed = verifier.push(&changed).is_err() || verifier.push(&second.bytes).is_err();
        assert!(noticed, "byte {at}");
    }
}

#[test]
fn a_verifier_names_the_first_broken_link() {
    let mut chain = Chain::begin(source());
    let sealed: Vec<_> = (0..3).map(|_| chain.seal(&bare(), Timestamp::from_micros(1))).collect();
    let mut other = Chain::begin(Source::new(source().sidecar().clone(), LogId::from_bytes([0; 8])));
    let foreign = other.seal(&bare(), Timestamp::from_micros(1));
    let rewritten =
        Chain::resume(source(), 1, Digest::of(b"rewritten")).seal(&bare(), Timestamp::from_micros(1));

    let mut verifier = Verifier::new();
    verifier.push(&sealed[0].bytes).unwrap();
    assert_eq!(verifier.push(&sealed[2].bytes), Err(Broken::Order { after: 1, found: 3 }));
    assert_eq!(verifier.push(&sealed[0].bytes), Err(Broken::Order { after: 1, found: 1 }));
    assert_eq!(verifier.push(&rewritten.bytes), Err(Broken::Link { sequence: 2 }));
    assert!(matches!(verifier.push(&foreign.bytes), Err(Broken::Source { after: 1, .. })));
    verifier.push(&sealed[1].bytes).unwrap();
    // A valid prefix is not a valid log.
    let whole = verifier.ends_at(3, &sealed[2].hash);
    assert_eq!(whole, Err(Broken::End { found: 2, expected: 3 }));
    assert_eq!(verifier.ends_at(2, &sealed[0].hash), Err(Broken::Head { sequence: 2 }));
}

#[test]
fn only_events_of_ours_are_read() {
    let text =
        String::from_utf8(Chain::begin(source()).seal(&refused(), moment("2026-11-18T10:00:01Z")).bytes)
            .unwrap();
    assert!(read(text.as_bytes()).is_ok());
    let changes = [
        (r#""specversion":"1.0""#, r#""specversion":"0.3""#),
        (r#""sequence":"00000000000000000001""#, r#""sequence":"1""#),
        (r#""sequence":"00000000000000000001""#, r#""sequence":"00000000000000000000""#),
        (r#""verdict":"ask""#, r#""verdict":"maybe""#),
        (r#""age_s":75"#, r#""age_s":75.5"#),
        (r#""age_s":75"#, r#""age_s":-75"#),
        (r#""age_s":75"#, r#""age_s":9007199254740993"#),
        (r#""age_s":75"#, r#""age_s":"75""#),
        (r#""age_s":75"#, r#""age_s":75,"age_s":75"#),
        (r#""age_s":75"#, r#""age_s": 75"#),
        (r#""recordedtime":"2026-11-18T10:00:01.000000Z""#, r#""recordedtime":"2026-11-18T10:00:01Z""#),
        // Moments that are never written: before 1970, and in the last hours of the year 9999.
        (r#""recordedtime":"2026-11-18T"#, r#""recordedtime":"1026-11-18T"#),
        (r#""recordedtime":"2026-11-18T"#, r#""recordedtime":"9999-12-31T"#),
        (r#""time":"2026-11-18T"#, r#""time":"0969-11-18T"#),
        (r#"/corp/refunds","approval""#, r#"/corp/other","approval""#),
        (r#""proof":"bearer","#, ""),
        (r#""kind":"refused"}"#, r#""kind":"client-gone"}"#),
        (r#""effect":"refused""#, r#""effect":"sent""#),
        ("call.refused.v1", "call.refused.v2"),
        ("checkout-1/019a5b3c7d40e1f2", "checkout-1/019A5B3C7D40E1F2"),
        ("checkout-1/019a5b3c7d40e1f2", "checkout-1"),
    ];
    for (from, to) in changes {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(read(changed.as_bytes()).is_err(), "{to}");
    }
    // A later version may say more; what is known is read all the same.
    let more = text.replacen(r#""verdict":"#, r#""utility":{"a":[1]},"verdict":"#, 1);
    assert_eq!(read(more.as_bytes()).unwrap().record, refused());
}

#[test]
fn bytes_from_outside_are_bounded() {
    assert!(matches!(read(&vec![b'['; RECORD_BYTES_MAX + 1]), Err(Unsound::TooLarge { .. })));
    assert!(matches!(read(&vec![b'['; RECORD_BYTES_MAX]), Err(Unsound::Form { .. })));
    assert!(matches!(read(b"{\"a\":1}{"), Err(Unsound::Form { .. })));
    assert!(matches!(read(b"null"), Err(Unsound::Member { .. })));
}

#[test]
fn traces_are_checked() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(Traceparent::parse(good).unwrap().as_str(), good);
    for bad in [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473600-f067aa0ba902b7-01",
    ] {
        assert!(Traceparent::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn argument_digests_are_keyed_and_do_not_depend_on_spelling() {
    let amount = |text: &str| Json::object([("amount", Json::Number(Decimal::parse(text).unwrap()))]);
    let key = [7; 32];
    assert_eq!(argument_digest(&key, &amount("80")), argument_digest(&key, &amount("8e1")));
    assert_ne!(argument_digest(&key, &amount("80")), argument_digest(&key, &amount("81")));
    assert_ne!(argument_digest(&key, &amount("80")), argument_digest(&[8; 32], &amount("80")));
}

/// The second record of the worked example: a call that was refused.
fn never_delete() -> Record {
    Record {
        kind: Kind::Refused,
        verdict: Ruling::Deny,
        effect: Effect::Refused,
        reason: Some(Reason::Denied),
        clauses: vec![ClauseId::new("never-delete").unwrap()],
        action: ActionSeen {
            kind: Some(ActionKind::Http),
            name: "DELETE https://api.shop.example/v1/orders/7".to_owned(),
            capability: None,
            dialect: Dialect::Http,
        },
        args_digest: None,
        withheld: Vec::new(),
        outcome: Some(Outcome::Refused),
        usage: None,
        latency: Latency {
            decide: Duration::from_micros(9),
            upstream: None,
            total: Some(Duration::from_micros(31)),
        },
        coverage: Coverage { request: Seen::Read, response: None },
        ..sample::settled(2)
    }
}

/// The worked example of README.md: whoever changes a byte of the format changes the document too.
#[test]
fn the_documented_example_is_true() {
    let mut chain = Chain::begin(source());
    let first = chain.seal(&sample::settled(1), moment("2026-11-18T10:00:00.000250Z"));
    let second = chain.seal(&never_delete(), moment("2026-11-18T10:00:01Z"));
    let document = include_str!("README.md");
    for sealed in [first, second] {
        let line = String::from_utf8(sealed.bytes).unwrap();
        assert!(document.lines().any(|l| l == line), "missing in README.md:\n{line}\n{}", sealed.hash);
        assert!(document.contains(&sealed.hash.hex()), "missing in README.md: {}", sealed.hash);
    }
}

/// The table of README.md names every member that is written, and no other.
#[test]
fn the_documented_members_are_those_that_are_written() {
    fn members(value: &serde_json::Value, path: &str, into: &mut std::collections::BTreeSet<String>) {
        match value {
            serde_json::Value::Object(object) => {
                for (name, value) in object {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    into.insert(path.clone());
                    members(value, &path, into);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| members(item, path, into)),
            _ => {}
        }
    }
    let mut chain = Chain::begin(source());
    chain.tell(Gap { after_crash: true, lost: 1, torn_bytes: 1 });
    let mut many = refused();
    many.clauses = vec![many.clauses[0].clone(); CLAUSES_MAX + 1];
    many.withheld = vec![many.withheld[0].clone(); WITHHELD_MAX + 1];
    many.faults = vec![many.faults[0].clone(); FAULTS_MAX + 1];
    many.observed[0].clauses = vec![many.clauses[0].clone(); OBSERVED_MAX + 1];
    many.observed = vec![many.observed[0].clone(); OBSERVED_MAX + 1];
    let mut written = std::collections::BTreeSet::new();
    for record in samples().into_iter().chain([many, sample::settled(1)]) {
        let sealed = chain.seal(&record, Timestamp::from_micros(1));
        members(&serde_json::from_slice(&sealed.bytes).unwrap(), "", &mut written);
    }
    let row = |line: &str| {
        line.strip_prefix("| `").and_then(|rest| rest.split_once('`')).map(|(name, _)| name.to_owned())
    };
    let documented: std::collections::BTreeSet<_> =
        include_str!("README.md").lines().filter_map(row).collect();
    assert_eq!(documented, written);
}

proptest! {
    #[test]
    fn any_name_is_written_canonically(name in any::<String>(), at in any::<i64>(), tokens in any::<u64>()) {
        let mut record = settled(Outcome::ClientGone);
        record.action.name = name;
        record.at = Timestamp::from_micros(at);
        record.usage = Some(Usage { input_tokens: tokens, ..Usage::default() });
        let sealed = Chain::begin(source()).seal(&record, Timestamp::from_micros(at));
        let tree: serde_json::Value = serde_json::from_slice(&sealed.bytes).unwrap();
        prop_assert_eq!(serde_jcs::to_vec(&tree).unwrap(), sealed.bytes.clone());
        prop_assert!(read(&sealed.bytes).is_ok());
    }

    #[test]
    fn any_bytes_are_safe_to_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_damaged_event_never_panics(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = Chain::begin(source()).seal(&refused(), Timestamp::from_micros(1)).bytes;
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        let _ = read(&bytes);
    }
}
