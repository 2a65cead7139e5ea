//! Obligations and data rules: complete, decidable, and with a consequence.

use crate::domain::Decimal;
use crate::pact::compile::Notes;
use crate::pact::document::Place;
use crate::pact::reader::{At, Many, Number};
use crate::pact::source::{DataRule, Obligation, Spec};

/// The 95 % one-sided quantile of the normal distribution: the confidence with which obligations are judged.
const Z: f64 = 1.645;

pub(super) fn check(spec: &Spec, notes: &mut Notes<'_>) {
    if let Some((_, rules)) = spec.data.as_ref().and_then(At::read) {
        let ids = rules.iter().filter_map(|rule| rule.get()?.id.as_ref()?.read());
        notes.unique("data rule", ids.map(|(place, id)| (place, id.as_str())));
        rules.iter().filter_map(At::read).for_each(|(place, rule)| data_rule(place, rule, notes));
    }
    if let Some((_, obligations)) = spec.obligations.as_ref().and_then(At::read) {
        let ids = obligations.iter().filter_map(|obligation| obligation.get()?.id.as_ref()?.read());
        notes.unique("obligation", ids.map(|(place, id)| (place, id.as_str())));
        obligations.iter().filter_map(At::read).for_each(|(place, each)| obligation(place, each, notes));
    }
}

fn data_rule(place: &Place, rule: &DataRule, notes: &mut Notes<'_>) {
    notes.required(place, "id", rule.id.as_ref());
    notes.required(place, "then", rule.then.as_ref());
    if let Some((place, Many(detectors))) = notes.required(place, "find", rule.find.as_ref())
        && detectors.is_empty()
    {
        notes.error(place, "an empty list finds nothing", "name what to look for");
    }
    if let Some((place, Many(passages))) = notes.required(place, "in", rule.passages.as_ref())
        && passages.is_empty()
    {
        notes.error(place, "an empty list finds nothing", "name where to look");
    }
}

fn obligation(place: &Place, source: &Obligation, notes: &mut Notes<'_>) {
    let start = place.start..place.start.saturating_add(1);
    notes.required(place, "id", source.id.as_ref());
    notes.required(place, "dimension", source.dimension.as_ref());
    notes.required(place, "window", source.window.as_ref());
    let samples =
        notes.required(place, "min_samples", source.min_samples.as_ref()).map(|(place, n)| (place, *n));
    match (&source.at_least, &source.at_most) {
        (None, None) => notes.error(&start, "the obligation has no threshold", "add `at_least` or `at_most`"),
        (Some(_), Some(second)) => {
            notes.error(&second.place, "an obligation has one threshold", "write one obligation for each");
        }
        _ => {}
    }
    if source.breach.is_none() {
        let place = source.at_least.as_ref().or(source.at_most.as_ref()).map_or(start, |at| at.place.clone());
        notes.error(&place, "a threshold with no consequence", "add `breach: {do: …}`");
    }
    if let Some((place, breach)) = source.breach.as_ref().and_then(At::read) {
        notes.required(place, "do", breach.consequence.as_ref());
        notes.duration(breach.within.as_ref());
    }
    let window = notes.duration(source.window.as_ref());
    let fresh = notes.duration(source.fresh.as_ref());
    if let (Some(window), Some(fresh), Some(at)) = (window, fresh, &source.fresh)
        && fresh > window
    {
        let message = "`fresh` is longer than `window`: samples that old are not counted at all";
        notes.error(&at.place, message, "write a time within the window");
    }
    let best = source.at_least.as_ref().and_then(|at| share(at, notes));
    let worst = source.at_most.as_ref().and_then(|at| share(at, notes)).map(|most| 1.0 - most);
    if let (Some((place, samples)), Some(level)) = (samples, best.or(worst)) {
        decidable(place, samples, level, notes);
    }
}

/// A threshold as a share; one that nothing can reach or miss is an error.
fn share(at: &At<Number>, notes: &mut Notes<'_>) -> Option<f64> {
    let (place, number) = at.read()?;
    if number.0 <= Decimal::from(0) || number.0 >= Decimal::from(1) {
        let message = format!("no number of samples can decide a share of {}", number.0);
        notes.error(place, message, "write a share between 0 and 1, such as 0.95");
        return None;
    }
    Some(number.0.to_f64())
}

/// Even without a single failure, Wilson's lower bound reaches the level only with enough samples.
fn decidable(place: &Place, samples: u64, level: f64, notes: &mut Notes<'_>) {
    let needed = (level * Z * Z / (1.0 - level)).ceil();
    // Compared as doubles: a count of samples beyond their precision decides anything.
    #[expect(clippy::cast_precision_loss, reason = "only the order of magnitude matters so far out")]
    let given = samples as f64;
    if given < needed {
        let message = format!(
            "{samples} samples cannot decide this threshold: even without a failure it takes {needed}"
        );
        notes.error(
            place,
            message,
            format!("write `min_samples: {needed}` or more, or a threshold further from the end"),
        );
    }
}
