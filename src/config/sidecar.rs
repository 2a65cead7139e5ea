//! Sidecar: the checked form of a sidecar's file. Every value is there, every rule holds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::place::{HostPort, WebAddress};
use crate::config::secret::Provided;
use crate::domain::{AgentId, Dialect, Secret, SidecarId, TrustTier, UpstreamName};
use crate::telemetry::LogSettings;
use crate::trust::Staleness;

/// Everything that a sidecar is told. All paths are absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// Its name in the fleet.
    pub id: SidecarId,
    /// Its folder.
    pub data: PathBuf,
    /// Pact files and folders of them; at least one.
    pub pacts: Vec<PathBuf>,
    /// Agents, each id once, no token twice.
    pub agents: Vec<Agent>,
    /// Listeners, at least one, no two at one address.
    pub listeners: Vec<Listener>,
    /// Upstreams, each name once, no two at one place.
    pub upstreams: Vec<Upstream>,
    /// Reading TLS on forward listeners.
    pub interception: Option<Interception>,
    /// The way to the collector.
    pub collector: Option<Link>,
    /// Where tiers come from; `Fed` exactly when there is a collector.
    pub trust: Trust,
    /// How records are kept.
    pub evidence: Evidence,
    /// How long people have to answer.
    pub approvals: Approvals,
    /// How much may be taken.
    pub bounds: Bounds,
    /// Where the sidecar itself is looked at.
    pub admin: Admin,
    /// What is logged.
    pub log: LogSettings,
}

/// An agent known by a token, or by a listener of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// What proves it.
    pub token: Option<Provided>,
}

/// The kinds of listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerMode {
    /// For agents that take a base URL.
    Reverse,
    /// For agents that use a proxy.
    Forward,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its kind.
    pub mode: ListenerMode,
    /// Where it listens.
    pub address: SocketAddr,
    /// The agent it stands for; without one, requests prove theirs.
    pub agent: Option<AgentId>,
    /// Whether it may stand for an agent beyond loopback.
    pub exposed: bool,
}

/// A place that calls go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: UpstreamName,
    /// Its base URL.
    pub url: WebAddress,
    /// Its protocol; never `opaque`.
    pub dialect: Dialect,
    /// What pacts call the provider of its models.
    pub provider: String,
    /// The betas of its API that agents may switch on.
    pub betas: Vec<String>,
    /// What the sidecar adds to each request.
    pub credential: Option<Credential>,
    /// Whether its name may lead to private and loopback addresses.
    pub private: bool,
    /// Further trust roots.
    pub roots: Option<PathBuf>,
    /// How long it may take.
    pub timeouts: Timeouts,
}

/// A credential that the sidecar adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Lower-case name of the header.
    pub header: String,
    /// What stands before the secret.
    pub prefix: String,
    /// The secret.
    pub provided: Provided,
}

impl Credential {
    /// The header's value, whole.
    #[must_use]
    pub fn value(&self) -> Secret {
        Secret::new([&self.prefix, self.provided.secret.expose()].concat())
    }
}

/// How long an upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection, TLS included.
    pub connect: Duration,
    /// To begin its answer.
    pub head: Duration,
    /// The longest silence within an answer.
    pub idle: Duration,
}

/// Reading TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interception {
    /// The folder of the authority.
    pub authority: PathBuf,
    /// Places whose TLS is not read.
    pub except: Vec<HostPort>,
}

/// The way to the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its base URL.
    pub url: WebAddress,
    /// The token of this sidecar.
    pub token: Provided,
    /// The Ed25519 key that signs its statements.
    pub public_key: [u8; 32],
    /// Further trust roots.
    pub roots: Option<PathBuf>,
}

/// Where tiers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// From here: one tier for all, for ever.
    Fixed(TrustTier),
    /// From the collector, with an age.
    Fed(Staleness),
}

/// When records are synced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// As soon as they arrive.
    Each,
    /// With what arrives within milliseconds.
    Batch,
    /// Within a second.
    None,
}

/// What happens when a record cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The call is refused.
    Deny,
    /// The record is dropped and counted.
    Drop,
}

/// How records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When they are synced.
    pub sync: Sync,
    /// The most bytes on disk.
    pub bytes_max: u64,
    /// What happens when one cannot be taken.
    pub when_full: WhenFull,
    /// The key of argument digests; `None`: made at first start and kept in `data`.
    pub key: Option<EvidenceKey>,
}

/// The key of argument digests.
pub type EvidenceKey = (Provided, [u8; 32]);

/// How long people have to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// How long a call is held.
    pub patience: Duration,
    /// How long a question can be answered and a grant be used; at least `patience`.
    pub expire: Duration,
}

/// How much may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest request body, in bytes.
    pub body_bytes_max: u64,
    /// The longest body once decoded, in bytes; at least `body_bytes_max`.
    pub decoded_bytes_max: u64,
    /// The longest head, in bytes.
    pub header_bytes_max: u64,
    /// The most header fields.
    pub headers_max: u64,
    /// The most connections from agents.
    pub connections_max: u64,
    /// How long a head may take.
    pub header_timeout: Duration,
    /// How long a body may be silent.
    pub body_timeout: Duration,
    /// How long a connection may do nothing.
    pub idle: Duration,
    /// How long calls under way have to end.
    pub drain: Duration,
}

/// Where the sidecar itself is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The port for machines.
    pub address: SocketAddr,
    /// The Unix socket for people.
    pub socket: PathBuf,
}

impl Sidecar {
    /// Every address at which this process listens: what its upstreams must not lead to.
    #[must_use]
    pub fn own_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).chain([self.admin.address]).collect()
    }
}
