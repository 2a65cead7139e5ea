//! The only way out for calls: send what was judged, with the permit.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use crate::classify::{self, Call, Part, Reply};
use crate::domain::{Dialect, Reason};
use crate::enforce::{Outbound, Permit, Settlement};
use crate::evidence::{Outcome, UpstreamFailure};
use crate::net::{Body, ClientError, Failure as NetFailure};
use crate::proxy::Proxy;
use crate::proxy::exchange::Answer;
use crate::proxy::headers::{CREDENTIAL_PARAMETERS, CREDENTIALS};
use crate::proxy::refusal_response::Failure;
use crate::proxy::route::{Origin, Routes};

/// Puts together what will leave, from what was classified: the normalized path, the body that was read, no other.
pub(super) fn compose(
    origin: &Origin,
    head: Parts,
    call: Call,
    whole: Bytes,
    unread: Body,
) -> (Vec<Part>, Outbound) {
    let mut headers = head.headers;
    let body = match (call.body, unread) {
        (Some(decoded), _) => {
            headers.remove(header::CONTENT_ENCODING);
            Body::from(decoded)
        }
        (None, Body::Empty) => Body::from(whole),
        (None, unread) => unread,
    };
    if !matches!(body, Body::Stream(_)) {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRAILER);
    }
    let is_signed = |name: &str| {
        let signed = classify::signed_headers(&headers).filter(|_| origin.dialect() == Dialect::Bedrock);
        signed.is_some_and(|signed| signed.iter().any(|signed| signed == name))
    };
    let is_read = !matches!(origin.dialect(), Dialect::Http | Dialect::Opaque);
    if is_read && !is_signed(header::ACCEPT_ENCODING.as_str()) {
        // The tap reads these answers as they stream, and whole.
        headers.remove(header::RANGE);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.headers_mut() = headers;
    *request.uri_mut() = uri(origin, &call.path_and_query);
    let upstream = origin.upstream.as_ref().map(|upstream| upstream.name.clone());
    (call.parts, Outbound { upstream, request })
}

fn uri(origin: &Origin, path_and_query: &str) -> Uri {
    let Origin { scheme, host, port, .. } = origin;
    let prefix = origin.prefix();
    let implied = matches!((scheme.as_str(), *port), ("https", 443) | ("http", 80));
    let text = match (implied, host.contains(':')) {
        (true, false) => format!("{scheme}://{host}{prefix}{path_and_query}"),
        (true, true) => format!("{scheme}://[{host}]{prefix}{path_and_query}"),
        (false, false) => format!("{scheme}://{host}:{port}{prefix}{path_and_query}"),
        (false, true) => format!("{scheme}://[{host}]:{port}{prefix}{path_and_query}"),
    };
    // Every part has been normalized, so this parses; the root of nowhere goes nowhere.
    text.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

/// Sends the request that the permit holds, and waits for the head of the answer.
///
/// # Errors
/// What the agent is told instead. The permit is settled then.
pub(super) async fn send(
    proxy: &Proxy,
    routes: &Routes,
    mut permit: Permit,
    batch: bool,
) -> Result<(Permit, Response<Incoming>), Answer> {
    let Outbound { upstream, mut request } = permit.open();
    let declared = upstream.as_ref().and_then(|name| routes.named(name));
    let client = declared.map_or(&routes.elsewhere().client, |upstream| &upstream.client);
    if let Some((name, value)) = declared.and_then(|upstream| upstream.credential.as_ref()) {
        for carrier in &CREDENTIALS {
            request.headers_mut().remove(carrier);
        }
        request.headers_mut().insert(name.clone(), value.clone());
        if declared.is_some_and(|upstream| upstream.peer.dialect == Dialect::Gemini) {
            let uri = without_credentials(request.uri());
            *request.uri_mut() = uri;
        }
    }
    let offers_switch = request.headers().contains_key(header::UPGRADE);
    permit.departed();
    let awaiting = Awaiting { proxy, permit: Some(permit) };
    let answered = client.request(request).await;
    let (permit, response) = awaiting.ended(answered, batch)?;
    // An upstream that turns the connection over without being asked wants a tunnel that nobody judged.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !offers_switch {
        return Err(unanswered(permit, NetFailure::BadAnswer, batch));
    }
    Ok((permit, response))
}

/// The URI without the query parameters in which Google's clients carry a credential, however they are escaped.
fn without_credentials(uri: &Uri) -> Uri {
    let Some(query) = uri.query() else { return uri.clone() };
    let is_kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy();
        !CREDENTIAL_PARAMETERS.contains(&name.trim_start_matches('$'))
    };
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    let path = uri.path();
    let path_and_query =
        if kept.is_empty() { path.to_owned() } else { [path, "?", &kept.join("&")].concat() };
    let mut parts = uri.clone().into_parts();
    // Of what was a URI, what is left is one; the root of nowhere goes nowhere.
    let Ok(path_and_query) = path_and_query.parse() else { return Uri::from_static("/") };
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("/"))
}

/// A permit whose call waits for an answer. Dropped when nobody waits any more.
struct Awaiting<'a> {
    proxy: &'a Proxy,
    /// Empty once the wait has ended.
    permit: Option<Permit>,
}

impl Awaiting<'_> {
    fn ended(
        mut self,
        answered: Result<Response<Incoming>, ClientError>,
        batch: bool,
    ) -> Result<(Permit, Response<Incoming>), Answer> {
        let Some(mut permit) = self.permit.take() else {
            return Err(Answer::Refused { parts: Vec::new(), batch });
        };
        match answered {
            Ok(response) => {
                permit.answered();
                Ok((permit, response))
            }
            Err(error) => Err(unanswered(permit, error.failure(), batch)),
        }
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.settle(Settlement::of(self.proxy.dropped()));
        }
    }
}

/// Settles a permit whose call got no answer, and says what the agent is told.
pub(super) fn unanswered(permit: Permit, failure: NetFailure, batch: bool) -> Answer {
    let (what, status, message) = match failure {
        // The name led to an address that must not be reached. Nothing was sent.
        NetFailure::Forbidden(why) => {
            let parts = permit.revoke(Reason::AddressForbidden, &why.to_string());
            return Answer::Refused { parts, batch };
        }
        NetFailure::NoSuchHost => {
            (UpstreamFailure::Resolve, BAD_GATEWAY, "The upstream's name cannot be resolved.")
        }
        NetFailure::ConnectTimeout | NetFailure::Refused | NetFailure::Unreachable => {
            (UpstreamFailure::Connect, BAD_GATEWAY, "The upstream cannot be reached.")
        }
        NetFailure::Tls => {
            (UpstreamFailure::Tls, BAD_GATEWAY, "The upstream's certificate or TLS is not acceptable.")
        }
        NetFailure::HeadTimeout => {
            (UpstreamFailure::Timeout, GATEWAY_TIMEOUT, "The upstream did not answer in time.")
        }
        NetFailure::Closed => {
            (UpstreamFailure::Reset, BAD_GATEWAY, "The upstream closed the connection without an answer.")
        }
        NetFailure::BadAnswer => {
            (UpstreamFailure::Protocol, BAD_GATEWAY, "The upstream's answer is not HTTP.")
        }
        NetFailure::RequestBody | NetFailure::BadRequest => {
            return sender_failed(permit, batch);
        }
    };
    failed(permit, Outcome::UpstreamFailed { what }, status, what.name(), message, batch)
}

/// The agent's own body broke off, stalled or ran over while it was being passed on.
fn sender_failed(permit: Permit, batch: bool) -> Answer {
    let message = "The request's body did not arrive whole.";
    failed(permit, Outcome::ClientGone, StatusCode::BAD_REQUEST, "request-body", message, batch)
}

fn failed(
    permit: Permit,
    outcome: Outcome,
    status: StatusCode,
    code: &'static str,
    message: &str,
    batch: bool,
) -> Answer {
    let decision = permit.decision().clone();
    tracing::warn!(%decision, upstream = permit.upstream(), code, "call failed on its way: {message}");
    let replies: Vec<Reply> = permit.replies().cloned().collect();
    permit.settle(Settlement::of(outcome));
    let failure =
        Failure { decision, status: status.as_u16(), code, message: message.to_owned(), held_back: false };
    Answer::Failed { replies, failure, batch }
}

const BAD_GATEWAY: StatusCode = StatusCode::BAD_GATEWAY;
const GATEWAY_TIMEOUT: StatusCode = StatusCode::GATEWAY_TIMEOUT;
