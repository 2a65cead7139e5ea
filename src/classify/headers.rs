//! Header fields that change what a request is.

use http::header::{CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method};

use crate::classify::fault::Fault;
use crate::classify::{Problem, RequestView};

/// Fields by which some servers replace the method of a request.
static METHOD_OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Fields by which some servers replace its path.
static PATH_OVERRIDES: [HeaderName; 2] =
    [HeaderName::from_static("x-original-url"), HeaderName::from_static("x-rewrite-url")];

/// The value of a field that may stand once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::new(
            Problem::HeaderMismatch,
            format!("header `{name}` stands twice; send it once"),
        ));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Fault::new(
            Problem::HeaderMismatch,
            format!("header `{name}` has a byte that is not ASCII text"),
        )),
    }
}

/// Refuses fields that make some server act on another method or path than the one judged.
pub(super) fn refuse_overrides(view: &RequestView<'_>) -> Result<(), Fault> {
    let renames_method = |name: &&HeaderName| {
        view.headers.get_all(*name).iter().any(|value| value.as_bytes() != view.method.as_str().as_bytes())
    };
    let found = METHOD_OVERRIDES
        .iter()
        .find(|name| renames_method(name))
        .or_else(|| PATH_OVERRIDES.iter().find(|name| view.headers.contains_key(*name)));
    match found {
        Some(name) => {
            let what = format!("header `{name}` asks for another call than the request line; leave it out");
            Err(Fault::new(Problem::HeaderMismatch, what))
        }
        None => Ok(()),
    }
}

/// Whether the request leaves HTTP for bytes that nobody reads. An offer of HTTP/2 is no such request: it may be
/// passed over, and is.
pub(super) fn leaves_http(method: &Method, headers: &HeaderMap) -> bool {
    let upgrades = |value: &http::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"h2c");
    *method == Method::CONNECT || headers.get_all(UPGRADE).iter().any(upgrades)
}

/// Whether a body comes with the request, as far as the head tells.
pub(super) fn announces_body(method: &Method, headers: &HeaderMap) -> bool {
    if headers.contains_key(TRANSFER_ENCODING) {
        return true;
    }
    match headers.get(CONTENT_LENGTH) {
        Some(length) => length.as_bytes() != b"0",
        None => matches!(*method, Method::POST | Method::PUT | Method::PATCH),
    }
}
