//! The stand-in upstream: answers every request of a workload with the same bytes, as soon as it has read it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::workload::{ASK, Streamed};
use crate::{Outcome, event_stream};

const COMPLETION: &[u8] = br#"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"I am sorry to hear that. Your order left our warehouse on Tuesday and should reach you tomorrow; if it does not, I will gladly pay you back half of it. Is there anything else that I can do for you today?","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":412,"completion_tokens":48,"total_tokens":460}}"#;

const RESULT: &[u8] = br#"{"jsonrpc":"2.0","id":41,"result":{"content":[{"type":"text","text":"{\"refund\":\"refund-7\",\"amount\":40,\"currency\":\"EUR\"}"}],"structuredContent":{"refund":"refund-7","amount":40,"currency":"EUR"},"isError":false}}"#;

/// How a server of event streams tells nginx not to buffer them; the same as its `proxy_buffering off`.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Streamed answers, each made once.
type Made = Arc<Mutex<HashMap<Streamed, Arc<[Bytes]>>>>;

/// Starts it on loopback, in this process.
pub async fn start() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let made = Made::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Latency suffers without it, correctness does not.
            let _ = stream.set_nodelay(true);
            let made = Arc::clone(&made);
            let answer = service_fn(move |request| answer(Arc::clone(&made), request));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            // A proxy may close a connection whenever it likes.
            tokio::spawn(async move { serving.await.ok() });
        }
    });
    Ok(address)
}

async fn answer(
    made: Made,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let streamed = request.headers().get(ASK).and_then(|ask| Streamed::read(ask.to_str().ok()?));
    let body = if request.uri().path().ends_with("/mcp") { RESULT } else { COMPLETION };
    let mut request = request.into_body();
    while let Some(Ok(_)) = request.frame().await {}
    let Some(streamed) = streamed else {
        let mut response = Response::new(Full::new(Bytes::from_static(body)).boxed());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    };
    let pieces = {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(streamed).or_insert_with(|| event_stream::pieces(streamed)))
    };
    let mut response = Response::new(event_stream::body(pieces, streamed));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    let (name, value) = UNBUFFERED;
    headers.insert(name, value);
    Ok(response)
}
