//! A plain HTTP client for the stand-ins' own tests.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    /// The `data:` of each server-sent event.
    pub(super) fn events(&self) -> Vec<&str> {
        self.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }
}

/// Sends one request on a connection of its own.
pub(super) async fn ask(
    to: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let answer = open(to, method, path, headers, body).await;
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.expect("the body ends").to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("the answer is text");
    Answer { status: parts.status, headers: parts.headers, text }
}

/// Sends one request and leaves the answer's body to be read.
pub(super) async fn open(
    to: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> axum::http::Response<Body> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = Request::builder().method(method).uri(format!("http://{to}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_owned())).expect("a well-formed request");
    client.request(request).await.expect("an answer").map(Body::new)
}
