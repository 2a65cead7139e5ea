//! Which version of the protocol a request speaks, and which extensions it turns on.

use http::HeaderMap;
use http::header::HeaderName;

use crate::classify::fault::Fault;
use crate::classify::headers::single;
use crate::classify::query::read_query;
use crate::classify::{Bounds, Problem, RequestView};
use crate::domain::Json;

static VERSION: HeaderName = HeaderName::from_static("a2a-version");

/// The header that names extensions, and its name before 1.0.
static EXTENSIONS: [HeaderName; 2] =
    [HeaderName::from_static("a2a-extensions"), HeaderName::from_static("x-a2a-extensions")];

/// A version that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V0_3,
    V1_0,
}

impl Version {
    /// The version that the head names, in its header or its query; the two agree.
    pub(super) fn of_head(view: &RequestView<'_>) -> Result<Option<Self>, Fault> {
        let header = single(view.headers, &VERSION)?.map(Self::read).transpose()?;
        let query = match read_query(view.query.unwrap_or_default())? {
            Json::Object(parameters) => {
                let mut named =
                    parameters.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(VERSION.as_str()));
                match (named.next(), named.next()) {
                    (None, _) => None,
                    (Some((_, Json::String(text))), None) => Some(Self::read(&text)?),
                    _ => return Err(disagreement()),
                }
            }
            _ => None,
        };
        match (header, query) {
            (Some(header), Some(query)) if header != query => Err(disagreement()),
            (header, query) => Ok(header.or(query)),
        }
    }

    /// `1.0`, `0.3`, or a patch of them.
    fn read(text: &str) -> Result<Self, Fault> {
        let is = |release: &str| {
            text.strip_prefix(release).is_some_and(|patch| {
                let digits = patch.strip_prefix('.').unwrap_or_default();
                patch.is_empty() || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            })
        };
        if is("1.0") {
            return Ok(Self::V1_0);
        }
        if is("0.3") {
            return Ok(Self::V0_3);
        }
        let what = "this version of A2A is not read here; send `A2A-Version: 1.0` or `0.3`";
        Err(Fault::new(Problem::ProtocolVersion, what))
    }
}

fn disagreement() -> Fault {
    Fault::new(Problem::HeaderMismatch, "the request names two versions of A2A; send one `A2A-Version`")
}

/// Adds the extensions that the head turns on.
pub(super) fn read_extensions(
    headers: &HeaderMap,
    extensions: &mut Vec<String>,
    bounds: &Bounds,
) -> Result<(), Fault> {
    for value in EXTENSIONS.iter().flat_map(|name| headers.get_all(name)) {
        let text = value.to_str().map_err(|_| {
            Fault::new(Problem::HeaderMismatch, "header `A2A-Extensions` has a byte that is not ASCII text")
        })?;
        for uri in text.split(',').map(str::trim).filter(|uri| !uri.is_empty()) {
            add_extension(extensions, uri, bounds)?;
        }
    }
    Ok(())
}

/// Adds one extension, once.
pub(super) fn add_extension(extensions: &mut Vec<String>, uri: &str, bounds: &Bounds) -> Result<(), Fault> {
    if extensions.iter().any(|known| known == uri) {
        return Ok(());
    }
    if extensions.len() == bounds.batch || uri.len() > bounds.uri_bytes {
        return Err(Fault::new(
            Problem::TooLarge,
            "more extensions, or longer ones, than are judged in one call",
        ));
    }
    extensions.push(uri.to_owned());
    Ok(())
}
