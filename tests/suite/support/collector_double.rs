//! A collector that keeps what it is sent, checks it, and fails on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use pactgate::domain::{Digest, Secret};
use pactgate::evidence::{Source, Verifier, read};
use pactgate::link::Settings;
use pactgate::net::TrustRoots;
use pactgate::wire::{
    GapNotice, Position, Question, SignalRequest, SigningKey, Topic, split_events, write_event,
};
use tokio::sync::mpsc;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// An error of the collector; nothing is kept.
    Fails,
    /// The batch is kept, and the answer is lost on its way.
    KeepsAndHangsUp,
    /// Nothing is kept, and the connection breaks.
    HangsUp,
    /// The batch is kept, and the answer is gibberish.
    Gibberish,
    /// The answer speaks of another log.
    AnotherLog,
    /// The answer claims more than was sent.
    Boasts,
    /// The answer names another head.
    WrongHead,
    /// Only the first record is kept, and the answer says so.
    KeepsOne,
    /// Too many requests, come back at once.
    Busy,
    /// A gateway in between takes no more than so many bytes.
    TakesAtMost(usize),
    /// No answer, ever.
    Silent,
}

/// What the double holds of one log.
#[derive(Default)]
pub struct Held {
    verifier: Verifier,
    /// Each record once, in order.
    pub events: Vec<Vec<u8>>,
    source: Option<Source>,
    /// Records that came again.
    pub duplicates: usize,
    /// What it was told is gone.
    pub gaps: Vec<GapNotice>,
    /// Questions it was asked.
    pub questions: Vec<Question>,
    faults: VecDeque<Fault>,
    question_faults: VecDeque<StatusCode>,
    feeds: Vec<mpsc::UnboundedSender<Result<Bytes, std::io::Error>>>,
}

/// The double: a server on loopback.
#[derive(Clone)]
pub struct CollectorDouble {
    pub held: Arc<Mutex<Held>>,
    pub key: Arc<SigningKey>,
    address: std::net::SocketAddr,
}

pub const TOKEN: &str = "sidecar-token";

impl CollectorDouble {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let double = Self {
            held: Arc::default(),
            key: Arc::new(SigningKey::from_seed(&[7; 32]).unwrap()),
            address: listener.local_addr().unwrap(),
        };
        let router = Router::new()
            .route("/v1/events", post(take_events))
            .route("/v1/events/position", get(tell_position))
            .route("/v1/signals", post(take_signal))
            .route("/v1/approvals", post(take_question))
            .route("/v1/trust/feed", get(feed))
            .with_state(double.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        double
    }

    /// Settings of a link to it, quick enough for a test.
    pub fn settings(&self) -> Settings {
        let url = format!("http://{}", self.address).parse().unwrap();
        let token = Secret::new(TOKEN.to_owned());
        Settings {
            batch_records_max: 20,
            gather: Duration::from_millis(1),
            pause_max: Duration::from_millis(10),
            patience: Duration::from_millis(300),
            silence_max: Duration::from_millis(300),
            ..Settings::new(url, token, *self.key.public(), TrustRoots::none())
        }
    }

    /// The next requests about records go wrong in these ways.
    pub fn will(&self, faults: impl IntoIterator<Item = Fault>) {
        self.held.lock().unwrap().faults.extend(faults);
    }

    /// The next questions are answered with these statuses.
    pub fn will_answer_questions(&self, statuses: impl IntoIterator<Item = StatusCode>) {
        self.held.lock().unwrap().question_faults.extend(statuses);
    }

    /// Says something on every open feed.
    pub fn say(&self, topic: Topic, signed: &pactgate::wire::Signed) {
        self.say_raw(&write_event(topic, signed));
    }

    /// Sends bytes on every open feed.
    pub fn say_raw(&self, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.held.lock().unwrap().feeds.retain(|feed| feed.send(Ok(bytes.clone())).is_ok());
    }

    /// How many feeds are open.
    pub fn feeds(&self) -> usize {
        self.held.lock().unwrap().feeds.len()
    }

    /// Breaks every open feed.
    pub fn break_feeds(&self) {
        for feed in self.held.lock().unwrap().feeds.drain(..) {
            let _ = feed.send(Err(std::io::Error::other("cut")));
        }
    }

    /// The sequence of the last record held.
    pub fn through(&self) -> u64 {
        self.held.lock().unwrap().verifier.sequence()
    }

    /// Forgets all records, as a store that was lost.
    pub fn forget(&self) {
        let mut held = self.held.lock().unwrap();
        held.verifier = Verifier::new();
        held.events.clear();
    }
}

impl Held {
    fn position(&self) -> Position {
        Position {
            source: self.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            accepted_through: self.verifier.sequence(),
            head: *self.verifier.head(),
        }
    }

    /// Keeps new records, at most `most`; what it cannot place is refused.
    fn keep(&mut self, batch: &[u8], most: usize) -> Result<(), StatusCode> {
        for bytes in split_events(batch).unwrap().into_iter().take(most) {
            let event = read(bytes).unwrap();
            self.source = Some(event.source.clone());
            if event.sequence <= self.verifier.sequence() {
                let index = self.events.iter().position(|held| held == bytes);
                assert!(index.is_some(), "record {} came again and was another one", event.sequence);
                self.duplicates += 1;
            } else {
                self.verifier.push(bytes).map_err(|_| StatusCode::CONFLICT)?;
                self.events.push(bytes.to_vec());
            }
        }
        Ok(())
    }
}

fn is_ours(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| *value == format!("Bearer {TOKEN}"))
}

fn json(position: &Position) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], pactgate::wire::write(position)).into_response()
}

/// A head that promises a body, and a connection that breaks before it is complete.
fn hang_up() -> Response {
    let pieces =
        futures_util::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut"))]);
    Body::from_stream(pieces).into_response()
}

async fn take_events(State(double): State<CollectorDouble>, headers: HeaderMap, batch: Bytes) -> Response {
    if !is_ours(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    assert_eq!(headers[header::CONTENT_TYPE], "application/cloudevents-batch+json");
    let fault = double.held.lock().unwrap().faults.pop_front();
    if matches!(fault, Some(Fault::Silent)) {
        std::future::pending::<()>().await;
    }
    let mut held = double.held.lock().unwrap();
    if let Some(Fault::TakesAtMost(bytes)) = fault {
        held.faults.push_front(Fault::TakesAtMost(bytes));
        if batch.len() > bytes {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
    }
    let most = match fault {
        Some(Fault::Fails | Fault::HangsUp | Fault::Busy) => 0,
        Some(Fault::KeepsOne) => 1,
        _ => usize::MAX,
    };
    if let Err(status) = held.keep(&batch, most) {
        return status.into_response();
    }
    let position = held.position();
    match fault {
        None | Some(Fault::KeepsOne | Fault::Silent | Fault::TakesAtMost(_)) => json(&position),
        Some(Fault::Fails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::Busy) => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response(),
        Some(Fault::HangsUp | Fault::KeepsAndHangsUp) => hang_up(),
        Some(Fault::Gibberish) => "{\"accepted_through\":".into_response(),
        Some(Fault::AnotherLog) => {
            json(&Position { source: "pactgate://sidecar/other/0".into(), ..position })
        }
        Some(Fault::Boasts) => {
            json(&Position { accepted_through: position.accepted_through + 1000, ..position })
        }
        Some(Fault::WrongHead) => json(&Position { head: Digest::of(b"another"), ..position }),
    }
}

async fn tell_position(
    State(double): State<CollectorDouble>,
    headers: HeaderMap,
    axum::extract::Query(query): axum::extract::Query<std::collections::HashMap<String, String>>,
) -> Response {
    if !is_ours(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    json(&Position { source: query["source"].clone(), ..double.held.lock().unwrap().position() })
}

async fn take_signal(State(double): State<CollectorDouble>, body: Bytes) -> Response {
    let request: SignalRequest = pactgate::wire::read(&body).unwrap();
    let gap = request.gap.unwrap();
    let mut held = double.held.lock().unwrap();
    let source = held.source.clone().unwrap();
    assert_eq!(gap.from, held.verifier.sequence() + 1);
    held.verifier = Verifier::after(source, gap.through, gap.head);
    held.gaps.push(gap);
    StatusCode::CREATED.into_response()
}

async fn take_question(State(double): State<CollectorDouble>, body: Bytes) -> Response {
    let mut held = double.held.lock().unwrap();
    if let Some(status) = held.question_faults.pop_front() {
        return status.into_response();
    }
    held.questions.push(pactgate::wire::read(&body).unwrap());
    StatusCode::CREATED.into_response()
}

async fn feed(State(double): State<CollectorDouble>, headers: HeaderMap) -> Response {
    if !is_ours(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    double.held.lock().unwrap().feeds.push(sender);
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces.boxed())).into_response()
}
