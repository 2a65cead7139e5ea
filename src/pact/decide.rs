//! What a pact says of an action. Pure, and total: there is an answer for everything.

use crate::domain::{
    Action, AgentId, ClauseId, Family, Reason, Ruling, Target, Timestamp, TrustTier, Verdict,
};
use crate::pact::condition::Subject;
use crate::pact::constraint::Outcome;
use crate::pact::index::Found;
use crate::pact::terms::{Clause, Pact};
use crate::pact::tools::Naming;

/// The most conditions that a verdict tells could not be evaluated.
const FAULTS_MAX: usize = 32;

/// What is known when an action is judged.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who acts.
    pub agent: &'a AgentId,
    /// How far the agent is trusted now.
    pub tier: TrustTier,
    /// When.
    pub at: Timestamp,
}

/// What the pact says of the action.
///
/// Of all clauses that match, deny beats ask and ask beats allow; the verdict names every clause that decided. What no
/// clause speaks of is denied. A condition that cannot be evaluated fails in an allow clause, and counts as met in an
/// ask or deny clause.
#[must_use]
pub fn decide(pact: &Pact, action: &Action, facts: &Facts<'_>) -> Verdict {
    let naming = pact.tools.naming(&action.target);
    let mut tally = Tally::new(facts.tier);
    let mut found = Found::new();
    if let Target::Protocol { family, of, .. } = &action.target {
        openings(pact, *family, of, &mut found);
        each(found.sorted(), |number| tally.open(number));
        return tally.verdict(pact, action, naming);
    }
    candidates(pact, action, &naming, &mut found);
    let subject = Subject {
        agent: facts.agent,
        tier: facts.tier,
        at: facts.at,
        action,
        capability: naming.capability.as_deref(),
    };
    // Found, but permitting something else: an `opaque` pattern without the endpoint's path. Such a clause may still
    // put a question to what another one permits.
    let mut restraining = Found::new();
    let is_opaque = matches!(action.target, Target::Opaque { .. });
    each(found.sorted(), |number| {
        let Some(clause) = pact.clause(number) else { return };
        let counts = !is_opaque || clause.ruling == Ruling::Deny;
        if counts || clause.selector.permits(&action.target, &naming) {
            weigh(clause, &subject, &mut tally.faults).count_in(clause, number, &mut tally);
        } else if clause.ruling == Ruling::Ask {
            restraining.push(number);
        }
    });
    each(restraining.sorted(), |number| {
        if let Some(clause) = pact.clause(number) {
            weigh(clause, &subject, &mut tally.faults).restrain_in(clause, number, &mut tally);
        }
    });
    tally.verdict(pact, action, naming)
}

/// Whether the agent could be allowed or asked to do this with some arguments: whether a tool of that name may be put
/// before its model, or be seen in a list. What is forbidden whatever its arguments are, and what no clause speaks of at
/// this tier, is not.
#[must_use]
pub fn may_ever(pact: &Pact, action: &Action, tier: TrustTier) -> bool {
    let naming = pact.tools.naming(&action.target);
    let mut found = Found::new();
    candidates(pact, action, &naming, &mut found);
    let (mut opens, mut closes) = (false, false);
    each(found.sorted(), |number| {
        let Some(clause) = pact.clause(number) else { return };
        match clause.says_at(tier) {
            Some(Ruling::Allow | Ruling::Ask) => opens = true,
            Some(Ruling::Deny) => closes |= clause.is_unconditional,
            None => {}
        }
    });
    tier != TrustTier::Suspended && opens && !closes
}

/// Every number once; they are sorted.
fn each(numbers: &[u32], mut visit: impl FnMut(u32)) {
    let mut last = None;
    for number in numbers {
        if last != Some(number) {
            visit(*number);
        }
        last = Some(number);
    }
}

/// The clauses that speak of the action.
pub(super) fn candidates(pact: &Pact, action: &Action, naming: &Naming, found: &mut Found) {
    let restrains = |number: u32| pact.clause(number).is_some_and(|clause| clause.ruling != Ruling::Allow);
    if let Some(capability) = &naming.capability {
        pact.index.tools(capability, |number| found.push(number));
    }
    if let Some(natural) = &naming.natural {
        pact.index.tools(natural, |number| {
            if restrains(number) {
                found.push(number)
            }
        });
    }
    // What the table makes a tool is allowed as a tool or not at all; clauses of its own kind still restrain it.
    let counts = |number: u32| !naming.is_mapped || restrains(number);
    pact.index.others(&action.target, |number| {
        if counts(number) {
            found.push(number)
        }
    });
}

fn openings(pact: &Pact, family: Family, of: &str, found: &mut Found) {
    let index = match family {
        Family::Mcp => &pact.openings.mcp_servers,
        Family::Model => &pact.openings.model_providers,
        Family::Agent => &pact.openings.agents,
    };
    index.look_up_name(of, |number| found.push(number));
}

/// At which tiers a clause holds, by [`TrustTier::rank`].
pub(crate) struct Holds(pub(crate) [bool; 5]);

/// Whether the clause's constraints and condition hold for the action; what cannot be evaluated is noted.
pub(crate) fn weigh(clause: &Clause, subject: &Subject<'_>, faults: &mut Vec<(ClauseId, String)>) -> Holds {
    let fields = &subject.action.fields;
    let all = clause.constraints.iter().fold(Outcome::Met, |all, c| all.and(c.outcome(fields)));
    let unknown_counts = clause.ruling != Ruling::Allow;
    if all == Outcome::Unmet {
        return Holds([false; 5]);
    }
    let mut note = |why: String| {
        if faults.len() < FAULTS_MAX {
            faults.push((clause.id.clone(), why));
        }
    };
    let mut holds = Holds([true; 5]);
    let mut fault = None;
    if let Some(condition) = &clause.condition {
        let evaluate = |tier| condition.evaluate(&Subject { tier, ..*subject });
        let mut now = evaluate(subject.tier);
        if condition.reads_tier() {
            for (cell, tier) in holds.0.iter_mut().zip(TrustTier::ALL) {
                *cell = evaluate(tier).unwrap_or(unknown_counts);
            }
        } else {
            holds = Holds([*now.as_ref().unwrap_or(&unknown_counts); 5]);
        }
        if now == Ok(false) {
            return holds.given(all, unknown_counts);
        }
        fault = now.as_mut().err().map(std::mem::take);
    }
    if let Outcome::Unknown(_) = all {
        for constraint in &clause.constraints {
            if let Outcome::Unknown(why) = constraint.outcome(fields) {
                note(format!("`{}` {why}", constraint.field));
            }
        }
    }
    fault.into_iter().for_each(note);
    holds.given(all, unknown_counts)
}

impl Holds {
    /// The same, given what the constraints say.
    fn given(self, constraints: Outcome, unknown_counts: bool) -> Self {
        match constraints {
            Outcome::Met => self,
            Outcome::Unknown(_) if unknown_counts => self,
            Outcome::Unknown(_) | Outcome::Unmet => Self([false; 5]),
        }
    }

    fn at(&self, tier: TrustTier) -> bool {
        self.0.get(usize::from(tier.rank())).copied().unwrap_or(false)
    }

    fn count_in(&self, clause: &Clause, number: u32, tally: &mut Tally) {
        for (cell, tier) in tally.by_tier.iter_mut().zip(TrustTier::ALL) {
            if self.at(tier) {
                *cell = (*cell).max(clause.says_at(tier));
            }
        }
        if self.at(tally.tier) {
            match clause.says_at(tally.tier) {
                Some(Ruling::Allow) => tally.allowing.push(number),
                Some(Ruling::Ask) => tally.asking.push(number),
                Some(Ruling::Deny) => tally.denying.push(number),
                None => tally.withheld.push(number),
            }
        } else if TrustTier::ALL.iter().any(|tier| *tier > tally.tier && self.at(*tier)) {
            // Its condition reads the tier, and would hold at a higher one.
            if clause.ruling != Ruling::Deny {
                tally.withheld.push(number);
            }
        }
    }

    /// Counts a clause that asks about what others permit, and permits nothing itself.
    fn restrain_in(&self, clause: &Clause, number: u32, tally: &mut Tally) {
        let now = usize::from(tally.tier.rank());
        let is_permitted = tally.by_tier.get(now).copied().flatten().is_some();
        for (cell, tier) in tally.by_tier.iter_mut().zip(TrustTier::ALL) {
            if cell.is_some() && self.at(tier) {
                *cell = (*cell).max(clause.says_at(tier));
            }
        }
        if is_permitted && self.at(tally.tier) && clause.says_at(tally.tier) == Some(Ruling::Ask) {
            tally.asking.push(number);
        }
    }
}

/// The clauses that match, by what they say.
struct Tally {
    tier: TrustTier,
    /// What the pact would say at each tier, by rank.
    by_tier: [Option<Ruling>; 5],
    allowing: Found,
    asking: Found,
    denying: Found,
    /// Clauses that would allow or ask at a higher tier.
    withheld: Found,
    faults: Vec<(ClauseId, String)>,
}

impl Tally {
    const fn new(tier: TrustTier) -> Self {
        Self {
            tier,
            by_tier: [None; 5],
            allowing: Found::new(),
            asking: Found::new(),
            denying: Found::new(),
            withheld: Found::new(),
            faults: Vec::new(),
        }
    }

    /// A clause that opens the way for a protocol's own messages, at every tier.
    fn open(&mut self, number: u32) {
        self.by_tier = [Some(Ruling::Allow); 5];
        self.allowing.push(number);
    }

    fn verdict(mut self, pact: &Pact, action: &Action, naming: Naming) -> Verdict {
        // A suspended agent may do nothing, whatever clauses say.
        let acting = TrustTier::ALL.into_iter().skip(1);
        let ruling_at = |tier: TrustTier| {
            let said = self.by_tier.get(usize::from(tier.rank())).copied().flatten();
            said.unwrap_or(Ruling::Deny)
        };
        let suspended = self.tier == TrustTier::Suspended;
        let ruling = if suspended { Ruling::Deny } else { ruling_at(self.tier) };
        let tier_mattered = acting.clone().any(|tier| ruling_at(tier) != ruling);
        let higher = acting.filter(|tier| *tier > self.tier && ruling != Ruling::Allow);
        let needs_tier = higher.clone().find(|tier| ruling_at(*tier) == Ruling::Allow);
        let nothing = Found::new();
        let (mut deciding, reason) = match ruling {
            _ if suspended => (nothing, Some(Reason::Suspended)),
            Ruling::Allow => (self.allowing, None),
            Ruling::Ask => (self.asking, Some(Reason::ApprovalRequired)),
            Ruling::Deny if !self.denying.sorted().is_empty() => (self.denying, Some(Reason::Denied)),
            Ruling::Deny if !self.withheld.sorted().is_empty() => (self.withheld, Some(Reason::TierTooLow)),
            Ruling::Deny if matches!(action.target, Target::Opaque { .. }) => (nothing, Some(Reason::Opaque)),
            Ruling::Deny => (nothing, Some(Reason::NoClause)),
        };
        let mut clauses = Vec::new();
        let mut approvers: Vec<String> = Vec::new();
        each(deciding.sorted(), |number| {
            let Some(clause) = pact.clause(number) else { return };
            clauses.push(clause.id.clone());
            if ruling == Ruling::Ask {
                for approver in &clause.approvers {
                    if !approvers.contains(approver) {
                        approvers.push(approver.clone());
                    }
                }
            }
        });
        Verdict {
            ruling,
            clauses,
            reason,
            capability: naming.capability,
            tier_mattered,
            needs_tier,
            approvers,
            faults: self.faults,
        }
    }
}
