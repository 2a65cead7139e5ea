//! `/approvals`: questions that people have not settled yet.

use serde::{Deserialize, Serialize};

use crate::admin::pages::Listed;
use crate::approvals::{Desk, Open};

/// The desk of questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApprovalsPage {
    /// Questions on the desk, oldest first.
    pub open: Listed<ApprovalLine>,
    /// Calls held now.
    pub waiting: usize,
    /// Questions asked since the start.
    pub asked: u64,
    /// Grants used since the start.
    pub granted: u64,
    /// Calls that found no room for their question.
    pub overflows: u64,
}

/// One question. What the call carries is not shown: the collector shows it to those who may answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApprovalLine {
    /// Its id, the same at the collector.
    pub id: String,
    /// Who asks to act.
    pub agent: String,
    /// The pact that demands the question.
    pub pact: String,
    /// Its clauses that do.
    pub clauses: Vec<String>,
    /// The kind of action.
    pub kind: String,
    /// The action's name.
    pub name: String,
    /// The agent's tier when it asked.
    pub tier: String,
    /// Who may say yes, where the clauses name somebody.
    pub approvers: Vec<String>,
    /// `pending`, `granted` or `refused`.
    pub state: String,
    /// Whether the collector has the question.
    pub delivered: bool,
    /// When it was asked; RFC 3339, UTC.
    pub asked_at: String,
    /// When question and grant end; RFC 3339, UTC.
    pub expires_at: String,
}

/// The page as it is now.
#[must_use]
pub fn approvals(desk: &Desk) -> ApprovalsPage {
    let stats = desk.stats();
    ApprovalsPage {
        open: Listed::of(desk.questions().iter().map(line)),
        waiting: stats.waiting,
        asked: stats.asked,
        granted: stats.granted,
        overflows: stats.overflows,
    }
}

fn line(open: &Open) -> ApprovalLine {
    let question = &open.asked.question;
    ApprovalLine {
        id: open.asked.id.to_string(),
        agent: question.agent.to_string(),
        pact: question.pact.to_string(),
        clauses: question.clauses.iter().map(ToString::to_string).collect(),
        kind: question.kind.name().to_owned(),
        name: question.name.clone(),
        tier: question.tier.to_string(),
        approvers: question.approvers.clone(),
        state: open.state.to_owned(),
        delivered: open.is_delivered,
        asked_at: question.asked_at.to_string(),
        expires_at: open.asked.expires_at.to_string(),
    }
}
