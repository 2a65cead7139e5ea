//! 101 Switching Protocols: a call that was admitted as opaque turns into a tunnel (RFC 9110, section 7.8).

use std::sync::Arc;

use http::{Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::enforce::{Permit, Settlement};
use crate::evidence::Outcome;
use crate::net::{Body, Place};
use crate::proxy::headers::{self, WEBSOCKET};
use crate::proxy::{Proxy, tunnel};

/// Whether the upstream's answer turns the connection over to another protocol.
pub(super) fn is_switch(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

/// Passes the answer on, and from then on bytes in both directions. The tunnel settles the permit.
pub(super) fn switch(
    proxy: &Arc<Proxy>,
    permit: Permit,
    place: Option<Arc<Place>>,
    agent: OnUpgrade,
    mut response: Response<Incoming>,
) -> Response<Body> {
    let upstream = hyper::upgrade::on(&mut response);
    let (mut head, _) = response.into_parts();
    headers::strip_response(&mut head.headers);
    head.headers.insert(header::CONNECTION, http::HeaderValue::from_static("upgrade"));
    head.headers.insert(header::UPGRADE, WEBSOCKET);
    let idle = proxy.bounds.tunnel_idle;
    proxy.drain.spawn(async move {
        match tokio::try_join!(agent, upstream) {
            Ok((agent, upstream)) => {
                tunnel::run(permit, TokioIo::new(agent), TokioIo::new(upstream), idle).await;
            }
            Err(_) => permit.settle(Settlement::of(Outcome::ClientGone)),
        }
        drop(place);
    });
    Response::from_parts(head, Body::Empty)
}
