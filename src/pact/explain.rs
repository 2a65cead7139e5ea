//! A verdict as sentences for people: each clause, and why it did or did not match.

use std::fmt;

use crate::domain::{Action, ClauseId, Ruling, Target, TrustTier, Verdict};
use crate::pact::address::opaque_pattern;
use crate::pact::condition::Subject;
use crate::pact::constraint::Outcome;
use crate::pact::decide::{Facts, decide};
use crate::pact::terms::{Clause, Pact};
use crate::pact::tools::Naming;

/// Why a pact says what it says of an action.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The action's name.
    pub action: String,
    /// The tier it was judged at.
    pub tier: TrustTier,
    /// What [`decide`] says.
    pub verdict: Verdict,
    /// Every clause, in the order of the file.
    pub clauses: Vec<ClauseExplanation>,
}

/// What one clause has to do with an action.
#[derive(Clone, Debug)]
pub struct ClauseExplanation {
    /// The clause.
    pub id: ClauseId,
    /// What it says when it matches.
    pub ruling: Ruling,
    /// Whether it matches.
    pub matches: bool,
    /// Why, in one sentence for each condition that matters.
    pub why: Vec<String>,
}

/// Explains what the pact says of the action. For people: costs as much as the pact has clauses.
#[must_use]
pub fn explain(pact: &Pact, action: &Action, facts: &Facts<'_>) -> Explanation {
    let verdict = decide(pact, action, facts);
    let naming = pact.tools.naming(&action.target);
    let subject = Subject {
        agent: facts.agent,
        tier: facts.tier,
        at: facts.at,
        action,
        capability: naming.capability.as_deref(),
    };
    let clauses = pact.clauses.iter().map(|clause| {
        let (matches, why) = match &action.target {
            Target::Protocol { .. } => protocol(clause, &verdict),
            target if is_too_wide(clause, target, &naming) => too_wide(clause, target, &verdict),
            _ => judge(clause, &naming, &subject),
        };
        ClauseExplanation { id: clause.id.clone(), ruling: clause.ruling, matches, why }
    });
    let clauses = clauses.collect();
    let mut name = format!("{} {}", action.target.kind().name(), action.target);
    if let Some(capability) =
        naming.capability.filter(|capability| **capability != *action.target.to_string())
    {
        name = format!("{name}, which is {capability}");
    }
    Explanation { action: name, tier: facts.tier, verdict, clauses }
}

fn protocol(clause: &Clause, verdict: &Verdict) -> (bool, Vec<String>) {
    let opens = verdict.clauses.contains(&clause.id);
    let why = if opens { "it speaks of this upstream" } else { "it does not speak of this upstream" };
    (opens, vec![why.to_owned()])
}

/// Whether the clause speaks of the host, and permits something else there than what is called.
fn is_too_wide(clause: &Clause, target: &Target, naming: &Naming) -> bool {
    let selector = &clause.selector;
    clause.ruling != Ruling::Deny && selector.selects(target, naming) && !selector.permits(target, naming)
}

fn too_wide(clause: &Clause, target: &Target, verdict: &Verdict) -> (bool, Vec<String>) {
    let needed = opaque_pattern(target).unwrap_or_default();
    let why = format!("what is not read is permitted by its own name: `opaque: \"{needed}\"`");
    if verdict.clauses.contains(&clause.id) {
        return (true, vec![format!("{why}; another clause does, and this one asks")]);
    }
    (false, vec![why])
}

fn judge(clause: &Clause, naming: &Naming, subject: &Subject<'_>) -> (bool, Vec<String>) {
    let allows = clause.ruling == Ruling::Allow;
    let target = &subject.action.target;
    // An allow clause knows a tool by its capability alone.
    let known = Naming { natural: naming.natural.clone().filter(|_| !allows), ..naming.clone() };
    if !clause.selector.selects(target, &known) {
        let why = match naming.natural.as_deref().filter(|_| clause.selector.selects(target, naming)) {
            Some(natural) => format!("it allows `{natural}`, which is a capability of another name here"),
            None => "it speaks of something else".to_owned(),
        };
        return (false, vec![why]);
    }
    if allows && naming.is_mapped && naming_is_tool_only(clause) {
        return (false, vec!["the call is a tool here, which only a `tool` clause allows".to_owned()]);
    }
    let mut why = Vec::new();
    let mut all = Outcome::Met;
    for constraint in &clause.constraints {
        let value = subject.action.fields.at(constraint.field.names());
        for test in &constraint.tests {
            let outcome = test.outcome(value);
            all = all.and(outcome);
            why.push(match outcome {
                Outcome::Met => format!("`{}` {test} holds", constraint.field),
                Outcome::Unmet => format!("`{}` {test} does not hold", constraint.field),
                Outcome::Unknown(why) => format!("`{}` {why}; {}", constraint.field, counts(allows)),
            });
        }
    }
    let condition = clause.condition.as_ref().map(|condition| condition.evaluate(subject));
    let holds = match &condition {
        None => true,
        Some(Ok(holds)) => {
            why.push(format!("`when` is {holds}"));
            *holds
        }
        Some(Err(fault)) => {
            why.push(format!("{fault}; {}", counts(allows)));
            !allows
        }
    };
    let met = match all {
        Outcome::Met => true,
        Outcome::Unmet => false,
        Outcome::Unknown(_) => !allows,
    };
    if !(met && holds) {
        return (false, why);
    }
    match (clause.says_at(subject.tier), clause.floor) {
        (None, Some(floor)) => {
            why.push(format!("it needs tier {floor}, and the agent is on {}", subject.tier));
            (false, why)
        }
        (Some(said), Some(floor)) if said != clause.ruling => {
            why.push(format!("under tier {floor} it asks"));
            (true, why)
        }
        _ => (true, why),
    }
}

fn naming_is_tool_only(clause: &Clause) -> bool {
    clause.selector.kind != crate::domain::ActionKind::Tool
}

const fn counts(allows: bool) -> &'static str {
    if allows { "that fails in an allow clause" } else { "that counts as met in an ask or deny clause" }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, tier, verdict, clauses } = self;
        writeln!(f, "{action}, on tier {tier}")?;
        write!(f, "verdict: {}", verdict.ruling)?;
        if let Some(reason) = verdict.reason {
            write!(f, " ({reason})")?;
        }
        if !verdict.clauses.is_empty() {
            let ids: Vec<_> = verdict.clauses.iter().map(ToString::to_string).collect();
            write!(f, ", by {}", ids.join(", "))?;
        }
        if let Some(needed) = verdict.needs_tier {
            write!(f, "; allowed from tier {needed}")?;
        }
        let width = clauses.iter().map(|clause| clause.id.as_str().len()).max().unwrap_or(0);
        for ClauseExplanation { id, ruling, matches, why } in clauses {
            let mark = if *matches { "matches" } else { "-" };
            let (ruling, id) = (ruling.name(), id.as_str());
            write!(f, "\n  {ruling:<5} {id:<width$}  {mark:<7}  {}", why.join("; "))?;
        }
        Ok(())
    }
}
