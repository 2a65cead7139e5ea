//! Failure: why an upstream gave no usable answer, as a closed set.

use std::error::Error;
use std::fmt;

use crate::net::address::Forbidden;
use crate::net::dial::DialError;
use crate::net::timed_body::BodyError;

/// Why an exchange with an upstream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its address must not be reached: a refusal, not a fault of the upstream.
    Forbidden(Forbidden),
    /// Its name was not resolved.
    NoSuchHost,
    /// It did not accept the connection in time.
    ConnectTimeout,
    /// Nothing listens there.
    Refused,
    /// The network did not lead there.
    Unreachable,
    /// TLS did not come about: wrong name, unknown authority, expired, no common version.
    Tls,
    /// It accepted the request, but no head of a response came in time.
    HeadTimeout,
    /// It closed or reset the connection before the exchange was complete.
    Closed,
    /// What it sent is not HTTP, or larger than allowed.
    BadAnswer,
    /// The request's own body stalled, was too slow, too large or broke off: a fault of the sender.
    RequestBody,
    /// The request could not be expressed in HTTP: a fault of the caller.
    BadRequest,
}

impl Failure {
    /// The name used in records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbidden(_) => "address-forbidden",
            Self::NoSuchHost => "no-such-host",
            Self::ConnectTimeout => "connect-timeout",
            Self::Refused => "connection-refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::HeadTimeout => "head-timeout",
            Self::Closed => "closed",
            Self::BadAnswer => "bad-answer",
            Self::RequestBody => "request-body",
            Self::BadRequest => "bad-request",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<&DialError> for Failure {
    fn from(error: &DialError) -> Self {
        match error {
            DialError::Forbidden { why, .. } => Self::Forbidden(*why),
            DialError::NoSuchHost { .. } => Self::NoSuchHost,
            DialError::Timeout { .. } => Self::ConnectTimeout,
            DialError::Refused { .. } => Self::Refused,
            DialError::Unreachable { .. } => Self::Unreachable,
            DialError::Tls { .. } => Self::Tls,
            DialError::BadHost { .. } => Self::BadRequest,
        }
    }
}

/// Finds the cause in the error of an exchange, or of a response's body as it came from the connection. The bounds
/// that a caller puts on a response's body are the caller's to tell: here a [`BodyError`] is the request's.
#[must_use]
pub fn why(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = Some(error);
    let mut found = Failure::Closed;
    while let Some(error) = cause {
        if let Some(dial) = error.downcast_ref::<DialError>() {
            return Failure::from(dial);
        }
        if error.is::<BodyError>() {
            return Failure::RequestBody;
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            if hyper.is_parse() {
                found = Failure::BadAnswer;
            } else if hyper.is_user() {
                // A body's own error is the cause of it; without a cause the request itself was at fault.
                found = if hyper.source().is_some() { Failure::RequestBody } else { Failure::BadRequest };
            }
        }
        cause = error.source();
    }
    found
}
