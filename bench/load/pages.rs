//! Pages that the processes under test show: metrics, and what their APIs tell.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::Outcome;

/// The longest wait for a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// The metrics of the process that listens there.
pub struct Metrics(String);

/// Reads its metrics.
pub async fn metrics(address: SocketAddr) -> Outcome<Metrics> {
    Ok(Metrics(read(TcpStream::connect(address).await?, "/metrics").await?))
}

/// Reads something that is JSON.
pub async fn json(address: SocketAddr, path: &str) -> Outcome<Value> {
    Ok(serde_json::from_str(&read(TcpStream::connect(address).await?, path).await?)?)
}

/// The same, from a Unix socket.
pub async fn json_at(socket: &Path, path: &str) -> Outcome<Value> {
    Ok(serde_json::from_str(&read(UnixStream::connect(socket).await?, path).await?)?)
}

impl Metrics {
    /// A whole number, by the name of its series; zero where it is absent.
    pub fn count(&self, series: &str) -> Outcome<u64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value.map_or(Ok(0), str::parse)?)
    }
}

async fn read<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S, path: &str) -> Outcome<String> {
    timeout(PATIENCE, ask(stream, path)).await.map_err(|_| format!("{path} was not answered in time"))?
}

async fn ask<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S, path: &str) -> Outcome<String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move { connection.await.ok() });
    let request = Request::get(path).header("host", "127.0.0.1").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let page = String::from_utf8(response.into_body().collect().await?.to_bytes().into())?;
    if status.is_success() {
        Ok(page)
    } else {
        Err(format!("{path} was answered with {status}: {page}").into())
    }
}
