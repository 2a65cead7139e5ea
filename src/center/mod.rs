//! The operations center: where people see, decide, approve, suspend.

mod agents;
mod approvals;
mod body;
mod caller;
mod failure;
mod query;
mod records;
mod routes;
mod signals;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{SharedClock, SidecarId};
use crate::net::Drain;
use crate::store::Store;
use crate::wire::Roster;

pub use routes::{Path, paths, router};

/// What the center's handlers share. It has no state of its own: the store owns all.
#[derive(Debug)]
pub struct Center {
    /// Where everything is kept.
    pub store: Store,
    /// The operators: the name of the token used is the name kept with each decision.
    pub operators: Arc<Roster<String>>,
    /// The sidecars, which may look after their own questions.
    pub sidecars: Arc<Roster<SidecarId>>,
    /// The time.
    pub clock: SharedClock,
    /// Stops wait for decisions under way.
    pub drain: Drain,
    /// The longest time to read one request.
    pub patience: Duration,
}
