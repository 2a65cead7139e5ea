//! Limits: the meters of all agents.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;

use crate::domain::{AgentId, LimitId, PactName, SharedClock};
use crate::limits::meter::{Meter, Undo, reading_of};
use crate::limits::rule::Rule;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Agents with meters. One more than that, while none of them is idle, is refused.
    pub agents_max: usize,
    /// Meters of one agent. One more than that, while none of them is idle, is refused.
    pub meters_max: usize,
}

impl Default for Bounds {
    /// 10,000 agents of 1,000 meters.
    fn default() -> Self {
        Self { agents_max: 10_000, meters_max: 1_000 }
    }
}

/// Too many calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit that stands longest in the way.
    pub limit: LimitId,
    /// How long until every limit of the call has room, if no other call comes first; `None` when waiting does
    /// not help, because a limit allows nothing at this tier.
    pub retry_after: Option<Duration>,
}

/// What is left of one limit of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The agent.
    pub agent: AgentId,
    /// The pact that holds the limit.
    pub pact: PactName,
    /// The limit.
    pub limit: LimitId,
    /// Calls that may be made now.
    pub remaining: u32,
    /// Calls that may be made at once after a pause.
    pub burst: u32,
    /// The time one call takes to come back.
    pub spacing: Duration,
}

/// Counters since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Agents with meters.
    pub agents: usize,
    /// Calls refused for want of a place to count them in.
    pub overflows: u64,
}

/// The limits of all agents. They live here and not with the pacts, so that reloading a pact resets nothing.
#[derive(Debug)]
pub struct Limits {
    agents: DashMap<AgentId, Shared>,
    bounds: Bounds,
    clock: SharedClock,
    overflows: AtomicU64,
}

/// The meters of one agent, under one lock: what makes several limits all-or-nothing.
type Shared = Arc<Mutex<Meters>>;

#[derive(Debug, Default)]
struct Meters {
    meters: Vec<(u64, Meter)>,
    /// Numbers are never used twice, so that a reservation finds its own meters or none.
    numbered: u64,
}

/// One call's place in all its limits. Dropping it spends the call; [`Reservation::cancel`] gives it back.
#[derive(Debug)]
#[must_use = "a reservation that is dropped counts as a call made"]
pub struct Reservation {
    meters: Option<Shared>,
    numbers: Vec<u64>,
}

impl Limits {
    /// No calls counted yet.
    #[must_use]
    pub fn new(bounds: Bounds, clock: SharedClock) -> Self {
        Self { agents: DashMap::new(), bounds, clock, overflows: AtomicU64::new(0) }
    }

    /// Takes one call from every rule, or from none.
    ///
    /// # Errors
    /// [`Exceeded`] when a rule has no room; then nothing was counted against any.
    pub fn reserve(&self, agent: &AgentId, rules: &[Rule<'_>]) -> Result<Reservation, Exceeded> {
        if let Some(rule) = rules.iter().find(|rule| rule.quota().is_none()) {
            return Err(Exceeded { limit: rule.id.clone(), retry_after: None });
        }
        let Some(first) = rules.first() else {
            return Ok(Reservation { meters: None, numbers: Vec::new() });
        };
        let Some(shared) = self.meters_of(agent) else { return Err(self.overflow(first)) };
        let numbers = self.reserve_in(&mut lock(&shared), rules)?;
        Ok(Reservation { meters: Some(shared), numbers })
    }

    fn reserve_in(&self, meters: &mut Meters, rules: &[Rule<'_>]) -> Result<Vec<u64>, Exceeded> {
        let now = reading_of(&self.clock);
        let mut taken: Vec<(u64, Undo)> = Vec::with_capacity(rules.len());
        let mut exceeded: Option<Exceeded> = None;
        for rule in rules {
            let Some((number, meter)) = meters.meter_for(rule, now, self.bounds.meters_max) else {
                exceeded = Some(self.overflow(rule));
                break;
            };
            match meter.take(now) {
                Ok(undo) => taken.push((number, undo)),
                Err(wait) if exceeded.as_ref().is_some_and(|other| other.retry_after >= Some(wait)) => {}
                Err(wait) => exceeded = Some(Exceeded { limit: rule.id.clone(), retry_after: Some(wait) }),
            }
        }
        let Some(exceeded) = exceeded else {
            return Ok(taken.into_iter().map(|(number, _)| number).collect());
        };
        for (number, undo) in taken.into_iter().rev() {
            if let Some(meter) = meters.numbered(number) {
                meter.undo(undo);
            }
        }
        Err(exceeded)
    }

    /// What is left of every limit that was used lately, in the order of agents, pacts and limits.
    #[must_use]
    pub fn remaining(&self) -> Vec<Remaining> {
        let now = reading_of(&self.clock);
        let agents: Vec<_> =
            self.agents.iter().map(|entry| (entry.key().clone(), Arc::clone(entry.value()))).collect();
        let mut all = Vec::new();
        for (agent, shared) in agents {
            for (_, meter) in &lock(&shared).meters {
                let (remaining, burst, spacing) = meter.reading(now);
                let (pact, limit) = (meter.pact.clone(), meter.id.clone());
                all.push(Remaining { agent: agent.clone(), pact, limit, remaining, burst, spacing });
            }
        }
        all.sort_by(|a, b| (&a.agent, &a.pact, &a.limit).cmp(&(&b.agent, &b.pact, &b.limit)));
        all
    }

    /// Forgets agents that have made no call for so long that all their limits are full again. To be called
    /// now and then; memory is bounded without it.
    pub fn sweep(&self) {
        let now = reading_of(&self.clock);
        // The map's own lock is held for each entry, and clones are made only under it: an entry that nobody
        // else holds cannot be in use.
        self.agents.retain(|_, shared| Arc::strong_count(shared) > 1 || !lock(shared).is_idle(now));
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { agents: self.agents.len(), overflows: self.overflows.load(Ordering::Relaxed) }
    }

    fn meters_of(&self, agent: &AgentId) -> Option<Shared> {
        if let Some(known) = self.agents.get(agent) {
            return Some(Arc::clone(known.value()));
        }
        if self.agents.len() >= self.bounds.agents_max {
            self.sweep();
            if self.agents.len() >= self.bounds.agents_max {
                return None;
            }
        }
        Some(Arc::clone(self.agents.entry(agent.clone()).or_default().value()))
    }

    /// No place to count a call in means no call.
    fn overflow(&self, rule: &Rule<'_>) -> Exceeded {
        self.overflows.fetch_add(1, Ordering::Relaxed);
        Exceeded { limit: rule.id.clone(), retry_after: Some(Duration::from_secs(1)) }
    }
}

impl Meters {
    /// The meter of a rule, with the rule's quota in force; `None` when there is no place for one more.
    fn meter_for(&mut self, rule: &Rule<'_>, now: u64, meters_max: usize) -> Option<(u64, &mut Meter)> {
        let quota = rule.quota()?;
        let is_it = |(_, meter): &(u64, Meter)| meter.id == *rule.id && meter.pact == *rule.pact;
        let place = match self.meters.iter().position(is_it) {
            Some(place) => place,
            None => {
                if self.meters.len() >= meters_max {
                    self.meters.retain(|(_, meter)| !meter.is_idle(now));
                }
                if self.meters.len() >= meters_max {
                    return None;
                }
                self.numbered += 1;
                let meter = Meter::new(rule.pact.clone(), rule.id.clone(), quota);
                self.meters.push((self.numbered, meter));
                self.meters.len() - 1
            }
        };
        let (number, meter) = self.meters.get_mut(place)?;
        meter.adopt(quota, now);
        Some((*number, meter))
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Meter> {
        self.meters.iter_mut().find(|(n, _)| *n == number).map(|(_, meter)| meter)
    }

    fn is_idle(&self, now: u64) -> bool {
        self.meters.iter().all(|(_, meter)| meter.is_idle(now))
    }
}

impl Reservation {
    /// Gives the call back, because it was not made after all. What is given back never lets more calls
    /// through than the limits allow over any stretch of time; where calls that came later make that unclear,
    /// a part of one call may stay counted.
    pub fn cancel(mut self) {
        self.close(false);
    }

    fn close(&mut self, is_spent: bool) {
        let Some(shared) = self.meters.take() else { return };
        let mut meters = lock(&shared);
        for number in &self.numbers {
            if let Some(meter) = meters.numbered(*number) {
                meter.close(is_spent);
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(true);
    }
}

/// Nothing that runs under this lock can panic halfway, so a poisoned one guards sound meters.
fn lock(shared: &Shared) -> MutexGuard<'_, Meters> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
