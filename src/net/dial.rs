//! Dialer: resolves a name, checks every address, connects to exactly the checked ones.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::net::address::{Forbidden, Range, Reach, check_address};
use crate::net::lookup::{Lookup, LookupError};
use crate::net::own;

/// How destinations are found and reached.
#[derive(Clone, Debug)]
pub struct DialSettings {
    /// Where this process listens. Nothing dialed through the dialer may end there.
    pub own: Vec<SocketAddr>,
    /// A place that nothing dialed through the dialer may reach, such as the collector: host and port.
    pub closed: Option<(String, u16)>,
    /// Names answered from here instead of the name servers; their addresses are checked like any other.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// The longest wait for the name servers.
    pub lookup: Duration,
    /// How long an answer is remembered.
    pub remember: Duration,
    /// How many names are remembered.
    pub names_max: u64,
    /// How many lookups run at once; each blocks a thread.
    pub lookups_max: usize,
    /// How many addresses of one name are looked at.
    pub addresses_max: usize,
}

impl Default for DialSettings {
    fn default() -> Self {
        Self {
            own: Vec::new(),
            closed: None,
            hosts: BTreeMap::new(),
            lookup: Duration::from_secs(5),
            remember: Duration::from_secs(5),
            names_max: 1024,
            lookups_max: 32,
            addresses_max: 8,
        }
    }
}

/// Why a destination was not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// None of its addresses may be dialed.
    #[error("`{host}` must not be reached")]
    Forbidden {
        /// The name as dialed.
        host: String,
        /// The first address that was refused.
        #[source]
        why: Forbidden,
    },
    /// Its name was not resolved.
    #[error("`{host}` was not found")]
    NoSuchHost {
        /// The name as dialed.
        host: String,
        /// What the lookup said.
        #[source]
        why: LookupError,
    },
    /// No address answered in time.
    #[error("`{address}` did not answer within {} ms", within.as_millis())]
    Timeout {
        /// The last address tried.
        address: SocketAddr,
        /// The bound.
        within: Duration,
    },
    /// Nothing listens there.
    #[error("`{address}` refused the connection")]
    Refused {
        /// The last address tried.
        address: SocketAddr,
    },
    /// The network did not lead there.
    #[error("`{address}` could not be reached")]
    Unreachable {
        /// The last address tried.
        address: SocketAddr,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// The connection stood, but TLS did not come about.
    #[error("no TLS connection to `{host}` came about")]
    Tls {
        /// The name that the certificate had to show.
        host: String,
        /// What failed; holds the error of the TLS library.
        #[source]
        why: io::Error,
    },
    /// The destination has no name that could be dialed.
    #[error("`{host}` is not a host that can be dialed")]
    BadHost {
        /// The name as dialed.
        host: String,
    },
}

/// What the dialer has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DialStats {
    /// Connections made.
    pub connected: u64,
    /// Destinations none of whose addresses may be reached.
    pub forbidden: u64,
    /// Destinations that did not resolve, answer or agree on TLS.
    pub failed: u64,
}

/// Opens connections. Cheap to clone; one per process.
#[derive(Clone)]
pub struct Dialer(Arc<Inner>);

struct Inner {
    own: Vec<SocketAddr>,
    closed: Option<Closed>,
    lookup: Lookup,
    connected: AtomicU64,
    forbidden: AtomicU64,
    failed: AtomicU64,
}

/// A place that must not be reached.
struct Closed {
    host: String,
    port: u16,
    /// Its addresses, as far as they were ever known.
    last: ArcSwap<Vec<IpAddr>>,
}

impl Dialer {
    /// A dialer that keeps away from the listeners named in `settings.own`.
    #[must_use]
    pub fn new(settings: DialSettings) -> Self {
        let lookup = Lookup::new(&settings);
        let closed = settings.closed.map(|(host, port)| Closed {
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
            last: ArcSwap::default(),
        });
        Self(Arc::new(Inner {
            own: settings.own,
            closed,
            lookup,
            connected: AtomicU64::new(0),
            forbidden: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// The addresses of `host` that may be dialed, in the order of the resolver. Of a name with permitted and
    /// forbidden addresses only the permitted ones are returned: what is dialed is what was checked.
    ///
    /// # Errors
    /// [`DialError::Forbidden`] when it has addresses but none may be dialed; [`DialError::NoSuchHost`] when it
    /// has none.
    pub async fn resolve(&self, host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, DialError> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let name = name.to_ascii_lowercase();
        if name.is_empty() || name.len() > 254 {
            return Err(DialError::BadHost { host: host.chars().take(64).collect() });
        }
        let ips = match self.0.lookup.addresses(&name).await {
            Ok(ips) => ips,
            Err(why) => return Err(DialError::NoSuchHost { host: name, why }),
        };
        let closed = self.closed_to(&name, port, &ips).await;
        let mut permitted = Vec::with_capacity(ips.len());
        let mut refused = None;
        for &ip in ips.iter() {
            let checked = match closed.contains(&ip.to_canonical()) {
                true => Err(Forbidden { ip, range: Range::Closed }),
                false => self.check(SocketAddr::new(ip.to_canonical(), port), reach),
            };
            match checked {
                Ok(address) => permitted.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match refused {
            Some(why) if permitted.is_empty() => Err(DialError::Forbidden { host: name, why }),
            _ => Ok(permitted),
        }
    }

    /// Opens a connection to `host`, trying its permitted addresses in turn for `within` in all.
    ///
    /// # Errors
    /// Any [`DialError`] but `Tls`; with several addresses, that of the last one.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
        within: Duration,
    ) -> Result<TcpStream, DialError> {
        let outcome = self.connect_uncounted(host, port, reach, within).await;
        self.count(&outcome);
        outcome
    }

    /// What the dialer has done so far.
    #[must_use]
    pub fn stats(&self) -> DialStats {
        DialStats {
            connected: self.0.connected.load(Ordering::Relaxed),
            forbidden: self.0.forbidden.load(Ordering::Relaxed),
            failed: self.0.failed.load(Ordering::Relaxed),
        }
    }

    /// Which of these addresses lead to the closed place: all of them under its own name, and under any other name
    /// those that it has.
    async fn closed_to(&self, name: &str, port: u16, ips: &[IpAddr]) -> Vec<IpAddr> {
        let Some(closed) = self.0.closed.as_ref().filter(|closed| closed.port == port) else {
            return Vec::new();
        };
        if name.trim_end_matches('.') == closed.host {
            return ips.iter().map(IpAddr::to_canonical).collect();
        }
        // While its name cannot be resolved, what it had last stays closed.
        if let Ok(found) = self.0.lookup.addresses(&closed.host).await {
            closed.last.store(Arc::new(found.iter().map(IpAddr::to_canonical).collect()));
        }
        closed.last.load().to_vec()
    }

    async fn connect_uncounted(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
        within: Duration,
    ) -> Result<TcpStream, DialError> {
        let addresses = self.resolve(host, port, reach).await?;
        let end = Instant::now() + within;
        let mut last = DialError::BadHost { host: host.to_owned() };
        for (tried, &address) in (0_u32..).zip(&addresses) {
            // Each address gets its share of what is left, so that a silent one does not starve the others.
            let left = end.saturating_duration_since(Instant::now());
            let behind = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_sub(tried).max(1);
            let attempt = tokio::time::timeout(left / behind, TcpStream::connect(address)).await;
            last = match attempt {
                Err(_) => DialError::Timeout { address, within },
                Ok(Err(why)) if why.kind() == io::ErrorKind::ConnectionRefused => {
                    DialError::Refused { address }
                }
                Ok(Err(why)) => DialError::Unreachable { address, why },
                Ok(Ok(stream)) => return self.finish(host, address, stream),
            };
        }
        Err(last)
    }

    /// Looks where the connection really ended, and sets its options.
    fn finish(&self, host: &str, address: SocketAddr, stream: TcpStream) -> Result<TcpStream, DialError> {
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let (local, peer) = ends.map_err(|why| DialError::Unreachable { address, why })?;
        if own::came_home(local, peer, &self.0.own) {
            let why = Forbidden { ip: address.ip(), range: Range::OwnListener };
            return Err(DialError::Forbidden { host: host.to_owned(), why });
        }
        // A socket without these options is slower to send and to notice a dead peer, but right.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive());
        Ok(stream)
    }

    fn check(&self, address: SocketAddr, reach: Reach) -> Result<SocketAddr, Forbidden> {
        check_address(address.ip(), reach)?;
        if own::leads_home(address, &self.0.own) {
            return Err(Forbidden { ip: address.ip(), range: Range::OwnListener });
        }
        Ok(address)
    }

    /// Counts a connection that failed after it was made.
    pub(super) fn count_failure(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn count<T>(&self, outcome: &Result<T, DialError>) {
        let counter = match outcome {
            Ok(_) => &self.0.connected,
            Err(DialError::Forbidden { .. }) => &self.0.forbidden,
            Err(_) => &self.0.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Notices a peer that vanished within two minutes.
pub(super) const fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4)
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("own", &self.0.own).finish_non_exhaustive()
    }
}
