//! The response as it streams: read, never held up; at its end, however that comes, the permit is settled.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::classify::{Bounds, UsageTap};
use crate::domain::{Dialect, Usage};
use crate::enforce::{Permit, Settlement};
use crate::evidence::{CutCause, Outcome, Seen, UpstreamFailure};
use crate::net::{Body, BodyBounds, BodyError, BoxError, TimedBody};
use crate::proxy::Proxy;
use crate::proxy::entry::Way;
use crate::proxy::headers::{self, DECISION};
use crate::proxy::route::Origin;
use crate::telemetry::InFlight;

/// Passes a response on, with a tap on its body that holds the permit.
pub(super) fn tap(
    way: &Way,
    origin: &Origin,
    held: Held,
    response: Response<Incoming>,
    sent_bytes: u64,
    idle: Duration,
) -> Response<Body> {
    let (mut head, incoming) = response.into_parts();
    // The upstream's version is of its own connection (RFC 9110, section 2.5).
    head.version = Version::HTTP_11;
    let encoded = head.headers.contains_key(header::CONTENT_ENCODING);
    headers::strip_response(&mut head.headers);
    keep_inside(way, origin, &mut head.headers);
    if let Ok(id) = HeaderValue::from_str(held.permit.decision().as_str()) {
        head.headers.insert(DECISION, id);
    }
    let dialect = origin.dialect();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let reads = matches!(dialect, Dialect::OpenAi | Dialect::Anthropic) && !encoded;
    let usage = reads.then(|| UsageTap::for_response(dialect, content_type, &Bounds::default()));
    let bounds = BodyBounds { idle, total: None, bytes_max: u64::MAX };
    let mut tapped = Tapped {
        body: TimedBody::new(incoming, bounds),
        status: head.status.as_u16(),
        sent: sent_bytes,
        received: 0,
        usage,
        held: Some(held),
    };
    if tapped.body.is_end_stream() {
        tapped.settle(None);
        return Response::from_parts(head, Body::Empty);
    }
    Response::from_parts(head, Body::stream(tapped))
}

/// A redirect in reverse mode must not lead the agent around us: one to the same upstream is turned into our own
/// path, any other is taken away. In forward mode it is judged when it is followed.
fn keep_inside(way: &Way, origin: &Origin, headers: &mut http::HeaderMap) {
    if !matches!(way, Way::Reverse) {
        return;
    }
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let Some(value) = headers.get(&name) else { continue };
        match value.to_str().ok().and_then(|target| origin.rewrite(target)) {
            Some(inside) => headers.insert(name, inside),
            None => headers.remove(name),
        };
    }
    headers.remove(header::REFRESH);
}

/// A body that is being passed on.
struct Tapped {
    body: TimedBody<Incoming>,
    status: u16,
    sent: u64,
    received: u64,
    usage: Option<UsageTap>,
    /// Empty once it is settled.
    held: Option<Held>,
}

/// What is held until the answer has ended.
pub(super) struct Held {
    proxy: Arc<Proxy>,
    permit: Permit,
    /// The call counts as being answered.
    _in_flight: InFlight,
}

impl Held {
    pub(super) fn new(proxy: Arc<Proxy>, permit: Permit, in_flight: InFlight) -> Self {
        Self { proxy, permit, _in_flight: in_flight }
    }
}

impl Tapped {
    fn settle(&mut self, broken: Option<Outcome>) {
        let Some(Held { permit, .. }) = self.held.take() else { return };
        let reads = self.usage.is_some();
        let seen = self.usage.take().map(UsageTap::finish).unwrap_or_default();
        permit.settle(Settlement {
            outcome: broken.unwrap_or(Outcome::Completed { status: self.status }),
            usage: Usage {
                input_tokens: seen.input_tokens.unwrap_or(0),
                output_tokens: seen.output_tokens.unwrap_or(0),
                bytes_sent: self.sent,
                bytes_received: self.received,
            },
            response: Some(if reads { Seen::Envelope } else { Seen::Unread }),
        });
    }
}

impl http_body::Body for Tapped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let next = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &next {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.received = this.received.saturating_add(data.len() as u64);
                    if let Some(usage) = &mut this.usage {
                        usage.push(data);
                    }
                }
                // A body of known length may not be asked for its end.
                if this.body.is_end_stream() {
                    this.settle(None);
                }
            }
            Some(Err(error)) => this.settle(Some(broken(error))),
            None => this.settle(None),
        }
        // An error breaks the agent's connection off, so that a cut answer is never taken for a whole one.
        Poll::Ready(next.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn broken(error: &BodyError) -> Outcome {
    match error {
        BodyError::Stalled { .. } | BodyError::TooSlow { .. } => Outcome::Cut { why: CutCause::Idle },
        BodyError::TooLarge { .. } => Outcome::Cut { why: CutCause::TooLarge },
        BodyError::Broken(_) => Outcome::UpstreamFailed { what: UpstreamFailure::Reset },
    }
}

/// The agent hung up, or the drain's deadline came.
impl Drop for Tapped {
    fn drop(&mut self) {
        let Some(held) = &self.held else { return };
        let ended = self.body.is_end_stream();
        let outcome = (!ended).then(|| held.proxy.dropped());
        self.settle(outcome);
    }
}
