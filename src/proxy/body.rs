//! The request's body: read whole within a bound, or passed on as it comes.

use bytes::{Bytes, BytesMut};
use http::header;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::classify::{BodyPlan, Peer, Problem, Reply, Unreadable};
use crate::net::{Body, BodyBounds, BodyError, TimedBody};
use crate::proxy::Bounds;
use crate::proxy::entry::attempted_name;
use crate::proxy::lingering::Lingering;

/// The most memory that is taken at once for a body of which only a part has come.
const ANNOUNCED_BYTES_MAX: usize = 256 * 1024;

/// A body that was read whole, or one that is passed on unread. One of the two is empty.
pub(super) async fn take(
    plan: BodyPlan,
    head: &Parts,
    incoming: Lingering,
    bounds: &Bounds,
    peer: &Peer,
) -> Result<(Bytes, Body), Unreadable> {
    if matches!(plan, BodyPlan::Stream) {
        let unread = BodyBounds { idle: bounds.body_idle, total: None, bytes_max: u64::MAX };
        return Ok((Bytes::new(), Body::stream(TimedBody::new(incoming, unread))));
    }
    let refuse = |problem, detail: String| Unreadable {
        reply: Reply::of(peer.dialect),
        problem,
        detail,
        attempted: attempted_name(head),
    };
    let bytes_max = bounds.classify.body_bytes as u64;
    if let Some(length) = announced_length(head).filter(|length| *length > bytes_max) {
        let detail = format!("the body announces {length} bytes, and at most {bytes_max} are read");
        return Err(refuse(Problem::TooLarge, detail));
    }
    let whole = BodyBounds { idle: bounds.body_idle, total: Some(bounds.body_total), bytes_max };
    let collected = collect(TimedBody::new(incoming, whole)).await;
    let bytes = collected.map_err(|error| {
        let problem = match error {
            BodyError::TooLarge { .. } => Problem::TooLarge,
            BodyError::Stalled { .. } | BodyError::TooSlow { .. } => Problem::TooSlow,
            BodyError::Broken(_) => Problem::Syntax,
        };
        refuse(problem, error.to_string())
    })?;
    Ok((bytes, Body::Empty))
}

/// One frame, the usual case, is not copied; several are copied once, into a place of the announced size.
async fn collect(mut body: TimedBody<Lingering>) -> Result<Bytes, BodyError> {
    // Not trusted beyond what is read at a time: an announcement must not take memory by itself.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(ANNOUNCED_BYTES_MAX);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    // A body that says it has ended need not be asked once more, which would wait for the connection's next turn.
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(announced.max(first.len() + data.len()));
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn announced_length(head: &Parts) -> Option<u64> {
    head.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
