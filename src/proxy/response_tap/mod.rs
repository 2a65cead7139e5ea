//! The response as it streams: read, held up only where something in it has to be judged; at its end, however that
//! comes, the permit is settled.

mod decoder;
mod judged;
mod whole;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, Response, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::classify::{AnswerForm, Expected, Observed, Speech, Unfit};
use crate::domain::Usage;
use crate::enforce::{AnswerJudge, Permit, Settlement};
use crate::evidence::{CutCause, Outcome, Seen, UpstreamFailure};
use crate::net::{Body, BodyBounds, BodyError, BoxError, TimedBody};
use crate::proxy::Proxy;
use crate::proxy::entry::Way;
use crate::proxy::exchange::Answer;
use crate::proxy::headers::{self, DECISION};
use crate::proxy::refusal_response::Failure;
use crate::proxy::route::Origin;
use crate::telemetry::InFlight;
use decoder::Decoder;

/// What is known of a call whose answer comes in.
pub(super) struct Answering<'a> {
    /// How the request came in.
    pub way: &'a Way,
    /// Where it went.
    pub origin: &'a Origin,
    /// What its answer has to be.
    pub expected: Expected,
    /// Bytes of its body.
    pub sent_bytes: u64,
    /// How long the answer may stand still.
    pub idle: Duration,
}

/// Passes a response on, with a tap on its body that holds the permit.
///
/// # Errors
/// What the agent is told instead of an answer that cannot be read. The permit is settled then.
pub(super) async fn tap(
    answering: Answering<'_>,
    held: Held,
    response: Response<Incoming>,
) -> Result<Response<Body>, Answer> {
    let (mut head, incoming) = response.into_parts();
    // The upstream's version is of its own connection (RFC 9110, section 2.5).
    head.version = Version::HTTP_11;
    headers::strip_response(&mut head.headers);
    keep_inside(answering.way, answering.origin, &mut head.headers);
    if let Ok(id) = HeaderValue::from_str(held.permit.decision().as_str()) {
        head.headers.insert(DECISION, id);
    }
    let bounds = held.proxy.bounds.classify;
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let form = answering.expected.form(head.status.as_u16(), content_type, &bounds);
    let timed = BodyBounds { idle: answering.idle, total: None, bytes_max: u64::MAX };
    let body = TimedBody::new(incoming, timed);
    let is_read = !matches!(form, Ok(AnswerForm::Unread));
    let mut passing = Passing {
        status: head.status.as_u16(),
        sent: answering.sent_bytes,
        received: 0,
        batch: matches!(&answering.expected.speech, Speech::Mcp(exchange) if exchange.batch),
        reads: is_read,
        seen: Observed::default(),
        held: Some(held),
    };
    let decoder = if is_read { Decoder::of(&head.headers, &bounds) } else { Ok(Decoder::none()) };
    let (form, decoder) = match (form, decoder) {
        (Ok(form), Ok(decoder)) => (form, decoder),
        (Err(unfit), _) | (_, Err(unfit)) => return Err(passing.unfit(&unfit)),
    };
    match form {
        AnswerForm::Unread => Ok(unread(head, body, passing)),
        AnswerForm::Whole => {
            let taken = whole::Taken { body, decoder, expected: answering.expected, passing };
            taken.answer(head).await
        }
        AnswerForm::Stream(reader) => Ok(judged::stream(head, body, decoder, *reader, passing)),
    }
}

fn unread(head: Parts, body: TimedBody<Incoming>, passing: Passing) -> Response<Body> {
    let mut tapped = Tapped { body, passing };
    if tapped.body.is_end_stream() {
        tapped.passing.settle(None);
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

/// What is known of an answer while it passes. Dropped when the agent hangs up or the drain's deadline comes: then it
/// settles the permit itself.
struct Passing {
    status: u16,
    sent: u64,
    received: u64,
    /// Whether an array is due.
    batch: bool,
    /// Whether the answer is read.
    reads: bool,
    /// What it said of itself.
    seen: Observed,
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

impl Passing {
    /// Counts bytes that came.
    fn received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    fn judge(&self) -> Option<AnswerJudge> {
        self.held.as_ref()?.permit.answer_judge()
    }

    fn settle(&mut self, broken: Option<Outcome>) {
        let Some(Held { permit, .. }) = self.held.take() else { return };
        permit.settle(Settlement {
            outcome: broken.unwrap_or(Outcome::Completed { status: self.status }),
            usage: Usage {
                input_tokens: self.seen.input_tokens.unwrap_or(0),
                output_tokens: self.seen.output_tokens.unwrap_or(0),
                bytes_sent: self.sent,
                bytes_received: self.received,
            },
            response: Some(if self.reads { Seen::Read } else { Seen::Unread }),
        });
    }

    /// Ends a call whose answer cannot be read: what the agent is told instead.
    fn unfit(&mut self, unfit: &Unfit) -> Answer {
        let message = format!("The upstream's answer was held back: {unfit}.");
        self.failed(Outcome::Cut { why: CutCause::Unreadable }, "unreadable-answer", message)
    }

    /// Ends a call whose answer does not reach the agent.
    fn failed(&mut self, outcome: Outcome, code: &'static str, message: String) -> Answer {
        let replies = self.held.iter().flat_map(|held| held.permit.replies().cloned()).collect();
        let failure = self.failure(code, message);
        self.settle(Some(outcome));
        match failure {
            Some(failure) => Answer::Failed { replies, failure, batch: self.batch },
            None => Answer::Refused { parts: Vec::new(), batch: self.batch },
        }
    }

    /// What is told of an answer that does not reach the agent, or not to its end.
    fn failure(&self, code: &'static str, message: String) -> Option<Failure> {
        let held = self.held.as_ref()?;
        let decision = held.permit.decision().clone();
        tracing::warn!(%decision, upstream = held.permit.upstream(), code, "answer held back: {message}");
        Some(Failure { decision, status: 502, code, message, held_back: true })
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let Some(held) = &self.held else { return };
        let outcome = held.proxy.dropped();
        self.settle(Some(outcome));
    }
}

/// A body that is passed on unread.
struct Tapped {
    body: TimedBody<Incoming>,
    passing: Passing,
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
                    this.passing.received(data.len());
                }
                // A body of known length may not be asked for its end.
                if this.body.is_end_stream() {
                    this.passing.settle(None);
                }
            }
            Some(Err(error)) => this.passing.settle(Some(broken(error))),
            None => this.passing.settle(None),
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

/// The agent hung up, or the drain's deadline came; or the body had ended, and nobody asked for its end.
impl Drop for Tapped {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.passing.settle(None);
        }
    }
}
