//! What evidence costs a call: sealing a record, and handing it over to the writing thread.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pactgate::domain::{
    ActionKind, AgentId, ClauseId, DecisionId, Dialect, Digest, PactName, Ruling, SidecarId, SystemClock,
    Timestamp, TrustTier, Usage,
};
use pactgate::evidence::{
    ActionSeen, Chain, Coverage, Effect, Kind, Latency, LogId, Outcome, PactRef, Proof, Record, Seen, Source,
    TierSeen, read,
};
use pactgate::spool::{Recorder, Settings, WhenFull};

/// An ordinary call that went through.
fn record() -> Option<Record> {
    Some(Record {
        kind: Kind::Settled,
        decision: DecisionId::new("01a1ee1955007217").ok()?,
        at: Timestamp::parse_rfc3339("2026-11-18T10:00:00Z")?,
        agent: Some(AgentId::new("refunds-eu").ok()?),
        proof: Some(Proof::Listener),
        listener: "reverse 127.0.0.1:8080".into(),
        upstream: None,
        pact: Some(PactRef {
            name: PactName::new("refunds-assistant").ok()?,
            version: 3,
            digest: Digest::of(b"the pact's file"),
        }),
        verdict: Ruling::Allow,
        effect: Effect::Sent,
        reason: None,
        clauses: vec![ClauseId::new("ask-models").ok()?],
        faults: vec![],
        observed: vec![],
        tier: Some(TierSeen {
            tier: TrustTier::Standard,
            stated: Some(TrustTier::Standard),
            age: Some(Duration::from_secs(3)),
            used: false,
        }),
        action: ActionSeen {
            kind: Some(ActionKind::Model),
            name: "openai/gpt-4o-mini".to_owned(),
            capability: None,
            dialect: Dialect::OpenAi,
        },
        args_digest: Some(Digest::of(b"arguments")),
        withheld: Vec::new(),
        approval: None,
        limit: None,
        outcome: Some(Outcome::Completed { status: 200 }),
        usage: Some(Usage { input_tokens: 812, output_tokens: 96, bytes_sent: 2911, bytes_received: 1370 }),
        latency: Latency {
            decide: Duration::from_micros(18),
            upstream: Some(Duration::from_micros(702_113)),
            total: Some(Duration::from_micros(702_240)),
        },
        coverage: Coverage { request: Seen::Read, response: Some(Seen::Envelope) },
        traceparent: None,
        parent: None,
    })
}

fn source() -> Option<Source> {
    Some(Source::new(SidecarId::new("checkout-1").ok()?, LogId::parse("019a5b3c7d40e1f2")?))
}

fn seal_and_read(c: &mut Criterion) {
    let (Some(record), Some(source)) = (record(), source()) else { return };
    let at = record.at;
    let mut chain = Chain::begin(source);
    let sealed = chain.seal(&record, at).bytes;
    let mut group = c.benchmark_group("chain");
    group.throughput(Throughput::Bytes(sealed.len() as u64));
    let mut out = Vec::with_capacity(1 << 20);
    group.bench_function("seal", |b| {
        b.iter(|| {
            out.clear();
            chain.seal_into(&mut out, black_box(&record), at);
        });
    });
    group.bench_function("read", |b| b.iter(|| read(black_box(&sealed))));
    group.finish();
}

/// The caller's side alone: take a place, move a record into it. The writing thread works beside it, and drops
/// what is too much for the disk, so that the queue never makes the caller wait.
fn hand_over(c: &mut Criterion) {
    let (Some(record), Ok(dir), Ok(id)) = (record(), tempfile::tempdir(), SidecarId::new("checkout-1"))
    else {
        return;
    };
    let settings = Settings { when_full: WhenFull::Drop, ..Settings::new(dir.path().to_owned(), id) };
    let Ok((recorder, _)) = Recorder::start(settings, SystemClock::shared()) else { return };
    let recorder = Arc::clone(&recorder);
    c.bench_function("spool/hand over", |b| {
        b.iter_batched(
            || {
                // Whatever has gathered counts as delivered, so that the spool does not fill up.
                recorder.acknowledge(recorder.durable());
                record.clone()
            },
            |record| {
                if let Ok(slot) = recorder.reserve() {
                    slot.record(record);
                }
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, seal_and_read, hand_over);
criterion_main!(benches);
