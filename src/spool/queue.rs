//! The hand-over: callers move records in, the writing thread takes all that gathered in one go.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::evidence::Record;
use crate::spool::Unavailable;

/// Somebody who waits until something is durable.
pub(super) type Waiter = oneshot::Sender<Result<(), Unavailable>>;

/// A record on its way to the disk.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) waiter: Option<Waiter>,
}

/// Guarded by one lock, which is held for a push or a swap and never while anything waits for the disk.
#[derive(Debug, Default)]
struct Inside {
    items: VecDeque<Item>,
    /// Who waits for all that was pushed before.
    flushes: Vec<Waiter>,
    /// Somebody waits: do not gather.
    urgent: bool,
    /// There is something to do other than records.
    nudged: bool,
    stop: bool,
    asleep: Asleep,
}

/// What the writing thread would wake up for. A caller that need not wake it saves a system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asleep {
    #[default]
    No,
    UntilAnything,
    UntilUrgent,
}

/// The queue between callers and the writing thread.
#[derive(Debug)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    wake: Condvar,
    /// So many records need not gather any longer.
    enough: usize,
}

/// What was taken beside the records.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) flushes: Vec<Waiter>,
    pub(super) urgent: bool,
    pub(super) stop: bool,
}

impl Queue {
    pub(super) fn new(enough: usize) -> Self {
        Self { inside: Mutex::default(), wake: Condvar::new(), enough }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record. `refuse_waiter` is asked under the lock whether waiting makes sense; the record is added
    /// either way.
    pub(super) fn push(&self, mut item: Item, refuse_waiter: impl FnOnce() -> Option<Unavailable>) {
        let mut inside = self.inside();
        let refusal = item.waiter.is_some().then(refuse_waiter).flatten();
        let refused = refusal.and_then(|why| item.waiter.take().map(|waiter| (waiter, why)));
        let urgent = item.waiter.is_some();
        inside.urgent |= urgent;
        inside.items.push_back(item);
        let is_enough = inside.items.len() >= self.enough;
        self.wake_for(inside, urgent || is_enough);
        if let Some((waiter, why)) = refused {
            let _ = waiter.send(Err(why));
        }
    }

    /// Asks to be told when all that was pushed before is durable.
    pub(super) fn flush(&self, waiter: Waiter) {
        let mut inside = self.inside();
        inside.flushes.push(waiter);
        inside.urgent = true;
        self.wake_for(inside, true);
    }

    /// Tells the writing thread that there is something to do other than records.
    pub(super) fn nudge(&self) {
        let mut inside = self.inside();
        inside.nudged = true;
        self.wake_for(inside, false);
    }

    /// Tells the writing thread to finish and end.
    pub(super) fn stop(&self) {
        let mut inside = self.inside();
        inside.stop = true;
        inside.asleep = Asleep::No;
        drop(inside);
        self.wake.notify_one();
    }

    fn wake_for(&self, mut inside: MutexGuard<'_, Inside>, urgent: bool) {
        let wakes = match inside.asleep {
            Asleep::No => false,
            Asleep::UntilAnything => true,
            Asleep::UntilUrgent => urgent,
        };
        if wakes {
            inside.asleep = Asleep::No;
            drop(inside);
            self.wake.notify_one();
        }
    }

    /// Waits for something to do, for `patience` at most; lets records gather for `gather` unless somebody waits
    /// or enough are there; then moves all records to the end of `into`.
    pub(super) fn take(
        &self,
        patience: Option<Duration>,
        gather: Duration,
        into: &mut VecDeque<Item>,
    ) -> Taken {
        let mut inside = self.inside();
        if inside.items.is_empty() && !inside.urgent && !inside.nudged && !inside.stop {
            inside = self.sleep(inside, Asleep::UntilAnything, patience);
        }
        if !inside.items.is_empty() && inside.items.len() < self.enough && !inside.urgent && !inside.stop {
            inside = self.sleep(inside, Asleep::UntilUrgent, Some(gather));
        }
        if into.is_empty() {
            std::mem::swap(into, &mut inside.items);
        } else {
            into.append(&mut inside.items);
        }
        inside.nudged = false;
        let urgent = std::mem::take(&mut inside.urgent);
        Taken { flushes: std::mem::take(&mut inside.flushes), urgent, stop: inside.stop }
    }

    /// Waits for `delay`, or until the queue is told to stop. True when it was.
    pub(super) fn pause(&self, delay: Duration) -> bool {
        let inside = self.inside();
        let waited = self.wake.wait_timeout_while(inside, delay, |inside| !inside.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    fn sleep<'q>(
        &'q self,
        mut inside: MutexGuard<'q, Inside>,
        until: Asleep,
        patience: Option<Duration>,
    ) -> MutexGuard<'q, Inside> {
        if patience.is_some_and(|patience| patience.is_zero()) {
            return inside;
        }
        inside.asleep = until;
        let still_asleep = |inside: &mut Inside| inside.asleep == until;
        let mut awake = match patience {
            Some(patience) => {
                let waited = self.wake.wait_timeout_while(inside, patience, still_asleep);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.wake.wait_while(inside, still_asleep).unwrap_or_else(PoisonError::into_inner),
        };
        awake.asleep = Asleep::No;
        awake
    }

    /// Takes away everybody who waits, since waiting has become pointless.
    pub(super) fn waiters(&self) -> Vec<Waiter> {
        let mut inside = self.inside();
        inside.urgent = false;
        let mut all = std::mem::take(&mut inside.flushes);
        all.extend(inside.items.iter_mut().filter_map(|item| item.waiter.take()));
        all
    }

    /// How many records are queued.
    pub(super) fn len(&self) -> usize {
        self.inside().items.len()
    }
}
