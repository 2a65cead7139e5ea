//! The load: connections that are kept alive, each with one request at a time.

use std::net::SocketAddr;
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

/// Where one workload goes on one subject.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub path: String,
    pub workload: Workload,
}

/// What came of sending as fast as it goes.
pub struct Run {
    pub requests: u64,
    pub took: Duration,
}

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    body: Bytes,
}

pub async fn connect(target: &Target, count: u32) -> Outcome<Vec<Connection>> {
    let body = target.workload.body();
    let open = (0..count).map(|_| async {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows as an error of the next request.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Connection { sender, body: body.clone() })
    });
    try_join_all(open).await
}

impl Connection {
    /// Sends one request and reads its answer. Anything but success ends the whole run: a refused call costs less than
    /// an admitted one, and must not flatter the figures.
    async fn exchange(&mut self, target: &Target) -> Outcome<()> {
        let mut request = Request::builder().method(Method::POST).uri(&target.path);
        request = request.header("host", target.address.to_string());
        for (name, value) in target.workload.headers() {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(self.body.clone()))?).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&answer);
        if !status.is_success() || text.contains("\"isError\":true") {
            return Err(format!("{} was answered with {status}: {text}", target.path).into());
        }
        Ok(())
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

/// Sends at that rate, for that long, and returns how long each answer took, shortest first.
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
    let runs = connections.iter_mut().zip(0_u32..).map(|(connection, index)| async move {
        let mut due = begun + Duration::from_secs(1) * index / rate;
        let mut latencies = Vec::new();
        while due < begun + long {
            sleep_until(due).await;
            let woken = Instant::now();
            connection.exchange(target).await?;
            // The timer wakes up to a millisecond late, which is no delay of the subject's.
            let lateness = woken.duration_since(due);
            let forgiven = lateness.min(Duration::from_millis(1));
            latencies.push(due.elapsed().saturating_sub(forgiven));
            due += stride;
        }
        Outcome::Ok(latencies)
    });
    let mut latencies: Vec<Duration> = try_join_all(runs).await?.into_iter().flatten().collect();
    latencies.sort_unstable();
    Ok(latencies)
}
