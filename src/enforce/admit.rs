//! Admit: facts, decision, approval, limits, record first. The answer is a permit or a refusal for each message.

use std::sync::Arc;

use crate::classify::Part;
use crate::domain::{Reason, Ruling};
use crate::enforce::gates::{Case, Reserved, Sending};
use crate::enforce::permit::{Admission, Open};
use crate::enforce::{Caller, Enforcer, Outbound, Permit, Refusal, Refused, draft, tally};
use crate::evidence::Record;
use crate::pact::{self, Facts, Pact};

impl Enforcer {
    /// Admits a request: all of its messages, or none.
    ///
    /// # Errors
    /// An answer for every message, where one of them is refused.
    pub async fn admit(
        self: &Arc<Self>,
        caller: &Caller,
        parts: Vec<Part>,
        outbound: Outbound,
    ) -> Result<Permit, Vec<Refused>> {
        let sending = Sending::of(&outbound);
        let mut decided = Vec::with_capacity(parts.len());
        for part in parts {
            decided.push(self.judge(caller, part, &sending).await);
        }
        if decided.iter().any(Result::is_err) {
            return Err(decided
                .into_iter()
                .map(|one| one.map_or_else(|no| no, Admission::withhold))
                .collect());
        }
        let mut admitted = decided.into_iter().filter_map(Result::ok);
        match admitted.next() {
            Some(lead) => Ok(Permit::new(lead, admitted.collect(), outbound)),
            None => Err(Vec::new()),
        }
    }

    async fn judge(
        self: &Arc<Self>,
        caller: &Caller,
        part: Part,
        sending: &Sending,
    ) -> Result<Admission, Refused> {
        let reply = part.reply.clone();
        match self.judge_action(caller, &part, sending).await {
            Ok(open) => Ok(Admission::new(Arc::clone(self), reply, open)),
            Err(refusal) => Err(Refused { reply, refusal }),
        }
    }

    async fn judge_action(&self, caller: &Caller, part: &Part, sending: &Sending) -> Result<Open, Refusal> {
        let started = self.rooms.clock.monotonic();
        let slot = self.rooms.recorder.reserve().map_err(|why| self.refuse_unrecorded(&why.to_string()))?;
        let at = self.rooms.clock.now();
        let pacts = self.pacts.load_full();
        let governing = pacts.governing(&caller.agent);
        let tier = self.rooms.tiers.view(&caller.agent);
        let facts = Facts { agent: &caller.agent, tier: tier.tier, at };

        let mut record = draft::of_part(caller, part, self.next_decision(), at);
        record.upstream.clone_from(&sending.upstream);
        record.args_digest = self.digest(&part.action);
        record.tier = Some(draft::tier_seen(&tier));
        let observe = |pact: &Arc<Pact>| draft::observed(pact, pact::decide(pact, &part.action, &facts));
        record.observed = governing.observing.iter().map(|pact| observe(pact)).collect();

        let case = governing.enforcing.map(|pact| {
            let verdict = pact::decide(pact, &part.action, &facts);
            draft::decide(&mut record, pact, &verdict);
            Case { pact, part, facts, verdict }
        });
        let weighed = match &case {
            Some(case) => self.weigh(&record, case),
            None => without_enforcing_pact(&mut record),
        };
        self.rooms.metrics.decision_took(self.rooms.clock.monotonic().saturating_sub(started));
        let passed = match (weighed, &case) {
            (Ok(reserved), Some(case)) => self.wait(&mut record, case, sending).await.map(|()| reserved),
            (weighed, _) => weighed,
        };
        record.latency.decide = self.rooms.clock.monotonic().saturating_sub(started);
        match passed {
            Ok(reserved) => {
                tally::decided(&self.rooms.metrics, &record);
                Ok(Open { record, slot, reserved, started, departed: None, answered: None })
            }
            Err(refusal) => Err(self.refuse_action(record, slot, refusal)),
        }
    }

    /// What the verdict and the limits say, which takes no waiting.
    fn weigh(&self, record: &Record, case: &Case<'_>) -> Result<Reserved, Refusal> {
        if case.verdict.ruling == Ruling::Deny {
            return Err(self.denied(record, case));
        }
        self.reserve(record, case)
    }

    /// What has to be waited for on the way from a verdict to a permit: people, and the disk.
    async fn wait(&self, record: &mut Record, case: &Case<'_>, sending: &Sending) -> Result<(), Refusal> {
        if case.verdict.ruling == Ruling::Ask {
            self.ask(record, case, sending).await?;
            self.still_holds(record, case)?;
        }
        self.record_first(record, case).await
    }

    /// People take their time: what they said yes to must still be what the pact in force asks, at the tier that the
    /// agent has by now.
    fn still_holds(&self, record: &mut Record, case: &Case<'_>) -> Result<(), Refusal> {
        let pacts = self.pacts.load_full();
        let tier = self.rooms.tiers.view(case.facts.agent);
        let facts = Facts { tier: tier.tier, at: self.rooms.clock.now(), ..case.facts };
        let governing = pacts.governing(case.facts.agent).enforcing;
        let Some(pact) = governing.filter(|pact| pact.digest() == case.pact.digest()) else {
            let detail = "the pact has changed since this was asked; ask again".to_owned();
            return Err(case.refusal(record, Reason::ApprovalRequired, detail));
        };
        let verdict = pact::decide(pact, &case.part.action, &facts);
        if verdict.ruling != Ruling::Deny {
            return Ok(());
        }
        record.tier = Some(draft::tier_seen(&tier));
        draft::decide(record, pact, &verdict);
        Err(self.denied(record, &Case { pact, part: case.part, facts, verdict }))
    }
}

/// An agent that is only observed goes on, and what its pacts would have said is on record. One that no pact speaks
/// of may do nothing.
fn without_enforcing_pact(record: &mut Record) -> Result<Reserved, Refusal> {
    let Some(first) = record.observed.first() else {
        let detail = match &record.agent {
            Some(agent) => format!("agent `{agent}`"),
            None => String::new(),
        };
        return Err(Refusal::plain(record.decision.clone(), Reason::NoPact, detail));
    };
    record.pact = Some(first.pact.clone());
    record.verdict = first.verdict;
    record.reason = first.reason;
    record.clauses.clone_from(&first.clauses);
    Ok(Reserved::nothing())
}
