//! Classifying against body size, and tapping a streamed answer.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use pactgate::classify::{
    AnswerForm, Bounds, Call, Expected, Peer, RequestView, Speech, Unreadable, classify,
};
use pactgate::domain::{Dialect, UpstreamName};

/// One turn of a conversation: prose with the escapes that prose has.
const TURN: &str = r#"{"role":"user","content":"Please look into the order of last week:\n\n\"It arrived late\", she wrote, and the parcel was damaged. What may we offer?\nKeep it short."},"#;

fn peer(dialect: Dialect) -> Option<Peer> {
    let name = UpstreamName::new("payments").ok();
    Some(Peer {
        name,
        dialect,
        provider: dialect.name().to_owned(),
        mcp_versions: Vec::new(),
        betas: Vec::new(),
    })
}

fn read(peer: &Peer, path: &str, body: &Bytes) -> Result<Call, Unreadable> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let view = RequestView {
        method: &Method::POST,
        scheme: "https",
        host: "api.example.com",
        port: 443,
        path,
        query: None,
        headers: &headers,
        body,
    };
    classify(peer, &view, &Bounds::default())
}

fn chat(bytes: usize) -> Bytes {
    let turns = TURN.repeat(bytes / TURN.len());
    format!(
        r#"{{"model":"gpt-4o-mini","max_tokens":512,"messages":[{turns}{{"role":"user","content":"?"}}]}}"#
    )
    .into()
}

fn responses(bytes: usize) -> Bytes {
    let turns = TURN.repeat(bytes / TURN.len());
    format!(
        r#"{{"model":"gpt-4o-mini","max_output_tokens":512,"input":[{turns}{{"role":"user","content":"?"}}]}}"#
    )
    .into()
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("classify");
    let tool = r#"{"method":"tools/call","params":{"name":"refund","arguments":{"order":"A-7731","amount":80.50,"currency":"EUR","reason":"arrived late and damaged","notify":true,"lines":[{"sku":"S-1","count":2}]},"_meta":{"progressToken":1}},"jsonrpc":"2.0","id":42}"#;
    let long = format!(
        r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "a".repeat(1 << 20)
    );
    let cases = [
        ("mcp_300B", Dialect::Mcp, "/mcp", Bytes::from_static(tool.as_bytes())),
        ("chat_2KB", Dialect::OpenAi, "/v1/chat/completions", chat(2 << 10)),
        ("chat_32KB", Dialect::OpenAi, "/v1/chat/completions", chat(32 << 10)),
        ("messages_32KB", Dialect::Anthropic, "/v1/messages", chat(32 << 10)),
        ("responses_32KB", Dialect::OpenAi, "/v1/responses", responses(32 << 10)),
        ("chat_1MB", Dialect::OpenAi, "/v1/chat/completions", chat(1 << 20)),
        ("chat_1MB_one_string", Dialect::OpenAi, "/v1/chat/completions", long.into()),
    ];
    for (name, dialect, path, body) in cases {
        let Some(peer) = peer(dialect) else { continue };
        group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap_or(0)));
        group.bench_function(name, |b| b.iter(|| read(black_box(&peer), path, black_box(&body)).is_ok()));
    }
    group.finish();
}

fn streams(c: &mut Criterion) {
    let delta = concat!(
        r#"data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1763628000,"model":"gpt-4o-mini","#,
        r#""choices":[{"index":0,"delta":{"content":" late"},"finish_reason":null}],"usage":null}"#,
        "\n\n"
    );
    let mut group = c.benchmark_group("answer");
    let expected = Expected { speech: Speech::Chat, streamed: true, ..Expected::unread() };
    let Ok(AnswerForm::Stream(mut reader)) =
        expected.form(200, Some("text/event-stream"), &Bounds::default())
    else {
        return;
    };
    let delta = Bytes::from_static(delta.as_bytes());
    group.bench_function("openai_delta", |b| {
        b.iter(|| {
            let _ = reader.push(black_box(delta.clone()));
            (reader.step().is_ok(), reader.step().is_ok())
        });
    });
    group.finish();
}

criterion_group!(benches, requests, streams);
criterion_main!(benches);
