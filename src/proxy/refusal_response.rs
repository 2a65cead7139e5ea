//! Answers of our own, in the caller's dialect: the one place where refusals and failures become responses.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::classify::{self, McpExchange, Reply, Speech};
use crate::domain::{DecisionId, Reason};
use crate::enforce::{Refusal, Refused};
use crate::net::Body;
use crate::proxy::headers::DECISION;

/// What is said, before it takes a dialect's form.
struct Answer {
    decision: DecisionId,
    status: u16,
    /// A verdict on one message must not end the session that the message belongs to.
    ends_session: bool,
    code: &'static str,
    json_rpc_code: i64,
    message: String,
    retry: Retry,
    facts: Value,
}

enum Retry {
    Never,
    After(u64),
    AsClientsDo,
}

/// Answers a request whose messages were all refused, or withheld because one of them was. What was refused for
/// its own sake speaks for a request that wants one answer.
pub(super) fn refused(refused: &[Refused], batch: bool) -> Response<Body> {
    let speaks = |part: &&Refused| batch || !part.withheld;
    let answers: Vec<_> =
        refused.iter().filter(speaks).map(|part| (&part.reply, of_refusal(&part.refusal))).collect();
    render(&answers, batch)
}

/// What became of a call that was admitted and that the upstream did not answer.
pub(super) struct Failure {
    /// The decision that admitted it.
    pub decision: DecisionId,
    /// 502 or 504.
    pub status: u16,
    /// A short name from a closed set.
    pub code: &'static str,
    /// What happened, as a sentence that names no address or credential.
    pub message: String,
    /// Whether the upstream did answer, and the answer was held back: the session that it belongs to goes on.
    pub held_back: bool,
}

/// Answers a request that was admitted and then failed.
pub(super) fn failed(replies: &[Reply], failure: &Failure, batch: bool) -> Response<Body> {
    let answers: Vec<_> = replies.iter().map(|reply| (reply, of_failure(failure))).collect();
    render(&answers, batch)
}

/// The event that ends a stream of that form before its own end; `None` where its clients know none, so that the
/// connection has to break off.
pub(super) fn cut_stream(speech: &Speech, failure: &Failure) -> Option<Bytes> {
    let answer = of_failure(failure);
    let (name, body) = match speech {
        Speech::Chat => (None, openai(&answer)),
        Speech::Responses(_) => {
            let mut event = openai(&answer);
            let error =
                json!({"type": "error", "code": answer.code, "message": answer.message, "param": null});
            // The API tells an error at the top of its event; its official clients raise what stands under `error`.
            if let (Value::Object(event), Value::Object(error)) = (&mut event, error) {
                event.extend(error);
            }
            (Some("error"), event)
        }
        Speech::Anthropic => (Some("error"), anthropic(&answer)),
        Speech::Gemini(_) => (None, google(&answer)),
        Speech::Bedrock(_) => return Some(classify::cut_converse(&answer.message)),
        Speech::Mcp(exchange) => return cut_messages(exchange, &answer),
        Speech::AgentCard(_) | Speech::Unread => return None,
    };
    Some(match name {
        Some(name) => format!("event: {name}\ndata: {body}\n\n").into(),
        None => format!("data: {body}\n\n").into(),
    })
}

/// An error for each message that waits for an answer. One that was answered before the cut does not mind.
fn cut_messages(exchange: &McpExchange, answer: &Answer) -> Option<Bytes> {
    let error = |id: &RawValue| json_rpc(&Reply::JsonRpc { id: id.to_owned() }, answer);
    let events: String =
        exchange.asked.iter().map(|asked| format!("data: {}\n\n", error(&asked.id))).collect();
    (!events.is_empty()).then(|| events.into())
}

fn of_refusal(refusal: &Refusal) -> Answer {
    Answer {
        decision: refusal.decision.clone(),
        status: refusal.status(),
        ends_session: matches!(refusal.reason, Reason::Unreadable | Reason::NameMismatch | Reason::NoPact),
        code: refusal.reason.name(),
        json_rpc_code: refusal.json_rpc_code(),
        message: refusal.message(),
        retry: refusal.retry_after_s().map_or(Retry::Never, Retry::After),
        facts: json!({
            "decision": refusal.decision.as_str(),
            "reason": refusal.reason.name(),
            "pact": refusal.pact.as_ref().map(|pact| pact.as_str()),
            "clauses": refusal.clauses.iter().map(|clause| clause.as_str()).collect::<Vec<_>>(),
            "limit": refusal.limit.as_ref().map(|limit| limit.as_str()),
            "tier": refusal.tier.map(|tier| tier.name()),
            "approval": refusal.approval.as_ref().map(|approval| approval.as_str()),
            "instead": refusal.instead,
            "retry_after": refusal.retry_after_s(),
        }),
    }
}

fn of_failure(failure: &Failure) -> Answer {
    Answer {
        decision: failure.decision.clone(),
        status: failure.status,
        ends_session: !failure.held_back,
        code: failure.code,
        json_rpc_code: i64::from(failure.status) * 1_000 + 1,
        message: format!("{} Decision {}.", failure.message, failure.decision),
        retry: Retry::AsClientsDo,
        facts: json!({"decision": failure.decision.as_str(), "reason": failure.code}),
    }
}

fn render(answers: &[(&Reply, Answer)], batch: bool) -> Response<Body> {
    match answers {
        // A request of no message at all: nothing went out, and nothing may look as if it had.
        [] => {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
        [(reply, answer), ..] if !batch => render_one(reply, answer),
        [(_, lead), ..] => render_batch(lead, answers),
    }
}

fn render_one(reply: &Reply, answer: &Answer) -> Response<Body> {
    match reply {
        Reply::OpenAi => respond(answer, answer.status, JSON, &openai(answer)),
        Reply::Anthropic => respond(answer, answer.status, JSON, &anthropic(answer)),
        Reply::Google => respond(answer, answer.status, JSON, &google(answer)),
        Reply::A2aRest => respond(answer, answer.status, JSON, &a2a_rest(answer)),
        Reply::Aws => aws(answer),
        Reply::McpTool { .. } => respond(answer, tool_status(answer), JSON, &json_rpc(reply, answer)),
        Reply::JsonRpc { .. } => respond(answer, json_rpc_status(answer), JSON, &json_rpc(reply, answer)),
        Reply::Notification => accepted(answer),
        Reply::Problem => respond(answer, answer.status, PROBLEM_JSON, &problem(answer)),
    }
}

/// JSON-RPC 2.0, section 6: an answer for every message that expects one, and none for notifications.
fn render_batch(lead: &Answer, answers: &[(&Reply, Answer)]) -> Response<Body> {
    let expects = |(reply, _): &&(&Reply, Answer)| !matches!(reply, Reply::Notification);
    let said: Vec<Value> =
        answers.iter().filter(expects).map(|(reply, answer)| json_rpc(reply, answer)).collect();
    if said.is_empty() {
        return accepted(lead);
    }
    respond(lead, json_rpc_status(lead), JSON, &Value::Array(said))
}

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";

fn respond(answer: &Answer, status: u16, content_type: &'static str, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(answer.decision.as_str()) {
        headers.insert(DECISION, id);
    }
    // RFC 9110, sections 15.5.2 and 15.5.8: both name the way to prove oneself.
    if status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pactgate\""));
    }
    if status == 407 {
        headers.insert(header::PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"pactgate\""));
    }
    match answer.retry {
        Retry::After(seconds) => headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds)),
        // The SDKs of OpenAI and Anthropic obey this header, whatever the status.
        Retry::Never => {
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"))
        }
        Retry::AsClientsDo => None,
    };
    response
}

/// A notification has no answer in JSON-RPC, and MCP clients take an error status for the end of their session.
fn accepted(answer: &Answer) -> Response<Body> {
    let mut response = respond(answer, 202, JSON, &Value::Null);
    *response.body_mut() = Body::Empty;
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

/// <https://platform.openai.com/docs/guides/error-codes>: the SDKs show `message`, `type` and `code`.
fn openai(answer: &Answer) -> Value {
    let kind = match answer.status {
        429 => "rate_limit_error",
        400 | 413 | 415 => "invalid_request_error",
        401 => "authentication_error",
        500.. => "server_error",
        _ => "permission_error",
    };
    json!({"error": {
        "message": answer.message,
        "type": kind,
        "param": null,
        "code": answer.code,
        "pactgate": answer.facts,
    }})
}

/// <https://docs.anthropic.com/en/api/errors>.
fn anthropic(answer: &Answer) -> Value {
    let kind = match answer.status {
        429 => "rate_limit_error",
        400 | 415 => "invalid_request_error",
        413 => "request_too_large",
        401 => "authentication_error",
        500.. => "api_error",
        _ => "permission_error",
    };
    json!({
        "type": "error",
        "error": {"type": kind, "message": answer.message, "pactgate": answer.facts},
        "request_id": answer.decision.as_str(),
    })
}

/// `google.rpc.Status` (<https://google.aip.dev/193>).
fn google(answer: &Answer) -> Value {
    let status = match answer.status {
        429 => "RESOURCE_EXHAUSTED",
        400 | 413 | 415 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        502 | 504 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "PERMISSION_DENIED",
    };
    json!({"error": {
        "code": answer.status,
        "message": answer.message,
        "status": status,
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": answer.code,
            "domain": "pactgate.dev",
            "metadata": {"decision": answer.decision.as_str()},
        }],
    }})
}

/// A2A over REST: of 1.0 in `error`, and beside it of 0.3. Its clients show the message where they know the reason, and
/// this is the one they know for what is not done here; that it is a matter of permission, the status tells.
fn a2a_rest(answer: &Answer) -> Value {
    let (reason, kind) = match answer.status {
        400 | 413 | 415 => ("INVALID_REQUEST", "InvalidRequestError"),
        500.. => ("INTERNAL_ERROR", "InternalError"),
        _ => ("UNSUPPORTED_OPERATION", "UnsupportedOperationError"),
    };
    let mut body = google(answer);
    // Clients look at the first reason alone.
    if let Some(Value::Array(details)) = body.pointer_mut("/error/details") {
        let known = json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "a2a-protocol.org",
            "metadata": {"decision": answer.decision.as_str()},
        });
        details.insert(0, known);
    }
    if let Value::Object(members) = &mut body {
        members.insert("type".to_owned(), json!(kind));
        members.insert("message".to_owned(), json!(answer.message));
    }
    body
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>: the type stands in a header.
fn aws(answer: &Answer) -> Response<Body> {
    let kind = match answer.status {
        429 => "ThrottlingException",
        400 | 413 | 415 => "ValidationException",
        500.. => "ServiceUnavailableException",
        _ => "AccessDeniedException",
    };
    let body = json!({"message": answer.message, "pactgate": answer.facts});
    let mut response = respond(answer, answer.status, JSON, &body);
    let name = HeaderName::from_static("x-amzn-errortype");
    response.headers_mut().insert(name, HeaderValue::from_static(kind));
    response
}

/// RFC 9457.
fn problem(answer: &Answer) -> Value {
    let title = StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let mut body = answer.facts.clone();
    if let Value::Object(members) = &mut body {
        members.insert("type".to_owned(), json!("about:blank"));
        members.insert("title".to_owned(), json!(title.unwrap_or("Refused")));
        members.insert("status".to_owned(), json!(answer.status));
        members.insert("detail".to_owned(), json!(answer.message));
        members.insert("instance".to_owned(), json!(format!("urn:pactgate:decision:{}", answer.decision)));
    }
    body
}

/// Any failed tool call is a result (MCP 2026-07-28, tools): every client and framework survives that shape alone.
fn tool_status(answer: &Answer) -> u16 {
    if answer.status >= 500 { 200 } else { json_rpc_status(answer) }
}

fn json_rpc_status(answer: &Answer) -> u16 {
    if answer.ends_session { answer.status } else { 200 }
}

fn json_rpc(reply: &Reply, answer: &Answer) -> Value {
    match reply {
        Reply::McpTool { id } => json!({"jsonrpc": "2.0", "id": raw(id), "result": {
            "resultType": "complete",
            "isError": true,
            "content": [{"type": "text", "text": answer.message}],
            "_meta": {"pactgate.dev/refusal": answer.facts},
        }}),
        Reply::JsonRpc { id } => json!({"jsonrpc": "2.0", "id": raw(id), "error": error(answer)}),
        _ => json!({"jsonrpc": "2.0", "id": null, "error": error(answer)}),
    }
}

fn error(answer: &Answer) -> Value {
    json!({"code": answer.json_rpc_code, "message": answer.message, "data": answer.facts})
}

/// The caller's own id: text that `classify` has already read as a JSON string, number or null.
fn raw(id: &RawValue) -> Value {
    serde_json::from_str(id.get()).unwrap_or(Value::Null)
}
