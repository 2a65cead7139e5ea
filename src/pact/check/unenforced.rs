//! Parts that are read and checked, and not enforced yet. Whoever writes one is told so.

use crate::pact::compile::Notes;
use crate::pact::document::Place;
use crate::pact::reader::{At, Table};
use crate::pact::source::{Selector, Spec};

pub(super) fn check(spec: &Spec, notes: &mut Notes<'_>) {
    let mut warn = |place: &Place, what: &str, effect: &str| {
        notes.warn(place, format!("{what} is not enforced yet: {effect}"), "do not rely on it");
    };
    if let Some(at) = &spec.escalation {
        warn(&at.place, "`escalation`", "nobody is told");
    }
    if let Some((_, Table(rows))) = spec.tools.as_ref().and_then(At::read) {
        let aliases = rows.iter().filter_map(|(_, forms)| forms.get()?.function.as_ref());
        aliases.for_each(|at| {
            warn(&at.place, "a `function` form", "calls that a model asks for are not judged")
        });
    }
    let clauses = spec.clauses.as_ref().and_then(At::get).into_iter().flatten().filter_map(At::get);
    let selectors = clauses.flat_map(|clause| [&clause.allow, &clause.ask, &clause.deny]);
    let limits: Vec<_> =
        spec.limits.as_ref().and_then(At::get).into_iter().flatten().filter_map(At::get).collect();
    let limited = limits.iter().map(|limit| &limit.on);
    for selector in selectors.chain(limited).filter_map(|at| at.as_ref()?.get()) {
        if let Selector { agent: Some(at), .. } = selector {
            warn(&at.place, "`agent`", "calls to other agents are judged as the HTTP calls they are");
        }
    }
    for at in limits.iter().filter_map(|limit| limit.budget.as_ref()) {
        warn(&at.place, "`budget`", "calls pass, however much they use up");
    }
    if let Some(at) = &spec.data {
        warn(&at.place, "`data`", "text passes as it is");
    }
    if let Some(at) = &spec.obligations {
        warn(&at.place, "`obligations`", "the collector does not judge them");
    }
}
