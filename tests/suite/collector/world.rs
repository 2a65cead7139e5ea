//! A running collector, the sidecars' logs, and a client that holds each answer against the API document.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pactgate::cli::collector::{Running, start};
use pactgate::collector::Settings;
use pactgate::domain::{
    ActionKind, AgentId, DecisionId, Dialect, ManualClock, Reason, Ruling, Secret, SidecarId, Timestamp,
};
use pactgate::evidence::{
    ActionSeen, Chain, Coverage, Effect, Kind, Latency, LogId, Outcome, Proof, Record, Seen, Source,
};
use pactgate::net::Drain;
use pactgate::wire::{
    Approved, FeedEvent, FeedReader, Problem, PublicKey, Topic, TrustStatement, join_events,
};
use serde_json::Value;

use super::document;

pub(super) const S1: &str = "token-of-sidecar-one";
pub(super) const S2: &str = "token-of-sidecar-two";
pub(super) const ADA: &str = "token-of-ada";
pub(super) const BATCH: &str = "application/cloudevents-batch+json";
const START: i64 = 1_790_000_000_000_000;

pub(super) fn after(seconds: u64) -> Timestamp {
    Timestamp::from_micros(START).plus(Duration::from_secs(seconds))
}

/// A collector with its data in a folder of its own.
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) dir: tempfile::TempDir,
    running: Option<Running>,
    drain: Drain,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(after(0)));
        let (running, drain) = run(&dir, &clock, change).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { clock, dir, running: Some(running), drain, client }
    }

    /// Stops the collector and starts it again on the same data.
    pub(super) async fn restart(&mut self, change: impl FnOnce(&mut Settings)) {
        self.drain.begin();
        self.running.take().unwrap().stopped().await;
        let (running, drain) = run(&self.dir, &self.clock, change).await;
        (self.running, self.drain) = (Some(running), drain);
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().address
    }

    pub(super) fn public_key(&self) -> PublicKey {
        self.running.as_ref().unwrap().public_key
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        document::check(&method, &path, status, &kind, &body);
        Answer { status, body }
    }

    pub(super) fn request(&self, method: Method, path: &str, token: &str) -> http::request::Builder {
        let builder = Request::builder().method(method).uri(format!("http://{}{path}", self.address()));
        if token.is_empty() { builder } else { builder.header("authorization", format!("Bearer {token}")) }
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::GET, path, token).body(Full::default()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path, token).header("content-type", "application/json");
        self.send(request.body(Full::from(body.to_owned())).unwrap()).await
    }

    pub(super) async fn deliver(&self, token: &str, events: &[Vec<u8>]) -> Answer {
        let body = join_events(events.iter().map(Vec::as_slice));
        let request = self.request(Method::POST, "/v1/events", token).header("content-type", BATCH);
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    pub(super) async fn trust(&self, agent: &str) -> Value {
        let answer = self.get(&format!("/v1/agents/{agent}/trust"), ADA).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub(super) async fn feed(&self, token: &str) -> Feed {
        let request = self.request(Method::GET, "/v1/trust/feed", token).body(Full::default()).unwrap();
        let response = self.client.request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let key = self.public_key();
        Feed { body: response.into_body(), reader: FeedReader::new(), ready: Vec::new(), key, serial: 0 }
    }
}

async fn run(
    dir: &tempfile::TempDir,
    clock: &Arc<ManualClock>,
    change: impl FnOnce(&mut Settings),
) -> (Running, Drain) {
    let mut settings = Settings::new("127.0.0.1:0".parse().unwrap(), dir.path().join("data"));
    let secret = |token: &str| Secret::new(token.to_owned());
    let sidecar = |name: &str| SidecarId::new(name).unwrap();
    settings.sidecars = vec![(sidecar("s-1"), secret(S1)), (sidecar("s-2"), secret(S2))];
    settings.operators = vec![("ada".to_owned(), secret(ADA)), ("bob".to_owned(), secret("token-of-bob"))];
    settings.heartbeat = Duration::from_secs(60);
    change(&mut settings);
    let drain = Drain::default();
    let running = start(settings, Arc::clone(clock) as _, drain.clone()).await.unwrap();
    (running, drain)
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and name of a problem, and what it says.
    pub(super) fn problem(&self) -> (u16, &'static str, Problem) {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        (self.status, problem.known().unwrap().name(), problem)
    }

    pub(super) fn check_problem(&self, status: u16, name: &str) -> Problem {
        let (found, kind, problem) = self.problem();
        assert_eq!((found, kind), (status, name), "{}", problem.detail);
        problem
    }
}

/// An open trust feed, every statement of which is checked.
pub(super) struct Feed {
    body: hyper::body::Incoming,
    reader: FeedReader,
    ready: Vec<FeedEvent>,
    key: PublicKey,
    pub(super) serial: u64,
}

impl Feed {
    /// The next event; `None` when the feed ends. Patient, as the machine that runs the tests may be busy.
    async fn event(&mut self) -> Option<FeedEvent> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.whenever());
        next.await.expect("the feed is silent")
    }

    /// The next event, whenever it comes.
    async fn whenever(&mut self) -> Option<FeedEvent> {
        while self.ready.is_empty() {
            let frame = self.body.frame().await?.unwrap();
            self.ready.extend(self.reader.push(frame.data_ref().unwrap()).unwrap());
        }
        Some(self.ready.remove(0))
    }

    pub(super) async fn ended(&mut self) -> bool {
        self.event().await.is_none()
    }

    pub(super) async fn statement(&mut self) -> TrustStatement {
        let event = self.event().await.unwrap();
        assert_eq!(event.topic, Topic::Trust);
        let statement = TrustStatement::open(&event.signed, &self.key).unwrap();
        assert!(statement.serial > self.serial, "{} after {}", statement.serial, self.serial);
        self.serial = statement.serial;
        statement
    }

    pub(super) async fn approval(&mut self) -> Approved {
        let event = self.event().await.unwrap();
        assert_eq!(event.topic, Topic::Approval);
        Approved::open(&event.signed, &self.key).unwrap()
    }
}

/// A sidecar's log, sealing records as it would.
pub(super) struct Log {
    chain: Chain,
    pub(super) source: String,
}

impl Log {
    pub(super) fn new(sidecar: &str, log: u8) -> Self {
        let source = Source::new(SidecarId::new(sidecar).unwrap(), LogId::from_bytes([log; 8]));
        Self { source: source.to_string(), chain: Chain::begin(source) }
    }

    pub(super) fn seal(&mut self, record: &Record) -> Vec<u8> {
        self.chain.seal(record, record.at).bytes
    }

    /// So many records of one agent, a second apart.
    pub(super) fn records(
        &mut self,
        agent: &str,
        from: u64,
        count: u64,
        reason: Option<Reason>,
    ) -> Vec<Vec<u8>> {
        (from..from + count).map(|second| self.seal(&record(agent, after(second), reason))).collect()
    }

    pub(super) fn head(&self) -> String {
        self.chain.head().hex()
    }
}

/// A call that went through, or was refused for a reason.
pub(super) fn record(agent: &str, at: Timestamp, reason: Option<Reason>) -> Record {
    let refused = reason.is_some();
    Record {
        kind: if refused { Kind::Refused } else { Kind::Settled },
        decision: DecisionId::new("d-1").unwrap(),
        at,
        agent: Some(AgentId::new(agent).unwrap()),
        proof: Some(Proof::Listener),
        listener: "reverse 127.0.0.1:8080".into(),
        upstream: None,
        pact: None,
        verdict: if refused { Ruling::Deny } else { Ruling::Allow },
        effect: if refused { Effect::Refused } else { Effect::Sent },
        reason,
        clauses: Vec::new(),
        faults: Vec::new(),
        observed: Vec::new(),
        tier: None,
        action: ActionSeen {
            kind: Some(ActionKind::Tool),
            name: "orders.get".to_owned(),
            capability: None,
            dialect: Dialect::Mcp,
        },
        args_digest: None,
        withheld: Vec::new(),
        approval: None,
        limit: None,
        outcome: Some(if refused { Outcome::Refused } else { Outcome::Completed { status: 200 } }),
        usage: None,
        latency: Latency { total: Some(Duration::ZERO), ..Latency::default() },
        coverage: Coverage { request: Seen::ALL[0], response: None },
        traceparent: None,
        parent: None,
    }
}
