//! Drafts of records: what is known of a message when it is decided.

use std::time::Duration;

use crate::classify::{self, Part};
use crate::domain::{Action, DecisionId, Digest, Json, Reason, Ruling, Timestamp, Verdict};
use crate::enforce::{Attempted, Caller, Enforcer};
use crate::evidence::{
    ActionSeen, Coverage, Effect, Kind, Latency, Observed, Outcome, PactRef, Record, Seen, TierSeen,
    argument_digest,
};
use crate::pact::Pact;
use crate::trust::TierView;

/// A pact as a record names it.
pub(super) fn pact_ref(pact: &Pact) -> PactRef {
    PactRef { name: pact.name().clone(), version: pact.version(), digest: *pact.digest() }
}

/// What an observing pact says.
pub(super) fn observed(pact: &Pact, verdict: Verdict) -> Observed {
    Observed {
        pact: pact_ref(pact),
        verdict: verdict.ruling,
        reason: verdict.reason,
        clauses: verdict.clauses,
    }
}

/// The draft of one message: a settled record without its end, unless and until something refuses it.
pub(super) fn of_part(caller: &Caller, part: &Part, decision: DecisionId, at: Timestamp) -> Record {
    Record {
        kind: Kind::Settled,
        decision,
        parent: caller.parent.clone(),
        at,
        agent: Some(caller.agent.clone()),
        proof: Some(caller.proof),
        listener: caller.listener.clone(),
        upstream: None,
        pact: None,
        verdict: Ruling::Deny,
        effect: Effect::Sent,
        reason: None,
        clauses: Vec::new(),
        faults: Vec::new(),
        observed: Vec::new(),
        tier: None,
        action: seen(&part.action),
        args_digest: None,
        withheld: part.withheld.clone(),
        approval: None,
        limit: None,
        outcome: None,
        usage: None,
        latency: Latency::default(),
        coverage: Coverage { request: read(part.coverage), response: None },
        traceparent: caller.traceparent,
    }
}

/// The record of a request that was refused before it was an action.
pub(super) fn of_attempt(
    attempted: &Attempted,
    decision: DecisionId,
    at: Timestamp,
    reason: Reason,
) -> Record {
    Record {
        kind: Kind::Refused,
        decision,
        parent: attempted.caller.as_ref().and_then(|caller| caller.parent.clone()),
        at,
        agent: attempted.caller.as_ref().map(|caller| caller.agent.clone()),
        proof: attempted.caller.as_ref().map(|caller| caller.proof),
        listener: attempted.listener.clone(),
        upstream: None,
        pact: None,
        verdict: Ruling::Deny,
        effect: Effect::Refused,
        reason: Some(reason),
        clauses: Vec::new(),
        faults: Vec::new(),
        observed: Vec::new(),
        tier: None,
        action: ActionSeen {
            kind: None,
            name: attempted.name.clone(),
            capability: None,
            dialect: attempted.dialect,
        },
        args_digest: None,
        withheld: Vec::new(),
        approval: None,
        limit: None,
        outcome: Some(Outcome::Refused),
        usage: None,
        latency: Latency { total: Some(Duration::ZERO), ..Latency::default() },
        coverage: Coverage { request: Seen::Envelope, response: None },
        traceparent: attempted.caller.as_ref().and_then(|caller| caller.traceparent),
    }
}

/// Writes a verdict into a draft.
pub(super) fn decide(record: &mut Record, pact: &Pact, verdict: &Verdict) {
    record.pact = Some(pact_ref(pact));
    record.verdict = verdict.ruling;
    record.reason = verdict.reason;
    record.clauses.clone_from(&verdict.clauses);
    record.faults = verdict.faults.iter().map(|(clause, _)| clause.clone()).collect();
    record.action.capability.clone_from(&verdict.capability);
    if let Some(tier) = &mut record.tier {
        tier.used = verdict.tier_mattered;
    }
}

/// The agent's tier as it stands before any verdict used it.
pub(super) fn tier_seen(tier: &TierView) -> TierSeen {
    TierSeen { tier: tier.tier, stated: Some(tier.stated), age: tier.age, used: false }
}

fn seen(action: &Action) -> ActionSeen {
    ActionSeen {
        kind: Some(action.target.kind()),
        name: action.target.to_string(),
        capability: None,
        dialect: action.dialect,
    }
}

fn read(coverage: classify::Coverage) -> Seen {
    match coverage {
        classify::Coverage::Read => Seen::Read,
        classify::Coverage::Envelope => Seen::Envelope,
        classify::Coverage::Unread => Seen::Unread,
    }
}

impl Enforcer {
    /// The keyed digest of what the action's fields say, where they say anything.
    pub(super) fn digest(&self, action: &Action) -> Option<Digest> {
        let says = matches!(&action.fields, Json::Object(members) if !members.is_empty());
        says.then(|| argument_digest(&self.settings.digest_key, &action.fields))
    }
}
