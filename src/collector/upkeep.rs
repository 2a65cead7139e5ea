//! What time alone brings about: reviews of tiers, and questions that lapse.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::collector::Plane;

const EVERY: Duration = Duration::from_secs(1);

/// Reviews tiers and closes lapsed questions until the collector stops. A failure is counted and tried again: the
/// tiers that hold meanwhile are the ones from before, and a lapsed question cannot be granted in any case.
pub async fn upkeep(plane: Arc<Plane>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = plane.drain.stopping() => return,
            _ = tick.tick() => {}
        }
        let now = plane.clock.now();
        if let Err(error) = plane.store.review(now).await {
            plane.metrics.upkeep_failed("review");
            tracing::error!(error = &error as &dyn std::error::Error, "reviewing tiers failed");
        }
        if let Err(error) = plane.store.expire(now).await {
            plane.metrics.upkeep_failed("expire");
            tracing::error!(error = &error as &dyn std::error::Error, "closing lapsed questions failed");
        }
    }
}
