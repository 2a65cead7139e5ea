//! What went wrong, as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};

use crate::wire::WireError;

/// Body of every answer of the collector that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `https://pactgate.dev/problems/<name>`: see [`ProblemKind`].
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// For a refused batch: sequence of the last record the collector holds of this source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accepted_through: Option<u64>,
}

const PREFIX: &str = "https://pactgate.dev/problems/";

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// The closed set of problems: name, status and title of each in one table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemKind {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name: in `type`, and as a label in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problems! {
    /// The request is not what the API asks for.
    Malformed = "malformed", 400, "the request cannot be read";
    /// No token, or an unknown one.
    Unauthorized = "unauthorized", 401, "a bearer token is needed";
    /// The token is for something else.
    Forbidden = "forbidden", 403, "this token may not do that";
    /// There is nothing there.
    NotFound = "not-found", 404, "there is nothing there";
    /// The path does not know the method.
    MethodNotAllowed = "method-not-allowed", 405, "the path does not know this method";
    /// It took too long to arrive.
    Timeout = "timeout", 408, "the request took too long";
    /// It contradicts what is held.
    Conflict = "conflict", 409, "this contradicts what is held";
    /// Records are missing before the batch.
    Gap = "gap", 409, "records are missing";
    /// Another record is held in this place.
    Fork = "fork", 409, "another record is held in this place";
    /// The record does not follow the one before.
    Unchained = "unchained", 409, "the record does not follow the one before";
    /// It lapsed.
    Lapsed = "lapsed", 410, "this lapsed";
    /// Too many bytes.
    TooLarge = "too-large", 413, "the request is too large";
    /// The content type is another.
    MediaType = "media-type", 415, "this content type is not taken here";
    /// An event of the batch is not a record.
    Unsound = "unsound", 422, "an event is not a record";
    /// A bound is reached.
    Full = "full", 429, "a bound is reached";
    /// The collector cannot do it now.
    Unavailable = "unavailable", 503, "the collector cannot do this now";
}

impl ProblemKind {
    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl Problem {
    /// A problem of a kind, with what is wrong here.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{PREFIX}{}", kind.name()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            accepted_through: None,
        }
    }

    /// Which kind it is, where it is one of ours.
    #[must_use]
    pub fn known(&self) -> Option<ProblemKind> {
        self.kind.strip_prefix(PREFIX).and_then(ProblemKind::parse)
    }

    /// The problem as an HTTP response.
    #[must_use]
    pub fn response(&self) -> http::Response<String> {
        let mut response =
            http::Response::new(String::from_utf8_lossy(&crate::wire::write(self)).into_owned());
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/problem+json"));
        if self.status == ProblemKind::Unauthorized.status() {
            headers.insert(http::header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        Self::new(ProblemKind::Malformed, error.to_string())
    }
}
