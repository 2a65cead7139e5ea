//! One spelling for each host and path. What has no spelling beyond doubt is refused.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;

use http::Method;
use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;

use crate::domain::{HttpTarget, check_text};

/// Bytes of a host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Bytes of a path.
const PATH_BYTES_MAX: usize = 8 << 10;

/// Why an address has no spelling beyond doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Empty, too long, or with characters that no host has.
    #[error("the host is no name and no address; write a DNS name, an IPv4 or an IPv6 address")]
    Host,
    /// Something that some programs read as an IPv4 address: `127.1`, `0x7f000001`.
    #[error("the host is a number that is not an address in plain form; write it as `192.0.2.1`")]
    HostNumber,
    /// An IPv4 address written as an IPv6 one.
    #[error("the host is an IPv4 address inside an IPv6 one; write the IPv4 address")]
    HostMapped,
    /// Longer than 8 KiB.
    #[error("the path is longer than 8 KiB")]
    PathLength,
    /// Not starting with a slash.
    #[error("the path does not start with `/`")]
    PathStart,
    /// A character that a path never has, bare or encoded.
    #[error("the path has a backslash, a control character or a byte that is not ASCII")]
    PathCharacter,
    /// `%` without two hexadecimal digits.
    #[error("a `%` in the path or query is not followed by two hexadecimal digits")]
    Escape,
    /// An encoded slash, or an escape of an escape: a program that decodes late or twice sees another path.
    #[error("the path hides a slash or an escape behind an escape; write it out")]
    HiddenSeparator,
    /// Full-width forms and the like, which some programs fold into plain characters.
    #[error("the path has a character that some programs take for a dot, a slash or an escape; leave it out")]
    Compatibility,
    /// Escapes that do not add up to UTF-8.
    #[error("the escapes in the path are not UTF-8")]
    PathText,
    /// `//`, which some programs merge and others keep.
    #[error("the path has an empty segment; write one slash")]
    EmptySegment,
    /// `;`, after which some programs stop reading a segment.
    #[error("the path has a `;`, which some programs cut off; leave it out")]
    Parameter,
    /// `..` above the root.
    #[error("the path climbs above its root")]
    AboveRoot,
    /// A method with other characters than capital letters and hyphens.
    #[error("the method is not written in capital letters")]
    Method,
    /// A scheme other than these two.
    #[error("the scheme is neither `http` nor `https`")]
    Scheme,
    /// A query that no two programs need read alike.
    #[error("the query has a character that no query has, or is not UTF-8")]
    Query,
    /// A query of too many parameters.
    #[error("the query has more parameters than are read")]
    QueryLength,
    /// Two parameters whose names differ in case alone, or a bare `;`: programs pair names and values differently.
    #[error(
        "the query has a bare `;`, or two names that differ in case alone; programs read either in two ways"
    )]
    QueryNames,
    /// A URI that says in an uncommon form what it could say plainly.
    #[error("the uri has dot segments, empty segments, hidden characters or no scheme; write it plainly")]
    Uri,
}

/// The one spelling of a host: lower-case A-labels without the root's dot (UTS #46, as browsers apply it), a dotted
/// IPv4 address, or an IPv6 address (RFC 5952) without brackets. No IPv4 address has a second spelling as an IPv6 one.
///
/// # Errors
///
/// [`AddressError`] for anything that some resolver might read otherwise.
pub fn normalize_host(host: &str) -> Result<String, AddressError> {
    if host.starts_with('[') || host.contains(':') {
        let inner = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(AddressError::Host)?,
            None => host,
        };
        let address = inner.parse::<Ipv6Addr>().map_err(|_| AddressError::Host)?;
        return match address.to_ipv4_mapped() {
            Some(_) => Err(AddressError::HostMapped),
            None => Ok(address.to_string()),
        };
    }
    if host.len() > HOST_BYTES_MAX * 4 {
        return Err(AddressError::Host);
    }
    let ascii = idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL)
        .map_err(|_| AddressError::Host)?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label = |label: &str| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(allowed)
    };
    if name.len() > HOST_BYTES_MAX || !name.split('.').all(is_label) {
        return Err(AddressError::Host);
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_numeric && name.parse::<Ipv4Addr>().is_err() {
        return Err(AddressError::HostNumber);
    }
    Ok(name.to_owned())
}

/// The one spelling of a path: dot segments removed (RFC 3986, section 5.2.4), escapes of what may stand bare
/// written bare, all others upper-case (section 6.2.2). Beyond the RFC, `+` is written `%2B`, since some servers
/// read a bare one as a space; what any server might read in a second way is refused.
///
/// # Errors
///
/// [`AddressError`] for what has no spelling beyond doubt.
pub fn normalize_path(path: &str) -> Result<String, AddressError> {
    if path.len() > PATH_BYTES_MAX {
        return Err(AddressError::PathLength);
    }
    let segments = path.strip_prefix('/').ok_or(AddressError::PathStart)?;
    let mut out: Vec<Cow<'_, str>> = Vec::new();
    let mut rest = segments.split('/').peekable();
    while let Some(raw) = rest.next() {
        let is_last = rest.peek().is_none();
        let segment = normalize_segment(raw)?;
        match segment.as_ref() {
            "" if !is_last => return Err(AddressError::EmptySegment),
            "." | ".." => {
                if segment == ".." {
                    out.pop().ok_or(AddressError::AboveRoot)?;
                }
                // A trailing dot segment names the folder: `/a/.` is `/a/`.
                if is_last {
                    out.push(Cow::Borrowed(""));
                }
            }
            _ => out.push(segment),
        }
    }
    let mut normal = String::with_capacity(path.len() + 1);
    for segment in &out {
        normal.push('/');
        normal.push_str(segment);
    }
    Ok(normal)
}

fn normalize_segment(raw: &str) -> Result<Cow<'_, str>, AddressError> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if raw.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(raw));
    }
    check_escapes(raw)?;
    let decoded: Vec<u8> = percent_decode_str(raw).collect();
    let text = std::str::from_utf8(&decoded).map_err(|_| AddressError::PathText)?;
    if raw.bytes().any(|b| !b.is_ascii()) || text.contains(|c: char| c == '\\' || c.is_control()) {
        return Err(AddressError::PathCharacter);
    }
    if text.contains(';') {
        return Err(AddressError::Parameter);
    }
    if text.contains('/') || has_escape(text) {
        return Err(AddressError::HiddenSeparator);
    }
    if folded(text).is_some_and(|folded| is_structural(&folded)) {
        return Err(AddressError::Compatibility);
    }
    let mut out = String::with_capacity(raw.len());
    for byte in decoded {
        match byte {
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b',' | b'=' | b':' | b'@' => {
                out.push(char::from(byte))
            }
            _ if is_plain(byte) => out.push(char::from(byte)),
            _ => out.push_str(percent_encoding::percent_encode_byte(byte)),
        }
    }
    Ok(Cow::Owned(out))
}

/// Makes sure that every `%` starts an escape.
pub(super) fn check_escapes(text: &str) -> Result<(), AddressError> {
    if after_percent(text).all(starts_with_hex) { Ok(()) } else { Err(AddressError::Escape) }
}

fn has_escape(text: &str) -> bool {
    after_percent(text).any(starts_with_hex)
}

/// The text as a program reads it that folds compatibility characters into plain ones (Unicode normal form KC);
/// `None` where that changes nothing.
fn folded(text: &str) -> Option<Cow<'_, str>> {
    let fold = ComposingNormalizerBorrowed::new_nfkc();
    (!text.is_ascii() && !fold.is_normalized(text)).then(|| fold.normalize(text))
}

/// Whether a segment is no plain segment: it is a step, or has what ends one, or an escape.
fn is_structural(segment: &str) -> bool {
    matches!(segment, "." | "..") || segment.contains(['/', '\\', ';', '?', '#']) || has_escape(segment)
}

fn after_percent(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|b| *b == b'%').skip(1)
}

fn starts_with_hex(part: &[u8]) -> bool {
    matches!(part, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The spelling in which a resource's URI is judged. The received one is what is forwarded, inside its message, so
/// what a server may read as another resource is refused: dot segments, empty segments, hidden separators, a `file`
/// on another host.
///
/// # Errors
///
/// [`AddressError`] for what has no spelling beyond doubt.
pub(super) fn judged_uri(uri: &str) -> Result<String, AddressError> {
    let (scheme, rest) = uri.split_once(':').ok_or(AddressError::Uri)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return Err(AddressError::Uri);
    }
    check_escapes(rest)?;
    let decoded: Vec<u8> = percent_decode_str(rest).collect();
    let text = std::str::from_utf8(&decoded).map_err(|_| AddressError::Uri)?;
    let separators = |text: &str| text.matches(['/', '?', '#']).count();
    let has_doubt = |text: &str| {
        let has_dots = text.split(['/', '?', '#', '=', '&']).any(|piece| matches!(piece, "." | ".."));
        text.contains('\\') || has_escape(text) || separators(text) != separators(rest) || has_dots
    };
    // What may not stand bare may not stand escaped either; only a blank is escaped for good reason.
    let is_shown = text.trim_matches(' ').is_empty() || check_text(text.trim_matches(' ')).is_ok();
    if !is_shown || has_doubt(text) || folded(text).is_some_and(|folded| has_doubt(&folded)) {
        return Err(AddressError::Uri);
    }
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = match rest.strip_prefix("//") {
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", rest),
    };
    let path_alone = path.split(['?', '#']).next().unwrap_or_default();
    if path_alone.contains("//") || (scheme == "file" && !authority.is_empty()) {
        return Err(AddressError::Uri);
    }
    let mut out = format!("{scheme}:");
    for byte in decoded {
        match byte {
            b'!'..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(percent_encoding::percent_encode_byte(byte)),
        }
    }
    Ok(out)
}

/// The target of a plain HTTP call, each part in its one spelling.
///
/// # Errors
///
/// [`AddressError`] for what has no spelling beyond doubt.
pub fn http_target(
    method: &Method,
    scheme: &str,
    host: &str,
    port: u16,
    path: &str,
) -> Result<HttpTarget, AddressError> {
    if !method.as_str().bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Err(AddressError::Method);
    }
    if !matches!(scheme, "http" | "https") {
        return Err(AddressError::Scheme);
    }
    Ok(HttpTarget {
        method: method.as_str().to_owned(),
        scheme: scheme.to_owned(),
        host: normalize_host(host)?,
        port,
        path: normalize_path(if path.is_empty() { "/" } else { path })?,
    })
}

#[cfg(test)]
mod tests;
