//! Answers of Bedrock's Converse: tool calls held until they are judged.

use bytes::BytesMut;

use crate::classify::answer::script::{Question, Script};
use crate::classify::answer::sse::Event;
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

/// Takes the next frame off the front, once it is whole.
pub(super) fn frame(_held: &mut BytesMut, _bytes_max: usize) -> Result<Option<Event>, Fault> {
    Err(Fault::new(Problem::ContentType, "frames of AWS are not read"))
}

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
