//! The gates behind an allowing verdict: limits, people, and the disk.

use bytes::Bytes;
use http_body::Body as _;

use crate::approvals::{Answer, Question};
use crate::classify::Part;
use crate::domain::{ActionKind, Digest, Reason, Ruling, UpstreamName, Verdict};
use crate::enforce::permit::Open;
use crate::enforce::{Enforcer, Outbound, Refusal, draft};
use crate::evidence::{ApprovalAnswer, ApprovalUse, Kind, Record};
use crate::limits::{Rate, Reservation, Rule};
use crate::net::Body;
use crate::pact::{self, Facts, Limit, Pact};

/// What one decision is about.
pub(super) struct Case<'a> {
    /// The pact that decides.
    pub pact: &'a Pact,
    /// The message.
    pub part: &'a Part,
    /// What is known.
    pub facts: Facts<'a>,
    /// What the pact says.
    pub verdict: Verdict,
    /// Whether it carries out what a model asked for, and was judged then: it is neither counted nor asked again.
    pub is_carried_out: bool,
}

/// What would leave, as far as a decision looks at it.
pub(super) struct Sending {
    /// The declared upstream, where it goes to one.
    pub upstream: Option<UpstreamName>,
    /// The whole body; `None` where it is passed on unread.
    pub body: Option<Bytes>,
}

impl Sending {
    pub(super) fn of(outbound: &Outbound) -> Self {
        let body = match outbound.request.body() {
            Body::Full(bytes) => Some(bytes.clone()),
            Body::Empty => Some(Bytes::new()),
            Body::Stream(body) => body.is_end_stream().then(Bytes::new),
        };
        Self { upstream: outbound.upstream.clone(), body }
    }
}

impl Case<'_> {
    pub(super) fn refusal(&self, record: &Record, reason: Reason, detail: String) -> Refusal {
        Refusal {
            pact: Some(self.pact.name().clone()),
            clauses: self.verdict.clauses.clone(),
            tier: Some(self.facts.tier),
            ..Refusal::plain(record.decision.clone(), reason, detail)
        }
    }
}

/// A call's place in its limits. Given back when dropped; spent only once the call has left.
#[derive(Debug)]
pub(super) struct Reserved(Option<Reservation>);

impl Reserved {
    /// Nothing to give back or to spend.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    /// The call has left: it counts.
    pub(super) fn spend(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(reservation) = self.0.take() {
            reservation.cancel();
        }
    }
}

impl Enforcer {
    /// Asks a person, and waits for the answer as long as the config says. On success a grant has been used up for
    /// this call, and what the verdict rested on still holds.
    pub(super) async fn ask(
        &self,
        open: &mut Open,
        case: &mut Case<'_>,
        sending: &Sending,
    ) -> Result<(), Refusal> {
        let answered = self.wait_for_person(&mut open.record, case, sending).await;
        open.record.latency.decide = self.rooms.clock.monotonic().saturating_sub(open.started);
        answered?;
        self.still_holds(&mut open.record, case)
    }

    async fn wait_for_person(
        &self,
        record: &mut Record,
        case: &Case<'_>,
        sending: &Sending,
    ) -> Result<(), Refusal> {
        let Some(args_digest) = question_digest(case.part, sending) else {
            let detail = "an approval cannot be bound to a body that is passed on unread";
            return Err(case.refusal(record, Reason::ApprovalRequired, detail.to_owned()));
        };
        let question = Question {
            agent: case.facts.agent.clone(),
            pact: case.pact.name().clone(),
            pact_digest: *case.pact.digest(),
            clauses: case.verdict.clauses.clone(),
            kind: case.part.action.target.kind(),
            name: record.action.name.clone(),
            args_digest,
            fields: case.part.action.fields.clone(),
            approvers: case.verdict.approvers.clone(),
            tier: case.facts.tier,
            asked_at: case.facts.at,
        };
        let ticket = self.rooms.desk.ask(question);
        let ticket =
            ticket.map_err(|full| case.refusal(record, Reason::ApprovalRequired, full.to_string()))?;
        let id = ticket.id().clone();
        // What is true if the agent does not wait for the answer.
        record.approval = Some(ApprovalUse { id: id.clone(), answer: ApprovalAnswer::Unanswered });
        let answer = ticket.wait(self.settings.patience).await;
        let (seen, detail) = match answer {
            Answer::Granted(grant) => {
                tracing::info!(decision = %record.decision, approval = %id, by = grant.by(), "approval used");
                record.reason = case.verdict.reason;
                record.approval = Some(ApprovalUse { id, answer: ApprovalAnswer::Granted });
                return Ok(());
            }
            Answer::Refused { by, why } => (ApprovalAnswer::Refused, format!("`{by}` said no: {why}")),
            Answer::Expired => (ApprovalAnswer::Expired, "nobody answered in time".to_owned()),
            Answer::Spent => (ApprovalAnswer::Expired, "the approval was already used".to_owned()),
            Answer::Unanswered => (ApprovalAnswer::Unanswered, format!("`{}`", record.action.name)),
            Answer::Unrecorded => {
                (ApprovalAnswer::Unanswered, "the use of the approval cannot be written down".to_owned())
            }
        };
        let open = (seen == ApprovalAnswer::Unanswered).then(|| id.clone());
        record.approval = Some(ApprovalUse { id, answer: seen });
        Err(Refusal { approval: open, ..case.refusal(record, Reason::ApprovalRequired, detail) })
    }

    /// Judges a call once more that waited for a person: what was true before may no longer be.
    fn still_holds(&self, record: &mut Record, case: &mut Case<'_>) -> Result<(), Refusal> {
        let pacts = self.pacts.load_full();
        let governing = pacts.governing(case.facts.agent).enforcing;
        if governing.is_none_or(|pact| pact.digest() != case.pact.digest()) {
            let detail = "the pact was replaced while a person was asked".to_owned();
            return Err(case.refusal(record, Reason::ApprovalRequired, detail));
        }
        let tier = self.rooms.tiers.view(case.facts.agent);
        case.facts = Facts { agent: case.facts.agent, tier: tier.tier, at: self.rooms.clock.now() };
        case.verdict = pact::decide(case.pact, &case.part.action, &case.facts);
        if case.verdict.ruling != Ruling::Deny {
            return Ok(());
        }
        record.tier = Some(draft::tier_seen(&tier));
        draft::decide(record, case.pact, &case.verdict);
        Err(self.denied(record, case))
    }

    /// Takes the call out of every limit that speaks of it, or of none.
    pub(super) fn reserve(&self, record: &Record, case: &Case<'_>) -> Result<Reserved, Refusal> {
        let limits = case.pact.limits_on(&case.part.action);
        let rules: Vec<Rule<'_>> = limits.map(|limit| rule(case.pact, limit, &case.facts)).collect();
        let reserved = self.rooms.limits.reserve(case.facts.agent, &rules);
        reserved.map(|reservation| Reserved(Some(reservation))).map_err(|exceeded| {
            let (limit, tier) = (exceeded.limit, case.facts.tier);
            let detail = match exceeded.retry_after {
                Some(_) => format!("limit `{limit}` of pact `{}` is reached", case.pact.name()),
                None => {
                    format!("limit `{limit}` of pact `{}` gives nothing on tier `{tier}`", case.pact.name())
                }
            };
            Refusal {
                clauses: Vec::new(),
                limit: Some(limit),
                retry_after: exceeded.retry_after,
                ..case.refusal(record, Reason::RateLimited, detail)
            }
        })
    }

    /// Puts the admission on disk before a byte leaves, where the pact's risk is high.
    pub(super) async fn record_first(&self, record: &Record, case: &Case<'_>) -> Result<(), Refusal> {
        if !case.pact.risk().at_least_high() {
            return Ok(());
        }
        let admitted = Record { kind: Kind::Admitted, ..record.clone() };
        let slot = self.rooms.recorder.reserve();
        let slot = slot.map_err(|why| case.refusal(record, Reason::EvidenceUnavailable, why.to_string()))?;
        let written = slot.record_durably(admitted).await;
        written.map_err(|why| case.refusal(record, Reason::EvidenceUnavailable, why.to_string()))
    }
}

/// What a grant is bound to: the arguments, and for calls that are more than their arguments the whole body.
/// `None` where the body is not at hand.
fn question_digest(part: &Part, sending: &Sending) -> Option<Digest> {
    let kind = part.action.target.kind();
    let body = match kind {
        // A JSON-RPC message holds an id that differs from one try to the next; its arguments are in the fields.
        ActionKind::Tool | ActionKind::Resource | ActionKind::Prompt => Digest::default(),
        _ => Digest::of(sending.body.as_ref()?),
    };
    let text = format!("{}\n{}\n{}\n{body}", kind.name(), part.action.target, part.action.fields.canonical());
    Some(Digest::of(text.as_bytes()))
}

fn rule<'a>(pact: &'a Pact, limit: &'a Limit, facts: &Facts<'_>) -> Rule<'a> {
    let rate = limit.rate_at(facts.tier).map(|rate| Rate { count: rate.count, per: rate.per });
    Rule { pact: pact.name(), id: &limit.id, rate, burst: limit.burst }
}
