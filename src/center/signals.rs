//! Signals, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, Uri};
use serde::Deserialize;

use crate::center::Center;
use crate::center::failure::Failure;
use crate::center::query::{PAGE, query};
use crate::wire::SignalPage;

/// Query of `GET /v1/signals`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    before: Option<u64>,
    limit: Option<u32>,
}

/// `GET /v1/signals`.
pub(in crate::center) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<SignalPage>, Failure> {
    center.operator(&headers)?;
    let list: List = query(&uri)?;
    Ok(Json(center.store.signals(list.before, list.limit.unwrap_or(PAGE)).await?))
}
