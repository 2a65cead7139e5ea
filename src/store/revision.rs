//! Counters that only rise, also across restarts.

use sqlx::SqliteConnection;

use crate::domain::Timestamp;
use crate::store::rows::{moment, unsigned};
use crate::store::{Store, StoreError};

/// Raises a counter by `step` and returns its new value.
async fn raise(tx: &mut SqliteConnection, name: &'static str, step: i64) -> Result<i64, StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value";
    Ok(sqlx::query_scalar(sql).bind(name).bind(step).fetch_one(tx).await?)
}

/// The next revision: whatever changes in one transaction for others to see carries it.
pub(in crate::store) async fn next_revision(tx: &mut SqliteConnection) -> Result<i64, StoreError> {
    raise(tx, "revision", 1).await
}

/// The moment at which something arrives: now, but never before what arrived earlier, so that folding by place
/// and folding by time are the same.
pub(in crate::store) async fn arrival(
    tx: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ('arrival', $1) \
               ON CONFLICT (name) DO UPDATE SET value = MAX(value, excluded.value) RETURNING value";
    Ok(moment(sqlx::query_scalar(sql).bind(now.as_micros()).fetch_one(tx).await?))
}

impl Store {
    /// Reserves serials for `count` statements and returns the first. Serials that a crash leaves unused are
    /// skipped: what matters is that none is ever used twice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reserve_serials(&self, count: u32) -> Result<u64, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let last = raise(&mut tx, "serial", i64::from(count)).await?;
        tx.commit().await?;
        Ok(unsigned(last).saturating_sub(u64::from(count)).saturating_add(1))
    }

    /// The latest revision. What changes later has a higher one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM meta WHERE name = 'revision'";
        let value: Option<i64> = sqlx::query_scalar(sql).fetch_optional(&self.reader).await?;
        Ok(unsigned(value.unwrap_or(0)))
    }
}

/// The number of records held, which is also the place of the last one.
pub(in crate::store) async fn last_position(tx: &mut SqliteConnection) -> Result<u64, StoreError> {
    let value: Option<i64> = sqlx::query_scalar("SELECT MAX(position) FROM records").fetch_one(tx).await?;
    Ok(unsigned(value.unwrap_or(0)))
}
