//! Decisions: the counters of verdicts, found without building labels on each call.

use std::collections::HashMap;
use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec};

use crate::domain::{ClauseId, Dialect, PactName, Ruling};
use crate::telemetry::metrics::Effect;

const RULINGS: [Ruling; 3] = [Ruling::Allow, Ruling::Ask, Ruling::Deny];
const COMBINATIONS: usize = Dialect::ALL.len() * RULINGS.len() * Effect::ALL.len();

/// The label of a verdict that no clause decided, and of an action that no pact governs.
const NONE: &str = "none";
/// The label of a name that no loaded pact has.
const OTHER: &str = "other";

/// The counters of the pacts that are loaded.
#[derive(Debug)]
pub(super) struct Decisions {
    family: IntCounterVec,
    pacts: HashMap<PactName, OfPact>,
    none: OfPact,
    other: OfPact,
}

#[derive(Debug, Default)]
struct OfPact {
    clauses: HashMap<ClauseId, OfClause>,
    none: OfClause,
    other: OfClause,
}

/// A series exists only once something has happened, since most combinations never happen.
#[derive(Debug, Default)]
struct OfClause(OnceLock<Box<[OnceLock<IntCounter>; COMBINATIONS]>>);

impl Decisions {
    pub(super) fn new<'a>(
        family: IntCounterVec,
        pacts: impl IntoIterator<Item = (&'a PactName, Vec<&'a ClauseId>)>,
    ) -> Self {
        let of_pact = |(name, clauses): (&PactName, Vec<&ClauseId>)| {
            let clauses = clauses.into_iter().map(|clause| (clause.clone(), OfClause::default())).collect();
            (name.clone(), OfPact { clauses, ..OfPact::default() })
        };
        let pacts = pacts.into_iter().map(of_pact).collect();
        Self { family, pacts, none: OfPact::default(), other: OfPact::default() }
    }

    pub(super) fn count(
        &self,
        pact: Option<&PactName>,
        clause: Option<&ClauseId>,
        dialect: Dialect,
        ruling: Ruling,
        effect: Effect,
    ) {
        let (pact_label, of_pact) = match pact {
            None => (NONE, &self.none),
            Some(name) => self.pacts.get(name).map_or((OTHER, &self.other), |found| (name.as_str(), found)),
        };
        let (clause_label, of_clause) = match clause {
            None => (NONE, &of_pact.none),
            Some(id) => of_pact.clauses.get(id).map_or((OTHER, &of_pact.other), |found| (id.as_str(), found)),
        };
        let place =
            (dialect as usize * RULINGS.len() + ruling as usize) * Effect::ALL.len() + effect as usize;
        let counters = of_clause.0.get_or_init(|| Box::new([const { OnceLock::new() }; COMBINATIONS]));
        let Some(counter) = counters.get(place) else { return };
        if let Some(counter) = counter.get() {
            return counter.inc();
        }
        let labels = [pact_label, dialect.name(), ruling.name(), effect.name(), clause_label];
        if let Ok(found) = self.family.get_metric_with_label_values(&labels) {
            counter.get_or_init(|| found).inc();
        }
    }

    /// The labels under which a clause of a loaded pact is counted.
    pub(super) fn labels<'a>(&'a self, pact: &'a PactName, clause: &'a ClauseId) -> [&'a str; 2] {
        match self.pacts.get(pact) {
            None => [OTHER, OTHER],
            Some(known) if known.clauses.contains_key(clause) => [pact.as_str(), clause.as_str()],
            Some(_) => [pact.as_str(), OTHER],
        }
    }

    /// Removes the series of clauses that `next` does not have, so that reloads do not pile them up.
    pub(super) fn retire(&self, next: &Decisions) {
        for (pact, of_pact) in &self.pacts {
            let kept = next.pacts.get(pact);
            for (clause, of_clause) in &of_pact.clauses {
                if !kept.is_some_and(|kept| kept.clauses.contains_key(clause)) {
                    of_clause.remove(&self.family, pact.as_str(), clause.as_str());
                }
            }
            if kept.is_none() {
                of_pact.none.remove(&self.family, pact.as_str(), NONE);
                of_pact.other.remove(&self.family, pact.as_str(), OTHER);
            }
        }
    }
}

impl OfClause {
    fn remove(&self, family: &IntCounterVec, pact: &str, clause: &str) {
        let Some(counters) = self.0.get() else { return };
        let combinations = Dialect::ALL.into_iter().flat_map(|dialect| {
            RULINGS
                .into_iter()
                .flat_map(move |ruling| Effect::ALL.into_iter().map(move |e| (dialect, ruling, e)))
        });
        for (counter, (dialect, ruling, effect)) in counters.iter().zip(combinations) {
            if counter.get().is_some() {
                let labels = [pact, dialect.name(), ruling.name(), effect.name(), clause];
                let _ = family.remove_label_values(&labels);
            }
        }
    }
}
