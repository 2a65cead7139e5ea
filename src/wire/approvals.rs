//! Approval asked, approval answered.

use serde::{Deserialize, Serialize};

use crate::domain::{AgentId, ApprovalId, ClauseId, Digest, PactName, SidecarId, Timestamp, TrustTier};
use crate::wire::text::{bounded, bounded_list, optional, word, words};
use crate::wire::{Fields, PublicKey, Signed, SigningKey, StatementError, Topic};

/// Body of `POST /v1/approvals`: a sidecar asks. Asking again with the same id and content changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question's id, made by the sidecar.
    #[serde(with = "word")]
    pub approval: ApprovalId,
    /// Who wants to act.
    #[serde(with = "word")]
    pub agent: AgentId,
    /// The pact that asks.
    #[serde(with = "word")]
    pub pact: PactName,
    /// Its digest: a grant is void under any other.
    #[serde(with = "word")]
    pub pact_digest: Digest,
    /// The clauses that ask.
    #[serde(with = "words")]
    pub clauses: Vec<ClauseId>,
    /// What the agent wants to do.
    pub action: AskedAction,
    /// Keyed digest of the arguments: a grant is void for any others.
    #[serde(with = "word")]
    pub args_digest: Digest,
    /// The judged fields of the action, for the person who decides.
    pub fields: Fields,
    /// Who may say yes, by the pact.
    #[serde(deserialize_with = "bounded_list::<_, 255>")]
    pub approvers: Vec<String>,
    /// The agent's tier when it asked.
    #[serde(with = "word")]
    pub tier: TrustTier,
    /// When it asked, by the sidecar's clock.
    #[serde(with = "word")]
    pub asked_at: Timestamp,
    /// When the question, and a grant of it, lapse.
    #[serde(with = "word")]
    pub expires_at: Timestamp,
}

/// The action asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedAction {
    /// Its kind: a selector of the pact language.
    #[serde(deserialize_with = "bounded::<_, 32>")]
    pub kind: String,
    /// Its name as pacts write it.
    #[serde(deserialize_with = "bounded::<_, 1024>")]
    pub name: String,
}

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Say {
    /// Yes, once.
    Grant,
    /// No.
    Refuse,
}

/// Body of `POST /v1/approvals/{id}`: an operator answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// Yes or no.
    pub answer: Say,
    /// Why, for the record.
    #[serde(default, deserialize_with = "bounded::<_, 1024>")]
    pub why: String,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Good for one call, until it expires.
    Granted,
    /// No.
    Refused,
    /// Nobody answered in time.
    Expired,
}

impl Answer {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// The answer on its way to the sidecar that asked. Signed; a grant binds to all it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Version of this payload: 1.
    pub v: u32,
    /// The question.
    #[serde(with = "word")]
    pub approval: ApprovalId,
    /// The answer.
    pub answer: Answer,
    /// Who answered; `collector` when nobody did.
    pub by: String,
    /// Why.
    pub why: String,
    /// The arguments it is for.
    #[serde(with = "word")]
    pub args_digest: Digest,
    /// The pact it is under.
    #[serde(with = "word")]
    pub pact_digest: Digest,
    /// The agent it is for.
    #[serde(with = "word")]
    pub agent: AgentId,
    /// When a grant lapses.
    #[serde(with = "word")]
    pub expires_at: Timestamp,
}

impl Approved {
    /// Signs the answer.
    #[must_use]
    pub fn seal(&self, key: &SigningKey) -> Signed {
        Signed::seal(Topic::Approval, &crate::wire::write(self), key)
    }

    /// Checks the signature and reads the answer.
    ///
    /// # Errors
    /// When it is not signed by `key`, or is no answer of version 1.
    pub fn open(signed: &Signed, key: &PublicKey) -> Result<Self, StatementError> {
        let payload = signed.open(Topic::Approval, key)?;
        let answer: Self = crate::wire::read(&payload).map_err(|_| StatementError::Payload)?;
        if answer.v == 1 { Ok(answer) } else { Err(StatementError::Payload) }
    }
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// Nobody answered yet.
    Pending,
    /// Granted once.
    Granted,
    /// Refused.
    Refused,
    /// Lapsed without an answer.
    Expired,
}

impl ApprovalState {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Granted, Self::Refused, Self::Expired].into_iter().find(|s| s.name() == name)
    }
}

/// Answer of `GET /v1/approvals/{id}`: the question, and what became of it. Written only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalView {
    /// The question as asked, its members beside those below.
    #[serde(flatten)]
    pub question: Question,
    /// The sidecar that asked.
    #[serde(with = "word")]
    pub sidecar: SidecarId,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who answered.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// When.
    #[serde(with = "optional")]
    pub answered_at: Option<Timestamp>,
}

/// Answer of `GET /v1/approvals`: oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalPage {
    /// The questions.
    pub approvals: Vec<ApprovalView>,
    /// Pass it as `after` for the next page; absent on the last.
    pub next: Option<String>,
}
