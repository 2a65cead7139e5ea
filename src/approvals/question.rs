//! Question: what a person is asked, what binds the answer to it, and the id both share.

use crate::domain::{
    ActionKind, AgentId, ApprovalId, ClauseId, Digest, Json, PactName, Timestamp, TrustTier,
};

/// One call that a person must say yes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks to act.
    pub agent: AgentId,
    /// The pact that demands the question.
    pub pact: PactName,
    /// That pact's digest: under another text of the pact the answer does not hold.
    pub pact_digest: Digest,
    /// The clauses that demand it.
    pub clauses: Vec<ClauseId>,
    /// The kind of action.
    pub kind: ActionKind,
    /// The action's name, as pacts write it.
    pub name: String,
    /// Keyed digest of the arguments: with other arguments the answer does not hold.
    pub args_digest: Digest,
    /// What the person sees of the action.
    pub fields: Json,
    /// Who may say yes, where the clauses name somebody.
    pub approvers: Vec<String>,
    /// The agent's tier when it asked.
    pub tier: TrustTier,
    /// When it asked.
    pub asked_at: Timestamp,
}

/// A question with its id and its end, as the collector hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The same for every call that asks the same thing while the question is open.
    pub id: ApprovalId,
    /// What is asked.
    pub question: Question,
    /// When question and grant end.
    pub expires_at: Timestamp,
}

/// What a person, or time, said to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Yes, once.
    Granted,
    /// No.
    Refused,
    /// Nobody said anything in time.
    Expired,
}

/// The collector's verified word on one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Which question.
    pub approval: ApprovalId,
    /// What was said.
    pub said: Said,
    /// Who said it.
    pub by: String,
    /// Why, in their words.
    pub why: String,
    /// The agent that the answer is for.
    pub agent: AgentId,
    /// The arguments that it is for.
    pub args_digest: Digest,
    /// The pact that it is for.
    pub pact_digest: Digest,
    /// Until when a grant may be used.
    pub expires_at: Timestamp,
}

impl Question {
    /// What makes two calls ask the same thing.
    pub(super) fn key(&self) -> Digest {
        let mut text = Vec::with_capacity(256);
        let parts = [self.agent.as_str(), self.kind.name(), &self.name];
        for part in parts {
            // Lengths keep one part from passing for another.
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        text.extend_from_slice(self.pact_digest.as_bytes());
        text.extend_from_slice(self.args_digest.as_bytes());
        Digest::of(&text)
    }

    /// Whether a statement answers this question and no other.
    pub(super) fn is_meant_by(&self, statement: &Statement) -> bool {
        self.agent == statement.agent
            && self.args_digest == statement.args_digest
            && self.pact_digest == statement.pact_digest
    }
}

/// The id under which a question goes out.
///
/// It follows from the question alone, the stretch of time it is asked in, and how often it was spent in that
/// stretch, so that a sidecar that restarts finds the answer to what it had asked. `nonce` belongs to the file
/// of spent grants: when that is lost, no grant from before can be found again.
pub(super) fn id_of(key: &Digest, nonce: &[u8; 16], stretch: i64, turn: u32) -> Option<ApprovalId> {
    let mut text = Vec::with_capacity(64);
    text.extend_from_slice(key.as_bytes());
    text.extend_from_slice(nonce);
    text.extend_from_slice(&stretch.to_be_bytes());
    text.extend_from_slice(&turn.to_be_bytes());
    let hex: String = Digest::of(&text).hex().chars().take(32).collect();
    ApprovalId::new(&format!("ask-{hex}")).ok()
}
