//! Patterns over addresses: plain HTTP calls, and connections that are not read.

mod opaque;
mod spelling;

use std::fmt;

use crate::domain::HttpTarget;
use crate::pact::pattern::Glob;

pub use opaque::{OpaquePattern, opaque_pattern};
pub use spelling::normal_uri;

/// `METHOD [scheme://]host[:port]/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPattern {
    text: Box<str>,
    /// `None` for any.
    method: Option<Box<str>>,
    scheme: &'static str,
    endpoint: EndpointPattern,
    path: Glob,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPattern {
    host: Glob,
    /// `None` for any.
    port: Option<u16>,
}

/// What is wrong with a pattern, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

fn wrong<T>(message: impl Into<String>, remedy: impl Into<String>) -> Result<T, AddressError> {
    Err(AddressError { message: message.into(), remedy: remedy.into() })
}

impl HttpPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a part is missing or could match no normalized address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let Some((method, url)) = text.split_once(' ') else {
            return wrong(
                format!("`{text}` has no method"),
                format!("write `GET {text}`, or `* {text}` for any method"),
            );
        };
        let method = parse_method(method)?;
        let (scheme, rest) = match url.split_once("://") {
            None => ("https", url),
            Some(("https", rest)) => ("https", rest),
            Some(("http", rest)) => ("http", rest),
            Some((scheme, rest)) => {
                return wrong(
                    format!("scheme `{scheme}` can never match"),
                    format!("write `https://{rest}` or `http://{rest}`"),
                );
            }
        };
        let Some(slash) = rest.find('/') else {
            return wrong(
                format!("`{url}` has no path"),
                format!("write `{url}/**` for any path, `{url}/` for the root"),
            );
        };
        let (authority, path) = rest.split_at_checked(slash).unwrap_or((rest, "/"));
        let implied = if scheme == "https" { 443 } else { 80 };
        let endpoint = EndpointPattern::parse(authority, implied)?;
        let path = parse_path(path)?;
        Ok(Self { text: text.into(), method, scheme, endpoint, path })
    }

    /// Whether a call matches.
    #[must_use]
    pub fn matches(&self, target: &HttpTarget) -> bool {
        self.method.as_deref().is_none_or(|method| *method == *target.method)
            && self.scheme == target.scheme
            && self.endpoint.matches(&target.host, target.port)
            && self.path.matches(&target.path)
    }

    /// Whether every call that `other` matches is matched by this one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        (self.method.is_none() || self.method == other.method)
            && self.scheme == other.scheme
            && self.endpoint.covers(&other.endpoint)
            && self.path.covers(&other.path)
    }

    /// Whether some call is matched by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.method.is_none() || other.method.is_none() || self.method == other.method)
            && self.scheme == other.scheme
            && self.endpoint.overlaps(&other.endpoint)
            && self.path.overlaps(&other.path)
    }

    /// Whether it leaves nothing open: one method, one host, one path.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.method.is_some() && self.endpoint.host.is_exact() && self.path.is_exact()
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Glob {
        &self.endpoint.host
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Glob {
        &self.path
    }
}

impl EndpointPattern {
    /// Reads `host` or `host:port`; port `*` is any.
    ///
    /// # Errors
    /// When the host or the port could match no normalized address.
    pub fn parse(text: &str, implied: u16) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, rest.strip_prefix(':').or(Some(rest))),
            None => match text.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    let message = format!("`{text}` leaves open where the address ends and the port begins");
                    return wrong(message, format!("write `[{text}]`, and the port behind it"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => Some(implied),
            Some("*") => None,
            Some(port) => match port.parse::<u16>() {
                Ok(number) if number > 0 && !port.starts_with(['+', '0']) => Some(number),
                _ => {
                    return wrong(
                        format!("`{port}` is no port"),
                        "write a number from 1 to 65535, or `*` for any port",
                    );
                }
            },
        };
        Ok(Self { host: parse_host(host)?, port })
    }

    /// Whether an endpoint matches; the host is in lower case.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.host.matches(host)
    }

    /// Whether every endpoint that `other` matches is matched by this one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        (self.port.is_none() || self.port == other.port) && self.host.covers(&other.host)
    }

    /// Whether some endpoint is matched by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.port.is_none() || other.port.is_none() || self.port == other.port)
            && self.host.overlaps(&other.host)
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Glob {
        &self.host
    }
}

fn parse_method(method: &str) -> Result<Option<Box<str>>, AddressError> {
    match method {
        "*" => Ok(None),
        _ if !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') => {
            Ok(Some(method.into()))
        }
        _ => wrong(
            format!("method `{method}` can never match: methods are in upper case"),
            format!("write `{}`, or `*` for any method", method.to_ascii_uppercase()),
        ),
    }
}

fn parse_host(host: &str) -> Result<Glob, AddressError> {
    let host = host.to_ascii_lowercase();
    if !host.is_ascii() {
        return wrong(
            format!("host `{host}` can never match: names travel as ASCII"),
            "write the name in its `xn--` form",
        );
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'*' | b':');
    match Glob::parse(&host, b'.') {
        Ok(glob) if host.bytes().all(allowed) && !host.ends_with('.') => {
            if glob.is_exact() {
                spelling::check_host(&host)?;
            }
            Ok(glob)
        }
        Ok(_) => wrong(
            format!("host `{host}` can never match"),
            "write a host name without a final dot, an address, or a glob such as `*.shop.example`",
        ),
        Err(error) => {
            let (message, remedy) = error.explain();
            wrong(message, remedy)
        }
    }
}

/// Paths are compared after normalization, so a pattern that is not normalized itself matches nothing.
fn parse_path(path: &str) -> Result<Glob, AddressError> {
    if let Some((before, _)) = path.split_once('?') {
        return wrong(
            "a pattern has no query: the path is compared apart from it",
            format!("write `{before}`, and `where: {{query.NAME: …}}` for the query"),
        );
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return wrong(
            format!("path `{path}` can never match: dot segments are removed from what is compared"),
            "write the path without `.` and `..`",
        );
    }
    spelling::check_path(path)?;
    Glob::parse(path, b'/').map_err(|error| {
        let (message, remedy) = error.explain();
        AddressError { message: message.to_owned(), remedy: remedy.to_owned() }
    })
}

impl fmt::Display for HttpPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
