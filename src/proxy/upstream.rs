//! The only way out for calls: send what was judged, with the permit.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;

use crate::classify::{Call, Reply};
use crate::domain::{Dialect, Reason};
use crate::enforce::{Outbound, Permit, Settlement};
use crate::evidence::{Outcome, UpstreamFailure};
use crate::net::{Body, Failure as NetFailure, HttpClient};
use crate::proxy::exchange::Answer;
use crate::proxy::headers::CREDENTIALS;
use crate::proxy::refusal_response::Failure;
use crate::proxy::route::{Origin, Routes};

/// Puts together what will leave, from what was classified: the normalized path, the body that was read, no other.
pub(super) fn compose(
    origin: &Origin,
    head: Parts,
    call: &Call,
    whole: Bytes,
    streamed: Body,
) -> Outbound {
    let mut headers = head.headers;
    let body = match (&call.body, streamed) {
        (Some(decoded), _) => {
            headers.remove(header::CONTENT_ENCODING);
            Body::from(decoded.clone())
        }
        (None, Body::Empty) => Body::from(whole),
        (None, streamed) => streamed,
    };
    if !matches!(body, Body::Stream(_)) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let dialect = origin.upstream.as_ref().map_or(Dialect::Http, |upstream| upstream.peer.dialect);
    if !matches!(dialect, Dialect::Http | Dialect::Opaque) {
        // The tap reads these answers as they stream.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.headers_mut() = headers;
    *request.uri_mut() = uri(origin, &call.path_and_query);
    Outbound { upstream: origin.upstream.as_ref().map(|upstream| upstream.name.clone()), request }
}

fn uri(origin: &Origin, path_and_query: &str) -> Uri {
    let Origin { scheme, host, port, .. } = origin;
    let prefix = origin.upstream.as_ref().map_or("", |upstream| upstream.prefix.as_str());
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    let implied = matches!((scheme.as_str(), *port), ("https", 443) | ("http", 80));
    let text = if implied {
        format!("{scheme}://{open}{host}{close}{prefix}{path_and_query}")
    } else {
        format!("{scheme}://{open}{host}{close}:{port}{prefix}{path_and_query}")
    };
    // Every part has been normalized, so this parses; the root of nowhere goes nowhere.
    text.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

/// Sends the request that the permit holds, and waits for the head of the answer.
///
/// # Errors
/// What the agent is told instead. The permit is settled then.
pub(super) async fn send(
    routes: &Routes,
    mut permit: Permit,
    batch: bool,
) -> Result<(Permit, Response<Incoming>), Answer> {
    let Outbound { upstream, mut request } = permit.open();
    let declared = upstream.as_ref().and_then(|name| routes.named(name));
    let (client, patience): (&HttpClient, Duration) = match declared {
        Some(upstream) => (&upstream.client, upstream.head_timeout),
        None => (&routes.elsewhere().client, routes.elsewhere().head_timeout),
    };
    if let Some((name, value)) = declared.and_then(|upstream| upstream.credential.as_ref()) {
        for carrier in &CREDENTIALS {
            request.headers_mut().remove(carrier);
        }
        request.headers_mut().insert(name.clone(), value.clone());
    }
    permit.departed();
    match tokio::time::timeout(patience, client.request(request)).await {
        Ok(Ok(response)) => Ok((permit, response)),
        Ok(Err(error)) => Err(unanswered(permit, NetFailure::of(&error), batch)),
        Err(_) => Err(unanswered(permit, NetFailure::Timeout, batch)),
    }
}

fn unanswered(permit: Permit, failure: NetFailure, batch: bool) -> Answer {
    let (what, status, message) = match failure {
        NetFailure::Forbidden(why) => return forbidden(permit, &why.to_string(), batch),
        NetFailure::Timeout => (UpstreamFailure::Timeout, StatusCode::GATEWAY_TIMEOUT, "The upstream did not answer in time."),
        NetFailure::NoSuchHost => (UpstreamFailure::NoSuchHost, StatusCode::BAD_GATEWAY, "The upstream's name cannot be resolved."),
        NetFailure::Unreachable => (UpstreamFailure::Unreachable, StatusCode::BAD_GATEWAY, "The upstream cannot be reached."),
        NetFailure::Tls => (UpstreamFailure::Tls, StatusCode::BAD_GATEWAY, "The upstream's certificate or TLS is not acceptable."),
        NetFailure::Protocol => (UpstreamFailure::Protocol, StatusCode::BAD_GATEWAY, "The upstream's answer is not HTTP."),
    };
    let failure = Failure {
        decision: permit.decision().clone(),
        status: status.as_u16(),
        code: what.name(),
        message: message.to_owned(),
    };
    let replies: Vec<Reply> = permit.replies().cloned().collect();
    permit.settle(Settlement::of(Outcome::UpstreamFailed { what }));
    Answer::Failed { replies, failure, batch }
}

/// The name led to an address that must not be reached. Nothing was sent.
fn forbidden(permit: Permit, why: &str, batch: bool) -> Answer {
    Answer::Refused { parts: permit.revoke(Reason::AddressForbidden, why), batch }
}
