//! Tools that a request offers to a model: one that the agent may never call is not offered.

use crate::classify::Offer;
use crate::domain::{Ruling, Target};
use crate::enforce::{Caller, Enforcer};
use crate::pact::{self, Facts, Pact};

/// What becomes of the offers of one request, by their place among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sifted {
    /// They are taken out, and the request goes on.
    pub removed: Vec<usize>,
    /// They are judged as actions of their own: tools that the provider runs, because nobody sees them again, and those
    /// for which the whole request is refused.
    pub judged: Vec<usize>,
}

enum Fate {
    Kept,
    Removed,
    Judged,
}

impl Enforcer {
    /// Sorts the offers of a request. Of an agent that no pact is enforced for, everything is kept: whether it may do
    /// anything at all is decided elsewhere.
    #[must_use]
    pub fn sift(&self, caller: &Caller, offers: &[Offer]) -> Sifted {
        let mut sifted = Sifted::default();
        if offers.is_empty() {
            return sifted;
        }
        let pacts = self.pacts.load();
        let Some(pact) = pacts.governing(&caller.agent).enforcing else { return sifted };
        let tier = self.rooms.tiers.view(&caller.agent).tier;
        let facts = Facts { agent: &caller.agent, tier, at: self.rooms.clock.now() };
        for (number, offer) in offers.iter().enumerate() {
            match fate(pact, offer, &facts) {
                Fate::Kept => {}
                Fate::Removed => sifted.removed.push(number),
                Fate::Judged => sifted.judged.push(number),
            }
        }
        sifted
    }
}

fn fate(pact: &Pact, offer: &Offer, facts: &Facts<'_>) -> Fate {
    let may_be = match offer.action.target {
        Target::Tool(_) => pact::may_ever(pact, &offer.action, facts.tier),
        _ => pact::decide(pact, &offer.action, facts).ruling != Ruling::Deny,
    };
    match (may_be, &offer.action.target) {
        (true, Target::Tool(_)) => Fate::Kept,
        (true, _) => Fate::Judged,
        (false, _) if pact.refuses_unpermitted() || offer.at.is_none() => Fate::Judged,
        (false, _) => Fate::Removed,
    }
}
