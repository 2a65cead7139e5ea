//! What scoring needs to know of a record. With `scoring`, this is all that turns records into a score.

use crate::domain::ActionKind;
use crate::evidence::{Effect, Kind, Outcome, Record};
use crate::scoring::{Attempt, Ending};

/// The attempt that a record tells of.
#[must_use]
pub fn attempt_of(record: &Record) -> Attempt {
    let ending = match (record.kind, record.outcome) {
        (Kind::Admitted, _) | (_, None) => Ending::Open,
        (_, Some(Outcome::Completed { status })) => Ending::Completed(status),
        (_, Some(Outcome::Refused)) => Ending::Refused,
        (
            _,
            Some(
                Outcome::UpstreamFailed { .. }
                | Outcome::ClientGone
                | Outcome::Cut { .. }
                | Outcome::NotSent
                | Outcome::Abandoned,
            ),
        ) => Ending::Broken,
    };
    Attempt {
        ruling: record.verdict,
        sent: record.effect == Effect::Sent,
        reason: record.reason,
        ending,
        housekeeping: record.action.kind == Some(ActionKind::Protocol),
    }
}
