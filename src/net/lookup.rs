//! Lookup: names to addresses, bounded in number and time, shared by all who ask at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

use crate::net::dial::DialSettings;

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
    // The system's resolver blocks a thread per question, also when nobody waits for the answer any more.
    places: Arc<Semaphore>,
    patience: Duration,
    addresses_max: usize,
}

impl Lookup {
    pub(super) fn new(settings: &DialSettings) -> Self {
        let recent = moka::sync::Cache::builder()
            .max_capacity(settings.names_max)
            .time_to_live(settings.remember)
            .build();
        Self {
            hosts: settings.hosts.clone(),
            recent,
            places: Arc::new(Semaphore::new(settings.lookups_max)),
            patience: settings.lookup,
            addresses_max: settings.addresses_max,
        }
    }

    /// The addresses of `host`, which is lower-case, without brackets. A final dot keeps the resolver from trying
    /// the machine's own domains first.
    pub(super) async fn addresses(&self, host: &str) -> Answer {
        let bare = host.strip_suffix('.').unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Arc::from([ip]));
        }
        if let Some(ips) = self.hosts.get(bare) {
            return Ok(Arc::from(ips.as_slice()));
        }
        let cell = self.recent.get_with_by_ref(host, Arc::default);
        let answer = cell.get_or_init(|| self.ask(host)).await.clone();
        if answer.is_err() {
            // The next one to come asks again; those who waited share this answer.
            self.recent.invalidate(host);
        }
        answer
    }

    async fn ask(&self, host: &str) -> Answer {
        let asked = async {
            let place =
                Arc::clone(&self.places).acquire_owned().await.map_err(|_| LookupError::NoSuchHost)?;
            let name = host.to_owned();
            let question = tokio::task::spawn_blocking(move || {
                let _place = place;
                (name.as_str(), 0).to_socket_addrs()
            });
            question.await.ok().and_then(Result::ok).ok_or(LookupError::NoSuchHost)
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
