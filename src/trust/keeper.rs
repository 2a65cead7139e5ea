//! Keeper: the thread that writes the tiers to disk, so that hearing them never waits for a disk.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::trust::cache::State;
use crate::trust::saved;

/// Heartbeats alone are written no more often than this. A crash in between makes the news look older than it
/// is by as much, which is the safe side.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// Writes the newest state whenever it is woken; states in between may be skipped. Dropping it waits for the
/// last write.
#[derive(Debug)]
pub(super) struct Keeper {
    wakes: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    failures: Arc<AtomicU64>,
    /// Monotonic time of the last wake that was passed on.
    woken: Mutex<Option<Duration>>,
}

impl Keeper {
    pub(super) fn start(file: PathBuf, state: Arc<ArcSwap<State>>) -> Self {
        let failures = Arc::new(AtomicU64::new(0));
        // One place is enough: a wake that is waiting covers every change made before it is taken.
        let (sender, receiver) = sync_channel(1);
        let counted = Arc::clone(&failures);
        let spawned = std::thread::Builder::new()
            .name("tier-keeper".to_owned())
            .spawn(move || keep(&receiver, &file, &state, &counted));
        if let Err(error) = &spawned {
            tracing::error!(%error, "no thread to write tiers; they are lost when the process ends");
            failures.fetch_add(1, Ordering::Relaxed);
        }
        Self { wakes: Some(sender), thread: spawned.ok(), failures, woken: Mutex::new(None) }
    }

    /// Asks for the newest state to be written.
    pub(super) fn wake(&self, is_heartbeat: bool, now: Duration) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = woken.is_none_or(|last| now.saturating_sub(last) >= HEARTBEAT_EVERY);
        if is_heartbeat && !is_due {
            return;
        }
        *woken = Some(now);
        if let Some(wakes) = &self.wakes {
            let _ = wakes.try_send(());
        }
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.failures)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.wakes.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(wakes: &Receiver<()>, file: &std::path::Path, state: &ArcSwap<State>, failures: &AtomicU64) {
    while wakes.recv().is_ok() {
        if let Err(error) = saved::save(file, &state.load_full()) {
            failures.fetch_add(1, Ordering::Relaxed);
            let file = file.display();
            tracing::error!(%file, %error, "tiers were not written; a restart now would forget the newest ones");
        }
    }
}
