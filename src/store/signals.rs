//! Signals: raised once, counted when raised again within the hour.

use sqlx::{SqliteConnection, SqlitePool};

use crate::domain::{AgentId, Digest, Timestamp};
use crate::evidence::Source;
use crate::store::fold::Effects;
use crate::store::rows::{id, moment, signed, unsigned};
use crate::store::{Change, PAGE_MAX, Store, StoreError};
use crate::wire::{Severity, SignalKind, SignalPage, SignalView};

/// A signal to raise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSignal {
    /// What it is about.
    pub kind: SignalKind,
    /// How much it matters.
    pub severity: Severity,
    /// The agent, where it is about one.
    pub agent: Option<AgentId>,
    /// The source of records, where it is about one.
    pub source: Option<String>,
    /// What happened, as a sentence.
    pub detail: String,
    /// Who raises it: `collector`, `sidecar <id>`, `operator <name>`.
    pub by: String,
}

/// How a signal was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSignal {
    /// Its number.
    pub id: u64,
    /// How often it was raised within the hour, this time included.
    pub count: u64,
}

impl NewSignal {
    /// A signal of the collector about an agent.
    #[must_use]
    pub fn of_agent(kind: SignalKind, severity: Severity, agent: &AgentId, detail: String) -> Self {
        let by = "collector".to_owned();
        Self { kind, severity, agent: Some(agent.clone()), source: None, detail, by }
    }

    /// A signal of the collector about a log.
    #[must_use]
    pub fn of_source(kind: SignalKind, severity: Severity, source: &Source, detail: String) -> Self {
        let by = "collector".to_owned();
        Self { kind, severity, agent: None, source: Some(source.to_string()), detail, by }
    }

    /// What is the same: kind, severity, whom it is about, who says it, and the hour. Not the detail, which may
    /// hold numbers that differ each time; the first detail stays. Each change of a tool is one of its own.
    fn fingerprint(&self, at: Timestamp) -> String {
        let hour = at.as_seconds().div_euclid(3_600);
        let agent = self.agent.as_ref().map_or("", |agent| agent.as_str());
        let source = self.source.as_deref().unwrap_or_default();
        let (kind, severity, by) = (self.kind.name(), self.severity.name(), &self.by);
        let what = match self.kind {
            SignalKind::ToolChanged => format!(" {}", Digest::of(self.detail.as_bytes())),
            _ => String::new(),
        };
        format!("{kind} {severity} {hour} {agent} {source} {by}{what}")
    }
}

/// Raises a signal inside a transaction.
pub(in crate::store) async fn raise(
    tx: &mut SqliteConnection,
    signal: &NewSignal,
    at: Timestamp,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    insert(tx, signal, at).await?;
    effects.changes.push(Change::Signal);
    Ok(())
}

async fn insert(
    tx: &mut SqliteConnection,
    signal: &NewSignal,
    at: Timestamp,
) -> Result<StoredSignal, StoreError> {
    let sql = "INSERT INTO signals (fingerprint, kind, severity, agent, source, detail, raised_by, raised_at, last_at, \
               count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1) \
               ON CONFLICT (fingerprint) DO UPDATE SET last_at = excluded.last_at, count = count + 1 \
               RETURNING id, count";
    let (id, count): (i64, i64) = sqlx::query_as(sql)
        .bind(signal.fingerprint(at))
        .bind(signal.kind.name())
        .bind(signal.severity.name())
        .bind(signal.agent.as_ref().map(|agent| agent.as_str()))
        .bind(signal.source.as_deref())
        .bind(signal.detail.as_str())
        .bind(signal.by.as_str())
        .bind(at.as_micros())
        .fetch_one(tx)
        .await?;
    Ok(StoredSignal { id: unsigned(id), count: unsigned(count) })
}

type Row = (i64, String, String, Option<String>, Option<String>, String, String, i64, i64, i64);

fn view(row: Row) -> Result<SignalView, StoreError> {
    let (number, kind, severity, agent, source, detail, by, raised_at, last_at, count) = row;
    let damaged = |what: &str| StoreError::damaged(format!("signal {number} has an unknown {what}"));
    Ok(SignalView {
        id: unsigned(number),
        kind: SignalKind::parse(&kind).ok_or_else(|| damaged("kind"))?,
        severity: Severity::parse(&severity).ok_or_else(|| damaged("severity"))?,
        agent: agent.as_deref().map(id).transpose()?,
        source,
        detail,
        by,
        raised_at: moment(raised_at),
        last_at: moment(last_at),
        count: unsigned(count),
    })
}

impl Store {
    /// Raises a signal.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_signal(&self, signal: &NewSignal, now: Timestamp) -> Result<StoredSignal, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let stored = insert(&mut tx, signal, now).await?;
        tx.commit().await?;
        self.announce([Change::Signal]);
        Ok(stored)
    }

    /// Signals, newest first, those below `before` if given, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signals(&self, before: Option<u64>, limit: u32) -> Result<SignalPage, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let rows = rows(&self.reader, before.map_or(i64::MAX, signed), limit).await?;
        let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let signals = rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
        let next = signals.last().filter(|_| full).map(|signal| signal.id);
        Ok(SignalPage { signals, next })
    }
}

async fn rows(reader: &SqlitePool, before: i64, limit: u32) -> Result<Vec<Row>, StoreError> {
    let sql = "SELECT id, kind, severity, agent, source, detail, raised_by, raised_at, last_at, count FROM signals \
               WHERE id < $1 ORDER BY id DESC LIMIT $2";
    Ok(sqlx::query_as(sql).bind(before).bind(limit).fetch_all(reader).await?)
}
