//! Runs written calls through the real pact.
//!
//! A pact's tests stand beside it in `NAME.test.yaml`: a call, a tier, the verdict and the clauses expected.

mod call;
mod case;
mod files;
mod report;
mod run;

pub use call::read_call;
pub use files::{FileError, pacts_below, read_file};
pub use report::{CaseReport, Coverage, FileReport, Report};
pub use run::run;
