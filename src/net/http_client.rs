//! HttpClient: pooled connections to upstreams, HTTP/1.1 and HTTP/2.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{Request, Response, Version, header};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::net::address::Reach;
use crate::net::body::Body;
use crate::net::connector::Connector;
use crate::net::dial::Dialer;
use crate::net::failure::{Failure, why};
use crate::net::tls_client::ClientTls;

/// How one upstream, or the open world, is spoken to.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// How far the destination may lie.
    pub reach: Reach,
    /// The longest wait for a connection, TLS included.
    pub connect: Duration,
    /// The longest wait for the head of a response, from the moment the request is handed over; the time to send
    /// its body counts.
    pub head: Duration,
    /// How long an idle connection is kept. Shorter than the upstream keeps it, so that no request meets a
    /// closing connection.
    pub keep: Duration,
    /// How many idle connections are kept for one origin.
    pub keep_max: usize,
    /// The most bytes in the head of a response.
    pub head_bytes_max: usize,
    /// How often an HTTP/2 connection in use is asked whether it still lives.
    pub ping_every: Duration,
    /// How long it may take to answer.
    pub ping_patience: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            reach: Reach::Public,
            connect: Duration::from_secs(5),
            head: Duration::from_secs(120),
            keep: Duration::from_secs(30),
            keep_max: 128,
            head_bytes_max: 256 * 1024,
            ping_every: Duration::from_secs(20),
            ping_patience: Duration::from_secs(10),
        }
    }
}

/// Sends requests, reusing connections. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct HttpClient {
    either: Client<Connector, Body>,
    // Upgrades (RFC 9110, section 7.8) exist in HTTP/1.1 only.
    http1: Client<Connector, Body>,
    head: Duration,
}

/// An exchange that gave no response.
#[derive(Debug)]
pub struct ClientError {
    failure: Failure,
    source: Option<legacy::Error>,
}

impl HttpClient {
    /// A client with an empty pool. Must be used inside one tokio runtime.
    #[must_use]
    pub fn new(dialer: &Dialer, tls: &ClientTls, settings: &ClientSettings) -> Self {
        let connector = |http1_only| Connector {
            dialer: dialer.clone(),
            tls: tls.clone(),
            reach: settings.reach,
            within: settings.connect,
            http1_only,
        };
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.keep)
            .pool_max_idle_per_host(settings.keep_max)
            .http1_max_buf_size(settings.head_bytes_max.max(MIN_BUFFER))
            .http2_adaptive_window(true)
            .http2_max_header_list_size(u32::try_from(settings.head_bytes_max).unwrap_or(u32::MAX))
            .http2_keep_alive_interval(settings.ping_every)
            .http2_keep_alive_timeout(settings.ping_patience);
        Self {
            either: builder.build(connector(false)),
            http1: builder.build(connector(true)),
            head: settings.head,
        }
    }

    /// Sends a request in absolute form and returns as soon as the response's head is there. A request that asks
    /// for an upgrade goes out over HTTP/1.1, and the response then yields the connection.
    ///
    /// A request is sent once. Only when a reused connection turns out to be closed before a byte of it was
    /// written is it sent over another one.
    ///
    /// # Errors
    /// [`ClientError`], whose [`ClientError::failure`] tells a forbidden address from an upstream at fault.
    pub async fn request(&self, mut request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        // The version of the agent's own connection says nothing about this one; the pool chooses by ALPN.
        *request.version_mut() = Version::HTTP_11;
        let client = if request.headers().contains_key(header::UPGRADE) { &self.http1 } else { &self.either };
        match tokio::time::timeout(self.head, client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(ClientError { failure: why(&error), source: Some(error) }),
            Err(_) => Err(ClientError { failure: Failure::HeadTimeout, source: None }),
        }
    }
}

/// The smallest read buffer that hyper accepts.
const MIN_BUFFER: usize = 8192;

impl ClientError {
    /// Why there is no response.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        self.failure
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the upstream gave no answer: {}", self.failure)
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error as &(dyn Error + 'static))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("head", &self.head).finish_non_exhaustive()
    }
}
