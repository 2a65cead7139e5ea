//! Bodies of requests: small JSON messages, within a bound of size and time.

use std::time::Duration;

use axum::body::Body;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::center::failure::Failure;
use crate::net::{BodyBounds, BodyError, TimedBody};
use crate::wire::{ProblemKind, REQUEST_BYTES_MAX};

/// Reads one message.
pub(in crate::center) async fn message<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    patience: Duration,
) -> Result<T, Failure> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Asking for this type also keeps out what a web page of somebody else can send without asking.
    if !sent.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Failure::new(ProblemKind::MediaType, "send `Content-Type: application/json`"));
    }
    let bytes_max = u64::try_from(REQUEST_BYTES_MAX).unwrap_or(u64::MAX);
    let bounds = BodyBounds { idle: patience, total: Some(patience), bytes_max };
    let collected = TimedBody::new(body, bounds).collect().await.map_err(|error| broken(&error))?;
    Ok(crate::wire::read(&collected.to_bytes())?)
}

fn broken(error: &BodyError) -> Failure {
    let kind = match error {
        BodyError::TooLarge { .. } => ProblemKind::TooLarge,
        BodyError::Stalled { .. } | BodyError::TooSlow { .. } => ProblemKind::Timeout,
        BodyError::Broken(_) => ProblemKind::Malformed,
    };
    Failure::new(kind, error.to_string())
}
