//! What an agent could do instead of what it was refused.

use crate::domain::{Action, Json, Reason, Ruling};
use crate::pact::condition::Subject;
use crate::pact::constraint::{Constraint, Outcome, Test};
use crate::pact::decide::{Facts, decide};
use crate::pact::document::shorten;
use crate::pact::selector::{Patterns, Selector};
use crate::pact::terms::{Clause, Pact};
use crate::pact::tools::Naming;

/// The most ways, and the most names in one way, that are told.
const TOLD_MAX: usize = 4;

/// What would be allowed instead of an action that the pact denies, as the rest of a sentence: ``tool
/// `payments.refund` with `args.amount` at most 100``. `None` when nothing like it is: it is prohibited, the agent is
/// suspended, or no clause lets anything of its kind through. Holds no value of the call.
#[must_use]
pub fn allowed_instead(pact: &Pact, action: &Action, facts: &Facts<'_>) -> Option<String> {
    let verdict = decide(pact, action, facts);
    if !matches!(verdict.reason, Some(Reason::NoClause | Reason::TierTooLow | Reason::Opaque)) {
        return None;
    }
    let naming = pact.tools.naming(&action.target);
    let subject = Subject {
        agent: facts.agent,
        tier: facts.tier,
        at: facts.at,
        action,
        capability: naming.capability.as_deref(),
    };
    let known = Naming { natural: None, ..naming.clone() };
    let permitting = || pact.clauses.iter().filter(|clause| clause.ruling != Ruling::Deny);
    let near: Vec<String> = permitting()
        .filter(|clause| clause.selector.permits(&action.target, &known))
        .filter_map(|clause| lacking(clause, &subject))
        .take(TOLD_MAX)
        .collect();
    if !near.is_empty() {
        return Some(near.join("; or "));
    }
    let kind = if known.is_mapped { crate::domain::ActionKind::Tool } else { action.target.kind() };
    let of_kind = permitting().map(|clause| &clause.selector).filter(|selector| selector.kind == kind);
    let mut names: Vec<String> = of_kind.flat_map(names).take(2 * TOLD_MAX).collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    (!names.is_empty()).then(|| format!("{} {}", kind.name(), listed(&names)))
}

/// What the action lacks for a clause that speaks of it.
fn lacking(clause: &Clause, subject: &Subject<'_>) -> Option<String> {
    let fields = &subject.action.fields;
    let unmet = |constraint: &&Constraint| constraint.outcome(fields) != Outcome::Met;
    let mut parts: Vec<String> = clause.constraints.iter().filter(unmet).map(in_words).collect();
    if let Some(condition) =
        clause.condition.as_ref().filter(|condition| condition.evaluate(subject) != Ok(true))
    {
        parts.push(format!("`{}`", shorten(condition.text())));
    }
    if let Some(floor) = clause.floor.filter(|floor| subject.tier < *floor) {
        parts.push(format!("tier `{floor}`"));
    }
    if clause.ruling == Ruling::Ask {
        parts.push("a person's approval".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(" and "))
}

fn in_words(constraint: &Constraint) -> String {
    let tests: Vec<String> = constraint.tests.iter().map(test_in_words).collect();
    format!("`{}` {}", constraint.field, tests.join(" and "))
}

fn test_in_words(test: &Test) -> String {
    match test {
        Test::Eq(constant) => plain(constant),
        Test::In(constants) => format!("one of {}", all(constants)),
        Test::NotIn(constants) => format!("none of {}", all(constants)),
        Test::Min(bound) => format!("at least {bound}"),
        Test::Max(bound) => format!("at most {bound}"),
        Test::Above(bound) => format!("more than {bound}"),
        Test::Below(bound) => format!("less than {bound}"),
        Test::Glob(globs) => {
            format!("like {}", listed(&globs.iter().map(|glob| shorten(glob.text())).collect::<Vec<_>>()))
        }
        Test::Regex { text, .. } => format!("like `{}`", shorten(text)),
        Test::LengthMax(longest) => format!("no longer than {longest}"),
        Test::Present(true) => "given".to_owned(),
        Test::Present(false) => "left out".to_owned(),
        Test::SubsetOf(constants) => format!("only of {}", all(constants)),
    }
}

fn plain(constant: &Json) -> String {
    constant.as_str().map_or_else(|| constant.canonical(), shorten)
}

fn all(constants: &[Json]) -> String {
    let shown: Vec<String> = constants.iter().take(2 * TOLD_MAX).map(plain).collect();
    let more = if constants.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn names(selector: &Selector) -> Vec<String> {
    match &selector.patterns {
        Patterns::Names(globs) => globs.iter().map(|glob| glob.text().to_owned()).collect(),
        Patterns::Http(patterns) => patterns.iter().map(ToString::to_string).collect(),
        Patterns::Endpoints(endpoints) => endpoints.iter().map(ToString::to_string).collect(),
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(TOLD_MAX).map(|name| format!("`{}`", shorten(name))).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(" or "))
}
