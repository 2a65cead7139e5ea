//! Activity: what a served connection is doing, so that one that does nothing can be closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::net::untaken;

/// What no HTTP/1.1 request begins with, and every HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI";

/// Shared by a connection's transport, its exchanges and its watch. Hyper's own timeout for heads also runs between
/// requests and would close keep-alive connections after it, hence this one; it allocates nothing per request.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    exchanges: AtomicUsize,
    // Microseconds since `start`, plus one; zero when no head is under way.
    head_since: AtomicU64,
    idle_since: AtomicU64,
    spoke: AtomicBool,
    http2: AtomicBool,
}

/// Why a connection should be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A request's head began and did not end.
    Head,
    /// Nothing is asked.
    Idle,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            exchanges: AtomicUsize::new(0),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            spoke: AtomicBool::new(false),
            http2: AtomicBool::new(false),
        })
    }

    /// A request's head is complete.
    pub(super) fn begin(self: &Arc<Self>) -> Exchange {
        self.exchanges.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        Exchange(Arc::clone(self))
    }

    /// Resolves when the connection has been silent, or slow with a head, for too long. The timer is only set
    /// back when a deadline comes nearer: a busy connection leaves it alone.
    pub(super) fn poll_overdue(
        &self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        head: Duration,
        idle: Duration,
    ) -> Poll<Overdue> {
        loop {
            let Some((deadline, overdue)) = self.deadline(head, idle) else { return Poll::Pending };
            if timer.is_elapsed() || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(overdue);
            }
        }
    }

    /// Gives the peer another stretch of time, as after it was asked to close.
    pub(super) fn idle_from_now(&self) {
        self.idle_since.store(self.micros(), Relaxed);
    }

    fn deadline(&self, head: Duration, idle: Duration) -> Option<(Instant, Overdue)> {
        if self.exchanges.load(Relaxed) > 0 {
            return None;
        }
        let idle_until = self.start + Duration::from_micros(self.idle_since.load(Relaxed)) + idle;
        let began = match self.head_since.load(Relaxed) {
            0 => return Some((idle_until, Overdue::Idle)),
            began => self.start + Duration::from_micros(began - 1),
        };
        Some((began + head, Overdue::Head))
    }

    /// The peer sent bytes.
    fn heard(&self, bytes: &[u8]) {
        if self.exchanges.load(Relaxed) > 0 || self.http2.load(Relaxed) {
            return;
        }
        // In HTTP/2 bytes between requests are no head: settings, pings and windows come at any time, and a
        // peer that leaves a head unfinished fails the keep-alive pings.
        if !self.spoke.swap(true, Relaxed) && bytes.starts_with(PREFACE) {
            self.http2.store(true, Relaxed);
            self.head_since.store(0, Relaxed);
        } else if self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.micros() + 1, Relaxed);
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX - 1)
    }
}

/// One exchange, from the head of its request to the end of its response.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Activity>);

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.0.exchanges.fetch_sub(1, Relaxed) == 1 {
            self.0.idle_since.store(self.0.micros(), Relaxed);
        }
    }
}

/// A transport that tells its activity when the peer speaks.
#[derive(Debug)]
pub(super) struct Watched<I> {
    pub(super) inner: I,
    pub(super) activity: Arc<Activity>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        match buf.filled().get(before..) {
            Some(bytes) if !bytes.is_empty() => self.activity.heard(bytes),
            _ => {}
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// A response body that keeps its exchange open until it is sent or dropped.
#[derive(Debug)]
pub(super) struct Held<B> {
    pub(super) inner: B,
    pub(super) _exchange: Exchange,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match polled {
            Poll::Ready(_) => untaken::handed_out(),
            Poll::Pending => untaken::awaited(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(120);

    async fn overdue_after(activity: &Activity) -> (Overdue, Duration) {
        let began = Instant::now();
        let mut timer = Box::pin(tokio::time::sleep(IDLE));
        let overdue = poll_fn(|cx| activity.poll_overdue(cx, timer.as_mut(), HEAD, IDLE)).await;
        (overdue, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_idle() {
        let activity = Activity::new();
        let (overdue, after) = overdue_after(&activity).await;
        assert_eq!(overdue, Overdue::Idle);
        assert!(after >= IDLE && after < IDLE + Duration::from_secs(1), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_overdue() {
        let activity = Activity::new();
        activity.heard(b"POST / HT");
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.heard(b"TP");
        let (overdue, after) = overdue_after(&activity).await;
        assert_eq!(overdue, Overdue::Head);
        assert!(after <= Duration::from_secs(7), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_holds_both_deadlines_off() {
        let activity = Activity::new();
        activity.heard(b"GET / HTTP/1.1\r\n\r\n");
        let exchange = activity.begin();
        tokio::time::advance(IDLE * 3).await;
        assert!(activity.deadline(HEAD, IDLE).is_none());
        drop(exchange);
        let (overdue, after) = overdue_after(&activity).await;
        assert_eq!(overdue, Overdue::Idle);
        assert!(after >= IDLE, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_requests_are_no_head() {
        let activity = Activity::new();
        activity.heard(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        activity.heard(b"\0\0\0\x04\x01\0\0\0\0");
        let (overdue, after) = overdue_after(&activity).await;
        assert_eq!(overdue, Overdue::Idle);
        assert!(after >= IDLE, "{after:?}");
    }
}
