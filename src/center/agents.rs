//! Agents: what is known of them, and a person's word that overrules a score.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::{HeaderMap, Uri};
use serde::Deserialize;

use crate::center::Center;
use crate::center::body::message;
use crate::center::failure::Failure;
use crate::center::query::{PAGE, id, query};
use crate::domain::AgentId;
use crate::wire::{AgentPage, Override, ProblemKind, TrustView};

/// Query of `GET /v1/agents`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/agents`.
pub(in crate::center) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<AgentPage>, Failure> {
    center.operator(&headers)?;
    let list: List = query(&uri)?;
    Ok(Json(center.store.agents(list.after.as_deref(), list.limit.unwrap_or(PAGE)).await?))
}

/// `GET /v1/agents/{id}/trust`.
pub(in crate::center) async fn trust(
    State(center): State<Arc<Center>>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<Json<TrustView>, Failure> {
    center.operator(&headers)?;
    let agent: AgentId = id(&agent)?;
    Ok(Json(view(&center, &agent).await?))
}

/// `POST /v1/agents/{id}/override`: answers with the trust that holds from now on.
pub(in crate::center) async fn overrule(
    State(center): State<Arc<Center>>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<TrustView>, Failure> {
    let operator = center.operator(&headers)?.to_owned();
    let agent: AgentId = id(&agent)?;
    let request: Override = message(&headers, body, center.patience).await?;
    if request.why.trim().is_empty() {
        return Err(Failure::new(ProblemKind::Malformed, "`why` must say why: it is kept with the decision"));
    }
    // A task of its own: an operator who hangs up must not leave a decision that nobody is told of.
    let task = async move {
        let _held = center.drain.hold();
        center.store.overrule(&agent, &request, &operator, center.clock.now()).await?;
        view(&center, &agent).await
    };
    tokio::spawn(task).await.map_err(|_| Failure::stopped())?.map(Json)
}

async fn view(center: &Center, agent: &AgentId) -> Result<TrustView, Failure> {
    let found = center.store.trust(agent, center.clock.now()).await?;
    let unknown = "no record of that agent has arrived: it is on `probation` wherever a pact governs it";
    found.ok_or_else(|| Failure::new(ProblemKind::NotFound, unknown))
}
