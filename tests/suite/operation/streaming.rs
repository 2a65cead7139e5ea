//! Answers that stream pass event by event: none waits for the next.

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

use crate::support::authority::Authority;
use crate::support::collector::Collector;
use crate::support::doors::{Door, Wire};
use crate::support::process::{PATIENCE, until};
use crate::support::sidecar::{Setup, Sidecar, token};
use crate::support::teller::Teller;

const AGENT: &str = "reader-1";

const PACT: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: reading, version: 1}
spec:
  agents: ["reader-*"]
  risk: medium
  owner: tests
  clauses:
    - {id: ask-models, allow: {model: ["openai/small", "anthropic/haiku"]}}
    - {id: look, allow: {tool: "*.look"}}
"#;

/// An API that streams: its dialect, where it is asked, what it is asked, and its events in order.
struct Api {
    dialect: &'static str,
    path: &'static str,
    body: &'static str,
    events: &'static [&'static str],
}

const APIS: [Api; 3] = [
    Api {
        dialect: "openai",
        path: "/v1/chat/completions",
        body: r#"{"model":"small","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hello"}]}"#,
        events: &[
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"one\"}}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"two\"}}]}\n\n",
            ":\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n",
            "data: [DONE]\n\n",
        ],
    },
    Api {
        dialect: "anthropic",
        path: "/v1/messages",
        body: r#"{"model":"haiku","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hello"}]}"#,
        events: &[
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"haiku\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"one\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
    },
    Api {
        dialect: "mcp",
        path: "/mcp",
        body: r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"look","arguments":{}}}"#,
        events: &[
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n",
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":2}}\n\n",
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"seen\"}]}}\n\n",
        ],
    },
];

/// One way to ask one API, with an upstream for it alone.
struct Case {
    api: &'static Api,
    door: Door,
    protocol: &'static str,
    upstream: String,
    teller: Teller,
}

async fn cases(authority: &Authority) -> Vec<Case> {
    let mut cases = Vec::new();
    for api in &APIS {
        for door in Door::ALL {
            for protocol in ["http/1.1", "h2"] {
                let upstream = format!("{}-{}", api.dialect, cases.len());
                let teller = Teller::start(&authority.server()).await;
                cases.push(Case { api, door, protocol, upstream, teller });
            }
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_arrives_before_the_next_is_sent() {
    let authority = Authority::new();
    let collector = Collector::start("{}");
    let cases = cases(&authority).await;
    let mut setup = Setup::default().agent(AGENT).pact(PACT).collector(&collector);
    for Case { api, upstream, teller, .. } in &cases {
        let more = format!(", roots: upstreams.pem, provider: {}", api.dialect);
        let url = format!("https://localhost:{}", teller.port);
        setup = setup.upstream_as(upstream, api.dialect, &url, &more);
    }
    let sidecar = setup.start(&authority.roots());
    let count = cases.len();
    for case in cases {
        listen(&sidecar, case).await;
    }
    let records = until("all is on record", || async {
        Some(collector.records().await).filter(|records| records.len() >= count)
    })
    .await;
    assert_eq!(records.len(), count, "one record for each call");
    for record in &records {
        assert_eq!(record["data"]["outcome"], json!({"kind": "completed", "status": 200}), "{record}");
    }
}

/// Reads an answer event by event. An event that waited for the one behind it would wait for ever.
async fn listen(sidecar: &Sidecar, case: Case) {
    let Case { api, door, protocol, upstream, teller } = case;
    let what = format!("{upstream}, {door:?}, {protocol}");
    let (scheme, authority, path) = door.place(sidecar, &upstream, teller.port, api.path);
    let uri = if protocol == "h2" { format!("{scheme}://{authority}{path}") } else { path };
    let request = Request::post(uri).header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("authorization", format!("Bearer {}", token(AGENT)));
    let request = if protocol == "h2" { request } else { request.header("host", authority) };
    let wire = door.open(sidecar, AGENT, teller.port, protocol).await;
    let answer = ask(wire, protocol, request.body(Full::from(api.body)).unwrap());
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("{what}: no head"));
    assert_eq!(answer.status(), StatusCode::OK, "{what}");
    let mut body = answer.into_body();
    for event in api.events {
        teller.say(event);
        let mut heard = Vec::new();
        while heard.len() < event.len() {
            let next = tokio::time::timeout(PATIENCE, body.frame()).await;
            let next = next.unwrap_or_else(|_| panic!("{what}: held back: {event}"));
            let frame = next.unwrap_or_else(|| panic!("{what}: it ended before {event}")).unwrap();
            heard.extend_from_slice(frame.data_ref().unwrap_or_else(|| panic!("{what}: no data")));
        }
        assert_eq!(String::from_utf8_lossy(&heard), *event, "{what}");
    }
    drop(teller);
    let rest = body.collect().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(rest.to_bytes().is_empty(), "{what}");
}

async fn ask(wire: Wire, protocol: &str, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let io = TokioIo::new(wire);
    if protocol == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        return sender.send_request(request).await.unwrap();
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}
