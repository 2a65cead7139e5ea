//! Who calls: operators decide, sidecars look after their own questions.

use http::HeaderMap;

use crate::center::Center;
use crate::center::failure::Failure;
use crate::domain::SidecarId;
use crate::wire::ProblemKind;

/// Whoever may look at a question.
pub(in crate::center) enum Caller<'a> {
    Operator,
    Sidecar(&'a SidecarId),
}

impl Center {
    /// The operator who calls.
    pub(in crate::center) fn operator(&self, headers: &HeaderMap) -> Result<&str, Failure> {
        match (self.operators.caller(headers), self.sidecars.caller(headers)) {
            (Some(operator), _) => Ok(operator),
            (None, Some(_)) => {
                Err(Failure::new(ProblemKind::Forbidden, "this is for operators: use the token of one"))
            }
            (None, None) => Err(unknown()),
        }
    }

    /// The operator or sidecar that calls.
    pub(in crate::center) fn caller(&self, headers: &HeaderMap) -> Result<Caller<'_>, Failure> {
        if self.operators.caller(headers).is_some() {
            return Ok(Caller::Operator);
        }
        self.sidecars.caller(headers).map(Caller::Sidecar).ok_or_else(unknown)
    }
}

fn unknown() -> Failure {
    let detail = "send `Authorization: Bearer <token>` with a token from the collector's config";
    Failure::new(ProblemKind::Unauthorized, detail)
}
