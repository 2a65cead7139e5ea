//! Answers of MCP servers.

use crate::classify::Bounds;
use crate::classify::answer::script::{Question, Script};
use crate::classify::answer::whole::Edit;
use crate::classify::fault::Fault;
use crate::domain::{Json, UpstreamName};

/// What is known of the request that is answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The MCP server.
    pub server: UpstreamName,
}

/// How a stream is read.
pub(super) fn script(_exchange: &Exchange, _bounds: &Bounds) -> Option<Box<dyn Script>> {
    None
}

/// What has to be judged in a whole answer.
pub(super) fn questions(
    _exchange: &Exchange,
    _answer: &Json,
    _bounds: &Bounds,
) -> Result<Vec<Question>, Fault> {
    Ok(Vec::new())
}

/// Tells an answer without what was refused.
pub(super) fn rewrite(_exchange: &Exchange, _answer: &mut Json, _edits: &[Edit]) -> Result<(), Fault> {
    Ok(())
}
