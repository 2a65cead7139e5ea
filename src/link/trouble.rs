//! Trouble: why an exchange with the collector came to nothing, as a closed set.

use std::time::Duration;

use http::StatusCode;

use crate::net::ClientError;
use crate::spool::SpoolError;
use crate::wire::StatementError;

/// Why an exchange with the collector came to nothing. Always tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the collector could not be reached")]
    Unreached(#[source] ClientError),
    #[error("the collector did not finish its answer in time")]
    Slow,
    #[error("the collector broke off its answer")]
    BrokenOff,
    #[error("the collector fell silent")]
    Silent,
    #[error("the collector answered {status}: {detail}")]
    Status { status: StatusCode, detail: String, retry_after: Option<Duration> },
    #[error("the collector's answer makes no sense: {what}")]
    Nonsense { what: &'static str },
    #[error("a statement of the collector is not believed")]
    Unbelievable(#[source] StatementError),
    #[error("the collector holds record {theirs}, and this log ends at record {ours}")]
    Ahead { theirs: u64, ours: u64 },
    #[error("the collector holds another record {sequence} than this log")]
    Fork { sequence: u64 },
    #[error("the spool cannot be read")]
    Spool(#[from] SpoolError),
}

impl Trouble {
    /// How long the collector wants to be left alone.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the collector was reached, understood the request and said no.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status, .. } if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS)
    }

    /// Whether what was sent was too much at once.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(self, Self::Status { status, .. } if *status == StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// Whether a person has to look: waiting alone will hardly help.
    pub(super) const fn needs_a_person(&self) -> bool {
        match self {
            Self::Ahead { .. } | Self::Fork { .. } | Self::Spool(_) | Self::Unbelievable(_) => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 400 | 401 | 403),
            _ => false,
        }
    }
}

/// Says what is wrong once, not at every attempt, and when it is over.
#[derive(Debug)]
pub(super) struct Teller {
    what: &'static str,
    told: Option<String>,
}

impl Teller {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, told: None }
    }

    pub(super) fn trouble(&mut self, trouble: &Trouble) {
        let text = chain(trouble);
        if self.told.as_ref() == Some(&text) {
            return;
        }
        let what = self.what;
        if trouble.needs_a_person() {
            tracing::error!(error = %text, "{what} is held up");
        } else {
            tracing::warn!(error = %text, "{what} is held up");
        }
        self.told = Some(text);
    }

    pub(super) fn works(&mut self) {
        if self.told.take().is_some() {
            tracing::info!("{} works again", self.what);
        }
    }
}

/// An error and its causes, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
