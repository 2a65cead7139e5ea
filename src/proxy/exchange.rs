//! The life of a call, top to bottom.

use std::sync::Arc;

use http::{Request, Response, header};
use hyper::body::Incoming;

use http_body::Body as _;

use crate::classify::{self, Coverage, Reply, RequestView, Unreadable};
use crate::domain::Reason;
use crate::enforce::{Attempted, Caller, Refusal, Refused};
use crate::net::{Body, Place};
use crate::proxy::entry::Entry;
use crate::proxy::lingering::Lingering;
use crate::proxy::refusal_response::{self, Failure};
use crate::proxy::response_tap::{Answering, Held};
use crate::proxy::route::Origin;
use crate::proxy::{Proxy, body, headers, response_tap, switch, upstream};
use crate::telemetry::InFlight;

/// What the agent gets where the upstream's own answer does not reach it.
pub(super) enum Answer {
    /// The call was not admitted.
    Refused { parts: Vec<Refused>, batch: bool },
    /// It was admitted, and the upstream failed.
    Failed { replies: Vec<Reply>, failure: Failure, batch: bool },
}

impl Answer {
    /// A call of one message that was refused.
    pub(super) fn refused(reply: Reply, refusal: Refusal) -> Self {
        Self::Refused { parts: vec![Refused::new(reply, refusal)], batch: false }
    }
}

/// Answers one request. Whatever happens: exactly one response, and one record for each message in it.
///
/// `place` is the agent's place among the connections, which a call that turns into a tunnel keeps.
pub(super) async fn exchange(
    proxy: &Arc<Proxy>,
    entry: &Entry,
    place: Option<Arc<Place>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let in_flight = proxy.enforcer.metrics().in_flight(entry.way.port());
    match attempt(proxy, entry, place, request, in_flight).await {
        Ok(response) => response,
        Err(instead) => answer(instead),
    }
}

/// 9. An answer of our own, in the caller's dialect.
pub(super) fn answer(instead: Answer) -> Response<Body> {
    match instead {
        Answer::Refused { parts, batch } => refusal_response::refused(&parts, batch),
        Answer::Failed { replies, failure, batch } => refusal_response::failed(&replies, &failure, batch),
    }
}

async fn attempt(
    proxy: &Arc<Proxy>,
    entry: &Entry,
    place: Option<Arc<Place>>,
    mut request: Request<Incoming>,
    in_flight: InFlight,
) -> Result<Response<Body>, Answer> {
    let routes = proxy.routes.load_full();
    let upgrade = hyper::upgrade::on(&mut request);
    let (mut head, incoming) = request.into_parts();
    let incoming = Lingering::new(incoming, &head.headers, &proxy.drain);

    // 1. Identify the agent, and the place it speaks to: from names that agree.
    let caller = entry.identify(proxy, &routes, &mut head)?;
    let origin = entry.origin(proxy, &routes, &caller, &head)?;
    let peer = routes.peer(&origin);
    let host = head.headers.get(header::HOST).cloned();

    // 2. View the request as plain data.
    headers::strip_request(&mut head.headers);
    let reads_bodies = proxy.enforcer.reads_http_bodies(&caller.agent);
    let plan = classify::plan(peer, &head.method, &origin.path, &head.headers, reads_bodies);
    let unreadable = |what| refuse_unreadable(proxy, &caller, &origin, what);
    let (whole, unread) = body::take(plan, &head, incoming, &proxy.bounds, peer).await.map_err(unreadable)?;

    // 3. Classify it into actions.
    let view = RequestView {
        method: &head.method,
        scheme: &origin.scheme,
        host: &origin.host,
        port: origin.port,
        path: &origin.path,
        query: origin.query.as_deref(),
        headers: &head.headers,
        body: &whole,
    };
    let mut call = classify::classify(peer, &view, &proxy.bounds.classify).map_err(unreadable)?;
    if !unread.is_end_stream() {
        call.parts.iter_mut().for_each(|part| part.coverage = Coverage::Unread);
    }
    let batch = call.batch;
    let sent_bytes = whole.len() as u64;
    let expected = entry.keep_inside(call.expected.clone(), &routes, &head.uri, host.as_ref());

    // What the agent may never call is not offered to its model.
    let sifted = proxy.enforcer.sift(&caller, &call.offers);
    call.sift(&sifted.removed, &sifted.judged, &whole, &proxy.bounds.classify).map_err(unreadable)?;

    // 4. and 5. Admit it; where the pact demands that, the admission is recorded first.
    let (parts, outbound) = upstream::compose(&origin, head, call, whole, unread);
    let admitted = proxy.enforcer.admit(&caller, parts, outbound).await;
    let permit = admitted.map_err(|parts| Answer::Refused { parts, batch })?;

    // 6. Send it with the permit.
    let (permit, response) = upstream::send(proxy, &routes, permit, batch).await?;

    // 7. and 8. Tap the response while it streams; at its end the tap settles the permit.
    if switch::is_switch(&response) {
        return Ok(switch::switch(proxy, permit, place, upgrade, response));
    }
    let idle = routes.idle(&origin);
    let held = Held::new(Arc::clone(proxy), permit, in_flight);
    let answering = Answering { way: &entry.way, origin: &origin, expected, sent_bytes, idle };
    response_tap::tap(answering, held, response).await
}

/// What cannot be read is refused in the dialect of the place it was meant for, and the attempt is on record.
fn refuse_unreadable(proxy: &Proxy, caller: &Caller, origin: &Origin, what: Unreadable) -> Answer {
    let attempted = Attempted {
        caller: Some(caller.clone()),
        listener: caller.listener.clone(),
        name: what.attempted,
        dialect: origin.dialect(),
    };
    proxy.enforcer.metrics().unreadable(what.problem.name());
    let detail = format!("{} ({})", what.detail, what.problem.name());
    let refusal = Refusal {
        status: Some(what.problem.status()),
        code: Some(what.problem.json_rpc_code(origin.dialect()).into()),
        ..proxy.enforcer.refuse(&attempted, Reason::Unreadable, detail)
    };
    Answer::refused(what.reply, refusal)
}
