//! Answers in the dialect of the same name: tool calls held until they are judged.

use crate::classify::Bounds;
use crate::classify::answer::script::{Question, Script};
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::domain::Json;

/// How a stream is read.
pub(super) fn script(_bounds: &Bounds) -> Option<Box<dyn Script>> {
    None
}

/// The calls in a whole answer.
pub(super) fn questions(_answer: &Json, _bounds: &Bounds) -> Result<Vec<Question>, Fault> {
    Ok(Vec::new())
}

/// Tells an answer without the calls that were refused.
pub(super) fn rewrite(_answer: &mut Json, _edits: &[Edit]) -> Result<(), Fault> {
    Ok(())
}

/// Sets a request's body right after tools were taken out of it.
pub(super) fn tidy(_body: &mut Json) {}
