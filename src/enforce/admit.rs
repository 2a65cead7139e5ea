//! Admit: facts, decision, approval, limits, record first. The answer is a permit or a refusal for each message.

use std::sync::Arc;

use crate::classify::Part;
use crate::domain::{Reason, Ruling};
use crate::enforce::credit::{Credit, key};
use crate::enforce::gates::{Case, Reserved, Sending};
use crate::enforce::permit::{Admission, Open};
use crate::enforce::{Caller, Enforcer, Outbound, Permit, Refusal, Refused, draft};
use crate::evidence::Record;
use crate::pact::{self, Facts, Governing, Pact};

/// A message on its way to a permit. The case is there where a pact enforces.
struct Pending<'a> {
    admission: Admission,
    case: Option<Case<'a>>,
}

/// What has to be waited for between an allowing verdict and a permit.
#[derive(Clone, Copy)]
enum Gate {
    /// Where a clause asks.
    People,
    /// Where the pact's risk is high.
    Disk,
}

/// What one request is judged with.
struct Session<'a> {
    caller: &'a Caller,
    governing: Governing<'a>,
    sending: &'a Sending,
}

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
        let pacts = self.pacts.load_full();
        let sending = Sending::of(&outbound);
        let session = Session { caller, governing: pacts.governing(&caller.agent), sending: &sending };
        let mut judged: Vec<_> = parts.iter().map(|part| self.judge(&session, part)).collect();
        // Invariant: nobody is asked, and nothing is recorded as admitted, for a request that is refused anyway.
        // From here on an admission that is dropped, because the agent hangs up, records that itself.
        for gate in [Gate::People, Gate::Disk] {
            self.pass(gate, &mut judged, &sending).await;
        }
        if judged.iter().any(Result::is_err) {
            let answer = |one: Result<Pending<'_>, Refused>| {
                one.map_or_else(|no| no, |pending| pending.admission.withhold())
            };
            return Err(judged.into_iter().map(answer).collect());
        }
        if caller.parent.is_some() {
            judged.iter().flatten().for_each(|pending| self.give_credit(caller, pending));
        }
        let mut admitted = judged.into_iter().flatten().map(|pending| pending.admission);
        match admitted.next() {
            Some(lead) => {
                let others: Vec<_> = admitted.collect();
                std::iter::once(&lead).chain(&others).for_each(Admission::let_through);
                Ok(Permit::new(lead, others, outbound))
            }
            None => Err(Vec::new()),
        }
    }

    /// Leads every message through a gate, until one of them is refused there.
    async fn pass(&self, gate: Gate, judged: &mut [Result<Pending<'_>, Refused>], sending: &Sending) {
        if judged.iter().any(Result::is_err) {
            return;
        }
        for one in judged {
            let Ok(Pending { admission, case: Some(case) }) = one else { continue };
            let Some(open) = admission.open_mut() else { continue };
            let passed = match gate {
                Gate::People if case.verdict.ruling == Ruling::Ask && !case.is_carried_out => {
                    self.ask(open, case, sending).await
                }
                Gate::People => Ok(()),
                Gate::Disk => self.record_first(&open.record, case).await,
            };
            let Err(refusal) = passed else { continue };
            if let Some(refused) = admission.refuse(refusal) {
                *one = Err(refused);
            }
            return;
        }
    }

    /// Facts, decision and limits: all that needs no waiting.
    fn judge<'a>(self: &Arc<Self>, session: &Session<'a>, part: &'a Part) -> Result<Pending<'a>, Refused> {
        let reply = part.reply.clone();
        let started = self.rooms.clock.monotonic();
        let slot = match self.rooms.recorder.reserve() {
            Ok(slot) => slot,
            Err(why) => return Err(Refused::new(reply, self.refuse_unrecorded(&why.to_string()))),
        };
        let mut record = self.draft(session, part);
        let decided = match session.governing.enforcing {
            Some(pact) => self.decide(&mut record, pact, session.caller, part),
            None => without_enforcing_pact(&mut record).map(|()| (Reserved::nothing(), None)),
        };
        record.latency.decide = self.rooms.clock.monotonic().saturating_sub(started);
        self.rooms.metrics.decision_took(record.latency.decide);
        match decided {
            Ok((reserved, case)) => {
                let is_carried_out = case.as_ref().is_some_and(|case| case.is_carried_out);
                let open =
                    Open { record, slot, reserved, started, departed: None, answered: None, is_carried_out };
                Ok(Pending { admission: Admission::new(Arc::clone(self), reply, open), case })
            }
            Err(refusal) => Err(Refused::new(reply, self.refuse_action(record, slot, refusal))),
        }
    }

    fn draft(&self, session: &Session<'_>, part: &Part) -> Record {
        let at = self.rooms.clock.now();
        let caller = session.caller;
        let tier = self.rooms.tiers.view(&caller.agent);
        let facts = Facts { agent: &caller.agent, tier: tier.tier, at };
        let mut record = draft::of_part(caller, part, self.next_decision(), at);
        record.upstream.clone_from(&session.sending.upstream);
        record.args_digest = self.digest(&part.action);
        record.tier = Some(draft::tier_seen(&tier));
        let observe = |pact: &Arc<Pact>| draft::observed(pact, pact::decide(pact, &part.action, &facts));
        record.observed = session.governing.observing.iter().map(|pact| observe(pact)).collect();
        record
    }

    /// What was judged when a model asked for this very call, where the agent now carries it out.
    fn credit(&self, caller: &Caller, case: &Case<'_>) -> Option<Credit> {
        if caller.parent.is_some() || self.credits.is_empty() {
            return None;
        }
        let key = key(&caller.agent, case.pact, case.verdict.capability.as_deref(), &case.part.action)?;
        let now = self.rooms.clock.monotonic();
        self.credits.take(&key, case.verdict.ruling, now)
    }

    /// Keeps what was judged of a call that a model made, for when the agent carries it out.
    fn give_credit(&self, caller: &Caller, pending: &Pending<'_>) {
        let (Some(case), Some(record)) = (&pending.case, pending.admission.record()) else { return };
        let capability = case.verdict.capability.as_deref();
        let Some(key) = key(&caller.agent, case.pact, capability, &case.part.action) else { return };
        let now = self.rooms.clock.monotonic();
        self.credits.give(key, record.decision.clone(), case.verdict.ruling, now);
    }

    fn decide<'a>(
        &self,
        record: &mut Record,
        pact: &'a Arc<Pact>,
        caller: &'a Caller,
        part: &'a Part,
    ) -> Result<(Reserved, Option<Case<'a>>), Refusal> {
        let tier = record.tier.map_or_else(|| self.rooms.tiers.view(&caller.agent).tier, |seen| seen.tier);
        let facts = Facts { agent: &caller.agent, tier, at: record.at };
        let verdict = pact::decide(pact, &part.action, &facts);
        draft::decide(record, pact, &verdict);
        let mut case = Case { pact, part, facts, verdict, is_carried_out: false };
        if case.verdict.ruling == Ruling::Deny {
            return Err(self.denied(record, &case));
        }
        if let Some(refusal) = self.changed(record, &case) {
            return Err(refusal);
        }
        self.refer(record, caller, &case)?;
        if let Some(credit) = self.credit(caller, &case) {
            record.parent = Some(credit.decision);
            case.is_carried_out = true;
            return Ok((Reserved::nothing(), Some(case)));
        }
        let reserved = self.reserve(record, &case)?;
        Ok((reserved, Some(case)))
    }
}

/// An agent that is only observed goes on, and what its pacts would have said is on record. One that no pact speaks
/// of may do nothing.
fn without_enforcing_pact(record: &mut Record) -> Result<(), Refusal> {
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
    Ok(())
}
