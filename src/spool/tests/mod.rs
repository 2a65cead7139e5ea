//! A spool on a real folder, and what it holds checked after every step.

mod faults;
mod queueing;
mod repair;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::domain::{ManualClock, SharedClock, SidecarId, Timestamp};
use crate::evidence::sample::settled;
use crate::evidence::{Event, Verifier};

fn clock() -> SharedClock {
    Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-18T10:00:00Z").unwrap()))
}

fn settings(dir: &Path) -> Settings {
    let source = SidecarId::new("checkout-1").unwrap();
    Settings { sync: Sync::Each, ..Settings::new(dir.to_owned(), source) }
}

fn open(dir: &Path) -> (Arc<Recorder>, Opened) {
    Recorder::start(settings(dir), clock()).unwrap()
}

/// Records calls of these numbers, and waits until they are durable.
async fn record(recorder: &Recorder, numbers: std::ops::Range<u64>) {
    for n in numbers {
        recorder.reserve().unwrap().record(settled(n));
    }
    recorder.flush().await.unwrap();
}

/// Waits until something holds.
async fn until(holds: impl Fn() -> bool) {
    let mut look = tokio::time::interval(std::time::Duration::from_millis(1));
    while !holds() {
        look.tick().await;
    }
}

/// Everything durable after `after`, each read and checked against the one before.
fn events_after(recorder: &Recorder, after: u64, head: crate::domain::Digest) -> Vec<Event> {
    let mut verifier = match after {
        0 => Verifier::new(),
        _ => Verifier::after(recorder.source().clone(), after, head),
    };
    let mut events = Vec::new();
    loop {
        // Small bounds, so that reading on is exercised.
        let batch = recorder.read_after(verifier.sequence(), 7, 5000).unwrap();
        if batch.is_empty() {
            assert_eq!(verifier.sequence(), recorder.durable());
            return events;
        }
        for entry in batch {
            let event = verifier.push(&entry.bytes).unwrap();
            assert_eq!(event.sequence, entry.sequence);
            events.push(event);
        }
    }
}

fn events(recorder: &Recorder) -> Vec<Event> {
    events_after(recorder, 0, crate::domain::Digest::default())
}

/// The numbers of the calls that the spool holds.
fn numbers(events: &[Event]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event.record.decision.as_str().trim_start_matches("d-").parse().unwrap())
        .collect()
}
