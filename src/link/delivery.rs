//! Delivery: records in order, at least once; the collector's own word says where to go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use crate::domain::Digest;
use crate::evidence::read;
use crate::link::Settings;
use crate::link::backoff::Backoff;
use crate::link::session::Session;
use crate::link::stats::{Counters, count};
use crate::link::trouble::{Teller, Trouble};
use crate::spool::{Entry, Recorder, SpoolError};
use crate::wire::{self, GapNotice, Position, Severity, SignalKind, SignalRequest};

const EVENTS: &str = "/v1/events";
const POSITION: &str = "/v1/events/position";
pub(super) const SIGNALS: &str = "/v1/signals";
const BATCH: &str = "application/cloudevents-batch+json";
pub(super) const JSON: &str = "application/json";

/// Carries the spool's records to the collector.
pub(super) struct Delivery {
    pub(super) session: Arc<Session>,
    pub(super) settings: Arc<Settings>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) counters: Arc<Counters>,
}

/// Where the collector stands, as far as known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It has to be asked: at the start, and whenever something went wrong.
    Unknown,
    /// It holds all records up to this sequence.
    Through(u64),
}

/// How much is sent at once. A single record is sent however large it is.
#[derive(Clone, Copy, Debug)]
struct Batch {
    records_max: usize,
    bytes_max: usize,
}

impl Delivery {
    /// Delivers until `shutdown`, then what is left, as far as the farewell reaches.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.pause_max);
        let mut teller = Teller::new("the delivery of evidence");
        let mut stand = Stand::Unknown;
        let mut batch =
            Batch { records_max: self.settings.batch_records_max, bytes_max: self.settings.batch_bytes_max };
        while !shutdown.is_cancelled() {
            let step = tokio::select! {
                step = self.step(stand, batch, true) => step,
                () = shutdown.cancelled() => break,
            };
            stand = match step {
                Ok((next, is_progress)) => {
                    if is_progress {
                        backoff.reset();
                        teller.works();
                    }
                    self.counters.delivering.store(true, Ordering::Relaxed);
                    next
                }
                Err(trouble) => {
                    self.note(&trouble);
                    teller.trouble(&trouble);
                    if trouble.is_too_large() {
                        // Something between us takes less than the collector does.
                        batch.bytes_max = (batch.bytes_max / 2).max(1);
                    }
                    let pause = backoff.pause(trouble.retry_after());
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = shutdown.cancelled() => {}
                    }
                    Stand::Unknown
                }
            };
        }
        // An error ends it: what is left stays in the spool.
        let _ = tokio::time::timeout(self.settings.farewell, self.finish(batch)).await;
        self.counters.delivering.store(false, Ordering::Relaxed);
    }

    async fn finish(&self, batch: Batch) -> Result<(), Trouble> {
        let mut stand = Stand::Unknown;
        while self.recorder.acknowledged() < self.recorder.durable() {
            (stand, _) = self.step(stand, batch, false).await?;
        }
        Ok(())
    }

    /// One exchange. Returns where the collector stands now, and whether it took something. Dropped half way, it
    /// leaves nothing behind that the next one would not find out.
    async fn step(&self, stand: Stand, batch: Batch, may_wait: bool) -> Result<(Stand, bool), Trouble> {
        let Stand::Through(held) = stand else {
            return Ok((Stand::Through(self.ask_position().await?), false));
        };
        if may_wait {
            self.recorder.wait_new(held).await;
            let waiting = usize::try_from(self.recorder.durable().saturating_sub(held)).unwrap_or(usize::MAX);
            if waiting < batch.records_max {
                tokio::time::sleep(self.settings.gather).await;
            }
        }
        let entries = self.read(held, batch).await?;
        let Some(first) = entries.first() else { return Ok((stand, false)) };
        if first.sequence != held.saturating_add(1) {
            self.declare_gap(held, first).await?;
            return Ok((Stand::Unknown, true));
        }
        self.deliver(&entries).await
    }

    /// Asks the collector how far it has this log, and compares that with the log itself.
    async fn ask_position(&self) -> Result<u64, Trouble> {
        let source = self.recorder.source().to_string();
        let body = self.session.get(POSITION, &[("source", &source)]).await?;
        let position = self.position(&body)?;
        let (theirs, ours) = (position.accepted_through, self.recorder.durable());
        if theirs > ours {
            return Err(Trouble::Ahead { theirs, ours });
        }
        if theirs > self.recorder.acknowledged() {
            let last = self.read(theirs.saturating_sub(1), Batch { records_max: 1, bytes_max: 1 }).await?;
            let same = last
                .first()
                .is_some_and(|last| last.sequence == theirs && Digest::of(&last.bytes) == position.head);
            if !same {
                return Err(Trouble::Fork { sequence: theirs });
            }
            self.acknowledge(theirs);
        }
        Ok(theirs)
    }

    /// Sends a batch that goes on where the collector stands.
    async fn deliver(&self, entries: &[Entry]) -> Result<(Stand, bool), Trouble> {
        let batch = wire::join_events(entries.iter().map(|entry| entry.bytes.as_slice()));
        let answer = self.session.post(EVENTS, BATCH, batch).await.inspect_err(|trouble| {
            let refused = trouble.is_refusal();
            count(if refused { &self.counters.batches_refused } else { &self.counters.batches_failed });
        })?;
        let position = self.position(&answer)?;
        let through = position.accepted_through;
        let Some(last) = entries.iter().find(|entry| entry.sequence == through) else {
            return Err(Trouble::Nonsense {
                what: "it says to hold records that it was not sent, or none of these",
            });
        };
        if Digest::of(&last.bytes) != position.head {
            return Err(Trouble::Fork { sequence: through });
        }
        self.acknowledge(through);
        count(&self.counters.batches_accepted);
        Ok((Stand::Through(through), true))
    }

    fn acknowledge(&self, through: u64) {
        let fresh = through.saturating_sub(self.recorder.acknowledged());
        self.recorder.acknowledge(through);
        self.counters.records_delivered.fetch_add(fresh, Ordering::Relaxed);
    }

    /// The collector asks for records that it had acknowledged and that are gone here: it has lost them, as after
    /// a restore. Says so, for everybody to see; it then takes the record after the gap.
    async fn declare_gap(&self, held: u64, first: &Entry) -> Result<(), Trouble> {
        let event = read(&first.bytes).map_err(|_| Trouble::Nonsense { what: "a record of its own" })?;
        let (from, through) = (held.saturating_add(1), first.sequence.saturating_sub(1));
        let request = SignalRequest {
            kind: SignalKind::EvidenceGap,
            severity: Severity::Critical,
            agent: None,
            detail: format!(
                "the collector had acknowledged records {from} to {through} of `{}` and asks for them again; they \
                 are gone here",
                event.source
            ),
            gap: Some(GapNotice { source: event.source.to_string(), from, through, head: event.prevhash }),
        };
        tracing::error!(from, through, "the collector has lost records that it had acknowledged");
        self.session.post(SIGNALS, JSON, wire::write(&request)).await?;
        count(&self.counters.gaps_declared);
        Ok(())
    }

    fn position(&self, body: &[u8]) -> Result<Position, Trouble> {
        let position: Position =
            wire::read(body).map_err(|_| Trouble::Nonsense { what: "it is no position" })?;
        if position.source != self.recorder.source().to_string() {
            return Err(Trouble::Nonsense { what: "it speaks of another log" });
        }
        Ok(position)
    }

    /// Reads from the spool, on a thread that may wait.
    async fn read(&self, after: u64, batch: Batch) -> Result<Vec<Entry>, SpoolError> {
        let recorder = Arc::clone(&self.recorder);
        let read = move || recorder.read_after(after, batch.records_max, batch.bytes_max);
        match tokio::task::spawn_blocking(read).await {
            Ok(read) => read,
            // The runtime is going down: there is nobody to deliver for.
            Err(_) => Ok(Vec::new()),
        }
    }

    fn note(&self, trouble: &Trouble) {
        self.counters.delivering.store(false, Ordering::Relaxed);
        match trouble {
            Trouble::Nonsense { .. } => count(&self.counters.nonsense),
            Trouble::Ahead { .. } | Trouble::Fork { .. } => count(&self.counters.conflicts),
            _ => {}
        }
    }
}
