//! What a sidecar does now and then: forget limits that are full again, and make room where nobody takes its records.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::Limits;
use crate::net::Drain;
use crate::spool::{Recorder, Stats};

/// How often limits that are full again are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often the spool's size is looked at.
const ROTATE_EVERY: Duration = Duration::from_secs(10);

/// Forgets limits that are full again, until the drain begins.
pub(super) fn sweep(drain: &Drain, limits: Arc<Limits>) {
    every(SWEEP_EVERY, drain, move || limits.sweep());
}

/// Without a collector nobody acknowledges records, and a spool that only grows would end in refusing every call.
/// So the older half goes once three quarters of the space are taken. Until then it can be read with any tool.
pub(super) fn rotate(drain: &Drain, recorder: Arc<Recorder>, bytes_max: u64) {
    every(ROTATE_EVERY, drain, move || {
        if let Some(through) = expendable(&recorder.stats(), bytes_max) {
            tracing::warn!(through, "no collector takes the records: the older half makes room");
            recorder.acknowledge(through);
        }
    });
}

/// The last record that may go, where any has to.
fn expendable(stats: &Stats, bytes_max: u64) -> Option<u64> {
    let crowded = stats.disk_bytes > bytes_max / 4 * 3;
    let kept = stats.durable.saturating_sub(stats.acknowledged);
    (crowded && kept > 1).then_some(stats.acknowledged + kept / 2)
}

fn every(period: Duration, drain: &Drain, does: impl Fn() + Send + 'static) {
    let stopping = drain.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        loop {
            tokio::select! {
                () = stopping.stopping() => return,
                _ = ticks.tick() => does(),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_half_goes_when_space_is_short() {
        let stats = |disk_bytes, acknowledged, durable| Stats {
            disk_bytes,
            acknowledged,
            durable,
            ..Stats::default()
        };
        assert_eq!(expendable(&stats(74, 0, 100), 100), None);
        assert_eq!(expendable(&stats(76, 0, 100), 100), Some(50));
        assert_eq!(expendable(&stats(76, 50, 100), 100), Some(75));
        assert_eq!(expendable(&stats(76, 99, 100), 100), None);
    }
}
