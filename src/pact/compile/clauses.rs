//! Clauses: each complete, each able to match, each with its own id.

use crate::domain::{ActionKind, ClauseId, Ruling, TrustTier};
use crate::pact::compile::{Notes, constraints, selectors};
use crate::pact::condition::{Condition, Finding};
use crate::pact::document::Place;
use crate::pact::reader::{At, Many};
use crate::pact::source;
use crate::pact::terms::Clause;

pub(super) fn compile(spec: &source::Spec, notes: &mut Notes<'_>) -> Vec<Clause> {
    let Some((_, written)) = spec.clauses.as_ref().and_then(At::read) else { return vec![] };
    let ids = written.iter().filter_map(|clause| clause.get()?.id.as_ref()?.read());
    notes.unique("clause", ids.map(|(place, id)| (place, id.as_str())));
    written
        .iter()
        .filter_map(At::read)
        .filter_map(|(place, clause)| clause_of(place, clause, notes))
        .collect()
}

fn clause_of(place: &Place, source: &source::Clause, notes: &mut Notes<'_>) -> Option<Clause> {
    let id =
        notes.required(place, "id", source.id.as_ref()).and_then(|(place, text)| match ClauseId::new(text) {
            Ok(id) => Some(id),
            Err(error) => {
                notes.error(place, error.to_string(), "use letters, digits, `-`, `_` and `.`, at most 100");
                None
            }
        });
    let (ruling, written) = ruling(place, source, notes)?;
    let selector = selectors::compile(written, notes);
    let kind = selector.as_ref().map_or(ActionKind::Tool, |selector| selector.kind);
    let constraints = constraints::compile(kind, source.constraints.as_ref(), notes);
    let condition = source.when.as_ref().and_then(|when| condition_of(when, kind, notes));
    let floor = floor(ruling, source, notes);
    let asks_below = matches!(source.below.as_ref().and_then(At::get), Some(source::Below::Ask));
    let approvers = approvers(ruling == Ruling::Ask || asks_below, source, notes);
    let (id, selector) = (id?, selector?);
    // As written: a condition that could not be compiled is one nevertheless.
    let is_unconditional = source.constraints.is_none() && source.when.is_none() && source.tier.is_none();
    Some(Clause {
        id,
        ruling,
        selector,
        constraints,
        condition,
        floor,
        asks_below,
        approvers,
        is_unconditional,
    })
}

fn ruling<'s>(
    place: &Place,
    source: &'s source::Clause,
    notes: &mut Notes<'_>,
) -> Option<(Ruling, &'s At<source::Selector>)> {
    let given = [(Ruling::Allow, &source.allow), (Ruling::Ask, &source.ask), (Ruling::Deny, &source.deny)];
    let mut given =
        given.into_iter().filter_map(|(ruling, value)| value.as_ref().map(|value| (ruling, value)));
    let first = given.next();
    if first.is_none() {
        let place = place.start..place.start.saturating_add(1);
        notes.error(&place, "the clause says nothing", "add one of `allow`, `ask`, `deny`");
    }
    if let Some((ruling, second)) = given.next() {
        let message = format!("the clause says `{ruling}` beside something else");
        notes.error(&second.place, message, "write one clause for each");
    }
    first
}

fn condition_of(when: &At<String>, kind: ActionKind, notes: &mut Notes<'_>) -> Option<Condition> {
    let (place, text) = when.read()?;
    match Condition::compile(text, kind) {
        Ok(condition) => Some(condition),
        Err(findings) => {
            for finding in findings {
                let at = within(notes, place, text, &finding);
                notes.error(&at, finding.message, finding.remedy);
            }
            None
        }
    }
}

/// Where a finding stands in the file: exactly, when the expression stands there as it is; else all of it.
fn within(notes: &Notes<'_>, place: &Place, text: &str, finding: &Finding) -> Place {
    let written = notes.file.text().get(place.clone()).unwrap_or_default();
    match (finding.at, written.find(text)) {
        (Some(at), Some(start)) => {
            let from = place.start + start + at.min(text.len());
            from..from + 1
        }
        _ => place.clone(),
    }
}

fn floor(ruling: Ruling, source: &source::Clause, notes: &mut Notes<'_>) -> Option<TrustTier> {
    if let Some(below) = &source.below {
        if source.tier.is_none() {
            notes.error(
                &below.place,
                "`below` without `tier` never applies",
                "add `tier`, or leave `below` out",
            );
        }
        if ruling != Ruling::Allow {
            let message = format!("`below` in a clause that says `{ruling}` has no effect");
            notes.error(&below.place, message, "leave it out: under its tier such a clause says nothing");
        }
    }
    let (place, tier) = source.tier.as_ref()?.read()?;
    if ruling == Ruling::Deny {
        notes.error(
            place,
            "a prohibition holds at every tier",
            "leave `tier` out, or use `when` with `tier`",
        );
    }
    Some(match tier {
        source::Tier::Restricted => {
            let message = "`tier: restricted` withholds nothing: no lower tier may act";
            notes.warn(place, message, "leave it out, or name a higher tier");
            TrustTier::Restricted
        }
        source::Tier::Probation => TrustTier::Probation,
        source::Tier::Standard => TrustTier::Standard,
        source::Tier::Trusted => TrustTier::Trusted,
    })
}

fn approvers(asks: bool, source: &source::Clause, notes: &mut Notes<'_>) -> Vec<String> {
    let Some((place, Many(names))) = source.approvers.as_ref().and_then(At::read) else { return vec![] };
    if !asks {
        notes.error(
            place,
            "nobody is asked by this clause",
            "leave `approvers` out, or write `ask` or `below: ask`",
        );
    }
    if names.is_empty() {
        notes.error(place, "an empty list names nobody", "name who may say yes, or leave `approvers` out");
    }
    names.iter().filter_map(|name| name.get().cloned()).collect()
}
