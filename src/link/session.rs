//! Session: authenticated requests to the collector, bounded in time and size.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use url::Url;

use crate::link::trouble::Trouble;
use crate::link::{LinkError, Settings};
use crate::net::{Body, ClientSettings, ClientTls, DialSettings, Dialer, HttpClient, Reach};
use crate::wire::Problem;

/// The most bytes of an answer. No answer to a sidecar comes near it.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The line to one collector. Connections are pooled and made when needed.
#[derive(Debug)]
pub(super) struct Session {
    client: HttpClient,
    base: Url,
    authorization: HeaderValue,
    patience: Duration,
}

impl Session {
    pub(super) fn new(settings: &Settings) -> Result<Self, LinkError> {
        if !matches!(settings.url.scheme(), "http" | "https") || settings.url.host().is_none() {
            return Err(LinkError::Url { url: settings.url.to_string() });
        }
        let bearer = format!("Bearer {}", settings.token.expose());
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| LinkError::Token)?;
        authorization.set_sensitive(true);
        let tls = ClientTls::new(&settings.roots).map_err(LinkError::Tls)?;
        // A dialer of its own: the agents' one keeps away from the collector.
        let dialer = Dialer::new(DialSettings::default());
        let client = ClientSettings {
            reach: Reach::Declared { private: true },
            head: settings.patience,
            ..ClientSettings::default()
        };
        Ok(Self {
            client: HttpClient::new(&dialer, &tls, &client),
            base: settings.url.clone(),
            authorization,
            patience: settings.patience,
        })
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Bytes, Trouble> {
        let answer = self.send(Method::GET, path, query, None).await?;
        self.whole(answer).await
    }

    /// Sends something.
    pub(super) async fn post(&self, path: &str, kind: &'static str, body: Vec<u8>) -> Result<Bytes, Trouble> {
        let answer = self.send(Method::POST, path, &[], Some((kind, body.into()))).await?;
        self.whole(answer).await
    }

    /// Opens a stream; its body is read by the caller.
    pub(super) async fn stream(&self, path: &str) -> Result<Incoming, Trouble> {
        let answer = self.send(Method::GET, path, &[], None).await?;
        if answer.status() != StatusCode::OK {
            return Err(self
                .whole(answer)
                .await
                .err()
                .unwrap_or(Trouble::Nonsense { what: "a feed without a body" }));
        }
        Ok(answer.into_body())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Response<Incoming>, Trouble> {
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = method;
        *request.uri_mut() = self
            .address(path, query)
            .as_str()
            .parse()
            .map_err(|_| Trouble::Nonsense { what: "its own address" })?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Some((kind, bytes)) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            *request.body_mut() = Body::from(bytes);
        }
        self.client.request(request).await.map_err(Trouble::Unreached)
    }

    /// The base URL may have a path of its own, as behind a gateway.
    fn address(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        let joined = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Reads an answer to its end. Whatever is not a success is trouble.
    async fn whole(&self, answer: Response<Incoming>) -> Result<Bytes, Trouble> {
        let status = answer.status();
        let retry_after = retry_after(answer.headers());
        let read = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = match tokio::time::timeout(self.patience, read).await {
            Err(_) => return Err(Trouble::Slow),
            Ok(Err(problem)) if problem.is::<http_body_util::LengthLimitError>() => {
                return Err(Trouble::Nonsense { what: "it is too long" });
            }
            Ok(Err(_)) => return Err(Trouble::BrokenOff),
            Ok(Ok(body)) => body.to_bytes(),
        };
        if status.is_success() {
            return Ok(body);
        }
        let problem = crate::wire::read::<Problem>(&body);
        let detail =
            problem.map_or_else(|_| "without saying why".to_owned(), |problem| shown(&problem.detail));
        Err(Trouble::Status { status, detail, retry_after })
    }
}

/// A sentence of the collector as it may stand in a log: bounded, without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3). The date form is not used between our own programs.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}
