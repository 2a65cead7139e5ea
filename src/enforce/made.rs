//! Calls that a model made, judged before the agent sees them: as the call itself would be, and once.

use std::sync::Arc;

use crate::classify::{Coverage, Listed, Made, Part, Reply};
use crate::domain::{Action, Dialect, Json, Reason, Target, UpstreamName};
use crate::enforce::{Attempted, Caller, Enforcer, Outbound, Permit, Refusal};
use crate::pact;

/// Judges what the answer to one admitted call holds.
#[derive(Clone, Debug)]
pub struct AnswerJudge {
    pub(super) judge: Arc<Enforcer>,
    /// Who made the call, and its decision as the parent of what follows from it.
    pub(super) caller: Caller,
    upstream: Option<UpstreamName>,
    dialect: Dialect,
}

impl AnswerJudge {
    pub(super) fn new(
        judge: Arc<Enforcer>,
        caller: Caller,
        upstream: Option<UpstreamName>,
        dialect: Dialect,
    ) -> Self {
        Self { judge, caller, upstream, dialect }
    }

    /// Judges a call that a model made: limits, people and the disk are asked as for any other. It leaves one record.
    ///
    /// # Errors
    /// Why the agent must not see it.
    pub async fn call(&self, made: Made) -> Result<(), Refusal> {
        match made {
            Made::Call(action) => self.action(action).await,
            Made::Unreadable { attempted, detail } => {
                let attempted = Attempted {
                    caller: Some(self.caller.clone()),
                    listener: Arc::clone(&self.caller.listener),
                    name: attempted,
                    dialect: self.dialect,
                };
                Err(self.judge.refuse(&attempted, Reason::Unreadable, detail))
            }
        }
    }

    /// Judges the model that answered, where it is another one than the model asked for.
    ///
    /// # Errors
    /// Why it must not answer.
    pub async fn model(&self, provider: String, model: String) -> Result<(), Refusal> {
        let target = Target::Model { provider, model };
        self.action(Action { target, fields: Json::Object(Vec::new()), dialect: self.dialect }).await
    }

    /// Which entries of a list the agent may see: those that it may ever use.
    #[must_use]
    pub fn shown(&self, listed: &[Listed]) -> Vec<bool> {
        let pacts = self.judge.pacts.load();
        let pact = pacts.governing(&self.caller.agent).enforcing;
        let tier = self.judge.rooms.tiers.view(&self.caller.agent).tier;
        let may_use = |action: &Action| pact.is_none_or(|pact| pact::may_ever(pact, action, tier));
        let refuses_changed = pact.is_some_and(|pact| pact.refuses_changed());
        let may_see = |entry: &Listed| match entry {
            Listed::Entry { action, .. } if !may_use(action) => false,
            Listed::Entry { action, definition } => match definition {
                Some(definition) => self.judge.compare(&self.caller, action, *definition) || !refuses_changed,
                None => true,
            },
            Listed::Task { server, id } => self.has_task(server, id),
            Listed::Unnamed => false,
        };
        listed.iter().map(may_see).collect()
    }

    async fn action(&self, action: Action) -> Result<(), Refusal> {
        let part = Part {
            action,
            // Nobody reads it: what is said stands in the answer.
            reply: Reply::Problem,
            coverage: Coverage::Read,
            withheld: Vec::new(),
            refers: None,
        };
        let outbound = Outbound { upstream: self.upstream.clone(), ..Outbound::default() };
        match self.judge.admit(&self.caller, vec![part], outbound).await {
            Ok(permit) => {
                permit.passed();
                Ok(())
            }
            Err(refused) => match refused.into_iter().next() {
                Some(refused) => Err(refused.refusal),
                None => Err(self.judge.refuse_unrecorded("the judge gave no answer")),
            },
        }
    }
}

impl Permit {
    /// The judge of what the answer holds.
    #[must_use]
    pub fn answer_judge(&self) -> Option<AnswerJudge> {
        let (judge, record) = self.lead()?;
        let caller = Caller {
            agent: record.agent.clone()?,
            proof: record.proof?,
            listener: Arc::clone(&record.listener),
            traceparent: record.traceparent,
            parent: Some(record.decision.clone()),
        };
        Some(AnswerJudge::new(judge, caller, record.upstream.clone(), record.action.dialect))
    }
}
