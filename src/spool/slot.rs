//! Slot: a place for one record, so that recording cannot fail later.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::evidence::Record;
use crate::spool::Unavailable;
use crate::spool::queue::Item;
use crate::spool::shared::Shared;

/// A place for one record: in memory, and on disk. Dropping it unused gives the place back.
#[must_use = "a slot that is dropped leaves no record"]
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Counted in `outstanding`.
    Held,
    /// There is none, and the config chose to go on: the record will be dropped and counted.
    Lost(Unavailable),
    /// The record has it now; the writing thread gives it back.
    Used,
}

impl Slot {
    pub(super) const fn held(shared: Arc<Shared>) -> Self {
        Self { shared, place: Place::Held }
    }

    pub(super) const fn lost(shared: Arc<Shared>, why: Unavailable) -> Self {
        Self { shared, place: Place::Lost(why) }
    }

    /// Records. Returns at once; the record reaches the disk by the spool's setting [`crate::spool::Sync`].
    pub fn record(mut self, record: Record) {
        self.enter(Item { record, waiter: None });
    }

    /// Records, and tells when the record is durable: nothing that happens after the answer can take it back.
    /// The record is on its way before the future is polled, and stays so when the future is dropped.
    ///
    /// # Errors
    /// When the disk does not do its part now. The record is kept in memory and may be written later: settle the
    /// call as not sent.
    pub fn record_durably(
        mut self,
        record: Record,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send + 'static {
        let (waiter, answer) = oneshot::channel();
        let lost = self.enter(Item { record, waiter: Some(waiter) });
        async move {
            match lost {
                Some(why) => Err(why),
                None => answer.await.unwrap_or(Err(Unavailable::Closed)),
            }
        }
    }

    fn enter(&mut self, item: Item) -> Option<Unavailable> {
        if let Place::Lost(why) = self.place {
            self.place = Place::Used;
            self.shared.count_lost(1);
            return Some(why);
        }
        let shared = &self.shared;
        if shared.health() == Err(Unavailable::Closed) {
            shared.count_lost(1);
            return Some(Unavailable::Closed);
        }
        self.place = Place::Used;
        shared.queue.push(item, || shared.health().err());
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.place == Place::Held {
            self.shared.give_back(1);
        }
    }
}
