//! Parts that are read and checked, and not enforced yet. Whoever writes one is told so.

use crate::pact::compile::Notes;
use crate::pact::document::Place;
use crate::pact::reader::At;
use crate::pact::source::Spec;

pub(super) fn check(spec: &Spec, notes: &mut Notes<'_>) {
    let mut warn = |place: &Place, what: &str, effect: &str| {
        notes.warn(place, format!("{what} is not enforced yet: {effect}"), "do not rely on it");
    };
    if let Some(at) = &spec.escalation {
        warn(&at.place, "`escalation`", "nobody is told");
    }
    let limits: Vec<_> =
        spec.limits.as_ref().and_then(At::get).into_iter().flatten().filter_map(At::get).collect();
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
