//! Lookup: names to addresses, bounded in number and time, shared by all who ask at once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

/// The addresses of one name, or why there are none. Kept whole so that those who waited share the failure.
type Answer = Result<Arc<[IpAddr]>, LookupError>;

/// Why a name has no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// It has no address, or no name server could tell: the system's resolver does not say which.
    #[error("the name could not be resolved")]
    NoSuchHost,
    /// The name servers did not answer in time, or too many lookups were under way.
    #[error("the name was not resolved in time")]
    TimedOut,
}

/// Asks the system's resolver, remembers for a short while.
pub(super) struct Lookup {
    hosts: BTreeMap<String, Vec<IpAddr>>,
    recent: moka::sync::Cache<String, Arc<OnceCell<Answer>>>,
    // The system's resolver blocks a thread per question.
    places: Semaphore,
    patience: Duration,
    addresses_max: usize,
}

/// The bounds of lookups.
#[derive(Clone, Debug)]
pub(super) struct LookupSettings {
    pub(super) hosts: BTreeMap<String, Vec<IpAddr>>,
    pub(super) patience: Duration,
    pub(super) remember: Duration,
    pub(super) names_max: u64,
    pub(super) lookups_max: usize,
    pub(super) addresses_max: usize,
}

impl Lookup {
    pub(super) fn new(settings: LookupSettings) -> Self {
        let recent = moka::sync::Cache::builder()
            .max_capacity(settings.names_max)
            .time_to_live(settings.remember)
            .build();
        Self {
            hosts: settings.hosts,
            recent,
            places: Semaphore::new(settings.lookups_max),
            patience: settings.patience,
            addresses_max: settings.addresses_max,
        }
    }

    /// The addresses of `host`, which is lower-case, without brackets.
    pub(super) async fn addresses(&self, host: &str) -> Answer {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(Arc::from([ip]));
        }
        if let Some(ips) = self.hosts.get(host) {
            return Ok(Arc::from(ips.as_slice()));
        }
        let cell = match self.recent.get(host) {
            Some(cell) => cell,
            None => self.recent.get_with_by_ref(host, Arc::default),
        };
        let answer = cell.get_or_init(|| self.ask(host)).await.clone();
        if answer.is_err() {
            // The next one to come asks again; those who waited share this answer.
            self.recent.invalidate(host);
        }
        answer
    }

    async fn ask(&self, host: &str) -> Answer {
        let asked = async {
            let _place = self.places.acquire().await.map_err(|_| LookupError::NoSuchHost)?;
            tokio::net::lookup_host((host, 0)).await.map_err(|_| LookupError::NoSuchHost)
        };
        let found = tokio::time::timeout(self.patience, asked).await.map_err(|_| LookupError::TimedOut)??;
        let mut ips: Vec<IpAddr> = Vec::new();
        for address in found {
            let ip = address.ip().to_canonical();
            if ips.len() < self.addresses_max && !ips.contains(&ip) {
                ips.push(ip);
            }
        }
        if ips.is_empty() { Err(LookupError::NoSuchHost) } else { Ok(ips.into()) }
    }
}
