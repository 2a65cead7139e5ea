//! Plane: what every handler of the collector shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::collector::Metrics;
use crate::collector::serials::Serials;
use crate::domain::{SharedClock, SidecarId};
use crate::net::Drain;
use crate::store::Store;
use crate::wire::{Roster, SigningKey};

/// The collector's state. The store owns all that lasts; here stands only what a restart may forget.
#[derive(Debug)]
pub struct Plane {
    pub(in crate::collector) store: Store,
    pub(in crate::collector) sidecars: Arc<Roster<SidecarId>>,
    pub(in crate::collector) operators: Arc<Roster<String>>,
    pub(in crate::collector) key: SigningKey,
    pub(in crate::collector) clock: SharedClock,
    pub(in crate::collector) drain: Drain,
    pub(in crate::collector) heartbeat: Duration,
    pub(in crate::collector) patience: Duration,
    pub(in crate::collector) metrics: Metrics,
    /// Serials of trust statements: owned here, reserved in the store.
    pub(in crate::collector) serials: Serials,
    /// What each sidecar may have open at once, so that none can keep the others out.
    pub(in crate::collector) places: HashMap<SidecarId, Places>,
    /// Batches held in memory at once, over all sidecars.
    pub(in crate::collector) batches: Arc<Semaphore>,
}

/// One sidecar's places.
#[derive(Debug)]
pub(in crate::collector) struct Places {
    pub(in crate::collector) feeds: Arc<Semaphore>,
    pub(in crate::collector) batches: Arc<Semaphore>,
}

/// Feeds of one sidecar: one, and those whose end was not noticed yet.
const FEEDS_EACH: usize = 4;
/// Batches of one sidecar: it delivers one after the other, and may have given up on one.
const BATCHES_EACH: usize = 2;
/// Batches of all sidecars: times the size of a batch, and as much again for what is read out of it.
const BATCHES_MAX: usize = 64;

impl Places {
    fn new() -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { feeds: places(FEEDS_EACH), batches: places(BATCHES_EACH) }
    }
}

impl Plane {
    /// Joins what handlers need.
    ///
    /// # Errors
    /// When a metric cannot be registered, which only a defect in the table of metrics can cause.
    #[expect(clippy::too_many_arguments, reason = "each is one thing that is made once, by name")]
    pub fn new(
        store: Store,
        sidecars: Arc<Roster<SidecarId>>,
        operators: Arc<Roster<String>>,
        key: SigningKey,
        clock: SharedClock,
        drain: Drain,
        heartbeat: Duration,
        patience: Duration,
    ) -> prometheus::Result<Arc<Self>> {
        let places = sidecars.names().map(|name| (name.clone(), Places::new())).collect();
        let (metrics, serials) = (Metrics::new()?, Serials::default());
        let plane = Self {
            store,
            sidecars,
            operators,
            key,
            clock,
            drain,
            heartbeat,
            patience,
            metrics,
            serials,
            places,
            batches: Arc::new(Semaphore::new(BATCHES_MAX)),
        };
        Ok(Arc::new(plane))
    }
}
