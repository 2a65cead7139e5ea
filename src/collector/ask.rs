//! Questions to people, from sidecars.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::collector::Plane;
use crate::collector::body::whole;
use crate::collector::failure::Failure;
use crate::collector::ingest::stopped;
use crate::wire::{ApprovalView, ProblemKind, Question, REQUEST_BYTES_MAX};

/// `POST /v1/approvals`: 201 when the question is new, 200 when it was asked before.
pub(in crate::collector) async fn ask(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let sidecar = plane.sidecar(&headers)?.clone();
    let body = whole(&headers, body, "application/json", REQUEST_BYTES_MAX, plane.patience).await?;
    let question: Question = crate::wire::read(&body)?;
    let task = async move {
        let _held = plane.drain.hold();
        let is_new = plane.store.ask(&sidecar, &question, plane.clock.now()).await?;
        let view = plane.store.approval(&question.approval).await?;
        Ok::<_, Failure>((is_new, view))
    };
    let (is_new, view) = tokio::spawn(task).await.map_err(|_| stopped())??;
    let view: ApprovalView =
        view.ok_or_else(|| Failure::new(ProblemKind::Unavailable, "the question is not there: ask again"))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(view)).into_response())
}
