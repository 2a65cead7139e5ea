//! Folding records and overrides into an agent's score, inside a transaction.

use sqlx::SqliteConnection;

use crate::domain::{AgentId, Reason, Timestamp, TrustTier};
use crate::evidence::Record;
use crate::scoring::{self, Cause, Observation, State, Weight, Weights, mark};
use crate::store::overrides::{Overruling, overrides_after};
use crate::store::revision::next_revision;
use crate::store::rows::{moment, signed, unsigned};
use crate::store::signals::{NewSignal, raise};
use crate::store::{Change, PAGE_MAX, Store, StoreError, attempt_of};
use crate::wire::{Severity, SignalKind};

/// What a transaction has to tell once it is committed.
#[derive(Debug, Default)]
pub(in crate::store) struct Effects {
    pub(in crate::store) changes: Vec<Change>,
}

/// A record that just arrived.
pub(in crate::store) struct Arrived<'a> {
    pub(in crate::store) position: u64,
    pub(in crate::store) received_at: Timestamp,
    pub(in crate::store) record: &'a Record,
}

/// An agent's score as kept: the state, and how far it was folded. Owned by one transaction.
#[derive(Debug)]
pub(in crate::store) struct Kept {
    pub(in crate::store) state: State,
    /// Place of the last of the agent's records in it.
    pub(in crate::store) position: u64,
    /// Number of the last override in it.
    pub(in crate::store) override_id: i64,
    pub(in crate::store) seen_at: Timestamp,
    pub(in crate::store) revision: i64,
}

impl Kept {
    pub(in crate::store) fn new(at: Timestamp) -> Self {
        Self { state: State::new(at), position: 0, override_id: 0, seen_at: at, revision: 0 }
    }

    /// Folds one record in.
    pub(in crate::store) fn take(
        &mut self,
        weights: &Weights,
        arrived: &Arrived<'_>,
    ) -> Vec<scoring::Change> {
        let weight = mark(weights, &attempt_of(arrived.record)).weight;
        self.position = arrived.position;
        self.seen_at = arrived.received_at;
        let at = arrived.record.at;
        self.state.observe(weights, &Observation { at, received_at: arrived.received_at, weight })
    }
}

impl Store {
    /// Folds what just arrived of one agent, keeps the score, and raises the signals that follow.
    pub(in crate::store) async fn fold_arrived(
        &self,
        tx: &mut SqliteConnection,
        agent: &AgentId,
        arrived: &[&Arrived<'_>],
        at: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let weights = &*self.weights;
        let mut kept = match load(tx, weights, agent).await? {
            Some(kept) => kept,
            None if is_full(tx).await? => return too_many(tx, agent, at, effects).await,
            None => Kept::new(at),
        };
        let mut changes = Vec::new();
        for one in arrived {
            changes.extend(kept.take(weights, one));
        }
        for reason in breaches(weights, arrived) {
            let detail = format!("attempts that the pact forbids: {reason}");
            let signal = NewSignal::of_agent(SignalKind::PactBreach, Severity::Warning, agent, detail);
            raise(tx, &signal, at, effects).await?;
        }
        self.keep(tx, agent, kept, &changes, effects).await
    }

    /// Writes an agent's score, its tier changes and the signals they raise.
    pub(in crate::store) async fn keep(
        &self,
        tx: &mut SqliteConnection,
        agent: &AgentId,
        mut kept: Kept,
        changes: &[scoring::Change],
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        if !changes.is_empty() || kept.revision == 0 {
            kept.revision = next_revision(tx).await?;
            effects.changes.push(Change::Tier(agent.clone()));
        }
        for change in changes {
            sqlx::query(
                "INSERT INTO tier_changes (agent, at, from_tier, to_tier, why) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(agent.as_str())
            .bind(change.at.as_micros())
            .bind(change.from.name())
            .bind(change.to.name())
            .bind(change.why.as_str())
            .execute(&mut *tx)
            .await?;
            if let Some(signal) = fall(agent, change) {
                raise(tx, &signal, change.at, effects).await?;
            }
        }
        save(tx, &self.weights, agent, &kept).await
    }

    /// Folds an agent's whole history again, from its records and overrides alone.
    pub(in crate::store) async fn refold(
        &self,
        tx: &mut SqliteConnection,
        agent: &AgentId,
    ) -> Result<Option<(Kept, Vec<scoring::Change>)>, StoreError> {
        let weights = &*self.weights;
        let mut overrules = overrides_after(tx, agent, 0).await?.into_iter().peekable();
        let mut kept: Option<Kept> = None;
        let mut changes = Vec::new();
        let mut after = 0;
        loop {
            let page = page(tx, agent, after).await?;
            let ended = page.len() < usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
            for (position, received_at, event) in page {
                while let Some(overruling) = overrules.next_if(|o| o.after_position < position) {
                    let kept = kept.get_or_insert_with(|| Kept::new(overruling.at));
                    changes.extend(overruling.apply(weights, kept));
                }
                let event = crate::evidence::read(&event)
                    .map_err(|error| StoreError::damaged(format!("record {position}: {error}")))?;
                let kept = kept.get_or_insert_with(|| Kept::new(received_at));
                changes.extend(kept.take(weights, &Arrived { position, received_at, record: &event.record }));
                after = position;
            }
            if ended {
                break;
            }
        }
        for overruling in overrules {
            let kept = kept.get_or_insert_with(|| Kept::new(overruling.at));
            changes.extend(overruling.apply(weights, kept));
        }
        Ok(kept.map(|kept| (kept, changes)))
    }

    /// Folds again every agent whose score another algorithm or other weights made.
    pub(in crate::store) async fn refold_stale(&self, now: Timestamp) -> Result<(), StoreError> {
        let agents: Vec<(String, String, Vec<u8>, i64)> =
            sqlx::query_as("SELECT agent, tier, state, revision FROM agents").fetch_all(&self.reader).await?;
        for (agent, tier_before, state, revision) in agents {
            if State::from_snapshot(&self.weights, &state).is_ok() {
                continue;
            }
            let agent = crate::store::rows::id::<AgentId>(&agent)?;
            let before = crate::store::rows::tier(&tier_before)?;
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let Some((mut kept, _)) = self.refold(&mut tx, &agent).await? else { continue };
            kept.revision = revision;
            kept.state.advance_to(&self.weights, now);
            let change = recomputed(&self.weights, before, &kept.state);
            let mut effects = Effects::default();
            self.keep(&mut tx, &agent, kept, change.as_slice(), &mut effects).await?;
            tx.commit().await?;
            self.announce(effects.changes);
        }
        Ok(())
    }
}

fn recomputed(weights: &Weights, from: TrustTier, state: &State) -> Option<scoring::Change> {
    let (to, at) = (state.tier(), state.clock());
    let why = format!("recomputed with {}", weights.name());
    (from != to).then_some(scoring::Change { at, from, to, cause: Cause::Evidence, why })
}

/// The reasons of what arrived that are breaches in themselves, whatever the score says.
fn breaches(weights: &Weights, arrived: &[&Arrived<'_>]) -> Vec<Reason> {
    let mut reasons: Vec<_> = arrived
        .iter()
        .filter(|one| matches!(mark(weights, &attempt_of(one.record)).weight, Weight::Bad(_)))
        .filter_map(|one| one.record.reason)
        .filter(|reason| {
            matches!(
                reason,
                Reason::Denied | Reason::DataRule | Reason::NameMismatch | Reason::AddressForbidden
            )
        })
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// The signal that a fall raises; overrides raise their own.
fn fall(agent: &AgentId, change: &scoring::Change) -> Option<NewSignal> {
    let kind = match change.cause {
        Cause::Override => return None,
        Cause::Age => SignalKind::FreshnessGap,
        Cause::Evidence => SignalKind::ScoreDrop,
    };
    if change.to > change.from {
        return None;
    }
    let severity = match change.to {
        TrustTier::Suspended => Severity::Critical,
        _ => Severity::Warning,
    };
    let detail = format!("tier fell from {} to {}: {}", change.from, change.to, change.why);
    Some(NewSignal::of_agent(kind, severity, agent, detail))
}

/// Most agents scored. Records of more are kept, and a signal says that they are not scored: an agent without a
/// score is on probation everywhere.
const AGENTS_SCORED_MAX: i64 = 100_000;

async fn is_full(tx: &mut SqliteConnection) -> Result<bool, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM agents").fetch_one(tx).await?;
    Ok(count >= AGENTS_SCORED_MAX)
}

async fn too_many(
    tx: &mut SqliteConnection,
    agent: &AgentId,
    at: Timestamp,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let detail = format!("there are {AGENTS_SCORED_MAX} agents already: `{agent}` and others are not scored");
    let by = "collector".to_owned();
    let kind = SignalKind::IncidentFlag;
    let signal = NewSignal { kind, severity: Severity::Warning, agent: None, source: None, detail, by };
    raise(tx, &signal, at, effects).await
}

type KeptRow = (Vec<u8>, i64, i64, i64, i64);

/// The score as kept. A snapshot that cannot be used is an error here: opening the store has folded all anew.
pub(in crate::store) async fn load(
    tx: &mut SqliteConnection,
    weights: &Weights,
    agent: &AgentId,
) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT state, position, override_id, seen_at, revision FROM agents WHERE agent = $1";
    let row: Option<KeptRow> = sqlx::query_as(sql).bind(agent.as_str()).fetch_optional(tx).await?;
    let Some((state, position, override_id, seen_at, revision)) = row else { return Ok(None) };
    let state = State::from_snapshot(weights, &state)
        .map_err(|error| StoreError::damaged(format!("the score of `{agent}`: {error}")))?;
    let position = unsigned(position);
    Ok(Some(Kept { state, position, override_id, seen_at: moment(seen_at), revision }))
}

async fn save(
    tx: &mut SqliteConnection,
    weights: &Weights,
    agent: &AgentId,
    kept: &Kept,
) -> Result<(), StoreError> {
    let standing = kept.state.standing(weights);
    let sql = "INSERT INTO agents (agent, tier, since, mean, lower, confidence, why, suspended, seen_at, computed_at, \
               position, override_id, revision, state) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
               ON CONFLICT (agent) DO UPDATE SET tier = excluded.tier, since = excluded.since, mean = excluded.mean, \
               lower = excluded.lower, confidence = excluded.confidence, why = excluded.why, \
               suspended = excluded.suspended, seen_at = excluded.seen_at, computed_at = excluded.computed_at, \
               position = excluded.position, override_id = excluded.override_id, revision = excluded.revision, \
               state = excluded.state";
    sqlx::query(sql)
        .bind(agent.as_str())
        .bind(standing.tier.name())
        .bind(standing.since.as_micros())
        .bind(standing.score.mean)
        .bind(standing.score.lower)
        .bind(standing.score.confidence())
        .bind(standing.reasons.first().map(String::as_str).unwrap_or_default())
        .bind(i64::from(kept.state.is_suspended_by_operator()))
        .bind(kept.seen_at.as_micros())
        .bind(kept.state.clock().as_micros())
        .bind(signed(kept.position))
        .bind(kept.override_id)
        .bind(kept.revision)
        .bind(kept.state.to_snapshot(weights))
        .execute(tx)
        .await?;
    Ok(())
}

async fn page(
    tx: &mut SqliteConnection,
    agent: &AgentId,
    after: u64,
) -> Result<Vec<(u64, Timestamp, Vec<u8>)>, StoreError> {
    let sql = "SELECT position, received_at, event FROM records WHERE agent = $1 AND position > $2 \
               ORDER BY position LIMIT $3";
    let rows: Vec<(i64, i64, Vec<u8>)> =
        sqlx::query_as(sql).bind(agent.as_str()).bind(signed(after)).bind(PAGE_MAX).fetch_all(tx).await?;
    Ok(rows.into_iter().map(|(position, at, event)| (unsigned(position), moment(at), event)).collect())
}

impl Overruling {
    /// Folds the override in.
    pub(in crate::store) fn apply(&self, weights: &Weights, kept: &mut Kept) -> Vec<scoring::Change> {
        kept.override_id = self.id;
        self.move_state(weights, &mut kept.state)
    }
}
