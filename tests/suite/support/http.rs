//! HTTP as a test speaks it: one connection, one request after the other.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request with a JSON body, or without any, that proves an agent or an operator by `token`.
pub fn request(method: Method, path: &str, token: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = match body {
        Some(value) => {
            request = request.header("content-type", "application/json");
            Full::from(value.to_string())
        }
        None => Full::default(),
    };
    request.body(body).unwrap()
}

/// One connection, which tells when it is gone.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    async fn at(path: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn begin(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.0.ready().await?;
        self.0.send_request(request).await
    }

    /// Sends a request and reads its answer to the end.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        let (head, body) = self.begin(request).await?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }

    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// One request on a connection of its own.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let mut connection = Connection::open(address).await.unwrap();
    connection.send(request).await.unwrap()
}

/// One request, where it may be that nobody is there.
pub async fn try_send(address: SocketAddr, request: Request<Full<Bytes>>) -> Option<Answer> {
    Connection::open(address).await.ok()?.send(request).await.ok()
}

/// Reads a page.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, request(Method::GET, path, "", None)).await
}

/// Reads a page of a Unix socket.
pub async fn get_at(socket: &Path, path: &str) -> Answer {
    let mut connection = Connection::at(socket).await.unwrap();
    connection.send(request(Method::GET, path, "", None)).await.unwrap()
}
