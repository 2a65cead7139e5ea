//! Who calls, and what that caller may do.

use http::HeaderMap;

use crate::collector::Plane;
use crate::collector::failure::Failure;
use crate::domain::SidecarId;
use crate::evidence::Source;
use crate::wire::ProblemKind;

/// Whoever may raise a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collector) enum Caller {
    Sidecar(SidecarId),
    Operator(String),
}

impl Plane {
    /// The sidecar that calls.
    pub(in crate::collector) fn sidecar(&self, headers: &HeaderMap) -> Result<&SidecarId, Failure> {
        match (self.sidecars.caller(headers), self.operators.caller(headers)) {
            (Some(sidecar), _) => Ok(sidecar),
            (None, Some(_)) => {
                Err(Failure::new(ProblemKind::Forbidden, "this is for sidecars: use the token of one"))
            }
            (None, None) => Err(unknown()),
        }
    }

    /// The sidecar or operator that calls.
    pub(in crate::collector) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        match (self.sidecars.caller(headers), self.operators.caller(headers)) {
            (Some(sidecar), _) => Ok(Caller::Sidecar(sidecar.clone())),
            (None, Some(operator)) => Ok(Caller::Operator(operator.clone())),
            (None, None) => Err(unknown()),
        }
    }
}

fn unknown() -> Failure {
    let detail = "send `Authorization: Bearer <token>` with a token from the collector's config";
    Failure::new(ProblemKind::Unauthorized, detail)
}

/// Reads a source and checks that it is the caller's own: a sidecar speaks for nobody else.
pub(in crate::collector) fn own_source(sidecar: &SidecarId, text: &str) -> Result<Source, Failure> {
    let source = Source::parse(text).ok_or_else(|| {
        Failure::new(ProblemKind::Malformed, "`source` is not of the form `pactgate://sidecar/<id>/<log>`")
    })?;
    check_own(sidecar, &source)?;
    Ok(source)
}

/// Checks that a source is the caller's own.
pub(in crate::collector) fn check_own(sidecar: &SidecarId, source: &Source) -> Result<(), Failure> {
    if source.sidecar() == sidecar {
        return Ok(());
    }
    let detail = format!("this token is of sidecar `{sidecar}`, which cannot speak for `{source}`");
    Err(Failure::new(ProblemKind::Forbidden, detail))
}
