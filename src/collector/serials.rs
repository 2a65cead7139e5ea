//! Serials of trust statements: each higher than all before it, also across restarts.

use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

/// Serials reserved at once. A restart skips what is left of them.
const RESERVED: u32 = 10_000;

/// Hands out serials. Reserving writes to the database once in ten thousand.
#[derive(Debug, Default)]
pub(in crate::collector) struct Serials {
    /// The next serial, and the first one that is not reserved. This lock is held while more are reserved.
    next: Mutex<(u64, u64)>,
}

impl Serials {
    /// The next serial.
    pub(in crate::collector) async fn next(&self, store: &Store) -> Result<u64, StoreError> {
        let mut next = self.next.lock().await;
        if next.0 >= next.1 {
            let first = store.reserve_serials(RESERVED).await?;
            *next = (first, first.saturating_add(u64::from(RESERVED)));
        }
        let serial = next.0;
        next.0 = next.0.saturating_add(1);
        Ok(serial)
    }
}
