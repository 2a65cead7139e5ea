//! Answer: one request on either door, from its head alone.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::admin::view::{Page, View};
use crate::net::Body;

/// The version of the text format that Prometheus asks for when it knows no newer one.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const TEXT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// Which door a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Port,
    Socket,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Live,
    Ready,
    Metrics,
    Page(Page),
}

/// Answers the requests of one door.
pub(super) struct Answerer {
    door: Door,
    view: Arc<dyn View>,
    /// One look at the view at a time: the agent can open the port, and must not buy itself more than one thread
    /// of the sidecar's work by asking often.
    turn: Arc<Semaphore>,
}

impl Door {
    fn question(self, path: &str) -> Option<Question> {
        match (self, path) {
            (Self::Port, "/livez") => Some(Question::Live),
            (Self::Port, "/readyz") => Some(Question::Ready),
            (Self::Port, "/metrics") => Some(Question::Metrics),
            (Self::Port, _) => None,
            (Self::Socket, path) => Page::at(path).map(Question::Page),
        }
    }
}

impl Answerer {
    pub(super) fn new(door: Door, view: Arc<dyn View>) -> Self {
        Self { door, view, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The answer to a request, whose body is never read.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Body> {
        let Some(question) = self.door.question(request.uri().path()) else {
            return bare(StatusCode::NOT_FOUND);
        };
        let is_head = match *request.method() {
            Method::GET => false,
            Method::HEAD => true,
            _ => return not_allowed(),
        };
        let (status, kind, text) = match question {
            Question::Live => (StatusCode::OK, TEXT_TYPE, Bytes::from_static(b"live\n")),
            _ => match self.look(question).await {
                Some(answer) => answer,
                None => return bare(StatusCode::INTERNAL_SERVER_ERROR),
            },
        };
        full(status, kind, text, is_head)
    }

    /// Asks the view, away from the threads that serve calls. `None` when the view failed.
    async fn look(&self, question: Question) -> Option<(StatusCode, HeaderValue, Bytes)> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        let view = Arc::clone(&self.view);
        let looked = tokio::task::spawn_blocking(move || {
            // Goes with the work, because a peer that leaves does not end it.
            let _turn = turn;
            read(&*view, question)
        });
        looked.await.ok()?
    }
}

fn read(view: &dyn View, question: Question) -> Option<(StatusCode, HeaderValue, Bytes)> {
    match question {
        Question::Live => None,
        Question::Metrics => Some((StatusCode::OK, METRICS_TYPE, view.metrics().into())),
        Question::Ready => {
            let readiness = view.readiness();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            Some((status, JSON_TYPE, serde_json::to_vec(&readiness).ok()?.into()))
        }
        Question::Page(page) => {
            Some((StatusCode::OK, JSON_TYPE, serde_json::to_vec(&view.page(page)).ok()?.into()))
        }
    }
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

fn not_allowed() -> Response<Body> {
    let mut response = bare(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn full(status: StatusCode, kind: HeaderValue, text: Bytes, is_head: bool) -> Response<Body> {
    let mut response = bare(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    if !is_head {
        *response.body_mut() = Body::from(text);
    }
    response
}
