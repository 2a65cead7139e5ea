//! What a body is: its media type, and its bytes without content-encoding.

use std::io::Read;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::classify::fault::Fault;
use crate::classify::headers::single;
use crate::classify::{Bounds, Problem};

/// What the `content-type` says, as far as reading depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json` or a type built on it, in UTF-8.
    Json,
    /// gRPC in one of its forms.
    Grpc,
    /// No type given.
    Absent,
    /// Any other.
    Other,
}

/// Reads `content-type`. JSON in a charset other than UTF-8 is refused: RFC 8259 knows none.
pub(super) fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    let Some(value) = single(headers, &CONTENT_TYPE)? else { return Ok(Media::Absent) };
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.starts_with("application/grpc") {
        return Ok(Media::Grpc);
    }
    let is_json = essence == "application/json"
        || essence == "text/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !is_json {
        return Ok(Media::Other);
    }
    let is_foreign = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("charset") && !is_utf8(value.trim().trim_matches('"'))
    };
    match parts.any(is_foreign) {
        true => Err(Fault::new(Problem::ContentType, "JSON is read in UTF-8 alone; send `application/json`")),
        false => Ok(Media::Json),
    }
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Demands JSON.
pub(super) fn demand_json(headers: &HeaderMap) -> Result<(), Fault> {
    match media(headers)? {
        Media::Json => Ok(()),
        _ => Err(Fault::new(
            Problem::ContentType,
            "this call takes JSON; send `content-type: application/json`",
        )),
    }
}

/// The coding of a body, where it has one that changes it.
pub(super) fn coding(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let value = single(headers, &CONTENT_ENCODING)?.map(str::trim);
    Ok(value.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")))
}

/// The body without its content-encoding; `None` where it has none, or where there is no body to read.
pub(super) fn decoded(headers: &HeaderMap, body: &Bytes, bounds: &Bounds) -> Result<Option<Bytes>, Fault> {
    if body.len() > bounds.body_bytes {
        let what = format!("the body is larger than {} bytes", bounds.body_bytes);
        return Err(Fault::new(Problem::TooLarge, what));
    }
    let Some(coding) = coding(headers)?.filter(|_| !body.is_empty()) else { return Ok(None) };
    let is = |name: &str| coding.eq_ignore_ascii_case(name);
    let mut rest: &[u8] = body;
    let plain = if is("gzip") || is("x-gzip") {
        inflate(flate2::bufread::GzDecoder::new(&mut rest), bounds)?
    } else if is("deflate") {
        inflate(flate2::bufread::ZlibDecoder::new(&mut rest), bounds)?
    } else {
        let what = "this content-encoding is not decoded; send gzip, deflate or none";
        return Err(Fault::new(Problem::ContentEncoding, what));
    };
    match rest.is_empty() {
        true => Ok(Some(plain)),
        false => Err(Fault::new(Problem::ContentEncoding, "something follows the compressed body")),
    }
}

fn inflate(decoder: impl Read, bounds: &Bounds) -> Result<Bytes, Fault> {
    let bound = u64::try_from(bounds.decoded_bytes).unwrap_or(u64::MAX);
    let mut plain = Vec::new();
    decoder
        .take(bound.saturating_add(1))
        .read_to_end(&mut plain)
        .map_err(|_| Fault::new(Problem::ContentEncoding, "the body does not decode"))?;
    if plain.len() > bounds.decoded_bytes {
        let what = format!("the body decodes to more than {bound} bytes");
        return Err(Fault::new(Problem::TooLarge, what));
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn headers(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().unwrap())])
    }

    fn decode(coding: &'static str, body: Vec<u8>) -> Result<Option<Bytes>, Problem> {
        decoded(&headers(coding), &body.into(), &Bounds::default()).map_err(|fault| fault.problem())
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn known_codings_are_removed() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(b"{}").unwrap();
        assert_eq!(decode("gzip", gzip(b"{}")), Ok(Some("{}".into())));
        assert_eq!(decode("X-GZIP", gzip(b"{}")), Ok(Some("{}".into())));
        assert_eq!(decode("deflate", zlib.finish().unwrap()), Ok(Some("{}".into())));
        assert_eq!(decode("identity", b"{}".to_vec()), Ok(None));
    }

    #[test]
    fn everything_else_is_refused() {
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(b"{}").unwrap();
        assert_eq!(decode("deflate", raw.finish().unwrap()), Err(Problem::ContentEncoding));
        for coding in ["br", "zstd", "gzip, gzip", "gzip,identity", "compress", "nonsense"] {
            assert_eq!(decode(coding, gzip(b"{}")), Err(Problem::ContentEncoding), "{coding}");
        }
        let mut cut = gzip(b"{}");
        cut.pop();
        assert_eq!(decode("gzip", cut), Err(Problem::ContentEncoding));
        let two_members = [gzip(b"{}"), gzip(b"{}")].concat();
        assert_eq!(decode("gzip", two_members), Err(Problem::ContentEncoding));
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(decode("gzip", bomb), Err(Problem::TooLarge));
        assert_eq!(decode("identity", vec![b' '; (4 << 20) + 1]), Err(Problem::TooLarge));
    }

    #[test]
    fn media_types_are_told_apart() {
        let media =
            |value: &'static str| media(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        for value in ["application/json", "Application/JSON ; charset=\"UTF-8\"", "application/problem+json"]
        {
            assert_eq!(media(value).unwrap(), Media::Json, "{value}");
        }
        assert_eq!(media("application/grpc+proto").unwrap(), Media::Grpc);
        assert_eq!(media("text/plain").unwrap(), Media::Other);
        assert_eq!(media("application/json; charset=utf-16").unwrap_err().problem(), Problem::ContentType);
    }
}
