//! Recorder: the door. Callers get a place and record; the link reads and acknowledges.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::{SharedClock, Timestamp};
use crate::evidence::{Chain, Gap, Source, read};
use crate::spool::disk::{Disk, Folder};
use crate::spool::reader::Reader;
use crate::spool::shared::Shared;
use crate::spool::writer::Writer;
use crate::spool::{Entry, Settings, Slot, SpoolError, Stats, Unavailable, WhenFull, recovery};

/// A spool that is open: takes records in, gives them out in order.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    source: Source,
    clock: SharedClock,
    reader: Reader,
    /// Looks at the oldest unacknowledged record without disturbing `reader`.
    onlooker: Reader,
    /// The sequence it looked at last, and when that record was made.
    oldest: Mutex<(u64, Timestamp)>,
    repaired_bytes: u64,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the spool is open; the system frees it when the process ends, however it ends.
    _lock: File,
}

/// What was found when a spool was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The log that is continued, or was begun.
    pub source: Source,
    /// The last sequence that was there; 0 in a new log.
    pub resumed_at: u64,
    /// Bytes of an unfinished write that were cut off.
    pub repaired_bytes: u64,
    /// Whether the log had not been closed: calls under way at its end may have left no record. The next record
    /// says so.
    pub after_crash: bool,
}

impl Recorder {
    /// Opens a spool, repairs an unfinished write at its end, and starts its writing thread.
    ///
    /// # Errors
    /// When the settings cannot work, the folder is in use or cannot be used, or its files are damaged, written by
    /// a later version, or another sidecar's. Nothing is changed then.
    pub fn start(settings: Settings, clock: SharedClock) -> Result<(Arc<Self>, Opened), SpoolError> {
        Self::start_on(settings, clock, |folder| Box::new(folder))
    }

    /// The same, with something between the spool and its disk.
    pub(super) fn start_on(
        settings: Settings,
        clock: SharedClock,
        disk: impl FnOnce(Folder) -> Box<dyn Disk>,
    ) -> Result<(Arc<Self>, Opened), SpoolError> {
        settings.check()?;
        let dir = &settings.dir;
        let mut folder = Folder::open(dir).map_err(SpoolError::io("open the folder", dir))?;
        let lock = lock(dir)?;
        let found = recovery::recover(&settings, &mut folder, clock.now())?;
        let mut chain = Chain::resume(found.source.clone(), found.last, found.head);
        chain.tell(Gap { after_crash: found.after_crash, lost: 0, torn_bytes: found.torn_bytes });

        let shared = Arc::new(Shared::new(&settings, found.segments, found.last, found.acknowledged));
        let writer = Writer::new(&settings, Arc::clone(&shared), disk(folder), chain, Arc::clone(&clock));
        let thread = std::thread::Builder::new()
            .name("pactgate-spool".to_owned())
            .spawn({
                let closing = CloseOnExit(Arc::clone(&shared));
                move || {
                    let _closing = closing;
                    writer.run();
                }
            })
            .map_err(SpoolError::io("start the writing thread for", dir))?;
        let opened = Opened {
            source: found.source.clone(),
            resumed_at: found.last,
            repaired_bytes: found.torn_bytes,
            after_crash: found.after_crash,
        };
        let recorder = Self {
            shared,
            source: found.source,
            clock,
            reader: Reader::new(dir),
            onlooker: Reader::new(dir),
            oldest: Mutex::default(),
            repaired_bytes: found.torn_bytes,
            writer: Some(thread),
            _lock: lock,
        };
        Ok((Arc::new(recorder), opened))
    }

    /// Takes a place for one record, before anything happens that would have to be recorded. Costs two atomic
    /// operations. A call that is recorded first and settled later needs two.
    ///
    /// # Errors
    /// When the queue or the spool is full or the disk fails, and the spool was told to [`WhenFull::Deny`].
    pub fn reserve(&self) -> Result<Slot, Unavailable> {
        match (self.shared.take_place(), self.shared.when_full) {
            (Ok(()), _) => Ok(Slot::held(Arc::clone(&self.shared))),
            (Err(why), WhenFull::Drop) => Ok(Slot::lost(Arc::clone(&self.shared), why)),
            (Err(why), WhenFull::Deny) => {
                self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                Err(why)
            }
        }
    }

    /// Whether a place could be had now: for readiness.
    ///
    /// # Errors
    /// Why not, whatever the spool was told to do then.
    pub fn healthy(&self) -> Result<(), Unavailable> {
        self.shared.room()
    }

    /// The log that is written.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// Durable records after `sequence`, in order, as long as neither bound is passed; at least one if there is
    /// one. Where records are asked for that are delivered and gone, it starts with the first that is there.
    /// Reads files: not for a thread that must not wait.
    ///
    /// # Errors
    /// When a segment cannot be read or its bytes have changed.
    pub fn read_after(
        &self,
        sequence: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, SpoolError> {
        self.reader.read_after(&self.shared, sequence, entries_max, bytes_max)
    }

    /// The collector has everything up to `sequence`. Space is freed a little later. Never goes back, and never
    /// beyond what is durable here.
    pub fn acknowledge(&self, sequence: u64) {
        let sequence = sequence.min(self.shared.durable());
        if self.shared.acknowledged.fetch_max(sequence, Ordering::AcqRel) < sequence {
            self.shared.queue.nudge();
        }
    }

    /// The last sequence that the collector has, as far as known here.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Acquire)
    }

    /// The last durable sequence.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.shared.durable()
    }

    /// Waits until there is a durable record after `sequence`.
    pub async fn wait_new(&self, sequence: u64) {
        let mut durable = self.shared.durable.subscribe();
        // Fails only when the sender is gone, which `self` holds.
        let _ = durable.wait_for(|durable| *durable > sequence).await;
    }

    /// Waits until everything recorded before this call is durable: at shutdown, after the last call has settled.
    ///
    /// # Errors
    /// When the disk does not do its part now.
    pub async fn flush(&self) -> Result<(), Unavailable> {
        let (waiter, answer) = oneshot::channel();
        self.shared.health()?;
        self.shared.queue.flush(waiter);
        answer.await.unwrap_or(Err(Unavailable::Closed))
    }

    /// A snapshot for metrics. Reads one record from disk when the collector lags.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let acknowledged = self.acknowledged();
        Stats {
            queued: self.shared.queue.len(),
            outstanding: self.shared.outstanding(),
            written: counters.written.load(Ordering::Relaxed),
            dropped: counters.dropped.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            durable: self.shared.durable(),
            acknowledged,
            oldest_unacknowledged: self.recorded_after(acknowledged).map(|at| self.clock.now().since(at)),
            disk_bytes: self.shared.disk_bytes(),
            segments: self.shared.segments().len(),
            syncs: counters.syncs.load(Ordering::Relaxed),
            sync_time: Duration::from_micros(counters.sync_micros.load(Ordering::Relaxed)),
            disk_errors: counters.disk_errors.load(Ordering::Relaxed),
            repaired_bytes: self.repaired_bytes,
            healthy: self.healthy().is_ok(),
        }
    }

    fn recorded_after(&self, sequence: u64) -> Option<Timestamp> {
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        if oldest.0 != sequence.saturating_add(1) {
            let entries = self.onlooker.read_after(&self.shared, sequence, 1, usize::MAX).ok()?;
            let entry = entries.first()?;
            *oldest = (entry.sequence, read(&entry.bytes).ok()?.recorded_at);
        }
        Some(oldest.1)
    }
}

/// Writes out what is queued, closes the log in order, and ends the thread. Waits for it: milliseconds, unless the
/// disk hangs.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.queue.stop();
        if let Some(writer) = self.writer.take() {
            // A panic there has been printed, and has closed the spool.
            let _ = writer.join();
        }
    }
}

/// However the writing thread ends, nobody is left waiting for it and no place is given any more.
struct CloseOnExit(Arc<Shared>);

impl Drop for CloseOnExit {
    fn drop(&mut self) {
        self.0.set_health(Err(Unavailable::Closed));
        for waiter in self.0.queue.waiters() {
            let _ = waiter.send(Err(Unavailable::Closed));
        }
    }
}

fn lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(SpoolError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(problem)) => Err(SpoolError::io("lock", &path)(problem)),
    }
}
