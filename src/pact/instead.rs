//! What would be allowed instead: said to an agent that was refused.

use crate::domain::{Action, Ruling};
use crate::pact::constraint::Outcome;
use crate::pact::decide::{Facts, candidates};
use crate::pact::index::Found;
use crate::pact::terms::{Clause, Pact};

/// Clauses that are spoken of at the most.
const CLAUSES_MAX: usize = 3;

/// What the pact's allowing and asking clauses on the same subject would want: an amount of at most 100.
/// `None` where no such clause exists, or the action has what they want and lacks something else.
#[must_use]
pub fn allowed_instead(pact: &Pact, action: &Action, facts: &Facts<'_>) -> Option<String> {
    let mut found = Found::new();
    candidates(pact, action, &pact.tools.naming(&action.target), &mut found);
    let opens = |clause: &&Clause| {
        clause.ruling != Ruling::Deny && clause.says_at(facts.tier).is_some_and(|said| said != Ruling::Deny)
    };
    let near = found.sorted().iter().filter_map(|number| pact.clause(*number)).filter(opens);
    let wishes: Vec<String> = near.filter_map(|clause| wish(clause, action)).take(CLAUSES_MAX).collect();
    (!wishes.is_empty()).then(|| wishes.join("; or "))
}

/// What one clause wants of the action and does not get.
fn wish(clause: &Clause, action: &Action) -> Option<String> {
    let mut wanted = Vec::new();
    for constraint in &clause.constraints {
        let value = action.fields.at(constraint.field.names());
        for test in &constraint.tests {
            if !matches!(test.outcome(value), Outcome::Met) {
                wanted.push(format!("`{}` {test}", constraint.field));
            }
        }
    }
    let verb = if clause.ruling == Ruling::Ask { "after approval, " } else { "" };
    (!wanted.is_empty()).then(|| format!("{verb}{} (clause `{}`)", wanted.join(" and "), clause.id))
}
