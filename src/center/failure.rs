//! The one place where the center answers failures.

use axum::response::{IntoResponse, Response};

use crate::store::{AnswerError, OverrideError, StoreError};
use crate::wire::{Problem, ProblemKind, WireError};

/// A failed request, on its way to the client.
#[derive(Debug)]
pub(in crate::center) struct Failure(Box<Problem>);

impl Failure {
    pub(in crate::center) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(kind, detail)))
    }

    pub(in crate::center) fn stopped() -> Self {
        Self::new(
            ProblemKind::Unavailable,
            "the collector is stopping, or failed at this request: look before trying again",
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.response().into_response()
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self(Box::new(error.into()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        Self::new(ProblemKind::Unavailable, "the store failed: try again; the collector's log says why")
    }
}

impl From<OverrideError> for Failure {
    fn from(error: OverrideError) -> Self {
        let kind = match error {
            OverrideError::UnknownAgent => ProblemKind::NotFound,
            OverrideError::AlreadySuspended | OverrideError::NothingToLift => ProblemKind::Conflict,
            OverrideError::Store(error) => return error.into(),
        };
        Self::new(kind, error.to_string())
    }
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Self {
        let kind = match error {
            AnswerError::Unknown => ProblemKind::NotFound,
            AnswerError::Answered { .. } => ProblemKind::Conflict,
            AnswerError::Lapsed { .. } => ProblemKind::Lapsed,
            AnswerError::Store(error) => return error.into(),
        };
        Self::new(kind, error.to_string())
    }
}
