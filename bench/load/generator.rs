//! The load: connections that are kept alive, each with one request at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::Outcome;
use crate::workload::Workload;

/// Where one workload goes on one subject, and what came back so far.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub path: String,
    pub workload: Workload,
    /// Calls of the subject that were answered, whatever the workload.
    pub answered: Arc<AtomicU64>,
    /// Events of streamed answers that have arrived.
    pub events: Arc<AtomicU64>,
}

/// What came of sending as fast as it goes.
pub struct Run {
    pub requests: u64,
    pub took: Duration,
}

/// One connection, and what is sent on it again and again.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
}

/// Opens so many connections.
pub async fn connect(target: &Target, count: u32) -> Outcome<Vec<Connection>> {
    let mut request = Request::builder().method(Method::POST).uri(&target.path);
    request = request.header("host", target.address.to_string());
    for (name, value) in target.workload.headers() {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(target.workload.body()))?;
    let open = (0..count).map(|_| async {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows as an error of the next request.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Connection { sender, request: request.clone() })
    });
    try_join_all(open).await
}

impl Connection {
    /// Sends one request and reads its answer. Anything but success ends the whole run: a refused call costs less than
    /// an admitted one, and must not flatter the figures. Returns when the answer began to arrive.
    pub async fn exchange(&mut self, target: &Target) -> Outcome<Instant> {
        self.sender.ready().await?;
        let response = self.sender.send_request(self.request.clone()).await?;
        let status = response.status();
        let mut body = response.into_body();
        let (mut answer, mut events, mut first) = (Vec::new(), Events::default(), None);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            first.get_or_insert_with(Instant::now);
            target.events.fetch_add(events.push(&data), Ordering::Relaxed);
            answer.extend_from_slice(&data);
        }
        let text = String::from_utf8_lossy(&answer);
        let fault =
            if status.is_success() { target.workload.fault(&text, events.ended) } else { Some("a refusal") };
        if let Some(fault) = fault {
            return Err(format!("{} was answered with {fault}, {status}: {text}", target.path).into());
        }
        target.answered.fetch_add(1, Ordering::Relaxed);
        Ok(first.unwrap_or_else(Instant::now))
    }
}

/// Counts events: an empty line ends each, wherever the pieces are cut.
#[derive(Default)]
struct Events {
    ended: u64,
    at_line_start: bool,
}

impl Events {
    /// Returns how many ended in this piece.
    fn push(&mut self, piece: &[u8]) -> u64 {
        let before = self.ended;
        for byte in piece {
            let is_empty_line = *byte == b'\n' && self.at_line_start;
            self.ended += u64::from(is_empty_line);
            self.at_line_start = *byte == b'\n' && !is_empty_line;
        }
        self.ended - before
    }
}

/// Sends as fast as answers come, for that long.
pub async fn saturate(connections: &mut [Connection], target: &Target, long: Duration) -> Outcome<Run> {
    let begun = Instant::now();
    let until = begun + long;
    let counts = try_join_all(connections.iter_mut().map(|connection| async move {
        let mut sent = 0_u64;
        while Instant::now() < until {
            connection.exchange(target).await?;
            sent += 1;
        }
        Outcome::Ok(sent)
    }));
    let requests = counts.await?.into_iter().sum();
    Ok(Run { requests, took: begun.elapsed() })
}

/// Sends at that rate, for that long, and returns how long each answer took, shortest first: a streamed one until its
/// first chunk, any other until its end.
///
/// Time counts from when a request was due, not from when it was sent, so that a stall is not forgiven.
pub async fn pace(
    connections: &mut [Connection],
    target: &Target,
    rate: u32,
    long: Duration,
) -> Outcome<Vec<Duration>> {
    let begun = Instant::now() + Duration::from_millis(10);
    let stride = Duration::from_secs(1) * u32::try_from(connections.len())? / rate;
    let is_streamed = matches!(target.workload, Workload::Streamed(_));
    let runs = connections.iter_mut().zip(0_u32..).map(|(connection, index)| async move {
        let mut due = begun + Duration::from_secs(1) * index / rate;
        let mut latencies = Vec::new();
        while due < begun + long {
            sleep_until(due).await;
            let woken = Instant::now();
            let first = connection.exchange(target).await?;
            let answered = if is_streamed { first } else { Instant::now() };
            // The timer wakes up to a millisecond late, which is no delay of the subject's.
            let lateness = woken.duration_since(due);
            let forgiven = lateness.min(Duration::from_millis(1));
            latencies.push(answered.duration_since(due).saturating_sub(forgiven));
            due += stride;
        }
        Outcome::Ok(latencies)
    });
    let mut latencies: Vec<Duration> = try_join_all(runs).await?.into_iter().flatten().collect();
    latencies.sort_unstable();
    Ok(latencies)
}
