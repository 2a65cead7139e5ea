//! How a request came in: which names it may use, and who it can come from.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header};

use crate::classify::{self, Expected, Reply};
use crate::domain::{AgentId, Dialect, Reason};
use crate::enforce::{Attempted, Caller};
use crate::evidence::{Proof, Traceparent};
use crate::net::Ended;
use crate::proxy::Proxy;
use crate::proxy::exchange::Answer;
use crate::proxy::route::{Origin, Routes};
use crate::telemetry::Port;

/// One way in. Made per listener, and per intercepted tunnel.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The way.
    pub way: Way,
    /// The agent that this way in stands for, whatever the request says, and how that is known.
    pub known: Option<(AgentId, Proof)>,
    /// The listener, as records name it: `reverse 127.0.0.1:8080`.
    pub listener: Arc<str>,
}

/// The ways in.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// `/<upstream>/…` on a reverse listener.
    Reverse,
    /// Absolute-form requests on a forward listener.
    Forward,
    /// Requests inside a tunnel that was opened: they may name its authority and no other.
    Intercepted {
        /// `https`, or `http` where the tunnel carries no TLS.
        scheme: &'static str,
        /// Normalized host of the CONNECT request.
        host: Arc<str>,
        /// Its port.
        port: u16,
    },
}

impl Way {
    /// The kind of listener, as metrics know it.
    pub(super) const fn port(&self) -> Port {
        match self {
            Self::Reverse => Port::Reverse,
            Self::Forward | Self::Intercepted { .. } => Port::Forward,
        }
    }
}

/// A request that names no place, or several.
struct Misaddressed {
    reason: Reason,
    status: StatusCode,
    detail: String,
}

impl Misaddressed {
    fn unreadable(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { reason: Reason::Unreadable, status, detail: detail.into() }
    }

    fn names_disagree(detail: String) -> Self {
        Self { reason: Reason::NameMismatch, status: StatusCode::MISDIRECTED_REQUEST, detail }
    }
}

impl Entry {
    /// The way in of requests inside a tunnel that this caller opened.
    pub(super) fn inside(&self, caller: &Caller, scheme: &'static str, host: String, port: u16) -> Self {
        Self {
            way: Way::Intercepted { scheme, host: host.into(), port },
            known: Some((caller.agent.clone(), caller.proof)),
            listener: Arc::clone(&self.listener),
        }
    }

    /// Who calls.
    ///
    /// # Errors
    /// A refusal, where a credential is needed and none proves an agent.
    pub(super) fn identify(
        &self,
        proxy: &Proxy,
        routes: &Routes,
        head: &mut Parts,
    ) -> Result<Caller, Answer> {
        let credentials = proxy.credentials.load();
        // Taken off in every case: a token of an agent is of no use to any upstream.
        let taken = credentials.take(&mut head.headers);
        let known = match (&self.known, &self.way) {
            (Some((agent, proof)), _) => Some((agent.clone(), *proof)),
            (None, Way::Reverse) => taken.map(|agent| (agent, Proof::Bearer)),
            (None, Way::Forward) => {
                credentials.of_proxy_request(&head.headers).map(|agent| (agent, Proof::Bearer))
            }
            (None, Way::Intercepted { .. }) => None,
        };
        let Some((agent, proof)) = known else {
            return Err(self.unknown_caller(proxy, routes, head));
        };
        let traceparent = head.headers.get("traceparent").and_then(|value| value.to_str().ok());
        let traceparent = traceparent.and_then(Traceparent::parse);
        Ok(Caller { agent, proof, listener: Arc::clone(&self.listener), traceparent, parent: None })
    }

    /// Where the request goes.
    ///
    /// # Errors
    /// A refusal, where the request names no place, or names that disagree.
    pub(super) fn origin(
        &self,
        proxy: &Proxy,
        routes: &Routes,
        caller: &Caller,
        head: &Parts,
    ) -> Result<Origin, Answer> {
        let found = few_fields(head, proxy.bounds.fields_max).and_then(|()| self.find(routes, head));
        found.map_err(|wrong| self.misaddressed(proxy, caller, head, wrong))
    }

    /// Has the addresses in an answer lead back to where the caller came in, as the caller named it. Where every way
    /// of the caller leads through the sidecar, they are judged when they are followed.
    pub(super) fn keep_inside(
        &self,
        expected: Expected,
        routes: &Routes,
        uri: &Uri,
        host: Option<&HeaderValue>,
    ) -> Expected {
        if !matches!(self.way, Way::Reverse) || !expected.names_addresses() {
            return expected;
        }
        let host = host.and_then(|host| host.to_str().ok());
        let here = uri.authority().map(|authority| authority.as_str()).or(host);
        expected.through(here.map(|here| routes.doors(&format!("http://{here}"))).unwrap_or_default())
    }

    /// Where a CONNECT request wants a tunnel to.
    ///
    /// # Errors
    /// A refusal, where the request names no place, or names that disagree.
    pub(super) fn tunnel_end(
        &self,
        proxy: &Proxy,
        caller: &Caller,
        head: &Parts,
    ) -> Result<(String, u16), Answer> {
        let found = few_fields(head, proxy.bounds.fields_max).and_then(|()| tunnel_end(head));
        found.map_err(|wrong| self.misaddressed(proxy, caller, head, wrong))
    }

    /// Records that a connection ended with something that was no request. The HTTP server has answered it.
    pub(super) fn ended(&self, proxy: &Proxy, how: Ended) {
        let (name, detail) = match how {
            Ended::Malformed => {
                ("malformed HTTP", "what came is not HTTP, breaks its rules, or its head is too large")
            }
            Ended::SlowHead => ("unfinished HTTP", "the head of a request did not end in time"),
            Ended::Done | Ended::Idle | Ended::Broken => return,
        };
        let caller = self.known.as_ref().map(|(agent, proof)| Caller {
            agent: agent.clone(),
            proof: *proof,
            listener: Arc::clone(&self.listener),
            traceparent: None,
            parent: None,
        });
        let attempted = Attempted {
            caller,
            listener: Arc::clone(&self.listener),
            name: name.to_owned(),
            dialect: Dialect::Http,
        };
        proxy.enforcer.refuse(&attempted, Reason::Unreadable, detail.to_owned());
    }

    fn misaddressed(&self, proxy: &Proxy, caller: &Caller, head: &Parts, wrong: Misaddressed) -> Answer {
        let attempted = Attempted {
            caller: Some(caller.clone()),
            listener: Arc::clone(&self.listener),
            name: attempted_name(head),
            dialect: Dialect::Http,
        };
        let mut refusal = proxy.enforcer.refuse(&attempted, wrong.reason, wrong.detail);
        refusal.status = Some(wrong.status.as_u16());
        Answer::refused(Reply::Problem, refusal)
    }

    fn find(&self, routes: &Routes, head: &Parts) -> Result<Origin, Misaddressed> {
        if head.method == Method::CONNECT {
            let detail = "CONNECT is for a forward listener, and not inside a tunnel";
            return Err(Misaddressed::unreadable(StatusCode::BAD_REQUEST, detail));
        }
        one_host(head)?;
        match &self.way {
            Way::Reverse => reverse(routes, head),
            Way::Forward => forward(routes, head),
            Way::Intercepted { scheme, host, port } => intercepted(routes, head, scheme, (host, *port)),
        }
    }

    fn unknown_caller(&self, proxy: &Proxy, routes: &Routes, head: &Parts) -> Answer {
        let (status, detail) = match self.way {
            Way::Forward => (
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "no token that is known here came with the request; put the agent's into the proxy's URL, as in `http://agent:TOKEN@host:port`",
            ),
            _ => (
                StatusCode::UNAUTHORIZED,
                "no token that is known here came with the request; send the agent's as `Authorization: Bearer`, `x-api-key` or `Pactgate-Agent-Token`",
            ),
        };
        let dialect = self.find(routes, head).map_or(Dialect::Http, |origin| origin.dialect());
        let attempted = Attempted {
            caller: None,
            listener: Arc::clone(&self.listener),
            name: attempted_name(head),
            dialect,
        };
        let mut refusal = proxy.enforcer.refuse(&attempted, Reason::NoPact, detail.to_owned());
        refusal.status = Some(status.as_u16());
        Answer::refused(Reply::of(dialect), refusal)
    }
}

fn reverse(routes: &Routes, head: &Parts) -> Result<Origin, Misaddressed> {
    if head.uri.scheme().is_some() && head.version < Version::HTTP_2 {
        let detail =
            "this is a reverse listener: send `/<upstream>/…`, or use a forward listener as the proxy";
        return Err(Misaddressed::unreadable(StatusCode::BAD_REQUEST, detail));
    }
    routes.by_path(head.uri.path(), head.uri.query()).ok_or_else(|| {
        let detail = "the first path segment names no upstream of this sidecar: send `/<upstream>/…`";
        Misaddressed::unreadable(StatusCode::NOT_FOUND, detail)
    })
}

/// RFC 9112, section 3.2.2: the authority of an absolute-form target stands in place of `Host`. A `Host` that says
/// something else is an attempt to be read in two ways, and refused.
fn forward(routes: &Routes, head: &Parts) -> Result<Origin, Misaddressed> {
    let (Some(scheme), Some(authority)) = (head.uri.scheme_str(), head.uri.authority()) else {
        let detail = "this is a forward listener: send the whole URL, as clients do with a proxy, or CONNECT";
        return Err(Misaddressed::unreadable(StatusCode::BAD_REQUEST, detail));
    };
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = read_authority(authority.as_str(), default_port(&scheme))?;
    agree(head, &host, port, default_port(&scheme))?;
    Ok(routes.by_authority(&scheme, &host, port, path(head), head.uri.query()))
}

fn intercepted(
    routes: &Routes,
    head: &Parts,
    scheme: &str,
    (host, port): (&str, u16),
) -> Result<Origin, Misaddressed> {
    if let Some(other) = head.uri.scheme_str().filter(|other| !other.eq_ignore_ascii_case(scheme)) {
        let detail = format!("the scheme `{other}` inside a tunnel that carries `{scheme}`");
        return Err(Misaddressed::names_disagree(detail));
    }
    let default = default_port(scheme);
    if let Some(authority) = head.uri.authority() {
        same(read_authority(authority.as_str(), default)?, (host, port))?;
    }
    agree(head, host, port, default)?;
    Ok(routes.by_authority(scheme, host, port, path(head), head.uri.query()))
}

/// Under HTTP/1.1 the server itself refuses more; HTTP/2 counts bytes alone.
fn few_fields(head: &Parts, most: usize) -> Result<(), Misaddressed> {
    if head.headers.len() <= most {
        return Ok(());
    }
    let detail = format!("the head has more than {most} fields");
    Err(Misaddressed::unreadable(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail))
}

fn path(head: &Parts) -> &str {
    match head.uri.path() {
        "" => "/",
        path => path,
    }
}

/// HTTP/1.1 requires exactly one `Host` header (RFC 9112, section 3.2); HTTP/2 may leave it out.
fn one_host(head: &Parts) -> Result<Option<&HeaderValue>, Misaddressed> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_11 => {
            Err(Misaddressed::unreadable(StatusCode::BAD_REQUEST, "no `Host` header; HTTP/1.1 requires one"))
        }
        (_, Some(_)) => Err(Misaddressed::names_disagree("more than one `Host` header".to_owned())),
        (host, None) => Ok(host),
    }
}

/// The `Host` header names the same place as the rest of the request.
fn agree(head: &Parts, host: &str, port: u16, default: u16) -> Result<(), Misaddressed> {
    let Some(named) = one_host(head)? else { return Ok(()) };
    let text = named.to_str().map_err(|_| bad_authority("Host"))?;
    same(read_authority(text, default)?, (host, port))
}

fn same(named: (String, u16), (host, port): (&str, u16)) -> Result<(), Misaddressed> {
    if named.0 == host && named.1 == port {
        return Ok(());
    }
    let detail =
        format!("the request names `{}:{}` on a way that leads to `{host}:{port}`", named.0, named.1);
    Err(Misaddressed::names_disagree(detail))
}

/// What stands before an `@` may be a credential, and is not told.
fn bad_authority(text: &str) -> Misaddressed {
    let place = text.rsplit('@').next().unwrap_or_default();
    let shown: String = place.chars().take(80).collect();
    Misaddressed::unreadable(
        StatusCode::BAD_REQUEST,
        format!("`{shown}` is not a host with an optional port"),
    )
}

/// `host[:port]`, normalized. User information is refused: nobody needs it, and parsers differ on it.
fn read_authority(text: &str, default: u16) -> Result<(String, u16), Misaddressed> {
    let parsed: http::uri::Authority = text.parse().map_err(|_| bad_authority(text))?;
    if parsed.as_str().contains('@') {
        return Err(bad_authority(text));
    }
    let host = classify::normalize_host(parsed.host()).map_err(|_| bad_authority(text))?;
    let port = match (parsed.port_u16(), parsed.as_str().ends_with(':')) {
        (Some(0), _) | (None, true) => return Err(bad_authority(text)),
        (Some(port), _) => port,
        (None, false) => default,
    };
    Ok((host, port))
}

/// The authority of a CONNECT request, normalized; its port is required (RFC 9110, section 9.3.6).
fn tunnel_end(head: &Parts) -> Result<(String, u16), Misaddressed> {
    let authority = head.uri.authority().filter(|authority| authority.port_u16().is_some());
    let Some(authority) = authority else {
        return Err(Misaddressed::unreadable(StatusCode::BAD_REQUEST, "CONNECT wants `host:port`"));
    };
    let (host, port) = read_authority(authority.as_str(), 0)?;
    // Some clients leave the port out of `Host`.
    agree(head, &host, port, port)?;
    Ok((host, port))
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// Method and path for the record, bounded.
pub(super) fn attempted_name(head: &Parts) -> String {
    let authority = head.uri.authority().map(|authority| authority.host()).unwrap_or_default();
    let shown: String = format!("{} {authority}{}", head.method, head.uri.path()).chars().take(200).collect();
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn host_must_name_the_place_that_the_request_goes_to() {
        let agrees = |uri: &str, hosts: &[&str]| agree(&head(uri, hosts), "api.example", 443, 443).is_ok();
        let http2 =
            http::Request::builder().version(Version::HTTP_2).uri("/").body(()).unwrap().into_parts().0;
        assert!(agree(&http2, "api.example", 443, 443).is_ok());
        assert!(agrees("/", &["api.example"]));
        assert!(agrees("/", &["API.example:443"]));
        assert!(!agrees("/", &[]));
        for wrong in [
            &["other.example"][..],
            &["api.example:8443"],
            &["api.example", "api.example"],
            &["a@api.example"],
            &["api.example:"],
            &["api.example:0"],
        ] {
            assert!(!agrees("/", wrong), "{wrong:?}");
        }
    }

    #[test]
    fn connect_needs_a_port() {
        let target = |text: &str| {
            let request = http::Request::builder().method("CONNECT").uri(text).header("host", text);
            tunnel_end(&request.body(()).unwrap().into_parts().0).ok()
        };
        assert_eq!(target("API.Example:443"), Some(("api.example".to_owned(), 443)));
        assert_eq!(target("api.example"), None);
        assert_eq!(target("api.example:0"), None);
        assert_eq!(target("user@api.example:443"), None);
    }
}
