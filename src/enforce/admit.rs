//! Admit: facts, decision, approval, limits, record first. The answer is a permit or a refusal for each message.

use std::sync::Arc;

use bytes::Bytes;

use crate::approvals::{Answer, Question};
use crate::classify::Part;
use crate::domain::{Reason, Ruling, Verdict};
use crate::enforce::permit::{Admission, Open};
use crate::enforce::{Caller, Enforcer, Outbound, Permit, Refusal, Refused, draft};
use crate::evidence::{ApprovalAnswer, ApprovalUse, Kind, Outcome, Record};
use crate::limits::Rule;
use crate::net::Body;
use crate::pact::{self, Facts, Mode, Pact};

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
        let mut decided = Vec::with_capacity(parts.len());
        for part in parts {
            decided.push(self.judge(caller, part, &outbound).await);
        }
        if decided.iter().any(Result::is_err) {
            return Err(decided.into_iter().map(|one| one.map_or_else(|no| no, Admission::withhold)).collect());
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
        outbound: &Outbound,
    ) -> Result<Admission, Refused> {
        let reply = part.reply.clone();
        match self.judge_action(caller, &part, outbound).await {
            Ok(open) => Ok(Admission::new(Arc::clone(self), reply, open)),
            Err(refusal) => Err(Refused { reply, refusal }),
        }
    }

    async fn judge_action(&self, caller: &Caller, part: &Part, outbound: &Outbound) -> Result<Open, Refusal> {
        let started = self.rooms.clock.monotonic();
        let slot = self.rooms.recorder.reserve().map_err(|why| self.refuse_unrecorded(&why.to_string()))?;
        let pacts = self.pacts.load_full();
        let governing = pacts.governing(&caller.agent);
        let at = self.rooms.clock.now();
        let tier = self.rooms.tiers.view(&caller.agent, at);
        let facts = Facts { agent: &caller.agent, tier: tier.tier, at };

        let mut record = draft::of_part(caller, part, self.next_decision(), at);
        record.upstream.clone_from(&outbound.upstream);
        record.args_digest = Some(self.digest(&part.action));
        let judges = |pact: &Arc<Pact>| draft::observed(pact, pact::decide(pact, &part.action, &facts));
        record.observed = governing.observing.iter().map(|pact| judges(pact)).collect();

        let Some(pact) = governing.enforcing else {
            return self.without_enforcing_pact(record, slot, started);
        };
        let verdict = pact::decide(pact, &part.action, &facts);
        draft::decide(&mut record, pact, &verdict, &tier);
        record.latency.decide = self.rooms.clock.monotonic().saturating_sub(started);

        let refused = match verdict.ruling {
            Ruling::Allow => None,
            Ruling::Ask => self.ask(&mut record, pact, part, &facts, &verdict, outbound).await,
            Ruling::Deny => Some(self.explain(&record, pact, &part.action, &facts, &verdict)),
        };
        let refused = refused.or_else(|| self.over_limit(&record, pact, part, &facts));
        record.latency.decide = self.rooms.clock.monotonic().saturating_sub(started);
        if let Some(refusal) = refused {
            return Err(self.refuse_action(record, slot, refusal));
        }
        self.record_first(pact, &record).await?;
        self.rooms.metrics.decided(&record);
        Ok(Open { record, slot, started, departed: None })
    }
}
