//! Ticket: one call's place at a question, and what it hears there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::approvals::desk::Desk;
use crate::approvals::question::Asked;
use crate::approvals::table::Fate;
use crate::domain::{ApprovalId, Timestamp};

/// What became of a question, to one call that waited.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// This call, and no other, may go through.
    Granted(Grant),
    /// Somebody said no.
    Refused {
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
    },
    /// The question's time is over.
    Expired,
    /// Nobody has answered within the patience of the call, or too many calls wait already. The question stays
    /// open.
    Unanswered,
    /// Another call that asked the same used the grant.
    Spent,
    /// It was granted, but the disk could not remember that the grant is used now, so it must not count.
    Unrecorded,
}

/// The right of one call to go through. Made by the desk alone, exactly once for each grant.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a grant that is dropped is spent"]
pub struct Grant {
    pub(super) approval: ApprovalId,
    pub(super) by: String,
}

impl Grant {
    /// The question that was granted.
    #[must_use]
    pub fn approval(&self) -> &ApprovalId {
        &self.approval
    }

    /// Who granted it.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }
}

/// One call's place at a question.
#[derive(Debug)]
pub struct Ticket {
    pub(super) desk: Desk,
    pub(super) asked: Arc<Asked>,
    pub(super) fate: watch::Receiver<Fate>,
}

/// What a call sees of its question at one moment.
pub(super) enum Look {
    Pending { left: Duration },
    Refused { by: String, why: String },
    Taken(Grant),
    Gone,
}

impl Ticket {
    /// The question's id: what the refusal names, and what a person grants.
    #[must_use]
    pub fn id(&self) -> &ApprovalId {
        &self.asked.id
    }

    /// When the question ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.asked.expires_at
    }

    /// Waits for the answer, at most this long. A question already answered is answered at once. Dropping the
    /// future leaves the question open for the agent's next attempt.
    pub async fn wait(mut self, patience: Duration) -> Answer {
        let patience_ends = tokio::time::sleep(patience);
        tokio::pin!(patience_ends);
        let desk = self.desk.clone();
        let mut seat = None;
        loop {
            // Marked before looking, so that no change between looking and waiting is missed.
            self.fate.mark_unchanged();
            let left = match desk.look(&self.asked) {
                Look::Taken(grant) => return desk.record(grant, &self.asked).await,
                Look::Refused { by, why } => return Answer::Refused { by, why },
                Look::Gone if *self.fate.borrow() == Fate::Spent => return Answer::Spent,
                Look::Gone => return Answer::Expired,
                Look::Pending { left } => left,
            };
            if seat.is_none() {
                seat = desk.seat();
            }
            if seat.is_none() {
                return Answer::Unanswered;
            }
            tokio::select! {
                () = &mut patience_ends => return Answer::Unanswered,
                // An error means that the question is gone: looking again tells why.
                _ = self.fate.changed() => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }
}
