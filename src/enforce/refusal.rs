//! Refusal: why not, and what the agent may do about it. One table of answers, an arm for each reason.

use std::time::Duration;

use crate::classify::Reply;
use crate::domain::{ApprovalId, ClauseId, DecisionId, LimitId, PactName, Reason, TrustTier};

/// The longest `Retry-After` that clients still wait for; beyond it they give up or ignore it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// A typed answer to an agent whose action did not go through. Not an error: an answer.
/// It never holds bodies, credentials or argument values.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The same id as in the record and the log.
    pub decision: DecisionId,
    /// Why, from the closed set.
    pub reason: Reason,
    /// What exactly, in one sentence without a final period: the clause, the limit, the place in the body.
    pub detail: String,
    /// What would be allowed, where the pact knows.
    pub instead: Option<String>,
    /// The pact that decided.
    pub pact: Option<PactName>,
    /// The clauses that decided.
    pub clauses: Vec<ClauseId>,
    /// The agent's tier when it was refused.
    pub tier: Option<TrustTier>,
    /// The limit that was reached.
    pub limit: Option<LimitId>,
    /// The question that waits for a person.
    pub approval: Option<ApprovalId>,
    /// When another try can succeed, where that is a matter of time.
    pub retry_after: Option<Duration>,
    /// A status of its own, where the request was wrong in a way that HTTP has a code for.
    pub status: Option<u16>,
    /// A JSON-RPC code of its own, where the message was wrong in a way that JSON-RPC or MCP has a code for.
    pub code: Option<i64>,
}

impl Refusal {
    /// A refusal with nothing but its reason.
    #[must_use]
    pub fn plain(decision: DecisionId, reason: Reason, detail: String) -> Self {
        Self {
            decision,
            reason,
            detail,
            instead: None,
            pact: None,
            clauses: Vec::new(),
            tier: None,
            limit: None,
            approval: None,
            retry_after: None,
            status: None,
            code: None,
        }
    }

    /// The HTTP status. Never 5xx and never 409: clients send those again.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.unwrap_or_else(|| row(self.reason).status)
    }

    /// The JSON-RPC error code. A verdict's lies outside −32768…−32000, which JSON-RPC, MCP and A2A keep for
    /// themselves.
    #[must_use]
    pub fn json_rpc_code(&self) -> i64 {
        self.code.unwrap_or_else(|| row(self.reason).json_rpc_code)
    }

    /// Whole seconds for `Retry-After`, at least one and at most two minutes.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        let wait = self.retry_after?.min(RETRY_AFTER_MAX);
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).map(|s| s.max(1))
    }

    /// Whether asking again, unchanged, can succeed without anybody's doing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.retry_after.is_some()
    }

    /// The whole answer as text for a model or a person to read.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = format!("refused by Pactgate: {}", row(self.reason).sentence);
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text.push('.');
        if let (Some(pact), false) = (&self.pact, self.clauses.is_empty()) {
            let clauses: Vec<_> = self.clauses.iter().map(|id| format!("`{id}`")).collect();
            let noun = if clauses.len() == 1 { "clause" } else { "clauses" };
            text.push_str(&format!(" Decided by {noun} {} of pact `{pact}`.", clauses.join(", ")));
        }
        if let Some(instead) = &self.instead {
            text.push_str(&format!(" The pact takes instead: {instead}."));
        }
        if let Some(approval) = &self.approval {
            text.push_str(&format!(
                " Approval `{approval}` waits for an answer; try again once it is granted."
            ));
        }
        if let Some(seconds) = self.retry_after_s() {
            text.push_str(&format!(" Try again in {seconds} s."));
        }
        text.push_str(&format!(" Decision {}.", self.decision));
        text
    }
}

/// One message of a request that does not go through, and the form in which its caller understands an answer.
#[derive(Debug)]
pub struct Refused {
    /// The caller's form.
    pub reply: Reply,
    /// The answer.
    pub refusal: Refusal,
    /// Whether nothing speaks against this message itself: another one of its request was refused.
    pub withheld: bool,
}

impl Refused {
    /// A message that was refused for its own sake.
    #[must_use]
    pub fn new(reply: Reply, refusal: Refusal) -> Self {
        Self { reply, refusal, withheld: false }
    }
}

struct Row {
    status: u16,
    json_rpc_code: i64,
    sentence: &'static str,
}

const fn row(reason: Reason) -> Row {
    let (status, json_rpc_code, sentence) = match reason {
        Reason::Denied => (403, 403_001, "the pact forbids this"),
        Reason::NoClause => (403, 403_002, "no clause of the pact allows this"),
        Reason::NoPact => (403, 403_003, "no pact governs this agent"),
        Reason::TierTooLow => (403, 403_004, "the agent's trust tier is too low for this"),
        Reason::Suspended => (403, 403_005, "the agent is suspended"),
        Reason::ApprovalRequired => (403, 403_006, "a person has to approve this first"),
        Reason::RateLimited => (429, 429_001, "too many calls"),
        Reason::BudgetExhausted => (429, 429_002, "the budget is used up"),
        Reason::Unreadable => (400, 400_001, "the request cannot be read"),
        Reason::Opaque => (403, 403_007, "this would pass unread, and no clause of the pact allows that"),
        Reason::DataRule => (403, 403_008, "the data rules forbid what this contains"),
        Reason::NameMismatch => (421, 421_001, "the names in this request disagree"),
        Reason::AddressForbidden => (403, 403_009, "that address must not be reached"),
        Reason::EvidenceUnavailable => (403, 403_010, "this cannot be recorded now, so it must not happen"),
    };
    Row { status, json_rpc_code, sentence }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn refusal(reason: Reason) -> Refusal {
        Refusal::plain(DecisionId::new("d-1").unwrap(), reason, String::new())
    }

    #[test]
    fn no_verdict_invites_a_blind_retry() {
        let mut codes = HashSet::new();
        for reason in Reason::ALL {
            let status = refusal(reason).status();
            assert!((400..500).contains(&status) && status != 409 && status != 408, "{reason}: {status}");
            let code = refusal(reason).json_rpc_code();
            assert!(!(-32768..=-32000).contains(&code));
            assert!(codes.insert(code), "{code} stands twice");
        }
    }

    #[test]
    fn a_wait_is_whole_seconds_that_clients_honor() {
        let wait = |wait| Refusal { retry_after: Some(wait), ..refusal(Reason::RateLimited) }.retry_after_s();
        assert_eq!(wait(Duration::from_millis(1)), Some(1));
        assert_eq!(wait(Duration::from_millis(2_001)), Some(3));
        assert_eq!(wait(Duration::from_secs(3_600)), Some(120));
    }

    #[test]
    fn a_message_says_who_decided_and_what_would_do() {
        let said = Refusal {
            detail: "`payments.refund`".to_owned(),
            instead: Some("`args.amount` at most 1000".to_owned()),
            pact: Some(PactName::new("refunds").unwrap()),
            clauses: vec![ClauseId::new("a").unwrap(), ClauseId::new("b").unwrap()],
            ..refusal(Reason::Denied)
        };
        assert_eq!(
            said.message(),
            "refused by Pactgate: the pact forbids this: `payments.refund`. Decided by clauses `a`, `b` of pact \
             `refunds`. The pact takes instead: `args.amount` at most 1000. Decision d-1."
        );
    }
}
