//! Clauses that no call can reach: forbidden altogether by another clause, or naming what the tools table renames.

use crate::domain::{ActionKind, Ruling};
use crate::pact::compile::{Notes, permits};
use crate::pact::document::Place;
use crate::pact::pattern::Glob;
use crate::pact::selector::Patterns;
use crate::pact::terms::{Clause, Pact};
use crate::pact::tools::Forms;

pub(super) fn check(pact: &Pact, rows: &[Forms], notes: &mut Notes<'_>) {
    if pact.clauses.iter().all(|clause| !permits(clause.ruling)) && !pact.clauses.is_empty() {
        let place = pact.clauses.first().and_then(|clause| clause.selector.places.first());
        let remedy =
            "add an `allow` or `ask` clause, or leave the pact out: an agent without one may do nothing";
        notes.warn(&place.cloned().unwrap_or(0..0), "the pact only denies: nothing is allowed", remedy);
    }
    let denials: Vec<&Clause> =
        pact.clauses.iter().filter(|c| c.ruling == Ruling::Deny && c.is_unconditional).collect();
    for clause in pact.clauses.iter().filter(|clause| permits(clause.ruling)) {
        renamed(clause, rows, notes);
        shadowed(clause, &denials, notes);
    }
}

/// Reports the patterns of a clause that unconditional denials cover, where they cover all of them.
fn shadowed(clause: &Clause, denials: &[&Clause], notes: &mut Notes<'_>) {
    let count = clause.selector.places.len();
    let covering: Vec<&Clause> =
        (0..count).filter_map(|n| denials.iter().copied().find(|d| covers(d, clause, n))).collect();
    if count == 0 || covering.len() < count {
        return;
    }
    let Some(first) = covering.first() else { return };
    let place = clause.selector.places.first().cloned().unwrap_or(0..0);
    let message =
        format!("clause `{}` can never take effect: clause `{}` denies all of it", clause.id, first.id);
    notes.error(&place, message, "narrow the denial with `where` or `when`, or remove this clause");
}

/// Whether a denial matches everything that the clause's pattern does.
fn covers(denial: &Clause, clause: &Clause, pattern: usize) -> bool {
    if denial.selector.kind != clause.selector.kind {
        return false;
    }
    match (&denial.selector.patterns, &clause.selector.patterns) {
        (Patterns::Names(ours), Patterns::Names(theirs)) => theirs.get(pattern).is_some_and(|theirs| {
            ours.iter().any(|own| own.covers(theirs) || names_peer(denial, own, theirs))
        }),
        (Patterns::Http(ours), Patterns::Http(theirs)) => {
            theirs.get(pattern).is_some_and(|theirs| ours.iter().any(|own| own.covers(theirs)))
        }
        (Patterns::Endpoints(ours), Patterns::Endpoints(theirs)) => {
            theirs.get(pattern).is_some_and(|theirs| ours.iter().any(|own| own.covers(theirs)))
        }
        _ => false,
    }
}

/// A denied peer is denied with all its skills.
fn names_peer(denial: &Clause, own: &Glob, theirs: &Glob) -> bool {
    let peer = theirs.text().split('/').next().unwrap_or_default();
    denial.selector.kind == ActionKind::Agent && own.matches(peer) && !peer.contains('*')
}

/// Reports a clause that allows a form by the name it has no more.
fn renamed(clause: &Clause, rows: &[Forms], notes: &mut Notes<'_>) {
    if clause.ruling != Ruling::Allow {
        return;
    }
    let mut report = |place: Option<&Place>, what: &str, capability: &str| {
        let message = format!("`{what}` can never match here: the tools table makes it `{capability}`");
        notes.error(
            &place.cloned().unwrap_or(0..0),
            message,
            format!("write `allow: {{tool: {capability}}}`"),
        );
    };
    let places = |n: usize| clause.selector.places.get(n);
    match (&clause.selector.patterns, clause.selector.kind) {
        (Patterns::Names(globs), ActionKind::Tool) => {
            for (n, glob) in globs.iter().enumerate().filter(|(_, glob)| glob.is_exact()) {
                let is_capability = rows.iter().any(|forms| forms.capability == glob.text());
                let row = rows.iter().find(|forms| names(forms).any(|name| name == glob.text()));
                if let Some(forms) = row.filter(|_| !is_capability) {
                    report(places(n), glob.text(), &forms.capability);
                }
            }
        }
        (Patterns::Http(patterns), _) => {
            for (n, pattern) in patterns.iter().enumerate() {
                if let Some(forms) =
                    rows.iter().find(|forms| forms.http.iter().any(|own| own.covers(pattern)))
                {
                    report(places(n), &pattern.to_string(), &forms.capability);
                }
            }
        }
        _ => {}
    }
}

/// The names that a row's forms have by themselves.
fn names(forms: &Forms) -> impl Iterator<Item = String> {
    let mcp = forms.mcp.iter().map(|(server, tool)| format!("{server}.{tool}"));
    mcp.chain(forms.functions.iter().cloned())
}
