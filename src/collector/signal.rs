//! Signals raised by sidecars and operators, and gaps declared by sidecars.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::collector::Plane;
use crate::collector::body::whole;
use crate::collector::caller::{Caller, own_source};
use crate::collector::failure::Failure;
use crate::collector::ingest::stopped;
use crate::domain::SidecarId;
use crate::store::NewSignal;
use crate::wire::{GapNotice, ProblemKind, REQUEST_BYTES_MAX, SignalKind, SignalRequest};

/// Answer to a signal that was raised.
#[derive(Serialize)]
struct Raised {
    id: u64,
    count: u64,
}

/// `POST /v1/signals`: 201 with the signal's number; for a declared gap 200 with the new position.
pub(in crate::collector) async fn raise(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let caller = plane.caller(&headers)?;
    let body = whole(&headers, body, "application/json", REQUEST_BYTES_MAX, plane.patience).await?;
    let request: SignalRequest = crate::wire::read(&body)?;
    let task = async move {
        let _held = plane.drain.hold();
        match (caller, request.kind, &request.gap) {
            (Caller::Sidecar(sidecar), SignalKind::EvidenceGap, Some(gap)) => {
                skip(&plane, &sidecar, &request, gap).await
            }
            (_, SignalKind::EvidenceGap, _) | (_, _, Some(_)) => Err(Failure::new(
                ProblemKind::Malformed,
                "`evidence-gap` and `gap` go together, and come from a sidecar",
            )),
            (Caller::Operator(_), SignalKind::ToolChanged, None) => Err(Failure::new(
                ProblemKind::Forbidden,
                "only a sidecar sees the definitions of tools, and raises `tool-changed`",
            )),
            (caller, kind, None) if is_open_to_callers(kind) => store(&plane, &caller, request).await,
            (_, kind, None) => Err(Failure::new(
                ProblemKind::Forbidden,
                format!("only the collector itself raises `{}`", kind.name()),
            )),
        }
    };
    tokio::spawn(task).await.map_err(|_| stopped())?
}

fn is_open_to_callers(kind: SignalKind) -> bool {
    match kind {
        SignalKind::PactBreach
        | SignalKind::IncidentFlag
        | SignalKind::SettlementDispute
        | SignalKind::ToolChanged => true,
        SignalKind::ScoreDrop
        | SignalKind::FreshnessGap
        | SignalKind::EvidenceGap
        | SignalKind::EvidenceFork
        | SignalKind::Override => false,
    }
}

async fn store(plane: &Plane, caller: &Caller, request: SignalRequest) -> Result<Response, Failure> {
    let by = match caller {
        Caller::Sidecar(sidecar) => format!("sidecar {sidecar}"),
        Caller::Operator(operator) => format!("operator {operator}"),
    };
    let SignalRequest { kind, severity, agent, detail, gap: _ } = request;
    let signal = NewSignal { kind, severity, agent, source: None, detail, by };
    let stored = plane.store.raise_signal(&signal, plane.clock.now()).await?;
    let raised = Raised { id: stored.id, count: stored.count };
    Ok((StatusCode::CREATED, Json(raised)).into_response())
}

async fn skip(
    plane: &Plane,
    sidecar: &SidecarId,
    request: &SignalRequest,
    gap: &GapNotice,
) -> Result<Response, Failure> {
    let source = own_source(sidecar, &gap.source)?;
    let signal = NewSignal {
        kind: request.kind,
        severity: request.severity,
        agent: None,
        source: Some(source.to_string()),
        detail: format!("records {} to {} are gone: {}", gap.from, gap.through, request.detail),
        by: format!("sidecar {sidecar}"),
    };
    let skipped = plane.store.skip(&source, gap, &signal, plane.clock.now()).await?;
    if let Some(position) = skipped {
        return Ok(Json(position).into_response());
    }
    let held = plane.store.position(&source).await?.accepted_through;
    let detail = format!("a gap begins right after what is held: `from` must be {}", held.saturating_add(1));
    Err(Failure::new(ProblemKind::Conflict, detail).accepted_through(held))
}
