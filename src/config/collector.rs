//! Collector: the checked form of a collector's file.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::secret::Provided;
use crate::domain::SidecarId;
use crate::scoring::Weights;
use crate::telemetry::LogSettings;

/// Everything that a collector is told. All paths are absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its folder.
    pub data: PathBuf,
    /// Sidecars, each id once, no token twice.
    pub sidecars: Vec<SidecarAccess>,
    /// Operators, each name once, no token twice, nor a sidecar's.
    pub operators: Vec<Operator>,
    /// The weights of the score.
    pub weights: Weights,
    /// What is logged.
    pub log: LogSettings,
}

/// A sidecar that may send records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarAccess {
    /// Its id.
    pub id: SidecarId,
    /// Its token.
    pub token: Provided,
}

/// A person who may look, approve and suspend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name that their decisions are recorded under.
    pub name: String,
    /// Their token.
    pub token: Provided,
}
