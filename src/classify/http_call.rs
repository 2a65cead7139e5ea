//! Plain HTTP: an address, a query, and a JSON body where there is one.

use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use crate::classify::content::{self, Media};
use crate::classify::fault::Fault;
use crate::classify::query::read_query;
use crate::classify::strict_json::{Kind, Reader};
use crate::classify::{Bounds, Coverage, Part, Problem, Reading, Reply, RequestView, headers};
use crate::domain::{Action, Dialect, HttpTarget, Json, Target};

/// The parameter by which some frameworks replace the method of a request.
const METHOD_OVERRIDE: &str = "_method";

/// A JSON body of up to this many bytes is read even where no clause asks for it, so that its record says more.
const SHORT_BODY_BYTES: usize = 64 << 10;

/// Whether the body of a request with this head is held and read.
pub(super) fn reads_body(headers: &HeaderMap, pact_reads_http_bodies: bool) -> bool {
    if !matches!(content::media(headers), Ok(Media::Json)) {
        return false;
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let is_short = length.is_some_and(|length| length <= SHORT_BODY_BYTES);
    pact_reads_http_bodies || (is_short && matches!(content::coding(headers), Ok(None)))
}

/// Reads a call. Without a body in the view, a body that the head announces counts as unread.
pub(super) fn read(
    view: &RequestView<'_>,
    target: HttpTarget,
    media: Media,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let mut fields = vec![("query".to_owned(), read_query(view.query.unwrap_or_default())?)];
    let coverage = match (body.is_empty(), media) {
        (true, _) if headers::announces_body(view.method, view.headers) => Coverage::Unread,
        (true, _) => Coverage::Read,
        (false, Media::Json) => {
            fields.extend(read_arguments(body, bounds)?.map(|args| ("args".to_owned(), args)));
            Coverage::Read
        }
        (false, _) => Coverage::Unread,
    };
    refuse_method_override(view, &fields)?;
    let action =
        Action { target: Target::Http(target), fields: Json::Object(fields), dialect: Dialect::Http };
    Ok(Reading::plain(Part { action, reply: Reply::Problem, coverage, withheld: Vec::new(), refers: None }))
}

/// Refuses a parameter, in the query or the arguments, that asks for another method than the request line.
fn refuse_method_override(view: &RequestView<'_>, fields: &[(String, Json)]) -> Result<(), Fault> {
    let given = fields.iter().filter_map(|(_, members)| members.member(METHOD_OVERRIDE));
    let differs = |value: &Json| value.as_str() != Some(view.method.as_str());
    match given.into_iter().any(differs) {
        true => Err(Fault::new(
            Problem::HeaderMismatch,
            "parameter `_method` asks for another method than the request line; leave it out",
        )),
        false => Ok(()),
    }
}

/// The members of a JSON object are the arguments; any other value has none.
fn read_arguments(body: &[u8], bounds: &Bounds) -> Result<Option<Json>, Fault> {
    let mut reader = Reader::new(body, bounds)?;
    let arguments = match reader.kind()? {
        Kind::Object => Some(reader.tree()?),
        _ => reader.skip().map(|()| None)?,
    };
    reader.end()?;
    Ok(arguments)
}
