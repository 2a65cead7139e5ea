//! Records, for people and for strangers who recompute a score.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, Uri};
use serde::Deserialize;

use crate::center::Center;
use crate::center::failure::Failure;
use crate::center::query::{PAGE, id, query};
use crate::domain::Reason;
use crate::store::RecordFilter;
use crate::wire::{ProblemKind, RecordPage};

/// Query of `GET /v1/records`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    agent: Option<String>,
    pact: Option<String>,
    reason: Option<String>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// `GET /v1/records`.
pub(in crate::center) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<RecordPage>, Failure> {
    center.operator(&headers)?;
    let list: List = query(&uri)?;
    let filter = filter(&list)?;
    let limit = list.limit.unwrap_or(PAGE);
    Ok(Json(center.store.records(&filter, list.after.unwrap_or(0), limit).await?))
}

fn filter(list: &List) -> Result<RecordFilter, Failure> {
    match (&list.agent, &list.pact, &list.reason) {
        (None, None, None) => Ok(RecordFilter::All),
        (Some(agent), None, None) => Ok(RecordFilter::Agent(id(agent)?)),
        (None, Some(pact), None) => Ok(RecordFilter::Pact(pact.clone())),
        (None, None, Some(reason)) if Reason::parse(reason).is_some() => {
            Ok(RecordFilter::Reason(reason.clone()))
        }
        (None, None, Some(_)) => {
            Err(Failure::new(ProblemKind::Malformed, "`reason` is not one of the closed set of reasons"))
        }
        _ => Err(Failure::new(ProblemKind::Malformed, "ask for one of `agent`, `pact` and `reason`")),
    }
}
