//! The pacts in force: which of them govern an agent.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::AgentId;
use crate::pact::diagnostics::{Diagnostic, Diagnostics};
use crate::pact::index::{Found, Index, Literal};
use crate::pact::pattern::Glob;
use crate::pact::terms::{Mode, Pact};

/// Pacts that are in force together.
#[derive(Debug, Default)]
pub struct PactSet {
    pacts: Vec<Arc<Pact>>,
    agents: Index<Glob>,
}

/// The pacts that govern one agent.
#[derive(Clone, Debug)]
pub struct Governing<'a> {
    /// The one whose verdicts are carried out. Without one, the agent may do nothing.
    pub enforcing: Option<&'a Arc<Pact>>,
    /// Those whose verdicts are recorded beside it.
    pub observing: Vec<&'a Arc<Pact>>,
}

impl PactSet {
    /// No pact: no agent may do anything.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Puts pacts in force together.
    ///
    /// # Errors
    /// Every pair of pacts of one name, and every pair of enforcing pacts that both govern some agent.
    pub fn build(pacts: Vec<Pact>) -> Result<Self, Diagnostics> {
        let mut found = same_names(&pacts);
        found.extend(shared_agents(&pacts));
        if !found.is_empty() {
            return Err(found.sorted());
        }
        let patterns = (0..).zip(&pacts).flat_map(|(number, pact)| {
            pact.agents.iter().map(move |(_, glob)| (Literal::of(glob), glob.clone(), number))
        });
        let agents = Index::build(patterns);
        Ok(Self { agents, pacts: pacts.into_iter().map(Arc::new).collect() })
    }

    /// The pacts that govern an agent.
    #[must_use]
    pub fn governing(&self, agent: &AgentId) -> Governing<'_> {
        let mut found = Found::new();
        self.agents.look_up_name(agent.as_str(), |number| found.push(number));
        let mut governing = Governing { enforcing: None, observing: Vec::new() };
        let mut last = None;
        for number in found.sorted() {
            let pact = usize::try_from(*number).ok().and_then(|at| self.pacts.get(at));
            match pact {
                Some(pact) if last != Some(number) && pact.mode == Mode::Enforce => {
                    governing.enforcing = Some(pact)
                }
                Some(pact) if last != Some(number) => governing.observing.push(pact),
                _ => {}
            }
            last = Some(number);
        }
        governing
    }

    /// Every pact, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Pact>> {
        self.pacts.iter()
    }

    /// How many pacts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pacts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pacts.is_empty()
    }
}

fn same_names(pacts: &[Pact]) -> Diagnostics {
    let mut found = Diagnostics::default();
    let mut names: HashMap<&str, &Pact> = HashMap::new();
    for pact in pacts {
        match names.get(pact.name.as_str()) {
            Some(first) => {
                let message = format!("pact `{}` is also in {}", pact.name, first.file());
                let place = pact.agents.first().map_or(0..0, |(place, _)| place.clone());
                found.push(
                    Diagnostic::error(&pact.file, place, message).remedy("give each pact its own name"),
                );
            }
            None => {
                names.insert(pact.name.as_str(), pact);
            }
        }
    }
    found
}

fn shared_agents(pacts: &[Pact]) -> Diagnostics {
    let mut found = Diagnostics::default();
    let enforcing: Vec<&Pact> = pacts.iter().filter(|pact| pact.mode == Mode::Enforce).collect();
    for (n, second) in enforcing.iter().enumerate() {
        for first in enforcing.iter().take(n) {
            for (place, own) in &second.agents {
                let Some((_, other)) = first.agents.iter().find(|(_, other)| other.overlaps(own)) else {
                    continue;
                };
                let message = format!(
                    "`{own}` is also governed by pact `{}` in {}, by `{other}`; one pact enforces",
                    first.name,
                    first.file()
                );
                let remedy =
                    "name agents that no other pact governs, or write `mode: observe` in one of the two";
                found.push(Diagnostic::error(&second.file, place.clone(), message).remedy(remedy));
            }
        }
    }
    found
}
