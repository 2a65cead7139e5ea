//! A record for the tests of rooms that only carry records.

use std::time::Duration;

use crate::domain::{
    ActionKind, AgentId, ClauseId, DecisionId, Dialect, Digest, PactName, Ruling, Timestamp, TrustTier, Usage,
};
use crate::evidence::{
    ActionSeen, Coverage, Effect, Kind, Latency, Outcome, PactRef, Proof, Record, Seen, TierSeen,
};

/// The settled record of the `n`-th call: an ordinary one, that went through.
pub(crate) fn settled(n: u64) -> Record {
    Record {
        kind: Kind::Settled,
        decision: DecisionId::new(&format!("d-{n}")).unwrap(),
        at: Timestamp::parse_rfc3339("2026-11-18T10:00:00Z").unwrap(),
        agent: Some(AgentId::new("refunds-eu").unwrap()),
        proof: Some(Proof::Listener),
        listener: "reverse 127.0.0.1:8080".into(),
        upstream: None,
        pact: Some(PactRef {
            name: PactName::new("refunds-assistant").unwrap(),
            version: 3,
            digest: Digest::of(b"the pact's file"),
        }),
        verdict: Ruling::Allow,
        effect: Effect::Sent,
        reason: None,
        clauses: vec![ClauseId::new("ask-models").unwrap()],
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
    }
}
