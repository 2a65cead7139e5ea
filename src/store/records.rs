//! Records as kept, for people and for strangers who recompute.

use serde_json::value::RawValue;

use crate::domain::AgentId;
use crate::store::rows::{digest, moment, signed, unsigned};
use crate::store::{PAGE_MAX, Store, StoreError};
use crate::wire::{RecordPage, RecordView};

/// Which records are asked for: at most one of the three, each with an index behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecordFilter {
    /// All.
    #[default]
    All,
    /// Those of one agent.
    Agent(AgentId),
    /// Those that one pact decided.
    Pact(String),
    /// Those refused for one reason.
    Reason(String),
}

type Row = (i64, i64, Vec<u8>, Vec<u8>);

/// The columns of [`Row`], before the rest of a query.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT position, received_at, hash, event FROM records WHERE ",
            $condition,
            " position > $1 ORDER BY position LIMIT $2"
        )
    };
}

impl Store {
    /// Records after a place, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn records(
        &self,
        filter: &RecordFilter,
        after: u64,
        limit: u32,
    ) -> Result<RecordPage, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let (sql, value) = match filter {
            RecordFilter::All => (select!(""), None),
            RecordFilter::Agent(agent) => (select!("agent = $3 AND"), Some(agent.as_str())),
            RecordFilter::Pact(pact) => (select!("pact = $3 AND"), Some(pact.as_str())),
            RecordFilter::Reason(reason) => (select!("reason = $3 AND"), Some(reason.as_str())),
        };
        let query = sqlx::query_as(sql).bind(signed(after)).bind(limit);
        let query = match value {
            Some(value) => query.bind(value),
            None => query,
        };
        let rows: Vec<Row> = query.fetch_all(&self.reader).await?;
        let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let records = rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
        let next = records.last().filter(|_| full).map(|record| record.position);
        Ok(RecordPage { records, next })
    }

    /// How many records are held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_count(&self) -> Result<u64, StoreError> {
        crate::store::revision::last_position(&mut *self.reader.acquire().await?).await
    }
}

fn view(row: Row) -> Result<RecordView, StoreError> {
    let (position, received_at, hash, event) = row;
    let damaged = || StoreError::damaged(format!("record {position} is not JSON"));
    let event = String::from_utf8(event).map_err(|_| damaged())?;
    let event = RawValue::from_string(event).map_err(|_| damaged())?;
    let (position, received_at) = (unsigned(position), moment(received_at));
    Ok(RecordView { position, received_at, hash: digest(&hash)?, event })
}
