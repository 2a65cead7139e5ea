//! Limits: something that is counted, and something that binds.

use crate::domain::{ActionKind, LimitId, TrustTier};
use crate::pact::compile::{Notes, selectors};
use crate::pact::constraint::Field;
use crate::pact::document::Place;
use crate::pact::limit::{Limit, Rate};
use crate::pact::reader::At;
use crate::pact::source;

pub(super) fn compile(spec: &source::Spec, notes: &mut Notes<'_>) -> Vec<Limit> {
    let Some((_, written)) = spec.limits.as_ref().and_then(At::read) else { return vec![] };
    let ids = written.iter().filter_map(|limit| limit.get()?.id.as_ref()?.read());
    notes.unique("limit", ids.map(|(place, id)| (place, id.as_str())));
    written.iter().filter_map(At::read).filter_map(|(place, limit)| limit_of(place, limit, notes)).collect()
}

fn limit_of(place: &Place, source: &source::Limit, notes: &mut Notes<'_>) -> Option<Limit> {
    let id =
        notes.required(place, "id", source.id.as_ref()).and_then(|(place, text)| match LimitId::new(text) {
            Ok(id) => Some(id),
            Err(error) => {
                notes.error(place, error.to_string(), "use letters, digits, `-`, `_` and `.`, at most 100");
                None
            }
        });
    notes.required(place, "on", source.on.as_ref());
    let selector = source.on.as_ref().and_then(|on| selectors::compile(on, notes));
    if source.rate.is_none() && source.budget.is_none() {
        let start = place.start..place.start.saturating_add(1);
        notes.error(&start, "a threshold is missing: the limit binds nothing", "add `rate` or `budget`");
    }
    let rates = source.rate.as_ref().map_or([None; 5], |rate| rates(rate, notes));
    burst(source, notes);
    if let Some((place, budget)) = source.budget.as_ref().and_then(At::read) {
        check_budget(place, budget, selector.as_ref().map(|selector| selector.kind), notes);
    }
    let burst = source.burst.as_ref().and_then(|burst| burst.get().copied());
    Some(Limit { id: id?, selector: selector?, burst, rates, has_rate: source.rate.is_some() })
}

fn rates(at: &At<source::Rates>, notes: &mut Notes<'_>) -> [Option<Rate>; 5] {
    let mut rates = [None; 5];
    let Some((place, source)) = at.read() else { return rates };
    let tiers = [
        (TrustTier::Trusted, &source.trusted),
        (TrustTier::Standard, &source.standard),
        (TrustTier::Probation, &source.probation),
        (TrustTier::Restricted, &source.restricted),
    ];
    let mut unreadable = false;
    for (tier, text) in tiers {
        let Some(at) = text else { continue };
        let Some((place, text)) = at.read() else {
            unreadable = true;
            continue;
        };
        match Rate::parse(text) {
            Some(rate) => {
                if let Some(cell) = rates.get_mut(usize::from(tier.rank())) {
                    *cell = Some(rate);
                }
            }
            None => {
                unreadable = true;
                notes.error(
                    place,
                    format!("`{text}` is no rate"),
                    "write one such as `120/min`: units are `s`, `min`, `h`, `day`",
                );
            }
        }
    }
    if !unreadable && rates.iter().flatten().all(|rate| rate.count == 0) {
        let remedy = "give a tier a rate, or write a deny clause";
        notes.error(place, "a rate of zero for every tier lets nothing through", remedy);
    }
    rates
}

fn burst(source: &source::Limit, notes: &mut Notes<'_>) {
    let Some((place, burst)) = source.burst.as_ref().and_then(At::read) else { return };
    if *burst == 0 {
        notes.error(place, "a burst of zero lets nothing through", "write 1 or more, or leave `burst` out");
    }
    if source.rate.is_none() {
        notes.error(place, "`burst` without `rate` never applies", "add `rate`, or leave `burst` out");
    }
}

fn check_budget(place: &Place, source: &source::Budget, kind: Option<ActionKind>, notes: &mut Notes<'_>) {
    notes.required(place, "per", source.per.as_ref());
    let simple =
        [source.usd.is_some(), source.tokens.is_some(), source.requests.is_some(), source.bytes.is_some()];
    let units = simple.into_iter().filter(|given| *given).count() + usize::from(source.sum.is_some());
    if units != 1 {
        let remedy = "write one of `usd`, `tokens`, `requests`, `bytes`, or `sum` with `max`";
        notes.error(place, "a budget counts one thing", remedy);
    }
    if source.sum.is_some() != source.max.is_some() {
        notes.error(place, "`sum` and `max` go together", "write `sum: args.amount, max: 2000`");
    }
    if let Some((place, text)) = source.sum.as_ref().and_then(At::read) {
        let field = Field::new(text);
        let known = kind.is_none_or(|kind| super::fields::field_type(kind, field.names()).is_some());
        if !known {
            notes.error(
                place,
                format!("unknown field `{text}`"),
                format!("write `args.{text}` for an argument"),
            );
        }
    }
    let zero = crate::domain::Decimal::from(0);
    for number in [source.usd.as_ref(), source.max.as_ref()].into_iter().flatten() {
        if let Some((place, number)) = number.read()
            && number.0 <= zero
        {
            notes.error(
                place,
                "a budget of nothing lets nothing through",
                "write more than 0, or a deny clause",
            );
        }
    }
    for whole in
        [source.tokens.as_ref(), source.requests.as_ref(), source.bytes.as_ref()].into_iter().flatten()
    {
        if let Some((place, 0)) = whole.read() {
            notes.error(
                place,
                "a budget of nothing lets nothing through",
                "write more than 0, or a deny clause",
            );
        }
    }
}
