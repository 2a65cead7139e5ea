//! Credit: a call that a model made and that was judged is not judged as a second one when the agent carries it out.
//!
//! A model asks for `refund`, and the agent calls the tool: it is one call that crosses the sidecar twice. What the
//! first crossing has taken from the limits, and what a person has said of it, holds for the second, once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Action, AgentId, DecisionId, Digest, Json, Ruling, Target};
use crate::pact::Pact;

/// How long a credit lasts: what a model asks for is carried out soon, or not at all.
const LASTS: Duration = Duration::from_secs(300);

/// Credits that are kept at once; the oldest goes first, and its call is then judged as one of its own.
const KEPT_MAX: usize = 4096;

/// What was judged when a model made a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credit {
    /// The judgement on it.
    pub(super) decision: DecisionId,
    /// What the pact said: a call that has to be asked about has no use for one that was not.
    pub(super) ruling: Ruling,
    /// Until when it holds, on the monotonic clock.
    until: Duration,
    /// Which of all credits it is: the oldest has the smallest.
    number: u64,
}

/// The calls that were made and not carried out yet. Each credit is good once.
#[derive(Debug, Default)]
pub(super) struct Credits {
    table: Mutex<Table>,
    /// How many there are, to be asked without waiting.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    kept: HashMap<Digest, Vec<Credit>>,
    given: u64,
}

/// What a credit is bound to: agent, pact, capability and arguments. `None` for what is no tool, and for what has more
/// to it than its arguments, as a message to another agent, a call with a query, or one whose address the pact leaves
/// open: of that, only a part would have been judged.
pub(super) fn key(agent: &AgentId, pact: &Pact, capability: Option<&str>, action: &Action) -> Option<Digest> {
    let capability = capability?;
    let is_said = |value: &Json| match value {
        Json::Object(members) => !members.is_empty(),
        _ => true,
    };
    let Json::Object(members) = &action.fields else { return None };
    if members.iter().any(|(name, value)| name != "args" && is_said(value)) {
        return None;
    }
    match &action.target {
        Target::Tool(_) => {}
        Target::Http(_) if pact.is_one_call(&action.target) => {}
        _ => return None,
    }
    let arguments = action.fields.member("args").map(Json::canonical).unwrap_or_default();
    let text = format!("{agent}\n{}\n{capability}\n{arguments}", pact.digest());
    Some(Digest::of(text.as_bytes()))
}

impl Credits {
    /// Whether there is none: then nothing has to be looked up.
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Keeps what was judged.
    pub(super) fn give(&self, key: Digest, decision: DecisionId, ruling: Ruling, now: Duration) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if self.count.load(Ordering::Acquire) >= KEPT_MAX {
            table.forget(now);
            self.count.store(table.kept.values().map(Vec::len).sum(), Ordering::Release);
        }
        table.given += 1;
        let credit = Credit { decision, ruling, until: now + LASTS, number: table.given };
        table.kept.entry(key).or_default().push(credit);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes one that still holds and is of that ruling.
    pub(super) fn take(&self, key: &Digest, ruling: Ruling, now: Duration) -> Option<Credit> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let credits = table.kept.get_mut(key)?;
        let at = credits.iter().position(|credit| credit.until > now && credit.ruling == ruling)?;
        let credit = credits.remove(at);
        if credits.is_empty() {
            table.kept.remove(key);
        }
        self.count.fetch_sub(1, Ordering::AcqRel);
        Some(credit)
    }
}

impl Table {
    /// Makes room: what has lapsed goes; where nothing has, the oldest quarter.
    fn forget(&mut self, now: Duration) {
        let mut numbers: Vec<u64> = self.kept.values().flatten().map(|credit| credit.number).collect();
        numbers.sort_unstable();
        let oldest = numbers.get(KEPT_MAX / 4).copied().unwrap_or(0);
        let lapsed = self.kept.values().flatten().any(|credit| credit.until <= now);
        self.kept.retain(|_, credits| {
            credits.retain(|credit| credit.until > now && (lapsed || credit.number > oldest));
            !credits.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(n: usize) -> DecisionId {
        DecisionId::new(&format!("d-{n}")).unwrap()
    }

    #[test]
    fn a_credit_is_good_once_in_its_time_and_for_its_ruling() {
        let credits = Credits::default();
        let key = Digest::of(b"refund 80");
        let at = Duration::from_secs;
        credits.give(key, decision(1), Ruling::Allow, at(10));
        assert_eq!(credits.take(&Digest::of(b"refund 81"), Ruling::Allow, at(11)), None);
        assert_eq!(credits.take(&key, Ruling::Ask, at(11)), None);
        assert_eq!(credits.take(&key, Ruling::Allow, at(10) + LASTS), None);
        assert_eq!(credits.take(&key, Ruling::Allow, at(11)).unwrap().decision, decision(1));
        assert_eq!(credits.take(&key, Ruling::Allow, at(11)), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let credits = Credits::default();
        let key = |n: usize| Digest::of(n.to_string().as_bytes());
        let at = Duration::from_secs(1);
        for n in 0..=KEPT_MAX {
            credits.give(key(n), decision(n), Ruling::Allow, at);
        }
        assert_eq!(credits.take(&key(0), Ruling::Allow, at), None);
        assert!(credits.take(&key(KEPT_MAX), Ruling::Allow, at).is_some());
        assert!(credits.count.load(Ordering::Acquire) < KEPT_MAX);
    }
}
