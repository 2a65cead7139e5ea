//! Tier updates to every connected sidecar, within milliseconds of the commit.
//!
//! Each subscriber pulls: it is woken by a change or by the heartbeat, asks the store what is newer than the last
//! revision it told, signs that and sends it. A slow subscriber therefore holds no queue; it is told the latest
//! state when it reads again. One that no longer reads at all is dropped by its socket's timeout.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::Instant;

use crate::collector::Plane;
use crate::collector::failure::Failure;
use crate::collector::metrics::Seated;
use crate::domain::{SidecarId, TrustTier};
use crate::store::{Change, StoreError};
use crate::wire::{AGENTS_MAX, AgentTier, Approved, ProblemKind, Topic, TrustStatement, write_event};

/// `GET /v1/trust/feed`.
pub(in crate::collector) async fn feed(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let sidecar = plane.sidecar(&headers)?.clone();
    let seat =
        plane.places.get(&sidecar).and_then(|places| Arc::clone(&places.feeds).try_acquire_owned().ok());
    let seat = seat.ok_or_else(|| {
        Failure::new(ProblemKind::Full, "this sidecar has too many feeds open: close one, or wait a minute")
    })?;
    let subscriber = Subscriber::new(Arc::clone(&plane), sidecar, seat).await?;
    let body = Body::from_stream(stream::unfold(subscriber, |mut subscriber| async move {
        let bytes = subscriber.next().await?;
        Some((Ok::<_, Infallible>(bytes), subscriber))
    }));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// One open feed. Owned by the body of its response, and gone with it.
struct Subscriber {
    plane: Arc<Plane>,
    sidecar: SidecarId,
    changes: broadcast::Receiver<Change>,
    /// Revisions of what was told last.
    agents_told: u64,
    answers_told: u64,
    /// Events that wait to be sent: at most those of one page.
    ready: VecDeque<Bytes>,
    /// When the next heartbeat is due.
    heartbeat: Instant,
    _seat: OwnedSemaphorePermit,
    _seated: Seated,
    opening: Option<Opening>,
}

/// How far the opening words have come: all agents, lowest tiers first. A full statement replaces what the sidecar
/// knew, and should it not hold everybody, the ones still missing must be those for whom that is no gain.
struct Opening {
    tiers: VecDeque<TrustTier>,
    after: String,
    first: bool,
}

impl Subscriber {
    async fn new(plane: Arc<Plane>, sidecar: SidecarId, seat: OwnedSemaphorePermit) -> Result<Self, Failure> {
        // Listening begins before looking, so that no change falls between.
        let changes = plane.store.subscribe();
        let told = plane.store.revision().await?;
        let opening = Opening { tiers: TrustTier::ALL.into(), after: String::new(), first: true };
        Ok(Self {
            sidecar,
            changes,
            agents_told: told,
            answers_told: told,
            ready: VecDeque::new(),
            heartbeat: Instant::now() + plane.heartbeat,
            _seat: seat,
            _seated: plane.metrics.seated(),
            opening: Some(opening),
            plane,
        })
    }

    /// The next bytes to send; `None` when the feed ends, because the collector stops or its store failed.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if let Err(error) = self.look().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    sidecar.id = %self.sidecar,
                    "a trust feed ends because the store failed"
                );
                return None;
            }
            if self.ready.is_empty() && !self.wait().await {
                return None;
            }
        }
    }

    /// Waits until there may be news; `false` when the collector stops.
    async fn wait(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                () = self.plane.drain.stopping() => return false,
                () = tokio::time::sleep_until(self.heartbeat) => return true,
                heard = self.changes.recv() => match heard {
                    Ok(Change::Signal) => {}
                    // Falling behind is no loss: the store knows what changed since the last revision told.
                    Ok(Change::Tier(_) | Change::Approval(_)) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return false,
                },
            }
        }
        // One look finds all that happened by now, so the hints that wait are spent.
        while !matches!(self.changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        true
    }

    /// Asks the store for news and makes events of it.
    async fn look(&mut self) -> Result<(), StoreError> {
        if let Some(opening) = self.opening.take() {
            return self.open(opening).await;
        }
        let news = self.plane.store.agents_since(self.agents_told).await?;
        if let Some(last) = news.last() {
            self.agents_told = last.revision;
        }
        let mut agents: Vec<AgentTier> = news.into_iter().map(|news| news.tier).collect();
        while !agents.is_empty() {
            let rest = agents.split_off(agents.len().min(AGENTS_MAX));
            self.say(false, std::mem::replace(&mut agents, rest)).await?;
        }
        let answers = self.plane.store.answers_since(self.answers_told).await?;
        if let Some(last) = answers.last() {
            self.answers_told = last.revision;
        }
        for news in answers {
            if news.sidecar == self.sidecar {
                self.answer(&news.answer);
            }
        }
        if Instant::now() >= self.heartbeat {
            self.say(false, Vec::new()).await?;
        }
        Ok(())
    }

    /// One statement of the opening; after the last, the answers that the sidecar may have missed.
    async fn open(&mut self, mut opening: Opening) -> Result<(), StoreError> {
        let mut agents: Vec<AgentTier> = Vec::new();
        while let Some(tier) = opening.tiers.front().copied() {
            let room = AGENTS_MAX - agents.len();
            let limit = u32::try_from(room).unwrap_or(u32::MAX);
            let page = self.plane.store.agents_of_tier(tier, &opening.after, limit).await?;
            let ended = page.len() < room;
            opening.after = page.last().map(|agent| agent.agent.to_string()).unwrap_or_default();
            agents.extend(page);
            if !ended {
                break;
            }
            opening.tiers.pop_front();
            opening.after = String::new();
        }
        self.say(std::mem::take(&mut opening.first), agents).await?;
        if !opening.tiers.is_empty() {
            self.opening = Some(opening);
            return Ok(());
        }
        for news in self.plane.store.answers_for(&self.sidecar, self.plane.clock.now()).await? {
            self.answer(&news.answer);
        }
        Ok(())
    }

    async fn say(&mut self, full: bool, agents: Vec<AgentTier>) -> Result<(), StoreError> {
        let serial = self.plane.serials.next(&self.plane.store).await?;
        let statement = TrustStatement { v: 1, serial, issued_at: self.plane.clock.now(), full, agents };
        let signed = statement.seal(&self.plane.key);
        self.ready.push_back(write_event(Topic::Trust, &signed).into());
        self.plane.metrics.said(Topic::Trust);
        self.heartbeat = Instant::now() + self.plane.heartbeat;
        Ok(())
    }

    fn answer(&mut self, answer: &Approved) {
        let signed = answer.seal(&self.plane.key);
        self.ready.push_back(write_event(Topic::Approval, &signed).into());
        self.plane.metrics.said(Topic::Approval);
    }
}
