//! What a collector is told before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{Secret, SidecarId};
use crate::scoring::Weights;

/// Settings of a collector, checked by whoever reads them from a file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens. Plain HTTP: beyond loopback it belongs behind something that speaks TLS.
    pub address: SocketAddr,
    /// Folder of the database and the signing key. Whoever can write it can forge tiers.
    pub data: PathBuf,
    /// The sidecars, each with a token of its own.
    pub sidecars: Vec<(SidecarId, Secret)>,
    /// The operators, by name, each with a token of its own.
    pub operators: Vec<(String, Secret)>,
    /// Every number that scores depend on.
    pub weights: Weights,
    /// The longest silence of the trust feed. Sidecars sink tiers when they hear nothing for long.
    pub heartbeat: Duration,
    /// Most connections at once.
    pub connections_max: usize,
    /// The longest time to read one request and begin its answer.
    pub patience: Duration,
    /// How long a stop waits for what is under way.
    pub drain: Duration,
}

impl Settings {
    /// Settings with every bound at its default.
    #[must_use]
    pub fn new(address: SocketAddr, data: PathBuf) -> Self {
        Self {
            address,
            data,
            sidecars: Vec::new(),
            operators: Vec::new(),
            weights: Weights::default(),
            heartbeat: Duration::from_secs(3),
            connections_max: 4_096,
            patience: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}
