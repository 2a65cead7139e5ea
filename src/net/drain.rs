//! Drain: how the process stops without cutting what is under way.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How long tasks get to notice that they are cut.
const NOTICE: Duration = Duration::from_secs(1);

/// Shared by all listeners and connections of a process. Two steps: `stopping` asks everyone to finish what they
/// do and take nothing new; after the deadline everything spawned here is dropped.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    stop: CancellationToken,
    cut: CancellationToken,
    tasks: TaskTracker,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everyone finished.
    Clean,
    /// The deadline came first.
    Cut {
        /// Tasks and tunnels that were still at work.
        tasks: usize,
    },
}

impl Drain {
    /// Asks everyone to finish. Returns at once.
    pub fn begin(&self) {
        self.stop.cancel();
    }

    /// Whether the process is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Resolves when the process begins to stop.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// Whether the deadline of the drain has passed.
    #[must_use]
    pub fn is_cutting(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Resolves when the deadline of the drain has passed.
    pub fn cutting(&self) -> WaitForCancellationFuture<'_> {
        self.cut.cancelled()
    }

    /// Runs a task that the drain waits for, and drops at its deadline.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                _ = task => {}
                () = cut.cancelled() => {}
            }
        });
    }

    /// Something that the drain waits for until it is dropped, such as a tunnel.
    pub fn hold(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Tasks at work.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Begins, waits up to `patience` for everyone, then cuts the rest.
    pub async fn finish(&self, patience: Duration) -> Drained {
        self.begin();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_ok() {
            return Drained::Clean;
        }
        let tasks = self.tasks.len();
        self.cut.cancel();
        // What does not notice now dies with the runtime.
        let _ = tokio::time::timeout(NOTICE, self.tasks.wait()).await;
        Drained::Cut { tasks }
    }
}
