//! Permit: proof that a call was admitted. Made only here; settled exactly once.

use std::sync::Arc;
use std::time::Duration;

use http::Request;

use crate::classify::Reply;
use crate::domain::{DecisionId, Reason, Ruling, UpstreamName, Usage};
use crate::enforce::gates::Reserved;
use crate::enforce::{Enforcer, Refusal, Refused, tally};
use crate::evidence::{ApprovalAnswer, Effect, Kind, Outcome, Record, Seen};
use crate::net::Body;
use crate::spool::Slot;

/// What leaves the machine if the call is admitted: made from what was judged, and kept by the permit until it is
/// sent.
#[derive(Debug, Default)]
pub struct Outbound {
    /// The declared upstream, where it goes to one.
    pub upstream: Option<UpstreamName>,
    /// The request, with an absolute URI. A tunnel has none beside its authority.
    pub request: Request<Body>,
}

/// Proof that every message of one request was admitted: the only key to the outside.
///
/// Whoever holds it must [`settle`](Self::settle) it. If it is dropped instead, as when its task is, it settles
/// itself as abandoned.
#[derive(Debug)]
#[must_use = "a permit that is dropped settles as abandoned"]
pub struct Permit {
    lead: Admission,
    /// The other messages of a batch.
    others: Vec<Admission>,
    outbound: Outbound,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub struct Settlement {
    /// Its end.
    pub outcome: Outcome,
    /// What it consumed.
    pub usage: Usage,
    /// How much of the response was read.
    pub response: Option<Seen>,
}

impl Settlement {
    /// An end before any response.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, usage: Usage::default(), response: None }
    }
}

impl Permit {
    pub(super) fn new(lead: Admission, others: Vec<Admission>, outbound: Outbound) -> Self {
        Self { lead, others, outbound }
    }

    /// Takes out what may be sent. Afterwards nothing is left to send.
    pub fn open(&mut self) -> Outbound {
        std::mem::take(&mut self.outbound)
    }

    /// Says that the first byte is about to leave.
    pub fn departed(&mut self) {
        let now = self.lead.judge.clock().monotonic();
        for admission in self.all_mut() {
            if let Some(open) = &mut admission.open {
                open.departed = Some(now);
            }
        }
    }

    /// Says that the upstream has begun its answer.
    pub fn answered(&mut self) {
        let now = self.lead.judge.clock().monotonic();
        if let Some(open) = &mut self.lead.open {
            open.answered = Some(now);
        }
    }

    /// The decision that admitted it; of a batch, the first one.
    #[must_use]
    pub fn decision(&self) -> &DecisionId {
        &self.lead.decision
    }

    /// The declared upstream that it goes to, where it goes to one.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        self.lead.open.as_ref()?.record.upstream.as_ref().map(|upstream| upstream.as_str())
    }

    /// The form in which each message's caller understands an answer.
    pub fn replies(&self) -> impl Iterator<Item = &Reply> {
        std::iter::once(&self.lead).chain(&self.others).map(|admission| &admission.reply)
    }

    /// Ends it: one record for each message. What a batch consumed stands in its first record.
    pub fn settle(mut self, settlement: Settlement) {
        self.lead.settle(settlement);
        for other in &mut self.others {
            other.settle(Settlement { usage: Usage::default(), ..settlement });
        }
    }

    /// Ends it as refused after all, because what was found out on the way out forbids it. Nothing was sent.
    pub fn revoke(mut self, reason: Reason, detail: &str) -> Vec<Refused> {
        self.all_mut().map(|admission| admission.revoke(reason, detail)).collect()
    }

    /// Ends it as carried out, where nothing is sent: a call that a model made goes to the agent.
    pub fn passed(mut self) {
        for admission in self.all_mut() {
            admission.pass();
        }
    }

    /// The judge, and the record of the first message so far; `None` once it is settled.
    pub(super) fn lead(&self) -> Option<(Arc<Enforcer>, &Record)> {
        Some((Arc::clone(&self.lead.judge), &self.lead.open.as_ref()?.record))
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Admission> {
        std::iter::once(&mut self.lead).chain(&mut self.others)
    }
}

/// One admitted message. Owned by a permit, which decides its end.
#[derive(Debug)]
pub(super) struct Admission {
    judge: Arc<Enforcer>,
    decision: DecisionId,
    reply: Reply,
    /// Empty once it is settled.
    open: Option<Open>,
}

/// What a settlement completes.
#[derive(Debug)]
pub(super) struct Open {
    /// The record, complete but for its end.
    pub record: Record,
    /// Its place in the spool.
    pub slot: Slot,
    /// Its place in the limits.
    pub reserved: Reserved,
    /// When the request came in.
    pub started: Duration,
    /// When the first byte left.
    pub departed: Option<Duration>,
    /// When the head of the upstream's answer was there.
    pub answered: Option<Duration>,
    /// Whether it was judged when a model asked for it, so that nobody is asked again.
    pub is_carried_out: bool,
}

impl Admission {
    pub(super) fn new(judge: Arc<Enforcer>, reply: Reply, open: Open) -> Self {
        Self { judge, decision: open.record.decision.clone(), reply, open: Some(open) }
    }

    fn settle(&mut self, settlement: Settlement) {
        self.end(Kind::Settled, settlement);
    }

    fn end(&mut self, kind: Kind, settlement: Settlement) {
        let Some(open) = self.open.take() else { return };
        let Open { mut record, slot, reserved, started, departed, answered, .. } = open;
        let now = self.judge.clock().monotonic();
        record.kind = kind;
        record.at = self.judge.clock().now();
        record.outcome = Some(settlement.outcome);
        record.usage = departed.is_some().then_some(settlement.usage);
        record.coverage.response = settlement.response;
        record.latency.upstream = departed.map(|at| now.saturating_sub(at));
        record.latency.total = Some(now.saturating_sub(started));
        if departed.is_some() {
            reserved.spend();
        }
        let head = departed.zip(answered).map(|(from, to)| to.saturating_sub(from));
        tally::settled(&self.judge.rooms.metrics, &record, head);
        slot.record(record);
    }

    /// The record so far; `None` once it is settled.
    pub(super) fn record(&self) -> Option<&Record> {
        self.open.as_ref().map(|open| &open.record)
    }

    fn pass(&mut self) {
        let Some(Open { mut record, slot, reserved, started, .. }) = self.open.take() else { return };
        let now = self.judge.clock().monotonic();
        record.at = self.judge.clock().now();
        record.outcome = Some(Outcome::Completed { status: 200 });
        record.latency.total = Some(now.saturating_sub(started));
        reserved.spend();
        slot.record(record);
    }

    /// What is being completed; `None` once it is settled.
    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        self.open.as_mut()
    }

    /// Ends it as refused, because a gate behind the verdict did not let it pass.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Option<Refused> {
        let Open { record, slot, .. } = self.open.take()?;
        let refusal = self.judge.refuse_action(record, slot, refusal);
        Some(Refused::new(self.reply.clone(), refusal))
    }

    fn revoke(&mut self, reason: Reason, detail: &str) -> Refused {
        let refusal = Refusal::plain(self.decision.clone(), reason, detail.to_owned());
        if let Some(open) = &mut self.open {
            open.record.effect = Effect::Refused;
            open.record.reason = Some(reason);
            open.departed = None;
        }
        self.end(Kind::Refused, Settlement::of(Outcome::Refused));
        Refused::new(self.reply.clone(), refusal)
    }

    /// Ends a message of a request in which another message was refused: nothing of the request is sent.
    pub(super) fn withhold(mut self) -> Refused {
        let detail = "nothing of this request was sent, because another part of it was refused";
        let mut refusal = Refusal::plain(self.decision.clone(), Reason::Denied, detail.to_owned());
        if let Some(open) = &mut self.open {
            open.record.effect = Effect::Refused;
            refusal.pact = open.record.pact.as_ref().map(|pact| pact.name.clone());
            tally::decided(&self.judge.rooms.metrics, &open.record);
        }
        self.end(Kind::Refused, Settlement::of(Outcome::Refused));
        Refused { reply: self.reply.clone(), refusal, withheld: true }
    }

    /// Counts it as let through. Invariant: nothing refuses it any more but an address.
    pub(super) fn let_through(&self) {
        if let Some(open) = &self.open {
            tally::decided(&self.judge.rooms.metrics, &open.record);
        }
    }

    /// The agent hung up, or the drain's deadline came.
    fn give_up(&mut self) {
        let Some(open) = &mut self.open else { return };
        let used = open.record.approval.as_ref();
        let granted = used.is_some_and(|used| used.answer == ApprovalAnswer::Granted);
        if open.record.verdict == Ruling::Ask && !granted && !open.is_carried_out {
            open.record.effect = Effect::Refused;
            open.record.reason = Some(Reason::ApprovalRequired);
            return self.end(Kind::Refused, Settlement::of(Outcome::Refused));
        }
        if open.departed.is_some() {
            return self.settle(Settlement::of(Outcome::Abandoned));
        }
        open.record.effect = Effect::Refused;
        self.settle(Settlement::of(Outcome::NotSent));
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.give_up();
    }
}
