//! Evidence in: read each event strictly, check its chain, keep it, acknowledge.
//!
//! A batch is taken up to the first event that cannot be, so that one bad event never holds up those before it.
//! What is acknowledged is on disk; what is sent twice is kept once.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::collector::Plane;
use crate::collector::body::whole;
use crate::collector::caller::{check_own, own_source};
use crate::collector::failure::Failure;
use crate::domain::SidecarId;
use crate::evidence::Source;
use crate::store::{Appended, Incoming, Refused};
use crate::wire::{BATCH_BYTES_MAX, Position, ProblemKind, split_events};

type Place = OwnedSemaphorePermit;

const CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// `POST /v1/events`.
pub(in crate::collector) async fn events(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Position>, Failure> {
    let result = take(&plane, &headers, body).await;
    plane.metrics.batch(result.as_ref().map_or_else(Failure::name, |_| "accepted"));
    result.map(Json)
}

async fn take(plane: &Arc<Plane>, headers: &HeaderMap, body: Body) -> Result<Position, Failure> {
    let sidecar = plane.sidecar(headers)?.clone();
    let _place = place(plane, &sidecar).await?;
    let body = whole(headers, body, CONTENT_TYPE, BATCH_BYTES_MAX, plane.patience).await?;
    // Reading a full batch takes tens of milliseconds: not on the threads that serve sockets.
    let reading = tokio::task::spawn_blocking(move || read(&sidecar, &body));
    let batch = reading.await.map_err(|_| stopped())??;
    let appended = append(plane, batch.source, batch.events).await?;
    plane.metrics.events(&appended);
    let through = appended.position.accepted_through;
    match (appended.refused, batch.unsound) {
        (Some(refused), _) => Err(refusal(&refused).accepted_through(through)),
        (None, Some(unsound)) => Err(unsound.accepted_through(through)),
        (None, None) => Ok(appended.position),
    }
}

/// Waits for a place among the batches that memory has room for, until the batch is done with.
async fn place(plane: &Plane, sidecar: &SidecarId) -> Result<(Place, Place), Failure> {
    let both = async {
        let own = Arc::clone(&plane.places.get(sidecar)?.batches).acquire_owned().await.ok()?;
        let shared = Arc::clone(&plane.batches).acquire_owned().await.ok()?;
        Some((own, shared))
    };
    let waited = tokio::time::timeout(plane.patience, both).await.ok().flatten();
    waited.ok_or_else(|| {
        Failure::new(ProblemKind::Full, "too many batches are on their way: deliver one by one")
    })
}

/// A batch as read: the events before the first that is none, and what was wrong with that one.
struct Batch {
    source: Source,
    events: Vec<Incoming>,
    unsound: Option<Failure>,
}

fn read(sidecar: &SidecarId, body: &[u8]) -> Result<Batch, Failure> {
    let mut events: Vec<Incoming> = Vec::new();
    for (place, bytes) in split_events(body)?.into_iter().enumerate() {
        let unsound = match crate::evidence::read(bytes) {
            Ok(event) => {
                check_own(sidecar, &event.source)?;
                let same = events.first().is_none_or(|first| first.event.source == event.source);
                if same {
                    events.push(Incoming { event, bytes: bytes.to_vec() });
                    continue;
                }
                "a batch holds events of one source".to_owned()
            }
            Err(unsound) => unsound.to_string(),
        };
        let unsound = Failure::new(ProblemKind::Unsound, format!("event {place} of the batch: {unsound}"));
        let Some(first) = events.first() else { return Err(unsound) };
        return Ok(Batch { source: first.event.source.clone(), events, unsound: Some(unsound) });
    }
    match events.first() {
        Some(first) => Ok(Batch { source: first.event.source.clone(), events, unsound: None }),
        None => Err(Failure::new(ProblemKind::Malformed, "a batch has at least one event")),
    }
}

/// Appends in a task of its own: a client that hangs up must not leave a commit without its announcement.
async fn append(plane: &Arc<Plane>, source: Source, events: Vec<Incoming>) -> Result<Appended, Failure> {
    let plane = Arc::clone(plane);
    let task = async move {
        let _held = plane.drain.hold();
        plane.store.append(&source, &events, plane.clock.now()).await
    };
    Ok(tokio::spawn(task).await.map_err(|_| stopped())??)
}

pub(in crate::collector) fn stopped() -> Failure {
    Failure::new(ProblemKind::Unavailable, "the collector is stopping, or failed at this request: try again")
}

fn refusal(refused: &Refused) -> Failure {
    match refused {
        Refused::Gap { expected, found } => Failure::new(
            ProblemKind::Gap,
            format!(
                "expected record {expected}, found {found}: send from {expected} on, or declare with \
                 `POST /v1/signals` that it is gone"
            ),
        ),
        Refused::Fork { sequence } => Failure::new(
            ProblemKind::Fork,
            format!(
                "another record {sequence} is held, or it was declared gone: two processes may share one log"
            ),
        ),
        Refused::Unchained { sequence } => Failure::new(
            ProblemKind::Unchained,
            format!("record {sequence} does not name the record before it: the log was changed or mixed up"),
        ),
    }
}

/// Query of `GET /v1/events/position`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PositionQuery {
    source: String,
}

/// `GET /v1/events/position`.
pub(in crate::collector) async fn position(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Position>, Failure> {
    let sidecar = plane.sidecar(&headers)?;
    let Query(query): Query<PositionQuery> = Query::try_from_uri(&uri)
        .map_err(|_| Failure::new(ProblemKind::Malformed, "ask with `?source=<source of the records>`"))?;
    let source = own_source(sidecar, &query.source)?;
    Ok(Json(plane.store.position(&source).await?))
}
