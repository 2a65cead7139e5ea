//! Approval relay: questions from the desk to the collector, each until it has it. Answers come by the feed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::approvals::{Asked, Desk};
use crate::link::Settings;
use crate::link::backoff::Backoff;
use crate::link::session::Session;
use crate::link::stats::{Counters, count};
use crate::link::trouble::{Teller, Trouble};
use crate::wire::{self, AskedAction, Fields, Question};

const APPROVALS: &str = "/v1/approvals";
/// The most questions looked at between two looks at the desk.
const AT_ONCE: usize = 32;
/// What the collector takes of a name, of an approver, and of a list of either.
const NAME_BYTES_MAX: usize = 1_024;
const APPROVER_BYTES_MAX: usize = 255;
const LIST_MAX: usize = 100;

/// Carries questions to the collector. The same question may arrive twice; its id makes it one.
pub(super) struct ApprovalRelay {
    pub(super) session: Arc<Session>,
    pub(super) settings: Arc<Settings>,
    pub(super) desk: Desk,
    pub(super) counters: Arc<Counters>,
}

impl ApprovalRelay {
    /// Delivers until `shutdown`. A question not delivered by then is asked again by the call that needs it.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.pause_max);
        let mut teller = Teller::new("the delivery of questions to people");
        while !shutdown.is_cancelled() {
            let carried = tokio::select! {
                carried = self.carry() => carried,
                () = shutdown.cancelled() => break,
            };
            match carried {
                Ok(()) => {
                    backoff.reset();
                    teller.works();
                }
                Err(trouble) => {
                    teller.trouble(&trouble);
                    tokio::select! {
                        () = tokio::time::sleep(backoff.pause(trouble.retry_after())) => {}
                        () = shutdown.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn carry(&self) -> Result<(), Trouble> {
        let waiting = self.desk.outbox(AT_ONCE);
        if waiting.is_empty() {
            self.desk.wait_outbox().await;
            return Ok(());
        }
        for asked in waiting {
            let posted =
                self.session.post(APPROVALS, "application/json", wire::write(&question(&asked))).await;
            match posted {
                Ok(_) => count(&self.counters.questions_delivered),
                Err(trouble) if is_final(&trouble) => {
                    count(&self.counters.questions_refused);
                    tracing::error!(approval = %asked.id, error = %trouble, "a question cannot be asked");
                }
                Err(trouble) => {
                    count(&self.counters.questions_failed);
                    return Err(trouble);
                }
            }
            // Refused for good counts as done: it would be refused again, and hold up the ones behind it.
            self.desk.delivered(&asked.id);
        }
        Ok(())
    }
}

/// Whether asking again cannot help: the question itself is refused, not the sidecar or the moment.
fn is_final(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Status { status, .. } if matches!(status.as_u16(), 400 | 409 | 413 | 422))
}

/// The question as it is sent: what the collector would refuse for its length is cut, since digest and id bind the
/// answer whatever is shown.
fn question(asked: &Asked) -> Question {
    let question = &asked.question;
    Question {
        approval: asked.id.clone(),
        agent: question.agent.clone(),
        pact: question.pact.clone(),
        pact_digest: question.pact_digest,
        clauses: question.clauses.iter().take(LIST_MAX).cloned().collect(),
        action: AskedAction {
            kind: question.kind.name().to_owned(),
            name: shown(&question.name, NAME_BYTES_MAX),
        },
        args_digest: question.args_digest,
        fields: Fields::of(&question.fields),
        approvers: question
            .approvers
            .iter()
            .take(LIST_MAX)
            .map(|who| shown(who, APPROVER_BYTES_MAX))
            .collect(),
        tier: question.tier,
        asked_at: question.asked_at,
        expires_at: asked.expires_at,
    }
}

/// A text as a person may see it: bounded, control characters made visible.
fn shown(text: &str, bytes_max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }) {
        if out.len() + c.len_utf8() > bytes_max {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_bounded_and_plain() {
        assert_eq!(shown("payments.refund", 100), "payments.refund");
        assert_eq!(shown("a\u{1b}[2Jb\n", 100), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(shown("éé", 3), "é");
    }
}
