//! TimedBody: a body that must keep coming, must end, and must not be too large.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::net::BoxError;

/// The bounds of one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyBounds {
    /// The longest silence between two frames.
    pub idle: Duration,
    /// The longest time from the first wait to the end; `None` for streams that may stay open.
    pub total: Option<Duration>,
    /// The most bytes of data; trailers do not count, the connection bounds them.
    pub bytes_max: u64,
}

/// Why a body was cut.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Nothing came for longer than allowed.
    #[error("the body stalled: nothing came for {} ms", after.as_millis())]
    Stalled {
        /// The bound.
        after: Duration,
    },
    /// It kept coming, but did not end in time.
    #[error("the body did not end within {} ms", after.as_millis())]
    TooSlow {
        /// The bound.
        after: Duration,
    },
    /// More bytes than allowed.
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// The sender broke off, or sent what is not HTTP.
    #[error("the body broke off")]
    Broken(#[source] BoxError),
}

/// A body with its bounds enforced. While data is ready it costs a comparison; a timer exists only once it waits.
#[derive(Debug)]
pub struct TimedBody<B> {
    inner: B,
    bounds: BodyBounds,
    bytes_left: u64,
    // The end of the whole body, fixed at the first wait.
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<B> TimedBody<B> {
    /// Puts `bounds` on `inner`. Must be polled inside a tokio runtime with a timer.
    #[must_use]
    pub fn new(inner: B, bounds: BodyBounds) -> Self {
        Self { inner, bounds, bytes_left: bounds.bytes_max, deadline: None, timer: None, waiting: false }
    }

    /// Called when the inner body has nothing yet: arms or asks the timer.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        if !self.waiting {
            self.waiting = true;
            let now = Instant::now();
            if let (None, Some(total)) = (self.deadline, self.bounds.total) {
                self.deadline = Some(now + total);
            }
            let stall = now + self.bounds.idle;
            let until = self.deadline.map_or(stall, |end| end.min(stall));
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(until),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(until))),
            }
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        let ended = self.deadline.is_some_and(|end| timer.deadline() >= end);
        Poll::Ready(match self.bounds.total {
            Some(after) if ended => BodyError::TooSlow { after },
            _ => BodyError::Stalled { after: self.bounds.idle },
        })
    }
}

impl<B> http_body::Body for TimedBody<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            return this.poll_patience(cx).map(|error| Some(Err(error)));
        };
        this.waiting = false;
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error.into())))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = this.bytes_left.checked_sub(length) else {
            return Poll::Ready(Some(Err(BodyError::TooLarge { bytes_max: this.bounds.bytes_max })));
        };
        this.bytes_left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
#[path = "tests/timed_body.rs"]
mod tests;
