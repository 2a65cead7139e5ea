//! Bodies of requests, whole, within a bound of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;

use crate::collector::failure::Failure;
use crate::net::{BodyBounds, BodyError, TimedBody};
use crate::wire::ProblemKind;

/// Reads a body of one content type.
pub(in crate::collector) async fn whole(
    headers: &HeaderMap,
    body: Body,
    content_type: &'static str,
    bytes_max: usize,
    patience: Duration,
) -> Result<Bytes, Failure> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim();
    if !sent.eq_ignore_ascii_case(content_type) {
        let detail = format!("send `Content-Type: {content_type}`");
        return Err(Failure::new(ProblemKind::MediaType, detail));
    }
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let bounds = BodyBounds { idle: patience, total: Some(patience), bytes_max };
    let collected = TimedBody::new(body, bounds).collect().await.map_err(|error| broken(&error))?;
    Ok(collected.to_bytes())
}

fn broken(error: &BodyError) -> Failure {
    let kind = match error {
        BodyError::TooLarge { .. } => ProblemKind::TooLarge,
        BodyError::Stalled { .. } | BodyError::TooSlow { .. } => ProblemKind::Timeout,
        BodyError::Broken(_) => ProblemKind::Malformed,
    };
    Failure::new(kind, error.to_string())
}
