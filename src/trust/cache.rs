//! TierCache: the tiers as last stated, read without a lock.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::domain::{AgentId, SharedClock, Timestamp, TrustTier};
use crate::trust::keeper::Keeper;
use crate::trust::saved::{self, Loaded};
use crate::trust::staleness::{News, Staleness};

/// Agents whose tier is kept. A statement that would exceed it is refused whole, and the news goes stale.
pub const AGENTS_MAX: usize = 50_000;
/// Bytes kept of the collector's reason for a tier.
const WHY_BYTES_MAX: usize = 512;

/// What the collector states of one agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The agent.
    pub agent: AgentId,
    /// Its tier while the news is fresh.
    pub tier: TrustTier,
    /// Mean of the score, 0 to 1, where there is one.
    pub score: Option<f64>,
    /// Lower bound of the score: what the tier rests on.
    pub lower: Option<f64>,
    /// Confidence in the score, 0 to 1.
    pub confidence: Option<f64>,
    /// When the collector computed it.
    pub computed_at: Option<Timestamp>,
    /// The collector's reason, for people. Cut to 512 bytes.
    pub why: String,
}

/// The tier of one agent now, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierView {
    /// The tier that counts.
    pub tier: TrustTier,
    /// The tier as last stated; `probation` for an agent of whom nothing was.
    pub stated: TrustTier,
    /// How old the collector's newest word is; `None` when there is none, when nobody can date it, and where
    /// the config fixes the tier.
    pub age: Option<Duration>,
    /// Whether stale or missing news holds `tier` below `stated`.
    pub sunk: bool,
}

/// A tier that a statement moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose tier.
    pub agent: AgentId,
    /// Stated before; `probation` for an agent of whom nothing was.
    pub from: TrustTier,
    /// Stated now.
    pub to: TrustTier,
}

/// Why a statement was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// It is as old as the last one, or older: a replay, or a collector that lost its data.
    #[error("statement {got} is not newer than statement {have}, which was already heard")]
    NotNewer {
        /// Serial of the newest statement taken.
        have: u64,
        /// Serial of this one.
        got: u64,
    },
    /// It speaks of more agents than are kept.
    #[error("statement speaks of more than {AGENTS_MAX} agents")]
    TooManyAgents,
    /// The config fixes the tier, so nobody may state another.
    #[error("the tier is fixed by the configuration")]
    Fixed,
}

/// How old the news is, for readiness and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The config fixes the tier; there is no news to grow old.
    Fixed(TrustTier),
    /// Tiers come from a collector.
    Fed {
        /// How old its newest word is.
        news: News,
        /// The highest tier which that supports.
        ceiling: TrustTier,
    },
}

/// Counters since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Serial of the newest statement taken.
    pub serial: u64,
    /// Agents with a stated tier.
    pub agents: usize,
    /// Statements taken, heartbeats included.
    pub applied: u64,
    /// Statements refused.
    pub refused: u64,
    /// Failed attempts to write the file of tiers.
    pub write_failures: u64,
    /// 1 when the file of tiers could not be used at start.
    pub load_faults: u64,
}

/// The tiers of all agents, as last stated by the collector and kept on disk, or fixed by the config.
#[derive(Debug)]
pub struct TierCache {
    source: Source,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
enum Source {
    Fixed(TrustTier),
    Fed(Fed),
}

#[derive(Debug)]
struct Fed {
    rule: Staleness,
    initial: TrustTier,
    clock: SharedClock,
    started: Duration,
    /// Read without a lock. Replaced only under `applying`, so that no statement overwrites another.
    state: Arc<ArcSwap<State>>,
    applying: Mutex<()>,
    applied: AtomicU64,
    refused: AtomicU64,
    load_faults: u64,
    keeper: Keeper,
}

/// Everything known at one moment. Never changed, only replaced.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) serial: u64,
    pub(super) heard: Heard,
    pub(super) agents: Arc<HashMap<AgentId, Standing>>,
}

/// When the newest statement was heard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    Never,
    Undatable,
    At {
        /// Wall clock then: what a later run counts from.
        wall: Timestamp,
        /// Monotonic clock then: what this run counts from.
        monotonic: Duration,
        /// How old the statement was already.
        age: Duration,
    },
}

impl TierCache {
    /// Opens the cache over its file. A missing file means that nothing was heard yet; so does a broken or
    /// newer one, which is counted and logged. Writing happens on a thread of its own.
    #[must_use]
    pub fn open(file: PathBuf, rule: Staleness, initial: TrustTier, clock: SharedClock) -> Self {
        let (state, load_faults) = match saved::load(&file, clock.now(), clock.monotonic()) {
            Loaded::State(state) => (state, 0),
            Loaded::Nothing => (State::never(), 0),
            Loaded::Unusable(why) => {
                let file = file.display();
                tracing::error!(%file, why, "the file of tiers is unusable; going on as if none was heard");
                (State::never(), 1)
            }
        };
        let state = Arc::new(ArcSwap::from_pointee(state));
        let keeper = Keeper::start(file, Arc::clone(&state));
        let started = clock.monotonic();
        let fed = Fed {
            rule,
            initial,
            clock,
            started,
            state,
            applying: Mutex::new(()),
            applied: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            load_faults,
            keeper,
        };
        Self { source: Source::Fed(fed), changes: watch::Sender::new(0) }
    }

    /// A cache that gives every agent one tier, for a sidecar without a collector.
    #[must_use]
    pub fn fixed(tier: TrustTier) -> Self {
        Self { source: Source::Fixed(tier), changes: watch::Sender::new(0) }
    }

    /// The tier of an agent now. Takes no lock.
    #[must_use]
    pub fn view(&self, agent: &AgentId) -> TierView {
        let fed = match &self.source {
            Source::Fixed(tier) => return TierView { tier: *tier, stated: *tier, age: None, sunk: false },
            Source::Fed(fed) => fed,
        };
        let state = fed.state.load();
        let stated = state.agents.get(agent).map_or(fed.initial, |standing| standing.tier);
        let news = fed.news(&state);
        let tier = fed.rule.sink(stated, news);
        let age = match news {
            News::Aged(age) => Some(age),
            News::Never(_) | News::Undatable => None,
        };
        TierView { tier, stated, age, sunk: tier < stated }
    }

    /// Takes a verified statement of the collector: one with no entries is a heartbeat, a full one replaces
    /// everything stated before. The age of the news counts from `issued_at`, so a statement held up on its
    /// way is as old as it is. Returns the tiers that moved.
    ///
    /// # Errors
    /// [`NotApplied`] when the serial is not above the last one, or there are too many agents; nothing changes.
    pub fn apply(
        &self,
        serial: u64,
        issued_at: Timestamp,
        full: bool,
        entries: Vec<Standing>,
    ) -> Result<Vec<Change>, NotApplied> {
        let Source::Fed(fed) = &self.source else { return Err(NotApplied::Fixed) };
        let outcome = fed.apply(serial, issued_at, full, entries);
        let counter = if outcome.is_ok() { &fed.applied } else { &fed.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        if outcome.as_ref().is_ok_and(|changes| !changes.is_empty()) {
            self.changes.send_modify(|generation| *generation = generation.wrapping_add(1));
        }
        outcome
    }

    /// Wakes whenever a statement moved a tier. Sinking by age does not wake anybody: look again now and then.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How old the news is.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        match &self.source {
            Source::Fixed(tier) => Freshness::Fixed(*tier),
            Source::Fed(fed) => {
                let news = fed.news(&fed.state.load());
                Freshness::Fed { news, ceiling: fed.rule.ceiling(news) }
            }
        }
    }

    /// What was stated of every agent, in the order of their ids.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let Source::Fed(fed) = &self.source else { return Vec::new() };
        let mut all: Vec<_> = fed.state.load().agents.values().cloned().collect();
        all.sort_by(|a, b| a.agent.cmp(&b.agent));
        all
    }

    #[cfg(test)]
    pub(super) fn write_failures(&self) -> Option<Arc<AtomicU64>> {
        match &self.source {
            Source::Fixed(_) => None,
            Source::Fed(fed) => Some(fed.keeper.counter()),
        }
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Source::Fed(fed) = &self.source else { return Stats::default() };
        let state = fed.state.load();
        Stats {
            serial: state.serial,
            agents: state.agents.len(),
            applied: fed.applied.load(Ordering::Relaxed),
            refused: fed.refused.load(Ordering::Relaxed),
            write_failures: fed.keeper.failures(),
            load_faults: fed.load_faults,
        }
    }
}

impl Fed {
    fn news(&self, state: &State) -> News {
        let now = self.clock.monotonic();
        match state.heard {
            Heard::Never => News::Never(now.saturating_sub(self.started)),
            Heard::Undatable => News::Undatable,
            Heard::At { monotonic, age, .. } => News::Aged(age.saturating_add(now.saturating_sub(monotonic))),
        }
    }

    fn apply(
        &self,
        serial: u64,
        issued_at: Timestamp,
        full: bool,
        entries: Vec<Standing>,
    ) -> Result<Vec<Change>, NotApplied> {
        // Nothing that runs under this lock can panic halfway, so a poisoned one guards a sound state.
        let _applying = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.state.load_full();
        if serial <= before.serial {
            return Err(NotApplied::NotNewer { have: before.serial, got: serial });
        }
        let agents = match (full, entries.is_empty()) {
            (false, true) => Arc::clone(&before.agents),
            (false, false) => merge(HashMap::clone(&before.agents), entries)?,
            (true, _) => merge(HashMap::new(), entries)?,
        };
        let changes = self.changes_between(&before.agents, &agents);
        let wall = self.clock.now();
        let heard = Heard::At { wall, monotonic: self.clock.monotonic(), age: wall.since(issued_at) };
        let is_heartbeat = Arc::ptr_eq(&before.agents, &agents);
        self.state.store(Arc::new(State { serial, heard, agents }));
        self.keeper.wake(is_heartbeat, self.clock.monotonic());
        Ok(changes)
    }

    fn changes_between(
        &self,
        before: &Arc<HashMap<AgentId, Standing>>,
        after: &Arc<HashMap<AgentId, Standing>>,
    ) -> Vec<Change> {
        if Arc::ptr_eq(before, after) {
            return Vec::new();
        }
        let tier_in = |map: &HashMap<AgentId, Standing>, agent: &AgentId| {
            map.get(agent).map_or(self.initial, |standing| standing.tier)
        };
        let gone = before.keys().filter(|agent| !after.contains_key(*agent));
        let mut changes: Vec<_> = after
            .keys()
            .chain(gone)
            .map(|agent| (agent, tier_in(before, agent), tier_in(after, agent)))
            .filter(|(_, from, to)| from != to)
            .map(|(agent, from, to)| Change { agent: agent.clone(), from, to })
            .collect();
        changes.sort_by(|a, b| a.agent.cmp(&b.agent));
        changes
    }
}

impl State {
    fn never() -> Self {
        Self { serial: 0, heard: Heard::Never, agents: Arc::default() }
    }
}

fn merge(
    mut agents: HashMap<AgentId, Standing>,
    entries: Vec<Standing>,
) -> Result<Arc<HashMap<AgentId, Standing>>, NotApplied> {
    for mut standing in entries {
        standing.why.truncate(standing.why.floor_char_boundary(WHY_BYTES_MAX));
        agents.insert(standing.agent.clone(), standing);
        if agents.len() > AGENTS_MAX {
            return Err(NotApplied::TooManyAgents);
        }
    }
    Ok(Arc::new(agents))
}
