//! The one spelling of hosts, paths and URIs, as far as patterns need it: a pattern in another one matches nothing.

use core::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::{percent_decode_str, percent_encode_byte};

use super::{AddressError, wrong};

/// Refuses a host that no call has once its own host is normalized.
pub(super) fn check_host(host: &str) -> Result<(), AddressError> {
    if host.contains(':') {
        let Ok(address) = host.parse::<Ipv6Addr>() else {
            return wrong(format!("`{host}` is no IPv6 address"), "write one as `[2001:db8::1]`");
        };
        let normal = match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => format!("[{address}]"),
        };
        return match normal.trim_matches(['[', ']']) == host {
            true => Ok(()),
            false => wrong(
                format!("host `{host}` can never match: addresses are compared in one spelling"),
                format!("write `{normal}`"),
            ),
        };
    }
    let is_plain = idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL)
        .is_ok_and(|ascii| ascii == host)
        && host.split('.').all(|label| !label.is_empty());
    if !is_plain {
        return wrong(
            format!("host `{host}` can never match: it is no name that resolves"),
            "write the name in lower-case letters, digits and hyphens, or in its `xn--` form",
        );
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    match is_number && host.parse::<Ipv4Addr>().is_err() {
        true => wrong(
            format!("host `{host}` can never match: a number is no address in plain form"),
            "write the address as `192.0.2.1`",
        ),
        false => Ok(()),
    }
}

/// Refuses a path that no call has once its own path is normalized.
pub(super) fn check_path(path: &str) -> Result<(), AddressError> {
    let Some(decoded) = decoded(path) else {
        return wrong(
            format!("path `{path}` can never match: a `%` is not followed by two hexadecimal digits"),
            "write `%25` for the sign itself",
        );
    };
    let hides = |c: char| decoded.matches(c).count() != path.matches(c).count();
    let is_escaped_twice = self::decoded(&decoded).is_some_and(|twice| twice != decoded);
    if decoded.contains([';', '\\']) || decoded.contains(char::is_control) || hides('/') || is_escaped_twice {
        return wrong(
            format!("path `{path}` can never match: calls of such a path are refused"),
            "write it without `;`, backslashes, and escapes of slashes or of escapes",
        );
    }
    if path.contains("//") {
        let single = path.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/");
        return wrong(
            format!("path `{path}` can never match: calls of a path with empty segments are refused"),
            format!("write `/{single}`"),
        );
    }
    let normal = encoded(&decoded, |b| b.is_ascii_alphanumeric() || b"/-._~!$&'()*,=:@".contains(&b));
    match normal == path {
        true => Ok(()),
        false => wrong(
            format!("path `{path}` can never match: percent-encoding is normalized in what is compared"),
            format!("write `{normal}`"),
        ),
    }
}

/// The spelling in which a resource's URI is judged; `None` where its escapes are not whole or not UTF-8.
#[must_use]
pub fn normal_uri(uri: &str) -> Option<String> {
    let normal = encoded(&decoded(uri)?, |b| b.is_ascii_graphic() && b != b'%');
    Some(match normal.split_once(':') {
        Some((scheme, rest)) => format!("{}:{rest}", scheme.to_ascii_lowercase()),
        None => normal,
    })
}

/// The text without escapes; `None` where they are not whole or not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let is_hex = |part: &[u8]| matches!(part, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    let is_whole = text.as_bytes().split(|b| *b == b'%').skip(1).all(is_hex);
    let decoded = percent_decode_str(text).decode_utf8().ok().filter(|_| is_whole)?;
    Some(decoded.into_owned())
}

fn encoded(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match stays(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(percent_encode_byte(byte)),
        }
    }
    out
}
