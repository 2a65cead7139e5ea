//! A request's body whose rest is still read when nobody wants it, so that the sender gets to hear why.
//!
//! A connection that is closed while the peer still sends is reset, and the reset takes the answer with it
//! (RFC 9112, section 9.6).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::net::{BodyBounds, Drain, TimedBody};

/// How much is read to no purpose. A sender with more is cut off.
const BOUNDS: BodyBounds =
    BodyBounds { idle: Duration::from_secs(2), total: Some(Duration::from_secs(10)), bytes_max: 64 << 20 };

/// A body as it comes in.
pub(super) struct Lingering<B = Incoming>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<crate::net::BoxError>,
{
    /// Empty once it is dropped.
    inner: Option<B>,
    /// The sender waits to be told that the body is wanted, so it can be told no in time.
    waits: bool,
    drain: Drain,
}

impl<B> Lingering<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<crate::net::BoxError>,
{
    /// The body that came with these headers.
    pub(super) fn new(inner: B, headers: &HeaderMap, drain: &Drain) -> Self {
        Self { inner: Some(inner), waits: headers.contains_key(header::EXPECT), drain: drain.clone() }
    }
}

impl<B> Body for Lingering<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<crate::net::BoxError>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        // Asking for the first frame tells the sender to go on (RFC 9110, section 10.1.1).
        self.waits = false;
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B> Drop for Lingering<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<crate::net::BoxError>,
{
    fn drop(&mut self) {
        let Some(inner) = self.inner.take().filter(|inner| !self.waits && !inner.is_end_stream()) else {
            return;
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        self.drain.spawn(async move {
            let mut rest = TimedBody::new(inner, BOUNDS);
            while let Some(Ok(_)) = rest.frame().await {}
        });
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Three frames, and a count of those that were asked for.
    struct Counted(Arc<AtomicUsize>);

    impl Body for Counted {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Ready((asked < 3).then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    async fn read_after(headers: &HeaderMap, frames: usize) -> usize {
        let (count, drain) = (Arc::new(AtomicUsize::new(0)), Drain::default());
        let mut body = Lingering::new(Counted(Arc::clone(&count)), headers, &drain);
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        drain.finish(Duration::from_secs(5)).await;
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn what_nobody_wants_is_read_to_its_end() {
        let none = HeaderMap::new();
        assert_eq!(read_after(&none, 0).await, 4);
        assert_eq!(read_after(&none, 2).await, 4);
    }

    #[tokio::test]
    async fn a_sender_that_waits_is_not_told_to_go_on() {
        let expects = HeaderMap::from_iter([(header::EXPECT, "100-continue".parse().unwrap())]);
        assert_eq!(read_after(&expects, 0).await, 0);
        assert_eq!(read_after(&expects, 1).await, 4);
    }
}
