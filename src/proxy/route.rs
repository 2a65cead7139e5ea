//! Where calls go: the declared upstreams, and how a request finds its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use crate::classify::{self, Door, Peer};
use crate::domain::{Dialect, UpstreamName};
use crate::net::{HttpClient, Reach};

/// A place that the config declares.
#[derive(Debug)]
pub struct Upstream {
    /// Its name, and the first path segment in reverse mode.
    pub name: UpstreamName,
    /// `http` or `https`.
    pub scheme: String,
    /// Lower-case host name or address; IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What stands before every path there; empty, or starts with `/` and does not end with one.
    pub prefix: String,
    /// How to read what goes there.
    pub peer: Peer,
    /// The header and value that the sidecar adds; the value is marked sensitive.
    pub credential: Option<(HeaderName, HeaderValue)>,
    /// How long a response may stand still.
    pub idle_timeout: Duration,
    /// Connections to it, with its own trust roots and reach.
    pub client: HttpClient,
    /// Which addresses its name may lead to.
    pub reach: Reach,
}

/// The declared upstreams, and what serves every other place.
#[derive(Debug)]
pub struct Routes {
    by_name: HashMap<UpstreamName, Arc<Upstream>>,
    by_authority: HashMap<(String, u16), Vec<Arc<Upstream>>>,
    elsewhere: Elsewhere,
}

/// How undeclared places are reached: public addresses only, read as plain HTTP.
#[derive(Debug)]
pub struct Elsewhere {
    /// Connections to them.
    pub client: HttpClient,
    /// How long a response may stand still.
    pub idle_timeout: Duration,
    peer: Peer,
}

impl Elsewhere {
    /// Undeclared places behind this client.
    #[must_use]
    pub fn new(client: HttpClient, idle_timeout: Duration) -> Self {
        let peer = Peer {
            name: None,
            dialect: Dialect::Http,
            provider: String::new(),
            mcp_versions: Vec::new(),
            betas: Vec::new(),
        };
        Self { client, idle_timeout, peer }
    }
}

/// Where one request goes: found once, from names that agree.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The declared upstream, where it is one.
    pub upstream: Option<Arc<Upstream>>,
    /// `http` or `https`.
    pub scheme: String,
    /// Normalized host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path as it is judged: of plain HTTP the whole, as pacts write it; of an API the part behind the
    /// upstream's prefix, as the API knows it.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
}

impl Origin {
    /// A path behind the prefix of an upstream.
    fn at(upstream: &Arc<Upstream>, inside: &str, query: Option<&str>) -> Self {
        let path = match upstream.peer.dialect {
            Dialect::Http => format!("{}{inside}", upstream.prefix),
            _ => inside.to_owned(),
        };
        Self {
            scheme: upstream.scheme.clone(),
            host: upstream.host.clone(),
            port: upstream.port,
            path,
            query: query.map(str::to_owned),
            upstream: Some(Arc::clone(upstream)),
        }
    }

    /// The dialect spoken there.
    pub(super) fn dialect(&self) -> Dialect {
        self.upstream.as_ref().map_or(Dialect::Http, |upstream| upstream.peer.dialect)
    }

    /// What still has to stand before the judged path.
    pub(super) fn prefix(&self) -> &str {
        let judged_apart = self.upstream.as_ref().filter(|upstream| upstream.peer.dialect != Dialect::Http);
        judged_apart.map_or("", |upstream| &upstream.prefix)
    }

    /// A redirect's target as a path of the reverse listener, where it stays inside the same upstream.
    pub(super) fn rewrite(&self, target: &str) -> Option<HeaderValue> {
        let upstream = self.upstream.as_ref()?;
        let Self { scheme, host, port, path, .. } = self;
        let here = format!("{scheme}://{}:{port}{}{path}", bracketed(host), self.prefix());
        let here = url::Url::parse(&here).ok()?;
        let target = here.join(target).ok()?;
        let same_place = target.scheme() == here.scheme()
            && target.host_str() == here.host_str()
            && target.port_or_known_default() == Some(self.port);
        let inside = below_prefix(target.path(), &upstream.prefix).filter(|_| same_place)?;
        let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
        HeaderValue::from_str(&format!("/{}{inside}{query}", upstream.name)).ok()
    }
}

/// A host as it stands in a URI (RFC 3986, section 3.2.2).
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl Routes {
    /// The declared upstreams; names are unique, which config has checked.
    #[must_use]
    pub fn new(upstreams: Vec<Upstream>, elsewhere: Elsewhere) -> Self {
        let mut by_name = HashMap::new();
        let mut by_authority: HashMap<_, Vec<Arc<Upstream>>> = HashMap::new();
        for upstream in upstreams.into_iter().map(Arc::new) {
            by_name.insert(upstream.name.clone(), Arc::clone(&upstream));
            by_authority.entry((upstream.host.clone(), upstream.port)).or_default().push(upstream);
        }
        for sharing in by_authority.values_mut() {
            sharing.sort_by_key(|upstream| std::cmp::Reverse(upstream.prefix.len()));
        }
        Self { by_name, by_authority, elsewhere }
    }

    /// The ways to other agents through a reverse listener at that URL.
    pub(super) fn doors(&self, here: &str) -> Vec<Door> {
        let agents = self.by_name.values().filter(|upstream| upstream.peer.dialect == Dialect::A2a);
        let door = |upstream: &Arc<Upstream>| Door {
            scheme: upstream.scheme.clone(),
            host: upstream.host.clone(),
            port: upstream.port,
            prefix: upstream.prefix.clone(),
            url: format!("{here}/{}", upstream.name),
        };
        agents.map(door).collect()
    }

    /// The upstream of that name.
    pub(super) fn named(&self, name: &UpstreamName) -> Option<&Upstream> {
        self.by_name.get(name).map(Arc::as_ref)
    }

    /// What serves undeclared places.
    pub(super) fn elsewhere(&self) -> &Elsewhere {
        &self.elsewhere
    }

    /// How long a response from there may stand still.
    pub(super) fn idle(&self, origin: &Origin) -> Duration {
        origin.upstream.as_ref().map_or(self.elsewhere.idle_timeout, |upstream| upstream.idle_timeout)
    }

    /// How to read what goes to this origin.
    pub(super) fn peer<'a>(&'a self, origin: &'a Origin) -> &'a Peer {
        origin.upstream.as_ref().map_or(&self.elsewhere.peer, |upstream| &upstream.peer)
    }

    /// The upstream that a reverse path names in its first segment, and the rest of the path. What lies below
    /// another upstream's prefix belongs to that one, whichever name leads there.
    pub(super) fn by_path(&self, path: &str, query: Option<&str>) -> Option<Origin> {
        let rest = path.strip_prefix('/')?;
        let (name, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let named = self.by_name.get(name)?;
        let Ok(normal) = classify::judged_path(&named.peer, rest) else {
            // Refused when it is read.
            return Some(Origin { path: rest.to_owned(), ..Origin::at(named, rest, query) });
        };
        let whole = format!("{}{}", named.prefix, if rest.is_empty() { rest } else { &normal });
        let sharing = self.by_authority.get(&(named.host.clone(), named.port))?;
        let nearer = sharing
            .iter()
            .filter(|other| other.scheme == named.scheme && other.prefix.len() > named.prefix.len())
            .find_map(|other| Some((other, below_prefix(&whole, &other.prefix)?)));
        let (upstream, inside) = nearer.unwrap_or((named, rest));
        Some(Origin::at(upstream, inside, query))
    }

    /// The place that a forward request names. `host` is normalized.
    ///
    /// The prefix is compared on the normalized path: otherwise a spelling such as `/%761/` would be read in
    /// another dialect than the upstream reads it.
    pub(super) fn by_authority(
        &self,
        scheme: &str,
        host: &str,
        port: u16,
        path: &str,
        query: Option<&str>,
    ) -> Origin {
        let sharing = self.by_authority.get(&(host.to_owned(), port)).map(Vec::as_slice).unwrap_or_default();
        let normal = classify::normalize_path(path).unwrap_or_else(|_| path.to_owned());
        let found = sharing
            .iter()
            .filter(|upstream| upstream.scheme == scheme)
            .find_map(|upstream| Some((upstream, below_prefix(&normal, &upstream.prefix)?)));
        match found {
            Some((upstream, inside)) => {
                // AWS signs the path as it is written; what may be judged of it is taken from that.
                let is_signed_so = upstream.peer.dialect == Dialect::Bedrock;
                let received = below_prefix(path, &upstream.prefix).filter(|_| is_signed_so);
                Origin::at(upstream, received.unwrap_or(inside), query)
            }
            None => Origin {
                scheme: scheme.to_owned(),
                host: host.to_owned(),
                port,
                path: path.to_owned(),
                query: query.map(str::to_owned),
                upstream: None,
            },
        }
    }

    /// Whether some upstream is declared at this authority.
    pub(super) fn declares(&self, host: &str, port: u16) -> Option<&Arc<Upstream>> {
        self.by_authority.get(&(host.to_owned(), port))?.first()
    }
}

/// What follows the prefix: nothing, where the path is the upstream's own URL.
fn below_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}
