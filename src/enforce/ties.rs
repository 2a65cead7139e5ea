//! Ties: what an MCP server gave an agent to come back with, and the decision that it came from.
//!
//! A state to send back with the next try, a task under way, a question to the client: each belongs to the agent that
//! it was given to. They are kept in memory alone; after a restart none is known, and what refers to one is refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::classify::Reference;
use crate::domain::{AgentId, DecisionId, Digest, Reason, UpstreamName};
use crate::enforce::gates::Case;
use crate::enforce::{AnswerJudge, Caller, Enforcer, Refusal};
use crate::evidence::Record;

/// How long an agent may take to try again or to answer.
const LASTS: Duration = Duration::from_secs(3_600);
/// How long a task may be asked about since it was last asked about.
const TASK_LASTS: Duration = Duration::from_secs(86_400);
/// Ties of one kind that an agent has with one server; the oldest makes room.
const KEPT_MAX: usize = 1_024;

/// All ties.
#[derive(Debug, Default)]
pub(super) struct Ties(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    kept: HashMap<(AgentId, UpstreamName, Kind), HashMap<Digest, Tie>>,
    tied: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Retry,
    Task,
    Ask,
}

#[derive(Clone, Debug)]
struct Tie {
    decision: DecisionId,
    /// Of a retry, what the call asks for.
    of: Option<Digest>,
    /// Until when it holds, on the monotonic clock.
    until: Duration,
    /// Which of all ties it is: the oldest has the smallest.
    number: u64,
}

/// Kind and key of a reference, and what it has to be of.
fn parts(reference: &Reference) -> (&UpstreamName, Kind, Digest, Option<Digest>) {
    match reference {
        // Without a state, a call is known by what it asks for.
        Reference::Retry { server, state, of } => (server, Kind::Retry, state.unwrap_or(*of), Some(*of)),
        Reference::Task { server, id } => (server, Kind::Task, Digest::of(id.as_bytes()), None),
        Reference::Ask { server, id } => (server, Kind::Ask, Digest::of(id.as_bytes()), None),
    }
}

impl Ties {
    /// Remembers what the agent was given.
    fn tie(&self, agent: &AgentId, reference: &Reference, decision: DecisionId, now: Duration) {
        let (server, kind, key, of) = parts(reference);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.tied += 1;
        let number = table.tied;
        let kept = table.kept.entry((agent.clone(), server.clone(), kind)).or_default();
        if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
            kept.retain(|_, tie| tie.until > now);
            let oldest = kept.iter().min_by_key(|(_, tie)| tie.number).map(|(key, _)| *key);
            if let Some(oldest) = oldest.filter(|_| kept.len() >= KEPT_MAX) {
                kept.remove(&oldest);
            }
        }
        kept.insert(key, Tie { decision, of, until: now + lasts(kind), number });
    }

    /// The decision that what is referred to came from.
    fn find(
        &self,
        agent: &AgentId,
        reference: &Reference,
        now: Duration,
    ) -> Result<DecisionId, &'static str> {
        let (server, kind, key, of) = parts(reference);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = table.kept.get_mut(&(agent.clone(), server.clone(), kind));
        let unknown = || match kind {
            Kind::Retry => {
                "it is tried again with a `requestState` that the server did not give this agent for it, or too long \
                 ago; make the call anew, without it"
            }
            Kind::Task => {
                "this agent is not known to have a task of that id with this server; tasks from before a restart are \
                 not known any more"
            }
            Kind::Ask => "the server has not asked this agent anything by that id",
        };
        let Some(kept) = kept else { return Err(unknown()) };
        let Some(tie) = kept.get_mut(&key).filter(|tie| tie.until > now) else { return Err(unknown()) };
        if tie.of != of {
            return Err(
                "it is tried again with another name or other arguments than the call that its `requestState` \
                 belongs to; make it anew, without it",
            );
        }
        let decision = tie.decision.clone();
        match kind {
            Kind::Retry => {}
            Kind::Task => tie.until = now + TASK_LASTS,
            // A question is answered once.
            Kind::Ask => {
                kept.remove(&key);
            }
        }
        Ok(decision)
    }

    /// Whether the agent has that task.
    fn has(&self, agent: &AgentId, server: &UpstreamName, id: &str, now: Duration) -> bool {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = table.kept.get(&(agent.clone(), server.clone(), Kind::Task));
        let tie = kept.and_then(|kept| kept.get(&Digest::of(id.as_bytes())));
        tie.is_some_and(|tie| tie.until > now)
    }
}

const fn lasts(kind: Kind) -> Duration {
    match kind {
        Kind::Retry | Kind::Ask => LASTS,
        Kind::Task => TASK_LASTS,
    }
}

impl AnswerJudge {
    /// Remembers that the agent may refer to this later.
    pub fn note(&self, reference: &Reference) {
        let Some(decision) = self.caller.parent.clone() else { return };
        let now = self.judge.rooms.clock.monotonic();
        self.judge.ties.tie(&self.caller.agent, reference, decision, now);
    }

    /// Whether the agent has that task.
    pub(super) fn has_task(&self, server: &UpstreamName, id: &str) -> bool {
        self.judge.ties.has(&self.caller.agent, server, id, self.judge.rooms.clock.monotonic())
    }
}

impl Enforcer {
    /// Finds what a message refers to; its decision becomes the parent of this one.
    pub(super) fn refer(&self, record: &mut Record, caller: &Caller, case: &Case<'_>) -> Result<(), Refusal> {
        let Some(reference) = &case.part.refers else { return Ok(()) };
        match self.ties.find(&caller.agent, reference, self.rooms.clock.monotonic()) {
            Ok(decision) => {
                record.parent = Some(decision);
                Ok(())
            }
            Err(why) => {
                let refusal = case.refusal(record, Reason::Denied, why.to_owned());
                // No clause decided it.
                Err(Refusal { clauses: Vec::new(), ..refusal })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    fn shop() -> UpstreamName {
        UpstreamName::new("shop").unwrap()
    }

    fn decision(n: usize) -> DecisionId {
        DecisionId::new(&format!("d-{n}")).unwrap()
    }

    fn retry(state: Option<&str>, of: &str) -> Reference {
        let digest = |text: &str| Digest::of(text.as_bytes());
        Reference::Retry { server: shop(), state: state.map(digest), of: digest(of) }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_state_is_good_for_its_agent_its_call_and_its_time() {
        let ties = Ties::default();
        ties.tie(&agent("mole"), &retry(Some("s"), "refund 5"), decision(1), at(1));
        let find = |name: &str, reference: &Reference, now| ties.find(&agent(name), reference, at(now));
        assert_eq!(find("mole", &retry(Some("s"), "refund 5"), 2), Ok(decision(1)));
        assert_eq!(
            find("mole", &retry(Some("s"), "refund 5"), 3),
            Ok(decision(1)),
            "a lost answer is asked for again"
        );
        assert!(find("mole", &retry(Some("s"), "refund 6"), 2).unwrap_err().contains("other arguments"));
        assert!(find("mole", &retry(Some("t"), "refund 5"), 2).is_err());
        assert!(find("mole", &retry(None, "refund 5"), 2).is_err());
        assert!(find("twin", &retry(Some("s"), "refund 5"), 2).is_err());
        assert!(find("mole", &retry(Some("s"), "refund 5"), 1 + LASTS.as_secs()).is_err());
        ties.tie(&agent("mole"), &retry(None, "look"), decision(2), at(1));
        assert_eq!(find("mole", &retry(None, "look"), 2), Ok(decision(2)));
        assert!(find("mole", &retry(None, "find"), 2).is_err());
    }

    #[test]
    fn a_question_is_answered_once_and_a_task_is_asked_about_at_will() {
        let ties = Ties::default();
        let (ask, task) = (
            Reference::Ask { server: shop(), id: "1".to_owned() },
            Reference::Task { server: shop(), id: "1".to_owned() },
        );
        ties.tie(&agent("mole"), &ask, decision(1), at(1));
        assert!(ties.find(&agent("mole"), &task, at(1)).is_err());
        assert_eq!(ties.find(&agent("mole"), &ask, at(1)), Ok(decision(1)));
        assert!(ties.find(&agent("mole"), &ask, at(1)).is_err());
        ties.tie(&agent("mole"), &task, decision(2), at(1));
        assert_eq!(ties.find(&agent("mole"), &task, at(80_000)), Ok(decision(2)));
        assert_eq!(ties.find(&agent("mole"), &task, at(160_000)), Ok(decision(2)));
        assert!(ties.find(&agent("twin"), &task, at(2)).is_err());
        assert!(ties.has(&agent("mole"), &shop(), "1", at(160_000)));
        assert!(!ties.has(&agent("twin"), &shop(), "1", at(160_000)));
    }

    #[test]
    fn the_oldest_makes_room() {
        let ties = Ties::default();
        let ask = |n: usize| Reference::Ask { server: shop(), id: n.to_string() };
        for n in 0..=KEPT_MAX {
            ties.tie(&agent("mole"), &ask(n), decision(n), at(1));
        }
        assert!(ties.find(&agent("mole"), &ask(0), at(1)).is_err());
        assert!(ties.find(&agent("mole"), &ask(1), at(1)).is_ok());
        assert!(ties.find(&agent("mole"), &ask(KEPT_MAX), at(1)).is_ok());
    }
}
