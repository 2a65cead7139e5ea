//! Server: speaks HTTP/1.1 and HTTP/2 on an accepted connection, with every bound in one place.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::activity::{Activity, Held, Overdue, Watched};
use crate::net::body::BoxError;
use crate::net::drain::Drain;
use crate::net::untaken::while_taken;

/// The bounds of every served connection.
#[derive(Clone, Copy, Debug)]
pub struct ServeSettings {
    /// The longest time from the first byte of a request to the end of its head.
    pub head: Duration,
    /// How long a connection may stay open without a request, also right after it was opened.
    pub idle: Duration,
    /// The most fields in a head.
    pub fields_max: usize,
    /// The most bytes in a head; also the size of the largest single read. At least 8192.
    pub head_bytes_max: usize,
    /// HTTP/2: requests at once on one connection.
    pub streams_max: u32,
    /// HTTP/2: bytes of one request in flight before the handler reads them.
    pub stream_window: u32,
    /// HTTP/2: bytes in flight on one connection.
    pub connection_window: u32,
    /// HTTP/2: requests the peer took back before they were looked at (the rapid reset attack, CVE-2023-44487).
    pub resets_max: usize,
    /// HTTP/2: streams reset for the peer's own errors (the "made you reset" attack, CVE-2025-8671).
    pub faults_max: usize,
    /// HTTP/2: bytes of one response that wait for the peer.
    pub send_bytes_max: usize,
    /// HTTP/2: how long a piece of one response may wait for the peer to take it; then the stream is reset.
    pub untaken: Duration,
    /// HTTP/2: how often the peer is asked whether it still lives.
    pub ping_every: Duration,
    /// HTTP/2: how long it may take to answer.
    pub ping_patience: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            fields_max: 100,
            head_bytes_max: 64 * 1024,
            streams_max: 100,
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            resets_max: 20,
            faults_max: 100,
            send_bytes_max: 64 * 1024,
            untaken: Duration::from_secs(120),
            ping_every: Duration::from_secs(30),
            ping_patience: Duration::from_secs(20),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By agreement, or because it was handed over to another protocol.
    Done,
    /// Nothing was asked for too long.
    Idle,
    /// A request's head did not end in time.
    SlowHead,
    /// What came was not HTTP, broke its rules, or its head was too large.
    Malformed,
    /// The peer or the network broke it off.
    Broken,
}

/// Connections served since the start, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServeStats {
    /// By agreement.
    pub done: u64,
    /// For idleness.
    pub idle: u64,
    /// For a slow head.
    pub slow_head: u64,
    /// For malformed HTTP.
    pub malformed: u64,
    /// By the peer or the network.
    pub broken: u64,
}

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    idle: AtomicU64,
    slow_head: AtomicU64,
    malformed: AtomicU64,
    broken: AtomicU64,
}

/// Serves connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server {
    builder: auto::Builder<Tracked>,
    settings: ServeSettings,
    drain: Drain,
    counters: Arc<Counters>,
}

impl Server {
    /// A server whose connections finish when `drain` begins.
    #[must_use]
    pub fn new(settings: ServeSettings, drain: &Drain) -> Self {
        let mut builder = auto::Builder::new(Tracked { drain: drain.clone(), untaken: settings.untaken });
        builder
            .http1()
            .timer(TokioTimer::new())
            // Replaced by `Activity`.
            .header_read_timeout(None)
            // A peer that closes its half has gone: its exchange is dropped, and the upstream told so.
            .half_close(false)
            .keep_alive(true)
            .max_headers(settings.fields_max)
            .max_buf_size(settings.head_bytes_max.max(8192));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.streams_max)
            .initial_stream_window_size(settings.stream_window)
            .initial_connection_window_size(settings.connection_window)
            .max_header_list_size(u32::try_from(settings.head_bytes_max).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(settings.resets_max)
            .max_local_error_reset_streams(settings.faults_max)
            .max_send_buf_size(settings.send_bytes_max)
            .keep_alive_interval(settings.ping_every)
            .keep_alive_timeout(settings.ping_patience);
        Self { builder, settings, drain: drain.clone(), counters: Arc::default() }
    }

    /// Serves one connection to its end. `service` answers each request; an exchange lasts until the body of its
    /// response is sent or dropped. Run it in a task spawned on the drain, which cuts it at the deadline.
    pub async fn serve<I, S, B>(&self, io: I, service: S) -> Ended
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + 'static,
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let ended = self.serve_uncounted(io, service).await;
        let counter = match ended {
            Ended::Done => &self.counters.done,
            Ended::Idle => &self.counters.idle,
            Ended::SlowHead => &self.counters.slow_head,
            Ended::Malformed => &self.counters.malformed,
            Ended::Broken => &self.counters.broken,
        };
        counter.fetch_add(1, Relaxed);
        ended
    }

    /// Connections served so far.
    #[must_use]
    pub fn stats(&self) -> ServeStats {
        ServeStats {
            done: self.counters.done.load(Relaxed),
            idle: self.counters.idle.load(Relaxed),
            slow_head: self.counters.slow_head.load(Relaxed),
            malformed: self.counters.malformed.load(Relaxed),
            broken: self.counters.broken.load(Relaxed),
        }
    }

    async fn serve_uncounted<I, S, B>(&self, io: I, service: S) -> Ended
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + 'static,
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let ServeSettings { head, idle, .. } = self.settings;
        let activity = Activity::new();
        let io = TokioIo::new(Watched { inner: io, activity: Arc::clone(&activity) });
        let service = service_fn(|request| {
            let exchange = activity.begin();
            let answer = service.call(request);
            async move { Ok::<_, S::Error>(answer.await?.map(|inner| Held { inner, _exchange: exchange })) }
        });
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(io, service));
        let mut timer = pin!(tokio::time::sleep(idle.min(head)));
        let mut stopping = pin!(self.drain.stopping());
        let mut asked_to_end = false;
        let mut overdue = None;
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => return overdue.unwrap_or_else(|| how_it_ended(result)),
                () = stopping.as_mut(), if !asked_to_end => {}
                why = poll_fn(|cx| activity.poll_overdue(cx, timer.as_mut(), head, idle)) => match why {
                    // The second time idle means that the peer did not close after it was told.
                    Overdue::Idle if overdue.is_none() => {
                        overdue = Some(Ended::Idle);
                        activity.idle_from_now();
                    }
                    Overdue::Idle => return Ended::Idle,
                    Overdue::Head => return Ended::SlowHead,
                },
            }
            connection.as_mut().graceful_shutdown();
            asked_to_end = true;
        }
    }
}

/// Reads the end of a connection out of the error it left.
fn how_it_ended(result: Result<(), BoxError>) -> Ended {
    let Err(error) = result else { return Ended::Done };
    match error.downcast_ref::<hyper::Error>() {
        Some(error) if error.is_parse() || breaks_http2(error) => Ended::Malformed,
        _ => Ended::Broken,
    }
}

/// Whether this side ended an HTTP/2 connection for what the peer sent: frames that cannot be, or too many of them.
fn breaks_http2(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(|error| error.is_go_away() && error.is_library())
}

/// Spawns HTTP/2 streams where the drain sees them, and drops those whose responses nobody takes.
#[derive(Clone, Debug)]
struct Tracked {
    drain: Drain,
    untaken: Duration,
}

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.drain.spawn(while_taken(task, self.untaken));
    }
}
