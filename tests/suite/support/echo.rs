//! An upstream of plain HTTP/1.1 that tells what reached it, and turns into an echo where that is asked for.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pactgate::net::Body;
use serde_json::json;
use tokio::io::{AsyncWriteExt as _, copy, split};
use tokio::net::TcpListener;

/// The handshake that RFC 6455 shows in section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// Its answer.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Starts it on a free port. It ends with the test's runtime.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut builder = hyper::server::conn::http1::Builder::new();
            let serving = builder.half_close(true).serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(serving.with_upgrades());
        }
    });
    address
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.headers().contains_key(header::UPGRADE) {
        return Ok(turn(request));
    }
    let (head, body) = request.into_parts();
    let whole = body.collect().await.unwrap();
    let trailers: Vec<String> =
        whole.trailers().into_iter().flat_map(HeaderMap::keys).map(ToString::to_string).collect();
    let names: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
    let told = json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "bytes": whole.to_bytes().len(),
        "headers": names,
        "trailers": trailers,
    });
    let sum = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("sum"))]);
    let frames = [Frame::data(Bytes::from(told.to_string())), Frame::trailers(sum)];
    let body = Body::stream(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>))));
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    Ok(response.header(header::TRAILER, "etag").body(body).unwrap())
}

/// Accepts a WebSocket, and sends every byte back.
fn turn(mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut from, mut to) = split(TokioIo::new(upgrade.await.unwrap()));
        // The other side may break off.
        let _ = copy(&mut from, &mut to).await;
        let _ = to.shutdown().await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header("sec-websocket-accept", ACCEPT)
        .body(Body::Empty)
        .unwrap()
}
