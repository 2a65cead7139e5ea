//! Answer: one request on either door, from its head alone.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;
use url::form_urlencoded;

use crate::admin::view::{Declined, Page, ToolName, View};
use crate::domain::Digest;
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
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Live,
    Ready,
    Metrics,
    Page(Page),
    Accept(ToolName),
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
    fn question(self, path: &str, query: &str) -> Option<Question> {
        match (self, path) {
            (Self::Socket, "/tools/accept") => Some(Question::Accept(tool_name(query))),
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
        let Some(question) =
            self.door.question(request.uri().path(), request.uri().query().unwrap_or_default())
        else {
            return bare(StatusCode::NOT_FOUND);
        };
        let is_change = matches!(question, Question::Accept(_));
        let is_head = match *request.method() {
            Method::GET if !is_change => false,
            Method::HEAD if !is_change => true,
            Method::POST if is_change => false,
            _ => return not_allowed(is_change),
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
        Question::Accept(tool) => {
            let (status, page) = match view.accept_tool(&tool) {
                Ok(page) => (StatusCode::OK, page),
                Err(Declined::Absent(why)) => (StatusCode::NOT_FOUND, json!({"detail": why})),
                Err(Declined::Conflict(why)) => (StatusCode::CONFLICT, json!({"detail": why})),
                Err(Declined::Failed(why)) => (StatusCode::INTERNAL_SERVER_ERROR, json!({"detail": why})),
            };
            Some((status, JSON_TYPE, serde_json::to_vec(&page).ok()?.into()))
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

/// The tool that a query names. A digest that is none stands for no tool at all.
fn tool_name(query: &str) -> ToolName {
    let mut tool = ToolName::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "server" => tool.server = value.into_owned(),
            "tool" => tool.tool = value.into_owned(),
            "definition" => match Digest::parse_hex(&value) {
                Some(digest) => tool.definition = Some(digest),
                None => return ToolName::default(),
            },
            _ => return ToolName::default(),
        }
    }
    tool
}

fn not_allowed(is_change: bool) -> Response<Body> {
    let mut response = bare(StatusCode::METHOD_NOT_ALLOWED);
    let allowed = if is_change { "POST" } else { "GET, HEAD" };
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
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
