//! The one place where the collector answers failures.

use axum::response::{IntoResponse, Response};

use crate::store::{AskError, StoreError};
use crate::wire::{Problem, ProblemKind, WireError};

/// A failed request, on its way to the client.
#[derive(Debug)]
pub(in crate::collector) struct Failure(Box<Problem>);

impl Failure {
    pub(in crate::collector) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(kind, detail)))
    }

    /// Tells how far the source's records are held.
    pub(in crate::collector) fn accepted_through(mut self, sequence: u64) -> Self {
        self.0.accepted_through = Some(sequence);
        self
    }

    /// Its name, for metrics.
    pub(in crate::collector) fn name(&self) -> &'static str {
        self.0.known().map_or("other", ProblemKind::name)
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

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let kind = match error {
            AskError::Conflict => ProblemKind::Conflict,
            AskError::Expiry => ProblemKind::Malformed,
            AskError::Full => ProblemKind::Full,
            AskError::Store(error) => return error.into(),
        };
        Self::new(kind, error.to_string())
    }
}
