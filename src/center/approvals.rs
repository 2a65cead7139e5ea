//! Questions to people: list, show, answer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::{HeaderMap, Uri};
use serde::Deserialize;

use crate::center::Center;
use crate::center::body::message;
use crate::center::caller::Caller;
use crate::center::failure::Failure;
use crate::center::query::{PAGE, id, query};
use crate::domain::ApprovalId;
use crate::wire::{AnswerRequest, ApprovalPage, ApprovalState, ApprovalView, ProblemKind};

/// Query of `GET /v1/approvals`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    state: Option<ApprovalState>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/approvals`.
pub(in crate::center) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<ApprovalPage>, Failure> {
    center.operator(&headers)?;
    let list: List = query(&uri)?;
    let limit = list.limit.unwrap_or(PAGE);
    Ok(Json(center.store.approvals(list.state, list.after.as_deref(), limit).await?))
}

/// `GET /v1/approvals/{id}`: operators see all, a sidecar its own.
pub(in crate::center) async fn show(
    State(center): State<Arc<Center>>,
    Path(approval): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ApprovalView>, Failure> {
    let caller = center.caller(&headers)?;
    let approval: ApprovalId = id(&approval)?;
    let found = center.store.approval(&approval).await?;
    let found = found.filter(|view| match caller {
        Caller::Operator => true,
        Caller::Sidecar(sidecar) => view.sidecar == *sidecar,
    });
    found.map(Json).ok_or_else(|| Failure::new(ProblemKind::NotFound, "there is no question with that id"))
}

/// `POST /v1/approvals/{id}`: answers with the question as it stands from now on.
pub(in crate::center) async fn answer(
    State(center): State<Arc<Center>>,
    Path(approval): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ApprovalView>, Failure> {
    let operator = center.operator(&headers)?.to_owned();
    let approval: ApprovalId = id(&approval)?;
    let request: AnswerRequest = message(&headers, body, center.patience).await?;
    // A task of its own: see the override.
    let task = async move {
        let _held = center.drain.hold();
        let now = center.clock.now();
        center.store.answer(&approval, request.answer, &operator, &request.why, now).await
    };
    Ok(Json(tokio::spawn(task).await.map_err(|_| Failure::stopped())??))
}
