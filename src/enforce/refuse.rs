//! Refusing: an answer for the agent, a record for everybody else.

use crate::domain::Reason;
use crate::enforce::gates::Case;
use crate::enforce::{Attempted, Enforcer, Refusal, draft, tally};
use crate::evidence::{Effect, Kind, Outcome, Record};
use crate::pact;
use crate::spool::Slot;

impl Enforcer {
    /// Refuses a request that did not get as far as an action, and records the attempt.
    pub fn refuse(&self, attempted: &Attempted, reason: Reason, detail: String) -> Refusal {
        let decision = self.next_decision();
        let at = self.rooms.clock.now();
        let mut record = draft::of_attempt(attempted, decision.clone(), at, reason);
        if let Some(caller) = &attempted.caller {
            let pacts = self.pacts.load();
            record.pact = pacts.governing(&caller.agent).enforcing.map(|pact| draft::pact_ref(pact));
        }
        let refusal = Refusal {
            pact: record.pact.as_ref().map(|pact| pact.name.clone()),
            ..Refusal::plain(decision, reason, detail)
        };
        tally::decided(&self.rooms.metrics, &record);
        tracing::info!(
            decision = %refusal.decision,
            agent = attempted.caller.as_ref().map(|caller| caller.agent.as_str()),
            reason = %reason,
            attempted = %attempted.name,
            "request refused: {}", refusal.detail
        );
        match self.rooms.recorder.reserve() {
            Ok(slot) => slot.record(record),
            Err(why) => self.unrecorded(&why.to_string()),
        }
        refusal
    }

    /// Refuses a message that a pact, a limit or a person decided on.
    pub(super) fn refuse_action(&self, mut record: Record, slot: Slot, refusal: Refusal) -> Refusal {
        record.kind = Kind::Refused;
        record.effect = Effect::Refused;
        record.reason = Some(refusal.reason);
        record.limit.clone_from(&refusal.limit);
        record.outcome = Some(Outcome::Refused);
        record.latency.total = Some(record.latency.decide);
        tally::decided(&self.rooms.metrics, &record);
        tracing::info!(
            decision = %refusal.decision,
            agent = record.agent.as_ref().map(|agent| agent.as_str()),
            reason = %refusal.reason,
            action = %record.action.name,
            clauses = ?refusal.clauses,
            "call refused"
        );
        slot.record(record);
        refusal
    }

    /// Refuses because nothing can be recorded: the one refusal that leaves no record, but a count and a log line.
    pub(super) fn refuse_unrecorded(&self, why: &str) -> Refusal {
        self.unrecorded(why);
        Refusal::plain(self.next_decision(), Reason::EvidenceUnavailable, why.to_owned())
    }

    /// The recorder counts what it could not take.
    fn unrecorded(&self, why: &str) {
        tracing::error!("an attempt could not be recorded: {why}");
    }

    /// The answer to a denying verdict.
    pub(super) fn denied(&self, record: &Record, case: &Case<'_>) -> Refusal {
        let Case { pact, part, facts, verdict, .. } = case;
        let reason = verdict.reason.unwrap_or(Reason::Denied);
        let mut detail = format!("`{}`", record.action.name);
        if let (Reason::TierTooLow, Some(needs)) = (reason, verdict.needs_tier) {
            detail.push_str(&format!(" needs tier `{needs}`, and the agent is on `{}`", facts.tier));
        }
        if let (Reason::Opaque, Some(pattern)) = (reason, pact::opaque_pattern(&part.action.target)) {
            detail.push_str(&format!("; a clause would have to name it as `opaque: \"{pattern}\"`"));
        }
        // The detail says what a call lacks that only lacks a tier.
        let instead =
            (reason != Reason::TierTooLow).then(|| pact::allowed_instead(pact, &part.action, facts));
        Refusal {
            instead: instead.flatten(),
            pact: Some(pact.name().clone()),
            clauses: verdict.clauses.clone(),
            tier: Some(facts.tier),
            ..Refusal::plain(record.decision.clone(), reason, detail)
        }
    }
}
