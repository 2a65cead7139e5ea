//! What a whole exchange takes: straight to the upstream, and through the sidecar, one call after another.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use pactgate::cli::sidecar::Sidecar;
use pactgate::config;
use pactgate::domain::SystemClock;
use tokio::net::TcpListener;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Yes."}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

/// Answers every request with the same completion.
async fn upstream() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answer = service_fn(|request: Request<Incoming>| async move {
                let _ = request.into_body().collect().await;
                let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
                let json = http::HeaderValue::from_static("application/json");
                response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                Ok::<_, Infallible>(response)
            });
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    Ok(address)
}

/// A sidecar with everything on but a collector.
fn sidecar(folder: &Path, upstream: SocketAddr) -> Outcome<Sidecar> {
    let pact = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: bench, version: 1}
spec:
  agents: [bench]
  risk: medium
  owner: bench
  clauses:
    - {id: models, allow: {model: \"openai/gpt-4o*\"}, where: {max_tokens: {max: 4096}}}
  limits:
    - {id: calls, on: {model: \"*\"}, rate: {standard: 100000000/min}, burst: 1000000}
";
    let sidecar = format!(
        "apiVersion: pactgate.dev/v1
kind: Sidecar
id: bench
data: data
pacts: [pact.yaml]
listeners: [{{mode: reverse, address: \"127.0.0.1:0\", agent: bench}}]
upstreams: [{{name: openai, url: \"http://{upstream}\", dialect: openai}}]
trust: {{fixed: standard}}
evidence: {{when_full: drop}}
admin: {{address: \"127.0.0.1:0\", socket: admin.sock}}
"
    );
    std::fs::write(folder.join("pact.yaml"), pact)?;
    std::fs::write(folder.join("sidecar.yaml"), sidecar)?;
    let file = folder.join("sidecar.yaml");
    let (config, _) = config::load_sidecar(&file, &|name| std::env::var(name).ok())?;
    Ok(Sidecar::start(None, config, SystemClock::shared())?)
}

fn chat(bytes: usize) -> Bytes {
    let text = "word ".repeat(bytes / 5);
    let body = serde_json::json!({
        "model": "gpt-4o-mini",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": text}],
    });
    Bytes::from(body.to_string())
}

async fn call(client: &Client<HttpConnector, Full<Bytes>>, url: &str, body: Bytes) -> usize {
    let request = Request::post(url).header("content-type", "application/json").body(Full::new(body));
    let Ok(request) = request else { return 0 };
    let Ok(response) = client.request(request).await else { return 0 };
    let ok = response.status().is_success();
    let length = response.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
    assert!(ok && length == ANSWER.len(), "the call did not go through");
    length
}

fn exchange(c: &mut Criterion) {
    let mut run = || -> Outcome<()> {
        pactgate::net::install_crypto_provider();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let folder = tempfile::tempdir()?;
        let _inside = runtime.enter();
        let address = runtime.block_on(upstream())?;
        let sidecar = sidecar(folder.path(), address)?;
        let listening = sidecar.listening.first().map(|(_, at)| *at).ok_or("no listener")?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let direct = format!("http://{address}/v1/chat/completions");
        let through = format!("http://{listening}/openai/v1/chat/completions");
        for bytes in [2_000, 32_000] {
            let mut group = c.benchmark_group(format!("exchange/{}KB chat", bytes / 1000));
            for (name, url) in [("direct", &direct), ("through", &through)] {
                group.bench_function(name, |b| {
                    b.iter(|| runtime.block_on(call(&client, url, chat(bytes))));
                });
            }
            group.finish();
        }
        runtime.block_on(sidecar.stop());
        Ok(())
    };
    let ran = run();
    assert!(ran.is_ok(), "cannot measure exchanges: {ran:?}");
}

criterion_group!(benches, exchange);
criterion_main!(benches);
