//! Leaving: a caller that goes away while its call is held leaves a record all the same.

use crate::domain::{Reason, Ruling};
use crate::enforce::{Enforcer, tally};
use crate::evidence::{ApprovalAnswer, Effect, Kind, Outcome, Record};

/// Records a held call whose task is dropped: the agent hung up, or the drain's deadline came.
#[derive(Debug)]
#[must_use = "a call is watched for as long as this is kept"]
pub(super) struct Leaving<'a> {
    judge: &'a Enforcer,
    /// Empty once the call goes on.
    record: Option<Record>,
}

impl Enforcer {
    /// Watches a call that is about to be held. `record`: what is known of it.
    pub(super) fn watch(&self, record: Record) -> Leaving<'_> {
        Leaving { judge: self, record: Some(record) }
    }
}

impl Leaving<'_> {
    /// The call goes on, and leaves its record later.
    pub(super) fn goes_on(mut self) {
        self.record = None;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        let unanswered = record.approval.as_ref().is_some_and(|used| used.answer != ApprovalAnswer::Granted);
        if record.verdict == Ruling::Ask && unanswered {
            record.kind = Kind::Refused;
            record.effect = Effect::Refused;
            record.reason = Some(Reason::ApprovalRequired);
            record.outcome = Some(Outcome::Refused);
        } else {
            record.kind = Kind::Settled;
            record.outcome = Some(Outcome::NotSent);
        }
        record.at = self.judge.clock().now();
        tally::decided(&self.judge.rooms.metrics, &record);
        tracing::info!(decision = %record.decision, action = %record.action.name, "nobody waits for a held call any more");
        match self.judge.rooms.recorder.reserve() {
            Ok(slot) => slot.record(record),
            Err(why) => self.judge.unrecorded(&why.to_string()),
        }
    }
}
