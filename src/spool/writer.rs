//! The writing thread: the one owner of the chain and of the files.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::domain::{Digest, SharedClock};
use crate::evidence::{Chain, Gap, Unsound, read};
use crate::spool::disk::Disk;
use crate::spool::note::{ACKNOWLEDGED, CLOSED, Note};
use crate::spool::queue::{Item, Waiter};
use crate::spool::segment::{self, Header};
use crate::spool::shared::{SegmentFile, Shared};
use crate::spool::{Settings, Sync, Unavailable};

/// Sealed bytes go to the disk when this many have gathered.
const WRITE_BYTES: usize = 256 << 10;
/// Written bytes are synced, whatever the setting, when this many have gathered.
const SYNC_BYTES: usize = 1 << 20;
/// More than this is never unsynced: recovery relies on it to tell an unfinished write from damage.
pub(super) const UNSYNCED_BYTES_MAX: usize = 2 << 20;
/// How often the acknowledged position is noted when it frees no segment.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// How soon a failed disk is tried again, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(10);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// Records that are sealed and not yet durable. Kept in memory until they are, so that a failed write can be
/// done again elsewhere, byte for byte.
#[derive(Debug, Default)]
struct Pending {
    frames: Vec<u8>,
    /// How many of those bytes the disk has been given.
    given: usize,
    count: usize,
    /// The chain's head before the first of them.
    prevhash: Digest,
    waiters: Vec<Waiter>,
    /// When the first of them was sealed.
    since: Duration,
}

/// Owned by the writing thread alone, all of it.
pub(super) struct Writer {
    shared: Arc<Shared>,
    disk: Box<dyn Disk>,
    chain: Chain,
    clock: SharedClock,
    sync: Sync,
    segment_bytes: u64,
    queue_max: usize,
    /// Taken from the queue, not yet sealed.
    backlog: VecDeque<Item>,
    pending: Pending,
    /// The durable bytes of the segment being written.
    segment: SegmentFile,
    noted: u64,
    noted_at: Duration,
}

impl Writer {
    pub(super) fn new(
        settings: &Settings,
        shared: Arc<Shared>,
        disk: Box<dyn Disk>,
        chain: Chain,
        clock: SharedClock,
    ) -> Self {
        let segment = shared.segments().last().copied().unwrap_or(SegmentFile { first: 1, bytes: 0 });
        let noted = shared.acknowledged.load(Ordering::Acquire);
        let noted_at = clock.monotonic();
        Self {
            shared,
            disk,
            chain,
            clock,
            sync: settings.sync,
            segment_bytes: settings.segment_bytes,
            queue_max: settings.queue_max,
            backlog: VecDeque::new(),
            pending: Pending::default(),
            segment,
            noted,
            noted_at,
        }
    }

    /// Works until it is told to stop, then closes the log.
    pub(super) fn run(mut self) {
        loop {
            let taken = self.shared.queue.take(self.patience(), self.sync.gather(), &mut self.backlog);
            let done = self.work_off(taken.urgent || taken.stop);
            let answer = done.as_ref().copied().map_err(reason);
            for waiter in taken.flushes {
                let _ = waiter.send(answer);
            }
            let whole = done.or_else(|problem| self.outlast(problem)).is_ok();
            self.keep_acknowledged(taken.stop);
            if taken.stop || !whole {
                return self.close(whole);
            }
        }
    }

    /// How long to sleep if nothing arrives.
    fn patience(&self) -> Option<Duration> {
        let now = self.clock.monotonic();
        let left = |since: Duration, span: Duration| span.saturating_sub(now.saturating_sub(since));
        let to_note = (self.shared.acknowledged.load(Ordering::Acquire) > self.noted)
            .then(|| left(self.noted_at, NOTE_EVERY));
        let to_sync = (self.pending.count > 0).then(|| left(self.pending.since, self.sync.linger()));
        // A clock that stands still must not make this thread spin.
        let least = Duration::from_millis(1);
        [to_note, to_sync].into_iter().flatten().min().map(|left| left.max(least))
    }

    /// Seals and writes what has gathered, and syncs it when that is due.
    fn work_off(&mut self, urgent: bool) -> io::Result<()> {
        let mut urgent = urgent;
        while let Some(item) = self.backlog.pop_front() {
            urgent |= item.waiter.is_some();
            self.seal(item);
            if self.pending.frames.len() - self.pending.given >= WRITE_BYTES {
                self.write()?;
            }
            if self.pending.frames.len() >= SYNC_BYTES {
                self.sync()?;
            }
        }
        match self.pending.count > 0 && (urgent || self.sync_is_due()) {
            true => self.sync(),
            false => self.write(),
        }
    }

    fn sync_is_due(&self) -> bool {
        let waited = self.clock.monotonic().saturating_sub(self.pending.since);
        waited >= self.sync.linger() || self.pending.count >= self.queue_max / 4
    }

    fn seal(&mut self, item: Item) {
        if self.pending.count == 0 {
            self.pending.prevhash = *self.chain.head();
            self.pending.since = self.clock.monotonic();
        }
        let lost = self.shared.lost_untold.swap(0, Ordering::AcqRel);
        self.chain.tell(Gap { lost, ..Gap::default() });
        let now = self.clock.now();
        let from = self.pending.frames.len();
        segment::frame(&mut self.pending.frames, |out| self.chain.seal_into(out, &item.record, now));
        // A record that the collector cannot read would hold up all behind it.
        debug_assert_eq!(self.read_back(from), Ok(self.chain.last_sequence()), "{:?}", item.record);
        self.pending.count += 1;
        self.pending.waiters.extend(item.waiter);
    }

    /// The sequence of the record whose frame begins there, read as the collector reads it.
    fn read_back(&self, from: usize) -> Result<u64, Unsound> {
        let frame = self.pending.frames.get(from..).unwrap_or_default();
        read(frame.get(segment::FRAME_BYTES..).unwrap_or_default()).map(|event| event.sequence)
    }

    /// Gives the sealed bytes to the disk.
    fn write(&mut self) -> io::Result<()> {
        if self.pending.given == self.pending.frames.len() {
            return Ok(());
        }
        if self.pending.given == 0 && self.segment.bytes >= self.segment_bytes {
            self.begin_segment()?;
        }
        let bytes = self.pending.frames.get(self.pending.given..).unwrap_or_default();
        // Counted before the write: a write that fails half way has given any part of them.
        self.pending.given = self.pending.frames.len();
        self.disk.append(bytes)
    }

    /// Makes everything that is sealed durable, and tells everybody whom it concerns.
    fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        let before = self.clock.monotonic();
        self.disk.sync()?;
        let took = self.clock.monotonic().saturating_sub(before);
        let counters = &self.shared.counters;
        counters.syncs.fetch_add(1, Ordering::Relaxed);
        counters
            .sync_micros
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        counters.written.fetch_add(u64::try_from(self.pending.count).unwrap_or(u64::MAX), Ordering::Relaxed);

        self.segment.bytes += self.pending.frames.len() as u64;
        let segment = self.segment;
        self.shared.change_segments(|all| {
            if let Some(last) = all.last_mut() {
                *last = segment;
            }
        });
        self.shared.durable.send_replace(self.chain.last_sequence());
        for waiter in self.pending.waiters.drain(..) {
            let _ = waiter.send(Ok(()));
        }
        self.shared.give_back(self.pending.count);
        self.pending.frames.clear();
        self.pending.given = 0;
        self.pending.count = 0;
        Ok(())
    }

    /// Begins the segment that starts with the first pending record. All before it is durable.
    fn begin_segment(&mut self) -> io::Result<()> {
        let count = u64::try_from(self.pending.count).unwrap_or(u64::MAX);
        let first = self.chain.last_sequence().saturating_sub(count).saturating_add(1);
        let source = self.chain.source();
        let header = Header {
            log: source.log(),
            source_tag: segment::source_tag(source),
            first,
            prevhash: self.pending.prevhash,
        }
        .write();
        self.disk.begin_segment(first, &header)?;
        let begun = SegmentFile { first, bytes: header.len() as u64 };
        self.segment = begun;
        self.shared.change_segments(|all| {
            all.retain(|segment| segment.first < first);
            all.push(begun);
        });
        Ok(())
    }

    /// The disk has failed. Tells everybody, and tries until it works again or the sidecar ends.
    fn outlast(&mut self, problem: io::Error) -> io::Result<()> {
        let mut problem = problem;
        let mut delay = RETRY_FIRST;
        loop {
            self.tell_trouble(&problem);
            let stop = self.shared.queue.pause(delay);
            // Removing what is delivered may be all that a full disk needs.
            self.keep_acknowledged(stop);
            match self.write_again().and_then(|()| self.work_off(true)) {
                Ok(()) => {
                    self.shared.set_health(Ok(()));
                    tracing::info!("the evidence spool can be written again");
                    return Ok(());
                }
                Err(again) if stop => return Err(again),
                Err(again) => problem = again,
            }
            delay = (delay * 2).min(RETRY_LAST);
        }
    }

    fn tell_trouble(&mut self, problem: &io::Error) {
        let why = reason(problem);
        if self.shared.health().is_ok() {
            tracing::error!(error = %problem, "{why}; calls are {}", self.shared.when_full.consequence());
        }
        self.shared.counters.disk_errors.fetch_add(1, Ordering::Relaxed);
        // Health first: whoever adds itself to the queue after this is told there.
        self.shared.set_health(Err(why));
        let in_backlog = self.backlog.iter_mut().filter_map(|item| item.waiter.take());
        let waiters: Vec<_> =
            self.pending.waiters.drain(..).chain(in_backlog).chain(self.shared.queue.waiters()).collect();
        for waiter in waiters {
            let _ = waiter.send(Err(why));
        }
    }

    /// After a failed write or sync nobody knows what of the pending bytes is on disk, and a sync that fails once
    /// may falsely succeed later. So they are cut off where they were, and written whole into a new segment.
    fn write_again(&mut self) -> io::Result<()> {
        if self.pending.count == 0 {
            return Ok(());
        }
        // If even cutting fails, the new segment's name still says where the old one ends.
        let cut = self.disk.cut(self.segment.bytes);
        self.begin_segment()?;
        if let Err(problem) = cut {
            tracing::warn!(error = %problem, "an unfinished write could not be cut off; it is written again");
        }
        self.pending.given = self.pending.frames.len();
        self.disk.append(&self.pending.frames)?;
        self.sync()
    }

    /// Notes how far the collector has the log, then removes the segments that nobody needs any more. In this
    /// order, so that a missing segment is never a riddle. A disk too full for the note loses the note instead:
    /// without one, what lies before the first segment counts as delivered.
    fn keep_acknowledged(&mut self, stopping: bool) {
        let acknowledged = self.shared.acknowledged.load(Ordering::Acquire).min(self.shared.durable());
        let free = self.free_segments(acknowledged);
        let now = self.clock.monotonic();
        let due = stopping || !free.is_empty() || now.saturating_sub(self.noted_at) >= NOTE_EVERY;
        if acknowledged > self.noted && due {
            let note = Note { log: self.chain.source().log(), sequence: acknowledged };
            self.noted_at = now;
            let noted = self.disk.write_note(ACKNOWLEDGED, note);
            match noted.or_else(|_| self.disk.remove_note(ACKNOWLEDGED)) {
                Ok(()) => self.noted = acknowledged,
                Err(problem) => return self.note_failed(&problem),
            }
        }
        if self.noted < acknowledged {
            return;
        }
        for first in free {
            match self.disk.remove_segment(first) {
                Ok(()) => self.shared.change_segments(|all| all.retain(|segment| segment.first != first)),
                Err(problem) => return self.note_failed(&problem),
            }
        }
    }

    /// Segments whose records the collector has all; never the one being written.
    fn free_segments(&self, acknowledged: u64) -> Vec<u64> {
        let segments = self.shared.segments();
        let with_next = segments.iter().zip(segments.iter().skip(1));
        with_next
            .filter(|(_, next)| next.first <= acknowledged.saturating_add(1))
            .map(|(s, _)| s.first)
            .collect()
    }

    fn note_failed(&self, problem: &io::Error) {
        self.shared.counters.disk_errors.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error = %problem, "delivered evidence could not be removed from the spool");
    }

    /// Ends the log in order, so that the next opening knows that nothing is missing.
    fn close(mut self, whole: bool) {
        self.shared.set_health(Err(Unavailable::Closed));
        if !whole {
            let lost = self.pending.count + self.backlog.len() + self.shared.queue.len();
            tracing::error!(
                records = lost,
                "the evidence spool was closed while its disk failed; records are lost"
            );
            return;
        }
        let lost = self.shared.lost_untold.swap(0, Ordering::AcqRel);
        self.chain.tell(Gap { lost, ..Gap::default() });
        if self.chain.has_untold_gap() {
            // Not closed in order, as far as the evidence goes: the next record has to say so.
            return;
        }
        let note = Note { log: self.chain.source().log(), sequence: self.chain.last_sequence() };
        if let Err(problem) = self.disk.write_note(CLOSED, note) {
            tracing::warn!(error = %problem, "the evidence spool could not be marked as closed");
        }
    }
}

/// What callers are told of a failed disk.
fn reason(problem: &io::Error) -> Unavailable {
    match problem.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Unavailable::DiskFull
        }
        _ => Unavailable::DiskFailing,
    }
}
