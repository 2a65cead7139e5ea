//! Amazon Bedrock's Converse API.

use http::Method;

use crate::classify::fault::Fault;
use crate::classify::{Bounds, Part, Peer, Reading, Reply, RequestView};
use crate::domain::{Dialect, HttpTarget};

/// The endpoints that are read. All others are opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {}

/// The endpoint of that method and normalized path.
pub(super) fn recognizes(_method: &Method, _path: &str) -> Option<Endpoint> {
    None
}

/// Reads a request.
pub(super) fn read(
    _peer: &Peer,
    _view: &RequestView<'_>,
    target: &HttpTarget,
    _body: &[u8],
    _bounds: &Bounds,
) -> Result<Reading, Fault> {
    Ok(Reading::plain(Part::opaque(Dialect::Bedrock, target, Reply::of(Dialect::Bedrock))))
}
