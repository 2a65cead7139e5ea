//! Taking records in: each exactly once, in order, and never another in the place of one that is held.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use crate::domain::{AgentId, Digest, Timestamp};
use crate::evidence::{Event, Source};
use crate::store::fold::{Arrived, Effects};
use crate::store::revision::{arrival, last_position};
use crate::store::rows::{digest, signed, unsigned};
use crate::store::signals::{NewSignal, raise};
use crate::store::{Store, StoreError};
use crate::wire::{GapNotice, Position, Severity, SignalKind};

/// One event, read and checked by whoever received it, with the exact bytes it was read from.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What the bytes say.
    pub event: Event,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Why a batch was not taken to its end. What stands before the refused event is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Records are missing before this one.
    Gap {
        /// The sequence that is missing first.
        expected: u64,
        /// The sequence that came.
        found: u64,
    },
    /// Another record is held at this sequence, or its record was declared lost.
    Fork {
        /// The sequence.
        sequence: u64,
    },
    /// The record does not name the one held before it as its predecessor.
    Unchained {
        /// The sequence.
        sequence: u64,
    },
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// How far the source's records are held now.
    pub position: Position,
    /// New records.
    pub fresh: u64,
    /// Records that were held already, byte for byte.
    pub duplicates: u64,
    /// Why the rest was not taken.
    pub refused: Option<Refused>,
}

/// The end of one source's log, as held. Owned by one transaction.
struct Head {
    id: i64,
    through: u64,
    hash: Digest,
}

impl Store {
    /// Takes a batch of one source in, scores the agents it speaks of, and tells who listens. All or, where a
    /// record is refused, all before it: one transaction.
    ///
    /// Invariant: every event has `source` as its source.
    ///
    /// # Errors
    /// When the database fails; nothing is kept then.
    pub async fn append(
        &self,
        source: &Source,
        batch: &[Incoming],
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let received_at = arrival(&mut tx, now).await?;
        let mut effects = Effects::default();
        let mut head = match head(&mut tx, source).await? {
            Some(head) => head,
            None => begin(&mut tx, source, received_at, &mut effects).await?,
        };
        let (mut fresh, mut duplicates, mut refused) = (Vec::new(), 0, None);
        let mut position = last_position(&mut tx).await?;
        for incoming in batch {
            match place(&mut tx, &head, &incoming.event).await? {
                Place::Next => {
                    position += 1;
                    insert(&mut tx, head.id, position, received_at, incoming).await?;
                    head.through = incoming.event.sequence;
                    head.hash = incoming.event.hash;
                    fresh.push(Arrived { position, received_at, record: &incoming.event.record });
                    missing_before(&mut tx, source, &incoming.event, received_at, &mut effects).await?;
                }
                Place::Held => duplicates += 1,
                Place::Refused(why) => {
                    report(&mut tx, source, &why, received_at, &mut effects).await?;
                    refused = Some(why);
                    break;
                }
            }
        }
        self.score(&mut tx, &fresh, received_at, &mut effects).await?;
        save(&mut tx, &head, received_at).await?;
        tx.commit().await?;
        self.announce(effects.changes);
        let fresh = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        Ok(Appended { position: head.position(source), fresh, duplicates, refused })
    }

    async fn score(
        &self,
        tx: &mut SqliteConnection,
        fresh: &[Arrived<'_>],
        received_at: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let agents: BTreeSet<&AgentId> = fresh.iter().filter_map(|a| a.record.agent.as_ref()).collect();
        for agent in agents {
            let own: Vec<_> = fresh.iter().filter(|a| a.record.agent.as_ref() == Some(agent)).collect();
            self.fold_arrived(tx, agent, &own, received_at, effects).await?;
        }
        Ok(())
    }

    /// How far a source's records are held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn position(&self, source: &Source) -> Result<Position, StoreError> {
        let mut connection = self.reader.acquire().await?;
        let head = head(&mut connection, source).await?;
        Ok(head.unwrap_or(Head { id: 0, through: 0, hash: Digest::default() }).position(source))
    }

    /// Skips records that a sidecar declares lost, and leaves a signal that stays. `None` when the declaration
    /// does not begin right after what is held, or skips nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn skip(
        &self,
        source: &Source,
        gap: &GapNotice,
        signal: &NewSignal,
        now: Timestamp,
    ) -> Result<Option<Position>, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let received_at = arrival(&mut tx, now).await?;
        let mut effects = Effects::default();
        let mut head = match head(&mut tx, source).await? {
            Some(head) => head,
            None => begin(&mut tx, source, received_at, &mut effects).await?,
        };
        if head.through.checked_add(1) != Some(gap.from) || gap.through < gap.from || gap.through >= LAST {
            return Ok(None);
        }
        head.through = gap.through;
        head.hash = gap.head;
        save(&mut tx, &head, received_at).await?;
        raise(&mut tx, signal, received_at, &mut effects).await?;
        tx.commit().await?;
        self.announce(effects.changes);
        Ok(Some(head.position(source)))
    }
}

/// No log comes near this sequence: a declaration that skips beyond it is refused.
const LAST: u64 = 1 << 60;

impl Head {
    fn position(&self, source: &Source) -> Position {
        Position { source: source.to_string(), accepted_through: self.through, head: self.hash }
    }
}

async fn head(tx: &mut SqliteConnection, source: &Source) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT id, accepted_through, head FROM sources WHERE source = $1";
    let row: Option<(i64, i64, Vec<u8>)> =
        sqlx::query_as(sql).bind(source.to_string()).fetch_optional(tx).await?;
    row.map(|(id, through, hash)| Ok(Head { id, through: unsigned(through), hash: digest(&hash)? }))
        .transpose()
}

/// The first word of a log. That a sidecar begins a second one means that it lost the first, or its disk.
async fn begin(
    tx: &mut SqliteConnection,
    source: &Source,
    at: Timestamp,
    effects: &mut Effects,
) -> Result<Head, StoreError> {
    let sql = "SELECT COUNT(*) FROM sources WHERE sidecar = $1";
    let others: i64 = sqlx::query_scalar(sql).bind(source.sidecar().as_str()).fetch_one(&mut *tx).await?;
    let sql = "INSERT INTO sources (source, sidecar, accepted_through, head, seen_at) \
               VALUES ($1, $2, 0, $3, $4) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(source.to_string())
        .bind(source.sidecar().as_str())
        .bind(Digest::default().as_bytes().as_slice())
        .bind(at.as_micros())
        .fetch_one(&mut *tx)
        .await?;
    if others > 0 {
        let detail = format!("sidecar `{}` began a new log: its log before ends here", source.sidecar());
        let signal = NewSignal::of_source(SignalKind::EvidenceGap, Severity::Info, source, detail);
        raise(tx, &signal, at, effects).await?;
    }
    Ok(Head { id, through: 0, hash: Digest::default() })
}

async fn save(tx: &mut SqliteConnection, head: &Head, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE sources SET accepted_through = $1, head = $2, seen_at = $3 WHERE id = $4")
        .bind(signed(head.through))
        .bind(head.hash.as_bytes().as_slice())
        .bind(at.as_micros())
        .bind(head.id)
        .execute(tx)
        .await?;
    Ok(())
}

enum Place {
    Next,
    Held,
    Refused(Refused),
}

async fn place(tx: &mut SqliteConnection, head: &Head, event: &Event) -> Result<Place, StoreError> {
    let sequence = event.sequence;
    if event.follows(head.through, &head.hash) {
        return Ok(Place::Next);
    }
    if sequence > head.through {
        let expected = head.through.saturating_add(1);
        let gap = Refused::Gap { expected, found: sequence };
        return Ok(Place::Refused(if sequence > expected { gap } else { Refused::Unchained { sequence } }));
    }
    let sql = "SELECT hash FROM records WHERE source_id = $1 AND sequence = $2";
    let held: Option<Vec<u8>> =
        sqlx::query_scalar(sql).bind(head.id).bind(signed(sequence)).fetch_optional(tx).await?;
    let same = held.is_some_and(|hash| hash == event.hash.as_bytes());
    Ok(if same { Place::Held } else { Place::Refused(Refused::Fork { sequence }) })
}

async fn insert(
    tx: &mut SqliteConnection,
    source_id: i64,
    position: u64,
    received_at: Timestamp,
    incoming: &Incoming,
) -> Result<(), StoreError> {
    let Incoming { event, bytes } = incoming;
    let record = &event.record;
    let sql = "INSERT INTO records (position, source_id, sequence, hash, received_at, at, kind, agent, pact, verdict, \
               effect, reason, clause, action_kind, action, event) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    sqlx::query(sql)
        .bind(signed(position))
        .bind(source_id)
        .bind(signed(event.sequence))
        .bind(event.hash.as_bytes().as_slice())
        .bind(received_at.as_micros())
        .bind(record.at.as_micros())
        .bind(record.kind.name())
        .bind(record.agent.as_ref().map(|agent| agent.as_str()))
        .bind(record.pact.as_ref().map(|pact| pact.name.as_str()))
        .bind(record.verdict.name())
        .bind(record.effect.name())
        .bind(record.reason.map(|reason| reason.name()))
        .bind(record.clauses.first().map(|clause| clause.as_str()))
        .bind(record.action.kind.map(|kind| kind.name()))
        .bind(record.action.name.as_str())
        .bind(bytes.as_slice())
        .execute(tx)
        .await?;
    Ok(())
}

/// The sidecar itself tells, in the next record, that records before it were never written.
async fn missing_before(
    tx: &mut SqliteConnection,
    source: &Source,
    event: &Event,
    at: Timestamp,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let gap = event.gap;
    if gap.is_none() {
        return Ok(());
    }
    let detail = format!(
        "before record {} of `{source}`: {} lost, {} bytes torn off, {}",
        event.sequence,
        gap.lost,
        gap.torn_bytes,
        if gap.after_crash { "after a crash" } else { "without a crash" },
    );
    let severity = if gap.lost > 0 { Severity::Warning } else { Severity::Info };
    raise(tx, &NewSignal::of_source(SignalKind::EvidenceGap, severity, source, detail), at, effects).await
}

async fn report(
    tx: &mut SqliteConnection,
    source: &Source,
    refused: &Refused,
    at: Timestamp,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let detail = match refused {
        // A gap mostly is a batch out of order, and the sidecar comes again. When the older records are gone for
        // good it says so, and that is the signal.
        Refused::Gap { .. } => return Ok(()),
        Refused::Fork { sequence } => format!("`{source}` sent two different records {sequence}"),
        Refused::Unchained { sequence } => {
            format!("record {sequence} of `{source}` does not follow the record held before it")
        }
    };
    let signal = NewSignal::of_source(SignalKind::EvidenceFork, Severity::Critical, source, detail);
    raise(tx, &signal, at, effects).await
}
