//! A person's word that overrules a score: kept with who, when and why, in its place among the records.

use sqlx::SqliteConnection;

use crate::domain::{AgentId, Timestamp, TrustTier};
use crate::scoring::{self, State, Weights};
use crate::store::fold::{Effects, load};
use crate::store::revision::{arrival, last_position};
use crate::store::rows::{moment, signed, unsigned};
use crate::store::signals::{NewSignal, raise};
use crate::store::{Store, StoreError};
use crate::wire::{Override, OverrideAction, OverrideEntry, Severity, SignalKind};

/// Why an override was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// Nothing is known of the agent.
    #[error("no record of that agent has arrived: check its id with `GET /v1/agents`")]
    UnknownAgent,
    /// It is suspended by an operator already.
    #[error("the agent is suspended already: see `override` in its trust")]
    AlreadySuspended,
    /// It is not below probation.
    #[error("the agent is neither suspended nor restricted: there is nothing to reinstate it from")]
    NothingToLift,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OverrideError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// An override as kept, and its place among the records.
#[derive(Debug)]
pub(in crate::store) struct Overruling {
    pub(in crate::store) id: i64,
    pub(in crate::store) entry: OverrideEntry,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) after_position: u64,
}

impl Overruling {
    pub(in crate::store) fn move_state(&self, weights: &Weights, state: &mut State) -> Vec<scoring::Change> {
        let OverrideEntry { action, by, why, at } = &self.entry;
        match action {
            OverrideAction::Suspend => state.suspend(weights, *at, format!("suspended by {by}: {why}")),
            OverrideAction::Reinstate => state.reinstate(weights, *at, format!("reinstated by {by}: {why}")),
        }
    }
}

impl Store {
    /// Suspends or reinstates an agent. When this returns, the new tier holds and its news is on the way.
    ///
    /// # Errors
    /// When the agent is unknown, the override would change nothing, or the database fails.
    pub async fn overrule(
        &self,
        agent: &AgentId,
        request: &Override,
        operator: &str,
        now: Timestamp,
    ) -> Result<OverrideEntry, OverrideError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut kept = load(&mut tx, &self.weights, agent).await?.ok_or(OverrideError::UnknownAgent)?;
        match request.action {
            OverrideAction::Suspend if kept.state.is_suspended_by_operator() => {
                return Err(OverrideError::AlreadySuspended);
            }
            OverrideAction::Reinstate if kept.state.tier() >= TrustTier::Probation => {
                return Err(OverrideError::NothingToLift);
            }
            OverrideAction::Suspend | OverrideAction::Reinstate => {}
        }
        let at = arrival(&mut tx, now).await?;
        let entry =
            OverrideEntry { action: request.action, by: operator.to_owned(), why: request.why.clone(), at };
        let overruling = insert(&mut tx, agent, entry).await?;
        let changes = overruling.apply(&self.weights, &mut kept);
        let mut effects = Effects::default();
        self.keep(&mut tx, agent, kept, &changes, &mut effects).await?;
        raise(&mut tx, &signal(agent, &overruling.entry), at, &mut effects).await?;
        tx.commit().await.map_err(StoreError::from)?;
        self.announce(effects.changes);
        Ok(overruling.entry)
    }

    /// The agent's last override, if it was a suspension that still holds.
    pub(in crate::store) async fn holding(
        &self,
        agent: &AgentId,
    ) -> Result<Option<OverrideEntry>, StoreError> {
        let mut connection = self.reader.acquire().await?;
        let last = overrides_after(&mut connection, agent, 0).await?.pop();
        Ok(last.map(|o| o.entry).filter(|entry| entry.action == OverrideAction::Suspend))
    }
}

fn signal(agent: &AgentId, entry: &OverrideEntry) -> NewSignal {
    let (severity, done) = match entry.action {
        OverrideAction::Suspend => (Severity::Warning, "suspended"),
        OverrideAction::Reinstate => (Severity::Info, "reinstated"),
    };
    NewSignal {
        kind: SignalKind::Override,
        severity,
        agent: Some(agent.clone()),
        source: None,
        detail: format!("{done} by {}: {}", entry.by, entry.why),
        by: format!("operator {}", entry.by),
    }
}

async fn insert(
    tx: &mut SqliteConnection,
    agent: &AgentId,
    entry: OverrideEntry,
) -> Result<Overruling, StoreError> {
    let after_position = last_position(tx).await?;
    let sql = "INSERT INTO overrides (agent, action, operator, why, at, after_position) \
               VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(agent.as_str())
        .bind(entry.action.name())
        .bind(entry.by.as_str())
        .bind(entry.why.as_str())
        .bind(entry.at.as_micros())
        .bind(signed(after_position))
        .fetch_one(tx)
        .await?;
    Ok(Overruling { id, at: entry.at, entry, after_position })
}

/// An agent's overrides after one of them, in order. People make few of them: no pages.
pub(in crate::store) async fn overrides_after(
    tx: &mut SqliteConnection,
    agent: &AgentId,
    after: i64,
) -> Result<Vec<Overruling>, StoreError> {
    let sql = "SELECT id, action, operator, why, at, after_position FROM overrides \
               WHERE agent = $1 AND id > $2 ORDER BY id";
    let rows: Vec<(i64, String, String, String, i64, i64)> =
        sqlx::query_as(sql).bind(agent.as_str()).bind(after).fetch_all(tx).await?;
    rows.into_iter()
        .map(|(id, action, by, why, at, after_position)| {
            let action = OverrideAction::parse(&action)
                .ok_or_else(|| StoreError::damaged(format!("override {id} has an unknown action")))?;
            let at = moment(at);
            let entry = OverrideEntry { action, by, why, at };
            Ok(Overruling { id, entry, at, after_position: unsigned(after_position) })
        })
        .collect()
}
