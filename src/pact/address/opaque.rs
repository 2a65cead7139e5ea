//! Patterns over what nobody reads: connections, and endpoints of an API that has no reader for them.

use std::fmt;

use super::{AddressError, EndpointPattern, parse_path, wrong};
use crate::domain::Target;
use crate::pact::pattern::Glob;

/// The port of a pattern that names none.
const PORT: u16 = 443;

/// `host[:port][/path]`.
///
/// Without a path it speaks of connections. An endpoint of an API is permitted by its path alone, so that a clause
/// never opens more of an API than it names; a prohibition without a path forbids all that goes to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaquePattern {
    text: Box<str>,
    endpoint: EndpointPattern,
    path: Option<Glob>,
}

impl OpaquePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a part could match no normalized address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return wrong(
                format!("`{scheme}://` has no place here: bytes that are not read have no scheme"),
                format!("write `{rest}`"),
            );
        }
        let (authority, path) = match text.find('/').and_then(|slash| text.split_at_checked(slash)) {
            Some((authority, path)) => (authority, Some(parse_path(path)?)),
            None => (text, None),
        };
        Ok(Self { text: text.into(), endpoint: EndpointPattern::parse(authority, PORT)?, path })
    }

    /// Whether it names what goes there: the connection, or the endpoint at this path.
    #[must_use]
    pub fn names(&self, host: &str, port: u16, path: Option<&str>) -> bool {
        let named = match (&self.path, path) {
            (None, None) => true,
            (Some(own), Some(path)) => own.matches(path),
            _ => false,
        };
        named && self.endpoint.matches(host, port)
    }

    /// Whether what goes there may be what it names. Without a path it stands for all of the host; and any path may
    /// be called inside a connection that nobody reads.
    #[must_use]
    pub fn concerns(&self, host: &str, port: u16, path: Option<&str>) -> bool {
        let concerned = match (&self.path, path) {
            (Some(own), Some(path)) => own.matches(path),
            _ => true,
        };
        concerned && self.endpoint.matches(host, port)
    }

    /// Whether everything that `other` names concerns this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let path = match (&self.path, &other.path) {
            (Some(own), Some(other)) => own.covers(other),
            _ => true,
        };
        path && self.endpoint.covers(&other.endpoint)
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Glob {
        self.endpoint.host()
    }
}

impl fmt::Display for OpaquePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The pattern that names an opaque action and nothing else: what a clause has to say to permit it. A `*` in its
/// path stands for itself and for more. `None` for every other action.
#[must_use]
pub fn opaque_pattern(target: &Target) -> Option<String> {
    let Target::Opaque { host, port, path } = target else { return None };
    let mut text = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    if *port != PORT {
        text.push_str(&format!(":{port}"));
    }
    text.push_str(path.as_deref().unwrap_or_default());
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_named_by_its_path_alone() {
        for (pattern, port, path, names, concerns) in [
            ("api.openai.com", 443, None, true, true),
            ("api.openai.com", 443, Some("/v1/batches"), false, true),
            ("api.openai.com", 8443, None, false, false),
            ("**:*", 443, Some("/v1/batches"), false, true),
            ("api.openai.com/v1/batches", 443, Some("/v1/batches"), true, true),
            ("API.openai.com:443/v1/batches", 443, Some("/v1/batches"), true, true),
            ("api.openai.com/v1/batches", 443, Some("/v1/batches/x"), false, false),
            ("api.openai.com/v1/batches", 443, Some("/v1/files"), false, false),
            ("api.openai.com/v1/batches", 443, Some("/V1/batches"), false, false),
            ("api.openai.com/v1/batches", 443, None, false, true),
            ("api.openai.com/v1/batches", 8443, None, false, false),
            ("api.openai.com/v1/*", 443, Some("/v1/batches"), true, true),
            ("api.openai.com/v1/*", 443, Some("/v1/batches/x"), false, false),
            ("*.openai.com:*/**", 8443, Some("/v1/batches/x"), true, true),
            ("*.openai.com:*/**", 8443, None, false, true),
        ] {
            let parsed = OpaquePattern::parse(pattern).unwrap();
            let said =
                (parsed.names("api.openai.com", port, path), parsed.concerns("api.openai.com", port, path));
            assert_eq!(said, (names, concerns), "{pattern} {port} {path:?}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_concerns() {
        for (a, b, covers) in [
            ("a.example", "a.example/v1/x", true),
            ("a.example/v1/x", "a.example", true),
            ("a.example/v1/**", "a.example/v1/x", true),
            ("a.example/v1/x", "a.example/v1/**", false),
            ("a.example/v1/x", "b.example", false),
            ("a.example:*", "a.example:8443/x", true),
        ] {
            let [a, b] = [a, b].map(|text| OpaquePattern::parse(text).unwrap());
            assert_eq!(a.covers(&b), covers, "{a} {b}");
        }
    }

    #[test]
    fn what_can_never_match_is_told() {
        for (pattern, remedy) in [
            ("https://a.example/x", "write `a.example/x`"),
            ("a.example:0/x", "write a number from 1 to 65535, or `*` for any port"),
            ("a.example/x/../y", "write the path without `.` and `..`"),
            ("a.example/%7ex", "write `/~x`"),
        ] {
            assert_eq!(OpaquePattern::parse(pattern).unwrap_err().remedy, remedy, "{pattern}");
        }
    }

    #[test]
    fn a_refused_action_is_named_as_a_clause_would() {
        for (host, port, path, expected) in [
            ("api.openai.com", 443, Some("/v1/batches"), "api.openai.com/v1/batches"),
            ("127.0.0.1", 8080, Some("/v1/x"), "127.0.0.1:8080/v1/x"),
            ("::1", 443, None, "[::1]"),
            ("::1", 8443, Some("/"), "[::1]:8443/"),
        ] {
            let target = Target::Opaque { host: host.to_owned(), port, path: path.map(str::to_owned) };
            let text = opaque_pattern(&target).unwrap();
            assert_eq!(text, expected);
            assert!(OpaquePattern::parse(&text).unwrap().names(host, port, path), "{text}");
        }
    }
}
