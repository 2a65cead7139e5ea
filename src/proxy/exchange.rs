//! The life of a call, top to bottom.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::classify::{self, Reply, RequestView, Unreadable};
use crate::domain::Reason;
use crate::domain::Dialect;
use crate::enforce::{Attempted, Caller, Refusal, Refused};
use crate::net::Body;
use crate::proxy::entry::Entry;
use crate::proxy::refusal_response::{self, Failure};
use crate::proxy::route::Origin;
use crate::proxy::{Proxy, body, headers, response_tap, upstream};

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
        Self::Refused { parts: vec![Refused { reply, refusal }], batch: false }
    }
}

/// Answers one request. Whatever happens, exactly one response, and one record for each message in it.
pub(super) async fn exchange(proxy: &Arc<Proxy>, entry: &Entry, request: Request<Incoming>) -> Response<Body> {
    match attempt(proxy, entry, request).await {
        Ok(response) => response,
        Err(Answer::Refused { parts, batch }) => refusal_response::refused(&parts, batch),
        Err(Answer::Failed { replies, failure, batch }) => {
            refusal_response::failed(&replies, &failure, batch)
        }
    }
}

async fn attempt(
    proxy: &Arc<Proxy>,
    entry: &Entry,
    request: Request<Incoming>,
) -> Result<Response<Body>, Answer> {
    let routes = proxy.routes.load_full();
    let (mut head, incoming) = request.into_parts();

    // 1. Identify the agent, and find the place it speaks to: from names that agree.
    let caller = entry.identify(proxy, &routes, &mut head)?;
    let origin = entry.origin(proxy, &routes, &caller, &head)?;
    let peer = routes.peer(&origin);

    // 2. View the request as plain data.
    let upgrade = headers::upgrade(&head);
    headers::strip_request(&mut head.headers);
    let reads_bodies = proxy.enforcer.reads_http_bodies(&caller.agent);
    let plan = classify::plan(peer, &head.method, &origin.path, &head.headers, reads_bodies);
    let unreadable = |problem: Unreadable| refuse_unreadable(proxy, &caller, &origin, problem);
    let (whole, streamed) = body::take(plan, &head, incoming, &proxy.bounds, peer).await.map_err(unreadable)?;

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
    let call = classify::classify(peer, &view, &proxy.bounds.classify).map_err(unreadable)?;

    // 4. and 5. Admit it, and record it first where the pact demands that.
    let batch = call.batch;
    let outbound = upstream::compose(&origin, head, &call, whole, streamed, upgrade);
    let admitted = proxy.enforcer.admit(&caller, call.parts, outbound).await;
    let permit = admitted.map_err(|parts| Answer::Refused { parts, batch })?;

    // 6. Send it with the permit.
    let (permit, response) = upstream::send(&routes, permit, batch).await?;

    // 7. and 8. Tap the response while it streams; the tap settles the permit.
    Ok(response_tap::tap(&origin, permit, response))
}

/// What cannot be read is refused in the dialect of the place it was meant for, and recorded.
fn refuse_unreadable(
    proxy: &Proxy,
    caller: &Caller,
    origin: &Origin,
    problem: Unreadable,
) -> Answer {
    let attempted = Attempted {
        name: problem.attempted,
        dialect: origin.upstream.as_ref().map_or(Dialect::Http, |u| u.peer.dialect),
    };
    let mut refusal = proxy.enforcer.refuse(Some(caller), attempted, Reason::Unreadable, problem.detail);
    refusal.status = Some(problem.problem.status());
    Answer::refused(problem.reply, refusal)
}
