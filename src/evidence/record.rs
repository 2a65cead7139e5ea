//! Record: who asked for what, what the pact said, what was done, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    ActionKind, AgentId, ApprovalId, ClauseId, DecisionId, Dialect, Digest, LimitId, PactName, Reason,
    Ruling, Timestamp, TrustTier, UpstreamName, Usage,
};
use crate::evidence::{ApprovalAnswer, CutCause, Effect, Kind, Proof, Seen, Traceparent, UpstreamFailure};

/// One piece of evidence: a moment in the life of one call.
///
/// What is not known is `None` and absent from the stored form; nothing is made up to fill a field. Secrets,
/// bodies and argument values have no place here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which moment this is.
    pub kind: Kind,
    /// The decision: the same id stands in the refusal, the log line, and the admitted and settled records of one
    /// call.
    pub decision: DecisionId,
    /// The decision that this one belongs to: of a tool call that a model made, the call to the model; of a call that
    /// carries out one that a model made, the judgement on that.
    pub parent: Option<DecisionId>,
    /// When it happened: the decision for admitted and refused calls, the end of the call for settled ones.
    pub at: Timestamp,
    /// Who asked; `None` when nobody proved who it is.
    pub agent: Option<AgentId>,
    /// How the agent's id is known; `None` exactly when `agent` is.
    pub proof: Option<Proof>,
    /// The listener it came in by, such as `reverse 127.0.0.1:8080`.
    pub listener: Arc<str>,
    /// The upstream of the config that it was meant for; `None` for calls to anywhere else.
    pub upstream: Option<UpstreamName>,
    /// The pact that decided; `None` when none governs the agent.
    pub pact: Option<PactRef>,
    /// What that pact said.
    pub verdict: Ruling,
    /// What was done. A settled call whose permit was taken back before anything left is `refused`.
    pub effect: Effect,
    /// Why it did not simply go through; for a settled call under an observing pact, why it would not have.
    pub reason: Option<Reason>,
    /// Every clause that decided, in the pact's order.
    pub clauses: Vec<ClauseId>,
    /// Clauses with a condition that could not be evaluated; each counted against the agent.
    pub faults: Vec<ClauseId>,
    /// What the observing pacts said.
    pub observed: Vec<Observed>,
    /// The agent's tier at decision time; `None` when the agent is not known.
    pub tier: Option<TierSeen>,
    /// What was asked for.
    pub action: ActionSeen,
    /// Keyed digest of the arguments, see [`crate::evidence::argument_digest`]; `None` when there were none to read.
    pub args_digest: Option<Digest>,
    /// Tools that were taken out of the request, because the pact never lets the agent call them.
    pub withheld: Vec<String>,
    /// The question to a person, where there was one.
    pub approval: Option<ApprovalUse>,
    /// The limit that refused the call.
    pub limit: Option<LimitId>,
    /// How it ended; `None` in an admitted record, which tells of a call that has not ended.
    pub outcome: Option<Outcome>,
    /// What the call consumed; `None` when nothing was sent.
    pub usage: Option<Usage>,
    /// How long it took.
    pub latency: Latency,
    /// How much of it was read.
    pub coverage: Coverage,
    /// The caller's trace, to find this call in other systems.
    pub traceparent: Option<Traceparent>,
}

/// A pact as it was when it decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PactRef {
    /// Its name.
    pub name: PactName,
    /// Its version: for people.
    pub version: u64,
    /// SHA-256 of its file: what is compared.
    pub digest: Digest,
}

/// What an observing pact said of the same action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The observing pact.
    pub pact: PactRef,
    /// What it would have done.
    pub verdict: Ruling,
    /// Why it would not simply have let it through.
    pub reason: Option<Reason>,
    /// The clauses behind that.
    pub clauses: Vec<ClauseId>,
}

/// The agent's tier at decision time, and how fresh the news of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierSeen {
    /// The tier that counted.
    pub tier: TrustTier,
    /// The tier last heard from the collector; `None` when it was never heard.
    pub stated: Option<TrustTier>,
    /// How old that news was; `None` when there was none.
    pub age: Option<Duration>,
    /// Whether another tier could have changed the verdict.
    pub used: bool,
}

/// What was asked for, in the words of the pact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSeen {
    /// Its kind; `None` when the request could not be read that far.
    pub kind: Option<ActionKind>,
    /// Its name as pacts write it, or what was attempted where the request could not be read.
    pub name: String,
    /// The pact's own name for the tool, where the action is one.
    pub capability: Option<Arc<str>>,
    /// The dialect it came in.
    pub dialect: Dialect,
}

/// A question to a person, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalUse {
    /// The question.
    pub id: ApprovalId,
    /// What became of it by the time of the record.
    pub answer: ApprovalAnswer,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream's answer was passed on whole.
    Completed {
        /// The upstream's status.
        status: u16,
    },
    /// The agent got a refusal.
    Refused,
    /// The upstream could not be reached, or broke off.
    UpstreamFailed {
        /// Where it broke.
        what: UpstreamFailure,
    },
    /// The agent went away before the answer was complete.
    ClientGone,
    /// Pactgate ended the answer early.
    Cut {
        /// Why.
        why: CutCause,
    },
    /// A permit was given, and nothing left all the same.
    NotSent,
    /// The task that held the permit ended without saying how: what had left by then is not known.
    Abandoned,
}

impl Outcome {
    /// The name used in records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Refused => "refused",
            Self::UpstreamFailed { .. } => "upstream-failed",
            Self::ClientGone => "client-gone",
            Self::Cut { .. } => "cut",
            Self::NotSent => "not-sent",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How long the parts of a call took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// From the complete request to the verdict, waiting for people included.
    pub decide: Duration,
    /// From the first byte sent to the end of the upstream's answer; `None` when nothing was sent.
    pub upstream: Option<Duration>,
    /// From the first byte of the request to the end of the answer; `None` in an admitted record.
    pub total: Option<Duration>,
}

/// How much of a call was read: what the verdict could rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Of the request.
    pub request: Seen,
    /// Of the response; `None` when there was none.
    pub response: Option<Seen>,
}

/// What is known to be missing right before a record. Told by the first record written after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// The sidecar ended without closing its log: calls under way then may have left no record.
    pub after_crash: bool,
    /// Records dropped because the disk was full or failing, by the choice `when_full: drop`.
    pub lost: u64,
    /// Bytes of an unfinished write cut off when the log was opened again.
    pub torn_bytes: u64,
}

impl Gap {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
