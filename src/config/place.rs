//! Place: addresses on the network, as a config names them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

/// An `http` or `https` address without credentials, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    /// `http` or `https`.
    pub scheme: String,
    /// Lower-case host name (IDNA A-labels) or an address; IPv6 without brackets.
    pub host: String,
    /// The port, written or the scheme's.
    pub port: u16,
    /// What stands before every path: empty, or starts with `/` and does not end with one.
    pub prefix: String,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Lower-case host name or address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl WebAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}` is neither `http` nor `https`", url.scheme()));
        }
        // Checked before anything is said about the text: it may hold a secret.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL must not hold a user name or a password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a base URL has no query and no fragment".to_owned());
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_ascii_lowercase(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(format!("`{text}` has no host")),
        };
        let port = url.port_or_known_default().ok_or_else(|| format!("`{text}` has no port"))?;
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme: url.scheme().to_owned(), host, port, prefix })
    }

    /// Whether the host is written as an address, or is `localhost`.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok() || self.is_localhost()
    }

    /// Whether the address can only be on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.parse::<IpAddr>().map_or(self.is_localhost(), |ip| ip.to_canonical().is_loopback())
    }

    /// Whether the address leads to a socket that listens at `own`.
    #[must_use]
    pub fn leads_to(&self, own: SocketAddr) -> bool {
        let own_ip = own.ip().to_canonical();
        let is_here = match self.host.parse::<IpAddr>() {
            Ok(ip) => {
                let ip = ip.to_canonical();
                let is_any = ip.is_unspecified() || own_ip.is_unspecified();
                ip == own_ip || (is_any && (ip.is_loopback() || ip.is_unspecified() || own_ip.is_loopback()))
            }
            Err(_) => self.is_localhost() && (own_ip.is_loopback() || own_ip.is_unspecified()),
        };
        is_here && own.port() == self.port && own.port() != 0
    }

    fn is_localhost(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, prefix } = self;
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{host}{close}")?;
        if !matches!((scheme.as_str(), port), ("https", 443) | ("http", 80)) {
            write!(f, ":{port}")?;
        }
        f.write_str(prefix)
    }
}

impl HostPort {
    /// Reads `host:port`; a host alone means port 443.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let address = WebAddress::parse(&format!("https://{text}"))
            .map_err(|_| format!("`{text}` is not a host and a port"))?;
        if !address.prefix.is_empty() {
            return Err(format!("`{text}` is not a host and a port"));
        }
        Ok(Self { host: address.host, port: address.port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

/// Whether two sockets cannot both listen.
pub(super) fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let is_any = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && (a.ip().to_canonical() == b.ip().to_canonical() || is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        let same = ["https://api.openai.com", "http://127.0.0.1:8080/v1", "https://[::1]:8443/a/b"];
        for text in same {
            assert_eq!(WebAddress::parse(text).unwrap().to_string(), text);
        }
        let other = [
            ("HTTPS://API.Example:443/", "https://api.example"),
            ("https://münchen.example/x/", "https://xn--mnchen-3ya.example/x"),
            ("http://0x7f.1/", "http://127.0.0.1"),
        ];
        for (text, expected) in other {
            assert_eq!(WebAddress::parse(text).unwrap().to_string(), expected);
        }
        let wrong = [
            "",
            "api.openai.com",
            "ftp://a",
            "https://",
            "https://a?b",
            "https://a#b",
            "https://u:hunter2@a",
        ];
        for text in wrong {
            let said = WebAddress::parse(text).unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert_eq!(HostPort::parse("Pinned.example").unwrap().to_string(), "pinned.example:443");
        assert_eq!(HostPort::parse("[::1]:8443").unwrap().to_string(), "[::1]:8443");
        for text in ["", "a/b", "a:b", "u@a"] {
            assert!(HostPort::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_of_our_own_is_known_in_every_spelling() {
        let leads = |text: &str, own: &str| WebAddress::parse(text).unwrap().leads_to(own.parse().unwrap());
        for text in ["http://127.0.0.1:80", "http://localhost", "http://[::ffff:127.0.0.1]", "http://0.0.0.0"]
        {
            assert!(leads(text, "0.0.0.0:80"), "{text}");
            assert!(leads(text, "127.0.0.1:80") || text.contains("localhost"), "{text}");
        }
        assert!(leads("http://10.0.0.7:9901", "10.0.0.7:9901"));
        assert!(!leads("http://127.0.0.1:81", "127.0.0.1:80"));
        assert!(!leads("http://10.0.0.8:9901", "10.0.0.7:9901"));
        assert!(!leads("http://api.example:80", "0.0.0.0:80"));
    }
}
