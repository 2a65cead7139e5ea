//! What anybody may read: health, metrics, the public key, and the API document.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::collector::failure::Failure;
use crate::collector::metrics::Reading;
use crate::collector::{OPENAPI, Plane};
use crate::wire::{KeyView, ProblemKind};

/// `GET /livez`: the process answers.
pub(in crate::collector) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /openapi.json`.
pub(in crate::collector) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// `GET /v1/key`: public by nature; sidecars are given it by config all the same, as whoever answers here could be
/// anybody.
pub(in crate::collector) async fn key(State(plane): State<Arc<Plane>>) -> Json<KeyView> {
    let public = plane.key.public();
    Json(KeyView { key: public.id(), public_key: public.to_string() })
}

/// `GET /metrics`: counts only, no names.
pub(in crate::collector) async fn metrics(State(plane): State<Arc<Plane>>) -> Result<Response, Failure> {
    let reading = Reading {
        held: plane.store.record_count().await?,
        agents: plane.store.tier_counts().await?,
        pending: plane.store.pending_count().await?,
    };
    let text = plane
        .metrics
        .render(&reading)
        .map_err(|_| Failure::new(ProblemKind::Unavailable, "the metrics could not be written"))?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
