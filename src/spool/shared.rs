//! What callers and the writing thread share: one owner for each number, no lock on the way in.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::evidence::RECORD_BYTES_MAX;
use crate::spool::queue::Queue;
use crate::spool::segment::FRAME_BYTES;
use crate::spool::{Settings, Unavailable, WhenFull};

/// One segment file on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentFile {
    /// The sequence of its first record: its name.
    pub(super) first: u64,
    /// Its bytes, header included.
    pub(super) bytes: u64,
}

/// State shared by the recorder's callers, its reader and its writing thread.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    /// Places given out and not yet given back. Raised by callers, lowered by whoever ends a place.
    outstanding: AtomicUsize,
    queue_max: usize,
    bytes_max: u64,
    pub(super) when_full: WhenFull,
    /// Why the disk cannot be written, as a code. Written by the writing thread only.
    health: AtomicU8,
    /// Written by the writing thread only.
    disk_bytes: AtomicU64,
    /// Segments in order; the last one is being written. Changed by the writing thread only.
    segments: Mutex<Vec<SegmentFile>>,
    /// The last sequence that is durable. Written by the writing thread only.
    pub(super) durable: watch::Sender<u64>,
    /// The last sequence that the collector has.
    pub(super) acknowledged: AtomicU64,
    /// Records dropped that no record has told of yet. Raised by callers, taken by the writing thread.
    pub(super) lost_untold: AtomicU64,
    pub(super) counters: Counters,
}

/// Plain counters, each only ever raised.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) sync_micros: AtomicU64,
    pub(super) disk_errors: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        settings: &Settings,
        segments: Vec<SegmentFile>,
        durable: u64,
        acknowledged: u64,
    ) -> Self {
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        Self {
            queue: Queue::new((settings.queue_max / 2).max(1)),
            outstanding: AtomicUsize::new(0),
            queue_max: settings.queue_max,
            bytes_max: settings.bytes_max,
            when_full: settings.when_full,
            health: AtomicU8::new(0),
            disk_bytes: AtomicU64::new(bytes),
            segments: Mutex::new(segments),
            durable: watch::Sender::new(durable),
            acknowledged: AtomicU64::new(acknowledged),
            lost_untold: AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    /// Takes a place: in memory, and on disk for the largest record there is, so that whoever has a place can
    /// record whatever happens, and `bytes_max` holds all the same.
    pub(super) fn take_place(&self) -> Result<(), Unavailable> {
        let places = self.outstanding.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let room = self.room_for(places);
        if room.is_err() {
            self.give_back(1);
        }
        room
    }

    fn room_for(&self, places: usize) -> Result<(), Unavailable> {
        const PLACE_BYTES: u64 = RECORD_BYTES_MAX as u64 + FRAME_BYTES as u64;
        self.health()?;
        if places > self.queue_max {
            return Err(Unavailable::QueueFull);
        }
        let claimed = u64::try_from(places).unwrap_or(u64::MAX).saturating_mul(PLACE_BYTES);
        if self.disk_bytes().saturating_add(claimed) > self.bytes_max {
            return Err(Unavailable::SpoolFull);
        }
        Ok(())
    }

    /// Ends places.
    pub(super) fn give_back(&self, places: usize) {
        self.outstanding.fetch_sub(places, Ordering::AcqRel);
    }

    /// Whether a place could be had now.
    pub(super) fn room(&self) -> Result<(), Unavailable> {
        self.room_for(self.outstanding().saturating_add(1))
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    /// Whether the disk does its part.
    pub(super) fn health(&self) -> Result<(), Unavailable> {
        match self.health.load(Ordering::Acquire) {
            0 => Ok(()),
            1 => Err(Unavailable::DiskFull),
            2 => Err(Unavailable::DiskFailing),
            _ => Err(Unavailable::Closed),
        }
    }

    pub(super) fn set_health(&self, health: Result<(), Unavailable>) {
        let code = match health {
            Ok(()) => 0,
            Err(Unavailable::DiskFull) => 1,
            Err(Unavailable::Closed) => 3,
            Err(Unavailable::DiskFailing | Unavailable::QueueFull | Unavailable::SpoolFull) => 2,
        };
        self.health.store(code, Ordering::Release);
    }

    /// Counts a record that is dropped by the choice `when_full: drop`, or because the spool is closed.
    pub(super) fn count_lost(&self, records: u64) {
        self.counters.dropped.fetch_add(records, Ordering::Relaxed);
        self.lost_untold.fetch_add(records, Ordering::AcqRel);
    }

    pub(super) fn durable(&self) -> u64 {
        *self.durable.borrow()
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.disk_bytes.load(Ordering::Acquire)
    }

    pub(super) fn segments(&self) -> MutexGuard<'_, Vec<SegmentFile>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the list of segments and keeps the count of bytes true.
    pub(super) fn change_segments(&self, change: impl FnOnce(&mut Vec<SegmentFile>)) {
        let mut segments = self.segments();
        change(&mut segments);
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        self.disk_bytes.store(bytes, Ordering::Release);
    }
}
